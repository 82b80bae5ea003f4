//! `/registration-tokens`: who holds one may register clients (RFC 7591 section 3).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::clients::initial_access_token::{self, NewRegistrationToken};
use crate::flow::people::Page;
use crate::model::setting::parse_duration;

const READ: &str = "admin:clients.read";
const WRITE: &str = "admin:clients";
const LIFE: Duration = Duration::from_secs(24 * 3600);

const LIST: ListRule = ListRule::plain();

/// A registration token to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewTokenBody {
    /// What it is for.
    #[schemars(required)]
    name: String,
    /// How many clients may be registered with it; any number if absent.
    uses: Option<u32>,
    /// How long it lives: `24h` unless told, a year at most.
    life: Option<String>,
}

/// A registration token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationToken")]
struct TokenBody {
    /// Its id.
    id: String,
    /// What it is for.
    name: String,
    /// How many clients may still be registered with it; any number if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<i64>,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The token: told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/registration-tokens",
            READ,
            "Lists the tokens that let clients register, the newest first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<TokenBody>>(),
        route(
            Method::Post,
            "/registration-tokens",
            WRITE,
            "Makes a token that lets clients register.",
            handler!(create),
        )
        .takes::<NewTokenBody>()
        .creates::<TokenBody>(),
        route(
            Method::Delete,
            "/registration-tokens/{id}",
            WRITE,
            "Revokes a token. Clients registered with it stay.",
            handler!(revoke),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let from = listed.after.clone();
    let items: Vec<TokenBody> = initial_access_token::list(asked.provider())
        .await?
        .into_iter()
        .map(|token| TokenBody {
            id: token.id.to_string(),
            name: token.name,
            uses_left: token.uses_left,
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.rfc3339(),
            revoked_at: token.revoked_at.map(|at| at.rfc3339()),
            token: None,
        })
        .skip_while(|token| from.as_ref().is_some_and(|from| token.id != *from))
        .skip(usize::from(from.is_some()))
        .collect();
    let page = Page::cut(items, listed.limit, |token| token.id.clone());
    listed.answer(&asked, page, None, |token| token)
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewTokenBody = asked.read()?;
    let life = match body.life.as_deref() {
        None => LIFE,
        Some(text) => parse_duration(text)
            .ok_or_else(|| Error::field("/life", "malformed", "expected a duration like 30m, 24h or 30d"))?,
    };
    let new = NewRegistrationToken {
        name: body.name,
        uses: body.uses,
        life,
    };
    let (token, secret) = initial_access_token::create(asked.provider(), asked.call(), new).await?;
    let location = format!("{BASE}/registration-tokens/{}", token.id);
    Answer::created(
        location,
        &TokenBody {
            id: token.id.to_string(),
            name: token.name,
            uses_left: token.uses_left,
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.rfc3339(),
            revoked_at: None,
            token: Some(secret.expose().to_owned()),
        },
    )
}

async fn revoke(asked: Asked) -> Result<Answer, Problem> {
    initial_access_token::revoke(asked.provider(), asked.call(), asked.id("id")?).await?;
    Ok(Answer::done())
}
