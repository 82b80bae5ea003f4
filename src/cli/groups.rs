//! `groups`: groups and their members from a terminal.

use serde_json::{Value, json};

use super::arguments::Groups;
use super::failure::Failure;
use super::output::Output;
use super::users;
use crate::flow::operations::inventory;
use crate::flow::people::{self, ChangeSource, NewGroup};
use crate::flow::{Call, Provider};
use crate::model::Group;

const SOURCE: ChangeSource = ChangeSource::Command;

pub(super) async fn run(provider: &Provider, call: &Call, command: Groups) -> Result<Output, Failure> {
    match command {
        Groups::List(json) => {
            let rows: Vec<Value> = inventory::groups(provider).await?.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["name", "permissions", "description", "id"],
            ))
        }
        Groups::Create {
            name,
            description,
            permissions,
            json,
        } => {
            let new = NewGroup {
                name,
                description,
                permissions,
                ..NewGroup::default()
            };
            let group = people::create_group(provider, call, &SOURCE, new).await?;
            Ok(Output::either(json.shape(), &row(&group), || {
                format!("{} is made\n", group.name)
            }))
        }
        Groups::Add { group, user } => add(provider, call, &group, &user).await,
        Groups::Remove { group, user } => remove(provider, call, &group, &user).await,
        Groups::Delete { group } => {
            let group = find(provider, &group).await?;
            people::delete_group(provider, call, &SOURCE, group.id, None).await?;
            Ok(Output::line(format!("{} is deleted", group.name)))
        }
    }
}

/// Puts a user into a group.
pub(super) async fn add(provider: &Provider, call: &Call, group: &str, user: &str) -> Result<Output, Failure> {
    let (group, user) = (find(provider, group).await?, users::find(provider, user).await?);
    people::add_member(provider, call, &SOURCE, group.id, user.id).await?;
    Ok(Output::line(format!("{} is in {}", user.username, group.name)))
}

/// Takes a user out of a group.
pub(super) async fn remove(provider: &Provider, call: &Call, group: &str, user: &str) -> Result<Output, Failure> {
    let (group, user) = (find(provider, group).await?, users::find(provider, user).await?);
    people::remove_member(provider, call, &SOURCE, group.id, user.id).await?;
    Ok(Output::line(format!("{} is not in {}", user.username, group.name)))
}

/// The group of this name.
pub(super) async fn find(provider: &Provider, name: &str) -> Result<Group, Failure> {
    let found = people::find_group_by_name(provider, name).await?;
    found.ok_or_else(|| Failure::refused(format!("there is no group {name}")))
}

fn row(group: &Group) -> Value {
    json!({
        "id": group.id.to_string(),
        "name": group.name,
        "description": group.description,
        "external_id": group.external_id,
        "permissions": group.permissions,
    })
}
