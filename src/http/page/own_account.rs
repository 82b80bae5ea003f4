//! `/account`: where the person is signed in, and what they have allowed which application.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::shown;
use crate::flow::Error;
use crate::flow::authorization::consents;
use crate::flow::session::{self, NotEnded, OwnEnd};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Actor;
use crate::view::{AccountNotice, AllowedApplication, Device, OwnAccount, OwnPath, OwnSession, Page};

const HERE: &str = "/account";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// What there is to say first.
    notice: Option<AccountNotice>,
}

/// What the form sends: one of the two.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    /// A session, or all others.
    end: Option<String>,
    /// An application.
    take_back: Option<String>,
}

/// GET /account
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    // that a form was too old is said by the answer to it alone
    let notice = wish.notice.filter(|notice| *notice != AccountNotice::Expired);
    match visit.browser.accounts.first().cloned() {
        Some(account) => page(&visit, &account, notice).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account
pub(super) async fn change(visit: Visit, Form(fields): Form<Fields>) -> Result<Response, Refusal> {
    let Some(account) = visit.browser.accounts.first().cloned() else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&purpose(&account), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return page(&visit, &account, Some(AccountNotice::Expired)).await,
        Err(forgery) => return Err(forgery.into()),
    }
    if let Some(client) = fields.take_back.as_deref().and_then(|text| text.parse().ok()) {
        let call = visit.call.by(Actor::User(account.user.id));
        return match consents::withdraw(visit.provider(), &call, account.user.id, client).await {
            // taken back twice is taken back
            Ok(()) | Err(Error::NotFound) => Ok(visit.keep(see_other("/account?notice=taken_back"))),
            Err(error) => Err(error.into()),
        };
    }
    let wish = match fields.end.as_deref() {
        Some("others") => OwnEnd::Others,
        Some(text) => match text.parse() {
            Ok(id) => OwnEnd::One(id),
            Err(_) => return Err(Refusal::bad_request("this names no session")),
        },
        None => return Ok(visit.keep(see_other(HERE))),
    };
    match session::end_own(visit.provider(), &visit.call, (&account).into(), wish).await {
        Ok(()) => Ok(visit.keep(see_other("/account?notice=ended"))),
        Err(NotEnded::ProofTooOld) => {
            Ok(visit.keep(see_other("/login?again=1&return_to=%2Faccount%3Fnotice%3Dproved")))
        }
        Err(NotEnded::Failed(error)) => Err(error.into()),
    }
}

async fn page(visit: &Visit, account: &session::Account, notice: Option<AccountNotice>) -> Result<Response, Refusal> {
    let provider = visit.provider();
    let times = session::own_times(provider, &visit.call, account).await?;
    let sessions = session::own_sessions(provider, &visit.call, account.into()).await?;
    let allowed = consents::list_with_clients(provider, account.user.id).await?;
    let resources = provider.resources().await?;
    let applications = allowed.iter().map(|(consent, client)| AllowedApplication {
        value: client.id.to_string(),
        client: shown::client(client),
        allowed: shown::asked(
            consent.scope.iter().map(ToString::to_string),
            &consent.claims,
            &resources,
        ),
        since: consent.given_at.micros(),
    });
    let page = Page::OwnAccount(OwnAccount {
        account: shown::account(&account.user),
        action: OwnPath::or_home(HERE),
        notice,
        idle_seconds: times.idle.as_secs(),
        lifetime_seconds: times.lifetime.as_secs(),
        sessions: sessions.into_iter().map(entry).collect(),
        applications: applications.collect::<Vec<AllowedApplication>>(),
        sign_out: OwnPath::or_home("/logout"),
    });
    let status = match notice {
        Some(AccountNotice::Expired) => StatusCode::FORBIDDEN,
        _ => StatusCode::OK,
    };
    let locale = visit.locale(&[], Some(&account.user));
    Ok(visit.show(visit.sheet(page, locale, &purpose(account)).status(status)))
}

fn entry(session: session::OwnSession) -> OwnSession {
    OwnSession {
        value: session.id.to_string(),
        here: session.is_here,
        device: session.user_agent.as_deref().map(Device::read).unwrap_or_default(),
        place: session.address,
        started: session.started_at.micros(),
        seen: session.seen_at.micros(),
        applications: session.applications,
    }
}

/// Bound to the session that the page shows: another tab may have gone on with another account (SEC-017).
fn purpose(account: &session::Account) -> String {
    format!("own account {}", account.session.id)
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount")
}
