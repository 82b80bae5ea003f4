//! A refusal or a failure, told to a person.

use serde::{Deserialize, Serialize};

use crate::view::{Link, OwnPath};

/// What happened, what to do, and the way back where it is safe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorPage {
    /// Which of the sentences.
    pub trouble: Trouble,
    /// When it is worth trying again, in seconds.
    pub retry: Option<u64>,
    /// The application, where known and trusted to be named.
    pub client: Option<String>,
    /// Where that application can be entered again.
    pub back: Option<Link>,
    /// Where to sign in, where that may be all that is left to do.
    pub sign_in: Option<OwnPath>,
    /// The registered error code (RFC 6749 section 4.1.2.1), for whoever builds the application.
    pub code: Option<String>,
    /// The error's description, for the same reader.
    pub detail: Option<String>,
}

/// What a person can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The application's request cannot be understood or is not allowed.
    BadRequest,
    /// No application of that `client_id`.
    UnknownClient,
    /// The `redirect_uri` is not registered.
    UnknownRedirect,
    /// The interaction is over or was never there.
    Expired,
    /// The form did not come from our own page in this browser.
    Forgery,
    /// The browser sends no cookies.
    NoCookies,
    /// This account may not do this.
    Forbidden,
    /// Nothing at this address.
    NotFound,
    /// Not with this method.
    Method,
    /// Too many requests.
    TooMany,
    /// The setup link was used, replaced or is too old.
    SetupLink,
    /// The link of a mail about a new device is too old.
    AlertLink,
    /// The link to a new password was used, replaced or is too old.
    RecoveryLink,
    /// The link to a new account was used, replaced or is too old.
    RegistrationLink,
    /// The link to confirm a mail address was used, replaced or is too old.
    AddressLink,
    /// The link that ends a wait was used, or is too old.
    WaitLink,
    /// Something here broke.
    Failure,
    /// Something here is overloaded or away.
    Unavailable,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::UnknownClient,
        Self::UnknownRedirect,
        Self::Expired,
        Self::Forgery,
        Self::NoCookies,
        Self::Forbidden,
        Self::NotFound,
        Self::Method,
        Self::TooMany,
        Self::SetupLink,
        Self::AlertLink,
        Self::RecoveryLink,
        Self::RegistrationLink,
        Self::AddressLink,
        Self::WaitLink,
        Self::Failure,
        Self::Unavailable,
    ];
}

impl ErrorPage {
    /// A page that says this and no more.
    pub fn of(trouble: Trouble) -> Self {
        Self {
            trouble,
            retry: None,
            client: None,
            back: None,
            sign_in: None,
            code: None,
            detail: None,
        }
    }

    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            trouble: Trouble::UnknownRedirect,
            retry: Some(240),
            client: Some("Shop".to_owned()),
            back: Some(Link::sample()),
            sign_in: OwnPath::parse("/login"),
            code: Some("invalid_request".to_owned()),
            detail: Some("redirect_uri is not one of those registered for this client".to_owned()),
        }
    }
}
