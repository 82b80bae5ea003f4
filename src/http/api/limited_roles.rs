//! `/users/{id}/limited-roles`, `/groups/{id}/limited-roles` and `/groups/{id}/owners`: whose rights count over a group or an API alone.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::flow::people::reach::reaches_group;
use crate::flow::people::{self, Page, RoleHolder};
use crate::model::{LimitedRole, RolePlace};

const READ: &str = "admin:roles.read";
const WRITE: &str = "admin:roles";

const PLAIN: ListRule = ListRule::plain();

/// A role that a group or a user has over something alone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LimitedRole")]
struct LimitedRoleBody {
    /// The role's id.
    id: String,
    /// The role's name.
    name: String,
    /// The id of the group that it counts over, with those that stand in it and whoever is in any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The id of the resource that it counts over, with its permissions and its roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// The group's name, or the resource's identifier.
    over: String,
    /// Since when.
    since: String,
}

/// Somebody who looks after the members of a group.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GroupOwner")]
struct OwnerBody {
    /// The user's id.
    id: String,
    /// What the person signs in with; for callers who may read users.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Since when.
    since: String,
}

pub(super) fn table() -> Vec<Route> {
    let mut table = of_users();
    table.extend(of_groups());
    table.extend(owners());
    table
}

fn of_users() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/limited-roles",
            READ,
            "Lists the roles that a user has themselves over a group or a resource alone.",
            handler!(of_user),
        )
        .listed(&PLAIN)
        .gives::<PageBody<LimitedRoleBody>>(),
        route(
            Method::Put,
            "/users/{id}/limited-roles/{role}/groups/{group}",
            WRITE,
            "Gives a user a role over a group, those that stand in it, and whoever is in any of them. The caller must hold what is in it, there or everywhere.",
            handler!(give_user),
        ),
        route(
            Method::Delete,
            "/users/{id}/limited-roles/{role}/groups/{group}",
            WRITE,
            "Takes a role over a group from a user.",
            handler!(take_user),
        ),
        route(
            Method::Put,
            "/users/{id}/limited-roles/{role}/resources/{resource}",
            WRITE,
            "Gives a user a role over a resource, its permissions and its roles.",
            handler!(give_user),
        ),
        route(
            Method::Delete,
            "/users/{id}/limited-roles/{role}/resources/{resource}",
            WRITE,
            "Takes a role over a resource from a user.",
            handler!(take_user),
        ),
    ]
}

fn of_groups() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/groups/{id}/limited-roles",
            READ,
            "Lists the roles that a group has itself over a group or a resource alone.",
            handler!(of_group),
        )
        .listed(&PLAIN)
        .gives::<PageBody<LimitedRoleBody>>(),
        route(
            Method::Put,
            "/groups/{id}/limited-roles/{role}/groups/{group}",
            WRITE,
            "Gives the members of a group a role over a group, itself or another. The caller must hold what is in it, and what the group carries.",
            handler!(give_group),
        ),
        route(
            Method::Delete,
            "/groups/{id}/limited-roles/{role}/groups/{group}",
            WRITE,
            "Takes a role over a group from the members of a group.",
            handler!(take_group),
        ),
        route(
            Method::Put,
            "/groups/{id}/limited-roles/{role}/resources/{resource}",
            WRITE,
            "Gives the members of a group a role over a resource, its permissions and its roles.",
            handler!(give_group),
        ),
        route(
            Method::Delete,
            "/groups/{id}/limited-roles/{role}/resources/{resource}",
            WRITE,
            "Takes a role over a resource from the members of a group.",
            handler!(take_group),
        ),
    ]
}

fn owners() -> Vec<Route> {
    let route = Route::new;
    let group = Within::Path("id", Kind::Group);
    vec![
        route(
            Method::Get,
            "/groups/{id}/owners",
            "admin:groups.read",
            "Lists the owners of a group: who looks after its members.",
            handler!(list_owners),
        )
        .within(group)
        .listed(&PLAIN)
        .gives::<PageBody<OwnerBody>>(),
        route(
            Method::Put,
            "/groups/{id}/owners/{user}",
            "admin:groups",
            "Makes a user an owner of a group. The caller must hold what the group carries.",
            handler!(add_owner),
        )
        .within(group),
        route(
            Method::Delete,
            "/groups/{id}/owners/{user}",
            "admin:groups",
            "A user is an owner of a group no more.",
            handler!(remove_owner),
        )
        .within(group),
    ]
}

async fn of_user(asked: Asked) -> Result<Answer, Problem> {
    let holder = RoleHolder::User(asked.id("id")?);
    held(asked, holder).await
}

async fn of_group(asked: Asked) -> Result<Answer, Problem> {
    let holder = RoleHolder::Group(asked.id("id")?);
    held(asked, holder).await
}

async fn held(asked: Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_limited_roles_of(asked.provider(), holder).await?;
    listed.answer(&asked, Page { items, next: None }, None, LimitedRoleBody::of)
}

/// What the path says a role counts over.
fn place(asked: &Asked) -> Result<RolePlace, Problem> {
    Ok(match asked.parameter("group") {
        "" => RolePlace::Resource(asked.id("resource")?),
        _ => RolePlace::Group(asked.id("group")?),
    })
}

async fn give_user(asked: Asked) -> Result<Answer, Problem> {
    give(&asked, RoleHolder::User(asked.id("id")?)).await
}

async fn give_group(asked: Asked) -> Result<Answer, Problem> {
    give(&asked, RoleHolder::Group(asked.id("id")?)).await
}

async fn give(asked: &Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    let what = (asked.id("role")?, place(asked)?);
    people::give_limited_role(asked.provider(), asked.call(), &asked.source(), holder, what).await?;
    Ok(Answer::done())
}

async fn take_user(asked: Asked) -> Result<Answer, Problem> {
    take(&asked, RoleHolder::User(asked.id("id")?)).await
}

async fn take_group(asked: Asked) -> Result<Answer, Problem> {
    take(&asked, RoleHolder::Group(asked.id("id")?)).await
}

async fn take(asked: &Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    let what = (asked.id("role")?, place(asked)?);
    people::take_limited_role(asked.provider(), asked.call(), &asked.source(), holder, what).await?;
    Ok(Answer::done())
}

async fn list_owners(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let group = asked.id("id")?;
    let items = people::list_owners(asked.provider(), group).await?;
    let may_read_users = reaches_group(asked.provider(), asked.rights(), "admin:users.read", group).await?;
    listed.answer(&asked, Page { items, next: None }, None, |owner| OwnerBody {
        id: owner.user.to_string(),
        username: may_read_users.then_some(owner.username),
        since: owner.since.rfc3339(),
    })
}

async fn add_owner(asked: Asked) -> Result<Answer, Problem> {
    let which = (asked.id("id")?, asked.id("user")?);
    people::add_owner(asked.provider(), asked.call(), &asked.source(), which).await?;
    Ok(Answer::done())
}

async fn remove_owner(asked: Asked) -> Result<Answer, Problem> {
    let which = (asked.id("id")?, asked.id("user")?);
    people::remove_owner(asked.provider(), asked.call(), &asked.source(), which).await?;
    Ok(Answer::done())
}

impl LimitedRoleBody {
    fn of(limited: LimitedRole) -> Self {
        let (group, resource) = match limited.place {
            RolePlace::Group(group) => (Some(group.to_string()), None),
            RolePlace::Resource(resource) => (None, Some(resource.to_string())),
        };
        Self {
            id: limited.role.to_string(),
            name: limited.name,
            group,
            resource,
            over: limited.place_name,
            since: limited.since.rfc3339(),
        }
    }
}
