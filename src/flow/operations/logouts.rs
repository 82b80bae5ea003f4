//! Telling applications that sessions have ended (OpenID Connect Back-Channel Logout 1.0). Whatever ends a session writes down who
//! is to be told; here they are told afterwards, in parallel and again after a while, so that nobody who signs out waits for it
//! (SEC-179).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use url::Url;

use crate::crypto;
use crate::egress::{Limits, Reason};
use crate::flow::again::again;
use crate::flow::operations::keyring::Keyring;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, Digest, Id, LogoutOutcome, Timestamp};
use crate::protocol::logout_token::{self, LogoutToken};
use crate::protocol::subject;
use crate::store::{DueLogouts, LogoutRow};

/// So many are told in one go, no more than some of each application.
const BOUNDS: DueLogouts = DueLogouts {
    among: 2_000,
    of_client: 8,
    most: 32,
};
/// So many at once: half of what goes out at once at all.
const AT_ONCE: usize = 16;
/// What an application may take to answer, and say.
const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    time: Duration::from_secs(5),
};
/// Who takes one has this long, before another node tries: more than a whole go takes, which is two rounds of five seconds, and
/// less than the half a minute within which whoever was not told by a node that died is told by another.
const CLAIMED_FOR: Duration = Duration::from_secs(25);
/// The pauses between the attempts; after the last attempt it is given up.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_secs(2 * 60),
    Duration::from_secs(7 * 60),
];
/// What else waits for an application that was not reached.
const CLIENT_PAUSE: Duration = Duration::from_secs(30);

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Taken.
    Done,
    /// The application can't do it, and would not later (section 2.8).
    Refused,
    /// The application answered, but not so.
    Answered(u16),
    /// Nothing of ours goes there: the address is not one that this server asks.
    Forbidden,
    /// No answer.
    Unreached,
    /// There is nobody to tell any more.
    Nowhere,
}

impl Attempt {
    fn of(reason: Reason) -> Self {
        match reason {
            Reason::Status(400) => Self::Refused,
            Reason::Status(status) => Self::Answered(status),
            // it was taken, whatever was said beside
            Reason::Encoding | Reason::Oversize => Self::Done,
            Reason::Scheme | Reason::Port | Reason::UserInfo | Reason::Host | Reason::Address => Self::Forbidden,
            _ => Self::Unreached,
        }
    }

    /// For the log of deliveries. Why nobody was reached is not told: it would tell what is behind the address.
    fn sentence(self) -> Option<String> {
        match self {
            Self::Done => None,
            Self::Refused => Some("the application refused it".to_owned()),
            Self::Answered(status) => Some(format!("the application answered {status}")),
            Self::Forbidden => Some("the address is not one that this server may ask".to_owned()),
            Self::Unreached => Some("the application was not reached".to_owned()),
            Self::Nowhere => Some("the application has no address for it any more".to_owned()),
        }
    }
}

/// Tells whoever is to be told now, a bounded number. Gives whether more may be waiting.
///
/// # Errors
/// [`Error`] if the store does not answer. An application that can't be told is no error: it is tried again, or given up.
pub async fn deliver_due(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider.store.read().await?.list_due_logouts(call.now, BOUNDS).await?;
    if due.is_empty() {
        return Ok(false);
    }
    let claimed = claim(provider, call, due).await?;
    let clients = load_clients(provider, &claimed).await?;
    let keyring = provider.keyring().await?;
    let attempts: Vec<(LogoutRow, Attempt)> = stream::iter(claimed)
        .map(|row| {
            let client = clients.get(&row.client);
            let keyring = &keyring;
            async move {
                let attempt = match client {
                    Some(client) => tell(provider, call, keyring, client, &row).await,
                    None => Attempt::Nowhere,
                };
                (row, attempt)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    again(|| write_down(provider, call.now, &attempts)).await?;
    put_off_unreached(provider, call.now, &attempts).await?;
    Ok(!attempts.is_empty())
}

async fn claim(provider: &Provider, call: &Call, mut due: Vec<LogoutRow>) -> Result<Vec<LogoutRow>, Error> {
    // every node takes rows in the same order, so that none waits for one that waits for it
    due.sort_by_key(|row| (row.session, row.client));
    let mut claimed = Vec::with_capacity(due.len());
    let mut tx = provider.store.write().await?;
    for mut row in due {
        if tx.claim_logout(&mut row, call.now, call.now.after(CLAIMED_FOR)).await? {
            claimed.push(row);
        }
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn load_clients(provider: &Provider, rows: &[LogoutRow]) -> Result<BTreeMap<Id<Client>, Client>, Error> {
    let ids: BTreeSet<Id<Client>> = rows.iter().map(|row| row.client).collect();
    let mut store = provider.store.read().await?;
    let mut clients = BTreeMap::new();
    for id in ids {
        if let Some(client) = store.find_client(id).await? {
            clients.insert(id, client);
        }
    }
    Ok(clients)
}

async fn tell(provider: &Provider, call: &Call, keyring: &Keyring, client: &Client, row: &LogoutRow) -> Attempt {
    let uri = client.metadata.backchannel_logout_uri.as_deref();
    let Some(url) = uri.and_then(|uri| Url::parse(uri).ok()) else {
        return Attempt::Nowhere;
    };
    let Ok(token) = sign(provider, call, keyring, client, row) else {
        return Attempt::Unreached;
    };
    let form = [("logout_token", token.as_str())];
    match provider.egress.post_form(&url, &form, LIMITS).await {
        Ok(_) => Attempt::Done,
        Err(error) => Attempt::of(error.reason()),
    }
}

/// Under the algorithm of the client's ID tokens (section 2.6), so that it needs no more than it has.
fn sign(
    provider: &Provider,
    call: &Call,
    keyring: &Keyring,
    client: &Client,
    row: &LogoutRow,
) -> Result<String, Error> {
    let key = provider.pairwise_key();
    let subject = row.subject.as_deref();
    let subject = subject.map(|subject| subject::of_public(subject, client, &key));
    let token = LogoutToken {
        issuer: provider.issuer.as_str(),
        client_id: &client.client_id,
        subject: subject.as_deref(),
        session: row.session.to_string(),
        id: &id_of(row),
    };
    let claims = logout_token::claims(&token, call.now);
    let signer = keyring.signer(client.metadata.id_token_signed_response_alg)?;
    Ok(signer.sign(logout_token::TYP, &claims)?)
}

/// The `jti`: the same at each attempt, so that an application that was told, and could not say so before one of the two went away,
/// knows it again (section 2.6, step 8). Another one if the session comes to serve the application again and ends once more.
fn id_of(row: &LogoutRow) -> String {
    let told = format!("{} {} {}", row.session, row.client, row.created_at.micros());
    crypto::hex(Digest::of(told.as_bytes()).as_bytes().iter().take(16))
}

async fn write_down(provider: &Provider, now: Timestamp, attempts: &[(LogoutRow, Attempt)]) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    for (row, attempt) in attempts {
        let sentence = attempt.sentence();
        match attempt {
            Attempt::Done => tx.finish_logout(row, LogoutOutcome::Delivered, None, now),
            Attempt::Refused => tx.finish_logout(row, LogoutOutcome::Refused, sentence.as_deref(), now),
            Attempt::Nowhere => tx.finish_logout(row, LogoutOutcome::GivenUp, sentence.as_deref(), now),
            Attempt::Answered(_) | Attempt::Forbidden | Attempt::Unreached => {
                let tried = usize::try_from(row.attempts).unwrap_or(usize::MAX);
                match PAUSES.get(tried) {
                    Some(pause) => tx.put_off_logout(row, sentence.as_deref().unwrap_or_default(), now.after(*pause)),
                    None => tx.finish_logout(row, LogoutOutcome::GivenUp, sentence.as_deref(), now),
                }
            }
        }
    }
    Ok(tx.commit().await?)
}

/// Whatever else waits for applications that were not reached waits a little longer. In a transaction of its own: that it meets
/// another node's costs nothing then.
async fn put_off_unreached(
    provider: &Provider,
    now: Timestamp,
    attempts: &[(LogoutRow, Attempt)],
) -> Result<(), Error> {
    let unreached = attempts.iter().filter(|(_, attempt)| *attempt == Attempt::Unreached);
    let unreached: BTreeSet<Id<Client>> = unreached.map(|(row, _)| row.client).collect();
    if unreached.is_empty() {
        return Ok(());
    }
    let mut tx = provider.store.write().await?;
    for client in unreached {
        tx.put_off_logouts_of_client(client, now, now.after(CLIENT_PAUSE));
    }
    Ok(tx.commit().await?)
}
