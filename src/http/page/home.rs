//! `/`: what this server is, and who is signed in here.

use axum::response::Response;

use super::{doctor, shown};
use crate::http::extract::Visit;
use crate::view::{Home, OwnPath, Page};

/// GET /
pub(super) async fn show(visit: Visit) -> Response {
    let account = visit.browser.accounts.first();
    let locale = visit.locale(&[], account.map(|account| &account.user));
    let signed_in = account.is_some();
    let is_operator = doctor::allowed(&visit).await.is_ok_and(|allowed| allowed.is_some());
    let page = Page::Home(Home {
        issuer: visit.provider().issuer.as_str().to_owned(),
        account: account.map(|account| shown::account(&account.user)),
        sign_in: OwnPath::parse("/login").filter(|_| !signed_in),
        sign_out: OwnPath::parse("/logout").filter(|_| signed_in),
        own_account: OwnPath::parse("/account").filter(|_| signed_in),
        discovery: OwnPath::or_home("/.well-known/openid-configuration"),
        doctor: OwnPath::parse("/console/doctor").filter(|_| is_operator),
        api_docs: OwnPath::parse("/api/docs"),
    });
    visit.show(visit.sheet(page, locale, "home"))
}
