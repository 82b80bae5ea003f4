//! The heading of a file of users: which column says what.

use std::collections::BTreeMap;

use super::user_columns::{ADDRESS, PROPERTY, TEXTS, TOLD};
use crate::model::{ImportOptions, Property};

/// What no other list names.
const OTHERS: &[&str] = &[
    "username",
    "type",
    "status",
    "subject",
    "email_verified",
    "phone_number_verified",
    "groups",
    "primary_group",
    "required_actions",
    "starts_at",
    "expires_at",
    "password_hash",
    "firebase_salt",
];

/// What headings of other systems mean.
const SYNONYMS: &[(&str, &str)] = &[
    ("login", "username"),
    ("user", "username"),
    ("user_name", "username"),
    ("uid", "username"),
    ("mail", "email"),
    ("e_mail", "email"),
    ("email_address", "email"),
    ("first_name", "given_name"),
    ("firstname", "given_name"),
    ("givenname", "given_name"),
    ("last_name", "family_name"),
    ("lastname", "family_name"),
    ("surname", "family_name"),
    ("sn", "family_name"),
    ("cn", "name"),
    ("display_name", "name"),
    ("displayname", "name"),
    ("phone", "phone_number"),
    ("telephone", "phone_number"),
    ("mobile", "phone_number"),
    ("organization", "company"),
    ("organisation", "company"),
    ("language", "locale"),
    ("timezone", "zoneinfo"),
    ("time_zone", "zoneinfo"),
    ("birthday", "birthdate"),
    ("group", "groups"),
    ("userpassword", "password_hash"),
];

/// The fields that a file may have, for a template; properties last.
pub(in crate::flow) fn fields(properties: &[Property]) -> Vec<String> {
    let known = OTHERS.iter().copied().filter(|name| *name != "firebase_salt");
    let known = known.chain(TEXTS.iter().map(|(name, _, _)| *name));
    let known = known.chain(ADDRESS.iter().map(|(name, _, _)| *name));
    let own = properties.iter().filter(|property| property.has_values());
    let own = own.map(|property| format!("{PROPERTY}{}", property.name));
    known.map(str::to_owned).chain(own).collect()
}

/// What each column says; nothing: it is left out.
///
/// # Errors
/// A word and a sentence, of a heading that means nothing, or that two columns mean.
pub(in crate::flow) fn understand(
    cells: &[String],
    options: &ImportOptions,
    properties: &[Property],
) -> Result<Vec<Option<String>>, (&'static str, String)> {
    let plain = |text: &str| text.trim().to_lowercase();
    let said: BTreeMap<String, &Option<String>> = options
        .columns
        .iter()
        .map(|(heading, field)| (plain(heading), field))
        .collect();
    if let Some(absent) = said
        .keys()
        .find(|known| !cells.iter().any(|cell| plain(cell) == **known))
    {
        return Err((
            "no_such_column",
            format!("the file has no column {absent}, which columns names"),
        ));
    }
    let mut fields = Vec::with_capacity(cells.len());
    for cell in cells {
        let field = match said.get(&plain(cell)) {
            Some(None) => None,
            Some(Some(name)) => Some(canonical(name, properties).ok_or_else(|| unknown(name))?),
            None if cell.is_empty() => None,
            None => Some(canonical(cell, properties).ok_or_else(|| unknown(cell))?),
        };
        let field = field.filter(|field| !TOLD.contains(&field.as_str()));
        if let Some(name) = &field
            && fields.contains(&field)
        {
            return Err(("column_twice", format!("two columns say {name}")));
        }
        fields.push(field);
    }
    let has = |name: &str| fields.iter().flatten().any(|field| field == name);
    if !has("username") && !has("email") {
        let detail = "expected a column username, or email, which is the username then";
        return Err(("no_username", detail.to_owned()));
    }
    Ok(fields)
}

fn unknown(heading: &str) -> (&'static str, String) {
    let shown: String = heading.chars().take(60).collect();
    let detail = match canonical_word(heading).as_str() {
        "password" => "passwords are not imported; hashes are, in a column password_hash".to_owned(),
        _ => format!("there is no field {shown:?}: say in columns what it means, or that it is left out"),
    };
    ("unknown_column", detail)
}

fn canonical_word(heading: &str) -> String {
    heading.trim().to_lowercase().replace([' ', '-'], "_")
}

fn canonical(heading: &str, properties: &[Property]) -> Option<String> {
    let heading = heading.trim();
    let own = heading.strip_prefix(PROPERTY).unwrap_or(heading);
    let is_own = |property: &&Property| property.has_values() && property.name == own;
    if let Some(property) = properties.iter().find(is_own) {
        return Some(format!("{PROPERTY}{}", property.name));
    }
    let word = canonical_word(heading);
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word);
    let word = synonym.map_or(word, |(_, meant)| (*meant).to_owned());
    let is_known = OTHERS.contains(&word.as_str())
        || TOLD.contains(&word.as_str())
        || TEXTS.iter().any(|(name, _, _)| *name == word)
        || ADDRESS.iter().any(|(name, _, _)| *name == word);
    is_known.then_some(word)
}
