//! That a session has set up the first factor of its person a moment ago: what it had proved before was all that there was, and stays
//! worth as much for as long as it would have. It says so of this session alone: whoever else holds an older one has not proved the factor.

use super::{Asker, PROOF_GOOD_FOR};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::{Call, Error, Provider};

/// Notes it.
pub(in crate::flow) async fn note(provider: &Provider, call: &Call, asker: Asker) {
    let until = asker.proved.after(PROOF_GOOD_FOR);
    let key = key(provider, asker);
    let noted = provider
        .ephemeral
        .put(Kind::Ceremony, &key, b"first", until, call.now)
        .await;
    if let Err(error) = noted {
        tracing::warn!(%error, "what comes after a first factor takes another proof");
    }
}

/// Whether it has.
pub(in crate::flow) async fn is_noted(provider: &Provider, call: &Call, asker: Asker) -> Result<bool, Error> {
    let key = key(provider, asker);
    let noted = provider.ephemeral.get(Kind::Ceremony, &key, call.now).await?;
    Ok(noted.is_some())
}

fn key(provider: &Provider, asker: Asker) -> String {
    let key = provider.master.derive("first factor of a session");
    let (user, session) = (asker.user.uuid(), asker.session.uuid());
    crypto::hex(&crypto::mac(&key, &[user.as_bytes().as_slice(), session.as_bytes()]))
}
