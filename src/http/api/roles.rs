//! `/roles`, `/groups/{id}/roles` and `/users/{id}/roles`: named sets of permissions, and who has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::permissions::identifier;
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::people::{self, NewRole, Page, RoleChange, RoleHolder};
use crate::model::{Resource, Role};

const READ: &str = "admin:roles.read";
const WRITE: &str = "admin:roles";

const PLAIN: ListRule = ListRule::plain();

const LIST: ListRule = ListRule {
    filters: &["name"],
    ..ListRule::plain()
};

/// A role to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewRoleBody {
    /// Its name, unique without regard to case.
    #[schemars(required)]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The identifier of the resource whose permissions it is made of, if of one alone. It never changes.
    resource: Option<String>,
    /// What whoever has it may do: declared permissions, or this server's own. Each must be the caller's own.
    permissions: Vec<String>,
}

/// A change of a role: what is absent stays, `null` clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RolePatchBody {
    /// Its name.
    name: Option<String>,
    /// What it is for.
    #[serde(deserialize_with = "present")]
    description: Option<Option<String>>,
    /// What whoever has it may do, as a whole.
    #[serde(deserialize_with = "present")]
    permissions: Option<Option<Vec<String>>>,
}

/// A role.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Role")]
struct RoleBody {
    /// The id of this API.
    id: String,
    /// Its name.
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The identifier of the resource whose permissions it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// What whoever has it may do.
    permissions: Vec<String>,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

/// A role that a group or a user has.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HeldRole")]
struct HeldRoleBody {
    /// The role's id.
    id: String,
    /// The role's name.
    name: String,
}

pub(super) fn table() -> Vec<Route> {
    let mut table = of_roles();
    table.extend(of_holders());
    table
}

fn of_roles() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/roles", READ, "Lists roles.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<RoleBody>>(),
        route(Method::Post, "/roles", WRITE, "Makes a role.", handler!(create))
            .takes::<NewRoleBody>()
            .creates::<RoleBody>(),
        route(Method::Get, "/roles/{id}", READ, "Tells of a role.", handler!(get))
            .within(Within::Path("id", Kind::Role))
            .gives::<RoleBody>(),
        route(
            Method::Patch,
            "/roles/{id}",
            WRITE,
            "Changes a role, for everybody who has it.",
            handler!(change),
        )
        .within(Within::Path("id", Kind::Role))
        .takes::<RolePatchBody>()
        .gives::<RoleBody>(),
        route(
            Method::Delete,
            "/roles/{id}",
            WRITE,
            "Deletes a role: nobody has it any more.",
            handler!(delete),
        )
        .within(Within::Path("id", Kind::Role)),
    ]
}

fn of_holders() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/groups/{id}/roles",
            READ,
            "Lists the roles that a group has itself.",
            handler!(of_group),
        )
        .listed(&PLAIN)
        .gives::<PageBody<HeldRoleBody>>(),
        route(
            Method::Put,
            "/groups/{id}/roles/{role}",
            WRITE,
            "Gives a role to a group. The caller must hold what is in it, and what the group carries.",
            handler!(give_group),
        ),
        route(
            Method::Delete,
            "/groups/{id}/roles/{role}",
            WRITE,
            "Takes a role from a group.",
            handler!(take_group),
        ),
        route(
            Method::Get,
            "/users/{id}/roles",
            READ,
            "Lists the roles that a user has themselves.",
            handler!(of_user),
        )
        .listed(&PLAIN)
        .gives::<PageBody<HeldRoleBody>>(),
        route(
            Method::Put,
            "/users/{id}/roles/{role}",
            WRITE,
            "Gives a role to a user. The caller must hold what is in it.",
            handler!(give_user),
        ),
        route(
            Method::Delete,
            "/users/{id}/roles/{role}",
            WRITE,
            "Takes a role from a user.",
            handler!(take_user),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = match &listed.filter {
        Some((_, name)) => Page {
            items: people::find_role_by_name(asked.provider(), name)
                .await?
                .into_iter()
                .collect(),
            next: None,
        },
        None => people::list_roles(asked.provider(), listed.after.as_deref(), listed.limit).await?,
    };
    let resources = asked.provider().resources().await?;
    listed.answer(&asked, page, None, |role| RoleBody::of(role, &resources))
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewRoleBody = asked.read()?;
    let new = NewRole {
        name: body.name,
        description: body.description,
        resource: body.resource,
        permissions: body.permissions,
    };
    let role = people::create_role(asked.provider(), asked.call(), &asked.source(), new).await?;
    let resources = asked.provider().resources().await?;
    let (location, version) = (format!("{BASE}/roles/{}", role.id), role.version);
    Ok(Answer::created(location, &RoleBody::of(role, &resources))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let role = people::get_role(asked.provider(), asked.id("id")?).await?;
    one(&asked, role).await
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let body: RolePatchBody = asked.read()?;
    let change = RoleChange {
        name: body.name,
        description: body.description,
        permissions: body.permissions.map(Option::unwrap_or_default),
    };
    let which = (asked.id("id")?, asked.expected()?);
    let role = people::change_role(asked.provider(), asked.call(), &asked.source(), which, change).await?;
    one(&asked, role).await
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    people::delete_role(asked.provider(), asked.call(), &asked.source(), id, expected).await?;
    Ok(Answer::done())
}

async fn one(asked: &Asked, role: Role) -> Result<Answer, Problem> {
    let resources = asked.provider().resources().await?;
    let version = role.version;
    Ok(Answer::of(&RoleBody::of(role, &resources))?.version(version))
}

fn group(asked: &Asked) -> Result<RoleHolder, Problem> {
    Ok(RoleHolder::Group(asked.id("id")?))
}

fn user(asked: &Asked) -> Result<RoleHolder, Problem> {
    Ok(RoleHolder::User(asked.id("id")?))
}

async fn of_group(asked: Asked) -> Result<Answer, Problem> {
    let holder = group(&asked)?;
    held(asked, holder).await
}

async fn of_user(asked: Asked) -> Result<Answer, Problem> {
    let holder = user(&asked)?;
    held(asked, holder).await
}

async fn held(asked: Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_roles_of(asked.provider(), holder).await?;
    listed.answer(&asked, Page { items, next: None }, None, |role| HeldRoleBody {
        id: role.id.to_string(),
        name: role.name,
    })
}

async fn give_group(asked: Asked) -> Result<Answer, Problem> {
    give(&asked, group(&asked)?).await
}

async fn give_user(asked: Asked) -> Result<Answer, Problem> {
    give(&asked, user(&asked)?).await
}

async fn give(asked: &Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    people::give_role(
        asked.provider(),
        asked.call(),
        &asked.source(),
        holder,
        asked.id("role")?,
    )
    .await?;
    Ok(Answer::done())
}

async fn take_group(asked: Asked) -> Result<Answer, Problem> {
    take(&asked, group(&asked)?).await
}

async fn take_user(asked: Asked) -> Result<Answer, Problem> {
    take(&asked, user(&asked)?).await
}

async fn take(asked: &Asked, holder: RoleHolder) -> Result<Answer, Problem> {
    people::take_role(
        asked.provider(),
        asked.call(),
        &asked.source(),
        holder,
        asked.id("role")?,
    )
    .await?;
    Ok(Answer::done())
}

impl RoleBody {
    fn of(role: Role, resources: &[Resource]) -> Self {
        Self {
            id: role.id.to_string(),
            resource: identifier(resources, role.resource),
            name: role.name,
            description: role.description,
            permissions: role.permissions,
            created_at: role.created_at.rfc3339(),
            updated_at: role.updated_at.rfc3339(),
        }
    }
}
