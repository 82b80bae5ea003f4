//! Cursors: where a list goes on. Authenticated under a key of their own, bound to the list they came from, good for a day
//! (SEC-112, SEC-421).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Problem;
use crate::crypto;
use crate::flow::{Call, Provider};
use crate::model::Timestamp;

const PURPOSE: &str = "api cursor";
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
const MAC_BYTES: usize = 32;
const TIME_BYTES: usize = 8;

/// The cursor for a position of the list that `list` names, with all that it was asked.
pub(super) fn write(provider: &Provider, call: &Call, list: &str, position: &str) -> String {
    let ends = call.now.after(GOOD_FOR).micros().to_be_bytes();
    let mac = mac(provider, list, &ends, position.as_bytes());
    URL_SAFE_NO_PAD.encode([&mac[..], &ends[..], position.as_bytes()].concat())
}

/// The position that a cursor of this list stands for.
///
/// # Errors
/// 400 for anything that this list has not given out within the day.
pub(super) fn read(provider: &Provider, call: &Call, list: &str, cursor: &str) -> Result<String, Problem> {
    open(provider, call, list, cursor)
        .ok_or_else(|| Problem::bad_request("after", "expected a cursor that this list gave within the last day"))
}

fn open(provider: &Provider, call: &Call, list: &str, cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (given, rest) = bytes.split_at_checked(MAC_BYTES)?;
    let (ends, position) = rest.split_at_checked(TIME_BYTES)?;
    let expected = mac(provider, list, ends, position);
    if !crypto::equal(given, &expected) {
        return None;
    }
    let ends = Timestamp::from_micros(i64::from_be_bytes(ends.try_into().ok()?));
    (call.now < ends)
        .then(|| String::from_utf8(position.to_vec()).ok())
        .flatten()
}

fn mac(provider: &Provider, list: &str, ends: &[u8], position: &[u8]) -> [u8; MAC_BYTES] {
    crypto::mac(&provider.master.derive(PURPOSE), &[list.as_bytes(), ends, position])
}
