//! A row of a file of users, read: what it says about whom, as the one who is made or as the change of the one who is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::user_columns::{ADDRESS, PROPERTY, TEXTS, unlisted};
use super::{NewPassword, NewUser, UserChange};
use crate::credential::{self, FirebaseParameters};
use crate::flow::FieldError;
use crate::model::{
    ImportOptions, PasswordHash, Profile, Property, PropertyType, RequiredAction, Timestamp, UnknownName, User,
    UserKind, UserStatus,
};

/// A cell is no text of more characters.
const LONGEST_HASH: usize = 4_096;

/// Whom a row makes. Kept as JSON until they are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::flow) struct ImportedUser {
    pub(super) username: String,
    pub(super) kind: UserKind,
    pub(super) status: UserStatus,
    pub(super) subject: Option<String>,
    pub(super) profile: Profile,
    pub(super) hash: Option<String>,
    pub(super) required_actions: Vec<RequiredAction>,
    pub(super) starts_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) groups: Vec<String>,
    pub(super) primary_group: Option<String>,
}

/// How a row changes somebody. Kept as JSON until they are changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::flow) struct ImportedChange {
    pub(super) change: UserChange,
    pub(super) groups: Vec<String>,
}

/// What a row says: its cells that are not empty, by their fields.
pub(super) struct Said<'r> {
    cells: BTreeMap<&'r str, &'r str>,
}

fn wrong(field: &str, code: &'static str, detail: impl Into<String>) -> FieldError {
    FieldError {
        pointer: format!("/{field}"),
        code,
        detail: detail.into(),
    }
}

impl<'r> Said<'r> {
    pub(super) fn of(heading: &'r [Option<String>], row: &'r [String]) -> Self {
        let cells = heading.iter().zip(row).filter_map(|(field, cell)| {
            let field = field.as_deref()?;
            (!cell.is_empty()).then_some((field, cell.as_str()))
        });
        Self { cells: cells.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    fn get(&self, field: &str) -> Option<&'r str> {
        self.cells.get(field).copied()
    }

    /// The username; the mail address where there is none.
    pub(super) fn username(&self) -> Option<&'r str> {
        self.get("username").or_else(|| self.get("email"))
    }

    pub(super) fn email(&self) -> Option<&'r str> {
        self.get("email")
    }

    pub(super) fn groups(&self, options: &ImportOptions) -> Vec<String> {
        let own = self.get("groups").map(unlisted).unwrap_or_default();
        let mut groups: Vec<String> = Vec::new();
        for name in own.into_iter().chain(options.groups.iter().cloned()) {
            if !groups.contains(&name) {
                groups.push(name);
            }
        }
        groups
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, FieldError> {
        match self.get(field).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "yes" | "1") => Ok(Some(true)),
            Some("false" | "no" | "0") => Ok(Some(false)),
            Some(_) => Err(wrong(field, "type", "expected true or false")),
        }
    }

    fn word<T: std::str::FromStr<Err = UnknownName>>(&self, field: &str) -> Result<Option<T>, FieldError> {
        let read = |word: &str| {
            word.parse()
                .map_err(|error: UnknownName| wrong(field, "unsupported", error.to_string()))
        };
        self.get(field).map(read).transpose()
    }

    fn moment(&self, field: &str) -> Result<Option<Timestamp>, FieldError> {
        let read = |text: &str| {
            let whole = match text.len() {
                10 => format!("{text}T00:00:00Z"),
                _ => text.replacen(' ', "T", 1),
            };
            let detail = "expected a moment like 2027-01-31T17:00:00Z, or a day";
            Timestamp::parse(&whole).ok_or_else(|| wrong(field, "malformed", detail))
        };
        self.get(field).map(read).transpose()
    }

    fn actions(&self) -> Result<Option<Vec<RequiredAction>>, FieldError> {
        let field = "required_actions";
        let Some(cell) = self.get(field) else { return Ok(None) };
        let read = unlisted(cell).into_iter().map(|word| {
            let unknown = |error: UnknownName| wrong(field, "unsupported", error.to_string());
            word.parse().map_err(unknown)
        });
        read.collect::<Result<Vec<_>, _>>().map(Some)
    }

    fn properties(&self, properties: &[Property]) -> Result<BTreeMap<String, Value>, FieldError> {
        let mut values = BTreeMap::new();
        for property in properties.iter().filter(|property| property.has_values()) {
            let field = format!("{PROPERTY}{}", property.name);
            if let Some(cell) = self.get(&field) {
                values.insert(property.name.clone(), value_of(property, &field, cell)?);
            }
        }
        Ok(values)
    }

    fn hash(&self, firebase: Option<&FirebaseParameters>) -> Result<Option<String>, FieldError> {
        let field = "password_hash";
        let Some(cell) = self.get(field) else { return Ok(None) };
        let brought = match (self.get("firebase_salt"), firebase) {
            _ if cell.len() > LONGEST_HASH => Err(credential::Error::Malformed),
            (Some(salt), Some(firebase)) => credential::bring_firebase_hash(cell, salt, firebase),
            (Some(_), None) => {
                let detail = "hashes of Firebase need the project's parameters: say firebase with the import";
                return Err(wrong("firebase_salt", "required", detail));
            }
            (None, _) => credential::bring_hash(cell),
        };
        let detail = "expected a password hash of a known kind (Argon2, bcrypt, scrypt, PBKDF2, SHA-crypt, salted SHA of a directory), within this server's bounds";
        brought
            .map(|hash| Some(hash.expose().to_owned()))
            .map_err(|_| wrong(field, "unsupported", detail))
    }

    fn profile(&self, properties: &[Property]) -> Result<Profile, FieldError> {
        let mut profile = Profile::default();
        for (name, _, place) in TEXTS {
            *place(&mut profile) = self.get(name).map(str::to_owned);
        }
        profile.phone_number = profile
            .phone_number
            .map(|number| super::fields::typed_phone_number(&number));
        for (name, _, place) in ADDRESS {
            if let Some(line) = self.get(name) {
                *place(profile.address.get_or_insert_default()) = Some(line.to_owned());
            }
        }
        profile.email_verified = self.flag("email_verified")?.unwrap_or(false);
        profile.phone_number_verified = self.flag("phone_number_verified")?.unwrap_or(false);
        profile.properties = self.properties(properties)?;
        Ok(profile)
    }

    /// The one whom it makes.
    pub(super) fn user(
        &self,
        options: &ImportOptions,
        properties: &[Property],
        firebase: Option<&FirebaseParameters>,
    ) -> Result<ImportedUser, FieldError> {
        let usual = match options.invite {
            true => UserStatus::Invited,
            false => UserStatus::Active,
        };
        let username = self.username().unwrap_or_default().to_owned();
        let kind = self.word("type")?.unwrap_or(UserKind::Default);
        if kind == UserKind::Server {
            return Err(wrong("type", "unsupported", "servers are not imported"));
        }
        // what an export says of people of whom the person alone may say it
        let status = match self.word("status")?.unwrap_or(usual) {
            status @ (UserStatus::Active | UserStatus::Inactive | UserStatus::Invited) => status,
            UserStatus::Locked | UserStatus::Leaving | UserStatus::Deleted => UserStatus::Inactive,
        };
        Ok(ImportedUser {
            username,
            kind,
            status,
            subject: self.get("subject").map(str::to_owned),
            profile: self.profile(properties)?,
            hash: self.hash(firebase)?,
            required_actions: self.actions()?.unwrap_or_default(),
            starts_at: self.moment("starts_at")?,
            expires_at: self.moment("expires_at")?,
            groups: self.groups(options),
            primary_group: self.get("primary_group").map(str::to_owned),
        })
    }

    /// How it changes somebody: what it does not say stays, and so do password, status and subject.
    pub(super) fn change(
        &self,
        user: &User,
        options: &ImportOptions,
        properties: &[Property],
    ) -> Result<ImportedChange, FieldError> {
        let said = self.profile(properties)?;
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(username) = self.get("username") {
            put("username", username.into());
        }
        for (name, get, _) in TEXTS {
            if let Some(text) = get(&said) {
                put(name, text.clone().into());
            }
        }
        for name in ["email_verified", "phone_number_verified"] {
            if let Some(flag) = self.flag(name)? {
                put(name, flag.into());
            }
        }
        if let Some(new) = &said.address {
            let mut address = user.profile.address.clone().unwrap_or_default();
            let mut new = new.clone();
            for (_, _, place) in ADDRESS {
                if let Some(line) = place(&mut new).take() {
                    *place(&mut address) = Some(line);
                }
            }
            put("address", json!(address));
        }
        if !said.properties.is_empty() {
            put("properties", json!({"patch": said.properties}));
        }
        if let Some(kind) = self.word::<UserKind>("type")? {
            put("kind", json!(kind));
        }
        if let Some(actions) = self.actions()? {
            put("required_actions", json!(actions));
        }
        for name in ["starts_at", "expires_at"] {
            if let Some(at) = self.moment(name)? {
                put(name, json!(at));
            }
        }
        let change = serde_json::from_value(Value::Object(members));
        Ok(ImportedChange {
            change: change.map_err(|error| wrong("", "malformed", error.to_string()))?,
            groups: self.groups(options),
        })
    }
}

impl ImportedUser {
    /// The same as one who is made by themselves.
    pub(super) fn as_new(&self) -> NewUser {
        let mut new = NewUser::named(self.username.clone());
        new.kind = self.kind;
        new.status = self.status;
        new.profile = self.profile.clone();
        new.subject = self.subject.clone();
        new.starts_at = self.starts_at;
        new.expires_at = self.expires_at;
        new.groups = self.groups.clone();
        new.primary_group = self.primary_group.clone();
        new.required_actions = self.required_actions.clone();
        if let Some(hash) = &self.hash {
            new.password = NewPassword::Hash(PasswordHash::new(hash.clone()));
        }
        new
    }
}

/// What a cell says of a property.
fn value_of(property: &Property, field: &str, cell: &str) -> Result<Value, FieldError> {
    let json = || serde_json::from_str::<Value>(cell).ok();
    match property.definition.kind {
        PropertyType::Number => json()
            .filter(Value::is_number)
            .ok_or_else(|| wrong(field, "type", "expected a number")),
        PropertyType::Boolean => match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true.into()),
            "false" | "no" | "0" => Ok(false.into()),
            _ => Err(wrong(field, "type", "expected true or false")),
        },
        PropertyType::List => Ok(json!(unlisted(cell))),
        PropertyType::Json => json().ok_or_else(|| wrong(field, "type", "expected JSON")),
        _ => Ok(cell.into()),
    }
}
