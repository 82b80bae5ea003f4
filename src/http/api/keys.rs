//! `/keys`: what tokens are signed with. Private halves are never told (SEC-105).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::Error;
use crate::flow::operations::keys::{self, Rotation};
use crate::flow::people::Page;
use crate::model::SigningKey;

const READ: &str = "admin:keys.read";
const WRITE: &str = "admin:keys";

const LIST: ListRule = ListRule::plain();

/// A signing key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SigningKey")]
struct KeyBody {
    /// The id of this API.
    id: String,
    /// Its id in the key set.
    kid: String,
    /// What it signs with.
    algorithm: String,
    /// `next`, `active`, `retiring` or `retired`.
    state: String,
    /// When it was made.
    created_at: String,
    /// When it began to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
    /// When it ceased to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring_at: Option<String>,
    /// When it left the key set.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<String>,
}

/// How keys are rotated.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RotationBody {
    /// `announced` (unless told): new keys are published now and sign when every verifier can know them. `at_once`: they sign
    /// at once. `emergency`: the old keys also leave the key set at once, and with them every token they signed.
    how: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/keys", READ, "Lists signing keys.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<KeyBody>>(),
        route(
            Method::Post,
            "/keys/rotate",
            WRITE,
            "Begins a rotation of every signing key.",
            handler!(rotate),
        )
        .takes::<RotationBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let from = listed.after.clone();
    let keys = keys::list(asked.provider()).await?;
    let items = keys
        .into_iter()
        .skip_while(|key| from.as_ref().is_some_and(|from| key.id.to_string() != *from))
        .skip(usize::from(from.is_some()))
        .collect();
    let page = Page::cut(items, listed.limit, |key: &SigningKey| key.id.to_string());
    listed.answer(&asked, page, None, KeyBody::of)
}

async fn rotate(asked: Asked) -> Result<Answer, Problem> {
    let body: RotationBody = asked.read()?;
    let how = match body.how.as_deref() {
        None | Some("announced") => Rotation::Announced,
        Some("at_once") => Rotation::AtOnce,
        Some("emergency") => Rotation::Emergency,
        Some(_) => {
            let detail = "expected announced, at_once or emergency";
            return Err(Error::field("/how", "unknown", detail).into());
        }
    };
    keys::rotate(asked.provider(), asked.call(), how).await?;
    Ok(Answer::done())
}

impl KeyBody {
    fn of(key: SigningKey) -> Self {
        Self {
            id: key.id.to_string(),
            kid: key.kid,
            algorithm: key.algorithm.to_string(),
            state: key.state.to_string(),
            created_at: key.created_at.rfc3339(),
            activated_at: key.activated_at.map(|at| at.rfc3339()),
            retiring_at: key.retiring_at.map(|at| at.rfc3339()),
            retired_at: key.retired_at.map(|at| at.rfc3339()),
        }
    }
}
