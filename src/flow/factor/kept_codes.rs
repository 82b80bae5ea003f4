//! Recovery codes that were just made, until the person has said that they are kept: sealed, for this browser and person alone, and
//! for a few minutes. What the database holds of them are digests; whoever loses the page makes new ones.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Secret, Timestamp, User};

/// How long they can be looked at.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
const SEALED_FOR: &str = "recovery codes";

#[derive(Serialize, Deserialize)]
struct Kept {
    codes: Vec<String>,
    made: Timestamp,
}

/// Keeps them for a moment, in the place of those before.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn keep_codes(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    codes: &[Secret],
) -> Result<(), Error> {
    let kept = Kept {
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
        made: call.now,
    };
    let plain = serde_json::to_vec(&kept).map_err(|error| Error::Failed(Box::new(error)))?;
    let sealed = provider.master.seal(SEALED_FOR, &zeroize::Zeroizing::new(plain));
    let key = key(provider, browser, user);
    let until = call.now.after(LIFETIME);
    Ok(provider
        .ephemeral
        .put(Kind::Ceremony, &key, &sealed, until, call.now)
        .await?)
}

/// Those that were made a moment ago in this browser, and when.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn kept_codes(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
) -> Result<Option<(Vec<Secret>, Timestamp)>, Error> {
    let key = key(provider, browser, user);
    let Some(sealed) = provider.ephemeral.get(Kind::Ceremony, &key, call.now).await? else {
        return Ok(None);
    };
    let Ok(plain) = provider.master.open(SEALED_FOR, &sealed) else {
        return Ok(None);
    };
    let kept: Option<Kept> = serde_json::from_slice(&plain).ok();
    Ok(kept.map(|kept| (kept.codes.into_iter().map(Secret::new).collect(), kept.made)))
}

/// They are kept elsewhere now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn forget_codes(provider: &Provider, browser: &Browser, user: Id<User>) -> Result<(), Error> {
    let key = key(provider, browser, user);
    Ok(provider.ephemeral.forget(Kind::Ceremony, &key).await?)
}

fn key(provider: &Provider, browser: &Browser, user: Id<User>) -> String {
    let key = provider.master.derive("recovery codes of a browser");
    let user = user.uuid();
    let parts = [user.as_bytes().as_slice(), browser.key.expose().as_bytes()];
    crypto::hex(&crypto::mac(&key, &parts))
}
