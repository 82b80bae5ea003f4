//! Signing in with a password.
//!
//! Nothing in the answer or its time tells an unknown name from a wrong password: a name that nobody has costs a hash as
//! well. Guesses are counted by account and by network address, before they are checked; at a device that the person has signed
//! in with before, by that device.

use std::time::Duration;

use super::at_once::{self, Turn};
use super::{decisions, entrance};
use crate::clock;
use crate::credential::{self, Verdict};
use crate::flow::needs::Missing;
use crate::flow::session::landing::Landed;
use crate::flow::session::{self, Account, Browser, DeviceRefused, Full, KnownLogin, Proof, Purpose, Risk};
use crate::flow::{Call, Error, Provider};
use crate::flow::{guess, people};
use crate::model::user::comparison_key;
use crate::model::{Event, Id, PasswordHash, Secret, Timestamp, User};

/// Whoever there is no hashing for is told so together with the others of this time.
const TURNED_AWAY_EVERY: Duration = Duration::from_millis(20);
/// RFC 8176 section 2.
const METHOD: &str = "pwd";

/// What a person typed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What was typed to say who it is.
    pub identifier: String,
    /// Who it is, where a page of ours says so: then nothing of it was typed.
    pub known: Option<Id<User>>,
    /// The password, byte for byte.
    pub password: Secret,
    /// Whether they want to stay signed in.
    pub remember: bool,
    /// What they sign in for: kept with the proof, should it have to wait.
    pub purpose: Purpose,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such pair of identifier and password, for whatever reason.
    #[error("no such pair of identifier and password")]
    Wrong,
    /// The pair is right, but an administrator has deactivated the account.
    #[error("the account is deactivated")]
    Inactive,
    /// The pair is right, but the account's owner has locked it.
    #[error("the account is locked")]
    Locked,
    /// The pair is right, but the account's time has not come: when it does.
    #[error("the account may not be used yet")]
    NotStarted(Timestamp),
    /// The pair is right, but the account has come to its end: when it did.
    #[error("the account has expired")]
    AccountExpired(Timestamp),
    /// The pair is right, but the password has to be replaced before it lets this person in again.
    #[error("the password has to be replaced")]
    Expired(Box<User>),
    /// The pair is right, but the person has as many logins as they may have.
    #[error("{live} logins are there already", live = .0.full.live)]
    Full(Box<NoRoom>),
    /// The same, and the person is asked which one ends: the proof waits under this handle.
    #[error("{live} logins are there already; one of them may end", live = .0.live)]
    Asked(Full, String),
    /// The pair is right, and the person has a second factor: the proof waits for it under this handle.
    #[error("a second factor is missing")]
    Factor(String, Option<Risk>),
    /// The pair is right, and something is required of the person: the proof waits until it is done under this handle.
    #[error("something is required of the person")]
    Required(Missing, String),
    /// The pair is right, but the person may not sign in with this device.
    #[error("the device may not be signed in with")]
    Device(DeviceRefused),
    /// The password was not checked, or the sign-in could not be completed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A person who proved who they are and has as many logins as they may have.
#[derive(Debug)]
pub struct NoRoom {
    /// How many.
    pub full: Full,
    /// Who.
    pub user: User,
    /// The logins, the last used first.
    pub logins: Vec<KnownLogin>,
}

/// Signs a person in. The account stands first in the browser afterwards.
///
/// # Errors
/// [`Refused`].
pub async fn sign_in(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
) -> Result<Account, Refused> {
    let outcome = judge(provider, call, browser, attempt).await;
    let word = outcome.as_ref().map_or_else(Refused::word, |_| "success");
    provider.counts.sign_ins.of(word).count();
    outcome
}

/// How long whoever brings a password has to wait, where there is no hashing for it now; told together with the others of this time. To be
/// asked before anything else: in a storm most are turned away, and that must cost next to nothing.
pub async fn turned_away(provider: &Provider) -> Option<Duration> {
    let credential::Error::Busy { retry_after } = provider.passwords.admits().err()? else {
        return None;
    };
    provider.counts.sign_ins.of("busy").count();
    clock::together(TURNED_AWAY_EVERY).await;
    Some(retry_after)
}

impl Refused {
    /// The outcome in a word, to be counted by.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Inactive => "inactive",
            Self::Locked => "locked",
            Self::NotStarted(_) => "not_started",
            Self::AccountExpired(_) => "account_expired",
            Self::Expired(_) => "expired",
            Self::Full(_) => "full",
            Self::Asked(..) => "asked",
            Self::Factor(..) => "factor",
            Self::Required(..) => "required",
            Self::Device(_) => "device",
            Self::Failed(Error::Throttled { .. }) => "throttled",
            Self::Failed(Error::Busy { .. }) => "busy",
            Self::Failed(_) => "failed",
        }
    }
}

async fn judge(provider: &Provider, call: &Call, browser: &mut Browser, attempt: Attempt) -> Result<Account, Refused> {
    // in a storm most are turned away: that must cost next to nothing
    if let Err(busy) = provider.passwords.admits() {
        clock::together(TURNED_AWAY_EVERY).await;
        return Err(Error::from(busy).into());
    }
    // whoever it is: nothing is looked up, and no hash is made
    if let Some(network) = session::judge_network(provider, call).await? {
        let event = refused(call, network.rule(), None);
        provider.note_refusals(call, event, network.rule()).await;
        let turned_away = Err(Refused::Device(network));
        decisions::keep(provider, call, None, decisions::By::Password, &turned_away);
        return turned_away;
    }
    let user = find(provider, &attempt).await?;
    let signed_in = prove(provider, call, browser, user.as_ref(), attempt).await;
    let proved = decisions::By::Password;
    decisions::keep(provider, call, user.as_ref(), proved, &signed_in);
    signed_in
}

async fn prove(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: Option<&User>,
    attempt: Attempt,
) -> Result<Account, Refused> {
    // one counter for every way to write the same person's name
    let name = match user {
        Some(user) => user.id.to_string(),
        None => comparison_key(&attempt.identifier),
    };
    let device = match user {
        Some(user) => session::known_device(provider, browser, user.id).await?,
        None => None,
    };
    let counted = device.map_or(guess::Account::User(&name), guess::Account::KnownDevice);
    if let Err(error) = guess::look(provider, call, counted).await {
        if let Error::Throttled { rule, .. } = error {
            if rule == guess::LOCKED {
                people::notice_wait(provider, call, (&name, user)).await?;
            }
            provider.note_refusals(call, refused(call, rule, user), rule).await;
        }
        return Err(error.into());
    }
    let verdict = match check(provider, user, &attempt.password).await {
        Ok(verdict) => verdict,
        Err(error) => {
            guess::unjudged(provider, call, counted).await?;
            return Err(error.into());
        }
    };
    let (Verdict::Right { rehash }, Some(user)) = (verdict, user) else {
        guess::wrong(provider, call, counted).await?;
        note(provider, call, user).await;
        return Err(Refused::Wrong);
    };
    let entered = enter(provider, call, browser, user, attempt, rehash).await;
    // where more has to be proved the sign-in has not succeeded yet: nothing is forgiven before
    let settled = match &entered {
        Err(Refused::Factor(..) | Refused::Required(..)) => guess::unjudged(provider, call, counted).await,
        _ => guess::right(provider, call, counted).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "a right password stays counted as a guess");
    }
    entered
}

/// Signs somebody in whose password is right.
async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    attempt: Attempt,
    rehash: bool,
) -> Result<Account, Refused> {
    entrance::admit(provider, call, user, METHOD).await?;
    if rehash {
        renew_hash(provider, user, attempt.password).await;
    }
    let (place, token) = match at_once::turn(provider, call, browser, user).await? {
        Turn::Own(place, token) => (place, token),
        Turn::Landed(account) => return Ok(*account),
    };
    let proof = (Proof::password(attempt.remember), METHOD);
    let entered = entrance::enter(provider, call, browser, user, proof, (attempt.purpose, token)).await;
    let landed = Landed::of(browser, entered.as_ref().ok());
    place.say(provider, call, landed).await;
    entered
}

async fn find(provider: &Provider, attempt: &Attempt) -> Result<Option<User>, Error> {
    match attempt.known {
        Some(known) => Ok(provider.store.read().await?.find_user(known).await?),
        None => people::find_who_signs_in(provider, &attempt.identifier).await,
    }
}

async fn check(provider: &Provider, user: Option<&User>, password: &Secret) -> Result<Verdict, Error> {
    let stored = match user.and_then(|user| user.password.as_ref()) {
        Some(hash) => Some(credential::PasswordHash::parse(hash.expose())?),
        None => None,
    };
    Ok(provider.passwords.verify(password.clone(), stored).await?)
}

/// The audit log knows what the answer does not say.
async fn note(provider: &Provider, call: &Call, user: Option<&User>) {
    provider.note(refused(call, decisions::wrong(user), user)).await;
}

fn refused(call: &Call, rule: &'static str, user: Option<&User>) -> Event {
    entrance::refused(call, rule, METHOD, user)
}

/// Hashes the password anew under today's parameters. Where that does not work now, it will at another sign-in.
async fn renew_hash(provider: &Provider, user: &User, password: Secret) {
    let renewed = async {
        let Some(old) = &user.password else { return Ok(()) };
        let hash = provider.passwords.hash(password).await?;
        let mut store = provider.store.write().await?;
        store
            .rehash_password(user.id, old, &PasswordHash::new(hash.expose()))
            .await?;
        Ok::<_, Error>(store.commit().await?)
    };
    if let Err(error) = renewed.await {
        tracing::warn!(%error, "a password's hash was not renewed");
    }
}
