//! The words by which people are found: those of their names, addresses and numbers, without regard to case and accents.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::User;
use super::user::comparison_key;

/// Nobody is found by more.
pub const MOST_WORDS: usize = 40;
/// No word is longer, in characters.
const LONGEST: usize = 60;
/// So many words are looked for.
const MOST_SEARCHED: usize = 8;

/// The words by which somebody is found.
pub fn words_of(user: &User) -> BTreeSet<String> {
    let profile = &user.profile;
    let mut words = BTreeSet::new();
    let email = profile.email.as_deref();
    let names = [
        Some(user.username.as_str()),
        profile.name.as_deref(),
        profile.given_name.as_deref(),
        profile.family_name.as_deref(),
        profile.middle_name.as_deref(),
        profile.nickname.as_deref(),
        email,
        profile.company.as_deref(),
    ];
    for name in names.into_iter().flatten() {
        for part in folded(name).split_whitespace() {
            let (local, domain) = part.rsplit_once('@').unwrap_or((part, ""));
            add(&mut words, part);
            add(&mut words, domain);
            // who has a double name is found by each of its parts
            for piece in local.split(|letter: char| !letter.is_alphanumeric()) {
                add(&mut words, piece);
            }
        }
    }
    if let Some(number) = &profile.phone_number {
        add(&mut words, &digits(number));
    }
    words
}

fn add(words: &mut BTreeSet<String>, word: &str) {
    if !word.is_empty() && words.len() < MOST_WORDS {
        words.insert(cut(word));
    }
}

/// The words that somebody looks for: whoever is found has for each of them one that begins like it.
pub fn searched_words(text: &str) -> Vec<String> {
    let is_number = |letter: char| letter.is_ascii_digit() || " +-()/.".contains(letter);
    if text.chars().all(is_number) && text.trim_start().starts_with('+') {
        return vec![digits(text)];
    }
    let folded = folded(text);
    let words: BTreeSet<String> = folded.split_whitespace().map(cut).collect();
    words.into_iter().take(MOST_SEARCHED).collect()
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

fn cut(word: &str) -> String {
    word.chars().take(LONGEST).collect()
}

/// Without regard to case, to the ways in which Unicode writes the same, and to accents.
fn folded(text: &str) -> String {
    let key = comparison_key(text);
    if key.is_ascii() {
        return key;
    }
    key.nfd().filter(|letter| !is_combining_mark(*letter)).nfc().collect()
}
