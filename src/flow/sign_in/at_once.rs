//! One browser that signs the same person in twice at once: a form sent twice, or two tabs. Each request has proved who it is, and all
//! lead to one session: two of them would push each other out, or stay beside each other, and a tab would hold what has ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::session::landing::{self, Landed};
use crate::flow::session::{Account, Browser, SessionToken};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Timestamp, User};
use crate::random;

/// How long others are led to what has come of a request: longer than any request takes that came before the answer.
const KEPT: Duration = Duration::from_secs(15);
/// So many sign-ins of one browser and person within that time are told apart.
const MOST: u32 = 16;
const SEALED_FOR: &str = "sign-in of a browser";

/// Whose turn it is.
pub(super) enum Turn {
    /// The request's own: it enters under this token, and then says what has come of it.
    Own(Place, SessionToken),
    /// Another request's, which was faster and has signed the person in.
    Landed(Box<Account>),
}

/// Where it stands what comes of a request; nowhere where too many came within a moment.
pub(super) struct Place(Option<(String, Entry)>);

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    /// What the token comes from.
    form: String,
    /// When something has come of it.
    at: Timestamp,
    landed: Landed,
}

/// Waits for a request of the same browser that was faster, if there is one. Only for whoever has proved that they are this person.
///
/// # Errors
/// [`Error`] where the session of another request can't be looked at.
pub(super) async fn turn(provider: &Provider, call: &Call, browser: &mut Browser, user: &User) -> Result<Turn, Error> {
    for round in 0..MOST {
        let key = key(provider, browser, user.id, round);
        let entry = Entry {
            form: random::token(),
            at: call.now,
            landed: Landed::Enters,
        };
        match take(provider, call, &key, &entry).await {
            Ok(true) => {
                let token = landing::token_of_form(provider, browser, user.id, &entry.form);
                return Ok(Turn::Own(Place(Some((key, entry))), token));
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "two forms sent at once may begin two sessions");
                break;
            }
        }
        if let Some((form, device)) = came_of(provider, call, &key).await? {
            let token = landing::token_of_form(provider, browser, user.id, &form);
            match landing::land(provider, call, browser, token, device.as_deref()).await {
                Ok(account) => return Ok(Turn::Landed(Box::new(account))),
                // it has ended since
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Turn::Own(Place(None), SessionToken::generate(user.id)))
}

impl Place {
    /// Says what has come of the request.
    pub(super) async fn say(self, provider: &Provider, call: &Call, landed: Landed) {
        let Some((key, entry)) = self.0 else { return };
        let at = Timestamp::from_micros(provider.clock.micros());
        let entry = Entry { at, landed, ..entry };
        let until = call.now.after(KEPT);
        let said = async {
            let sealed = seal(provider, &entry)?;
            let put = provider.ephemeral.put(Kind::Form, &key, &sealed, until, call.now);
            Ok::<_, Error>(put.await?)
        };
        if let Err(error) = said.await {
            tracing::warn!(%error, "the same form sent twice at once waits in vain");
        }
    }
}

async fn take(provider: &Provider, call: &Call, key: &str, entry: &Entry) -> Result<bool, Error> {
    let (sealed, until) = (seal(provider, entry)?, call.now.after(KEPT));
    Ok(provider
        .ephemeral
        .put_new(Kind::Form, key, &sealed, until, call.now)
        .await?)
}

/// The session that another request has begun while this one was on its way: by what its token is made, and the device it was told.
async fn came_of(provider: &Provider, call: &Call, key: &str) -> Result<Option<(String, Option<String>)>, Error> {
    let Some(first) = find(provider, call, key).await? else {
        return Ok(None);
    };
    let told = || async { Ok(find(provider, call, key).await?.map(|entry| entry.landed)) };
    let was_there = first.landed != Landed::Enters && first.at < call.now;
    match Landed::wait(told).await? {
        // whoever comes after the answer signs in anew
        Some(Landed::In { device }) if !was_there => Ok(Some((first.form, device))),
        _ => Ok(None),
    }
}

async fn find(provider: &Provider, call: &Call, key: &str) -> Result<Option<Entry>, Error> {
    let sealed = provider.ephemeral.get(Kind::Form, key, call.now).await?;
    let plain = sealed.and_then(|sealed| provider.master.open(SEALED_FOR, &sealed).ok());
    Ok(plain.and_then(|plain| serde_json::from_slice(&plain).ok()))
}

fn seal(provider: &Provider, entry: &Entry) -> Result<Vec<u8>, Error> {
    let plain = serde_json::to_vec(entry).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(provider.master.seal(SEALED_FOR, &plain))
}

/// The browser, the person, and the session that the browser holds of them: whoever proves it anew there does something else.
fn key(provider: &Provider, browser: &Browser, user: Id<User>, round: u32) -> String {
    let key = provider.master.derive("place of a sign-in");
    let held = browser.account(user).map(|account| account.token.digest());
    let held: &[u8] = held.as_ref().map_or(&[], |held| held.as_bytes());
    let (user, round) = (user.to_string(), round.to_string());
    let parts = [browser.key.expose().as_bytes(), user.as_bytes(), held, round.as_bytes()];
    crypto::hex(&crypto::mac(&key, &parts))
}
