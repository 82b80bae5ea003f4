//! Wishes for a message: a link to a new password, or to a new account, or a code to sign in with. Whoever utters one is answered before anybody has looked who is
//! meant: wishes wait in memory and are looked at a moment later, so neither the answer nor its time tells whether there is such an
//! account (SEC-221, SEC-301). A wish that a kill loses is uttered again by the person who waits for the mail.

use std::sync::Mutex;
use std::time::Duration;

use super::code_wish::{self, CodeWish};
use super::guess_wait::{self, Lockout};
use super::recovery_wish::{self, RecoveryWish};
use super::registration_wish::{self, RegistrationWish};
use crate::flow::{Call, Error, Provider};

/// More wishes do not wait: whoever comes then is told to come again.
const MOST_WAITING: usize = 2_000;
/// So many are looked at in one go.
const BATCH: usize = 100;

/// Wishes that wait to be looked at.
#[derive(Default)]
pub struct Wishes {
    waiting: Mutex<Vec<(Call, Wish)>>,
    turn: tokio::sync::Mutex<()>,
}

/// What somebody wants a mail for.
#[derive(Debug)]
pub(super) enum Wish {
    Recovery(RecoveryWish),
    Registration(RegistrationWish),
    Code(CodeWish),
    Lockout(Lockout),
}

impl Wishes {
    pub(super) fn put(&self, call: &Call, wish: Wish) -> Result<(), Error> {
        let mut waiting = self.hold();
        if waiting.len() >= MOST_WAITING {
            return Err(Error::Busy {
                retry_after: Duration::from_secs(5),
            });
        }
        waiting.push((call.clone(), wish));
        Ok(())
    }

    fn take(&self) -> Vec<(Call, Wish)> {
        let mut waiting = self.hold();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, Vec<(Call, Wish)>> {
        match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Looks at the wishes that wait, and mails links. Gives how many were looked at. One that can't be answered holds up no other.
///
/// # Errors
/// [`Error`] of the last one that could not be answered; it is lost.
pub async fn answer_wishes(provider: &Provider) -> Result<usize, Error> {
    // one at a time: when this answers, whatever was wished for before is answered, by whomever
    let _turn = provider.wishes.turn.lock().await;
    let mut count = 0;
    let mut failed = None;
    loop {
        let wishes = provider.wishes.take();
        if wishes.is_empty() {
            break;
        }
        for (call, wish) in wishes {
            count += 1;
            let answered = match &wish {
                Wish::Recovery(wish) => recovery_wish::answer(provider, &call, wish).await,
                Wish::Lockout(lockout) => guess_wait::tell(provider, &call, lockout).await,
                Wish::Registration(wish) => registration_wish::answer(provider, &call, wish).await,
                Wish::Code(wish) => code_wish::answer(provider, &call, wish).await,
            };
            if let Err(error) = answered {
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(count), Err)
}
