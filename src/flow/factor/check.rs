//! Whether what somebody typed proves a second factor. Looking at it changes nothing; what is accepted is accepted once, by a
//! guarded statement (RFC 6238 section 5.2).

use super::SEALED_FOR;
use super::news::{self, What};
use crate::credential::{Totp, digest_recovery_code};
use crate::flow::again::again;
use crate::flow::session::SecondProof;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Digest, EventKind, Fact, Factor, Id, Secret, User};

/// What somebody typed.
#[derive(Clone, Debug)]
pub enum Typed {
    /// A one-time code, exactly.
    Code(Secret),
    /// A recovery code, with whatever blanks and dashes.
    RecoveryCode(Secret),
}

/// What it may prove, if nobody was faster.
#[derive(Clone, Debug)]
pub(in crate::flow) enum Evidence {
    /// The code of this time step.
    Step { factor: Id<Factor>, step: i64 },
    /// A recovery code of this digest, if there is one.
    RecoveryCode(Digest),
}

/// What it may prove. Nothing: it is no code of any factor of theirs now, or one of a step that was used.
pub(in crate::flow) async fn judge(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    typed: &Typed,
) -> Result<Option<Evidence>, Error> {
    let code = match typed {
        Typed::RecoveryCode(code) => return Ok(digest_recovery_code(code).map(Evidence::RecoveryCode)),
        Typed::Code(code) => code,
    };
    let factors = provider.store.read().await?.list_factors_of(user).await?;
    let mut found = None;
    // every one is looked at: how long it takes tells nothing
    for factor in factors {
        let step = open(provider, &factor)?.step_of(code, call.now, factor.last_step);
        if let Some(step) = step.filter(|_| found.is_none()) {
            found = Some(Evidence::Step {
                factor: factor.id,
                step,
            });
        }
    }
    Ok(found)
}

/// Accepts it, unless somebody was faster with the same. A recovery code that is spent is told by mail.
pub(in crate::flow) async fn accept(
    provider: &Provider,
    call: &Call,
    user: &User,
    evidence: &Evidence,
) -> Result<Option<SecondProof>, Error> {
    match evidence {
        Evidence::Step { factor, step } => {
            let accepted = again(|| async {
                let mut tx = provider.store.write().await?;
                let accepted = tx.accept_step(user.id, *factor, *step, call.now).await?;
                if accepted {
                    tx.commit().await?;
                } else {
                    tx.abandon().await?;
                }
                Ok(accepted)
            });
            Ok(accepted.await?.then_some(SecondProof::OneTimeCode(*factor)))
        }
        Evidence::RecoveryCode(digest) => {
            let spent = again(|| async {
                let mut tx = provider.store.write().await?;
                // after whoever replaces the set, or before
                tx.hold_user(user.id).await?;
                if !tx.spend_recovery_code(user.id, digest, call.now).await? {
                    tx.abandon().await?;
                    return Ok(false);
                }
                let left = tx.count_recovery_codes_of(user.id).await?;
                let by = call.by(Actor::User(user.id));
                let event = by.event(EventKind::RecoveryCodeUsed).user(user.id);
                tx.add_event(&event.fact("left", Fact::Number(left))).await?;
                let what = What::CodeUsed {
                    left: u64::try_from(left).unwrap_or_default(),
                };
                news::write(provider, &mut tx, call, user, what).await?;
                tx.commit().await?;
                Ok(true)
            });
            Ok(spent.await?.then_some(SecondProof::RecoveryCode))
        }
    }
}

/// The secret of a factor, and how its codes are made.
pub(super) fn open(provider: &Provider, factor: &Factor) -> Result<Totp, Error> {
    let secret = provider
        .master
        .open(SEALED_FOR, &factor.sealed)
        .map_err(|error| Error::Failed(Box::new(error)))?;
    Totp::new(secret.to_vec(), factor.shape).map_err(|error| Error::Failed(Box::new(error)))
}
