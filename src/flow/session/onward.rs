//! What comes of a proof that waited, once it was answered for: a session, or the next thing that stands in the way of one.

use super::begin::{Full, NotBegun};
use super::waiting::{Before, WaitingProof};
use super::{Account, Browser, DeviceRefused, Proof, SecondProof, choice, duty};
use crate::flow::effective::WhenFull;
use crate::flow::{Call, Error, Provider};

/// What became of a right answer.
#[derive(Debug)]
pub enum Answered {
    /// The person is signed in.
    SignedIn(Box<Account>),
    /// They have as many logins as they may have, and are asked which one ends: the proof waits under this handle.
    Asked(Option<Full>, String),
    /// Something (else) is required of them: the proof waits for it under this handle.
    Required(String),
    /// They have as many logins as they may have. The proof is spent.
    Full(Full),
    /// The device may not be signed in with. The proof is spent.
    Refused(DeviceRefused),
}

impl WaitingProof {
    /// Begins the session of a proof that was taken, or asks what is still missing; `second` was proved for it, if anything was.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account is not what it was, [`Error::Unavailable`]: what was proved stays proved, and the
    /// same form may be sent again.
    pub(super) async fn go_on(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        (proof, second): (Proof, Option<SecondProof>),
    ) -> Result<Answered, Error> {
        let not_begun = match self.enter(provider, call, browser, proof.clone(), &[]).await {
            Ok(account) => return Ok(Answered::SignedIn(Box::new(account))),
            Err(not_begun) => not_begun,
        };
        match not_begun {
            NotBegun::Changed | NotBegun::Factor(_) => {
                self.forget(provider).await?;
                Err(Error::NotFound)
            }
            NotBegun::Device(refused) => {
                self.forget(provider).await?;
                Ok(Answered::Refused(refused))
            }
            NotBegun::Full(full) if full.at_limit != WhenFull::Ask => {
                self.forget(provider).await?;
                Ok(Answered::Full(full))
            }
            NotBegun::Full(full) => {
                let proof = (proof, self.stored.proved_at, self.stored.as_of);
                let asked = (self.stored.purpose.clone(), full);
                let choice = choice::wait(provider, call, browser, self.user.id, proof, asked).await?;
                self.asked(provider, call, &choice).await;
                Ok(Answered::Asked(Some(full), choice))
            }
            NotBegun::Action(missing) => {
                let proof = (proof, self.stored.proved_at, self.stored.as_of);
                let wanted = (self.stored.purpose.clone(), missing);
                let action = duty::wait(provider, call, browser, self.user.id, proof, wanted).await?;
                self.required(provider, call, &action).await;
                Ok(Answered::Required(action))
            }
            NotBegun::Failed(error) => {
                self.put_back(provider, call, second).await?;
                Err(error)
            }
        }
    }
}

pub(super) fn landed(before: Before) -> Result<Answered, Error> {
    Ok(match before {
        Before::In(account) => Answered::SignedIn(account),
        Before::Asked(choice) => Answered::Asked(None, choice),
        Before::Required(action) => Answered::Required(action),
    })
}
