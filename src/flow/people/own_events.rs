//! What happened to a person's account, for the person: what was done to it, by whom in a word, and from where, as far as that was
//! they themselves or somebody unknown. Where an administrator sits is nothing to the person.

use super::Page;
use crate::flow::{Error, Provider};
use crate::model::{EventKind, Id, Outcome, Timestamp, User};
use crate::store::{EventRow, Read};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct OwnEvent {
    /// The row.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, or what it was for: a word of ours.
    pub reason: Option<String>,
    /// Who did it.
    pub by: DoneBy,
    /// From which network address.
    pub address: Option<String>,
    /// Roughly from which place, if that is known.
    pub place: Option<String>,
    /// With which browser, where that is known.
    pub user_agent: Option<String>,
    /// The name of the application that it is about.
    pub application: Option<String>,
    /// Whether a sign-in was a proof given once more.
    pub is_again: bool,
}

impl OwnEvent {
    /// As documents tell it, without what the browser is called.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id,
            "at": self.at.rfc3339(),
            "kind": self.kind,
            "outcome": self.outcome,
            "reason": self.reason,
            "by": self.by.as_str(),
            "address": self.address,
            "place": self.place,
            "user_agent": self.user_agent,
            "application": self.application,
        })
    }
}

/// Who did something, as far as that is the person's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoneBy {
    /// The person.
    Person,
    /// Somebody who administers the account.
    Administrator,
    /// An application.
    Application,
    /// The server by itself.
    Server,
    /// Nobody known.
    Unknown,
}

impl DoneBy {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Administrator => "administrator",
            Self::Application => "application",
            Self::Server => "server",
            Self::Unknown => "unknown",
        }
    }
}

/// A page of what happened to somebody's account, the last first, after a position that an earlier page gave.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn own_events(
    provider: &Provider,
    user: Id<User>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<OwnEvent>, Error> {
    let before = super::users::position(after)?;
    let mut store = provider.store.read().await?;
    let rows = store.list_events_told_to(user, before, limit.saturating_add(1)).await?;
    let page = Page::cut(rows, limit, |row: &EventRow| row.id.to_string());
    let mut items = Vec::new();
    for row in page.items {
        items.push(told(&mut store, user, row).await?);
    }
    Ok(Page { items, next: page.next })
}

async fn told(store: &mut Read, user: Id<User>, row: EventRow) -> Result<OwnEvent, Error> {
    let by = match row.actor_kind.as_str() {
        "user" if row.actor_id == Some(user.uuid()) => DoneBy::Person,
        "user" | "operator" => DoneBy::Administrator,
        // a program that administers, or one that asks for tokens
        "client" if row.facts.get("source").is_some() => DoneBy::Administrator,
        "client" => DoneBy::Application,
        "system" => DoneBy::Server,
        _ => DoneBy::Unknown,
    };
    let id_in = |name: &str| row.facts.get(name).and_then(|fact| fact.as_str()).map(str::to_owned);
    let (mut place, mut user_agent) = (None, None);
    if let Some(id) = id_in("session").and_then(|text| text.parse().ok()) {
        let session = store.find_session(id).await?.filter(|session| session.user == user);
        if let Some(session) = session {
            (place, user_agent) = (session.place, session.user_agent);
        }
    } else if let Some(id) = id_in("device").and_then(|text| text.parse().ok())
        && let Some(device) = store.find_device(user, id).await?
    {
        user_agent = device.user_agent;
    }
    let application = match row.client {
        Some(client) => {
            let client = store.find_client(Id::from_uuid(client)).await?;
            client.map(|client| client.name().to_owned())
        }
        None => None,
    };
    Ok(OwnEvent {
        id: row.id.to_string(),
        at: row.at,
        kind: row
            .kind
            .parse()
            .map_err(|_| Error::defect("an event of an unknown kind"))?,
        outcome: row
            .outcome
            .parse()
            .map_err(|_| Error::defect("an event of an unknown outcome"))?,
        reason: row.reason,
        by,
        address: row.address.filter(|_| matches!(by, DoneBy::Person | DoneBy::Unknown)),
        place,
        user_agent,
        application,
        is_again: id_in("proof").as_deref() == Some("again"),
    })
}
