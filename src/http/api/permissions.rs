//! `/permissions`: what the names of rights mean; and what somebody may do, with the ways by which it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::people::{self, EffectivePermission, NewPermission, Page, Way};
use crate::model::{DeclaredPermission, Id, Resource};

const READ: &str = "admin:roles.read";
const WRITE: &str = "admin:roles";

const PLAIN: ListRule = ListRule::plain();

const LIST: ListRule = ListRule {
    filters: &["name"],
    ..ListRule::plain()
};

/// A permission to declare.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewPermissionBody {
    /// Its name, which tokens carry: printable ASCII without spaces. It never changes.
    #[schemars(required)]
    name: String,
    /// What it allows.
    description: Option<String>,
    /// The identifier of the resource that it is for, if for one alone. It never changes.
    resource: Option<String>,
}

/// A change of what is said about a permission: what is absent stays, `null` clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PermissionPatchBody {
    /// What it allows.
    #[serde(deserialize_with = "present")]
    description: Option<Option<String>>,
}

/// A declared permission.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Permission")]
struct PermissionBody {
    /// The id of this API.
    id: String,
    /// Its name.
    name: String,
    /// What it allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The identifier of the resource that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// When it was declared.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

/// A permission that a user holds now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectivePermission")]
struct EffectiveBody {
    /// Its name.
    permission: String,
    /// What it allows, if that is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// By which ways it came; fifty are told at most.
    paths: Vec<WayBody>,
}

/// A way by which a permission came.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PermissionPath")]
struct WayBody {
    /// From the group that the user is in to the one that carries it, each standing in the next; none for a role of the user's own.
    groups: Vec<String>,
    /// The role that it is a part of, if of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/permissions",
            READ,
            "Lists declared permissions.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<PermissionBody>>(),
        route(
            Method::Post,
            "/permissions",
            WRITE,
            "Declares a permission: it gives nobody anything yet.",
            handler!(create),
        )
        .takes::<NewPermissionBody>()
        .creates::<PermissionBody>(),
        route(
            Method::Get,
            "/permissions/{id}",
            READ,
            "Tells of a declared permission.",
            handler!(get),
        )
        .within(Within::Path("id", Kind::Permission))
        .gives::<PermissionBody>(),
        route(
            Method::Patch,
            "/permissions/{id}",
            WRITE,
            "Changes what is said about a permission.",
            handler!(change),
        )
        .within(Within::Path("id", Kind::Permission))
        .takes::<PermissionPatchBody>()
        .gives::<PermissionBody>(),
        route(
            Method::Delete,
            "/permissions/{id}",
            WRITE,
            "Takes a declaration back. It is refused while a role or a group carries the permission.",
            handler!(delete),
        )
        .within(Within::Path("id", Kind::Permission)),
        route(
            Method::Get,
            "/users/{id}/effective-permissions",
            READ,
            "Tells what a user may do now, and by which groups and roles it came.",
            handler!(effective),
        )
        .listed(&PLAIN)
        .gives::<PageBody<EffectiveBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = match &listed.filter {
        Some((_, name)) => Page {
            items: people::find_permission(asked.provider(), name)
                .await?
                .into_iter()
                .collect(),
            next: None,
        },
        None => people::list_permissions(asked.provider(), listed.after.as_deref(), listed.limit).await?,
    };
    let resources = asked.provider().resources().await?;
    listed.answer(&asked, page, None, |permission| {
        PermissionBody::of(permission, &resources)
    })
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewPermissionBody = asked.read()?;
    let new = NewPermission {
        name: body.name,
        description: body.description,
        resource: body.resource,
    };
    let made = people::declare_permission(asked.provider(), asked.call(), &asked.source(), new).await?;
    let resources = asked.provider().resources().await?;
    let (location, version) = (format!("{BASE}/permissions/{}", made.id), made.version);
    Ok(Answer::created(location, &PermissionBody::of(made, &resources))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let found = people::get_permission(asked.provider(), asked.id("id")?).await?;
    one(&asked, found).await
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let body: PermissionPatchBody = asked.read()?;
    let which = (asked.id("id")?, asked.expected()?);
    let changed =
        people::change_permission(asked.provider(), asked.call(), &asked.source(), which, body.description).await?;
    one(&asked, changed).await
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    people::delete_permission(asked.provider(), asked.call(), &asked.source(), id, expected).await?;
    Ok(Answer::done())
}

async fn effective(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let held = people::effective_permissions(asked.provider(), asked.call(), asked.id("id")?).await?;
    let from = listed.after.clone().unwrap_or_default();
    let rest = held.into_iter().filter(|held| held.permission > from).collect();
    let page = Page::cut(rest, listed.limit, |held: &EffectivePermission| held.permission.clone());
    listed.answer(&asked, page, None, |held| EffectiveBody {
        permission: held.permission,
        description: held.description,
        paths: held.ways.into_iter().map(WayBody::of).collect(),
    })
}

async fn one(asked: &Asked, permission: DeclaredPermission) -> Result<Answer, Problem> {
    let resources = asked.provider().resources().await?;
    let version = permission.version;
    Ok(Answer::of(&PermissionBody::of(permission, &resources))?.version(version))
}

/// The identifier of a resource.
pub(super) fn identifier(resources: &[Resource], id: Option<Id<Resource>>) -> Option<String> {
    let found = resources.iter().find(|resource| Some(resource.id) == id);
    found.map(|resource| resource.identifier.clone())
}

impl PermissionBody {
    fn of(permission: DeclaredPermission, resources: &[Resource]) -> Self {
        Self {
            id: permission.id.to_string(),
            resource: identifier(resources, permission.resource),
            name: permission.name,
            description: permission.description,
            created_at: permission.created_at.rfc3339(),
            updated_at: permission.updated_at.rfc3339(),
        }
    }
}

impl WayBody {
    fn of(way: Way) -> Self {
        Self {
            groups: way.groups,
            role: way.role,
        }
    }
}
