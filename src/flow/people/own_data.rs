//! Everything that is held about a person, for the person (SEC-622): one JSON document. No secret is in it, no hash and no digest:
//! whoever finds the file signs in nowhere with it.

use serde_json::{Value, json};

use crate::flow::session::{self, Asker};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, ClientUser, Event, EventKind, Id, LayerOwner, RoleHolder, Timestamp, User};
use crate::store::{Membership, Read};

/// What is told of each kind at most: who has more is told so, and reads the rest page by page.
const MOST: u32 = 5_000;
/// Events are many, and have pages of their own.
const MOST_EVENTS: u32 = 20_000;

/// Why nothing was given out.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// The person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Where what a table holds about somebody stands in the document, or why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// As this member.
    As(&'static str),
    /// Not, and why not.
    Not(&'static str),
}

/// Every table that holds something about people.
pub const TABLES: &[(&str, Told)] = &[
    ("users", Told::As("account")),
    (
        "user_properties",
        Told::Not("what people are found by of the values that the account tells"),
    ),
    (
        "user_words",
        Told::Not("what people are found by of the names and addresses that the account tells"),
    ),
    ("pictures", Told::As("picture")),
    ("group_members", Told::As("groups")),
    ("user_roles", Told::As("roles")),
    ("limited_roles", Told::As("limited_roles")),
    ("group_owners", Told::As("owned_groups")),
    ("client_access", Told::As("given_applications")),
    ("user_settings", Told::As("settings")),
    ("factors", Told::As("factors")),
    ("recovery_codes", Told::As("recovery_codes")),
    ("sessions", Told::As("sessions")),
    ("session_clients", Told::As("sessions")),
    ("devices", Told::As("devices")),
    ("consents", Told::As("consents")),
    ("grants", Told::As("applications")),
    ("terms_acceptances", Told::As("terms")),
    ("events", Told::As("events")),
    (
        "access_requests",
        Told::Not("wishes for an account, of whoever had none yet, for thirty days"),
    ),
    (
        "password_history",
        Told::Not("hashes of former passwords, and nothing else"),
    ),
    (
        "action_links",
        Told::Not("digests of links that were mailed; when they were, the events say"),
    ),
    (
        "access_tokens",
        Told::Not("digests of tokens; which application has access, the applications say"),
    ),
    (
        "refresh_tokens",
        Told::Not("digests of tokens; which application has access, the applications say"),
    ),
    (
        "traces",
        Told::Not("why a request was refused, for administrators, for a week"),
    ),
    ("outbox", Told::Not("mails on their way, sealed")),
    (
        "logouts",
        Told::Not("which application was told of the end of a session, without the person once that is done"),
    ),
    (
        "api_keys",
        Told::Not("digests of keys of scripts that act as an administrator; when they were made, the events say"),
    ),
    ("event_values", Told::As("events")),
    ("ended", Told::Not("ids of what has ended, for an hour")),
    ("jobs", Told::Not("work on many users, for administrators, for a week")),
    (
        "job_items",
        Told::Not("what became of each of them; what was done to an account, the events say"),
    ),
    ("imports", Told::Not("files of users, for administrators, for a month")),
    ("import_parts", Told::Not("the files themselves, until they are read")),
    (
        "import_rows",
        Told::Not("which row of which file was about whom, for a month; what became of the account, the events say"),
    ),
    (
        "exports",
        Told::Not("which files of users were wanted, for administrators, for a day"),
    ),
    ("export_parts", Told::Not("the files themselves, for a day")),
    ("departed_subjects", Told::Not("digests, of people who are gone")),
];

/// Gives out everything that is held about whoever asks. It is noted.
///
/// # Errors
/// [`NotExported`]
pub async fn export_own_data(provider: &Provider, call: &Call, asker: Asker) -> Result<Value, NotExported> {
    if !session::is_freshly_proved(provider, call, asker).await? {
        return Err(NotExported::ProofTooOld);
    }
    let call = &call.by(Actor::User(asker.user));
    let held = held(provider, call, asker.user).await?;
    let mut tx = provider.store.write().await.map_err(Error::from)?;
    let event = call.event(EventKind::UserExported).user(asker.user);
    tx.add_event(&event).await.map_err(Error::from)?;
    tx.commit().await.map_err(Error::from)?;
    Ok(held)
}

fn membership(membership: &Membership) -> Value {
    json!({
        "name": membership.name,
        "primary": membership.primary,
        "since": membership.since.rfc3339(),
        "starts_at": membership.term.starts_at.map(Timestamp::rfc3339),
        "ends_at": membership.term.ends_at.map(Timestamp::rfc3339),
    })
}

async fn held(provider: &Provider, call: &Call, id: Id<User>) -> Result<Value, Error> {
    let mut store = provider.store.read().await?;
    let user = store.find_user(id).await?.ok_or(Error::NotFound)?;
    let (sessions, devices) = sign_ins(&mut store, id).await?;
    let (consents, applications) = applications(&mut store, id).await?;
    let (factors, recovery_codes) = factors(&mut store, id).await?;
    let groups = store.list_memberships_of(id).await?;
    let roles = store.list_roles_of_user(id).await?;
    let limited = store.list_limited_roles_of(RoleHolder::User(id)).await?;
    let owned = store.list_owned_groups(id).await?;
    let given = store.list_clients_given_to(ClientUser::User(id)).await?;
    let layer = store.get_layer(LayerOwner::User(id)).await?;
    let picture = store.find_picture_of(id).await?;
    let accepted = store.list_acceptances_of(id).await?;
    let terms = accepted.into_iter().map(|accepted| {
        json!({
            "name": accepted.name,
            "version": accepted.version,
            "accepted_at": accepted.accepted_at.rfc3339(),
            "locale": accepted.locale,
            "occasion": accepted.occasion,
        })
    });
    let terms: Vec<Value> = terms.collect();
    drop(store);
    let (events, are_all) = events(provider, id).await?;
    Ok(json!({
        "exported_at": call.now.rfc3339(),
        "issuer": provider.issuer.as_str(),
        "account": account(&user)?,
        "picture": picture.map(|picture| json!({
            "address": user.profile.picture,
            "media_type": picture.format.as_str(),
            "created_at": picture.created_at.rfc3339(),
            "content": base64(&picture.bytes),
        })),
        "groups": groups.iter().map(membership).collect::<Vec<_>>(),
        "roles": roles.iter().map(|role| &role.name).collect::<Vec<_>>(),
        "limited_roles": limited
            .iter()
            .map(|limited| json!({"role": limited.name, "over": limited.place_name}))
            .collect::<Vec<_>>(),
        "owned_groups": owned,
        "given_applications": given,
        "settings": layer.iter().map(|(key, value)| ((*key).to_owned(), value.to_json())).collect::<serde_json::Map<_, _>>(),
        "factors": factors,
        "recovery_codes": {"left": recovery_codes},
        "sessions": sessions,
        "devices": devices,
        "consents": consents,
        "terms": terms,
        "applications": applications,
        "events": events,
        // older ones are read page by page at /api/v1/me/events
        "events_are_complete": are_all,
    }))
}

fn account(user: &User) -> Result<Value, Error> {
    let profile = serde_json::to_value(&user.profile).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(json!({
        "id": user.id.to_string(),
        "subject": user.subject,
        "username": user.username,
        "type": user.kind.as_str(),
        "status": user.status.as_str(),
        "profile": profile,
        "has_password": user.password.is_some(),
        "password_changed_at": user.password_changed_at.map(|at| at.rfc3339()),
        "password_expired_at": user.password_expired_at.map(|at| at.rfc3339()),
        "required_actions": user.required_actions,
        "starts_at": user.starts_at.map(|at| at.rfc3339()),
        "expires_at": user.expires_at.map(|at| at.rfc3339()),
        "deletion_at": user.deletion_at.map(|at| at.rfc3339()),
        "invited_at": user.invited_at.map(|at| at.rfc3339()),
        "signed_in_at": user.signed_in_at.map(|at| at.rfc3339()),
        "created_at": user.created_at.rfc3339(),
        "updated_at": user.updated_at.rfc3339(),
    }))
}

async fn sign_ins(store: &mut Read, id: Id<User>) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let served = store.list_clients_of_sessions_of(id, MOST).await?;
    let sessions = store.list_sessions_of(id, MOST).await?;
    let sessions = sessions.into_iter().map(|session| {
        let of_this = served.iter().filter(|served| served.session == session.id);
        json!({
            "id": session.id.to_string(),
            "started_at": session.started_at.rfc3339(),
            "ended_at": session.ended_at.map(|at| at.rfc3339()),
            "address": session.address,
            "place": session.place,
            "user_agent": session.user_agent,
            "applications": of_this.map(|served| served.name.clone()).collect::<Vec<_>>(),
        })
    });
    let devices = store.list_devices_of(id, MOST).await?;
    let devices = devices.into_iter().map(|device| {
        json!({
            "id": device.id.to_string(),
            "state": device.state,
            "user_agent": device.user_agent,
            "address": device.address,
            "place": device.place,
            "first_at": device.first_at.rfc3339(),
            "last_at": device.last_at.rfc3339(),
        })
    });
    Ok((sessions.collect(), devices.collect()))
}

async fn applications(store: &mut Read, id: Id<User>) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let names = store.list_allowed_clients_of(id, MOST).await?;
    let consents = store.list_consents_of(id, MOST).await?;
    let consents = consents.into_iter().map(|consent| {
        let client = names.iter().find(|client| client.id == consent.client);
        json!({
            "client_id": client.map(|client| client.client_id.clone()),
            "name": client.map(|client| client.name().to_owned()),
            "scope": consent.scope.to_string(),
            "claims": consent.claims,
            "given_at": consent.given_at.rfc3339(),
        })
    });
    let grants = store.list_held_grants_of(id, MOST).await?;
    let applications = grants.into_iter().map(|grant| {
        json!({
            "client_id": grant.client_id,
            "name": grant.name,
            "scope": grant.terms.scope.to_string(),
            "resources": grant.terms.resources,
            "started_at": grant.created_at.rfc3339(),
            "ends_at": grant.expires_at.rfc3339(),
            "ended_at": grant.ended_at.map(|at| at.rfc3339()),
        })
    });
    Ok((consents.collect(), applications.collect()))
}

async fn factors(store: &mut Read, id: Id<User>) -> Result<(Vec<Value>, i64), Error> {
    let factors = store.list_factors_of(id).await?;
    let factors = factors.into_iter().map(|factor| {
        json!({
            "id": factor.id.to_string(),
            "kind": factor.kind(),
            "name": factor.name,
            "created_at": factor.created_at.rfc3339(),
            "used_at": factor.used_at.map(|at| at.rfc3339()),
        })
    });
    Ok((factors.collect(), store.count_recovery_codes_of(id).await?))
}

async fn events(provider: &Provider, id: Id<User>) -> Result<(Vec<Value>, bool), Error> {
    const PAGE: u32 = 500;
    let mut events = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = super::own_events(provider, id, after.as_deref(), PAGE).await?;
        let ids: Vec<Id<Event>> = page.items.iter().filter_map(|event| event.id.parse().ok()).collect();
        let values = provider.store.read().await?.list_event_values(&ids).await?;
        events.extend(page.items.into_iter().map(|event| {
            let mut told = event.to_json();
            let of_event = values.iter().find(|row| row.event.to_string() == event.id);
            if let (Some(row), Value::Object(told)) = (of_event, &mut told) {
                told.insert("changes".to_owned(), json!(row.values.fields()));
            }
            told
        }));
        after = page.next;
        if after.is_none() {
            return Ok((events, true));
        }
        if events.len() >= usize::try_from(MOST_EVENTS).unwrap_or(usize::MAX) {
            return Ok((events, false));
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
