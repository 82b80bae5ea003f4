//! How a session ends: in the store first, which is what counts, then in the session store.

use super::{Account, Browser};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, EventKind, Fact};

/// Why a session ended, in its row.
const SIGNED_OUT: &str = "signed_out";

/// Signs an account out of a browser. The families of tokens that were begun in the session end with it.
///
/// # Errors
/// [`Error::Unavailable`]: the person is still signed in.
pub async fn end(provider: &Provider, call: &Call, browser: &mut Browser, account: &Account) -> Result<(), Error> {
    let user = account.user.id;
    let session = account.session.id;
    let mut store = provider.store.write().await?;
    if store.end_session(session, call.now, SIGNED_OUT).await? {
        store.end_grants_of_session(session, call.now, SIGNED_OUT).await?;
        store
            .add_event(
                &call
                    .by(Actor::User(user))
                    .event(EventKind::SignOut)
                    .user(user)
                    .fact("session", Fact::Id(session.uuid())),
            )
            .await?;
    }
    store.commit().await?;
    browser.accounts.retain(|other| other.session.id != session);
    browser.is_changed = true;
    forgotten(provider.sessions.end(user, session).await);
    Ok(())
}

/// The store has said that the session ended; where the session store does not answer, the entry ends by itself.
pub(super) fn forgotten<T>(ended: Result<T, crate::sessions::Error>) {
    if let Err(error) = ended {
        tracing::warn!(%error, "an ended session is still in the store of sessions");
    }
}
