//! Recovery codes: what lets somebody in once whose authenticator is lost. 80 random bits each, so that a plain digest is enough
//! to keep of them; written in an alphabet without look-alikes, in four groups of four.

use crate::model::{Digest, Secret};
use crate::random;

/// How many there are in a set.
pub const RECOVERY_CODES: usize = 10;
/// Of five bits each: Crockford's base 32 in small letters.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Of the alphabet: 80 bits.
const LETTERS: usize = 16;
const GROUP: usize = 4;

/// A new set.
pub fn generate_recovery_codes() -> Vec<Secret> {
    (0..RECOVERY_CODES).map(|_| generate()).collect()
}

/// What is kept of a code, however it was typed: the case of letters, blanks and dashes do not count, and what looks like a
/// digit is one. None if it can't be a code.
pub fn digest_recovery_code(typed: &Secret) -> Option<Digest> {
    let mut plain = zeroize::Zeroizing::new(String::with_capacity(LETTERS));
    for letter in typed.expose().chars() {
        let letter = match letter.to_ascii_lowercase() {
            ' ' | '-' => continue,
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        if plain.len() == LETTERS || !letter.is_ascii() || !ALPHABET.contains(&(letter as u8)) {
            return None;
        }
        plain.push(letter);
    }
    (plain.len() == LETTERS).then(|| Digest::of(plain.as_bytes()))
}

fn generate() -> Secret {
    let mut text = String::with_capacity(LETTERS + LETTERS / GROUP);
    for (place, byte) in random::bytes::<LETTERS>().into_iter().enumerate() {
        if place > 0 && place % GROUP == 0 {
            text.push('-');
        }
        // five bits of each byte: without bias
        text.extend(ALPHABET.get(usize::from(byte & 31)).copied().map(char::from));
    }
    Secret::new(text)
}
