//! Whether what somebody typed, or signed, proves a second factor. Looking at it changes nothing; what is accepted is accepted once, by a
//! guarded statement (RFC 6238 section 5.2).

use super::ceremony::Occasion;
use super::news::{self, What};
use super::{SEALED_FOR, passkey, sent};
use crate::credential::{Signed, Totp, digest_recovery_code};
use crate::flow::again::again;
use crate::flow::session::{Browser, Demand, SecondProof};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Channel, Digest, EventKind, Fact, Factor, Id, OtpSecret, Secret, User};

/// What somebody typed, or their authenticator signed.
#[derive(Clone, Debug)]
pub enum Typed {
    /// A one-time code, exactly.
    Code(Secret),
    /// A recovery code, with whatever blanks and dashes.
    RecoveryCode(Secret),
    /// A code that was sent by this way, with whatever blanks and dashes.
    SentCode(Channel, Secret),
    /// A signature of a passkey.
    Passkey(Signature),
}

/// What a browser answers where it was asked for a signature.
#[derive(Clone, Debug)]
pub struct Signature {
    /// What it was asked.
    pub question: String,
    /// The authenticator's answer, as JSON.
    pub answer: Secret,
}

impl Typed {
    /// In a word, for the audit log (RFC 8176 section 2 where there is one).
    pub(in crate::flow) const fn method(&self) -> &'static str {
        match self {
            Self::Code(_) | Self::RecoveryCode(_) | Self::SentCode(Channel::Mail, _) => "otp",
            Self::SentCode(Channel::Sms, _) => "sms",
            Self::Passkey(_) => "passkey",
        }
    }
}

/// What it may prove, if nobody was faster.
#[derive(Clone, Debug)]
pub(in crate::flow) enum Evidence {
    /// The code of this time step.
    Step { factor: Id<Factor>, step: i64 },
    /// A recovery code of this digest, if there is one.
    RecoveryCode(Digest),
    /// A code that was sent, for this factor if it is one.
    SentCode {
        channel: Channel,
        factor: Option<Id<Factor>>,
    },
    /// A signature of this passkey.
    Signature { factor: Box<Factor>, signed: Signed },
}

/// What it may prove. Nothing: it is no code of any factor of theirs now, or one of a step that was used; or a signature that is
/// wrong, for whatever reason. `demand`: the sign-in that waits for it in this browser.
pub(in crate::flow) async fn judge(
    provider: &Provider,
    call: &Call,
    (browser, demand): (&Browser, &Demand),
    typed: &Typed,
) -> Result<Option<Evidence>, Error> {
    let user = &demand.user;
    let code = match typed {
        Typed::RecoveryCode(code) => return Ok(digest_recovery_code(code).map(Evidence::RecoveryCode)),
        Typed::SentCode(channel, code) => return sent::judge(provider, call, demand, (*channel, code)).await,
        Typed::Code(code) => code,
        Typed::Passkey(signature) => {
            let occasion = Occasion::SecondFactor(&demand.id);
            let judged = passkey::judge(provider, call, browser, occasion, signature).await?;
            let is_theirs = |known: &passkey::Known| known.factor.user == user.id;
            return Ok(judged.ok().filter(is_theirs).map(|known| Evidence::Signature {
                factor: Box::new(known.factor),
                signed: known.signed,
            }));
        }
    };
    let factors = provider.store.read().await?.list_factors_of(user.id).await?;
    let mut found = None;
    // every one is looked at: how long it takes tells nothing
    for factor in factors {
        let Some(otp) = factor.otp() else { continue };
        let step = open(provider, otp)?.step_of(code, call.now, otp.last_step);
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
                news::write(provider, &mut tx, call, user, (what, None)).await?;
                tx.commit().await?;
                Ok(true)
            });
            Ok(spent.await?.then_some(SecondProof::RecoveryCode))
        }
        Evidence::SentCode { channel, factor } => sent::accept(provider, call, user, (*channel, *factor)).await,
        Evidence::Signature { factor, signed } => {
            let accepted = passkey::accept(provider, call, user, factor, *signed).await?;
            Ok(accepted.then_some(SecondProof::Passkey {
                factor: factor.id,
                is_bound_to_device: signed.is_bound_to_device,
            }))
        }
    }
}

/// The secret of a factor, and how its codes are made.
pub(super) fn open(provider: &Provider, otp: &OtpSecret) -> Result<Totp, Error> {
    let secret = provider
        .master
        .open(SEALED_FOR, &otp.sealed)
        .map_err(|error| Error::Failed(Box::new(error)))?;
    Totp::new(secret.to_vec(), otp.shape).map_err(|error| Error::Failed(Box::new(error)))
}
