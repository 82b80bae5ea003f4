//! The second step of a sign-in: a one-time code, a code that was sent, a signature of a passkey, or a recovery code instead.
//!
//! Guesses are counted by account, whatever sign-in they belong to and wherever they come from, and the last one ends the sign-in:
//! a new one needs the password again and finds the same budget (SEC-254). A wrong code and one that was used look the same.

use super::decisions;
use crate::flow::factor::{self, Typed};
use crate::flow::guess;
use crate::flow::session::{self, Answered, Browser, Demand, OnDevice, SecondProof, demand};
use crate::flow::{Call, Error, Provider};
use crate::model::{Event, EventKind, Fact, User};

/// Why a second factor was not proved.
#[derive(Debug, thiserror::Error)]
pub enum NotProved {
    /// It is no code that counts now.
    #[error("the code is wrong")]
    Wrong,
    /// It was not looked at, or the sign-in could not be completed. [`Error::Throttled`]: the sign-in is over.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Proves the second factor, and signs the person in.
///
/// # Errors
/// [`NotProved`]; [`Error::NotFound`] if the sign-in is over.
pub async fn answer(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    demand: &Demand,
    (typed, device): (&Typed, OnDevice),
) -> Result<Answered, NotProved> {
    if demand.is_over() {
        return Ok(demand.enter_again(provider, call, browser).await?);
    }
    let answered = prove(provider, call, browser, demand, (typed, device)).await;
    decisions::keep_factor(provider, call, &demand.user, &answered);
    let word = match &answered {
        Ok(Answered::SignedIn(_)) => "success",
        Ok(Answered::Asked(..)) => "asked",
        Ok(Answered::Required(_)) => "required",
        Ok(Answered::Full(_)) => "full",
        Ok(Answered::Refused(_)) => "device",
        Err(NotProved::Wrong) => "wrong_factor",
        Err(NotProved::Failed(Error::Throttled { .. })) => "throttled",
        Err(NotProved::Failed(_)) => "failed",
    };
    provider.counts.sign_ins.of(word).count();
    answered
}

async fn prove(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    demand: &Demand,
    (typed, device): (&Typed, OnDevice),
) -> Result<Answered, NotProved> {
    let user = &demand.user;
    if let Some(proved) = demand.proved() {
        // it was right before, and then something else went wrong
        if !demand.take(provider, call).await? {
            return Ok(demand.follow(provider, call, browser).await?);
        }
        return Ok(demand.enter(provider, call, browser, (proved, device)).await?);
    }
    let name = user.id.to_string();
    let account = guess::Account::SecondFactor(&name);
    if let Err(error) = guess::look(provider, call, account).await {
        if let Error::Throttled { rule, .. } = error {
            provider
                .note_refusals(call, refused(call, rule, user, typed), rule)
                .await;
            if matches!(rule, guess::WAITING | guess::LOCKED)
                && let Err(error) = factor::notice_guesses(provider, call, user).await
            {
                tracing::warn!(user = %user.id, %error, "a person is not told that their second factor is guessed at");
            }
            demand.give_up(provider).await?;
        }
        return Err(error.into());
    }
    match judge(provider, call, browser, demand, typed).await {
        Ok(Judged::Right(second)) => {
            forgive(provider, call, browser, user).await;
            Ok(demand.enter(provider, call, browser, (second, device)).await?)
        }
        Ok(Judged::SentTwice(answered)) => {
            guess::unjudged(provider, call, account).await?;
            Ok(answered)
        }
        Ok(Judged::Wrong) => {
            guess::wrong(provider, call, account).await?;
            let event = refused(call, "sign_in.wrong_factor", user, typed);
            provider.note(event).await;
            Err(NotProved::Wrong)
        }
        Err(error) => {
            guess::unjudged(provider, call, account).await?;
            Err(error.into())
        }
    }
}

/// The whole of the sign-in has succeeded: the password before it was right as well.
async fn forgive(provider: &Provider, call: &Call, browser: &Browser, user: &User) {
    let forgiven = async {
        let name = user.id.to_string();
        guess::right(provider, call, guess::Account::SecondFactor(&name)).await?;
        forgive_password(provider, call, browser, user).await
    };
    if let Err(error) = forgiven.await {
        tracing::warn!(%error, "a right code stays counted as a guess");
    }
}

/// The password before was right as well.
pub(super) async fn forgive_password(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: &User,
) -> Result<(), Error> {
    let name = user.id.to_string();
    let device = session::known_device(provider, browser, user.id).await?;
    let counted = device.map_or(guess::Account::User(&name), guess::Account::KnownDevice);
    guess::right_before(provider, call, counted).await
}

/// What an answer is.
enum Judged {
    /// The demand is taken.
    Right(SecondProof),
    Wrong,
    /// The same form was faster.
    SentTwice(Answered),
}

async fn judge(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    demand: &Demand,
    typed: &Typed,
) -> Result<Judged, Error> {
    let Some(evidence) = factor::judge(provider, call, (browser, demand), typed).await? else {
        // the same form may have used it a moment ago
        return match demand::load(provider, call, browser, &demand.id).await {
            Ok(other) if other.is_over() => {
                let answered = other.enter_again(provider, call, browser).await?;
                Ok(Judged::SentTwice(answered))
            }
            Ok(_) => Ok(Judged::Wrong),
            Err(error) => Err(error),
        };
    };
    if !demand.take(provider, call).await? {
        let answered = demand.follow(provider, call, browser).await?;
        return Ok(Judged::SentTwice(answered));
    }
    match factor::accept(provider, call, &demand.user, &evidence).await {
        Ok(Some(second)) => Ok(Judged::Right(second)),
        Ok(None) => {
            demand.put_back(provider, call).await?;
            Ok(Judged::Wrong)
        }
        Err(error) => {
            demand.put_back(provider, call).await?;
            Err(error)
        }
    }
}

fn refused(call: &Call, rule: &'static str, user: &User, typed: &Typed) -> Event {
    call.event(EventKind::SignIn)
        .refused(rule)
        .user(user.id)
        .fact("method", Fact::Word(typed.method()))
}
