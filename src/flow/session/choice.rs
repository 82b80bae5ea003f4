//! A person has proved who they are and has as many logins as they may have: the proof waits until they say which one ends.

use super::begin::{Full, NotBegun};
use super::logins::{self, KnownLogin};
use super::waiting::{self, Before, Kept, Purpose, Question, WaitingProof};
use super::{Account, Browser, DeviceRefused, Proof};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Timestamp, TraceId, User};

/// A proof that waits.
#[derive(Debug)]
pub struct Choice {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// Who has proved it.
    pub user: User,
    /// What for.
    pub purpose: Purpose,
    /// How many logins there may be.
    pub max: u32,
    /// The call that the journey began with.
    pub journey: Option<TraceId>,
    waiting: WaitingProof,
}

/// What became of a choice.
#[derive(Debug)]
pub enum Chosen {
    /// The person is signed in.
    SignedIn(Box<Account>),
    /// Others came in between: there is still no room, nothing was ended, and the person is asked again.
    StillFull,
    /// The device may not be signed in with any more. The proof is spent.
    Refused(DeviceRefused),
}

/// Keeps a proof, given at `proved_at`, until the person has chosen. Gives its handle.
pub(in crate::flow) async fn wait(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    (proof, proved_at, as_of): (Proof, Timestamp, Option<Timestamp>),
    (purpose, full): (Purpose, Full),
) -> Result<String, Error> {
    let kept = Kept {
        user,
        proof,
        proved_at,
        as_of,
        purpose,
        max: full.max,
        task: None,
        session: None,
    };
    waiting::wait(provider, call, browser, Question::Choice, kept).await
}

/// Opens a proof in the browser that it was given in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, was used, belongs to another browser, or the account has changed since.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Choice, Error> {
    let waiting = waiting::load(provider, call, browser, Question::Choice, id).await?;
    Ok(Choice {
        id: waiting.id.clone(),
        user: waiting.user.clone(),
        purpose: waiting.stored.purpose.clone(),
        max: waiting.stored.max,
        journey: waiting.journey(),
        waiting,
    })
}

impl Choice {
    /// What the person can choose from, the last used first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn logins(&self, provider: &Provider, call: &Call) -> Result<Vec<KnownLogin>, Error> {
        logins::list(provider, call, self.user.id).await
    }

    /// Ends what the person has chosen, by the keys of the logins, and signs them in, both or neither.
    ///
    /// # Errors
    /// [`Error::NotFound`] if somebody was faster with the same proof, [`Error::Unavailable`]: the person is not signed in.
    pub async fn end_and_enter(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        keys: &[String],
    ) -> Result<Chosen, Error> {
        let chosen = logins::chosen(&self.logins(provider, call).await?, keys);
        if !self.waiting.take(provider, call).await? {
            return landed(self.waiting.again(provider, call, browser).await?);
        }
        let proof = self.waiting.stored.proof.clone();
        match self.waiting.enter(provider, call, browser, proof, &chosen).await {
            Ok(account) => Ok(Chosen::SignedIn(Box::new(account))),
            // a factor that came since, or left, makes what was proved too little; so does what is required since
            Err(NotBegun::Changed | NotBegun::Factor(_) | NotBegun::Action(_)) => {
                self.waiting.forget(provider).await?;
                Err(Error::NotFound)
            }
            Err(NotBegun::Device(refused)) => {
                self.waiting.forget(provider).await?;
                Ok(Chosen::Refused(refused))
            }
            Err(not_begun) => {
                self.waiting.put_back(provider, call, None).await?;
                match not_begun {
                    NotBegun::Failed(error) => Err(error),
                    _ => Ok(Chosen::StillFull),
                }
            }
        }
    }

    /// Whether the person is signed in by it already.
    pub const fn is_over(&self) -> bool {
        self.waiting.is_over()
    }

    /// The session that the same form has begun a moment ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, or it has ended.
    pub async fn enter_again(&self, provider: &Provider, call: &Call, browser: &mut Browser) -> Result<Chosen, Error> {
        landed(self.waiting.before(provider, call, browser).await?)
    }

    /// The person does not want to sign in after all.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn give_up(self, provider: &Provider) -> Result<Purpose, Error> {
        self.waiting.forget(provider).await?;
        Ok(self.purpose)
    }
}

fn landed(before: Before) -> Result<Chosen, Error> {
    match before {
        Before::In(account) => Ok(Chosen::SignedIn(account)),
        Before::Asked(_) | Before::Required(_) => Err(Error::NotFound),
    }
}
