//! `/groups/{id}/members` and `/users/{id}/groups`: who is in which group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::user_body::moment;
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::flow::Error;
use crate::flow::people::reach::reaches_group;
use crate::flow::people::{self, Member, MembershipChange, Page};
use crate::model::{Group, Id, Timestamp};

const READ: &str = "admin:groups.read";
const WRITE: &str = "admin:groups.members";

const LIST: ListRule = ListRule::plain();

/// A member of a group.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct MemberBody {
    /// The user's id.
    id: String,
    /// What the person signs in with; for callers who may read users.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Whether it is the user's primary group.
    primary: bool,
    /// When the user was put into it.
    since: String,
    /// From when on it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    /// Until when it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    /// Whether it counts now.
    counts: bool,
}

/// How a user is put into a group. What is absent stays as it is, `null` takes it back.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MembershipPutBody {
    /// Whether the group becomes the user's primary one. The first one does anyway.
    primary: bool,
    /// From when on it counts (RFC 3339); at once if unset.
    #[serde(deserialize_with = "present")]
    starts_at: Option<Option<String>>,
    /// Until when it counts (RFC 3339); for good if unset.
    #[serde(deserialize_with = "present")]
    ends_at: Option<Option<String>>,
}

/// A group that a user is in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Membership")]
struct MembershipBody {
    /// The group's id.
    id: String,
    /// The group's name.
    name: String,
    /// Whether it is the user's primary one.
    primary: bool,
    /// When the user was put into it.
    since: String,
    /// From when on it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    /// Until when it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    /// Whether it counts now.
    counts: bool,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/groups/{id}/members",
            READ,
            "Lists the members of a group.",
            handler!(list),
        )
        .within(Within::Path("id", Kind::Group))
        .listed(&LIST)
        .gives::<PageBody<MemberBody>>(),
        route(
            Method::Get,
            "/groups/{id}/members/{user}",
            READ,
            "Tells of a membership.",
            handler!(get),
        )
        .within(Within::Path("id", Kind::Group))
        .gives::<MemberBody>(),
        route(
            Method::Put,
            "/groups/{id}/members/{user}",
            WRITE,
            "Puts a user into a group, for a time or for good. The caller must hold what the group carries.",
            handler!(put),
        )
        .within(Within::Path("id", Kind::Group))
        .takes::<MembershipPutBody>(),
        route(
            Method::Delete,
            "/groups/{id}/members/{user}",
            WRITE,
            "Takes a user out of a group.",
            handler!(remove),
        )
        .within(Within::Path("id", Kind::Group))
        .asks(&[(
            "primary_group",
            "The id of the user's group that becomes the primary one; the first of the others by name, unless told.",
        )]),
        route(
            Method::Get,
            "/users/{id}/groups",
            READ,
            "Lists the groups that a user is in.",
            handler!(groups_of),
        )
        .within(Within::Path("id", Kind::User))
        .listed(&LIST)
        .gives::<PageBody<MembershipBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let group = asked.id("id")?;
    let page = people::list_members(asked.provider(), group, listed.after.as_deref(), listed.limit).await?;
    let sees = sees_members(&asked, group).await?;
    let now = asked.call().now;
    listed.answer(&asked, page, None, |member| MemberBody::of(member, sees, now))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let group = asked.id("id")?;
    let member = people::get_member(asked.provider(), group, asked.id("user")?).await?;
    let sees = sees_members(&asked, group).await?;
    Answer::of(&MemberBody::of(member, sees, asked.call().now))
}

/// What is told of members: who they are to callers who may read users, else only which they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    Names,
    Ids,
}

async fn sees_members(asked: &Asked, group: Id<Group>) -> Result<Sees, Problem> {
    let may = reaches_group(asked.provider(), asked.rights(), "admin:users.read", group).await?;
    Ok(if may { Sees::Names } else { Sees::Ids })
}

async fn put(asked: Asked) -> Result<Answer, Problem> {
    let body: MembershipPutBody = asked.read()?;
    let change = MembershipChange {
        starts_at: term("/starts_at", body.starts_at)?,
        ends_at: term("/ends_at", body.ends_at)?,
        primary: body.primary,
    };
    let (group, user, source) = (asked.id("id")?, asked.id("user")?, asked.source());
    people::put_member(asked.provider(), asked.call(), &source, group, user, change).await?;
    Ok(Answer::done())
}

/// What is said of a moment: nothing, none, or which.
fn term(pointer: &str, said: Option<Option<String>>) -> Result<Option<Option<Timestamp>>, Error> {
    said.map(|text| moment(pointer, text.as_deref())).transpose()
}

async fn remove(asked: Asked) -> Result<Answer, Problem> {
    let (group, user) = (asked.id("id")?, asked.id("user")?);
    let successor = asked.named("primary_group")?;
    people::remove_member(asked.provider(), asked.call(), &asked.source(), group, user, successor).await?;
    Ok(Answer::done())
}

async fn groups_of(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let mut items = Vec::new();
    for membership in people::list_groups_of(asked.provider(), asked.id("id")?).await? {
        if reaches_group(asked.provider(), asked.rights(), READ, membership.group).await? {
            items.push(membership);
        }
    }
    let now = asked.call().now;
    listed.answer(&asked, Page { items, next: None }, None, |membership| MembershipBody {
        id: membership.group.to_string(),
        name: membership.name,
        primary: membership.primary,
        since: membership.since.rfc3339(),
        starts_at: membership.term.starts_at.map(Timestamp::rfc3339),
        ends_at: membership.term.ends_at.map(Timestamp::rfc3339),
        counts: membership.term.counts(now),
    })
}

impl MemberBody {
    fn of(member: Member, sees: Sees, now: Timestamp) -> Self {
        let (user, membership) = (member.user, member.membership);
        Self {
            id: user.id.to_string(),
            username: (sees == Sees::Names).then_some(user.username),
            primary: membership.primary,
            since: membership.since.rfc3339(),
            starts_at: membership.term.starts_at.map(Timestamp::rfc3339),
            ends_at: membership.term.ends_at.map(Timestamp::rfc3339),
            counts: membership.term.counts(now),
        }
    }
}
