//! `settings`: what is in force and where it comes from, what was changed, and the way back.

use serde_json::{Value, json};

use super::arguments::Settings;
use super::failure::Failure;
use super::output::{Output, Shape};
use crate::flow::operations::settings::Revision;
use crate::flow::operations::settings::{self, SettingChange};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::Declaration;

pub(super) async fn run(provider: &Provider, call: &Call, command: Settings) -> Result<Output, Failure> {
    match command {
        Settings::Show(json) => {
            let settings = provider.settings().await?;
            let rows: Vec<Value> = settings
                .all()
                .map(|(key, effective)| {
                    json!({
                        "key": key,
                        "value": effective.value.to_json(),
                        "source": effective.source.as_str(),
                        "description": Declaration::find(key).map(|declared| declared.sentence),
                    })
                })
                .collect();
            let columns = ["key", "value", "source", "description"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Settings::History(json) => {
            let revisions = settings::history(provider).await?;
            let rows: Vec<Value> = revisions.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["number", "at", "by", "source", "changed"],
            ))
        }
        Settings::Rollback { number, json } => match settings::roll_back(provider, call, number).await {
            Err(Error::NotFound) => Err(Failure::refused(format!("there is no revision {number}"))),
            changes => changed(json.shape(), &changes?),
        },
    }
}

fn changed(shape: Shape, changes: &[SettingChange]) -> Result<Output, Failure> {
    let value = serde_json::to_value(changes)?;
    Ok(Output::either(shape, &value, || {
        if changes.is_empty() {
            return "nothing to change\n".to_owned();
        }
        let shown = |value: &Option<Value>| value.as_ref().map_or("built in".to_owned(), Value::to_string);
        changes
            .iter()
            .map(|change| {
                format!(
                    "{}: {} -> {}\n",
                    change.key,
                    shown(&change.before),
                    shown(&change.after)
                )
            })
            .collect()
    }))
}

fn row(revision: &Revision) -> Value {
    let mut keys: Vec<&String> = revision.before.keys().chain(revision.after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| revision.before.get(*key) != revision.after.get(*key));
    json!({
        "number": revision.number,
        "at": revision.at.rfc3339(),
        "by": revision.actor_kind,
        "actor_id": revision.actor_id.map(|id| id.to_string()),
        "source": revision.source,
        "changed": keys,
    })
}
