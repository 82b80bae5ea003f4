//! Logins that ended because another one took their place. The session store lets them go in the step that admits the other;
//! their rows are told in the transaction that writes the other down. If nothing comes of that, they come back.

use std::time::Duration;

use crate::clock;
use crate::flow::{Call, Error, Provider};
use crate::model::{Digest, EventKind, Fact, Id, Session, User};
use crate::sessions::{Admission, AtLimit, LetGo, Login, MadeRoom, NOTE, Room};
use crate::store::Write;

const WHY: &str = "too_many";
/// Why a session ended that its browser had lost sight of.
const BEGUN_AGAIN: &str = "begun_again";

/// How long is waited before their rows are told, and told again: four minutes in all.
const PAUSES_SECONDS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Those who made room.
#[derive(Clone, Debug, Default)]
pub(in crate::flow) struct PushedOut {
    /// Sessions.
    pub(in crate::flow) sessions: Vec<Id<Session>>,
    /// Families that outlive their sessions, by the codes that they were redeemed for.
    pub(in crate::flow) families: Vec<Digest>,
    /// Sessions whose browser begins another one, because it does not know of them.
    pub(in crate::flow) begun_again: Vec<Id<Session>>,
}

impl From<&MadeRoom> for PushedOut {
    fn from(made_room: &MadeRoom) -> Self {
        Self {
            sessions: made_room.sessions.iter().map(|let_go| let_go.session.id).collect(),
            families: made_room.families.clone(),
            begun_again: Vec::new(),
        }
    }
}

impl PushedOut {
    pub(in crate::flow) const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.families.is_empty() && self.begun_again.is_empty()
    }

    /// With what was chosen: that ends, whether or not it was needed after all.
    #[must_use]
    pub(in crate::flow) fn with(mut self, chosen: &[Login]) -> Self {
        for login in chosen {
            match login {
                Login::Session(id) if !self.sessions.contains(id) => self.sessions.push(*id),
                Login::Family(code) if !self.families.contains(code) => self.families.push(*code),
                Login::Session(_) | Login::Family(_) => {}
            }
        }
        self
    }
}

/// Lets go of chosen sessions that the session store still holds, because there was room without them. SQL has ended them.
pub(in crate::flow) async fn let_go(provider: &Provider, user: Id<User>, chosen: &[Login]) {
    for login in chosen {
        if let Login::Session(id) = login
            && let Err(error) = provider.sessions.end(user, *id).await
        {
            tracing::warn!(session = %id, %error, "an ended session stays in the session store until it expires");
        }
    }
}

/// Ends them, with what hangs on them. Those that have ended already stay as they are.
pub(in crate::flow) async fn end(
    store: &mut Write,
    call: &Call,
    user: Id<User>,
    pushed_out: &PushedOut,
) -> Result<(), Error> {
    let again = pushed_out.begun_again.iter().map(|session| (session, BEGUN_AGAIN));
    let sessions = pushed_out.sessions.iter().map(|session| (session, WHY));
    for (session, why) in again.chain(sessions) {
        if store.end_session(*session, call.now, why).await? {
            store.end_grants_of_session(*session, call.now, why).await?;
            let ended = call.event(EventKind::SignOut).because(why).user(user);
            store
                .add_event(&ended.fact("session", Fact::Id(session.uuid())))
                .await?;
        }
    }
    for code in &pushed_out.families {
        let Some(grant) = store.find_grant_by_code(code).await? else {
            continue;
        };
        if store.end_grant(grant.id, call.now, WHY).await? {
            let ended = call
                .event(EventKind::SignOut)
                .because(WHY)
                .user(user)
                .client(grant.client);
            store.add_event(&ended.fact("grant", Fact::Id(grant.id.uuid()))).await?;
        }
    }
    Ok(())
}

/// Lets those come back who made room for something that nothing came of, each if there still is room for it. The others have
/// to end: somebody else has their places, or the session store does not answer.
///
/// `room` is what they made it in. What they made it for holds no place of theirs any more.
pub(in crate::flow) async fn come_back(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    room: Room<'_>,
    made_room: &MadeRoom,
) {
    let mut strict = Room { first: &[], ..room };
    strict.limit.at_limit = AtLimit::Refuse;
    let mut rest = PushedOut::default();
    for LetGo { token, session } in &made_room.sessions {
        if !matches!(
            provider.sessions.put_back(token, session, strict, call.now).await,
            Ok(true)
        ) {
            rest.sessions.push(session.id);
        }
    }
    for code in &made_room.families {
        let until = call.now.after(NOTE);
        // it counts by the note, and then by itself again
        let back = match provider.sessions.reserve(user, code, until, strict, call.now).await {
            Ok(Admission::Admitted(_)) => provider.sessions.release(user, code).await.is_ok(),
            Ok(Admission::Refused { .. }) | Err(_) => false,
        };
        if !back {
            rest.families.push(*code);
        }
    }
    end_later(provider, call, user, rest);
}

/// Ends them in a transaction of their own, later if that does not work now.
pub(in crate::flow) async fn end_now(provider: &Provider, call: &Call, user: Id<User>, pushed_out: PushedOut) {
    if let Err(error) = write_down(provider, call, user, &pushed_out).await {
        tracing::warn!(%user, %error, "logins that made room go on in the store for now");
        end_later(provider, call, user, pushed_out);
    }
}

/// Ends them as soon as the store takes it: the session store has let them go. Until then nobody is signed in by them, but what was granted in them goes on and no list shows it.
fn end_later(provider: &Provider, call: &Call, user: Id<User>, pushed_out: PushedOut) {
    if pushed_out.is_empty() {
        return;
    }
    let (provider, call) = (provider.clone(), call.clone());
    tokio::spawn(async move {
        for seconds in PAUSES_SECONDS {
            clock::sleep(Duration::from_secs(seconds)).await;
            match write_down(&provider, &call, user, &pushed_out).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%user, %error, "logins that made room go on in the store for now"),
            }
        }
        tracing::error!(%user, logins = ?pushed_out, "logins that made room go on in the store until they expire");
    });
}

async fn write_down(provider: &Provider, call: &Call, user: Id<User>, pushed_out: &PushedOut) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    end(&mut store, call, user, pushed_out).await?;
    Ok(store.commit().await?)
}
