//! `export`: everything in the file format of `apply`, so that applying it changes nothing here and rebuilds it elsewhere.

use serde_json::{Map, Value, json};

use super::apply::sealing::{Sealer, Sealing};
use super::apply::{
    access, clients, groups, layers, limited_roles, memberships, properties, resources, roles, terms, users,
};
use super::{apply, inventory, message_templates, webhooks};
use crate::flow::people::{RoleHolder, list_roles_of};
use crate::flow::{Call, Error, Provider, people, terms as published_terms};
use crate::model::{LayerOwner, PropertyState, Secret};

/// Whether secrets are part of it.
pub enum Secrets {
    /// They are left out: a new installation asks for new ones.
    Omitted,
    /// Password hashes and client secrets, sealed under this passphrase.
    Sealed(Secret),
}

/// The whole installation as a file.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn export(provider: &Provider, secrets: Secrets) -> Result<Value, Error> {
    let mut file = Map::new();
    file.insert("version".to_owned(), 1.into());
    let sealer = match secrets {
        Secrets::Omitted => None,
        Secrets::Sealed(passphrase) => {
            let sealing = Sealing::new();
            file.insert("sealing".to_owned(), sealing.to_json());
            // Argon2id takes its time, by design
            let made = tokio::task::spawn_blocking(move || sealing.sealer(&passphrase));
            Some(made.await.map_err(|error| Error::Failed(Box::new(error)))??)
        }
    };
    let mut settings = provider.store.read().await?.list_settings().await?;
    let mails = message_templates::changed_of(&settings);
    settings.retain(|key, _| !message_templates::is_template(key));
    file.insert("settings".to_owned(), nested(settings));
    if !mails.is_empty() {
        let mails = mails
            .iter()
            .map(|(key, template)| apply::message_templates::to_json(*key, template));
        file.insert("message_templates".to_owned(), json!(mails.collect::<Vec<_>>()));
    }
    file.insert("resources".to_owned(), json!(export_resources(provider).await?));
    let resources = inventory::resources(provider).await?;
    let permissions = inventory::permissions(provider).await?;
    if !permissions.is_empty() {
        let permissions = permissions
            .iter()
            .map(|known| roles::permission_to_json(known, &resources));
        file.insert("permissions".to_owned(), json!(permissions.collect::<Vec<_>>()));
    }
    let held = inventory::roles(provider).await?;
    if !held.is_empty() {
        let held = held.iter().map(|role| roles::role_to_json(role, &resources));
        file.insert("roles".to_owned(), json!(held.collect::<Vec<_>>()));
    }
    file.insert(
        "clients".to_owned(),
        json!(export_clients(provider, sealer.as_ref()).await?),
    );
    file.insert("groups".to_owned(), json!(export_groups(provider).await?));
    let defined = people::list_properties(provider).await?;
    let defined = defined
        .iter()
        .filter(|property| property.state != PropertyState::Clearing);
    file.insert(
        "properties".to_owned(),
        json!(defined.map(properties::to_json).collect::<Vec<_>>()),
    );
    file.insert(
        "users".to_owned(),
        json!(export_users(provider, sealer.as_ref()).await?),
    );
    let told = export_webhooks(provider, sealer.as_ref()).await?;
    if !told.is_empty() {
        file.insert("webhooks".to_owned(), json!(told));
    }
    let segments = provider
        .store
        .read()
        .await?
        .list_segments(None, people::segments::MOST_SEGMENTS)
        .await?;
    if !segments.is_empty() {
        let told: Vec<Map<String, Value>> = segments.iter().map(apply::segments::to_json).collect();
        file.insert("segments".to_owned(), json!(told));
    }
    file.insert("terms".to_owned(), json!(export_terms(provider).await?));
    Ok(Value::Object(file))
}

/// The versions that count or will; who has accepted them stays here.
async fn export_terms(provider: &Provider) -> Result<Vec<Map<String, Value>>, Error> {
    let published = published_terms::list(provider).await?;
    let groups = inventory::groups(provider).await?;
    let counting = published.iter().filter(|terms| terms.withdrawn_at.is_none());
    Ok(counting.filter_map(|terms| terms::to_json(terms, &groups)).collect())
}

async fn export_webhooks(provider: &Provider, sealer: Option<&Sealer>) -> Result<Vec<Map<String, Value>>, Error> {
    let now = Call::system(&provider.clock).now;
    let mut entries = Vec::new();
    for webhook in webhooks::list(provider).await? {
        let mut entry = apply::webhooks::to_json(&webhook);
        if let Some(sealer) = sealer
            && let Some(secret) = webhooks::secrets(provider, webhook.id, now).await?.first()
        {
            entry.insert("secret".to_owned(), sealer.seal(secret.expose()));
        }
        entries.push(entry);
    }
    Ok(entries)
}

async fn export_resources(provider: &Provider) -> Result<Vec<Map<String, Value>>, Error> {
    Ok(inventory::resources(provider)
        .await?
        .iter()
        .map(resources::to_json)
        .collect())
}

async fn export_groups(provider: &Provider) -> Result<Vec<Map<String, Value>>, Error> {
    let mut entries = Vec::new();
    for group in inventory::groups(provider).await? {
        let mut entry = groups::to_json(&group);
        let outer = inventory::outer_groups(provider, group.id).await?;
        if !outer.is_empty() {
            entry.insert("groups".to_owned(), json!(outer));
        }
        hold(provider, &mut entry, RoleHolder::Group(group.id)).await?;
        say(provider, &mut entry, LayerOwner::Group(group.id)).await?;
        entries.push(entry);
    }
    Ok(entries)
}

/// The roles of one, if it has any.
async fn hold(provider: &Provider, entry: &mut Map<String, Value>, holder: RoleHolder) -> Result<(), Error> {
    let held = list_roles_of(provider, holder).await?;
    if !held.is_empty() {
        let names: Vec<String> = held.into_iter().map(|role| role.name).collect();
        entry.insert("roles".to_owned(), json!(names));
    }
    entry.extend(limited_roles::to_json(provider, holder).await?);
    Ok(())
}

/// What one says about settings, if it says anything.
async fn say(provider: &Provider, entry: &mut Map<String, Value>, owner: LayerOwner) -> Result<(), Error> {
    if let Some(table) = layers::to_json(provider, owner).await? {
        entry.insert("settings".to_owned(), nested(table));
    }
    Ok(())
}

async fn export_clients(provider: &Provider, sealer: Option<&Sealer>) -> Result<Vec<Map<String, Value>>, Error> {
    let mut entries = Vec::new();
    for client in inventory::clients(provider).await? {
        let mut entry = clients::to_json(&client)?;
        entry.extend(access::to_json(provider, client.id).await?);
        say(provider, &mut entry, LayerOwner::Client(client.id)).await?;
        // one whose last secret was removed is to come back as it is, and not to be asked for another
        let may_have = !client.secrets.is_empty() || client.metadata.token_endpoint_auth_method.uses_secret();
        if let Some(sealer) = sealer
            && may_have
        {
            let secrets = clients::stored_secrets(provider, &client)?;
            let sealed: Vec<Value> = secrets.iter().map(|secret| sealer.seal(secret)).collect();
            entry.insert("client_secrets".to_owned(), sealed.into());
        }
        entries.push(entry);
    }
    Ok(entries)
}

async fn export_users(provider: &Provider, sealer: Option<&Sealer>) -> Result<Vec<Map<String, Value>>, Error> {
    let mut entries = Vec::new();
    let mut page = inventory::users_after(provider, None).await?;
    while !page.is_empty() {
        for user in &page {
            let membership = inventory::membership(provider, user).await?;
            let mut entry = users::to_json(user, &membership);
            if let Some(client) = user.client {
                let client = provider.store.read().await?.find_client(client).await?;
                entry.insert("client_id".to_owned(), json!(client.map(|client| client.client_id)));
            }
            if !user.required_actions.is_empty() {
                entry.insert("required_actions".to_owned(), json!(user.required_actions));
            }
            entry.extend(memberships::to_json(provider, user).await?);
            hold(provider, &mut entry, RoleHolder::User(user.id)).await?;
            say(provider, &mut entry, LayerOwner::User(user.id)).await?;
            // one that has to be replaced lets nobody in elsewhere either
            let password = user.password.as_ref().filter(|_| user.password_expired_at.is_none());
            if let (Some(sealer), Some(hash)) = (sealer, password) {
                entry.insert("password_hash".to_owned(), sealer.seal(hash.expose()));
            }
            entries.push(entry);
        }
        page = inventory::users_after(provider, page.last()).await?;
    }
    Ok(entries)
}

/// `session.idle_timeout` as `{"session": {"idle_timeout": ...}}`.
fn nested(settings: Map<String, Value>) -> Value {
    let mut table = Map::new();
    for (key, value) in settings {
        match key.split_once('.') {
            None => drop(table.insert(key, value)),
            Some((section, name)) => {
                let section = table.entry(section).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(section) = section {
                    section.insert(name.to_owned(), value);
                }
            }
        }
    }
    Value::Object(table)
}
