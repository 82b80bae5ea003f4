//! What is required of somebody on the way in, done: another password, a second factor, recovery codes that are kept, terms that are
//! accepted.
//!
//! Each is done once, by whoever has proved who they are in this browser a moment ago; then whatever is missing still is asked for,
//! and only then a session begins.

use super::decisions;
use super::factor::forgive_password;
use crate::credential::PasskeyFault;
use crate::flow::factor::{self, Shown, Signature};
use crate::flow::people::{self, NotConfirmed, NotReplaced, UserChange};
use crate::flow::session::{Answered, Browser, Duty, Task};
use crate::flow::{Call, Error, FieldError, Provider, terms};
use crate::model::{Id, RequiredAction, Secret, Terms};

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The new password is the one until now.
    #[error("the new password is the old one")]
    Same,
    /// The new password can't be taken.
    #[error("the new password can't be taken")]
    Weak(Vec<FieldError>),
    /// The code is not the authenticator's, or not the one that was sent.
    #[error("the code is wrong")]
    Wrong,
    /// What the authenticator answered is no passkey that can be taken.
    #[error(transparent)]
    Passkey(PasskeyFault),
    /// Somebody has the passkey already.
    #[error("the passkey is known")]
    Known,
    /// Not all is accepted that has to be.
    #[error("not all terms are accepted")]
    NotAccepted,
    /// The mail address is not confirmed yet.
    #[error("the mail address is not confirmed")]
    NotYet,
    /// What is told about the person can't be as they say.
    #[error("fields can't be taken")]
    Fields(Vec<FieldError>),
    /// It could not be done. [`Error::NotFound`]: the sign-in is over.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What a person brings.
#[derive(Clone, Debug)]
pub enum Brought {
    /// A new password.
    Password(Secret),
    /// The code of the authenticator that is set up, or the one that was sent to a number.
    Code(Secret),
    /// What an authenticator answered that was asked for a passkey.
    Passkey(Signature),
    /// The terms that they accept, and the language that they read them in.
    Terms(Vec<Id<Terms>>, String),
    /// What is told about them.
    Profile(Box<UserChange>),
    /// Nothing but that they go on: the recovery codes are kept, the mail was answered, the account stays.
    Nothing,
}

/// Does what is required with what the person brings, and signs them in if that was the last of it.
///
/// # Errors
/// [`NotDone`]: nothing has changed.
pub async fn answer(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    brought: Brought,
) -> Result<Answered, NotDone> {
    if duty.is_over() {
        return Ok(duty.done_again(provider, call, browser).await?);
    }
    let user = duty.user.clone();
    // each is long, and only one of them is waited for
    let answered = match (&duty.task, brought) {
        (Task::ChangePassword { .. }, Brought::Password(new)) => {
            Box::pin(change_password(provider, call, browser, duty, new)).await
        }
        (Task::Enrol { secret, .. }, Brought::Code(code)) => {
            let secret = secret.clone();
            Box::pin(enrol(provider, call, browser, duty, (&secret, &code))).await
        }
        (Task::Enrol { .. }, Brought::Passkey(answer)) => {
            Box::pin(enrol_passkey(provider, call, browser, duty, &answer)).await
        }
        (Task::ConfirmPhone, Brought::Code(code)) => {
            Box::pin(confirm_phone(provider, call, browser, duty, &code)).await
        }
        (Task::Stay, Brought::Nothing) => Box::pin(stay(provider, call, browser, duty)).await,
        (Task::VerifyEmail { .. }, Brought::Nothing) => Box::pin(verify_email(provider, call, browser, duty)).await,
        (Task::UpdateProfile { .. }, Brought::Profile(change)) => {
            Box::pin(update_profile(provider, call, browser, duty, *change)).await
        }
        (Task::KeepCodes { .. }, Brought::Nothing) | (Task::Enter, _) => {
            Box::pin(enter(provider, call, browser, duty)).await
        }
        (Task::AcceptTerms { .. }, Brought::Terms(accepted, locale)) => {
            Box::pin(accept(provider, call, browser, duty, (&accepted, &locale))).await
        }
        // a form of another step: this one is as it was
        (_, _) => Err(NotDone::Wrong),
    };
    if let Ok(Answered::SignedIn(_)) = &answered
        && let Err(error) = forgive_password(provider, call, browser, &user).await
    {
        tracing::warn!(%error, "a right password stays counted as a guess");
    }
    if let Ok(answered) = &answered {
        decisions::keep_answered(provider, call, &user, ("sign_in.done", answered));
    }
    let word = match &answered {
        Ok(Answered::SignedIn(_)) => "success",
        Ok(Answered::Asked(..)) => "asked",
        Ok(Answered::Required(_)) => "required",
        Ok(Answered::Full(_)) => "full",
        Ok(Answered::Refused(_)) => "device",
        Err(
            NotDone::Same
            | NotDone::Weak(_)
            | NotDone::Wrong
            | NotDone::Passkey(_)
            | NotDone::Known
            | NotDone::NotYet
            | NotDone::Fields(_)
            | NotDone::NotAccepted,
        ) => "not_done",
        Err(NotDone::Failed(_)) => "failed",
    };
    provider.counts.sign_ins.of(word).count();
    answered
}

async fn change_password(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    new: Secret,
) -> Result<Answered, NotDone> {
    // hashed and judged before anything is taken: it takes time, and may be refused
    let judged = match people::judge_required_password(provider, call, &duty.user, new).await {
        Ok(judged) => judged,
        Err(NotReplaced::Same | NotReplaced::Wrong) => {
            // the same form may have set it a moment ago
            return match again(provider, call, browser, &duty).await? {
                Some(answered) => Ok(answered),
                None => Err(NotDone::Same),
            };
        }
        Err(NotReplaced::Weak(fields)) => return Err(NotDone::Weak(fields)),
        Err(NotReplaced::Failed(error)) => return Err(error.into()),
    };
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    if let Err(error) = people::set_required_password(provider, call, &duty.user, &judged).await {
        match error {
            Error::Stale | Error::NotFound => duty.give_up(provider).await?,
            _ => duty.put_back(provider, call).await?,
        }
        return Err(match error {
            Error::Stale => Error::NotFound.into(),
            error => error.into(),
        });
    }
    Ok(duty.done(provider, call, browser, Some(call.now)).await?)
}

async fn enrol(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    (secret, code): (&[u8], &Secret),
) -> Result<Answered, NotDone> {
    let Some(step) = factor::step_of(secret, call, code)? else {
        return Err(NotDone::Wrong);
    };
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    add(provider, call, browser, duty, Shown::Authenticator(secret, step)).await
}

/// Taken before the answer is looked at, which counts once: of two forms that are sent at once one adds the passkey, and both lead on.
async fn enrol_passkey(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    answer: &Signature,
) -> Result<Answered, NotDone> {
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    let judged = factor::judge_new(provider, call, (&*browser, &duty), answer).await;
    let passkey = match judged {
        Ok(Ok(passkey)) => passkey,
        Ok(Err(fault)) => {
            duty.put_back(provider, call).await?;
            return Err(NotDone::Passkey(fault));
        }
        Err(error) => {
            duty.put_back(provider, call).await?;
            return Err(error.into());
        }
    };
    add(provider, call, browser, duty, Shown::Passkey(passkey)).await
}

/// Adds the factor, for a duty that was taken, and shows the recovery codes.
async fn add(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    duty: Duty,
    shown: Shown<'_>,
) -> Result<Answered, NotDone> {
    match factor::enrol(provider, call, &duty.user, shown).await {
        Ok(Some(enrolled)) => {
            let kept = (enrolled.second, enrolled.codes.as_slice());
            Ok(duty.enrolled(provider, call, browser, kept).await?)
        }
        // there is a second factor by now: the password alone is no proof any more
        Ok(None) => {
            duty.give_up(provider).await?;
            Err(Error::NotFound.into())
        }
        Err(error) => {
            duty.put_back(provider, call).await?;
            Err(match error {
                Error::Conflict(_) => NotDone::Known,
                error => error.into(),
            })
        }
    }
}

/// Whatever has to be accepted at this moment, all of it: what took effect since the form was drawn is asked for first.
async fn accept(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    (accepted, locale): (&[Id<Terms>], &str),
) -> Result<Answered, NotDone> {
    let missing = terms::missing_of(provider, &duty.user, call.now).await?;
    if missing.iter().any(|terms| !accepted.contains(&terms.id)) {
        return Err(NotDone::NotAccepted);
    }
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    if let Err(error) = terms::accept(provider, call, &duty.user, (&missing, locale)).await {
        match error {
            Error::Stale | Error::NotFound => duty.give_up(provider).await?,
            _ => duty.put_back(provider, call).await?,
        }
        return Err(match error {
            Error::Stale => Error::NotFound.into(),
            error => error.into(),
        });
    }
    Ok(duty.done(provider, call, browser, None).await?)
}

/// The account stays. Whatever else is required comes afterwards.
async fn stay(provider: &Provider, call: &Call, browser: &mut Browser, duty: Duty) -> Result<Answered, NotDone> {
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    done(provider, call, browser, duty, |duty| async move {
        people::stay(provider, call, &duty.user).await
    })
    .await
}

/// Taken before the code is looked at: of two forms that are sent at once one confirms the number, and both lead on.
async fn confirm_phone(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    code: &Secret,
) -> Result<Answered, NotDone> {
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    let confirmed = people::confirm_phone_at_sign_in(provider, call, duty.user.id, (&duty.id, code)).await;
    match confirmed {
        Ok(()) => Ok(duty.done(provider, call, browser, None).await?),
        Err(NotConfirmed::Wrong) => {
            duty.put_back(provider, call).await?;
            Err(NotDone::Wrong)
        }
        // guessed at too often: the sign-in is over, and a new one finds the same budget (SEC-254)
        Err(NotConfirmed::Failed(error @ (Error::Throttled { .. } | Error::NotFound))) => {
            duty.give_up(provider).await?;
            Err(error.into())
        }
        Err(NotConfirmed::Failed(error)) => {
            duty.put_back(provider, call).await?;
            Err(error.into())
        }
    }
}

/// Has a code sent to a number, for whoever is to confirm one. It takes all that they can prove (SEC-176).
///
/// # Errors
/// [`Error::Invalid`] if it is no number, [`Error::Throttled`] if enough were sent, [`Error::NotFound`] if the sign-in is over.
pub async fn text_confirmation(provider: &Provider, call: &Call, duty: &Duty, number: &str) -> Result<(), Error> {
    if !matches!(duty.task, Task::ConfirmPhone) || duty.is_over() || !duty.is_multiple() {
        return Err(Error::NotFound);
    }
    people::ask_for_phone_at_sign_in(provider, call, &duty.user, (&duty.id, number)).await
}

/// The number that a code was sent to for a duty, if it counts still.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn asked_number(provider: &Provider, call: &Call, duty: &Duty) -> Result<Option<String>, Error> {
    let asked = people::asked_phone_at_sign_in(provider, call, (duty.user.id, &duty.id)).await?;
    Ok(asked.map(|asked| asked.number))
}

async fn verify_email(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
) -> Result<Answered, NotDone> {
    if !people::get_user(provider, duty.user.id).await?.profile.email_verified {
        return Err(NotDone::NotYet);
    }
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    done(provider, call, browser, duty, |duty| async move {
        people::complete_action(provider, duty.user.id, RequiredAction::VerifyEmail).await
    })
    .await
}

async fn update_profile(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    change: UserChange,
) -> Result<Answered, NotDone> {
    match people::judge_required_profile(provider, call, &duty.user, &change).await {
        Ok(()) => {}
        Err(Error::Invalid(fields)) => return Err(NotDone::Fields(fields)),
        Err(error) => return Err(error.into()),
    }
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    done(provider, call, browser, duty, |duty| async move {
        people::complete_profile(provider, call, &duty.user, change).await
    })
    .await
}

/// Does it, for a duty that was taken, and goes on.
async fn done<F>(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: Duty,
    act: impl FnOnce(Duty) -> F,
) -> Result<Answered, NotDone>
where
    F: Future<Output = Result<(), Error>>,
{
    match act(duty.clone()).await {
        Ok(()) => Ok(duty.done(provider, call, browser, None).await?),
        Err(error) => {
            match error {
                Error::Stale | Error::NotFound => duty.give_up(provider).await?,
                _ => duty.put_back(provider, call).await?,
            }
            Err(match error {
                Error::Stale => Error::NotFound.into(),
                error => error.into(),
            })
        }
    }
}

/// Mails a link that confirms an address, for whoever is asked to. Another address than the one that there is takes a whole proof.
///
/// # Errors
/// [`Error::Invalid`] if it is no address, [`Error::Throttled`], [`Error::NotFound`] if the sign-in is over.
pub async fn mail_confirmation(provider: &Provider, call: &Call, duty: &Duty, email: &str) -> Result<(), Error> {
    if !matches!(duty.task, Task::VerifyEmail { .. }) || duty.is_over() {
        return Err(Error::NotFound);
    }
    let is_other = duty.user.profile.email.as_deref() != Some(email);
    let has_factor = !factor::list(provider, duty.user.id).await?.is_empty();
    if is_other && has_factor && !duty.is_multiple() {
        return Err(Error::field("/email", "not_editable", "this takes the second factor"));
    }
    people::mail_confirmation(provider, call, &duty.user, email).await
}

async fn enter(provider: &Provider, call: &Call, browser: &mut Browser, duty: Duty) -> Result<Answered, NotDone> {
    if !duty.take(provider, call).await? {
        return Ok(duty.follow(provider, call, browser).await?);
    }
    Ok(duty.done(provider, call, browser, None).await?)
}

/// What the same form has brought about a moment ago, if it has.
async fn again(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    duty: &Duty,
) -> Result<Option<Answered>, Error> {
    let other = crate::flow::session::duty::load(provider, call, browser, &duty.id).await?;
    if !other.is_over() {
        return Ok(None);
    }
    other.done_again(provider, call, browser).await.map(Some)
}
