//! What somebody has at one client, where that client lets people in less often than everybody else does.
//!
//! A login at a client is a session that serves it, together with the families of tokens that began in that session; a family
//! whose session is over is one by itself. It ends at this client alone.

use std::time::Duration;

use super::kept;
use crate::flow::effective::{LoginLimit, WhenFull};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Fact, Id, Session, Timestamp, User};
use crate::sessions::AtLimit;
use crate::store::{OfflineFamily, ServedClient, Write};

/// More applications of all sessions of one person, and more families, are not looked at.
const MOST: u32 = 1000;
/// A session that began this short a time ago may not have been seen yet.
const FRESH: Duration = Duration::from_secs(60);
/// Why a login at a client ended, in the rows.
const WHY: &str = "too_many_at_client";

/// What the session store knows of somebody's logins at a client. What SQL knows is read where it is judged.
pub(in crate::flow) struct AtClient {
    client: Id<Client>,
    user: Id<User>,
    held: Vec<Session>,
    now: Timestamp,
}

/// A login at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) struct ClientLogin {
    pub(in crate::flow) session: Id<Session>,
    started: Timestamp,
    seen: Timestamp,
}

impl AtClient {
    pub(in crate::flow) async fn of(
        provider: &Provider,
        call: &Call,
        user: Id<User>,
        client: Id<Client>,
    ) -> Result<Self, Error> {
        Ok(Self {
            client,
            user,
            held: kept::list(provider, call, user).await?,
            now: call.now,
        })
    }

    /// Whether somebody who would be signed in to the client in session `own` has room; else the others.
    pub(in crate::flow) async fn others(
        &self,
        provider: &Provider,
        own: Id<Session>,
    ) -> Result<Option<Vec<ClientLogin>>, Error> {
        let mut store = provider.store.read().await?;
        let served = store.list_served_clients_of(self.user, self.now, MOST).await?;
        let families = store.list_offline_families_of(self.user, self.now, MOST).await?;
        Ok(self.without(own, &served, &families))
    }

    /// Makes room in the transaction in which `own` comes to serve the client. False: there is none, and the transaction is to
    /// be abandoned.
    pub(in crate::flow) async fn make_room(
        &self,
        store: &mut Write,
        call: &Call,
        own: Id<Session>,
        limit: LoginLimit,
    ) -> Result<bool, Error> {
        // of those who come at once each sees the ones before
        store.hold_user(self.user).await?;
        let served = store.list_served_clients_of(self.user, self.now, MOST).await?;
        let families = store.list_offline_families_of(self.user, self.now, MOST).await?;
        let Some(mut others) = self.without(own, &served, &families) else {
            return Ok(true);
        };
        let Some(over) = limit.over(others.len()) else {
            return Ok(true);
        };
        match limit.at_limit {
            WhenFull::Settled(AtLimit::EndOldest) => others.sort_by_key(|login| (login.started, login.session)),
            WhenFull::Settled(AtLimit::EndLeastRecent) => others.sort_by_key(|login| (login.seen, login.session)),
            WhenFull::Settled(AtLimit::Refuse) | WhenFull::Ask => return Ok(false),
        }
        for login in others.iter().take(over) {
            self.end(store, call, login.session).await?;
        }
        Ok(true)
    }

    /// Ends what a session has at the client.
    pub(in crate::flow) async fn end(&self, store: &mut Write, call: &Call, session: Id<Session>) -> Result<(), Error> {
        store.end_login_at_client(session, self.client, call.now, WHY).await?;
        let event = call
            .event(EventKind::SignOut)
            .because(WHY)
            .user(self.user)
            .client(self.client);
        Ok(store
            .add_event(&event.fact("session", Fact::Id(session.uuid())))
            .await?)
    }

    /// The logins beside that of `own`; nothing if that is one of them already.
    fn without(
        &self,
        own: Id<Session>,
        served: &[ServedClient],
        families: &[OfflineFamily],
    ) -> Option<Vec<ClientLogin>> {
        let mut logins: Vec<ClientLogin> = Vec::new();
        for one in served.iter().filter(|one| one.client == self.client) {
            let held = self.held.iter().find(|session| session.id == one.session);
            if held.is_none() && one.started_at.after(FRESH) < self.now {
                // it ended by itself
                continue;
            }
            logins.push(ClientLogin {
                session: one.session,
                started: one.since,
                seen: held.map_or(one.since, |session| session.seen),
            });
        }
        for family in families.iter().filter(|family| family.client == self.client) {
            match logins.iter_mut().find(|login| login.session == family.session) {
                Some(login) => login.seen = login.seen.max(family.used_at),
                None => logins.push(ClientLogin {
                    session: family.session,
                    started: family.created_at,
                    seen: family.used_at,
                }),
            }
        }
        if logins.iter().any(|login| login.session == own) {
            return None;
        }
        Some(logins)
    }
}
