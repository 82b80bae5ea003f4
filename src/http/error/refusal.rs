//! A refusal before it is known who reads it.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::flow::{self, error::causes};
use crate::model::Reason;
use crate::view::{Link, Trouble};

/// When to come back after an outage, at the earliest and at the latest: not everybody at once.
const OUTAGE: (u32, u32) = (2, 8);
/// When to come back where others were faster, or too many.
const CONTENDED: Duration = Duration::from_secs(1);

/// Why a request was not served.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub(super) status: StatusCode,
    pub(super) trouble: Trouble,
    /// The registered OAuth code.
    pub(super) code: &'static str,
    /// A sentence of ours for whoever builds the application.
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) retry_after: Option<Duration>,
    /// The application that was on the way, and where it can be entered again.
    pub(super) client: Option<Box<(String, Option<Link>)>>,
    /// Why: for the traces, and to be counted by.
    reason: Reason,
    /// Whether a flow has kept why already.
    is_kept: bool,
}

impl Refusal {
    const fn new(status: StatusCode, trouble: Trouble, code: &'static str, rule: &'static str) -> Self {
        Self {
            status,
            trouble,
            code,
            detail: None,
            retry_after: None,
            client: None,
            reason: Reason::new(rule),
            is_kept: false,
        }
    }

    /// Nothing at this address.
    pub const fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::NotFound,
            "invalid_request",
            "request.not_found",
        )
    }

    /// Not with this method.
    pub const fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Trouble::Method,
            "invalid_request",
            "request.method",
        )
    }

    /// The request can't be understood.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            Trouble::BadRequest,
            "invalid_request",
            "request.malformed",
        )
        .detail(detail)
    }

    /// The request is for another host than ours (RFC 9110 section 15.5.20).
    pub fn wrong_host(issuer: &str) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            Trouble::BadRequest,
            "invalid_request",
            "request.host",
        )
        .detail(format!("the address of this server is {issuer}"))
    }

    /// The body is larger than the route takes.
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Trouble::BadRequest,
            "invalid_request",
            "request.size",
        )
        .detail("the body is too large")
    }

    /// The body is of a type that the route does not take.
    pub fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Trouble::BadRequest,
            "invalid_request",
            "request.media_type",
        )
        .detail("the body is not of a type that is taken here")
    }

    /// The sign-in is over or was never there.
    pub const fn expired() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::Expired,
            "invalid_request",
            "request.expired",
        )
    }

    /// The form did not come from a page of ours in this browser.
    pub const fn forgery() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Trouble::Forgery,
            "invalid_request",
            "request.forgery",
        )
    }

    /// The browser sends no cookies.
    pub const fn no_cookies() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Trouble::NoCookies,
            "invalid_request",
            "request.no_cookies",
        )
    }

    /// This account may not do this.
    pub const fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Trouble::Forbidden,
            "access_denied",
            "api.permission",
        )
    }

    /// The setup link was used, replaced or is too old.
    pub const fn setup_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::SetupLink,
            "invalid_request",
            "setup.link",
        )
    }

    /// The link of a mail about a new device is unknown or too old.
    pub const fn alert_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::AlertLink,
            "invalid_request",
            "device_alert.link",
        )
    }

    /// The link to a new password is unknown, used, replaced or too old.
    pub const fn recovery_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::RecoveryLink,
            "invalid_request",
            "recovery.link",
        )
    }

    /// The link to a new account is unknown, used, replaced or too old.
    pub const fn registration_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::RegistrationLink,
            "invalid_request",
            "registration.link",
        )
    }

    /// The link to confirm a mail address is unknown, used, replaced or too old.
    pub const fn address_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Trouble::AddressLink,
            "invalid_request",
            "address.link",
        )
    }

    /// The link that ends a wait is unknown, used or too old.
    pub const fn wait_link() -> Self {
        Self::new(StatusCode::NOT_FOUND, Trouble::WaitLink, "invalid_request", "wait.link")
    }

    /// A defect of ours.
    pub const fn failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Trouble::Failure,
            "server_error",
            "server.failed",
        )
    }

    /// It took too long.
    pub fn overdue() -> Self {
        Self::away("server.overdue")
    }

    /// Too many of its kind are being served.
    pub fn crowded() -> Self {
        Self::unavailable(CONTENDED, "server.crowded")
    }

    /// Something that it needs is away.
    pub fn outage() -> Self {
        Self::away("server.unavailable")
    }

    fn away(rule: &'static str) -> Self {
        let (earliest, latest) = OUTAGE;
        let spread = crate::random::below(latest.saturating_sub(earliest).saturating_add(1));
        Self::unavailable(Duration::from_secs(u64::from(earliest.saturating_add(spread))), rule)
    }

    fn unavailable(retry_after: Duration, rule: &'static str) -> Self {
        let refusal = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Trouble::Unavailable,
            "temporarily_unavailable",
            rule,
        );
        Self {
            retry_after: Some(retry_after),
            ..refusal
        }
    }

    /// Names the application, and where it can be entered again. Only for one that is known here.
    #[must_use]
    pub fn client(self, name: &str, back: Option<Link>) -> Self {
        Self {
            client: Some(Box::new((name.to_owned(), back))),
            ..self
        }
    }

    /// The sentence for whoever builds the application.
    #[must_use]
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Why, for the traces, where more is known than the kind of refusal says.
    #[must_use]
    pub fn reason(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// The flow has kept why.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { is_kept: true, ..self }
    }

    /// What the person is told instead of what the kind of refusal says.
    #[must_use]
    pub fn trouble(self, trouble: Trouble) -> Self {
        Self { trouble, ..self }
    }

    /// Why, to be added to.
    pub(in crate::http) const fn reason_mut(&mut self) -> &mut Reason {
        &mut self.reason
    }

    /// Why, to be kept once; and whether a flow has done so.
    pub(in crate::http) fn take_reason(&mut self) -> (Reason, bool) {
        let reason = std::mem::replace(&mut self.reason, Reason::new("request.malformed"));
        (reason, self.is_kept)
    }

    /// The response's status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<flow::Error> for Refusal {
    fn from(error: flow::Error) -> Self {
        let reason = error.reason();
        Self::of(error).reason(reason)
    }
}

impl Refusal {
    fn of(error: flow::Error) -> Self {
        match error {
            flow::Error::OAuth(error) => Self {
                code: error.code.as_str(),
                ..Self::bad_request(error.description)
            },
            flow::Error::Invalid(_) => Self::bad_request("a field can't be taken as it is"),
            flow::Error::NotFound => Self::not_found(),
            flow::Error::Stale | flow::Error::Conflict(_) => Self {
                status: StatusCode::CONFLICT,
                ..Self::bad_request("it changed meanwhile")
            },
            flow::Error::Forbidden(_) => Self::forbidden(),
            flow::Error::Throttled { retry_after, rule } => Self {
                retry_after: Some(retry_after),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    Trouble::TooMany,
                    "temporarily_unavailable",
                    rule,
                )
            },
            flow::Error::Busy { retry_after } => Self::unavailable(retry_after, "server.busy"),
            flow::Error::Unavailable(source) => {
                tracing::error!(causes = causes(source.as_ref()), "a store is not available");
                Self::outage()
            }
            flow::Error::Contended => Self::unavailable(CONTENDED, "server.contended"),
            flow::Error::Failed(source) => {
                tracing::error!(causes = causes(source.as_ref()), "a request failed");
                Self::failed()
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
