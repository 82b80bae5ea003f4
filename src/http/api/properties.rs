//! `/properties`: what an administrator has defined that is told about people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::people::{self, Page, PropertyCheck};
use crate::model::Property;

const READ: &str = "admin:properties.read";
const WRITE: &str = "admin:properties";

const LIST: ListRule = ListRule {
    filters: &["name"],
    ..ListRule::plain()
};

/// A word to choose.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PropertyChoice")]
struct ChoiceBody {
    /// The value.
    #[schemars(required)]
    value: String,
    /// What people read, by language.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}

/// The bodies of a property have these members in common.
macro_rules! property_bodies {
    ($($(#[doc = $doc:literal])+ $field:ident as $name:literal: $kind:ty;)+) => {
        /// A property to define. A standard field (`given_name`, `company`) takes labels and further validators.
        #[derive(Default, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct NewPropertyBody {
            /// What it is called: up to 60 small letters, digits and underscores, a letter first. It does not change.
            #[schemars(required)]
            name: String,
            $($(#[doc = $doc])+ #[serde(rename = $name, skip_serializing_if = "Option::is_none")] $field: Option<$kind>,)+
        }

        /// A change of a property: what is absent stays, `null` takes a member back to its default.
        #[derive(Default, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct PropertyPatchBody {
            $($(#[doc = $doc])+ #[serde(rename = $name, deserialize_with = "present", skip_serializing_if = "Option::is_none")] $field: Option<Option<$kind>>,)+
        }

        /// A property.
        #[derive(Default, Deserialize, Serialize, JsonSchema)]
        #[serde(default)]
        #[schemars(rename = "Property")]
        struct PropertyBody {
            /// The id of this API.
            id: String,
            /// What it is called.
            name: String,
            /// Whether it extends a standard field.
            built_in: bool,
            /// `ready`; `indexing` while the values of every person are made findable; `clearing` while they are removed, and then the
            /// property.
            state: String,
            /// How many values were found that another has, where there may be one of each: who had it first keeps it, nobody gets it anew.
            doubles: i64,
            $($(#[doc = $doc])+ #[serde(rename = $name, skip_serializing_if = "Option::is_none")] $field: Option<$kind>,)+
            /// When it was defined.
            created_at: String,
            /// When it last changed.
            updated_at: String,
        }
    };
}

property_bodies! {
    /// What kind of value it is: `text`, `number`, `boolean`, `date`, `choice`, `list`, `email`, `phone`, `url`, `json`. It does not change.
    kind as "type": String;
    /// What people read, by language.
    labels as "labels": BTreeMap<String, String>;
    /// Whether it has to be there: the person is asked for it where they may change it, else whoever makes the account has to say it.
    required as "required": bool;
    /// What a new account has where nothing is said.
    default as "default": Value;
    /// Whether no two people may have the same.
    unique as "unique": bool;
    /// Whether people are found by it.
    indexed as "indexed": bool;
    /// The words of a choice, or of a list.
    choices as "choices": Vec<ChoiceBody>;
    /// How many characters a text has at least.
    min_length as "min_length": u32;
    /// How many it has at most.
    max_length as "max_length": u32;
    /// The smallest number, or the first day.
    minimum as "minimum": Value;
    /// The greatest number, or the last day.
    maximum as "maximum": Value;
    /// A regular expression that the whole text has to match; without look-around and references back.
    pattern as "pattern": String;
    /// A law that this program knows: `email`, `phone`, `url`, `card_number`.
    format as "format": String;
    /// What the person may do with their own value: `none`, `read` (unless told), `write`.
    users as "users": String;
    /// What administrators may do with it by this API: `none`, `read`, `write` (unless told).
    administrators as "administrators": String;
    /// Whether it is asked of somebody who makes themselves an account.
    registration as "registration": bool;
    /// The claim that carries it; no application is told without one.
    claim as "claim": String;
    /// The scope that asks for the claim; `profile` unless told.
    scope as "scope": String;
    /// The `client_id` of each client that may be told; every client if absent.
    clients as "clients": Vec<String>;
}

/// What a change would break.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PropertyCheck")]
struct CheckBody {
    /// How many people were looked at, those made first before others; no more than 10000.
    looked_at: usize,
    /// Whether that is everybody.
    complete: bool,
    /// How many have a value that would not be taken any more.
    invalid: usize,
    /// How many have none although it would be required.
    missing: usize,
    /// How many have one that another has, where there would be one of each.
    taken: usize,
    /// Some of them.
    examples: Vec<ExampleBody>,
}

/// Somebody whose value would not be taken.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PropertyCheckExample")]
struct ExampleBody {
    /// The id of the user.
    user: String,
    /// What is wrong.
    code: String,
    /// The same as a sentence.
    detail: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/properties",
            READ,
            "Lists what is defined that is told about people, by name.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<PropertyBody>>(),
        route(
            Method::Post,
            "/properties",
            WRITE,
            "Defines a property of people, or extends a standard field.",
            handler!(define),
        )
        .takes::<NewPropertyBody>()
        .creates::<PropertyBody>(),
        route(
            Method::Get,
            "/properties/{id}",
            READ,
            "Tells of a property.",
            handler!(get),
        )
        .gives::<PropertyBody>(),
        route(
            Method::Patch,
            "/properties/{id}",
            WRITE,
            "Changes a property. Values that do not fit any more stay until they change.",
            handler!(change),
        )
        .takes::<PropertyPatchBody>()
        .gives::<PropertyBody>(),
        route(
            Method::Post,
            "/properties/{id}/check",
            WRITE,
            "Tells whose values a change would break, without changing anything. It takes admin:users.read, too.",
            handler!(check),
        )
        .takes::<PropertyPatchBody>()
        .gives::<CheckBody>(),
        route(
            Method::Delete,
            "/properties/{id}",
            WRITE,
            "Takes a property away: nobody is told its values any more, and they are removed in the background.",
            handler!(delete),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let mut items = people::list_properties(asked.provider()).await?;
    if let Some((_, name)) = &listed.filter {
        items.retain(|property| property.name == *name);
    }
    // there are few of them
    listed.answer(&asked, Page { items, next: None }, None, PropertyBody::of)
}

async fn define(asked: Asked) -> Result<Answer, Problem> {
    let body: NewPropertyBody = asked.read()?;
    let name = body.name.clone();
    let mut members = members(&body);
    members.remove("name");
    let property = people::define_property(asked.provider(), asked.call(), &name, &members).await?;
    let (location, version) = (format!("{BASE}/properties/{}", property.id), property.version);
    Ok(Answer::created(location, &PropertyBody::of(property))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(people::get_property(asked.provider(), asked.id("id")?).await?)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let patch = members(&asked.read::<PropertyPatchBody>()?);
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(people::change_property(asked.provider(), asked.call(), id, expected, &patch).await?)
}

async fn check(asked: Asked) -> Result<Answer, Problem> {
    let patch = members(&asked.read::<PropertyPatchBody>()?);
    let check = people::check_property(asked.provider(), &asked.source(), asked.id("id")?, &patch).await?;
    Answer::of(&CheckBody::of(check))
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    people::remove_property(asked.provider(), asked.call(), id, expected).await?;
    Ok(Answer::done())
}

fn members(body: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(body) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn one(property: Property) -> Result<Answer, Problem> {
    let version = property.version;
    Ok(Answer::of(&PropertyBody::of(property))?.version(version))
}

impl PropertyBody {
    fn of(property: Property) -> Self {
        let members = property.definition.members();
        let told: Self = serde_json::from_value(members.into()).unwrap_or_default();
        Self {
            id: property.id.to_string(),
            built_in: property.is_built_in(),
            name: property.name,
            state: property.state.to_string(),
            doubles: property.doubles,
            created_at: property.created_at.rfc3339(),
            updated_at: property.updated_at.rfc3339(),
            ..told
        }
    }
}

impl CheckBody {
    fn of(check: PropertyCheck) -> Self {
        Self {
            looked_at: check.looked_at,
            complete: check.complete,
            invalid: check.invalid,
            missing: check.missing,
            taken: check.taken,
            examples: check
                .examples
                .into_iter()
                .map(|(user, error)| ExampleBody {
                    user: user.to_string(),
                    code: error.code.to_owned(),
                    detail: error.detail,
                })
                .collect(),
        }
    }
}
