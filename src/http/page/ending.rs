//! `/login/ending`: is somebody about to be signed out? A page that was left open leads here by itself, so looking counts as no
//! use of the session; its button does.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::{return_target, shown};
use crate::flow::session::Account;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Glance, Query, Visit, ending_page, staying};
use crate::model::{Id, User, setting};
use crate::view::{Ending, EndingStage, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose session.
    account: Option<Id<User>>,
    /// The page that was left open.
    return_to: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
}

impl Wish {
    fn account<'v>(&self, visit: &'v Visit) -> Option<&'v Account> {
        match self.account {
            Some(user) => visit.browser.account(user),
            None => visit.browser.accounts.first(),
        }
    }

    fn back(&self, visit: &Visit) -> OwnPath {
        let wished = self.return_to.as_deref();
        let wished = wished.and_then(|text| return_target::wished(visit.provider().issuer.url(), text));
        wished.unwrap_or_else(|| OwnPath::or_home("/account"))
    }
}

/// GET /login/ending
pub(super) async fn show(Glance(visit): Glance, Query(wish): Query<Wish>) -> Response {
    draw(&visit, &wish, StatusCode::OK)
}

/// POST /login/ending
pub(super) async fn stay(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let account = wish.account(&visit);
    let purpose = account.map_or_else(|| "stay".to_owned(), staying);
    match visit.check(&purpose, &fields.csrf) {
        // that somebody asks is use enough, and noted already
        Ok(()) => Ok(visit.keep(see_other(wish.back(&visit).as_str()))),
        Err(Forgery::Token) => Ok(draw(&visit, &wish, StatusCode::FORBIDDEN)),
        Err(forgery) => Err(forgery.into()),
    }
}

fn draw(visit: &Visit, wish: &Wish, status: StatusCode) -> Response {
    let (account, back) = (wish.account(visit), wish.back(visit));
    let warning = visit.settings.duration(setting::SESSION_EXPIRY_WARNING);
    let left = account.map_or(Duration::ZERO, |account| account.ending.at.since(visit.call.now));
    let stage = match account {
        None => EndingStage::Over,
        // a browser is never on time to the second
        Some(_) if left <= warning.saturating_add(Duration::from_secs(5)) => EndingStage::Soon,
        Some(_) => EndingStage::GoesOn,
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", back.as_str())
        .finish();
    let here = match account {
        Some(account) => ending_page(account.user.id, back.as_str()),
        None => OwnPath::or_home("/login/ending"),
    };
    let page = Page::Ending(Ending {
        stage,
        account: account.map(|account| shown::account(&account.user)),
        seconds: left.as_secs(),
        can_stay: account.is_some_and(|account| account.ending.can_stay),
        action: here.clone(),
        back,
        sign_in: OwnPath::or_home(&format!("/login?{query}")),
    });
    let locale = visit.locale(&[], account.map(|account| &account.user));
    let purpose = account.map_or_else(|| "stay".to_owned(), staying);
    // it looks again by itself
    let sheet = visit.sheet(page, locale, &purpose).warns(None).status(status);
    visit.show(match stage {
        EndingStage::Over => sheet,
        EndingStage::Soon => sheet.goes_on_after(left.as_secs().saturating_add(1), &here),
        EndingStage::GoesOn => sheet.goes_on_after(left.saturating_sub(warning).as_secs().max(1), &here),
    })
}
