//! The columns of tables of users: the same in what is exported and in what is imported.

use serde_json::Value;

use crate::model::{Address, Profile, Property, Timestamp, User};

type Get = fn(&Profile) -> Option<&String>;
type Place = fn(&mut Profile) -> &mut Option<String>;

macro_rules! texts {
    ($($name:ident),+) => {
        &[$((stringify!($name), |profile| profile.$name.as_ref(), |profile| &mut profile.$name)),+]
    };
}

/// The texts of a profile, by their claims.
pub(super) const TEXTS: &[(&str, Get, Place)] = texts!(
    name,
    given_name,
    family_name,
    middle_name,
    nickname,
    email,
    phone_number,
    company,
    locale,
    zoneinfo,
    birthdate,
    gender,
    profile,
    picture,
    website
);

type GetLine = fn(&Address) -> Option<&String>;
type PlaceLine = fn(&mut Address) -> &mut Option<String>;

macro_rules! lines {
    ($($name:ident),+) => {
        &[$((concat!("address.", stringify!($name)), |address| address.$name.as_ref(), |address| &mut address.$name)),+]
    };
}

/// The lines of an address.
pub(super) const ADDRESS: &[(&str, GetLine, PlaceLine)] =
    lines!(formatted, street_address, locality, region, postal_code, country);

/// What properties are called.
pub(super) const PROPERTY: &str = "properties.";

/// What is told and never taken.
pub(super) const TOLD: &[&str] = &[
    "id",
    "state",
    "has_password",
    "created_at",
    "updated_at",
    "signed_in_at",
];

/// The columns of an export, those of what was defined beside last.
pub(super) fn exported(properties: &[Property]) -> Vec<String> {
    let plain = ["id", "subject", "username", "type", "status", "state"].into_iter();
    let texts = TEXTS.iter().map(|(name, _, _)| *name);
    let verified = ["email_verified", "phone_number_verified"];
    let address = ADDRESS.iter().map(|(name, _, _)| *name);
    let rest = [
        "groups",
        "primary_group",
        "required_actions",
        "starts_at",
        "expires_at",
        "has_password",
        "created_at",
        "updated_at",
        "signed_in_at",
    ];
    let known = plain.chain(texts).chain(verified).chain(address).chain(rest);
    let own = properties.iter().filter(|property| property.has_values());
    let own = own.map(|property| format!("{PROPERTY}{}", property.name));
    known.map(str::to_owned).chain(own).collect()
}

/// A user with the names of their groups.
#[derive(Clone, Debug)]
pub(super) struct Exported {
    pub(super) user: User,
    pub(super) groups: Vec<String>,
    pub(super) primary_group: Option<String>,
}

impl Exported {
    /// What stands in a column; `seen` are the properties that whoever asks may see.
    pub(super) fn cell(
        &self,
        column: &str,
        seen: &std::collections::BTreeMap<String, Value>,
        now: Timestamp,
    ) -> String {
        let user = &self.user;
        let moment = |at: Option<Timestamp>| at.map_or_else(String::new, Timestamp::rfc3339);
        match column {
            "id" => user.id.to_string(),
            "subject" => user.subject.clone(),
            "username" => user.username.clone(),
            "type" => user.kind.to_string(),
            "status" => user.status.to_string(),
            "state" => user.state(now).to_string(),
            "email_verified" => user.profile.email_verified.to_string(),
            "phone_number_verified" => user.profile.phone_number_verified.to_string(),
            "groups" => listed(self.groups.iter().map(String::as_str)),
            "primary_group" => self.primary_group.clone().unwrap_or_default(),
            "required_actions" => listed(user.required_actions.iter().map(|action| action.as_str())),
            "starts_at" => moment(user.starts_at),
            "expires_at" => moment(user.expires_at),
            "has_password" => user.password.is_some().to_string(),
            "created_at" => user.created_at.rfc3339(),
            "updated_at" => user.updated_at.rfc3339(),
            "signed_in_at" => moment(user.signed_in_at),
            other => self.profile_cell(other, seen),
        }
    }

    fn profile_cell(&self, column: &str, seen: &std::collections::BTreeMap<String, Value>) -> String {
        let profile = &self.user.profile;
        if let Some(name) = column.strip_prefix(PROPERTY) {
            return seen.get(name).map(value_text).unwrap_or_default();
        }
        if let Some((_, get, _)) = TEXTS.iter().find(|(name, _, _)| *name == column) {
            return get(profile).cloned().unwrap_or_default();
        }
        let line = ADDRESS.iter().find(|(name, _, _)| *name == column);
        let (Some((_, get, _)), Some(address)) = (line, &profile.address) else {
            return String::new();
        };
        get(address).cloned().unwrap_or_default()
    }

    /// The same as JSON, with the names of the API.
    pub(super) fn json(&self, seen: std::collections::BTreeMap<String, Value>, now: Timestamp) -> Value {
        let user = &self.user;
        let mut profile = user.profile.clone();
        profile.properties = seen;
        let mut members = crate::model::members_of(&profile);
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        put("id", user.id.to_string().into());
        put("subject", user.subject.clone().into());
        put("username", user.username.clone().into());
        put("type", user.kind.as_str().into());
        put("status", user.status.as_str().into());
        put("state", user.state(now).as_str().into());
        put("groups", self.groups.clone().into());
        put("primary_group", self.primary_group.clone().into());
        put("has_password", user.password.is_some().into());
        put("created_at", user.created_at.rfc3339().into());
        put("updated_at", user.updated_at.rfc3339().into());
        let moments = [
            ("starts_at", user.starts_at),
            ("expires_at", user.expires_at),
            ("signed_in_at", user.signed_in_at),
        ];
        for (name, at) in moments {
            if let Some(at) = at {
                put(name, at.rfc3339().into());
            }
        }
        if !user.required_actions.is_empty() {
            let actions: Vec<&str> = user.required_actions.iter().map(|action| action.as_str()).collect();
            put("required_actions", actions.into());
        }
        Value::Object(members)
    }
}

/// A value as a cell: texts as they are, lists of plain texts with semicolons between, all else as JSON.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => listed(items.iter().filter_map(Value::as_str)),
        other => other.to_string(),
    }
}

/// Several texts in one cell: with semicolons between, or as JSON where one holds a semicolon itself.
pub(super) fn listed<'t>(items: impl Iterator<Item = &'t str>) -> String {
    let items: Vec<&str> = items.collect();
    let is_plain = |item: &&str| !item.contains(';') && !item.starts_with('[') && item.trim() == *item;
    match items.iter().all(is_plain) {
        true => items.join(";"),
        false => serde_json::to_string(&items).unwrap_or_default(),
    }
}

/// The texts of a cell that holds several.
pub(super) fn unlisted(cell: &str) -> Vec<String> {
    if cell.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<String>>(cell)
    {
        return items;
    }
    let items = cell.split(';').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}
