//! A question that only this installation answers: what arrives when somebody comes by the public address. It carries the
//! time under the master key, so that strangers learn nothing of the proxies, and another installation is told apart.

use crate::crypto;
use crate::model::Timestamp;
use crate::vault::Vault;

const PURPOSE: &str = "probe of the doctor";
/// So long a question counts, by clocks that may differ.
const SECONDS: i64 = 300;

/// The path that answers.
pub(super) const PATH: &str = "/doctor/seen";

/// A question, asked now.
pub(super) fn question(master: &Vault, now: Timestamp) -> String {
    let seconds = now.seconds();
    format!("{seconds}.{}", seal(master, seconds))
}

/// Whether a question was asked by somebody who has the master key, and not long ago.
pub fn is_ours(master: &Vault, question: &str, now: Timestamp) -> bool {
    let Some((seconds, said)) = question.split_once('.') else {
        return false;
    };
    let Ok(seconds) = seconds.parse::<i64>() else {
        return false;
    };
    let is_recent = seconds.abs_diff(now.seconds()) <= SECONDS.unsigned_abs();
    is_recent && crypto::equal(seal(master, seconds).as_bytes(), said.as_bytes())
}

fn seal(master: &Vault, seconds: i64) -> String {
    crypto::hex(&crypto::mac(&master.derive(PURPOSE), &[&seconds.to_be_bytes()]))
}
