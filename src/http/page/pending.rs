//! The authorization request that a page belongs to.

use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::return_target;
use crate::flow::authorization::{Interaction, Next, answer, interaction};
use crate::flow::session::Account;
use crate::flow::{self, Error};
use crate::http::Refusal;
use crate::http::answer::next;
use crate::http::answer::next::see_other;
use crate::http::extract::Visit;
use crate::view::{Locale, OwnPath};

/// What the address of its pages says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The id of the request.
    pub(super) flow: String,
}

/// Opens the request of this id.
pub(super) async fn open(visit: &Visit, id: &str) -> Result<Interaction, Refusal> {
    match interaction::load(visit.provider(), &visit.call, &visit.browser, id).await {
        Ok(interaction) => Ok(interaction),
        Err(Error::NotFound) => Err(Refusal::expired()),
        Err(error) => Err(error.into()),
    }
}

/// The language of a page of this request.
pub(super) fn locale(visit: &Visit, interaction: &Interaction) -> Locale {
    let person = interaction.account.and_then(|user| visit.browser.account(user));
    visit.locale(&interaction.request.ui_locales, person.map(|account| &account.user))
}

/// The address of a page of this request.
pub(super) fn address(path: &str, interaction: &Interaction) -> OwnPath {
    OwnPath::or_home(&format!("{path}?flow={}", interaction.id))
}

/// Somebody has signed in: on to the request that they did it for, else to an address of ours. The session has begun whatever
/// becomes of the request: the browser is told in any case.
pub(super) async fn entered(
    visit: &Visit,
    interaction: Option<Interaction>,
    locale: Locale,
    return_to: Option<&OwnPath>,
    account: &Account,
) -> Response {
    let Some(interaction) = interaction else {
        let issuer = visit.provider().issuer.url();
        return visit.keep(see_other(&return_target::address(issuer, return_to)));
    };
    let next = answer::signed_in(visit.provider(), &visit.call, &visit.browser, interaction, account).await;
    match go_on(visit, locale, next) {
        Ok(response) => response,
        Err(refusal) => visit.keep(refusal.into_response()),
    }
}

/// The response that leads to what comes next.
pub(super) fn go_on(visit: &Visit, locale: Locale, next: Result<Next, flow::Error>) -> Result<Response, Refusal> {
    Ok(visit.keep(next::next(&visit.http, &visit.call, locale, next?)))
}
