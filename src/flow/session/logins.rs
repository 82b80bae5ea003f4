//! What counts as a login of somebody: a session of a browser, and a family of tokens that outlives its session. What the
//! limit counts, and what people see of it.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::kept;
use crate::clock;
use crate::flow::effective::LoginLimit;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, Digest, Id, Session, Timestamp, User};
use crate::sessions::{AtLimit, Family, Limit, Login, Room};
use crate::store::{OfflineFamily, ServedClient, SessionRow};

/// More families of one person are not looked at: twice as many as anybody may have logins.
const MOST: u32 = 400;
/// More applications of all sessions of one person are not named.
const MOST_APPLICATIONS: u32 = 1000;
/// How long ago a family may have ended so that the session store still has a note of it.
const OF_LATE: Duration = Duration::from_secs(15 * 60);

/// A person's families that outlive their sessions, as SQL says.
pub(in crate::flow) struct Families {
    live: Vec<OfflineFamily>,
    counted: Vec<Family>,
    ended: Vec<Digest>,
    asked: Instant,
}

impl Families {
    pub(in crate::flow) async fn of(provider: &Provider, call: &Call, user: Id<User>) -> Result<Self, Error> {
        let asked = clock::monotonic();
        let mut store = provider.store.read().await?;
        let live = store.list_offline_families_of(user, call.now, MOST).await?;
        let ended = store
            .list_ended_offline_codes_of(user, call.now.before(OF_LATE), MOST)
            .await?;
        let counted = live.iter().map(|family| Family {
            code: family.code,
            started: family.created_at,
            seen: family.used_at,
        });
        Ok(Self {
            counted: counted.collect(),
            live,
            ended,
            asked,
        })
    }

    /// What there is room for beside them. `first` goes before anybody else.
    pub(in crate::flow) fn room<'a>(&'a self, limit: LoginLimit, at_limit: AtLimit, first: &'a [Login]) -> Room<'a> {
        Room {
            limit: Limit {
                max: Some(limit.max),
                at_limit,
            },
            families: &self.counted,
            ended: &self.ended,
            first,
            begun_in: None,
            asked: Some(self.asked),
        }
    }

    /// Those that a client got in a session.
    pub(in crate::flow) fn of_session(&self, session: Id<Session>, client: Id<Client>) -> Vec<Login> {
        let mut found: Vec<&OfflineFamily> = self
            .live
            .iter()
            .filter(|family| family.session == session && family.client == client)
            .collect();
        found.sort_by_key(|family| (family.created_at, family.grant));
        found.into_iter().map(|family| Login::Family(family.code)).collect()
    }

    /// Those that a client has.
    pub(in crate::flow) fn of_client(&self, client: Id<Client>) -> impl Iterator<Item = &OfflineFamily> {
        self.live.iter().filter(move |family| family.client == client)
    }
}

/// A login as people see it.
#[derive(Clone, Debug)]
pub struct KnownLogin {
    /// Which.
    pub(in crate::flow) login: Login,
    /// When it began.
    pub started: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
    /// What the browser said about itself when it began, where that is known.
    pub user_agent: Option<String>,
    /// Where it began: a place, else a network address.
    pub place: Option<String>,
    /// The names of the applications that it serves; of a family the one that has it.
    pub applications: Vec<String>,
}

impl KnownLogin {
    /// What a form sends when this one is chosen. It names a login among those of its person and opens nothing.
    pub fn key(&self) -> String {
        match self.login {
            Login::Session(id) => format!("s.{id}"),
            Login::Family(code) => format!("f.{}", URL_SAFE_NO_PAD.encode(code.as_bytes())),
        }
    }

    /// Whether it is an application that stays connected, and no browser.
    pub const fn is_connected(&self) -> bool {
        matches!(self.login, Login::Family(_))
    }
}

/// Those of these logins that were chosen by their keys.
pub(in crate::flow) fn chosen(logins: &[KnownLogin], keys: &[String]) -> Vec<Login> {
    let chosen = logins.iter().filter(|known| keys.contains(&known.key()));
    chosen.map(|known| known.login).collect()
}

/// Everything that counts as a login of somebody, the last used first.
pub(in crate::flow) async fn list(provider: &Provider, call: &Call, user: Id<User>) -> Result<Vec<KnownLogin>, Error> {
    let families = Families::of(provider, call, user).await?;
    let held = kept::list(provider, call, user).await?;
    let mut store = provider.store.read().await?;
    let rows = store.list_live_sessions_of(user, call.now, MOST).await?;
    let served = store.list_served_clients_of(user, call.now, MOST_APPLICATIONS).await?;
    drop(store);
    let mut logins = Vec::new();
    for session in &held {
        let row = rows.iter().find(|row| row.id == session.id);
        logins.push(KnownLogin {
            login: Login::Session(session.id),
            started: session.started,
            seen: session.seen,
            user_agent: row.and_then(|row| row.user_agent.clone()),
            place: row.and_then(place),
            applications: applications(&served, session.id),
        });
    }
    for family in &families.live {
        let row = rows.iter().find(|row| row.id == family.session);
        logins.push(KnownLogin {
            login: Login::Family(family.code),
            started: family.created_at,
            seen: family.used_at,
            user_agent: row.and_then(|row| row.user_agent.clone()),
            place: row.and_then(place),
            applications: vec![family.name.clone()],
        });
    }
    logins.sort_by_key(|login| std::cmp::Reverse((login.seen, login.started)));
    Ok(logins)
}

fn place(row: &SessionRow) -> Option<String> {
    row.place.clone().or_else(|| row.address.clone())
}

fn applications(served: &[ServedClient], session: Id<Session>) -> Vec<String> {
    let of_this = served.iter().filter(|one| one.session == session);
    of_this.map(|one| one.name.clone()).collect()
}
