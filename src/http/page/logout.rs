//! `/logout`: sign out? Asked by the person, or for an application that wants it (RP-Initiated Logout 1.0 section 2).

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Deserialize;

use super::shown::{self, Freshness};
use crate::flow::Error;
use crate::flow::sign_out::{self, LogoutRequest};
use crate::http::Refusal;
use crate::http::answer::farewell;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::view::{Client, OwnPath, Page, SignOut, SignedOut};

const DONE: &str = "/logout/done";
/// What browsers have kept of our pages goes too; cookies are taken back one by one.
const CLEAR: (HeaderName, HeaderValue) = (
    HeaderName::from_static("clear-site-data"),
    HeaderValue::from_static("\"cache\", \"storage\""),
);

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The application's request.
    flow: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    decision: Decision,
}

/// What the person pressed.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    SignOut,
    Stay,
}

/// GET /logout
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    if visit.browser.accounts.is_empty() {
        return onward(visit, Query(wish)).await;
    }
    let request = open(&visit, &wish).await?;
    Ok(question(&visit, &wish, request.as_ref(), Freshness::Fresh))
}

/// POST /logout
pub(super) async fn decide(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    if visit.browser.accounts.is_empty() {
        // the session has ended while the page was open: nothing is left to be done, and the application waits (section 3)
        return onward(visit, Query(wish)).await;
    }
    let request = open(&visit, &wish).await?;
    match visit.check(&purpose(&wish), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(question(&visit, &wish, request.as_ref(), Freshness::Expired)),
        Err(forgery) => return Err(forgery.into()),
    }
    if fields.decision == Decision::Stay {
        return Ok(visit.keep(see_other("/")));
    }
    let http = visit.http.clone();
    let back = request.and_then(|request| request.return_address);
    let done = sign_out::confirm(&http.provider, &visit.call, &mut visit.browser, back).await?;
    let mut response = farewell(&visit, &done);
    let (name, value) = CLEAR;
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// GET /logout/onward: nobody is signed in any more and the applications have been told, on to the one that asked.
pub(super) async fn onward(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let id = wish.flow.as_deref().unwrap_or_default();
    let back = match sign_out::load(visit.provider(), &visit.call, &visit.browser, id).await {
        Ok(request) => request.return_address,
        Err(Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let location = back.map_or(DONE.to_owned(), |address| address.location());
    Ok(visit.keep(see_other(&location)))
}

/// GET /logout/done
pub(super) async fn done(visit: Visit) -> Response {
    if !visit.browser.accounts.is_empty() {
        return visit.keep(see_other("/"));
    }
    let page = Page::SignedOut(SignedOut {
        client: None,
        back: None,
        sign_in: OwnPath::parse("/login"),
    });
    visit.show(visit.sheet(page, visit.locale(&[], None), "signed out"))
}

async fn open(visit: &Visit, wish: &Wish) -> Result<Option<LogoutRequest>, Refusal> {
    let Some(id) = &wish.flow else {
        return Ok(None);
    };
    match sign_out::load(visit.provider(), &visit.call, &visit.browser, id).await {
        Ok(request) => Ok(Some(request)),
        Err(Error::NotFound) => Err(Refusal::expired()),
        Err(error) => Err(error.into()),
    }
}

fn question(visit: &Visit, wish: &Wish, request: Option<&LogoutRequest>, freshness: Freshness) -> Response {
    let accounts = &visit.browser.accounts;
    let Some(first) = accounts.first() else {
        return visit.keep(see_other(DONE));
    };
    let query = wish.flow.as_ref().map_or_else(String::new, |id| format!("?flow={id}"));
    let page = Page::SignOut(SignOut {
        client: request.and_then(client),
        accounts: accounts.iter().map(|account| shown::account(&account.user)).collect(),
        action: OwnPath::or_home(&format!("/logout{query}")),
        hidden: Vec::new(),
        expired: freshness == Freshness::Expired,
    });
    let locale = visit.locale(&[], Some(&first.user));
    let sheet = visit.sheet(page, locale, &purpose(wish)).status(freshness.status());
    visit.show(match request.and_then(|request| request.return_address.as_ref()) {
        Some(address) => sheet.leads_to(&address.uri),
        None => sheet,
    })
}

/// The application by its name alone: nobody signs in to it here.
fn client(request: &LogoutRequest) -> Option<Client> {
    Some(Client {
        name: request.client.clone()?,
        logo: None,
        website: None,
        policy: None,
        terms: None,
        verified: true,
    })
}

fn purpose(wish: &Wish) -> String {
    format!("logout {}", wish.flow.as_deref().unwrap_or_default())
}
