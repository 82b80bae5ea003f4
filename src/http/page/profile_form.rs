//! The fields of somebody's own data, as forms show and send them.

use std::collections::BTreeMap;

use crate::flow::FieldError;
use crate::flow::people::UserChange;
use crate::model::{Address, User};
use crate::view::{Locale, ProfileField, ProfileName, ProfileProblem};

/// The fields of a form, with what is there now. The words are those of the settings.
pub(super) fn fields(user: &User, editable: &[&str], required: &[&str]) -> Vec<ProfileField> {
    let shown = ProfileName::ALL.iter().filter(|name| editable.contains(&word(**name)));
    let fields = shown.map(|name| ProfileField {
        name: *name,
        value: value(user, *name),
        required: *name == ProfileName::Username || required.contains(&word(*name)) && !is_part_of_an_address(*name),
        problem: None,
    });
    fields.collect()
}

/// What was sent in the place of what is there.
pub(super) fn fill(fields: &mut [ProfileField], given: &BTreeMap<String, String>) {
    for field in fields {
        if let Some(text) = given.get(field.name.as_str()) {
            // RFC 7578 section 4.2, and HTML: lines end with both characters in a form
            field.value = text.trim().replace("\r\n", "\n");
        }
    }
}

/// The change that a form asks for.
pub(super) fn change(fields: &[ProfileField], user: &User) -> UserChange {
    let mut change = UserChange::default();
    let mut address = user.profile.address.clone().unwrap_or_default();
    let mut has_address = false;
    for field in fields {
        let text = Some(field.value.clone()).filter(|text| !text.is_empty());
        match field.name {
            ProfileName::Username => change.username = Some(field.value.clone()),
            ProfileName::Name => change.name = Some(text),
            ProfileName::GivenName => change.given_name = Some(text),
            ProfileName::MiddleName => change.middle_name = Some(text),
            ProfileName::FamilyName => change.family_name = Some(text),
            ProfileName::Nickname => change.nickname = Some(text),
            ProfileName::Locale => change.locale = Some(text),
            ProfileName::Zoneinfo => change.zoneinfo = Some(text),
            ProfileName::Birthdate => change.birthdate = Some(text),
            ProfileName::Gender => change.gender = Some(text),
            ProfileName::Profile => change.profile = Some(text),
            ProfileName::Website => change.website = Some(text),
            ProfileName::Company => change.company = Some(text),
            ProfileName::StreetAddress => address.street_address = text,
            ProfileName::PostalCode => address.postal_code = text,
            ProfileName::Locality => address.locality = text,
            ProfileName::Region => address.region = text,
            ProfileName::Country => address.country = text,
        }
        has_address |= is_part_of_an_address(field.name);
    }
    if has_address && user.profile.address.as_ref() != Some(&address) {
        // written out of parts that are not those any more
        address.formatted = None;
        change.address = Some(Some(address).filter(|address| *address != Address::default()));
    }
    change
}

/// Puts each error beside its field.
pub(super) fn mark(fields: &mut [ProfileField], errors: &[FieldError]) {
    for error in errors {
        let pointer = error.pointer.trim_start_matches('/');
        let name = pointer.strip_prefix("address/").unwrap_or(pointer);
        let found = fields
            .iter_mut()
            .find(|field| field.name.as_str() == name || word(field.name) == name);
        if let Some(field) = found {
            field.problem = Some(problem(field.name, error.code));
        }
    }
}

/// The languages there are, by tag and name.
pub(super) fn all_languages() -> Vec<(String, String)> {
    Locale::ALL
        .into_iter()
        .map(|locale| (locale.tag().to_owned(), locale.name().to_owned()))
        .collect()
}

/// The languages there are, and the one that somebody has although it is none of them.
pub(super) fn languages(user: &User) -> Vec<(String, String)> {
    let mut languages: Vec<(String, String)> = all_languages();
    if let Some(own) = &user.profile.locale
        && !languages.iter().any(|(tag, _)| tag == own)
    {
        // "en-US": pages are in English
        let base = Locale::ALL
            .into_iter()
            .find(|locale| own.split(['-', '_']).next() == Some(locale.tag()));
        let name = base.map_or_else(|| own.clone(), |base| format!("{} ({own})", base.name()));
        languages.push((own.clone(), name));
    }
    languages
}

/// What the settings call it.
const fn word(name: ProfileName) -> &'static str {
    match name {
        ProfileName::StreetAddress
        | ProfileName::PostalCode
        | ProfileName::Locality
        | ProfileName::Region
        | ProfileName::Country => "address",
        name => name.as_str(),
    }
}

const fn is_part_of_an_address(name: ProfileName) -> bool {
    matches!(
        name,
        ProfileName::StreetAddress
            | ProfileName::PostalCode
            | ProfileName::Locality
            | ProfileName::Region
            | ProfileName::Country
    )
}

fn value(user: &User, name: ProfileName) -> String {
    let profile = &user.profile;
    let part =
        |part: fn(&Address) -> &Option<String>| profile.address.as_ref().and_then(|address| part(address).clone());
    let text = match name {
        ProfileName::Username => Some(user.username.clone()),
        ProfileName::Name => profile.name.clone(),
        ProfileName::GivenName => profile.given_name.clone(),
        ProfileName::MiddleName => profile.middle_name.clone(),
        ProfileName::FamilyName => profile.family_name.clone(),
        ProfileName::Nickname => profile.nickname.clone(),
        ProfileName::Locale => profile.locale.clone(),
        ProfileName::Zoneinfo => profile.zoneinfo.clone(),
        ProfileName::Birthdate => profile.birthdate.clone(),
        ProfileName::Gender => profile.gender.clone(),
        ProfileName::Profile => profile.profile.clone(),
        ProfileName::Website => profile.website.clone(),
        ProfileName::Company => profile.company.clone(),
        ProfileName::StreetAddress => part(|address| &address.street_address),
        ProfileName::PostalCode => part(|address| &address.postal_code),
        ProfileName::Locality => part(|address| &address.locality),
        ProfileName::Region => part(|address| &address.region),
        ProfileName::Country => part(|address| &address.country),
    };
    text.unwrap_or_default()
}

fn problem(name: ProfileName, code: &str) -> ProfileProblem {
    match (code, name) {
        ("required", _) => ProfileProblem::Required,
        ("too_long", _) => ProfileProblem::TooLong,
        ("taken", _) => ProfileProblem::Taken,
        ("not_editable", _) => ProfileProblem::Fixed,
        (_, ProfileName::Profile | ProfileName::Website) => ProfileProblem::Url,
        (_, ProfileName::Birthdate) => ProfileProblem::Day,
        (_, ProfileName::Zoneinfo) => ProfileProblem::Zone,
        (_, ProfileName::Locale) => ProfileProblem::Language,
        _ => ProfileProblem::Malformed,
    }
}
