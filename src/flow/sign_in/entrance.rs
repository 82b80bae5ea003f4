//! The last step of a sign-in, by whatever somebody has proved who they are: a session, or what stands before one.

use super::password::{NoRoom, Refused};
use crate::flow::effective::WhenFull;
use crate::flow::session::{
    self, Account, Browser, NotBegun, Proof, Purpose, SessionToken, choice, demand, duty, logins,
};
use crate::flow::{Call, Provider};
use crate::model::{AccountState, Event, EventKind, Fact, Timestamp, User, UserKind};

/// Begins a session for a proof of this moment, under a token of its own or of the form that proved it. `method`: by what it was proved, in
/// a word for the audit log.
pub(super) async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    (proof, method): (Proof, &'static str),
    (purpose, token): (Purpose, SessionToken),
) -> Result<Account, Refused> {
    match session::begin_for(provider, call, browser, user, proof.clone(), (&purpose, token)).await {
        Ok(account) => Ok(account),
        Err(NotBegun::Failed(error)) => Err(error.into()),
        Err(NotBegun::Factor(risk)) => {
            let handle = demand::wait(provider, call, browser, user.id, proof, purpose).await?;
            Err(Refused::Factor(handle, risk))
        }
        Err(NotBegun::Action(missing)) => {
            let (proof, wanted) = ((proof, call.now, None), (purpose, missing));
            let handle = duty::wait(provider, call, browser, user.id, proof, wanted).await?;
            Err(Refused::Required(missing, handle))
        }
        // what was proved is no proof any more
        Err(NotBegun::Changed) => {
            let event = refused(call, "sign_in.changed", method, Some(user));
            provider.note(event).await;
            Err(Refused::Wrong)
        }
        Err(NotBegun::Device(device)) => {
            let event = refused(call, device.rule(), method, Some(user));
            provider.note(event).await;
            Err(Refused::Device(device))
        }
        Err(NotBegun::Full(full)) => {
            let event = refused(call, "sign_in.limit", method, Some(user));
            provider
                .note(event.fact("logins", Fact::Number(full.live.into())))
                .await;
            if full.at_limit != WhenFull::Ask {
                let logins = logins::list(provider, call, user.id).await?;
                let user = user.clone();
                return Err(Refused::Full(Box::new(NoRoom { full, user, logins })));
            }
            let waiting = (purpose, full);
            let handle = choice::wait(provider, call, browser, user.id, (proof, call.now, None), waiting).await?;
            Err(Refused::Asked(full, handle))
        }
    }
}

/// Whether an account may not be entered by anybody, whatever they prove, and by which rule. One that its owner has deleted may: to
/// take that back.
fn barred(user: &User, now: Timestamp) -> Option<(&'static str, Refused)> {
    if user.kind == UserKind::Server {
        return Some(("sign_in.server", Refused::Inactive));
    }
    match user.state(now) {
        AccountState::Active | AccountState::Invited | AccountState::Leaving => None,
        AccountState::Inactive | AccountState::Deleted => Some(("sign_in.inactive", Refused::Inactive)),
        AccountState::Locked => Some(("sign_in.locked", Refused::Locked)),
        AccountState::NotStarted => {
            let start = user.starts_at.unwrap_or(now);
            Some(("sign_in.not_started", Refused::NotStarted(start)))
        }
        AccountState::Expired => {
            let end = user.expires_at.unwrap_or(now);
            Some(("sign_in.account_expired", Refused::AccountExpired(end)))
        }
    }
}

/// Refuses whoever has proved that an account is theirs and may not come in all the same.
///
/// # Errors
/// [`Refused`], with what the person can do about it.
pub(super) async fn admit(provider: &Provider, call: &Call, user: &User, method: &'static str) -> Result<(), Refused> {
    if let Some((rule, barred)) = barred(user, call.now) {
        provider.note(refused(call, rule, method, Some(user))).await;
        return Err(barred);
    }
    // somebody else may know the password: whoever enters it is not let replace it here
    if user.password_expired_at.is_some() {
        let event = refused(call, "sign_in.password_expired", method, Some(user));
        provider.note(event).await;
        return Err(Refused::Expired(Box::new(user.clone())));
    }
    Ok(())
}

/// That somebody was not signed in.
pub(super) fn refused(call: &Call, rule: &'static str, method: &'static str, user: Option<&User>) -> Event {
    let event = call
        .event(EventKind::SignIn)
        .refused(rule)
        .fact("method", Fact::Word(method));
    match user {
        Some(user) => event.user(user.id),
        None => event,
    }
}
