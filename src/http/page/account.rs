//! `/login/account`: which of the accounts that are signed in here?

use axum::response::Response;
use serde::Deserialize;

use super::pending::{self, Wish};
use super::shown::{self, Freshness};
use crate::flow::authorization::{Interaction, answer};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, User};
use crate::view::{Choice, ChooseAccount, Page};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    account: Option<Id<User>>,
}

/// GET /login/account
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let interaction = pending::open(&visit, &wish.flow).await?;
    Ok(question(&visit, &interaction, Freshness::Fresh))
}

/// POST /login/account
pub(super) async fn choose(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let interaction = pending::open(&visit, &wish.flow).await?;
    match visit.check(&purpose(&interaction), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(question(&visit, &interaction, Freshness::Expired)),
        Err(forgery) => return Err(forgery.into()),
    }
    let Some(user) = fields.account else {
        return Ok(see_other(&format!("/login?flow={}", interaction.id)));
    };
    let locale = pending::locale(&visit, &interaction);
    let next = answer::choose_account(visit.provider(), &visit.call, &visit.browser, interaction, user).await;
    pending::go_on(&visit, locale, next)
}

fn question(visit: &Visit, interaction: &Interaction, freshness: Freshness) -> Response {
    if visit.browser.accounts.is_empty() {
        return visit.keep(see_other(&format!("/login?flow={}", interaction.id)));
    }
    let choice = |user: &User| Choice {
        value: user.id.to_string(),
        account: shown::account(user),
    };
    let page = Page::ChooseAccount(ChooseAccount {
        client: Some(shown::client(&interaction.client)),
        action: pending::address("/login/account", interaction),
        hidden: Vec::new(),
        expired: freshness == Freshness::Expired,
        accounts: visit
            .browser
            .accounts
            .iter()
            .map(|account| choice(&account.user))
            .collect(),
    });
    let locale = pending::locale(visit, interaction);
    let sheet = visit
        .sheet(page, locale, &purpose(interaction))
        .status(freshness.status());
    visit.show(sheet.leads_to(&interaction.request.answerable.redirect_uri))
}

fn purpose(interaction: &Interaction) -> String {
    format!("account {}", interaction.id)
}
