//! The section `clients`: the fields of RFC 7591, and beside them what only the operator decides.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::difference::{Action, Change, FieldChange};
use super::overlay::laid_over;
use super::reader::{Mistakes, Reader};
use super::sealing::Opener;
use super::steps::Afterwards;
use super::{Act, Planned, access, layers};
use crate::flow::clients::{
    self, Authority, ClientChange, Given, NewClient, SECRET_PURPOSE, Strength, change, create, end, secret,
};
use crate::flow::operations::inventory;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, ClientMetadata, ClientPolicy, ClientSecret, Digest, EventKind, Id, Secret, Timestamp};
use crate::protocol::client_registration::{METADATA_MEMBERS, POLICY_MEMBERS};
use crate::store::Write;

pub(super) const SECTION: &str = "clients";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) client_id: String,
    metadata: Map<String, Value>,
    policy: Map<String, Value>,
    secret: Option<Secret>,
    stored_secrets: Option<Vec<StoredSecret>>,
    accept_weak: bool,
    disabled: Option<bool>,
    trusted: Option<bool>,
    pub(super) given: access::Given,
    pub(super) settings: Map<String, Value>,
}

/// A secret as `export --with-secrets` writes it, sealed: what is compared with, and the secret itself where it is needed.
#[derive(Clone, Serialize, Deserialize)]
struct StoredSecret {
    digest: String,
    secret: Option<String>,
    created_at: String,
    expires_at: Option<String>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, opener: &Opener, mistakes: &mut Mistakes) -> Option<Self> {
        let client_id = reader.required("client_id", mistakes);
        let metadata = reader.patch(METADATA_MEMBERS);
        let policy = reader.patch(POLICY_MEMBERS);
        try_over::<ClientMetadata>(&ClientMetadata::default(), &metadata, &reader, mistakes);
        try_over::<ClientPolicy>(&ClientPolicy::default(), &policy, &reader, mistakes);
        let secret = reader.secret("client_secret", mistakes);
        let accept_weak = reader.flag("accept_weak", mistakes).unwrap_or(false);
        let disabled = reader.flag("disabled", mistakes);
        let trusted = reader.flag("trusted", mistakes);
        let stored_secrets = reader.value("client_secrets").and_then(|value| {
            let sealed = value.as_array()?;
            let opened = sealed
                .iter()
                .filter_map(|one| opener.open(one, &reader, "client_secrets", mistakes));
            Some(opened.collect::<Vec<_>>())
        });
        let stored_secrets = stored_secrets.map(|secrets| {
            let read = |secret: &Secret| serde_json::from_str(secret.expose()).ok();
            secrets.iter().filter_map(read).collect()
        });
        let given = access::read(&mut reader, mistakes);
        let settings = layers::read(&mut reader, mistakes);
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            client_id: client_id?,
            metadata,
            policy,
            secret,
            stored_secrets,
            accept_weak,
            disabled,
            trusted,
            given,
            settings,
        })
    }
}

/// Notes each member of a patch that can't be laid over a value.
fn try_over<T: Serialize + DeserializeOwned>(
    base: &T,
    patch: &Map<String, Value>,
    reader: &Reader<'_>,
    mistakes: &mut Mistakes,
) {
    for (name, value) in patch {
        let mut one = Map::new();
        one.insert(name.clone(), value.clone());
        if let Err(error) = laid_over::<T>(base, &one) {
            mistakes.add(&reader.at(name), "invalid", format!("{name}: {error}"));
        }
    }
}

/// A client as the file has it, without secrets.
pub(in crate::flow::operations) fn to_json(client: &Client) -> Result<Map<String, Value>, Error> {
    let mut entry = members(&client.metadata)?;
    entry.extend(members(&client.policy)?);
    entry.insert("client_id".to_owned(), client.client_id.clone().into());
    entry.insert("disabled".to_owned(), client.disabled_at.is_some().into());
    entry.insert("trusted".to_owned(), client.trusted.into());
    Ok(entry)
}

/// The client's secrets as the file has them, to be sealed.
pub(in crate::flow::operations) fn stored_secrets(provider: &Provider, client: &Client) -> Result<Vec<String>, Error> {
    let mut secrets = Vec::new();
    for secret in &client.secrets {
        let clear = match &secret.sealed {
            None => None,
            Some(sealed) => {
                let plain = provider
                    .master
                    .open(SECRET_PURPOSE, sealed)
                    .map_err(|error| Error::Failed(Box::new(error)))?;
                String::from_utf8(plain.to_vec()).ok()
            }
        };
        let stored = StoredSecret {
            digest: URL_SAFE_NO_PAD.encode(secret.digest.as_bytes()),
            secret: clear,
            created_at: secret.created_at.rfc3339(),
            expires_at: secret.expires_at.map(Timestamp::rfc3339),
        };
        secrets.push(serde_json::to_string(&stored).map_err(|error| Error::Failed(Box::new(error)))?);
    }
    Ok(secrets)
}

fn members<T: Serialize>(value: &T) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(Error::Failed(Box::new(error))),
    }
}

/// What is done with a client.
pub(super) struct ClientAct {
    existing: Option<Id<Client>>,
    client_id: String,
    version: i64,
    fields_change: bool,
    metadata: ClientMetadata,
    policy: ClientPolicy,
    trusted: bool,
    secret: Option<Given>,
    stored_secrets: Option<Vec<StoredSecret>>,
    disable: Option<bool>,
}

pub(super) async fn plan(provider: &Provider, call: &Call, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries {
        let before = match inventory::client(provider, &entry.client_id).await {
            Ok(client) => Some(client),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        planned.extend(plan_one(provider, call, entry, before)?);
    }
    Ok(planned)
}

fn plan_one(provider: &Provider, call: &Call, entry: &Entry, before: Option<Client>) -> Result<Option<Planned>, Error> {
    let failed = |error: serde_json::Error| Error::Failed(Box::new(error));
    let old = before.as_ref();
    let old_metadata = old.map(|client| client.metadata.clone()).unwrap_or_default();
    let old_policy = old.map(|client| client.policy.clone()).unwrap_or_default();
    let metadata = laid_over(&old_metadata, &entry.metadata).map_err(failed)?;
    let policy = laid_over(&old_policy, &entry.policy).map_err(failed)?;
    clients::validation::validate(&provider.egress, &metadata, &policy)
        .map_err(|error| super::below(error, &entry.pointer))?;
    let shown_before = match old {
        Some(client) => to_json(client)?,
        None => Map::new(),
    };
    let mut shown_after = members(&metadata)?;
    shown_after.extend(members(&policy)?);
    shown_after.insert("client_id".to_owned(), entry.client_id.clone().into());
    let was_disabled = old.is_some_and(|client| client.disabled_at.is_some());
    let disabled = entry.disabled.unwrap_or(was_disabled);
    shown_after.insert("disabled".to_owned(), disabled.into());
    let trusted = entry.trusted.unwrap_or(old.is_none_or(|client| client.trusted));
    shown_after.insert("trusted".to_owned(), trusted.into());
    let mut fields = FieldChange::between(&shown_before, &shown_after);
    let fields_change = fields.iter().any(|change| change.field != "disabled");
    let secret = entry
        .secret
        .clone()
        .filter(|secret| !holds(old, secret, call.now))
        .map(|secret| Given {
            secret,
            strength: if entry.accept_weak {
                Strength::Waived
            } else {
                Strength::Demanded
            },
        });
    let stored_secrets = entry
        .stored_secrets
        .clone()
        .filter(|secrets| !is_same(provider, old, secrets));
    if secret.is_some() || stored_secrets.is_some() {
        fields.push(FieldChange::secret("client_secret"));
    }
    if fields.is_empty() {
        return Ok(None);
    }
    Ok(Some(Planned {
        pointer: entry.pointer.clone(),
        change: Change {
            section: SECTION,
            name: entry.client_id.clone(),
            action: if old.is_some() { Action::Change } else { Action::Create },
            fields,
        },
        act: Act::Client(Box::new(ClientAct {
            existing: old.map(|client| client.id),
            client_id: entry.client_id.clone(),
            version: old.map_or(1, |client| client.version),
            fields_change,
            metadata,
            policy,
            trusted,
            secret,
            stored_secrets,
            disable: (disabled != was_disabled).then_some(disabled),
        })),
    }))
}

/// Whether a secret is one of the client's that still counts.
fn holds(client: Option<&Client>, secret: &Secret, now: Timestamp) -> bool {
    let digest = secret.digest();
    client.is_some_and(|client| {
        client
            .secrets
            .iter()
            .any(|known| known.digest.matches(&digest) && known.expires_at.is_none_or(|end| now < end))
    })
}

fn is_same(provider: &Provider, client: Option<&Client>, wanted: &[StoredSecret]) -> bool {
    let Some(client) = client else {
        // also one that has none left says so
        return false;
    };
    let key = |secret: &StoredSecret| (secret.digest.clone(), secret.expires_at.clone());
    let known = stored_secrets(provider, client).unwrap_or_default();
    let mut known: Vec<_> = known
        .iter()
        .filter_map(|text| serde_json::from_str::<StoredSecret>(text).ok())
        .map(|secret| key(&secret))
        .collect();
    let mut wanted: Vec<_> = wanted.iter().map(key).collect();
    known.sort();
    wanted.sort();
    known == wanted
}

pub(super) async fn remove(tx: &mut Write, call: &Call, id: Id<Client>) -> Result<(), Error> {
    let client = tx.find_client(id).await?.ok_or(Error::NotFound)?;
    end::delete_in(tx, call, client).await
}

/// An act with everything done that takes time: a sector document may have been fetched.
pub(super) struct ReadyClient {
    id: Id<Client>,
    main: Main,
    /// Another secret, and for how long the one before counts.
    secret: Option<(Secret, Duration)>,
    stored_secrets: Option<Vec<ClientSecret>>,
    disable: Option<bool>,
}

/// What becomes of the row.
enum Main {
    Add(Box<Client>),
    Change(Box<Client>),
    Keep,
}

pub(super) async fn prepare(
    provider: &Provider,
    call: &Call,
    overlap: Duration,
    act: ClientAct,
) -> Result<ReadyClient, Error> {
    let stored_secrets = match &act.stored_secrets {
        Some(secrets) => Some(rows(provider, call, secrets)?),
        None => None,
    };
    let disable = act.disable;
    let Some(id) = act.existing else {
        let client = create::build(provider, call, new_client(&act)?, None).await?.client;
        return Ok(ReadyClient {
            id: client.id,
            main: Main::Add(Box::new(client)),
            secret: None,
            stored_secrets,
            disable,
        });
    };
    let secret = match act.secret {
        Some(given) => {
            let secret = secret::take(Some(given), act.metadata.token_endpoint_auth_method)?;
            Some((secret, overlap))
        }
        None => None,
    };
    let main = if act.fields_change {
        let change = ClientChange {
            metadata: Some(act.metadata),
            policy: Some(act.policy),
            trusted: Some(act.trusted),
            expected_version: Some(act.version),
            authority: Authority::Operator,
        };
        Main::Change(Box::new(change::make_ready(provider, call, id, change).await?))
    } else {
        Main::Keep
    };
    Ok(ReadyClient {
        id,
        main,
        secret,
        stored_secrets,
        disable,
    })
}

pub(super) async fn write(
    tx: &mut Write,
    provider: &Provider,
    call: &Call,
    ready: &ReadyClient,
    afterwards: &mut Afterwards,
) -> Result<(), Error> {
    let id = ready.id;
    match &ready.main {
        Main::Add(client) => {
            match create::add(tx, call, client).await {
                Err(Error::Conflict(_)) => return Err(Error::field("/client_id", "taken", "another client has it")),
                added => added?,
            }
            tx.mark_client_applied(id).await?;
        }
        Main::Change(client) => drop(change::change_in(tx, provider, call, client).await?),
        Main::Keep => (),
    }
    if let Some((secret, overlap)) = &ready.secret {
        let client = find(tx, id).await?;
        if !client.metadata.token_endpoint_auth_method.uses_secret() {
            return Err(Error::Stale);
        }
        secret::rotate_in(tx, provider, call, client, (secret, *overlap)).await?;
    }
    if let Some(rows) = &ready.stored_secrets {
        install(tx, call, id, rows).await?;
    }
    let Some(disable) = ready.disable else {
        return Ok(());
    };
    let client = find(tx, id).await?;
    match (disable, client.disabled_at) {
        (true, None) => {
            end::disable_in(tx, call, client).await?;
            afterwards.disabled.push(id);
        }
        (false, Some(_)) => drop(end::enable_in(tx, call, client).await?),
        (true, Some(_)) | (false, None) => (),
    }
    Ok(())
}

async fn find(tx: &mut Write, id: Id<Client>) -> Result<Client, Error> {
    tx.find_client(id).await?.ok_or(Error::NotFound)
}

/// The client to be.
fn new_client(act: &ClientAct) -> Result<NewClient, Error> {
    let needs = act.metadata.token_endpoint_auth_method.uses_secret();
    if needs && act.secret.is_none() && act.stored_secrets.is_none() {
        let detail = "a new client that authenticates by secret needs one here: it can't be told otherwise";
        return Err(Error::field("/client_secret", "required", detail));
    }
    Ok(NewClient {
        metadata: act.metadata.clone(),
        policy: act.policy.clone(),
        client_id: Some(act.client_id.clone()),
        secret: act.secret.clone(),
        trusted: act.trusted,
        authority: Authority::Operator,
    })
}

/// What can be seen to be wrong before anything is changed.
pub(super) async fn judge(provider: &Provider, call: &Call, act: &ClientAct) -> Result<(), Error> {
    if let Some(secrets) = &act.stored_secrets {
        rows(provider, call, secrets)?;
    }
    if act.existing.is_none() {
        return clients::create::judge(provider, call, new_client(act)?).await;
    }
    if let Some(given) = &act.secret {
        let method = act.metadata.token_endpoint_auth_method;
        if !method.uses_secret() {
            return Err(Error::field(
                "/client_secret",
                "contradiction",
                "the client authenticates without a secret",
            ));
        }
        clients::secret::take(Some(given.clone()), method)?;
    }
    clients::sector_document::judge(provider, &act.metadata).await
}

/// Exported secrets as rows.
fn rows(provider: &Provider, call: &Call, secrets: &[StoredSecret]) -> Result<Vec<ClientSecret>, Error> {
    let mut rows = Vec::new();
    for secret in secrets {
        let unreadable = || Error::field("/client_secrets", "invalid", "this is no exported secret");
        let digest = URL_SAFE_NO_PAD.decode(&secret.digest).map_err(|_| unreadable())?;
        let expires_at = match &secret.expires_at {
            None => None,
            Some(text) => Some(Timestamp::parse(text).ok_or_else(unreadable)?),
        };
        rows.push(ClientSecret {
            id: Id::new(call.now),
            digest: Digest::from_bytes(&digest).ok_or_else(unreadable)?,
            sealed: secret
                .secret
                .as_ref()
                .map(|clear| provider.master.seal(SECRET_PURPOSE, clear.as_bytes())),
            created_at: Timestamp::parse(&secret.created_at).ok_or_else(unreadable)?,
            expires_at,
        });
    }
    Ok(rows)
}

/// Puts exported secrets in place of what is there.
async fn install(tx: &mut Write, call: &Call, id: Id<Client>, rows: &[ClientSecret]) -> Result<(), Error> {
    tx.delete_client_secrets(id).await?;
    for row in rows {
        tx.add_client_secret(id, row).await?;
    }
    let event = call.event(EventKind::ClientSecretRotated).client(id);
    tx.add_event(&event.because("moved in")).await?;
    Ok(tx.raise_client_generation().await?)
}
