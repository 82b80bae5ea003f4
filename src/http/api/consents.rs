//! `/users/{id}/consents`: what a person has allowed which client.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::flow::authorization::consents;
use crate::flow::people::Page;
use crate::model::Consent;

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";

const LIST: ListRule = ListRule::plain();

/// What a person has allowed a client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consent")]
struct ConsentBody {
    /// The client's id.
    client: String,
    /// The scopes, separated by blanks.
    scope: String,
    /// Single claims.
    claims: Vec<String>,
    /// When it was last given.
    given_at: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/consents",
            READ,
            "Lists what a user has allowed which clients.",
            handler!(list),
        )
        .within(Within::Path("id", Kind::User))
        .listed(&LIST)
        .gives::<PageBody<ConsentBody>>(),
        route(
            Method::Delete,
            "/users/{id}/consents/{client}",
            WRITE,
            "Takes back what a user has allowed a client, and ends every grant and token of it.",
            handler!(withdraw),
        )
        .within(Within::Path("id", Kind::User)),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = consents::list(asked.provider(), asked.call(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, ConsentBody::of)
}

async fn withdraw(asked: Asked) -> Result<Answer, Problem> {
    let (user, client) = (asked.id("id")?, asked.id("client")?);
    consents::withdraw_of(asked.provider(), asked.call(), &asked.source(), user, client).await?;
    Ok(Answer::done())
}

impl ConsentBody {
    fn of(consent: Consent) -> Self {
        Self {
            client: consent.client.to_string(),
            scope: consent.scope.to_string(),
            claims: consent.claims,
            given_at: consent.given_at.rfc3339(),
        }
    }
}
