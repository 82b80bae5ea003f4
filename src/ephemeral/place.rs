//! Where an entry or counter lies, and how an entry is written in Redis.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::kind::{Counter, Kind};
use super::owner::{Owner, mark_of};
use crate::crypto;
use crate::model::Timestamp;

/// The place of an entry or counter: its space, its kind's word, and the digest of the caller's key.
///
/// The digest keeps keys short and free of anything a user has typed. It is no protection for a secret that can be
/// guessed: callers pass digests of secrets, never secrets.
pub(super) struct Place {
    space: char,
    /// What comes before the key's digest: braces with an owner's mark where entries of one owner have to share a slot.
    slot: String,
    pub kind: &'static str,
    pub key: [u8; 32],
    /// How many entries of the kind there may be, whoever they are of.
    pub altogether: Option<u32>,
}

impl Place {
    /// What is kept in one epoch of the store is not there in another.
    pub fn entry(kind: Kind, key: &str, epoch: i64) -> Self {
        let digest = crypto::sha256(&[&epoch.to_be_bytes(), key.as_bytes()].concat());
        Self {
            space: 'e',
            slot: if kind.is_owned() {
                format!("{{{}}}:", mark_of(key))
            } else {
                String::new()
            },
            kind: kind.word(),
            key: digest,
            altogether: kind.altogether(),
        }
    }

    /// Where the entries of an owner are listed whose keys begin like this one, on the slot of this one.
    pub fn owned(kind: Kind, key: &str, owner: &Owner) -> Self {
        Self {
            space: 'o',
            slot: format!("{{{}}}:", mark_of(key)),
            kind: kind.word(),
            key: *owner.as_bytes(),
            altogether: None,
        }
    }

    /// Where all entries of the kind are listed whose keys begin like this one, on the slot of this one.
    pub fn all(kind: Kind, key: &str) -> Self {
        Self {
            space: 'a',
            slot: format!("{{{}}}:", mark_of(key)),
            kind: kind.word(),
            key: [0; 32],
            altogether: None,
        }
    }

    pub fn counter(counter: Counter<'_>) -> Self {
        Self {
            space: 'c',
            slot: String::new(),
            kind: counter.counted.word(),
            key: crypto::sha256(counter.key.as_bytes()),
            altogether: None,
        }
    }

    pub fn redis_key(&self, prefix: &str) -> String {
        format!("{prefix}{}:{}:{}{}", self.space, self.kind, self.slot, self.name())
    }

    /// The end of the key in Redis.
    pub fn name(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key)
    }
}

/// An entry in Redis: its end in microseconds as 20 decimal digits, which Lua reads too, then the value.
pub(super) struct Stored;

const END_DIGITS: usize = 20;

impl Stored {
    pub fn write(expires: Timestamp, value: &[u8]) -> Vec<u8> {
        let mut stored = format!("{:0END_DIGITS$}", expires.micros().max(0)).into_bytes();
        stored.extend_from_slice(value);
        stored
    }

    /// The value, if it reads as an entry and has not ended. What does not is as good as absent.
    pub fn read(mut stored: Vec<u8>, now: Timestamp) -> Option<Vec<u8>> {
        let (end, _) = stored.split_at_checked(END_DIGITS)?;
        let end: i64 = std::str::from_utf8(end).ok()?.parse().ok()?;
        if end <= now.micros() {
            return None;
        }
        stored.drain(..END_DIGITS);
        Some(stored)
    }
}

/// How long Redis keeps a key: a minute beyond its end, because expiry is judged by the reader's clock and Redis only
/// cleans; at most ten years, because its own sums overflow.
pub(super) fn milliseconds_to_keep(expires: Timestamp, now: Timestamp) -> u64 {
    const MARGIN: u128 = 60_000;
    const LONGEST: u128 = 10 * 366 * 86_400_000;
    let milliseconds = expires.since(now).as_millis().saturating_add(MARGIN).min(LONGEST);
    u64::try_from(milliseconds).unwrap_or(1000)
}
