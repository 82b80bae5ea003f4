//! `/terms`: terms of use in versions; and `/users/{id}/terms`: what somebody has accepted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::people::{Page, get_user};
use crate::flow::terms::{self, NewTerms};
use crate::model::{Acceptance, Id, Terms, TermsText, Timestamp, User};

const READ: &str = "admin:terms.read";
const WRITE: &str = "admin:terms";

const LIST: ListRule = ListRule::plain();

/// What a document says in one language: a text, or where it is read.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TermsTextBody {
    /// What it is called: `Terms of use`.
    #[schemars(required)]
    title: String,
    /// The text: paragraphs with an empty line between, headings after `# `.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Where it is read, https or http, in place of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// A version to publish.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewTermsBody {
    /// What all its versions are called: `terms`, `privacy`.
    #[schemars(required)]
    name: String,
    /// Which one it is: `1`, `2026-11`.
    #[schemars(required)]
    version: String,
    /// From when it counts; at once if absent.
    effective_at: Option<String>,
    /// Names of the groups of whose members it is required; of everyone if absent.
    groups: Vec<String>,
    /// What it says, by language: `en`, `de`, `fr`.
    #[schemars(required)]
    texts: BTreeMap<String, TermsTextBody>,
}

/// A version of terms of use.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Terms")]
struct TermsBody {
    /// The id of this API.
    id: String,
    /// What all its versions are called.
    name: String,
    /// Which one it is.
    version: String,
    /// From when it counts.
    effective_at: String,
    /// Ids of the groups of whose members it is required; of everyone if there is none.
    required_of: Vec<String>,
    /// What it says, by language.
    texts: BTreeMap<String, TermsTextBody>,
    /// When it was published.
    created_at: String,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<String>,
}

/// That somebody has accepted a version.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TermsAcceptance")]
pub(super) struct AcceptanceBody {
    /// The id of the version.
    terms: String,
    /// What it is called.
    name: String,
    /// Which one it is.
    version: String,
    /// When.
    accepted_at: String,
    /// In which language it was read.
    locale: String,
    /// `registration` or `sign_in`.
    occasion: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/terms",
            READ,
            "Lists versions of terms of use, by name.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<TermsBody>>(),
        route(
            Method::Post,
            "/terms",
            WRITE,
            "Publishes a version of terms of use. It does not change any more.",
            handler!(publish),
        )
        .takes::<NewTermsBody>()
        .creates::<TermsBody>(),
        route(
            Method::Get,
            "/terms/{id}",
            READ,
            "Tells of a version of terms of use.",
            handler!(get),
        )
        .gives::<TermsBody>(),
        route(
            Method::Post,
            "/terms/{id}/withdraw",
            WRITE,
            "Takes a version of terms of use back: the one before it counts again.",
            handler!(withdraw),
        ),
        route(
            Method::Get,
            "/users/{id}/terms",
            "admin:users.read",
            "Lists which terms of use a user has accepted, the latest first.",
            handler!(accepted),
        )
        .listed(&LIST)
        .gives::<PageBody<AcceptanceBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = terms::list(asked.provider()).await?;
    // there are few of them
    listed.answer(&asked, Page { items, next: None }, None, TermsBody::of)
}

async fn publish(asked: Asked) -> Result<Answer, Problem> {
    let body: NewTermsBody = asked.read()?;
    let effective_at = match body.effective_at.as_deref() {
        Some(text) => Some(Timestamp::parse(text).ok_or_else(|| {
            Error::field(
                "/effective_at",
                "malformed",
                "expected a time like 2026-11-01T00:00:00Z",
            )
        })?),
        None => None,
    };
    let new = NewTerms {
        name: body.name,
        version: body.version,
        effective_at,
        groups: body.groups,
        texts: body
            .texts
            .into_iter()
            .map(|(locale, text)| (locale, text.into()))
            .collect(),
    };
    let made = terms::publish(asked.provider(), asked.call(), new).await?;
    let location = format!("{BASE}/terms/{}", made.id);
    Answer::created(location, &TermsBody::of(made))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&TermsBody::of(terms::get(asked.provider(), asked.id("id")?).await?))
}

async fn withdraw(asked: Asked) -> Result<Answer, Problem> {
    terms::withdraw(asked.provider(), asked.call(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn accepted(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let user: Id<User> = asked.id("id")?;
    get_user(asked.provider(), user).await?;
    let items = terms::accepted_by(asked.provider(), user).await?;
    listed.answer(&asked, Page { items, next: None }, None, AcceptanceBody::of)
}

impl From<TermsTextBody> for TermsText {
    fn from(body: TermsTextBody) -> Self {
        Self {
            title: body.title,
            text: body.text,
            url: body.url,
        }
    }
}

impl From<TermsText> for TermsTextBody {
    fn from(text: TermsText) -> Self {
        Self {
            title: text.title,
            text: text.text,
            url: text.url,
        }
    }
}

impl TermsBody {
    fn of(terms: Terms) -> Self {
        Self {
            id: terms.id.to_string(),
            name: terms.name,
            version: terms.version,
            effective_at: terms.effective_at.rfc3339(),
            required_of: terms.required_of.iter().map(ToString::to_string).collect(),
            texts: terms
                .texts
                .into_iter()
                .map(|(locale, text)| (locale, text.into()))
                .collect(),
            created_at: terms.created_at.rfc3339(),
            withdrawn_at: terms.withdrawn_at.map(Timestamp::rfc3339),
        }
    }
}

impl AcceptanceBody {
    pub(super) fn of(acceptance: Acceptance) -> Self {
        Self {
            terms: acceptance.terms.to_string(),
            name: acceptance.name,
            version: acceptance.version,
            accepted_at: acceptance.accepted_at.rfc3339(),
            locale: acceptance.locale,
            occasion: acceptance.occasion.to_string(),
        }
    }
}
