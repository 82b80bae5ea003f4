//! Links that are mailed to sign in with. One is live for each sign-in that waits, for ten minutes, and counts once. Followed in the
//! browser that asked, it signs in there; followed elsewhere, it can be answered for, and the sign-in that waits goes on where it waits
//! (SEC-303). That it was is kept at the server (SEC-269).

use serde::{Deserialize, Serialize};

use super::session::landing::{AFTERGLOW, Landed};
use super::short_code::LIFETIME;
use super::{Call, Error, Provider};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::model::{Id, Secret, Timestamp, User};

const SEALED_FOR: &str = "sign-in link";

/// A link that may be followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignInLink {
    /// The sign-in that waits for it.
    pub attempt: String,
    /// Whom it lets in.
    pub user: Id<User>,
    /// Where it was mailed to.
    pub recipient: String,
    /// With which browser it was asked for.
    pub user_agent: Option<String>,
    /// From which network address.
    pub address: Option<String>,
    /// When.
    pub asked_at: Timestamp,
}

impl SignInLink {
    /// What its forms are known by, wherever they are sent.
    pub(super) fn form(&self) -> String {
        format!("{} {}", self.attempt, self.asked_at.micros())
    }
}

/// Makes a link in the place of the one before. Gives its secret, and when it ends.
pub(super) async fn make(
    provider: &Provider,
    call: &Call,
    (attempt, user, recipient): (&str, Id<User>, &str),
) -> Result<(Secret, Timestamp), Error> {
    let token = Secret::generate();
    let link = SignInLink {
        attempt: attempt.to_owned(),
        user,
        recipient: recipient.to_owned(),
        user_agent: call.origin.user_agent.clone(),
        address: call.origin.address.map(|address| address.to_string()),
        asked_at: call.now,
    };
    let ends = call.now.after(LIFETIME);
    // the newest of an attempt is the one whose name stands there
    put(provider, call, &newest(provider, attempt), &key(&token), ends).await?;
    put(provider, call, &key(&token), &link, ends).await?;
    Ok((token, ends))
}

/// Looks at a link. It changes nothing: programs that look at mails follow links.
pub(super) async fn find(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<SignInLink>, Error> {
    let Some(link) = get::<SignInLink>(provider, call, &key(token)).await? else {
        return Ok(None);
    };
    let newest: Option<String> = get(provider, call, &newest(provider, &link.attempt)).await?;
    Ok(Some(link).filter(|_| newest.is_some_and(|newest| newest == key(token))))
}

/// Uses a link: of any number of callers one gets it.
pub(super) async fn take(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<SignInLink>, Error> {
    let Some(link) = find(provider, call, token).await? else {
        return Ok(None);
    };
    let taken = provider.ephemeral.take(Kind::SignInLink, &key(token), call.now).await?;
    if taken.is_none() {
        return Ok(None);
    }
    let until = call.now.after(AFTERGLOW);
    put(provider, call, &used(provider, token), &link, until).await?;
    Ok(Some(link))
}

/// A link that was used a moment ago: the same form once more leads where it led.
pub(super) async fn find_used(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<SignInLink>, Error> {
    get(provider, call, &used(provider, token)).await
}

/// Remembers that a link was answered for elsewhere.
pub(super) async fn answered_for(provider: &Provider, call: &Call, link: &SignInLink) -> Result<(), Error> {
    let until = link.asked_at.after(LIFETIME);
    put(provider, call, &answered(provider, &link.attempt), link, until).await
}

/// Goes on by a link that was answered for elsewhere: of any number of callers one does.
pub(super) async fn take_answered(
    provider: &Provider,
    call: &Call,
    attempt: &str,
) -> Result<Option<SignInLink>, Error> {
    let key = answered(provider, attempt);
    let taken = provider.ephemeral.take(Kind::SignInLink, &key, call.now).await?;
    let link: Option<SignInLink> = taken.and_then(|sealed| open(provider, &sealed));
    if let Some(link) = &link {
        put(
            provider,
            call,
            &went_on(provider, attempt),
            link,
            call.now.after(AFTERGLOW),
        )
        .await?;
    }
    Ok(link)
}

/// The link by which a sign-in went on a moment ago.
pub(super) async fn find_went_on(provider: &Provider, call: &Call, attempt: &str) -> Result<Option<SignInLink>, Error> {
    get(provider, call, &went_on(provider, attempt)).await
}

/// Says what came of a link, for the same form sent twice.
pub(super) async fn say(provider: &Provider, call: &Call, link: &SignInLink, landed: &Landed) -> Result<(), Error> {
    let place = place(provider, "landed", &link.form());
    put(provider, call, &place, landed, call.now.after(AFTERGLOW)).await
}

/// What came of a link a moment ago; none if that was not said.
pub(super) async fn landed(provider: &Provider, call: &Call, link: &SignInLink) -> Result<Option<Landed>, Error> {
    get(provider, call, &place(provider, "landed", &link.form())).await
}

async fn put(
    provider: &Provider,
    call: &Call,
    key: &str,
    value: &(impl Serialize + Sync + ?Sized),
    until: Timestamp,
) -> Result<(), Error> {
    let plain = serde_json::to_vec(value).map_err(|error| Error::Failed(Box::new(error)))?;
    let sealed = provider.master.seal(SEALED_FOR, &plain);
    let store = &provider.ephemeral;
    Ok(store.put(Kind::SignInLink, key, &sealed, until, call.now).await?)
}

async fn get<T: serde::de::DeserializeOwned>(provider: &Provider, call: &Call, key: &str) -> Result<Option<T>, Error> {
    let sealed = provider.ephemeral.get(Kind::SignInLink, key, call.now).await?;
    Ok(sealed.and_then(|sealed| open(provider, &sealed)))
}

fn open<T: serde::de::DeserializeOwned>(provider: &Provider, sealed: &[u8]) -> Option<T> {
    let plain = provider.master.open(SEALED_FOR, sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn key(token: &Secret) -> String {
    crypto::hex(token.digest().as_bytes())
}

fn used(provider: &Provider, token: &Secret) -> String {
    place(provider, "used", &key(token))
}

fn went_on(provider: &Provider, attempt: &str) -> String {
    place(provider, "went on", attempt)
}

fn newest(provider: &Provider, attempt: &str) -> String {
    place(provider, "newest", attempt)
}

fn answered(provider: &Provider, attempt: &str) -> String {
    place(provider, "answered for", attempt)
}

fn place(provider: &Provider, word: &str, attempt: &str) -> String {
    let key = provider.master.derive("place of a sign-in link");
    crypto::hex(&crypto::mac(&key, &[word.as_bytes(), attempt.as_bytes()]))
}
