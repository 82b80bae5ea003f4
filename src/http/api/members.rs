//! `/groups/{id}/members` and `/users/{id}/groups`: who is in which group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::people::{self, Page};

const READ: &str = "admin:groups.read";
const WRITE: &str = "admin:groups";

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
}

/// How a user is put into a group.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MembershipPutBody {
    /// Whether the group becomes the user's primary one. The first one does anyway.
    primary: bool,
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
        .listed(&LIST)
        .gives::<PageBody<MemberBody>>(),
        route(
            Method::Put,
            "/groups/{id}/members/{user}",
            WRITE,
            "Puts a user into a group. The caller must hold what the group carries.",
            handler!(put),
        )
        .takes::<MembershipPutBody>(),
        route(
            Method::Delete,
            "/groups/{id}/members/{user}",
            WRITE,
            "Takes a user out of a group.",
            handler!(remove),
        ),
        route(
            Method::Get,
            "/users/{id}/groups",
            READ,
            "Lists the groups that a user is in.",
            handler!(groups_of),
        )
        .listed(&LIST)
        .gives::<PageBody<MembershipBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let group = asked.id("id")?;
    let page = people::list_members(asked.provider(), group, listed.after.as_deref(), listed.limit).await?;
    let may_read_users = asked.rights().allow("admin:users.read");
    listed.answer(&asked, page, None, |user| MemberBody {
        id: user.id.to_string(),
        username: may_read_users.then_some(user.username),
    })
}

async fn put(asked: Asked) -> Result<Answer, Problem> {
    let body: MembershipPutBody = asked.read()?;
    let (group, user, source) = (asked.id("id")?, asked.id("user")?, asked.source());
    people::add_member(asked.provider(), asked.call(), &source, group, user).await?;
    if body.primary {
        people::make_primary(asked.provider(), asked.call(), &source, group, user).await?;
    }
    Ok(Answer::done())
}

async fn remove(asked: Asked) -> Result<Answer, Problem> {
    let (group, user) = (asked.id("id")?, asked.id("user")?);
    people::remove_member(asked.provider(), asked.call(), &asked.source(), group, user).await?;
    Ok(Answer::done())
}

async fn groups_of(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_groups_of(asked.provider(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, |membership| MembershipBody {
        id: membership.group.id.to_string(),
        name: membership.group.name,
        primary: membership.primary,
    })
}
