//! `groups`: groups and their members from a terminal.

use serde_json::{Value, json};

use super::arguments::{Groups, MembershipArguments};
use super::failure::Failure;
use super::output::Output;
use super::users;
use crate::flow::operations::inventory;
use crate::flow::people::{self, ChangeSource, MembershipChange, NewGroup};
use crate::flow::{Call, Provider};
use crate::model::{Group, Id, Timestamp};

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
        Groups::Add { group, user, term } => add(provider, call, &group, &user, &term).await,
        Groups::Remove {
            group,
            user,
            primary_group,
        } => remove(provider, call, &group, &user, primary_group.as_deref()).await,
        Groups::Own { group, user } => {
            let (group, user) = (find(provider, &group).await?, users::find(provider, &user).await?);
            people::add_owner(provider, call, &SOURCE, (group.id, user.id)).await?;
            Ok(Output::line(format!("{} is an owner of {}", user.username, group.name)))
        }
        Groups::Disown { group, user } => {
            let (group, user) = (find(provider, &group).await?, users::find(provider, &user).await?);
            people::remove_owner(provider, call, &SOURCE, (group.id, user.id)).await?;
            Ok(Output::line(format!("{} is no owner of {}", user.username, group.name)))
        }
        Groups::Owners { group, json } => {
            let group = find(provider, &group).await?;
            let owners = people::list_owners(provider, group.id).await?;
            let rows: Vec<Value> = owners
                .iter()
                .map(|owner| json!({"username": owner.username, "since": owner.since.rfc3339(), "id": owner.user.to_string()}))
                .collect();
            Ok(Output::table(json.shape(), &rows, &["username", "since", "id"]))
        }
        Groups::Nest { inner, outer } => {
            let (inner, outer) = (find(provider, &inner).await?, find(provider, &outer).await?);
            people::nest_group(provider, call, &SOURCE, outer.id, inner.id).await?;
            Ok(Output::line(format!("{} stands in {}", inner.name, outer.name)))
        }
        Groups::Unnest { inner, outer } => {
            let (inner, outer) = (find(provider, &inner).await?, find(provider, &outer).await?);
            people::unnest_group(provider, call, &SOURCE, outer.id, inner.id).await?;
            Ok(Output::line(format!("{} does not stand in {}", inner.name, outer.name)))
        }
        Groups::Delete { group, primary_group } => {
            let group = find(provider, &group).await?;
            let successor = named(provider, primary_group.as_deref()).await?;
            people::delete_group(provider, call, &SOURCE, group.id, None, successor).await?;
            Ok(Output::line(format!("{} is deleted", group.name)))
        }
    }
}

/// Puts a user into a group.
pub(super) async fn add(
    provider: &Provider,
    call: &Call,
    group: &str,
    user: &str,
    term: &MembershipArguments,
) -> Result<Output, Failure> {
    let change = MembershipChange {
        starts_at: said(term.from.as_deref(), "now")?,
        ends_at: said(term.until.as_deref(), "none")?,
        primary: term.primary,
    };
    let (group, user) = (find(provider, group).await?, users::find(provider, user).await?);
    people::put_member(provider, call, &SOURCE, group.id, user.id, change).await?;
    Ok(Output::line(format!("{} is in {}", user.username, group.name)))
}

/// Takes a user out of a group.
pub(super) async fn remove(
    provider: &Provider,
    call: &Call,
    group: &str,
    user: &str,
    successor: Option<&str>,
) -> Result<Output, Failure> {
    let (group, user) = (find(provider, group).await?, users::find(provider, user).await?);
    let successor = named(provider, successor).await?;
    people::remove_member(provider, call, &SOURCE, group.id, user.id, successor).await?;
    Ok(Output::line(format!("{} is not in {}", user.username, group.name)))
}

/// A moment, if one is named; `nothing` takes back what was said.
fn said(text: Option<&str>, nothing: &str) -> Result<Option<Option<Timestamp>>, Failure> {
    match text {
        None => Ok(None),
        Some(text) if text == nothing => Ok(Some(None)),
        Some(text) => users::moment(text).map(|at| Some(Some(at))),
    }
}

/// The group of this name, if one is named.
async fn named(provider: &Provider, name: Option<&str>) -> Result<Option<Id<Group>>, Failure> {
    match name {
        Some(name) => Ok(Some(find(provider, name).await?.id)),
        None => Ok(None),
    }
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
