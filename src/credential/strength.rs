//! How many guesses a password would take, by zxcvbn: it knows words, names, dates, rows of keys and what people make of them.

use zxcvbn::feedback::Warning;
use zxcvbn::zxcvbn;

/// The greatest score: more than 10^10 guesses.
pub const STRONGEST: u8 = 4;
/// What is looked at: the work grows faster than the length, and whatever is longer has its score by then.
const LOOKED_AT: usize = 32;
/// So many of the person's own words are looked for.
const MOST_WORDS: usize = 32;
/// A shorter one says nothing.
const SHORTEST_WORD: usize = 3;

/// What makes a password easy to guess, as far as it can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A date, or a year.
    Date,
    /// A name of a person or a place.
    Name,
    /// A word, or one with something in front or behind.
    Word,
    /// Neighbours on the keyboard or in the alphabet, or something again and again.
    Row,
    /// Nothing that has a name: it is too simple as a whole.
    Simple,
}

/// The score, from 0 (fewer than 1,000 guesses) to 4 (more than 10^10), and what keeps it from being more. `personal` are words that a
/// guesser would try first for this person.
pub(super) fn score(password: &str, personal: &[&str]) -> (u8, Pattern) {
    let looked_at = match password.char_indices().nth(LOOKED_AT) {
        Some((end, _)) => password.get(..end).unwrap_or(password),
        None => password,
    };
    let estimate = zxcvbn(looked_at, &words(personal));
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let pattern = match warning {
        Some(Warning::DatesAreOftenEasyToGuess | Warning::RecentYearsAreEasyToGuess) => Pattern::Date,
        Some(Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess) => {
            Pattern::Name
        }
        Some(
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword
            | Warning::AWordByItselfIsEasyToGuess,
        ) => Pattern::Word,
        Some(
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess
            | Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess
            | Warning::SequencesLikeAbcAreEasyToGuess,
        ) => Pattern::Row,
        None => Pattern::Simple,
    };
    (u8::from(estimate.score()), pattern)
}

/// What belongs to the person, as a whole and word for word.
fn words<'a>(personal: &[&'a str]) -> Vec<&'a str> {
    let parts = personal
        .iter()
        .flat_map(|whole| whole.split(|character: char| !character.is_alphanumeric()));
    let words = personal.iter().copied().chain(parts);
    words
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        .take(MOST_WORDS)
        .collect()
}
