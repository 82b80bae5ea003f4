//! The values found, file below environment, each with the place it came from; readers take them out one by one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Value;

use super::keys::{self, SETTINGS};
use super::nearest::{nearest, nearest_section};
use super::problem::{Origin, Problem, Problems, Reason};

/// A configuration file's name and text.
#[derive(Clone, Debug)]
pub struct File {
    /// As it is named in sentences.
    pub name: String,
    /// TOML.
    pub text: String,
}

impl File {
    /// Reads it from disk.
    ///
    /// # Errors
    /// [`Problem::Unreadable`]
    pub fn open(path: &Path) -> Result<Self, Problem> {
        Ok(Self {
            name: path.display().to_string(),
            text: contents(path)?,
        })
    }
}

struct Entry {
    value: Value,
    origin: Origin,
}

/// The values by path, and what was found wrong so far.
pub(super) struct Entries {
    found: BTreeMap<String, Entry>,
    settings: serde_json::Map<String, serde_json::Value>,
    problems: Vec<Problem>,
}

/// Those variables of the environment that are ours.
pub(super) fn variables<I, K, V>(environment: I) -> Result<BTreeMap<String, String>, Problems>
where
    I: IntoIterator<Item = (K, V)>,
    K: Into<OsString>,
    V: Into<OsString>,
{
    let mut ours = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in environment {
        let Ok(name) = name.into().into_string() else { continue };
        if !name.starts_with("OSTIARY_") || name.starts_with("OSTIARY_TEST_") {
            continue;
        }
        match value.into().into_string() {
            Ok(value) => drop(ours.insert(name, value)),
            Err(_) => problems.push(Problem::NotText { variable: name }),
        }
    }
    if problems.is_empty() {
        Ok(ours)
    } else {
        Err(Problems(problems))
    }
}

impl Entries {
    pub(super) fn new(file: Option<File>, variables: BTreeMap<String, String>) -> Result<Self, Problems> {
        let mut entries = Self {
            found: BTreeMap::new(),
            settings: serde_json::Map::new(),
            problems: Vec::new(),
        };
        if let Some(file) = file {
            entries.add_file(&file)?;
        }
        entries.add_variables(variables);
        Ok(entries)
    }

    /// Takes a key's value; none when it is not there or does not do, which is then noted.
    pub(super) fn take<T>(&mut self, path: &str, parse: impl FnOnce(&Value) -> Result<T, Reason>) -> Option<T> {
        let Entry { value, origin } = self.found.remove(path)?;
        let empty = matches!(&value, Value::String(text) if text.trim().is_empty());
        match if empty { Err(Reason::Empty) } else { parse(&value) } {
            Ok(parsed) => Some(parsed),
            Err(reason) => {
                self.problems.push(Problem::Refused { origin, reason });
                None
            }
        }
    }

    /// Notes what a reader found wrong between keys.
    pub(super) fn note(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    /// Of these pairs, those whose first key is there without its second: before either is taken.
    pub(super) fn lonely(&self, pairs: &[(&'static str, &'static str)]) -> Vec<Problem> {
        let lonely = |(present, missing): &&(&str, &str)| self.has(present) && !self.has(missing);
        let pairs = pairs.iter().filter(lonely);
        pairs
            .map(|&(present, missing)| Problem::Lonely { present, missing })
            .collect()
    }

    /// The text that stands under a key, before it is taken.
    pub(super) fn word(&self, path: &str) -> Option<&str> {
        self.found.get(path).and_then(|entry| entry.value.as_str())
    }

    /// Whether something stands under the key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.found.contains_key(path)
    }

    /// Where a key's value stands.
    pub(super) fn origin(&self, path: &str) -> Origin {
        self.found
            .get(path)
            .map_or_else(|| Origin::Variable(keys::variable(path)), |entry| entry.origin.clone())
    }

    pub(super) fn settings(&mut self) -> serde_json::Map<String, serde_json::Value> {
        std::mem::take(&mut self.settings)
    }

    pub(super) fn finish<T>(self, whole: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(whole)
        } else {
            Err(Problems(self.problems))
        }
    }

    fn add_file(&mut self, file: &File) -> Result<(), Problem> {
        let table = file.text.parse::<toml::Table>().map_err(|error| {
            let before = error
                .span()
                .and_then(|span| file.text.get(..span.start))
                .unwrap_or_default();
            Problem::NotToml {
                name: file.name.clone(),
                line: before.matches('\n').count() + 1,
                message: error.message().to_owned(),
            }
        })?;
        for (name, value) in table {
            match value {
                Value::Table(settings) if name == SETTINGS => {
                    self.settings = settings.into_iter().map(|(name, value)| (name, json(value))).collect();
                }
                Value::Table(section) if section.is_empty() => self.add_from_file(file, name, None),
                Value::Table(section) => {
                    for (key, value) in section {
                        self.add_from_file(file, format!("{name}.{key}"), Some(value));
                    }
                }
                value => self.add_from_file(file, name, Some(value)),
            }
        }
        Ok(())
    }

    /// `value` is none for an empty section, which says nothing but may be misspelt.
    fn add_from_file(&mut self, file: &File, path: String, value: Option<Value>) {
        let origin = Origin::File {
            name: file.name.clone(),
            path: path.clone(),
        };
        match value {
            Some(value) if keys::known(&path) => drop(self.found.insert(path, Entry { value, origin })),
            Some(_) if keys::section(&path) => self.problems.push(Problem::Section { origin }),
            Some(_) => self.problems.push(Problem::Unknown {
                nearest: nearest(&path).to_owned(),
                origin,
            }),
            None if keys::section(&path) => {}
            None if keys::known(&path) => self.problems.push(Problem::Refused {
                origin,
                reason: Reason::Text,
            }),
            None => self.problems.push(Problem::Unknown {
                nearest: nearest_section(&path).to_owned(),
                origin,
            }),
        }
    }

    fn add_variables(&mut self, variables: BTreeMap<String, String>) {
        for (name, value) in &variables {
            let path = path_of(name);
            if name == "OSTIARY_CONFIG" {
                continue;
            }
            if let Some(setting) = path.strip_prefix("settings.") {
                place(&mut self.settings, setting, value);
                continue;
            }
            if readable(&path) {
                self.add_variable(path, value.clone(), name);
                continue;
            }
            let Some(plain) = path.strip_suffix("_file").filter(|plain| readable(plain)) else {
                self.problems.push(unknown_variable(name, &path));
                continue;
            };
            let variable = keys::variable(plain);
            if variables.contains_key(&variable) {
                self.problems.push(Problem::Twice { variable });
                continue;
            }
            match contents(Path::new(value)) {
                Ok(text) => self.add_variable(plain.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned(), name),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn add_variable(&mut self, path: String, value: String, name: &str) {
        let origin = Origin::Variable(name.to_owned());
        self.found.insert(
            path,
            Entry {
                value: Value::String(value),
                origin,
            },
        );
    }
}

/// A text as it is.
pub(super) fn text(value: &Value) -> Result<String, Reason> {
    value.as_str().map(str::to_owned).ok_or(Reason::Text)
}

/// A path; relative ones start in the working directory.
pub(super) fn path(value: &Value) -> Result<PathBuf, Reason> {
    text(value).map(PathBuf::from)
}

/// A whole number within bounds, both included. The environment gives it as text.
pub(super) fn number<const LEAST: u64, const GREATEST: u64>(value: &Value) -> Result<u64, Reason> {
    let number = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number
        .filter(|number| (LEAST..=GREATEST).contains(number))
        .ok_or(Reason::Number(LEAST, GREATEST))
}

/// Several texts: a list, or one text with commas or blanks.
pub(super) fn list(value: &Value) -> Result<Vec<String>, Reason> {
    match value {
        Value::Array(items) => items.iter().map(|item| text(item).map_err(|_| Reason::List)).collect(),
        Value::String(text) => Ok(text
            .split([',', ' '])
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()),
        _ => Err(Reason::List),
    }
}

fn readable(path: &str) -> bool {
    keys::known(path) || path == keys::MIGRATION_DATABASE_URL
}

fn path_of(variable: &str) -> String {
    variable
        .strip_prefix("OSTIARY_")
        .unwrap_or(variable)
        .to_lowercase()
        .replace("__", ".")
}

fn unknown_variable(name: &str, path: &str) -> Problem {
    let origin = Origin::Variable(name.to_owned());
    if keys::section(path) {
        return Problem::Section { origin };
    }
    let plain = path.strip_suffix("_file").unwrap_or(path);
    Problem::Unknown {
        nearest: keys::variable(nearest(plain)),
        origin,
    }
}

fn contents(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| Problem::Unreadable {
        path: path.to_path_buf(),
        error,
    })
}

/// Puts a setting of the environment at its place: `session.idle_timeout` into the object `session`. What reads as JSON
/// is JSON (`5`, `true`, `["a"]`), everything else text.
fn place(settings: &mut serde_json::Map<String, serde_json::Value>, path: &str, value: &str) {
    let parsed = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
    let Some((first, rest)) = path.split_once('.') else {
        settings.insert(path.to_owned(), parsed);
        return;
    };
    let inner = settings
        .entry(first)
        .or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
    if !inner.is_object() {
        *inner = serde_json::Value::Object(serde_json::Map::new());
    }
    if let Some(inner) = inner.as_object_mut() {
        place(inner, rest, value);
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Datetime(moment) => moment.to_string().into(),
        Value::Array(items) => items.into_iter().map(json).collect(),
        Value::Table(table) => table.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}
