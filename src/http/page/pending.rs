//! The authorization request that a page belongs to.

use axum::response::Response;
use serde::Deserialize;

use crate::flow::authorization::{Interaction, Next, interaction};
use crate::flow::{self, Error};
use crate::http::extract::Visit;
use crate::http::{Refusal, answer};
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

/// The response that leads to what comes next.
pub(super) fn go_on(visit: &Visit, locale: Locale, next: Result<Next, flow::Error>) -> Result<Response, Refusal> {
    Ok(visit.keep(answer::next(&visit.http, &visit.call, locale, next?)))
}
