//! What a new password must be: long enough, and none of those that are guessed first. No rules of composition
//! (NIST SP 800-63B section 3.1.1.2, ASVS V6.2).

use super::breached::BreachedList;
use super::strength::{self, Pattern};
use crate::model::Secret;
use crate::random;

/// Passwords and words that are guessed first, in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");
/// Neighbours on keyboards and in alphabets.
const ROWS: [&str; 9] = [
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
];
/// A shorter name of a person says nothing inside a longer password.
const LEAST_PERSONAL_CHARACTERS: usize = 4;
/// So many characters after a common word don't make it uncommon.
const LONGEST_TAIL: usize = 5;
/// A password that repeats so few characters is as weak as they are.
const LONGEST_REPEATED: usize = 3;

/// 32 letters and digits that can't be mistaken for one another: five bits each.
const READABLE: [char; 32] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y',
    'z', '2', '3', '4', '5', '6', '7', '8', '9',
];
const GROUPS: usize = 7;
const GROUP_CHARACTERS: usize = 4;

/// What a password has to be. Lengths are in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// At least so many; 8 is the least that may be set.
    pub minimum_length: usize,
    /// At most so many; at least 64.
    pub maximum_length: usize,
    /// At least this score of zxcvbn, from 0, which every password has, to 4.
    pub minimum_strength: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            maximum_length: 256,
            minimum_strength: 0,
        }
    }
}

/// Why a password is not taken. Each is shown to the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Shorter than the policy's minimum.
    #[error("the password is too short")]
    TooShort,
    /// Longer than the policy's maximum.
    #[error("the password is too long")]
    TooLong,
    /// Contains the user name, the e-mail address or another word that belongs to the person or the place.
    #[error("the password contains a name that is easy to guess")]
    Personal,
    /// One character or a few, again and again, or neighbours in a row.
    #[error("the password is a simple sequence")]
    Sequence,
    /// Among those that are guessed first.
    #[error("the password is a very common one")]
    Common,
    /// In the operator's list of passwords that others have lost, or in the service's.
    #[error("the password is in a list of passwords that were stolen elsewhere")]
    Breached,
    /// Too few guesses would find it.
    #[error("{}", guessable(*.0))]
    Guessable(Pattern),
}

const fn guessable(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Date => "the password is easy to guess: it is made around a date or a year",
        Pattern::Name => "the password is easy to guess: it is made around a name",
        Pattern::Word => "the password is easy to guess: it is made around a single word or a common password",
        Pattern::Row => "the password is easy to guess: it is made of neighbouring keys, sequences or repetitions",
        Pattern::Simple => "the password is easy to guess: a few unrelated words in a row are better",
    }
}

/// Judges a new password. `personal` are words that belong to the person or the place: user name, e-mail address, names, the
/// organisation's name. `breached` are the passwords that others have lost.
///
/// # Errors
/// The first weakness found.
pub fn judge(password: &str, policy: &Policy, personal: &[&str], breached: &BreachedList) -> Result<(), Weakness> {
    // counting stops early: a password of megabytes costs nothing here
    let length = password.chars().take(policy.maximum_length.saturating_add(1)).count();
    if length > policy.maximum_length {
        return Err(Weakness::TooLong);
    }
    if length < policy.minimum_length {
        return Err(Weakness::TooShort);
    }
    let lower = password.to_lowercase();
    if personal.iter().any(|word| contains_personal(&lower, word)) {
        return Err(Weakness::Personal);
    }
    let characters: Vec<char> = lower.chars().collect();
    let unit = repeated_unit(&characters);
    if is_simple(&characters, unit) {
        return Err(Weakness::Sequence);
    }
    let unit: String = unit.iter().collect();
    if is_common(&lower) || is_common(&unit) {
        return Err(Weakness::Common);
    }
    if breached.holds(password) {
        return Err(Weakness::Breached);
    }
    if policy.minimum_strength > 0 {
        let (score, pattern) = strength::score(password, personal);
        if score < policy.minimum_strength {
            return Err(Weakness::Guessable(pattern));
        }
    }
    Ok(())
}

/// A password for somebody who did not choose one: 28 readable characters in seven groups, 140 bits from the operating system.
pub fn generate_password() -> Secret {
    let mut text = String::with_capacity(GROUPS * (GROUP_CHARACTERS + 1));
    for place in 0..GROUPS * GROUP_CHARACTERS {
        if place > 0 && place % GROUP_CHARACTERS == 0 {
            text.push('-');
        }
        let drawn = random::below(32);
        text.extend(usize::try_from(drawn).ok().and_then(|drawn| READABLE.get(drawn)));
    }
    Secret::new(text)
}

fn contains_personal(lower: &str, word: &str) -> bool {
    let word = word.trim().to_lowercase();
    if word.contains('@') && lower.contains(&word) {
        return true;
    }
    let word = word.split_once('@').map_or(word.as_str(), |(local, _)| local);
    if word.is_empty() {
        return false;
    }
    lower == word || (word.chars().count() >= LEAST_PERSONAL_CHARACTERS && lower.contains(word))
}

/// The shortest part whose repetition is the whole; the last time it may be cut off.
fn repeated_unit(characters: &[char]) -> &[char] {
    (1..=characters.len() / 2)
        .find(|length| {
            characters
                .iter()
                .zip(characters.iter().skip(*length))
                .all(|(one, other)| one == other)
        })
        .and_then(|length| characters.get(..length))
        .unwrap_or(characters)
}

fn is_simple(characters: &[char], unit: &[char]) -> bool {
    (unit.len() < characters.len() && unit.len() <= LONGEST_REPEATED) || is_run(unit) || is_row(unit)
}

/// Neighbouring code points, upwards or downwards.
fn is_run(characters: &[char]) -> bool {
    let steps = || {
        characters
            .iter()
            .zip(characters.iter().skip(1))
            .map(|(one, next)| i64::from(u32::from(*next)) - i64::from(u32::from(*one)))
    };
    characters.len() > 2 && (steps().all(|step| step == 1) || steps().all(|step| step == -1))
}

fn is_row(characters: &[char]) -> bool {
    let forwards: String = characters.iter().collect();
    let backwards: String = characters.iter().rev().collect();
    characters.len() > 2
        && ROWS
            .iter()
            .any(|row| row.contains(&forwards) || row.contains(&backwards))
}

/// In the list, or a word of the list with a few digits or signs behind it: `password2024!`.
fn is_common(lower: &str) -> bool {
    let word = lower.trim_end_matches(|character: char| !character.is_alphabetic());
    let tail = lower.get(word.len()..).map_or(0, |tail| tail.chars().count());
    let is_word = !word.is_empty() && tail <= LONGEST_TAIL;
    COMMON
        .lines()
        .any(|common| common == lower || (is_word && common == word))
}
