//! Signing in with a code that is sent: by mail or as a text message, to what the person has confirmed. What it waits for may be a
//! link as well ([`super::link`]).
//!
//! Whoever asks is answered before anybody has looked who is meant, and for a name that nobody has a code waits as well: neither the
//! answers nor their times tell whether there is such an account (SEC-221, SEC-301). A code is bound to the browser that asked and to
//! the address that it was sent to (SEC-255); wrong ones are guesses at the account as wrong passwords are (SEC-217).

use serde::{Deserialize, Serialize};

use super::decisions::{self, By};
use super::entrance;
use super::password::Refused;
use crate::clock;
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::people::Means;
use crate::flow::session::landing::{self, AFTERGLOW, Landed, PAUSE};
use crate::flow::session::{self, Account, Browser, Proof, Purpose, SessionToken};
use crate::flow::short_code::{self, LIFETIME, Place};
use crate::flow::{Call, Error, Provider, guess, people};
use crate::model::user::comparison_key;
use crate::model::{Id, Secret, TraceId, User};

const WAITING: Waiting = Waiting {
    kind: Kind::CodeSignIn,
    sealed_for: "sign-in by code",
};

/// What somebody wants to sign in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// Username or mail address.
    pub identifier: String,
    /// By what.
    pub means: Means,
    /// Whether they want to stay signed in.
    pub remember: bool,
    /// Who it has to be, where somebody proves once more who they are.
    pub expected: Option<Id<User>>,
    /// What they sign in for.
    pub purpose: Purpose,
    /// The call that the journey began with.
    pub journey: Option<TraceId>,
}

/// Whose code it was a moment ago and what came of it, kept beside the sign-in that it was typed at.
#[derive(Debug, Serialize, Deserialize)]
struct Proved {
    user: Id<User>,
    code: [u8; 32],
    landed: Landed,
}

/// A sign-in that waits for its code.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// What was wanted.
    pub wanted: Wanted,
    handle: Handle,
}

/// In a word, for the audit log.
pub(super) const fn method(means: Means) -> &'static str {
    match means {
        Means::MailCode => "mail_code",
        Means::MailLink => "mail_link",
        Means::TextCode => "text_code",
    }
}

/// Begins a sign-in and has a code sent, if somebody is meant. Gives its handle.
///
/// # Errors
/// [`Error::NotFound`] where nobody signs in so; [`Error::Throttled`] if too many came from this network; [`Error::Busy`].
pub async fn begin(provider: &Provider, call: &Call, browser: &Browser, wanted: Wanted) -> Result<String, Error> {
    must_be_offered(provider, call, wanted.means).await?;
    let handle = Handle::new(provider, call, browser);
    let until = call.now.after(LIFETIME);
    pending::keep(provider, call, WAITING, &handle, &wanted, until).await?;
    let who = (wanted.identifier.as_str(), wanted.expected);
    people::ask_for_code(provider, call, who, (wanted.means, &handle.id))?;
    Ok(handle.id)
}

/// Has another code sent, in the place of the one before.
///
/// # Errors
/// As [`begin`].
pub async fn send_again(provider: &Provider, call: &Call, attempt: &Attempt) -> Result<(), Error> {
    let wanted = &attempt.wanted;
    must_be_offered(provider, call, wanted.means).await?;
    let who = (wanted.identifier.as_str(), wanted.expected);
    people::ask_for_code(provider, call, who, (wanted.means, &attempt.id))
}

async fn must_be_offered(provider: &Provider, call: &Call, means: Means) -> Result<(), Error> {
    if !people::may_sign_in_by(provider, means).await? {
        return Err(Error::NotFound);
    }
    guess::spend_wish_of_source(provider, call).await
}

/// Opens a sign-in in the browser that asked for it.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, or belongs to another browser.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Attempt, Error> {
    let (wanted, handle) = pending::get(provider, call, WAITING, browser, id).await?;
    Ok(Attempt {
        id: id.to_owned(),
        wanted,
        handle,
    })
}

/// Signs the person in whose code it is. The account stands first in the browser afterwards.
///
/// # Errors
/// [`Refused`].
pub async fn answer(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    code: &Secret,
) -> Result<Account, Refused> {
    let outcome = judge(provider, call, browser, attempt, code).await;
    let word = outcome.as_ref().map_or_else(Refused::word, |_| "success");
    provider.counts.sign_ins.of(word).count();
    outcome
}

async fn judge(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    code: &Secret,
) -> Result<Account, Refused> {
    let means = attempt.wanted.means;
    if let Some(network) = session::judge_network(provider, call).await? {
        let event = entrance::refused(call, network.rule(), method(means), None);
        provider.note_refusals(call, event, network.rule()).await;
        let turned_away = Err(Refused::Device(network));
        decisions::keep(provider, call, None, By::Code, &turned_away);
        return turned_away;
    }
    let user = find(provider, &attempt.wanted).await?;
    let signed_in = prove(provider, call, browser, user.as_ref(), (attempt, code)).await;
    decisions::keep(provider, call, user.as_ref(), By::Code, &signed_in);
    signed_in
}

async fn prove(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: Option<&User>,
    (attempt, code): (Attempt, &Secret),
) -> Result<Account, Refused> {
    let method = method(attempt.wanted.means);
    let form = mark(provider, &attempt.id, code);
    if let Some(user) = user
        && let Some(landed) = came_of(provider, call, browser, &attempt, (user.id, &form)).await?
    {
        return once_more(provider, call, browser, user, (attempt, &form, landed)).await;
    }
    let Attempt { id, wanted, handle } = attempt.clone();
    // the account's one counter, however somebody comes
    let name = match user {
        Some(user) => user.id.to_string(),
        None => comparison_key(&wanted.identifier),
    };
    let device = match user {
        Some(user) => session::known_device(provider, browser, user.id).await?,
        None => None,
    };
    let counted = device.map_or(guess::Account::User(&name), guess::Account::KnownDevice);
    if let Err(error) = guess::look(provider, call, counted).await {
        if let Error::Throttled { rule, .. } = error {
            let event = entrance::refused(call, rule, method, user);
            provider.note_refusals(call, event, rule).await;
        }
        return Err(error.into());
    }
    let judged = match short_code::judge(provider, call, &Place::sign_in(provider, call, &id), code).await {
        Ok(judged) => judged,
        Err(error) => {
            guess::unjudged(provider, call, counted).await?;
            return Err(error.into());
        }
    };
    let right = judged.zip(user).filter(|(waiting, user)| {
        let is_where_it_went = user.confirmed(wanted.means.channel()) == Some(waiting.recipient.as_str());
        is_where_it_went && wanted.expected.is_none_or(|expected| expected == user.id)
    });
    let Some((_, user)) = right else {
        // whoever was faster with the same form says so in a moment
        clock::sleep(PAUSE).await;
        if let Some(user) = user
            && let Some(landed) = came_of(provider, call, browser, &attempt, (user.id, &form)).await?
        {
            guess::unjudged(provider, call, counted).await?;
            return once_more(provider, call, browser, user, (attempt, &form, landed)).await;
        }
        guess::wrong(provider, call, counted).await?;
        provider
            .note(entrance::refused(call, "sign_in.wrong_code", method, user))
            .await;
        return Err(Refused::Wrong);
    };
    let say = async |landed: Landed| {
        let proved = Proved {
            user: user.id,
            code: form,
            landed,
        };
        let until = call.now.after(AFTERGLOW);
        if let Err(error) = pending::keep(provider, call, WAITING, &handle.beside(), proved, until).await {
            tracing::warn!(%error, "the same form sent twice leads nowhere the second time");
        }
    };
    say(Landed::Enters).await;
    let token = token_of(provider, browser, user, &form);
    let entered = enter(provider, call, browser, user, (wanted, token)).await;
    let settled = match &entered {
        Err(Refused::Factor(..) | Refused::Required(..)) => guess::unjudged(provider, call, counted).await,
        _ => guess::right(provider, call, counted).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "a right code stays counted as a guess");
    }
    say(Landed::of(browser, entered.as_ref().ok())).await;
    entered
}

/// What has come of this very form a moment ago, in this browser: waited for while it is about to be told.
async fn came_of(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    attempt: &Attempt,
    (user, form): (Id<User>, &[u8; 32]),
) -> Result<Option<Landed>, Error> {
    let beside = pending::beside(&attempt.id);
    let told = || async {
        match pending::get::<Proved>(provider, call, WAITING, browser, &beside).await {
            Ok((proved, _)) => {
                let is_same = crypto::equal(&proved.code, form) && proved.user == user;
                Ok(is_same.then_some(proved.landed))
            }
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    };
    Landed::wait(told).await
}

/// Leads the same form where it led.
async fn once_more(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    (attempt, form, landed): (Attempt, &[u8; 32], Landed),
) -> Result<Account, Refused> {
    match landed {
        Landed::In { device } => {
            let token = token_of(provider, browser, user, form);
            match landing::land(provider, call, browser, token, device.as_deref()).await {
                Ok(account) => Ok(account),
                // the session has ended since
                Err(Error::NotFound) => Err(Refused::Wrong),
                Err(error) => Err(error.into()),
            }
        }
        Landed::Enters | Landed::Elsewhere => {
            let token = SessionToken::generate(user.id);
            enter(provider, call, browser, user, (attempt.wanted, token)).await
        }
    }
}

/// What the browser gets, however often it sends the form.
fn token_of(provider: &Provider, browser: &Browser, user: &User, form: &[u8; 32]) -> SessionToken {
    landing::token_of_form(provider, browser, user.id, &crypto::hex(form))
}

/// By what a form is known again.
fn mark(provider: &Provider, attempt: &str, code: &Secret) -> [u8; 32] {
    let key = provider.master.derive("code of a form");
    crypto::mac(&key, &[attempt.as_bytes(), code.expose().as_bytes()])
}

/// Signs somebody in whose code is right, or who has followed their link.
pub(super) async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    (wanted, token): (Wanted, SessionToken),
) -> Result<Account, Refused> {
    let method = method(wanted.means);
    entrance::admit(provider, call, user, method).await?;
    let proof = (Proof::code(wanted.remember, wanted.means.channel()), method);
    entrance::enter(provider, call, browser, user, proof, (wanted.purpose, token)).await
}

async fn find(provider: &Provider, wanted: &Wanted) -> Result<Option<User>, Error> {
    match wanted.expected {
        Some(expected) => Ok(provider.store.read().await?.find_user(expected).await?),
        None => people::find_who_signs_in(provider, &wanted.identifier).await,
    }
}
