//! `/login/code`: a code that was sent, in the place of a password. The page is the same whoever was named.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::login::{Door, Outcome, waiting};
use super::shown;
use crate::flow::Error;
use crate::flow::people::Means;
use crate::flow::sign_in::code::{self, Attempt};
use crate::flow::sign_in::link;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Secret;
use crate::view::{LoginCode, LoginError, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The sign-in that waits.
    #[serde(default)]
    attempt: String,
    /// Set where another code was asked for a moment ago.
    again: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    code: Option<Secret>,
    intent: Option<String>,
}

/// GET /login/code
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let (asked, door) = open(&visit, &wish).await?;
    Ok(asked.show(&visit, &door, None, StatusCode::OK))
}

/// POST /login/code
pub(super) async fn answer(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let (asked, door) = open(&visit, &wish).await?;
    visit.call = visit.call.within(asked.attempt.wanted.journey);
    match visit.check(&asked.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            let expired = Some(LoginError::Expired);
            return Ok(asked.show(&visit, &door, expired, StatusCode::FORBIDDEN));
        }
        Err(forgery) => return Err(forgery.into()),
    }
    let http = visit.http.clone();
    if fields.intent.as_deref() == Some("again") {
        return match code::send_again(&http.provider, &visit.call, &asked.attempt).await {
            Ok(()) => Ok(visit.keep(see_other(&format!("{}&again=1", asked.address())))),
            Err(Error::Throttled { retry_after, .. }) => {
                let seconds = retry_after.as_secs().max(1);
                let error = Some(LoginError::Throttled { seconds });
                let response = asked.show(&visit, &door, error, StatusCode::TOO_MANY_REQUESTS);
                Ok(waiting(response, Some(seconds)))
            }
            Err(error) => Err(error.into()),
        };
    }
    let waiting_for_it = asked.attempt.clone();
    let (call, browser) = (&visit.call, &mut visit.browser);
    let signed_in = match asked.attempt.wanted.means {
        Means::MailLink => link::go_on(&http.provider, call, browser, waiting_for_it).await,
        Means::MailCode | Means::TextCode => {
            let typed = fields.code.unwrap_or_else(|| Secret::new(""));
            code::answer(&http.provider, call, browser, waiting_for_it, &typed).await
        }
    };
    match door.outcome(&visit, signed_in, LoginError::Credentials).await? {
        Outcome::On(response) => Ok(response),
        Outcome::Refused(door, refused) => {
            let response = asked.show(&visit, &door, Some(refused.error), refused.status);
            Ok(waiting(response, refused.wait))
        }
    }
}

/// A sign-in that waits for its code.
struct Asked {
    attempt: Attempt,
    again: bool,
}

async fn open(visit: &Visit, wish: &Wish) -> Result<(Asked, Door), Refusal> {
    let attempt = match code::load(visit.provider(), &visit.call, &visit.browser, &wish.attempt).await {
        Ok(attempt) => attempt,
        Err(Error::NotFound) => return Err(Refusal::expired()),
        Err(error) => return Err(error.into()),
    };
    let wanted = &attempt.wanted;
    let door = Door::of(visit, &wanted.purpose, wanted.expected).await?;
    let door = door.naming(visit, (&wanted.identifier, wanted.remember))?;
    let again = wish.again.is_some();
    Ok((Asked { attempt, again }, door))
}

impl Asked {
    fn purpose(&self) -> String {
        format!("code of {}", self.attempt.id)
    }

    fn address(&self) -> String {
        format!("/login/code?attempt={}", self.attempt.id)
    }

    fn show(&self, visit: &Visit, door: &Door, error: Option<LoginError>, status: StatusCode) -> Response {
        let page = Page::LoginCode(LoginCode {
            client: door.interaction.as_ref().map(|it| shown::client(&it.client)),
            action: OwnPath::or_home(&self.address()),
            by: shown::sent_to_sign_in(self.attempt.wanted.means),
            identifier: self.attempt.wanted.identifier.clone(),
            again: self.again,
            error,
            back: door.here(),
        });
        let sheet = visit.sheet(page, door.locale, &self.purpose()).status(status);
        visit.show(match &door.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        })
    }
}
