//! Signing in with a passkey alone: no name is typed, and no list of keys is given out. Its authenticator has verified the person,
//! so it counts as two factors (SEC-261); whether they may come in is judged as after a password, and after the proof.
//!
//! An unknown key, one that was removed, an answer that is wrong or too late: the answer is the same. Wrong ones are counted by the
//! network that they come from.

use super::decisions::{self, By};
use super::entrance;
use super::password::Refused;
use crate::credential::PasskeyFault;
use crate::flow::factor::{self, Occasion, Signature};
use crate::flow::guess::{self, Account as Guessed};
use crate::flow::session::{Account, Browser, Proof, Purpose, SessionToken};
use crate::flow::{Call, Error, Provider, people};
use crate::model::{Fact, Id, User};

const METHOD: &str = "passkey";

/// What a browser brings.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The signature.
    pub signature: Signature,
    /// Whether the person wants to stay signed in.
    pub remember: bool,
    /// Who it has to be, where somebody proves once more who they are.
    pub expected: Option<Id<User>>,
    /// Who they have said that they are, where a page shows it: another person's passkey does not do there.
    pub named: Option<String>,
    /// What they sign in for: kept with the proof, should it have to wait.
    pub purpose: Purpose,
}

/// Signs a person in. The account stands first in the browser afterwards.
///
/// # Errors
/// [`Refused`]
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

async fn judge(provider: &Provider, call: &Call, browser: &mut Browser, attempt: Attempt) -> Result<Account, Refused> {
    if let Err(error) = guess::look(provider, call, Guessed::Passkey).await {
        if let Error::Throttled { rule, .. } = error {
            let event = entrance::refused(call, rule, METHOD, None);
            provider.note_refusals(call, event, rule).await;
        }
        return Err(error.into());
    }
    let proved = match prove(provider, call, browser, &attempt).await {
        Ok(proved) => proved,
        Err(error) => {
            guess::unjudged(provider, call, Guessed::Passkey).await?;
            return Err(error.into());
        }
    };
    let (user, proof) = match proved {
        Ok(proved) => proved,
        Err((fault, user)) => {
            guess::wrong(provider, call, Guessed::Passkey).await?;
            let event = entrance::refused(call, "sign_in.wrong_passkey", METHOD, user.as_ref());
            provider.note(event.fact("fault", Fact::Word(fault.as_str()))).await;
            let refused = Err(Refused::Wrong);
            decisions::keep(provider, call, user.as_ref(), By::Passkey(Some(fault)), &refused);
            return refused;
        }
    };
    // the network keeps the wrong ones that it made
    if let Err(error) = guess::unjudged(provider, call, Guessed::Passkey).await {
        tracing::warn!(%error, "a right passkey stays counted as a guess");
    }
    let entered = enter(provider, call, browser, &user, proof, attempt.purpose).await;
    decisions::keep(provider, call, Some(&user), By::Passkey(None), &entered);
    entered
}

/// What was proved by whom; or what is wrong, and of whom, as far as that is known.
async fn prove(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    attempt: &Attempt,
) -> Result<Result<(User, Proof), (PasskeyFault, Option<User>)>, Error> {
    let judged = factor::judge_signature(provider, call, browser, Occasion::SignIn, &attempt.signature).await?;
    let known = match judged {
        Ok(known) => known,
        Err(fault) => return Ok(Err((fault, None))),
    };
    let user = provider.store.read().await?.find_user(known.factor.user).await?;
    let Some(user) = user else {
        return Ok(Err((PasskeyFault::Owner, None)));
    };
    if !known.signed.is_verified {
        return Ok(Err((PasskeyFault::Verification, Some(user))));
    }
    if attempt.expected.is_some_and(|expected| expected != user.id) {
        return Ok(Err((PasskeyFault::Owner, Some(user))));
    }
    if let Some(named) = &attempt.named {
        let meant = people::find_who_signs_in(provider, named).await?;
        if meant.is_none_or(|meant| meant.id != user.id) {
            return Ok(Err((PasskeyFault::Owner, Some(user))));
        }
    }
    if !factor::accept_signature(provider, call, &user, &known.factor, known.signed).await? {
        return Ok(Err((PasskeyFault::Counter, Some(user))));
    }
    let proof = Proof::passkey(attempt.remember, known.factor.id, known.signed.is_bound_to_device);
    Ok(Ok((user, proof)))
}

/// Signs somebody in whose passkey is right.
async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    proof: Proof,
    purpose: Purpose,
) -> Result<Account, Refused> {
    entrance::admit(provider, call, user, METHOD).await?;
    let token = SessionToken::generate(user.id);
    entrance::enter(provider, call, browser, user, (proof, METHOD), (purpose, token)).await
}
