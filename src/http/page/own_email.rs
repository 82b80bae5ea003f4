//! `/account/email`: a person's own mail address, confirmed or replaced. What happens, happens by mail.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::shown;
use crate::flow::Error;
use crate::flow::people::{self, NotAsked};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, User};
use crate::view::{OwnEmail, OwnEmailError, OwnPath, Page};

const HERE: &str = "/account/email";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
    /// `sent` where mails were sent a moment ago.
    notice: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    email: String,
}

/// GET /account/email
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    let profile = &own.0.account.user.profile;
    let first = Shown {
        // an address that waits to be confirmed is the one that is asked about
        email: profile
            .email
            .clone()
            .filter(|_| !profile.email_verified)
            .unwrap_or_default(),
        sent: wish.notice.as_deref() == Some("sent"),
        error: None,
    };
    Ok(own.page(&visit, first, StatusCode::OK))
}

/// POST /account/email
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    let email = fields.email.trim().to_owned();
    let refused = |error| Shown {
        email: email.clone(),
        sent: false,
        error: Some(error),
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(own.page(&visit, refused(OwnEmailError::Expired), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    if email.is_empty() {
        return Ok(own.page(&visit, refused(OwnEmailError::Empty), StatusCode::UNPROCESSABLE_ENTITY));
    }
    let asker = (&own.0.account).into();
    let error = match people::ask_for_email(visit.provider(), &visit.call, asker, &email).await {
        Ok(()) => return Ok(visit.keep(see_other(&own.0.at(HERE, Some("sent"))))),
        Err(NotAsked::ProofTooOld) => return Ok(visit.keep(see_other(&own.0.proving(HERE)))),
        Err(NotAsked::Same) => OwnEmailError::Same,
        Err(NotAsked::Failed(Error::Invalid(wrong))) if people::is_domain_refused(&wrong) => OwnEmailError::Domain,
        Err(NotAsked::Failed(Error::Invalid(_))) => OwnEmailError::NotAnEmail,
        Err(NotAsked::Failed(Error::Throttled { retry_after, .. })) => {
            let seconds = retry_after.as_secs().max(1);
            let page = refused(OwnEmailError::Throttled { seconds });
            let mut response = own.page(&visit, page, StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        Err(NotAsked::Failed(error)) => return Err(error.into()),
    };
    Ok(own.page(&visit, refused(error), StatusCode::UNPROCESSABLE_ENTITY))
}

/// What stands in the form, and what there is to say first.
struct Shown {
    email: String,
    sent: bool,
    error: Option<OwnEmailError>,
}

/// Whose page it is.
struct Own(Owner);

impl Own {
    /// Bound to the session that the page shows (SEC-017).
    fn purpose(&self) -> String {
        format!("own email {}", self.0.account.session.id)
    }

    fn page(&self, visit: &Visit, first: Shown, status: StatusCode) -> Response {
        let user = &self.0.account.user;
        let page = Page::OwnEmail(OwnEmail {
            action: OwnPath::or_home(&self.0.at(HERE, None)),
            account: shown::account(user),
            current: user.profile.email.clone(),
            confirmed: user.profile.email_verified,
            email: first.email,
            sent: first.sent,
            error: first.error,
            back: OwnPath::or_home(&self.0.at("/account", None)),
        });
        let locale = visit.locale(&[], Some(user));
        let sheet = visit.sheet(page, locale, &self.purpose());
        visit.show(sheet.warns(visit.warning(&self.0.account)).status(status))
    }
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount%2Femail")
}
