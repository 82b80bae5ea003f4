//! A moment of work before a mail is sent to a stranger (`registration.challenge = proof_of_work`): nobody notices it once, and who wants
//! a thousand mails pays for each. The question is authenticated and says itself what it is for and until when, so nothing is kept of
//! one that nobody answers; an answer counts once.
//!
//! An answer is a number of up to twenty digits: the SHA-256 of the question, a colon and the number begins with as many zero bits as
//! the question says.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::REGISTRATION_WORK;
use crate::model::{EventKind, Timestamp};
use crate::random;

/// How long a question may be answered.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// What the key is derived for by which questions are told.
const PURPOSE: &str = "proof of work";
const LONGEST_ANSWER: usize = 20;
const LONGEST_QUESTION: usize = 200;
/// What a field error says of an answer that does not count.
pub const CODE: &str = "proof_of_work";

/// What somebody's machine has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// What comes before the colon.
    pub question: String,
    /// With how many zero bits the digest begins.
    pub bits: u32,
}

/// A question and its answer, as they came.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The question that was given.
    pub question: String,
    /// The number.
    pub answer: String,
}

/// The question for this form. `form`: what an answer is good for.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn puzzle(provider: &Provider, call: &Call, form: &str) -> Result<Puzzle, Error> {
    let settings = provider.settings().await?;
    let bits = u32::try_from(settings.count(REGISTRATION_WORK)).unwrap_or(u32::MAX);
    let ends = call.now.after(LIFETIME);
    let said = format!("{}.{bits}.{}", random::token(), ends.micros());
    let question = format!("{said}.{}", authenticated(provider, &said, form));
    Ok(Puzzle { question, bits })
}

/// An answer that is right, and was not looked up yet.
pub(super) struct Right {
    key: String,
    ends: Timestamp,
}

/// Judges an answer. It costs one digest.
///
/// # Errors
/// [`Error::Invalid`] with [`CODE`].
pub(super) async fn judge(provider: &Provider, call: &Call, (form, work): (&str, &Work)) -> Result<Right, Error> {
    let settings = provider.settings().await?;
    let least = u32::try_from(settings.count(REGISTRATION_WORK)).unwrap_or(u32::MAX);
    match read(provider, call, form, work) {
        Some((bits, ends)) if bits >= least => Ok(Right {
            key: crypto::hex(&crypto::sha256(work.question.as_bytes())),
            ends,
        }),
        _ => Err(wrong(provider, call).await),
    }
}

/// Uses an answer: of several who bring it one may go on.
///
/// # Errors
/// As [`judge`].
pub(super) async fn spend(provider: &Provider, call: &Call, right: Right) -> Result<(), Error> {
    let Right { key, ends } = right;
    let is_first = provider
        .ephemeral
        .put_new(Kind::Proof, &key, b"1", ends, call.now)
        .await?;
    if is_first {
        Ok(())
    } else {
        Err(wrong(provider, call).await)
    }
}

/// How much work a right answer shows, and until when it counts.
fn read(provider: &Provider, call: &Call, form: &str, work: &Work) -> Option<(u32, Timestamp)> {
    if work.question.len() > LONGEST_QUESTION || !(1..=LONGEST_ANSWER).contains(&work.answer.len()) {
        return None;
    }
    if !work.answer.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (said, mac) = work.question.rsplit_once('.')?;
    if !crypto::equal(mac.as_bytes(), authenticated(provider, said, form).as_bytes()) {
        return None;
    }
    let mut parts = said.split('.').skip(1);
    let bits: u32 = parts.next()?.parse().ok()?;
    let ends = Timestamp::from_micros(parts.next()?.parse().ok()?);
    let digest = crypto::sha256(format!("{}:{}", work.question, work.answer).as_bytes());
    (call.now < ends && zero_bits(&digest) >= bits).then_some((bits, ends))
}

fn zero_bits(digest: &[u8]) -> u32 {
    let mut bits = 0;
    for byte in digest {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}

fn authenticated(provider: &Provider, said: &str, form: &str) -> String {
    let key = provider.master.derive(PURPOSE);
    URL_SAFE_NO_PAD.encode(crypto::mac(&key, &[said.as_bytes(), form.as_bytes()]))
}

async fn wrong(provider: &Provider, call: &Call) -> Error {
    let rule = "registration.proof_of_work";
    let event = call.event(EventKind::RegistrationLinkMailed).refused(rule);
    provider.note_strangers_refusal(call, event, rule).await;
    Error::field("/work", CODE, "the proof of work is missing, wrong, used or too old")
}
