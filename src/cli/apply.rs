//! `apply` and `export`: the installation as a file.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::arguments::{Apply, Export, Format};
use super::failure::Failure;
use super::input;
use super::output::{Output, Shape};
use crate::flow::operations::apply::{self, Document, PruneUsers};
use crate::flow::operations::export::{self as exporting, Secrets};
use crate::flow::{Call, Provider};
use crate::model::Secret;

/// What `apply` reads, as it travels.
#[derive(Deserialize, Serialize)]
struct Input {
    file: Value,
    passphrase: Option<String>,
}

/// Reads the file with everything it refers to, where the command was typed.
pub(super) fn read_input(arguments: &Apply) -> Result<Secret, Failure> {
    let mut file = parse(&arguments.file, &input::file(&arguments.file)?)?;
    follow(&mut file)?;
    let passphrase = match (&arguments.passphrase_file, file.get("sealing")) {
        (_, None) => None,
        (Some(path), Some(_)) => Some(input::secret_file(path)?),
        (None, Some(_)) => Some(input::hidden("passphrase: ")?),
    };
    let input = Input {
        file,
        passphrase: passphrase.map(|passphrase| passphrase.expose().to_owned()),
    };
    Ok(Secret::new(serde_json::to_string(&input)?))
}

/// The passphrase of an export.
pub(super) fn read_passphrase(arguments: &Export) -> Result<Option<Secret>, Failure> {
    match (arguments.with_secrets, &arguments.passphrase_file) {
        (false, _) => Ok(None),
        (true, Some(path)) => input::secret_file(path).map(Some),
        (true, None) => input::new_secret("passphrase of the export").map(Some),
    }
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    arguments: &Apply,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    let input = input.ok_or_else(|| Failure::usage("the file is missing"))?;
    let Input { file, passphrase } = serde_json::from_str(input.expose())?;
    let passphrase = passphrase.map(Secret::new);
    // opening sealed secrets takes a key from Argon2id
    let read = tokio::task::spawn_blocking(move || Document::read(&file, passphrase.as_ref()));
    let document = read.await.map_err(|error| Failure::refused(error.to_string()))??;
    let prune = if arguments.prune_users {
        PruneUsers::Yes
    } else {
        PruneUsers::No
    };
    let difference = if arguments.dry_run {
        apply::difference(provider, call, &document, prune).await?
    } else {
        apply::apply(provider, call, &document, prune).await?
    };
    let mut value = serde_json::to_value(&difference)?;
    if let Value::Object(members) = &mut value {
        members.insert("dry_run".to_owned(), json!(arguments.dry_run));
    }
    Ok(Output::either(arguments.json.shape(), &value, || {
        difference.to_string()
    }))
}

pub(super) async fn export(provider: &Provider, arguments: &Export, input: Option<Secret>) -> Result<Output, Failure> {
    let secrets = match (arguments.with_secrets, input) {
        (false, _) => Secrets::Omitted,
        (true, Some(passphrase)) => Secrets::Sealed(passphrase),
        (true, None) => return Err(Failure::usage("the passphrase is missing")),
    };
    let file = exporting::export(provider, secrets).await?;
    Ok(match (arguments.json.shape(), arguments.format) {
        (Shape::Json, _) | (_, Format::Json) => Output::json(&file),
        (_, Format::Toml) => {
            Output::text(toml::to_string_pretty(&file).map_err(|error| Failure::refused(error.to_string()))?)
        }
        (_, Format::Yaml) => {
            Output::text(serde_norway::to_string(&file).map_err(|error| Failure::refused(error.to_string()))?)
        }
    })
}

/// The file as a value, by its extension.
pub(super) fn parse(path: &Path, text: &str) -> Result<Value, Failure> {
    let refused = |error: String| Failure::refused(format!("{}: {error}", path.display()));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml::from_str(text).map_err(|error| refused(error.to_string())),
        Some("yaml" | "yml") => serde_norway::from_str(text).map_err(|error| refused(error.to_string())),
        Some("json") => serde_json::from_str(text).map_err(|error| refused(error.to_string())),
        // standard input
        None if path == Path::new("-") => serde_json::from_str(text).map_err(|error| refused(error.to_string())),
        _ => Err(Failure::usage(
            "the file's name must end in .json, .toml, .yaml or .yml",
        )),
    }
}

/// The members that may be references.
const SECRETS: [(&str, &str); 3] = [
    ("clients", "client_secret"),
    ("users", "password"),
    ("users", "password_hash"),
];

/// Puts secrets in place of `{"env": NAME}` and `{"file": PATH}`.
fn follow(file: &mut Value) -> Result<(), Failure> {
    for (section, member) in SECRETS {
        let Some(Value::Array(entries)) = file.get_mut(section) else {
            continue;
        };
        for (index, entry) in entries.iter_mut().enumerate() {
            let Some(place) = entry.get_mut(member) else { continue };
            let Value::Object(reference) = &*place else { continue };
            if let Some(found) = resolve(reference, &format!("/{section}/{index}/{member}"))? {
                *place = Value::String(found.expose().to_owned());
            }
        }
    }
    Ok(())
}

fn resolve(reference: &Map<String, Value>, pointer: &str) -> Result<Option<Secret>, Failure> {
    let one = |name: &str| (reference.len() == 1).then(|| reference.get(name)?.as_str()).flatten();
    if let Some(name) = one("env") {
        let found = std::env::var_os(name).and_then(|value| value.into_string().ok());
        return match found.filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(Secret::new(value))),
            None => Err(Failure::refused(format!("{pointer}: the variable {name} is not set"))),
        };
    }
    if let Some(path) = one("file") {
        return input::secret_file(Path::new(path)).map(Some);
    }
    Ok(None)
}
