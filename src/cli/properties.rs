//! `properties`: what is told about people beside the standard claims, from a terminal.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::{apply, input};
use crate::flow::people::{self, ChangeSource};
use crate::flow::{Call, Provider};
use crate::model::{Property, Secret};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Properties {
    /// List every property.
    List(Json),
    /// Show a property.
    Show {
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Define a property, or extend a standard field: a file with what an entry of `apply` says.
    Define {
        /// JSON, TOML or YAML; `-` for standard input.
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Change a property: what the file does not name stays, `null` takes a member back to its default.
    Change {
        name: String,
        /// JSON, TOML or YAML; `-` for standard input.
        file: PathBuf,
        /// Only tell whose values that would break.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Take a property away, with its values.
    Delete { name: String },
}

/// Reads the file where the command was typed.
pub(super) fn read_input(command: &Properties) -> Result<Option<Secret>, Failure> {
    match command {
        Properties::Define { file, .. } | Properties::Change { file, .. } => {
            let read = apply::parse(file, &input::file(file)?)?;
            Ok(Some(Secret::new(read.to_string())))
        }
        Properties::List(_) | Properties::Show { .. } | Properties::Delete { .. } => Ok(None),
    }
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    command: Properties,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    match command {
        Properties::List(json) => {
            let rows: Vec<Value> = people::list_properties(provider).await?.iter().map(row).collect();
            let columns = ["name", "type", "required", "unique", "indexed", "claim", "state"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Properties::Show { name, json } => {
            let property = find(provider, &name).await?;
            Ok(Output::thing(json.shape(), &row(&property)))
        }
        Properties::Define { json, .. } => {
            let mut members = read(input)?;
            let Some(Value::String(name)) = members.remove("name") else {
                return Err(Failure::refused(
                    "the file does not say the name of the property".to_owned(),
                ));
            };
            let property = people::define_property(provider, call, &name, &members).await?;
            Ok(Output::either(json.shape(), &row(&property), || {
                format!("{name} is defined\n")
            }))
        }
        Properties::Change {
            name,
            dry_run: true,
            json,
            ..
        } => {
            let property = find(provider, &name).await?;
            let check = people::check_property(provider, &ChangeSource::Command, property.id, &read(input)?).await?;
            let examples = check
                .examples
                .iter()
                .map(|(user, error)| json!({"user": user.to_string(), "code": error.code, "detail": error.detail}));
            let shown = json!({
                "looked_at": check.looked_at,
                "complete": check.complete,
                "invalid": check.invalid,
                "missing": check.missing,
                "taken": check.taken,
                "examples": examples.collect::<Vec<_>>(),
            });
            Ok(Output::thing(json.shape(), &shown))
        }
        Properties::Change { name, json, .. } => {
            let property = find(provider, &name).await?;
            let changed = people::change_property(provider, call, property.id, None, &read(input)?).await?;
            Ok(Output::either(json.shape(), &row(&changed), || {
                format!("{name} is changed\n")
            }))
        }
        Properties::Delete { name } => {
            let property = find(provider, &name).await?;
            people::remove_property(provider, call, property.id, None).await?;
            Ok(Output::line(format!("{name} is taken away, and its values with it")))
        }
    }
}

async fn find(provider: &Provider, name: &str) -> Result<Property, Failure> {
    let all = people::list_properties(provider).await?;
    let found = all.into_iter().find(|property| property.name == name);
    found.ok_or_else(|| Failure::refused(format!("there is no property {name}")))
}

fn read(input: Option<Secret>) -> Result<Map<String, Value>, Failure> {
    let input = input.ok_or_else(|| Failure::usage("the file is missing"))?;
    Ok(serde_json::from_str(input.expose())?)
}

fn row(property: &Property) -> Value {
    let mut members = property.definition.members();
    members.insert("id".to_owned(), property.id.to_string().into());
    members.insert("name".to_owned(), property.name.clone().into());
    members.insert("state".to_owned(), property.state.as_str().into());
    Value::Object(members)
}
