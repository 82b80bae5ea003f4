//! A person has proved who they are, and something is required of them before they are in: the proof waits until it is done.
//!
//! Whether it was done right is judged elsewhere; here it is taken care that one proof begins one session, and that none begins
//! before. What was done stays done if the person goes away in between: the next sign-in asks for what is left.

use serde::{Deserialize, Serialize};

use super::onward::{Answered, landed};
use super::waiting::{self, Kept, Purpose, Question, WaitingProof};
use super::{Browser, KnownLogin, Proof, SecondProof, logins};
use crate::credential::Totp;
use crate::flow::needs::{Missing, Needed, Wanted};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, OtpShape, RequiredAction, Secret, Timestamp, TraceId, User};

/// What a person does.
#[derive(Clone, Serialize, Deserialize)]
pub enum Task {
    /// They set another password.
    ChangePassword {
        /// Who wants it.
        because: Wanted,
    },
    /// They set up an authenticator.
    Enrol {
        /// Who wants it.
        because: Wanted,
        /// The secret that it is to hold.
        secret: Vec<u8>,
    },
    /// They accept the terms of use that are required of them.
    AcceptTerms {
        /// Who wants it.
        because: Wanted,
    },
    /// They say that their account is to stay, which they have deleted.
    Stay,
    /// They confirm a telephone number.
    ConfirmPhone,
    /// They confirm their mail address.
    VerifyEmail {
        /// Who wants it.
        because: Wanted,
    },
    /// They complete what is told about them.
    UpdateProfile {
        /// Who wants it.
        because: Wanted,
    },
    /// They keep their recovery codes, which are shown this once.
    KeepCodes {
        /// The codes.
        codes: Vec<String>,
        /// When they were made.
        made: Timestamp,
    },
    /// Nothing any more: it is done, and then something went wrong.
    Enter,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.word())
    }
}

impl Task {
    fn of(missing: Missing) -> Result<Self, Error> {
        let because = missing.because;
        let action = match missing.action {
            Needed::Stay => return Ok(Self::Stay),
            Needed::ConfirmPhone => return Ok(Self::ConfirmPhone),
            Needed::Action(action) => action,
        };
        Ok(match action {
            RequiredAction::VerifyEmail => Self::VerifyEmail { because },
            RequiredAction::UpdateProfile => Self::UpdateProfile { because },
            RequiredAction::ChangePassword => Self::ChangePassword { because },
            RequiredAction::AcceptTerms => Self::AcceptTerms { because },
            RequiredAction::EnrolFactor => {
                let totp = Totp::generate(OtpShape::default()).map_err(|error| Error::Failed(Box::new(error)))?;
                let secret = totp.secret().to_vec();
                Self::Enrol { because, secret }
            }
        })
    }

    /// Whether an administrator who has required it has not taken that back since. An address is confirmed by a mail, which may have been
    /// answered while the page waits.
    fn is_still_required(&self, user: &User) -> bool {
        let action = match self {
            Self::ChangePassword {
                because: Wanted::Administrator,
            } => RequiredAction::ChangePassword,
            Self::Enrol {
                because: Wanted::Administrator,
                ..
            } => RequiredAction::EnrolFactor,
            Self::UpdateProfile {
                because: Wanted::Administrator,
            } => RequiredAction::UpdateProfile,
            _ => return true,
        };
        user.required_actions.contains(&action)
    }

    /// In a word, for the traces.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::ChangePassword { .. } => "change_password",
            Self::Enrol { .. } => "enrol_factor",
            Self::AcceptTerms { .. } => "accept_terms",
            Self::Stay => "stay",
            Self::ConfirmPhone => "confirm_phone",
            Self::VerifyEmail { .. } => "verify_email",
            Self::UpdateProfile { .. } => "update_profile",
            Self::KeepCodes { .. } => "keep_codes",
            Self::Enter => "enter",
        }
    }
}

/// A proof that waits until something is done.
#[derive(Clone, Debug)]
pub struct Duty {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// Who has proved it.
    pub user: User,
    /// What for.
    pub purpose: Purpose,
    /// The call that the journey began with.
    pub journey: Option<TraceId>,
    /// What is to be done.
    pub task: Task,
    waiting: WaitingProof,
}

/// Keeps a proof until what is missing is done. Gives its handle.
pub(in crate::flow) async fn wait(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    proof: (Proof, Timestamp, Option<Timestamp>),
    (purpose, missing): (Purpose, Missing),
) -> Result<String, Error> {
    let task = Task::of(missing)?;
    keep(provider, call, browser, user, proof, (purpose, task)).await
}

async fn keep(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    (proof, proved_at, as_of): (Proof, Timestamp, Option<Timestamp>),
    (purpose, task): (Purpose, Task),
) -> Result<String, Error> {
    let kept = Kept {
        user,
        proof,
        proved_at,
        as_of,
        purpose,
        max: 0,
        task: Some(task),
        session: None,
    };
    waiting::wait(provider, call, browser, Question::Action, kept).await
}

/// Opens a proof in the browser that it was given in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, was used, belongs to another browser, or the account has changed since.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Duty, Error> {
    let waiting = waiting::load(provider, call, browser, Question::Action, id).await?;
    let task = waiting.stored.task.clone().ok_or(Error::NotFound)?;
    if !waiting.is_over() && !task.is_still_required(&waiting.user) {
        return Err(Error::NotFound);
    }
    Ok(Duty {
        id: waiting.id.clone(),
        user: waiting.user.clone(),
        purpose: waiting.stored.purpose.clone(),
        journey: waiting.journey(),
        task,
        waiting,
    })
}

impl Duty {
    /// Whether it is done already.
    pub const fn is_over(&self) -> bool {
        self.waiting.is_over()
    }

    /// The logins of the person, the last used first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn logins(&self, provider: &Provider, call: &Call) -> Result<Vec<KnownLogin>, Error> {
        logins::list(provider, call, self.user.id).await
    }

    /// Whether several factors are proved.
    pub(in crate::flow) fn is_multiple(&self) -> bool {
        self.waiting.stored.proof.is_multiple()
    }

    /// Takes it, for something that is about to be done for good. False if somebody was faster.
    pub(in crate::flow) async fn take(&self, provider: &Provider, call: &Call) -> Result<bool, Error> {
        self.waiting.take(provider, call).await
    }

    /// It was not done after all.
    pub(in crate::flow) async fn put_back(&self, provider: &Provider, call: &Call) -> Result<(), Error> {
        self.waiting.put_back(provider, call, None).await
    }

    /// It is done, and the account is as it is now because of that: begins the session, or asks for what is still missing. Where
    /// that fails the same form may be sent again, and nothing is done twice.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account is not what it was, [`Error::Unavailable`].
    pub(in crate::flow) async fn done(
        mut self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        as_of: Option<Timestamp>,
    ) -> Result<Answered, Error> {
        if as_of.is_some() {
            self.waiting.stored.as_of = as_of;
            self.waiting.stored.task = Some(Task::Enter);
        }
        self.waiting.read_again(provider, call).await?;
        let proof = self.waiting.stored.proof.clone();
        self.waiting.go_on(provider, call, browser, (proof, None)).await
    }

    /// The person has set up a second factor on the way, and is shown the recovery codes that came with it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(in crate::flow) async fn enrolled(
        self,
        provider: &Provider,
        call: &Call,
        browser: &Browser,
        (second, codes): (SecondProof, &[Secret]),
    ) -> Result<Answered, Error> {
        let stored = &self.waiting.stored;
        let proof = (stored.proof.clone().and(second), stored.proved_at, stored.as_of);
        let task = Task::KeepCodes {
            codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
            made: call.now,
        };
        let action = keep(provider, call, browser, self.user.id, proof, (self.purpose, task)).await?;
        self.waiting.required(provider, call, &action).await;
        Ok(Answered::Required(action))
    }

    /// What the same form has brought about a moment ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] if that is nothing, or has ended.
    pub async fn done_again(&self, provider: &Provider, call: &Call, browser: &mut Browser) -> Result<Answered, Error> {
        landed(self.waiting.before(provider, call, browser).await?)
    }

    /// The same where somebody was faster to take it.
    pub(in crate::flow) async fn follow(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
    ) -> Result<Answered, Error> {
        landed(self.waiting.again(provider, call, browser).await?)
    }

    /// The person does not want to sign in after all.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn give_up(&self, provider: &Provider) -> Result<(), Error> {
        self.waiting.forget(provider).await
    }
}
