//! `apply`: brings settings, resources, groups, clients and users to what a file says. A difference is computed first and every
//! entry of it judged, so that a file with a mistake in it changes nothing; then everything is changed in one transaction, by the
//! same flows that the administration API uses. A file that was applied once changes nothing the second time, and one that was
//! interrupted has changed nothing.

pub(super) mod access;
pub mod clients;
mod difference;
mod document;
pub(super) mod groups;
pub(super) mod layers;
pub(super) mod limited_roles;
pub(super) mod memberships;
pub(super) mod message_templates;
mod overlay;
pub(super) mod properties;
mod prune;
mod reader;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod sealing;
pub(super) mod segments;
mod steps;
pub(super) mod terms;
mod user_names;
pub mod users;
pub(super) mod webhooks;

pub use difference::{Action, Change, Difference, FieldChange};
pub use document::Document;

use std::collections::HashMap;

use super::settings;
use crate::flow::again::again;
use crate::flow::terms::NewTerms;
use crate::flow::{Call, Error, FieldError, Provider, people};
use crate::model::setting::Settings;
use crate::model::user::comparison_key;
use crate::model::{Client, Id, Resource};

/// Whether users may be removed; naming the section in the file is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneUsers {
    /// They may.
    Yes,
    /// They may not.
    No,
}

/// Something to do, with what is told of it.
struct Planned {
    pointer: String,
    change: Change,
    act: Act,
}

enum Act {
    Resource(Resource, Action),
    Group(groups::GroupAct),
    Role(roles::RoleAct),
    Limited(limited_roles::LimitedAct),
    Membership(memberships::TermAct),
    Access(access::AccessAct),
    Client(Box<clients::ClientAct>),
    RemoveClient(Id<Client>),
    User(users::UserAct),
    Layer(layers::LayerAct),
    Terms(NewTerms),
    Property(Box<properties::PropertyAct>),
    Template(message_templates::TemplateAct),
    Webhook(webhooks::WebhookAct),
    Segment(segments::SegmentAct),
}

/// What a file would change.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong.
pub async fn difference(
    provider: &Provider,
    call: &Call,
    document: &Document,
    prune: PruneUsers,
) -> Result<Difference, Error> {
    let changes = settings_changes(provider, document).await?;
    let settings = settings::to_be(provider, &document.settings).await?;
    let planned = plan(provider, call, &settings, document, prune).await?;
    let planned = planned.into_iter().map(|planned| planned.change);
    Ok(told(changes, planned))
}

/// Does what a file says, all of it or nothing. Gives what was changed.
///
/// # Errors
/// [`Error::Invalid`] with everything that is wrong; nothing is changed then. [`Error::Unavailable`] if the store did not
/// answer: nothing was changed, or, if only its last answer was lost, all. [`Error::Contended`] if others were changing the
/// same things, again and again.
pub async fn apply(
    provider: &Provider,
    call: &Call,
    document: &Document,
    prune: PruneUsers,
) -> Result<Difference, Error> {
    let changes = settings_changes(provider, document).await?;
    let settings = settings::to_be(provider, &document.settings).await?;
    let planned = plan(provider, call, &settings, document, prune).await?;
    if changes.is_empty() && planned.is_empty() {
        return Ok(Difference::default());
    }
    let table = (!changes.is_empty()).then_some(&document.settings);
    let (planned, steps) = steps::prepare_all(provider, call, &settings, planned).await?;
    let afterwards = again(|| steps::carry_out(provider, call, table, &steps)).await?;
    afterwards.happen(provider, call).await;
    Ok(told(changes, planned.into_iter()))
}

/// What a file changes, each thing once: what a layer changes is told with its owner.
fn told(mut changes: Vec<Change>, planned: impl Iterator<Item = Change>) -> Difference {
    let mut places = HashMap::new();
    for change in planned {
        let key = (change.section, change.name.clone());
        let known = places.get(&key).and_then(|place: &usize| changes.get_mut(*place));
        match known {
            Some(known) if known.action != Action::Remove => known.fields.extend(change.fields),
            _ => {
                places.insert(key, changes.len());
                changes.push(change);
            }
        }
    }
    Difference { changes }
}

async fn plan(
    provider: &Provider,
    call: &Call,
    settings: &Settings,
    document: &Document,
    prune: PruneUsers,
) -> Result<Vec<Planned>, Error> {
    must_know_groups(provider, document).await?;
    let mut planned = resources::plan(provider, call, &document.resources).await?;
    planned.extend(roles::plan(provider, document).await?);
    planned.extend(groups::plan(provider, &document.groups).await?);
    planned.extend(groups::plan_nesting(provider, &document.groups).await?);
    planned.extend(clients::plan(provider, call, &document.clients).await?);
    planned.extend(properties::plan(provider, &document.properties).await?);
    planned.extend(users::plan(provider, &document.users).await?);
    planned.extend(memberships::plan(provider, &document.users).await?);
    planned.extend(roles::plan_holders(provider, document).await?);
    planned.extend(limited_roles::plan(provider, document).await?);
    planned.extend(access::plan(provider, &document.clients).await?);
    planned.extend(terms::plan(provider, &document.terms, &document.groups).await?);
    planned.extend(layers::plan(provider, call, document).await?);
    planned.extend(message_templates::plan(provider, &document.message_templates).await?);
    planned.extend(webhooks::plan(provider, call, &document.webhooks).await?);
    planned.extend(segments::plan(provider, call, &document.segments).await?);
    planned.extend(prune::plan(provider, settings, document, prune).await?);
    judge(provider, call, settings, &planned).await?;
    Ok(planned)
}

/// Refuses the file as a whole where anything in it would be refused: names every entry, and nothing is changed.
async fn judge(provider: &Provider, call: &Call, settings: &Settings, planned: &[Planned]) -> Result<(), Error> {
    let mut names = user_names::Names::default();
    let mut errors = Vec::new();
    for Planned { pointer, act, .. } in planned {
        let judged = match act {
            Act::Group(act) => groups::judge(call, act),
            Act::Client(act) => clients::judge(provider, call, act).await,
            Act::User(act) => names.judge(provider, settings, act).await,
            // judged when its difference was made
            Act::Resource(..)
            | Act::Role(_)
            | Act::Limited(_)
            | Act::Membership(_)
            | Act::Access(_)
            | Act::RemoveClient(_)
            | Act::Layer(_)
            | Act::Terms(_)
            | Act::Property(_)
            | Act::Template(_)
            | Act::Segment(_)
            | Act::Webhook(_) => Ok(()),
        };
        match judged.map_err(|error| below(error, pointer)) {
            Ok(()) => {}
            Err(Error::Invalid(wrong)) => errors.extend(wrong),
            Err(other) => return Err(other),
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

async fn settings_changes(provider: &Provider, document: &Document) -> Result<Vec<Change>, Error> {
    let changes = settings::difference(provider, &document.settings)
        .await
        .map_err(|error| below(error, "/settings"))?;
    Ok(changes
        .into_iter()
        .map(|change| Change {
            section: "settings",
            name: change.key.clone(),
            action: Action::Change,
            fields: vec![FieldChange {
                field: "value".to_owned(),
                before: change.before,
                after: change.after,
            }],
        })
        .collect())
}

/// A group that users or groups are put into is there, or in the file.
async fn must_know_groups(provider: &Provider, document: &Document) -> Result<(), Error> {
    let mut known: std::collections::BTreeSet<String> = document.groups.iter().map(groups::Entry::key).collect();
    let mut unknown = Vec::new();
    let of_users = document.users.iter().flat_map(users::Entry::named_groups);
    let of_groups = document.groups.iter().flat_map(groups::Entry::named_groups);
    for (pointer, name) in of_users.chain(of_groups) {
        let key = comparison_key(name);
        if known.contains(&key) {
            continue;
        }
        if people::find_group_by_name(provider, name).await?.is_some() {
            known.insert(key);
            continue;
        }
        unknown.push(FieldError {
            pointer,
            code: "unknown",
            detail: format!("there is no group {name}, neither here nor in the file"),
        });
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(unknown))
    }
}

/// The same refusal with pointers into the file.
fn below(error: Error, pointer: &str) -> Error {
    match error {
        Error::Invalid(errors) => Error::Invalid(
            errors
                .into_iter()
                .map(|field| FieldError {
                    pointer: format!("{pointer}{}", field.pointer),
                    ..field
                })
                .collect(),
        ),
        other => other,
    }
}
