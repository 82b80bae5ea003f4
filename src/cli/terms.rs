//! `terms`: terms of use from a terminal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::{apply, input, users};
use crate::flow::terms::{self, NewTerms};
use crate::flow::{Call, Provider};
use crate::model::{self, Acceptance, Secret, TermsText, Timestamp};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Terms {
    /// List every version.
    List(Json),
    /// Publish a version: a file with what an entry of `apply` says. It does not change any more.
    Publish {
        /// JSON, TOML or YAML; `-` for standard input.
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Take a version back: the one before it counts again.
    Withdraw {
        /// What all its versions are called.
        name: String,
        /// Which one it is.
        version: String,
    },
    /// What somebody has accepted, and when.
    Accepted {
        /// Username or mail address.
        user: String,
        #[command(flatten)]
        json: Json,
    },
}

/// A version as a file has it: an entry of `apply`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: String,
    effective_at: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    texts: BTreeMap<String, TermsText>,
}

/// Reads the file where the command was typed.
pub(super) fn read_input(command: &Terms) -> Result<Option<Secret>, Failure> {
    match command {
        Terms::Publish { file, .. } => {
            let read = apply::parse(file, &input::file(file)?)?;
            Ok(Some(Secret::new(read.to_string())))
        }
        Terms::List(_) | Terms::Withdraw { .. } | Terms::Accepted { .. } => Ok(None),
    }
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    command: Terms,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    match command {
        Terms::List(json) => {
            let rows: Vec<Value> = terms::list(provider).await?.iter().map(row).collect();
            let columns = [
                "name",
                "version",
                "effective_at",
                "withdrawn_at",
                "languages",
                "required_of",
            ];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Terms::Publish { json, .. } => {
            let input = input.ok_or_else(|| Failure::usage("the file is missing"))?;
            let made = terms::publish(provider, call, read(&input)?).await?;
            Ok(Output::either(json.shape(), &row(&made), || {
                let model::Terms { name, version, .. } = &made;
                format!("{name} {version} counts from {}\n", made.effective_at.rfc3339())
            }))
        }
        Terms::Withdraw { name, version } => {
            let all = terms::list(provider).await?;
            let meant = all
                .iter()
                .find(|terms| terms.name.eq_ignore_ascii_case(&name) && terms.version == version);
            let meant = meant.ok_or_else(|| Failure::refused(format!("there is no {name} {version}")))?;
            terms::withdraw(provider, call, meant.id).await?;
            Ok(Output::line(format!("{name} {version} is taken back")))
        }
        Terms::Accepted { user, json } => {
            let user = users::find(provider, &user).await?;
            let accepted = terms::accepted_by(provider, user.id).await?;
            let rows: Vec<Value> = accepted.iter().map(acceptance).collect();
            let columns = ["name", "version", "accepted_at", "locale", "occasion"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
    }
}

fn read(input: &Secret) -> Result<NewTerms, Failure> {
    let file: File = serde_json::from_str(input.expose())?;
    let effective_at =
        match file.effective_at.as_deref() {
            Some(text) => Some(Timestamp::parse(text).ok_or_else(|| {
                Failure::refused(format!("effective_at: {text} is no time like 2026-11-01T00:00:00Z"))
            })?),
            None => None,
        };
    Ok(NewTerms {
        name: file.name,
        version: file.version,
        effective_at,
        groups: file.groups,
        texts: file.texts,
    })
}

fn row(terms: &model::Terms) -> Value {
    json!({
        "id": terms.id.to_string(),
        "name": terms.name,
        "version": terms.version,
        "effective_at": terms.effective_at.rfc3339(),
        "withdrawn_at": terms.withdrawn_at.map(Timestamp::rfc3339),
        "languages": terms.texts.keys().cloned().collect::<Vec<_>>().join(", "),
        "required_of": if terms.required_of.is_empty() {
            "everyone".to_owned()
        } else {
            terms.required_of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        },
    })
}

fn acceptance(acceptance: &Acceptance) -> Value {
    json!({
        "name": acceptance.name,
        "version": acceptance.version,
        "accepted_at": acceptance.accepted_at.rfc3339(),
        "locale": acceptance.locale,
        "occasion": acceptance.occasion.as_str(),
    })
}
