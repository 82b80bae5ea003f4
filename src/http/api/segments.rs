//! `/segments`: what was asked about people, under a name: everybody's, or a view of one's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Page;
use crate::flow::people::{self, SegmentChange};
use crate::model::{Segment, User};

const READ: &str = "admin:segments.read";
const WRITE: &str = "admin:segments";

const LIST: ListRule = ListRule::plain();

const MEMBERS: ListRule = ListRule {
    sorts: &[],
    filters: &[],
    words: Words::Refused,
    count: Count::IfAsked,
};

/// A segment, or a change of one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SegmentPatch {
    /// What it is called: up to 60 characters, unique.
    name: Option<String>,
    /// What it is for.
    #[serde(deserialize_with = "present")]
    description: Option<Option<String>>,
    /// Whether it is everybody's who may see segments; otherwise it is a view of the caller's own.
    shared: Option<bool>,
    /// Words, as the list of users takes them.
    #[serde(deserialize_with = "present")]
    q: Option<Option<String>>,
    /// A filter, as the list of users takes it.
    #[serde(deserialize_with = "present")]
    filter: Option<Option<String>>,
    /// By what they are sorted, up to five fields, `-` before what goes the other way round.
    sort: Option<Vec<String>>,
    /// Whether those that were deactivated are in it although it asks for no status.
    inactive: Option<bool>,
}

/// What was asked about people, under a name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Segment")]
struct SegmentBody {
    /// The id of this API.
    id: String,
    /// What it is called.
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Whether it is everybody's, and not the caller's alone.
    shared: bool,
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    /// A filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    /// By what they are sorted.
    sort: Vec<String>,
    /// Whether those that were deactivated are in it although it asks for no status.
    inactive: bool,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

/// Somebody in a segment: who they are, and where they are reached.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SegmentMember")]
struct MemberBody {
    /// The id of this API.
    id: String,
    /// What clients know the person by.
    subject: String,
    /// What the person signs in with.
    username: String,
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether that was shown to be theirs.
    email_verified: bool,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    /// Whether that was shown to be theirs.
    phone_number_verified: bool,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    zoneinfo: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/segments",
            READ,
            "Lists segments: everybody's and the caller's own, by name.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<SegmentBody>>(),
        route(
            Method::Post,
            "/segments",
            WRITE,
            "Saves a question about people under a name; it takes `admin:users.read` too.",
            handler!(create),
        )
        .takes::<SegmentPatch>()
        .creates::<SegmentBody>(),
        route(
            Method::Get,
            "/segments/{id}",
            READ,
            "Tells of a segment.",
            handler!(get),
        )
        .gives::<SegmentBody>(),
        route(
            Method::Patch,
            "/segments/{id}",
            WRITE,
            "Changes a segment; it takes `admin:users.read` too.",
            handler!(change),
        )
        .takes::<SegmentPatch>()
        .gives::<SegmentBody>(),
        route(
            Method::Delete,
            "/segments/{id}",
            WRITE,
            "Deletes a segment; nobody who is in it is touched.",
            handler!(delete),
        ),
        route(
            Method::Get,
            "/segments/{id}/users",
            READ,
            "Lists who is in a segment now, with where they are reached.",
            handler!(members),
        )
        .listed(&MEMBERS)
        .gives::<PageBody<MemberBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_segments(asked.provider(), asked.call()).await?;
    let page = Page { items, next: None };
    listed.answer(&asked, page, None, SegmentBody::of)
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let new = asked.read::<SegmentPatch>()?.into_change();
    let segment = people::create_segment(asked.provider(), asked.call(), &asked.source(), new).await?;
    let (location, version) = (format!("{BASE}/segments/{}", segment.id), segment.version);
    Ok(Answer::created(location, &SegmentBody::of(segment))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(people::get_segment(asked.provider(), asked.call(), asked.id("id")?).await?)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let change = asked.read::<SegmentPatch>()?.into_change();
    let target = (asked.id("id")?, asked.expected()?);
    one(people::change_segment(asked.provider(), asked.call(), &asked.source(), target, change).await?)
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let target = (asked.id("id")?, asked.expected()?);
    people::delete_segment(asked.provider(), asked.call(), target).await?;
    Ok(Answer::done())
}

async fn members(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let (provider, call, rights) = (asked.provider(), asked.call(), asked.rights());
    let id = asked.id("id")?;
    let place = (listed.after.as_deref(), listed.limit);
    let page = people::list_segment_members(provider, call, rights, id, place).await?;
    let count = if listed.count {
        let counted = people::count_segment_members(provider, call, rights, id).await?;
        Some((counted.count, counted.at_least))
    } else {
        None
    };
    listed.answer_counted(&asked, page, count, MemberBody::of)
}

fn one(segment: Segment) -> Result<Answer, Problem> {
    let version = segment.version;
    Ok(Answer::of(&SegmentBody::of(segment))?.version(version))
}

impl SegmentPatch {
    fn into_change(self) -> SegmentChange {
        SegmentChange {
            name: self.name,
            description: self.description,
            shared: self.shared,
            words: self.q,
            filter: self.filter,
            sort: self.sort,
            inactive: self.inactive,
        }
    }
}

impl SegmentBody {
    fn of(segment: Segment) -> Self {
        Self {
            id: segment.id.to_string(),
            name: segment.name,
            description: segment.description,
            shared: segment.owner.is_none(),
            q: segment.search.words,
            filter: segment.search.filter,
            sort: segment.search.sort,
            inactive: segment.search.inactive,
            created_at: segment.created_at.rfc3339(),
            updated_at: segment.updated_at.rfc3339(),
        }
    }
}

impl MemberBody {
    fn of(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.full_name(),
            subject: user.subject,
            username: user.username,
            email: user.profile.email,
            email_verified: user.profile.email_verified,
            phone_number: user.profile.phone_number,
            phone_number_verified: user.profile.phone_number_verified,
            locale: user.profile.locale,
            zoneinfo: user.profile.zoneinfo,
        }
    }
}
