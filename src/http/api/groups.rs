//! `/groups`: sets of users that carry permissions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::people::{self, GroupChange, NewGroup, Page};
use crate::model::Group;

const READ: &str = "admin:groups.read";
const WRITE: &str = "admin:groups";

const LIST: ListRule = ListRule {
    filters: &["name"],
    ..ListRule::plain()
};

/// A group to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewGroupBody {
    /// Its name, unique without regard to case.
    #[schemars(required)]
    name: String,
    /// Its id in another system.
    external_id: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The permissions its members hold. Each must be the caller's own.
    permissions: Vec<String>,
}

/// A change of a group: what is absent stays, `null` clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct GroupPatchBody {
    /// Its name.
    name: Option<String>,
    /// Its id in another system.
    #[serde(deserialize_with = "present")]
    external_id: Option<Option<String>>,
    /// What it is for.
    #[serde(deserialize_with = "present")]
    description: Option<Option<String>>,
    /// The permissions its members hold, as a whole.
    #[serde(deserialize_with = "present")]
    permissions: Option<Option<Vec<String>>>,
}

/// A group.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct GroupBody {
    /// The id of this API.
    id: String,
    /// Its name, as clients see it in the claim `groups`.
    name: String,
    /// Its id in another system.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The permissions its members hold.
    permissions: Vec<String>,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/groups", READ, "Lists groups.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<GroupBody>>(),
        route(Method::Post, "/groups", WRITE, "Makes a group.", handler!(create))
            .takes::<NewGroupBody>()
            .creates::<GroupBody>(),
        route(Method::Get, "/groups/{id}", READ, "Tells of a group.", handler!(get)).within(Within::Path("id", Kind::Group)).gives::<GroupBody>(),
        route(
            Method::Patch,
            "/groups/{id}",
            WRITE,
            "Changes a group.",
            handler!(change),
        ).within(Within::Path("id", Kind::Group))
        .takes::<GroupPatchBody>()
        .gives::<GroupBody>(),
        route(
            Method::Delete,
            "/groups/{id}",
            WRITE,
            "Deletes a group with its memberships. It is refused while it is somebody's primary group and no other is named.",
            handler!(delete),
        )
        .asks(&[(
            "primary_group",
            "The id of the group that becomes the primary one of those whose primary one this was.",
        )]),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = match &listed.filter {
        Some((_, name)) => Page {
            items: people::find_group_by_name(asked.provider(), name)
                .await?
                .into_iter()
                .collect(),
            next: None,
        },
        None => people::list_groups(asked.provider(), listed.after.as_deref(), listed.limit).await?,
    };
    listed.answer(&asked, page, None, GroupBody::of)
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewGroupBody = asked.read()?;
    let new = NewGroup {
        name: body.name,
        external_id: body.external_id,
        description: body.description,
        permissions: body.permissions,
    };
    let group = people::create_group(asked.provider(), asked.call(), &asked.source(), new).await?;
    let (location, version) = (format!("{BASE}/groups/{}", group.id), group.version);
    Ok(Answer::created(location, &GroupBody::of(group))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(people::get_group(asked.provider(), asked.id("id")?).await?)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let body: GroupPatchBody = asked.read()?;
    let change = GroupChange {
        name: body.name,
        external_id: body.external_id,
        description: body.description,
        permissions: body.permissions.map(Option::unwrap_or_default),
    };
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(people::change_group(asked.provider(), asked.call(), &asked.source(), id, expected, change).await?)
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let successor = asked.named("primary_group")?;
    people::delete_group(asked.provider(), asked.call(), &asked.source(), id, expected, successor).await?;
    Ok(Answer::done())
}

fn one(group: Group) -> Result<Answer, Problem> {
    let version = group.version;
    Ok(Answer::of(&GroupBody::of(group))?.version(version))
}

impl GroupBody {
    pub(super) fn of(group: Group) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name,
            external_id: group.external_id,
            description: group.description,
            permissions: group.permissions,
            created_at: group.created_at.rfc3339(),
            updated_at: group.updated_at.rfc3339(),
        }
    }
}
