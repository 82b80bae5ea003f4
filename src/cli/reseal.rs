//! `keys reseal`: another master key.

use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::flow::operations::reseal::{self, Refusal, Standing};
use crate::flow::{Call, Provider};
use crate::model::Timestamp;

/// What a step printed.
pub(super) enum Step {
    /// How far it is; there is more to do.
    Unfinished(String),
    /// It is done.
    Finished(Output),
}

/// Makes the key's file, and nothing else.
pub(super) async fn prepare(provider: &Provider, call: &Call, json: Json) -> Result<Output, Failure> {
    let prepared = reseal::prepare(provider, call).await?;
    let file = provider.master.path(prepared.id).map(|path| path.display().to_string());
    let value = json!({ "key": prepared.id.to_string(), "file": file, "made": prepared.is_new });
    Ok(Output::either(json.shape(), &value, || {
        let word = if prepared.is_new { "is made" } else { "waits already" };
        let file = file.unwrap_or_default();
        format!(
            "the master key {} {word}: {file}\ncopy that file to the keys folder of every node, and then run `ostiary keys reseal`\n",
            prepared.id
        )
    }))
}

/// Where it stands.
pub(super) async fn check(provider: &Provider, json: Json) -> Result<Output, Failure> {
    let (keys, unnamed) = reseal::list(provider).await?;
    let rows: Vec<Value> = keys.iter().map(row).collect();
    let value = json!({ "keys": rows, "values_without_a_key": unnamed });
    Ok(Output::either(json.shape(), &value, || {
        let Output { mut text, .. } = Output::table(
            super::output::Shape::People,
            &rows,
            &["key", "state", "values", "here", "resealed_at", "removable_at"],
        );
        if unnamed > 0 {
            text.push_str(&format!(
                "{unnamed} value(s) do not say which key they are sealed under\n"
            ));
        }
        text
    }))
}

/// Does a part of it. The embedded store has one node, which makes the key that it needs itself.
pub(super) async fn step(provider: &Provider, call: &Call, json: Json) -> Result<Step, Failure> {
    let stepped = match reseal::step(provider, call).await {
        Err(Refusal::NothingPrepared) if provider.store.is_embedded() => {
            reseal::prepare(provider, call).await?;
            reseal::step(provider, &Call::operator(&provider.clock)).await
        }
        stepped => stepped,
    };
    match stepped? {
        reseal::Step::Unfinished { done, total } if done == total => Ok(Step::Unfinished(
            "everything is sealed anew; waiting until every node has noticed".to_owned(),
        )),
        reseal::Step::Unfinished { done, total } => {
            Ok(Step::Unfinished(format!("{done} of {total} values are sealed anew")))
        }
        reseal::Step::Finished { total } => {
            let (keys, _) = reseal::list(provider).await?;
            let rows: Vec<Value> = keys.iter().map(row).collect();
            let value = json!({ "values": total, "keys": rows });
            Ok(Step::Finished(Output::either(json.shape(), &value, || {
                told(total, &keys)
            })))
        }
    }
}

fn told(total: u64, keys: &[Standing]) -> String {
    let mut text = format!("{total} values are sealed under the current master key\n");
    for key in keys {
        if let Some(at) = key.removable_at.filter(|_| key.is_here) {
            text.push_str(&format!(
                "the older key {} may be removed from every node from {} on; backups of the store from before need it as long as they are kept\n",
                key.record.id,
                at.rfc3339()
            ));
        }
    }
    text
}

fn row(key: &Standing) -> Value {
    json!({
        "key": key.record.id.to_string(),
        "state": key.record.state.as_str(),
        "values": key.values,
        "here": key.is_here,
        "current_at": key.record.current_at.map(Timestamp::rfc3339),
        "resealed_at": key.record.resealed_at.map(Timestamp::rfc3339),
        "removable_at": key.removable_at.map(Timestamp::rfc3339),
    })
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Flow(error) => error.into(),
            other => Self::refused(other.to_string()),
        }
    }
}
