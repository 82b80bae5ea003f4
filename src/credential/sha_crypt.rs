//! SHA-crypt (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", 2008): `$5$` and `$6$` of the password files of Unix.

use zeroize::Zeroizing;

use crate::crypto::Sha;

/// Without a word about it.
pub(super) const USUAL_ROUNDS: u32 = 5_000;
/// What fewer are read as.
pub(super) const LEAST_ROUNDS: u32 = 1_000;
/// Each round works through the password: longer ones are nobody's.
pub(super) const LONGEST_PASSWORD: usize = 256;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text after the last `$`.
pub(super) fn compute(sha: Sha, password: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<Vec<u8>> {
    let length = sha.length();
    let other = sha.of(&[password, salt, password]);
    let filled = |block: &[u8], length: usize| -> Zeroizing<Vec<u8>> {
        Zeroizing::new(block.iter().copied().cycle().take(length).collect())
    };
    let whole = filled(&other, password.len());
    let mut parts: Vec<&[u8]> = vec![password, salt, &whole];
    let mut bits = password.len();
    while bits > 0 {
        parts.push(if bits & 1 == 1 { &other } else { password });
        bits >>= 1;
    }
    let mut digest = sha.of(&parts);
    let repeated = vec![password; password.len()];
    let p = filled(&sha.of(&repeated), password.len());
    let times = 16 + usize::from(digest.first().copied().unwrap_or_default());
    let s = filled(&sha.of(&vec![salt; times]), salt.len());
    for round in 0..rounds {
        let mut parts: [&[u8]; 4] = [&[], &[], &[], &[]];
        let [first, second, third, last] = &mut parts;
        let is_odd = round % 2 == 1;
        *first = if is_odd { &p } else { &digest };
        if round % 3 != 0 {
            *second = &s;
        }
        if round % 7 != 0 {
            *third = &p;
        }
        *last = if is_odd { &digest } else { &p };
        digest = sha.of(&parts);
    }
    Zeroizing::new(encode(&digest, length))
}

/// How long the text is.
pub(super) const fn text_length(sha: Sha) -> usize {
    match sha {
        Sha::One | Sha::Two256 => 43,
        Sha::Two512 => 86,
    }
}

/// The bytes in an order of their own, three at a time, the lowest six bits first.
fn encode(digest: &[u8], length: usize) -> Vec<u8> {
    let at = |index: usize| u32::from(digest.get(index).copied().unwrap_or_default());
    let third = length / 3;
    let mut text = Vec::with_capacity(86);
    let mut put = |mut bits: u32, letters: usize| {
        for _ in 0..letters {
            let index = usize::try_from(bits & 0x3f).unwrap_or_default();
            text.push(ALPHABET.get(index).copied().unwrap_or_default());
            bits >>= 6;
        }
    };
    let (mut a, mut b, mut c) = (0, third, 2 * third);
    for _ in 0..third {
        put(at(a) << 16 | at(b) << 8 | at(c), 4);
        (a, b, c) = match length {
            64 => (b + 1, c + 1, a + 1),
            _ => (c + 1, a + 1, b + 1),
        };
    }
    match length {
        64 => put(at(63), 2),
        _ => put(at(31) << 8 | at(30), 3),
    }
    text
}
