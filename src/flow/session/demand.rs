//! A person has proved their password and has a second factor: the proof waits until they have proved that too.
//!
//! Whether what they type is right is judged elsewhere; here it is taken care that one proof begins one session.

use super::logins::{self, KnownLogin};
use super::onward::{Answered, landed};
use super::waiting::{self, Kept, Purpose, Question, WaitingProof};
use super::{Account, Browser, OnDevice, Proof, SecondProof};
use crate::flow::{Call, Error, Provider};
use crate::model::{Channel, Id, TraceId, User};

/// A proof that waits for the second factor.
#[derive(Debug)]
pub struct Demand {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// Who has proved the first.
    pub user: User,
    /// What for.
    pub purpose: Purpose,
    /// The call that the journey began with.
    pub journey: Option<TraceId>,
    waiting: WaitingProof,
}

/// Keeps a proof until the second factor is proved. Gives its handle.
pub(in crate::flow) async fn wait(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    proof: Proof,
    purpose: Purpose,
) -> Result<String, Error> {
    let kept = Kept {
        user,
        proof,
        proved_at: call.now,
        as_of: None,
        purpose,
        max: 0,
        task: None,
        session: None,
    };
    waiting::wait(provider, call, browser, Question::Factor, kept).await
}

/// Keeps the proof of a session that goes on, until the second factor is proved besides. Gives its handle.
pub(in crate::flow) async fn wait_for_more(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    account: &Account,
    purpose: Purpose,
) -> Result<String, Error> {
    let facts = &account.facts;
    let kept = Kept {
        user: account.user.id,
        proof: Proof {
            amr: facts.amr.clone(),
            acr: facts.acr.clone(),
            remember: facts.remember,
            factor: None,
            device: OnDevice::Nothing,
        },
        // as old as it is: what is added to it makes it no fresher
        proved_at: facts.auth_time,
        as_of: None,
        purpose,
        max: 0,
        task: None,
        session: Some(account.session.id),
    };
    waiting::wait(provider, call, browser, Question::Factor, kept).await
}

/// Opens a proof in the browser that it was given in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, was used, belongs to another browser, or the account has changed since.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Demand, Error> {
    let waiting = waiting::load(provider, call, browser, Question::Factor, id).await?;
    Ok(Demand {
        id: waiting.id.clone(),
        user: waiting.user.clone(),
        purpose: waiting.stored.purpose.clone(),
        journey: waiting.journey(),
        waiting,
    })
}

impl Demand {
    /// Whether something has come of it already.
    pub const fn is_over(&self) -> bool {
        self.waiting.is_over()
    }

    /// Whether it is asked of somebody who is signed in: a session that wants more.
    pub const fn is_step_up(&self) -> bool {
        self.waiting.stored.session.is_some()
    }

    /// Whether what was proved before was a code that came by this way: another one that does proves nothing more.
    pub(in crate::flow) fn is_by(&self, channel: Channel) -> bool {
        self.waiting.stored.proof.is_by(channel)
    }

    /// The logins of the person, the last used first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn logins(&self, provider: &Provider, call: &Call) -> Result<Vec<KnownLogin>, Error> {
        logins::list(provider, call, self.user.id).await
    }

    /// What was proved before, and nothing came of.
    pub(in crate::flow) const fn proved(&self) -> Option<SecondProof> {
        self.waiting.stored.second
    }

    /// Takes it, for an answer that is about to be judged for good. False if somebody was faster.
    pub(in crate::flow) async fn take(&self, provider: &Provider, call: &Call) -> Result<bool, Error> {
        self.waiting.take(provider, call).await
    }

    /// The answer was wrong after all.
    pub(in crate::flow) async fn put_back(&self, provider: &Provider, call: &Call) -> Result<(), Error> {
        self.waiting.put_back(provider, call, None).await
    }

    /// Begins the session of a proof that was taken.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account is not what it was, [`Error::Unavailable`]: what was proved stays proved, and the
    /// same form may be sent again.
    pub(in crate::flow) async fn enter(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        (second, device): (SecondProof, OnDevice),
    ) -> Result<Answered, Error> {
        let mut proof = self.waiting.stored.proof.clone().and(second);
        proof.device = device;
        self.waiting.go_on(provider, call, browser, (proof, Some(second))).await
    }

    /// What the same form has brought about a moment ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] if that is nothing, or has ended.
    pub async fn enter_again(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
    ) -> Result<Answered, Error> {
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

    /// The person does not want to sign in after all, or may not.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn give_up(&self, provider: &Provider) -> Result<(), Error> {
        self.waiting.forget(provider).await
    }
}
