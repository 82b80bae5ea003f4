//! `/recovery`: a new password for whoever forgot theirs: as the pages do it, by the same steps, within the same limits, and telling as
//! little.

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::{Method, Permission, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::{Error, people};
use crate::model::Secret;

/// Who forgot their password.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RecoveryWish")]
struct WishBody {
    /// What the person signs in with: username, mail address or telephone number, as far as these sign in.
    #[schemars(required)]
    identifier: String,
}

/// Another password.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RecoveredPassword")]
struct PasswordBody {
    /// The secret of the mailed link.
    #[schemars(required, with = "String")]
    token: Option<Secret>,
    /// The new password.
    #[schemars(required, with = "String")]
    password: Option<Secret>,
}

pub(super) fn table() -> Vec<Route> {
    let open = |path, summary, handler| Route {
        permission: Permission::Open,
        ..Route::new(Method::Post, path, "", summary, handler)
    };
    vec![
        open(
            "/recovery",
            "Has a link to a new password mailed. The answer is the same whoever is named.",
            handler!(ask),
        )
        .takes::<WishBody>(),
        open(
            "/recovery/password",
            "Sets the new password that a mailed link is for, and ends every session of the person.",
            handler!(set),
        )
        .takes::<PasswordBody>(),
    ]
}

async fn ask(asked: Asked) -> Result<Answer, Problem> {
    let body: WishBody = asked.read()?;
    let identifier = body.identifier.trim();
    if identifier.is_empty() {
        return Err(Error::field("/identifier", "required", "expected what the person signs in with").into());
    }
    people::ask_for_recovery(asked.provider(), asked.call(), identifier.to_owned(), None).await?;
    Ok(Answer::done())
}

async fn set(asked: Asked) -> Result<Answer, Problem> {
    let body: PasswordBody = asked.read()?;
    let given = |secret: Option<Secret>| secret.unwrap_or_else(|| Secret::new(""));
    people::recover(asked.provider(), asked.call(), &given(body.token), given(body.password)).await?;
    Ok(Answer::done())
}
