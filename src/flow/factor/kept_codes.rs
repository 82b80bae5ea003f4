//! Recovery codes that were just made, until the person has said that they are kept: sealed, for this browser and person alone, and
//! for a few minutes. What the database holds of them are digests; whoever loses the page makes new ones.
//!
//! Those that come with the first factor are made before it is confirmed, and by it: of a form sent twice at once whichever comes
//! first confirms it with the same codes, and either answer can show them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LIFETIME as SET_UP_WITHIN;
use crate::credential::{digest_recovery_code, generate_recovery_codes};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::{Factor, Id, Secret, Timestamp, User};

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
    let sealed = seal(provider, codes, call.now)?;
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
    Ok(open(provider, &sealed))
}

/// They are kept elsewhere now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn forget_codes(provider: &Provider, browser: &Browser, user: Id<User>) -> Result<(), Error> {
    let key = key(provider, browser, user);
    Ok(provider.ephemeral.forget(Kind::Ceremony, &key).await?)
}

/// The codes that a factor will come with where it is somebody's first: the same as often as this browser confirms it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn prepare_codes(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    factor: Id<Factor>,
) -> Result<Vec<Secret>, Error> {
    let codes = generate_recovery_codes();
    let sealed = seal(provider, &codes, call.now)?;
    let (key, until) = (key(provider, browser, factor), call.now.after(SET_UP_WITHIN));
    let store = &provider.ephemeral;
    if store.put_new(Kind::Ceremony, &key, &sealed, until, call.now).await? {
        return Ok(codes);
    }
    let prepared = store.get(Kind::Ceremony, &key, call.now).await?;
    // none only where their time was over between the two questions
    Ok(prepared
        .and_then(|sealed| open(provider, &sealed))
        .map_or(codes, |(codes, _)| codes))
}

/// The codes that a confirmed factor came with in this browser, if they count.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn codes_that_came_with(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    factor: Id<Factor>,
) -> Result<Option<Vec<Secret>>, Error> {
    let key = key(provider, browser, factor);
    let sealed = provider.ephemeral.get(Kind::Ceremony, &key, call.now).await?;
    let Some((codes, _)) = sealed.and_then(|sealed| open(provider, &sealed)) else {
        return Ok(None);
    };
    let Some(digest) = codes.first().and_then(digest_recovery_code) else {
        return Ok(None);
    };
    let counts = provider.store.read().await?.has_recovery_code(user, &digest).await?;
    Ok(counts.then_some(codes))
}

fn seal(provider: &Provider, codes: &[Secret], made: Timestamp) -> Result<Vec<u8>, Error> {
    let codes = codes.iter().map(|code| code.expose().to_owned()).collect();
    let plain = serde_json::to_vec(&Kept { codes, made }).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(provider.master.seal(SEALED_FOR, &zeroize::Zeroizing::new(plain)))
}

fn open(provider: &Provider, sealed: &[u8]) -> Option<(Vec<Secret>, Timestamp)> {
    let plain = provider.master.open(SEALED_FOR, sealed).ok()?;
    let kept: Kept = serde_json::from_slice(&plain).ok()?;
    Some((kept.codes.into_iter().map(Secret::new).collect(), kept.made))
}

/// Of what a browser alone sees: a person's codes, or a factor's.
fn key<T>(provider: &Provider, browser: &Browser, of: Id<T>) -> String {
    let key = provider.master.derive("recovery codes of a browser");
    let of = of.uuid();
    let parts = [of.as_bytes().as_slice(), browser.key.expose().as_bytes()];
    crypto::hex(&crypto::mac(&key, &parts))
}
