//! `/login/leave`: an error would lead to an application that nobody vouches for. Go along with it?

use axum::response::Response;
use serde::Deserialize;

use super::pending::Wish;
use super::shown::{self, Freshness};
use crate::flow::Error;
use crate::flow::authorization::error_redirect::{self, Cause, ErrorRedirect};
use crate::http::Refusal;
use crate::http::answer::{self, next::see_other};
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::view::{Leave, LeaveCause, OwnPath, Page};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    decision: Decision,
}

/// What the person pressed.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Go,
    Stay,
}

/// GET /login/leave
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let redirect = open(&visit, &wish.flow).await?;
    Ok(question(&visit, &redirect, Freshness::Fresh))
}

/// POST /login/leave
pub(super) async fn decide(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let redirect = open(&visit, &wish.flow).await?;
    match visit.check(&purpose(&redirect), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(question(&visit, &redirect, Freshness::Expired)),
        Err(forgery) => return Err(forgery.into()),
    }
    match fields.decision {
        Decision::Go => {
            let locale = visit.locale(&redirect.ui_locales, None);
            let next = error_redirect::follow(redirect);
            Ok(visit.keep(answer::next(&visit.http, &visit.call, locale, next)))
        }
        Decision::Stay => {
            error_redirect::stay(visit.provider(), redirect).await?;
            Ok(visit.keep(see_other("/")))
        }
    }
}

async fn open(visit: &Visit, id: &str) -> Result<ErrorRedirect, Refusal> {
    match error_redirect::load(visit.provider(), &visit.call, &visit.browser, id).await {
        Ok(redirect) => Ok(redirect),
        Err(Error::NotFound) => Err(Refusal::expired()),
        Err(error) => Err(error.into()),
    }
}

fn question(visit: &Visit, redirect: &ErrorRedirect, freshness: Freshness) -> Response {
    let target = &redirect.response.answerable.redirect_uri;
    let page = Page::Leave(Leave {
        client: shown::client(&redirect.client),
        place: Leave::place(target),
        cause: match redirect.cause {
            Cause::Denied => LeaveCause::Denied,
            Cause::Cancelled => LeaveCause::Cancelled,
            Cause::Beyond => LeaveCause::Beyond,
            Cause::Faulty => LeaveCause::Faulty,
        },
        code: redirect.response.get("error").unwrap_or_default().to_owned(),
        detail: redirect
            .response
            .get("error_description")
            .unwrap_or_default()
            .to_owned(),
        action: OwnPath::or_home(&format!("/login/leave?flow={}", redirect.id)),
        hidden: Vec::new(),
        expired: freshness == Freshness::Expired,
    });
    let locale = visit.locale(&redirect.ui_locales, None);
    // it goes nowhere by itself (SEC-031)
    let sheet = visit
        .sheet(page, locale, &purpose(redirect))
        .warns(None)
        .leads_to(target);
    visit.show(sheet.tells_of(redirect.trace).status(freshness.status()))
}

fn purpose(redirect: &ErrorRedirect) -> String {
    format!("leave {}", redirect.id)
}
