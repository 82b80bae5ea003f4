//! What the session store still holds of sessions that SQL says have ended: it was not reached when they ended, or everybody's
//! ended in one write. It signs nobody in, but it would count as a login.

use crate::flow::{Call, Error, Provider};
use crate::model::{Id, User};
use crate::sessions::NOTE;

/// Has the session store forget what of this person's sessions has ended. Says whether there was anything.
pub(super) async fn forget_ended(provider: &Provider, call: &Call, user: Id<User>) -> Result<bool, Error> {
    let mut any = false;
    for session in provider.sessions.list(user, call.now).await? {
        let row = provider.session_row(session.id, call.now).await?;
        let is_over = match row {
            Some(row) => row.ended_at.is_some(),
            // one without a row is only beginning, or nobody came to write it down: that takes no longer than a note is kept
            None => session.started.after(NOTE) < call.now,
        };
        if is_over {
            any |= provider.sessions.end(user, session.id).await?;
        }
    }
    Ok(any)
}
