//! `/`: what this server is, and who is signed in here.

use axum::response::Response;

use crate::http::extract::Visit;
use crate::model::User;
use crate::view::{self, Home, OwnPath, Page};

/// GET /
pub(super) async fn show(visit: Visit) -> Response {
    let account = visit.browser.accounts.first();
    let locale = visit.locale(&[], account.map(|account| &account.user));
    let signed_in = account.is_some();
    let page = Page::Home(Home {
        issuer: visit.provider().issuer.as_str().to_owned(),
        account: account.map(|account| shown(&account.user)),
        sign_in: OwnPath::parse("/login").filter(|_| !signed_in),
        sign_out: OwnPath::parse("/logout").filter(|_| signed_in),
        discovery: OwnPath::or_home("/.well-known/openid-configuration"),
        api_docs: OwnPath::parse("/api/docs"),
    });
    visit.show(visit.sheet(page, locale, "home"))
}

/// A person as pages show them.
pub(super) fn shown(user: &User) -> view::Account {
    view::Account {
        name: user.full_name(),
        identifier: user.profile.email.clone().unwrap_or_else(|| user.username.clone()),
    }
}
