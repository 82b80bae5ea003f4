//! One mail, and how it is put together so that no text of it becomes a header, a recipient or a command.

use lettre::Address;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::Error;

/// A mail to one person. Prints without its content, which may carry a link that signs somebody in.
#[derive(Clone)]
pub struct Message {
    /// One address, without a display name: `ada@example.com`.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The body for programs that show text.
    pub text: String,
    /// The same for those that show HTML. Whoever renders it escapes what goes in.
    pub html: String,
    /// What makes this mail unique, `<unique>@<host>` without the angle brackets; the same each time it is sent again.
    pub message_id: String,
}

impl Message {
    pub(super) fn compose(self, from: &Mailbox) -> Result<lettre::Message, Error> {
        let refused = || Error::Refused { code: None };
        // no field of a header may carry a control character, least of all an end of line (RFC 5322 section 2.2)
        let fields = [&self.to, &self.subject, &self.message_id];
        if fields.iter().any(|field| field.chars().any(char::is_control)) {
            return Err(refused());
        }
        if !is_message_id(&self.message_id) {
            return Err(refused());
        }
        // parsed as one address: a list, a display name or a comment is none
        let to: Address = self.to.parse().map_err(|_| refused())?;
        lettre::Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject)
            .message_id(Some(format!("<{}>", self.message_id)))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(self.text, self.html))
            .map_err(|_| refused())
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Message")
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

/// RFC 5322 section 3.6.4, narrowed to what everybody accepts.
fn is_message_id(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'))
    };
    text.split_once('@')
        .is_some_and(|(unique, host)| part(unique) && part(host))
}

/// RFC 3834 section 5: asks automatic responders not to answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
