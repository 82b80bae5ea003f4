//! What is asked of a stranger before a mail is sent to them (`registration.challenge`): nothing, a moment of work, or what a service wants
//! that tells people from programs. Where the service does not answer nobody goes on: it says so, and that it is worth trying again.

use std::time::Duration;

use super::proof_of_work::{self, Puzzle, Right, Work};
use crate::captcha::{Captcha, Verdict, Widget};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::REGISTRATION_CHALLENGE;
use crate::model::{EventKind, Secret};

/// What a field error says of what the service does not take.
pub const CODE: &str = "captcha";
/// When it is worth trying again where the service does not answer.
const AGAIN: Duration = Duration::from_secs(5);
/// No service takes what its widget brought for longer.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A moment of work.
    Work(Puzzle),
    /// What the service wants.
    Captcha(Widget),
}

/// What somebody brings, as it came.
#[derive(Clone, Debug)]
pub struct Met {
    /// The work.
    pub work: Work,
    /// What the widget of the service has put into the form.
    pub captcha: Secret,
}

/// What was brought, as far as it was judged.
pub(super) enum Judged<'a> {
    Nothing,
    Work(Right),
    Captcha(&'a Captcha, &'a Secret),
}

/// What is asked for this form, if anything is. `form`: what work is good for.
///
/// # Errors
/// [`Error::Busy`] where a service is to be asked, and none is configured.
pub async fn challenge(provider: &Provider, call: &Call, form: &str) -> Result<Option<Challenge>, Error> {
    match provider.settings().await?.word(REGISTRATION_CHALLENGE) {
        "proof_of_work" => Ok(Some(Challenge::Work(
            proof_of_work::puzzle(provider, call, form).await?,
        ))),
        "captcha" => Ok(Some(Challenge::Captcha(service(provider)?.widget()))),
        _ => Ok(None),
    }
}

/// Judges what can be judged by itself: it costs one digest at most.
///
/// # Errors
/// [`Error::Invalid`] with [`CODE`] or that of the work; [`Error::Busy`] as [`challenge`].
pub(super) async fn judge<'a>(
    provider: &'a Provider,
    call: &Call,
    (form, met): (&str, &'a Met),
) -> Result<Judged<'a>, Error> {
    match provider.settings().await?.word(REGISTRATION_CHALLENGE) {
        "proof_of_work" => {
            let right = proof_of_work::judge(provider, call, (form, &met.work)).await?;
            Ok(Judged::Work(right))
        }
        "captcha" => {
            let service = service(provider)?;
            match Captcha::is_response(&met.captcha) {
                true => Ok(Judged::Captcha(service, &met.captcha)),
                false => Err(refused(provider, call).await),
            }
        }
        _ => Ok(Judged::Nothing),
    }
}

/// Asks the service, if there is one to ask: once the wish is counted, so that nobody has it asked without bound.
///
/// # Errors
/// [`Error::Invalid`] with [`CODE`] if it was no person; [`Error::Busy`] if it does not answer.
pub(super) async fn ask(provider: &Provider, call: &Call, judged: &Judged<'_>) -> Result<(), Error> {
    let Judged::Captcha(service, response) = judged else {
        return Ok(());
    };
    match service.verify(response, call.origin.address).await {
        Ok(Verdict::Person) => Ok(()),
        Ok(Verdict::Refused) => Err(refused(provider, call).await),
        Err(error) => {
            tracing::warn!(%error, "what tells people from programs is not known: nobody goes on");
            note(provider, call, "registration.captcha_away").await;
            Err(Error::Busy { retry_after: AGAIN })
        }
    }
}

/// Uses it: of several who bring the same one may go on, whatever the service says.
///
/// # Errors
/// As [`judge`].
pub(super) async fn spend(provider: &Provider, call: &Call, judged: Judged<'_>) -> Result<(), Error> {
    let response = match judged {
        Judged::Nothing => return Ok(()),
        Judged::Work(right) => return proof_of_work::spend(provider, call, right).await,
        Judged::Captcha(_, response) => response,
    };
    let key = crypto::hex(&crypto::sha256(response.expose().as_bytes()));
    let ends = call.now.after(LIFETIME);
    let put = provider.ephemeral.put_new(Kind::Proof, &key, b"1", ends, call.now);
    match put.await? {
        true => Ok(()),
        false => Err(refused(provider, call).await),
    }
}

/// Without one nobody is let through: what was to be asked can't be.
fn service(provider: &Provider) -> Result<&Captcha, Error> {
    provider.captcha.as_ref().ok_or_else(|| {
        tracing::warn!("registration.challenge is captcha, and no captcha.provider is configured");
        Error::Busy { retry_after: AGAIN }
    })
}

async fn refused(provider: &Provider, call: &Call) -> Error {
    note(provider, call, "registration.captcha").await;
    Error::field(
        "/captcha",
        CODE,
        "the service that tells people from programs does not take it",
    )
}

async fn note(provider: &Provider, call: &Call, rule: &'static str) {
    let event = call.event(EventKind::RegistrationLinkMailed).refused(rule);
    provider.note_strangers_refusal(call, event, rule).await;
}
