//! `roles` and `permissions`: named sets of rights, who has them, and what the names mean.

use clap::Subcommand;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::{groups, users};
use crate::flow::operations::inventory;
use crate::flow::people::{self, ChangeSource, EffectivePermission, NewPermission, NewRole, RoleChange, RoleHolder};
use crate::flow::{Call, Provider};
use crate::model::{DeclaredPermission, Role, RolePlace};

const SOURCE: ChangeSource = ChangeSource::Command;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Roles {
    /// List roles.
    List(Json),
    /// Make a role.
    Create {
        name: String,
        #[arg(long)]
        description: Option<String>,
        /// The identifier of the resource whose permissions it is made of.
        #[arg(long)]
        resource: Option<String>,
        /// A permission in it. Repeatable.
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Change what is in a role, for everybody who has it.
    Change {
        name: String,
        #[arg(long)]
        rename: Option<String>,
        #[arg(long)]
        description: Option<String>,
        /// A permission in it; those that are named take the place of all before. Repeatable.
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Option<Vec<String>>,
    },
    /// Give a role to a user or a group.
    Give {
        role: String,
        #[command(flatten)]
        to: Holder,
        #[command(flatten)]
        over: Over,
    },
    /// Take a role from a user or a group.
    Take {
        role: String,
        #[command(flatten)]
        from: Holder,
        #[command(flatten)]
        over: Over,
    },
    /// Delete a role: nobody has it any more.
    Delete { name: String },
    /// List the roles that a user or a group has over something alone.
    Limited {
        #[command(flatten)]
        of: Holder,
        #[command(flatten)]
        json: Json,
    },
}

/// Who has a role: one of these.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Holder {
    /// Username or mail address.
    #[arg(long)]
    user: Option<String>,
    /// The group's name.
    #[arg(long)]
    group: Option<String>,
}

/// Over what a role counts; everywhere unless told.
#[derive(Clone, Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Over {
    /// Over this group alone, those that stand in it, and whoever is in any of them.
    #[arg(long, value_name = "GROUP")]
    over_group: Option<String>,
    /// Over this resource alone, by its identifier.
    #[arg(long, value_name = "IDENTIFIER")]
    over_resource: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Permissions {
    /// List declared permissions.
    List(Json),
    /// Declare a permission: it gives nobody anything yet.
    Declare {
        name: String,
        #[arg(long)]
        description: Option<String>,
        /// The identifier of the resource that it is for.
        #[arg(long)]
        resource: Option<String>,
    },
    /// Say something else about a permission.
    Describe { name: String, description: String },
    /// Take a declaration back.
    Delete { name: String },
    /// What somebody may do now, and by which groups and roles it came.
    Of {
        /// Username or mail address.
        user: String,
        #[command(flatten)]
        json: Json,
    },
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Roles) -> Result<Output, Failure> {
    match command {
        Roles::List(json) => {
            let rows: Vec<Value> = inventory::roles(provider).await?.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["name", "permissions", "description", "id"],
            ))
        }
        Roles::Create {
            name,
            description,
            resource,
            permissions,
            json,
        } => {
            let new = NewRole {
                name,
                description,
                resource,
                permissions,
            };
            let role = people::create_role(provider, call, &SOURCE, new).await?;
            Ok(Output::either(json.shape(), &row(&role), || {
                format!("{} is made\n", role.name)
            }))
        }
        Roles::Change {
            name,
            rename,
            description,
            permissions,
        } => {
            let role = find(provider, &name).await?;
            let change = RoleChange {
                name: rename,
                description: description.map(Some),
                permissions,
            };
            let role = people::change_role(provider, call, &SOURCE, (role.id, None), change).await?;
            Ok(Output::line(format!("{} is changed", role.name)))
        }
        Roles::Give { role, to, over } => {
            let (role, holder) = (find(provider, &role).await?, holder(provider, &to).await?);
            match place(provider, &over).await? {
                None => people::give_role(provider, call, &SOURCE, holder, role.id).await?,
                Some(place) => people::give_limited_role(provider, call, &SOURCE, holder, (role.id, place)).await?,
            }
            Ok(Output::line(format!("{} is given", role.name)))
        }
        Roles::Take { role, from, over } => {
            let (role, holder) = (find(provider, &role).await?, holder(provider, &from).await?);
            match place(provider, &over).await? {
                None => people::take_role(provider, call, &SOURCE, holder, role.id).await?,
                Some(place) => people::take_limited_role(provider, call, &SOURCE, holder, (role.id, place)).await?,
            }
            Ok(Output::line(format!("{} is taken", role.name)))
        }
        Roles::Delete { name } => {
            let role = find(provider, &name).await?;
            people::delete_role(provider, call, &SOURCE, role.id, None).await?;
            Ok(Output::line(format!("{} is deleted", role.name)))
        }
        Roles::Limited { of, json } => {
            let holder = holder(provider, &of).await?;
            let held = people::list_limited_roles_of(provider, holder).await?;
            let rows: Vec<Value> = held
                .iter()
                .map(|limited| json!({"name": limited.name, "over": limited.place_name, "since": limited.since.rfc3339()}))
                .collect();
            Ok(Output::table(json.shape(), &rows, &["name", "over", "since"]))
        }
    }
}

pub(super) async fn run_permissions(provider: &Provider, call: &Call, command: Permissions) -> Result<Output, Failure> {
    match command {
        Permissions::List(json) => {
            let rows: Vec<Value> = inventory::permissions(provider).await?.iter().map(declared).collect();
            Ok(Output::table(json.shape(), &rows, &["name", "description", "id"]))
        }
        Permissions::Declare {
            name,
            description,
            resource,
        } => {
            let new = NewPermission {
                name,
                description,
                resource,
            };
            let made = people::declare_permission(provider, call, &SOURCE, new).await?;
            Ok(Output::line(format!("{} is declared", made.name)))
        }
        Permissions::Describe { name, description } => {
            let found = find_permission(provider, &name).await?;
            let which = (found.id, None);
            people::change_permission(provider, call, &SOURCE, which, Some(Some(description))).await?;
            Ok(Output::line(format!("{name} is described")))
        }
        Permissions::Delete { name } => {
            let found = find_permission(provider, &name).await?;
            people::delete_permission(provider, call, &SOURCE, found.id, None).await?;
            Ok(Output::line(format!("{name} is not declared any more")))
        }
        Permissions::Of { user, json } => {
            let user = users::find(provider, &user).await?;
            let held = people::effective_permissions(provider, call, user.id).await?;
            let rows: Vec<Value> = held.iter().map(effective).collect();
            Ok(Output::table(json.shape(), &rows, &["permission", "paths"]))
        }
    }
}

pub(super) async fn holder(provider: &Provider, named: &Holder) -> Result<RoleHolder, Failure> {
    match (&named.user, &named.group) {
        (Some(user), _) => Ok(RoleHolder::User(users::find(provider, user).await?.id)),
        (None, Some(group)) => Ok(RoleHolder::Group(groups::find(provider, group).await?.id)),
        (None, None) => Err(Failure::usage("name a user or a group")),
    }
}

async fn place(provider: &Provider, over: &Over) -> Result<Option<RolePlace>, Failure> {
    if let Some(name) = &over.over_group {
        return Ok(Some(RolePlace::Group(groups::find(provider, name).await?.id)));
    }
    let Some(identifier) = &over.over_resource else {
        return Ok(None);
    };
    let resources = inventory::resources(provider).await?;
    let found = resources
        .into_iter()
        .find(|resource| resource.identifier == *identifier);
    let found = found.ok_or_else(|| Failure::refused(format!("there is no resource {identifier}")))?;
    Ok(Some(RolePlace::Resource(found.id)))
}

async fn find(provider: &Provider, name: &str) -> Result<Role, Failure> {
    let found = people::find_role_by_name(provider, name).await?;
    found.ok_or_else(|| Failure::refused(format!("there is no role {name}")))
}

async fn find_permission(provider: &Provider, name: &str) -> Result<DeclaredPermission, Failure> {
    let found = people::find_permission(provider, name).await?;
    found.ok_or_else(|| Failure::refused(format!("{name} is not declared")))
}

fn row(role: &Role) -> Value {
    json!({
        "id": role.id.to_string(),
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
    })
}

fn declared(permission: &DeclaredPermission) -> Value {
    json!({
        "id": permission.id.to_string(),
        "name": permission.name,
        "description": permission.description,
    })
}

fn effective(held: &EffectivePermission) -> Value {
    let ways = held.ways.iter().map(|way| {
        let mut steps = way.groups.clone();
        steps.extend(way.role.as_ref().map(|role| format!("role {role}")));
        steps.join(" > ")
    });
    json!({
        "permission": held.permission,
        "description": held.description,
        "paths": ways.collect::<Vec<_>>(),
    })
}
