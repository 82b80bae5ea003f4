//! A browser, as its cookies tell: who is signed in there.

use std::sync::Arc;
use std::time::Duration;

use super::term::{Over, Term};
use super::{Account, Ending, SessionFacts, SessionToken, kept};
use crate::flow::effective::{DecidedTime, idle_setting, lifetime_setting};
use crate::flow::memory::Person;
use crate::flow::{Call, Error, Provider};
use crate::model::{AccountState, Id, Secret, Session, User};

/// So many people may be signed in in one browser.
pub(super) const MOST_ACCOUNTS: usize = 8;
/// A session's use is noted no more often than this.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// And at least so often that a tenth of the idle timeout is not lost.
const TOUCHES_A_TIMEOUT: u32 = 10;
/// The length of 256 bits in base64url.
const KEY_CHARACTERS: usize = 43;

/// A browser.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Who is signed in, the most recent sign-in first.
    pub accounts: Vec<Account>,
    /// A secret of this browser's own: forms and pending interactions are bound to it.
    pub key: Secret,
    /// Whether the key was made just now: the browser has to be told.
    pub is_new: bool,
    /// Whether the accounts are no longer those that the cookie names: the browser has to be told.
    pub is_changed: bool,
    /// The languages it asks for, as in Accept-Language.
    pub languages: Option<String>,
    /// Sessions that its cookie still names and that do not count any more.
    pub lapsed: Vec<Lapsed>,
    /// What it holds as its signed-in state ([`super::browser_state`]), if it holds anything.
    pub state: Option<String>,
    /// What it holds as its device, if it holds anything; nothing vouches for it.
    pub device: Option<Secret>,
    /// Whether somebody has signed in: the browser has to be told its device.
    pub is_device_told: bool,
}

/// A session that a browser still names and that does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapsed {
    /// Whose it says to be; nothing vouches for it.
    pub user: Id<User>,
    /// Why it does not count.
    pub why: Lapse,
}

/// Why a session does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// The session store does not hold it: it was ended, ended by itself, or never was.
    NotHeld,
    /// It has reached its end.
    Expired(DecidedTime),
    /// It was not used for too long.
    Idle(DecidedTime),
    /// The store says that it was ended.
    Ended,
    /// The account may not be used.
    Inactive,
    /// The account has come to its end.
    AccountExpired,
}

impl Browser {
    /// Somebody is not signed in here any more, as the store says already.
    pub fn forget(&mut self, user: Id<User>) {
        self.accounts.retain(|account| account.user.id != user);
        self.is_changed = true;
    }

    /// The account of this user.
    pub fn account(&self, user: Id<User>) -> Option<&Account> {
        self.accounts.iter().find(|account| account.user.id == user)
    }

    /// What the session cookie has to hold.
    pub fn cookie_value(&self) -> String {
        let tokens: Vec<&str> = self.accounts.iter().map(|account| account.token.expose()).collect();
        tokens.join(".")
    }
}

/// Recognises a browser by its cookies. A token counts if its session is live in the session store, has not ended in the
/// store, and its user may sign in.
///
/// # Errors
/// [`Error::Unavailable`] if it can't be known who is signed in: nobody is signed out for that.
pub async fn recognize(
    provider: &Provider,
    call: &Call,
    tokens: Option<&str>,
    key: Option<&str>,
) -> Result<Browser, Error> {
    read(provider, call, tokens, key, Seen::Used).await
}

/// The same without anything being noted: for what a browser does by itself, while nobody may be there.
///
/// # Errors
/// As [`recognize`].
pub async fn glance(
    provider: &Provider,
    call: &Call,
    tokens: Option<&str>,
    key: Option<&str>,
) -> Result<Browser, Error> {
    read(provider, call, tokens, key, Seen::ByItself).await
}

/// Whether somebody uses the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its sessions go on from now.
    Used,
    /// It does something by itself.
    ByItself,
}

async fn read(
    provider: &Provider,
    call: &Call,
    tokens: Option<&str>,
    key: Option<&str>,
    seen: Seen,
) -> Result<Browser, Error> {
    let known = key.filter(|key| is_key(key)).map(Secret::new);
    let mut browser = Browser {
        accounts: Vec::new(),
        is_new: known.is_none(),
        key: known.unwrap_or_else(Secret::generate),
        is_changed: false,
        languages: None,
        lapsed: Vec::new(),
        state: None,
        device: None,
        is_device_told: false,
    };
    let tokens: Vec<&str> = tokens.into_iter().flat_map(|tokens| tokens.split('.')).collect();
    for text in tokens.iter().take(MOST_ACCOUNTS) {
        let Some(token) = SessionToken::parse(text).filter(|token| browser.account(token.user()).is_none()) else {
            continue;
        };
        let user = token.user();
        match account(provider, call, token, seen).await? {
            Ok(account) => browser.accounts.push(account),
            Err(why) => browser.lapsed.push(Lapsed { user, why }),
        }
    }
    browser.is_changed = browser.accounts.len() != tokens.len();
    Ok(browser)
}

pub(super) async fn account(
    provider: &Provider,
    call: &Call,
    token: SessionToken,
    seen: Seen,
) -> Result<Result<Account, Lapse>, Error> {
    let digest = token.digest();
    let held = match provider.sessions.get(token.user(), &digest, call.now).await? {
        Some(session) => Some(session),
        None => kept::bring_back(provider, call, token.user(), &digest).await?,
    };
    let Some(session) = held else {
        return Ok(Err(Lapse::NotHeld));
    };
    let Some(mut facts) = SessionFacts::read(&session.data) else {
        return Ok(Err(Lapse::NotHeld));
    };
    let person = match person(provider, call, &session).await? {
        Ok(person) => person,
        Err(lapse) => return Ok(Err(lapse)),
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let term = Term::of(&session, (&person.user, &layers), &facts);
    if let Some(over) = term.over(session.seen, call.now) {
        return Ok(Err(match over {
            Over::Expired => Lapse::Expired(DecidedTime::of(&layers, lifetime_setting(facts.remember))),
            Over::Idle => {
                let decided = DecidedTime::of(&layers, idle_setting(facts.remember));
                Lapse::Idle(decided.at_most(session.idle_timeout))
            }
        }));
    }
    let every = TOUCH_EVERY.min(term.idle / TOUCHES_A_TIMEOUT);
    let rested = call.now.since(session.seen);
    let mut last_seen = session.seen;
    if rested >= every && seen == Seen::Used {
        if rested > facts.rested {
            // noted before the rest is over: an application that allows a shorter one asks for it later
            facts.rested = rested;
            let data = facts.write();
            provider
                .sessions
                .replace_data(session.user, &digest, &data, call.now)
                .await?;
        }
        provider.sessions.touch(session.user, &digest, call.now).await?;
        last_seen = call.now;
        let used = Session {
            seen: call.now,
            data: facts.write(),
            ..session.clone()
        };
        kept::note_use(provider, digest, used).await?;
    }
    Ok(Ok(Account {
        token,
        session,
        user: person.user.clone(),
        facts,
        ending: Ending::between(term.absolute, last_seen.after(term.idle)),
    }))
}

/// The person of a session that has not ended, if they may sign in.
async fn person(provider: &Provider, call: &Call, session: &Session) -> Result<Result<Arc<Person>, Lapse>, Error> {
    let row = provider.session_row(session.id, call.now).await?;
    if row.is_none_or(|row| row.ended_at.is_some()) {
        return Ok(Err(Lapse::Ended));
    }
    let person = provider.person(session.user, call.now).await?;
    let Some(person) = person else {
        return Ok(Err(Lapse::Inactive));
    };
    Ok(match person.user.state(call.now) {
        AccountState::Active | AccountState::Invited => Ok(person),
        AccountState::Expired => Err(Lapse::AccountExpired),
        _ => Err(Lapse::Inactive),
    })
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_CHARACTERS
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
