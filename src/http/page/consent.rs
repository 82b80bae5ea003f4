//! `/login/consent`: may this application have this?

use axum::response::Response;
use serde::Deserialize;

use super::pending::{self, Wish};
use super::shown::{self, Freshness};
use crate::flow::Error;
use crate::flow::authorization::answer;
use crate::flow::authorization::{Consenting, Interaction, interaction};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::view::{Consent, Page};

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
    Allow,
    Deny,
}

/// GET /login/consent
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let interaction = pending::open(&visit, &wish.flow).await?;
    question(&visit, &interaction, Freshness::Fresh).await
}

/// POST /login/consent
pub(super) async fn decide(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let interaction = pending::open(&visit, &wish.flow).await?;
    match visit.check(&purpose(&visit, &interaction), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return question(&visit, &interaction, Freshness::Expired).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let consenting = match fields.decision {
        Decision::Allow => Consenting::Allow,
        Decision::Deny => Consenting::Deny,
    };
    let locale = pending::locale(&visit, &interaction);
    let next = answer::consent(visit.provider(), &visit.call, &visit.browser, interaction, consenting).await;
    pending::go_on(&visit, locale, next)
}

async fn question(visit: &Visit, interaction: &Interaction, freshness: Freshness) -> Result<Response, Refusal> {
    let provider = visit.provider();
    let asked = answer::consent_question(provider, &visit.call, &visit.browser, interaction).await;
    let asked = match asked {
        Ok(asked) => asked,
        // signed out meanwhile
        Err(Error::NotFound) => return Ok(visit.keep(see_other(&format!("/login?flow={}", interaction.id)))),
        Err(error) => return Err(error.into()),
    };
    let page = Page::Consent(Consent {
        client: shown::client(&interaction.client),
        account: shown::account(&asked.user),
        asked: shown::asked(asked.scopes, &asked.claims, &provider.resources().await?),
        action: pending::address("/login/consent", interaction),
        hidden: Vec::new(),
        expired: freshness == Freshness::Expired,
    });
    let locale = visit.locale(&interaction.request.ui_locales, Some(&asked.user));
    let sheet = visit
        .sheet(page, locale, &purpose(visit, interaction))
        .status(freshness.status());
    Ok(visit.show(sheet.leads_to(&interaction.request.answerable.redirect_uri)))
}

/// Bound to the account that the page shows: another tab may have gone on with another one (SEC-017).
fn purpose(visit: &Visit, interaction: &Interaction) -> String {
    let account = interaction::account_of(visit.provider(), &visit.browser, interaction);
    let user = account.map(|account| account.user.id.to_string()).unwrap_or_default();
    format!("consent {} {user}", interaction.id)
}
