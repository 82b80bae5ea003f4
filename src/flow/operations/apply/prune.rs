//! `prune`: removes what an earlier file made and this one does not name any more. What came by another way stays.

use super::difference::{Action, Change};
use super::document::{Document, Section};
use super::groups::GroupAct;
use super::roles::RoleAct;
use super::segments::{self, SegmentAct};
use super::users::UserAct;
use super::webhooks::{self, WebhookAct};
use super::{Act, Planned, PruneUsers, clients, groups, resources, roles, users};
use crate::flow::operations::inventory;
use crate::flow::people::{self, GroupRules, UserKey};
use crate::flow::{Error, Provider};
use crate::model::setting::Settings;
use crate::model::user::comparison_key;

/// What is removed, users first, so that nothing is left that refers to something gone.
pub(super) async fn plan(
    provider: &Provider,
    settings: &Settings,
    document: &Document,
    prune: PruneUsers,
) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    let pruned = |section| document.prune.contains(&section);
    if pruned(Section::Users) {
        if prune == PruneUsers::No {
            let detail = "removing users also needs --prune-users";
            return Err(Error::field("/prune", "prune_users", detail));
        }
        planned.extend(plan_users(provider, document).await?);
    }
    if pruned(Section::Clients) {
        for client_id in provider.store.read().await?.list_applied_clients().await? {
            if !document.clients.iter().any(|entry| entry.client_id == client_id) {
                let client = inventory::client(provider, &client_id).await?;
                planned.push(removal(clients::SECTION, client_id, Act::RemoveClient(client.id)));
            }
        }
    }
    if pruned(Section::Groups) {
        for name in provider.store.read().await?.list_applied_groups().await? {
            let key = comparison_key(&name);
            if !document.groups.iter().any(|entry| entry.key() == key)
                && let Some(group) = people::find_group_by_name(provider, &name).await?
            {
                planned.push(removal(
                    groups::SECTION,
                    name,
                    Act::Group(GroupAct::Remove(group.id, GroupRules::of(settings).default)),
                ));
            }
        }
    }
    if pruned(Section::Roles) {
        for name in provider.store.read().await?.list_applied_roles().await? {
            let key = comparison_key(&name);
            if !document.roles.iter().any(|entry| entry.key() == key)
                && let Some(role) = people::find_role_by_name(provider, &name).await?
            {
                planned.push(removal(roles::ROLES, name, Act::Role(RoleAct::Remove(role.id))));
            }
        }
    }
    if pruned(Section::Permissions) {
        for name in provider.store.read().await?.list_applied_permissions().await? {
            if !document.permissions.iter().any(|entry| entry.name == name)
                && let Some(permission) = people::find_permission(provider, &name).await?
            {
                let act = Act::Role(RoleAct::Undeclare(permission.id));
                planned.push(removal(roles::PERMISSIONS, name, act));
            }
        }
    }
    if pruned(Section::Resources) {
        let applied = provider.store.read().await?.list_applied_resources().await?;
        for resource in inventory::resources(provider).await? {
            let named = document
                .resources
                .iter()
                .any(|entry| entry.identifier == resource.identifier);
            if !named && applied.contains(&resource.identifier) {
                let name = resource.identifier.clone();
                planned.push(removal(
                    resources::SECTION,
                    name,
                    Act::Resource(resource, Action::Remove),
                ));
            }
        }
    }
    if pruned(Section::Webhooks) {
        let applied = provider.store.read().await?.list_applied_webhooks().await?;
        for webhook in crate::flow::operations::webhooks::list(provider).await? {
            let named = document.webhooks.iter().any(|entry| entry.name == webhook.name);
            if !named && applied.contains(&webhook.name) {
                let act = Act::Webhook(WebhookAct::Remove(webhook.id));
                planned.push(removal(webhooks::SECTION, webhook.name, act));
            }
        }
    }
    if pruned(Section::Segments) {
        let mut store = provider.store.read().await?;
        for name in store.list_applied_segments().await? {
            let key = comparison_key(&name);
            if document.segments.iter().any(|entry| entry.key() == key) {
                continue;
            }
            if let Some(segment) = store.find_segment_by_name(None, &name).await? {
                planned.push(removal(
                    segments::SECTION,
                    name,
                    Act::Segment(SegmentAct::Remove(segment)),
                ));
            }
        }
    }
    Ok(planned)
}

async fn plan_users(provider: &Provider, document: &Document) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for username in provider.store.read().await?.list_applied_users().await? {
        let key = comparison_key(&username);
        if document.users.iter().any(|entry| entry.key() == key) {
            continue;
        }
        if let Some(user) = people::find_user(provider, &UserKey::Username(username.clone())).await? {
            planned.push(removal(users::SECTION, username, Act::User(UserAct::Remove(user.id))));
        }
    }
    Ok(planned)
}

fn removal(section: &'static str, name: String, act: Act) -> Planned {
    Planned {
        pointer: "/prune".to_owned(),
        change: Change {
            section,
            name,
            action: Action::Remove,
            fields: Vec::new(),
        },
        act,
    }
}
