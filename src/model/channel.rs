//! The ways to a person that messages go by.

use super::named::named;

named! {
    /// The way that a message goes by.
    Channel {
        /// To a mail address.
        Mail = "mail",
        /// As a text message to a telephone number.
        Sms = "sms",
    }
}
