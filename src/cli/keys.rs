//! `keys`: signing keys from a terminal.

use serde_json::{Value, json};

use super::arguments::Keys;
use super::failure::Failure;
use super::input;
use super::output::Output;
use super::reseal;
use crate::flow::operations::keys::{self, Rotation};
use crate::flow::{Call, Provider};
use crate::model::{Secret, SigningKey, Timestamp, setting};

pub(super) fn read_input(command: &Keys) -> Result<Option<Secret>, Failure> {
    match command {
        Keys::Import { file, .. } => input::file(file).map(Secret::new).map(Some),
        Keys::List(_) | Keys::Rotate { .. } | Keys::Reseal { .. } => Ok(None),
    }
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    command: Keys,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    match command {
        Keys::List(json) => {
            let rows: Vec<Value> = keys::list(provider).await?.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["kid", "algorithm", "state", "created_at", "activated_at"],
            ))
        }
        Keys::Rotate { now, compromised } => {
            let ahead = provider.settings().await?.duration(setting::KEY_PUBLISH_AHEAD);
            let (how, told) = match (now, compromised) {
                (_, true) => (
                    Rotation::Emergency,
                    "new keys sign; every token that the old ones signed is refused".to_owned(),
                ),
                (true, false) => (
                    Rotation::AtOnce,
                    "what was announced or imported signs, or else new keys; the old ones stay published until the last token they signed has ended".to_owned(),
                ),
                (false, false) => (
                    Rotation::Announced,
                    format!("new keys are published, and sign in {}", setting::write_duration(ahead)),
                ),
            };
            keys::rotate(provider, call, how).await?;
            Ok(Output::line(told))
        }
        Keys::Reseal {
            prepare: true, json, ..
        } => reseal::prepare(provider, call, json).await,
        Keys::Reseal { json, .. } => reseal::check(provider, json).await,
        Keys::Import { json, .. } => {
            let material = input.ok_or_else(|| Failure::usage("the key is missing"))?;
            let key = keys::import(provider, call, material).await?;
            let ahead = provider.settings().await?.duration(setting::KEY_PUBLISH_AHEAD);
            Ok(Output::either(json.shape(), &row(&key), || {
                format!(
                    "{} ({}) is published, and signs in {} (`ostiary keys rotate --now`: at once)\n",
                    key.kid,
                    key.algorithm.as_str(),
                    setting::write_duration(ahead)
                )
            }))
        }
    }
}

fn row(key: &SigningKey) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm.as_str(),
        "state": key.state.as_str(),
        "created_at": key.created_at.rfc3339(),
        "activated_at": key.activated_at.map(Timestamp::rfc3339),
        "retiring_at": key.retiring_at.map(Timestamp::rfc3339),
        "retired_at": key.retired_at.map(Timestamp::rfc3339),
    })
}
