//! Sessions that ended because another one took their place. The session store lets them go in the step that admits the other;
//! their rows are told in the transaction that writes the other down.

use std::time::Duration;

use crate::clock;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, Session, User};
use crate::store::Write;

const WHY: &str = "too_many";

/// How long is waited before their rows are told, and told again: four minutes in all.
const PAUSES_SECONDS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Ends them, with what hangs on them. Those that have ended already stay as they are.
pub(super) async fn end(
    store: &mut Write,
    call: &Call,
    user: Id<User>,
    pushed_out: &[Id<Session>],
) -> Result<(), Error> {
    for session in pushed_out {
        if store.end_session(*session, call.now, WHY).await? {
            store.end_grants_of_session(*session, call.now, WHY).await?;
            let ended = call.event(EventKind::SignOut).because(WHY).user(user);
            store
                .add_event(&ended.fact("session", Fact::Id(session.uuid())))
                .await?;
        }
    }
    Ok(())
}

/// Ends them as soon as the store takes it: the session store has let them go, and whoever came in their place was not written
/// down. Until then nobody is signed in by them, but what was granted in them goes on and no list shows it.
pub(super) fn end_later(provider: &Provider, call: &Call, user: Id<User>, pushed_out: Vec<Id<Session>>) {
    if pushed_out.is_empty() {
        return;
    }
    let (provider, call) = (provider.clone(), call.clone());
    tokio::spawn(async move {
        for seconds in PAUSES_SECONDS {
            clock::sleep(Duration::from_secs(seconds)).await;
            match write_down(&provider, &call, user, &pushed_out).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%user, %error, "sessions that made room go on in the store for now"),
            }
        }
        tracing::error!(%user, sessions = ?pushed_out, "sessions that made room go on in the store until they expire");
    });
}

async fn write_down(provider: &Provider, call: &Call, user: Id<User>, pushed_out: &[Id<Session>]) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    end(&mut store, call, user, pushed_out).await?;
    Ok(store.commit().await?)
}
