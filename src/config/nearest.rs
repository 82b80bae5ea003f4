//! The known key that looks most like an unknown one.

use super::keys::{KEYS, SETTINGS};

/// The known path with the smallest edit distance; among equals one that begins with it, then the first listed.
pub fn nearest(path: &str) -> &'static str {
    KEYS.iter()
        .map(|key| key.path)
        .min_by_key(|known| (distance(path, known), !known.starts_with(path)))
        .unwrap_or("listen")
}

/// The section whose name is nearest to an unknown one.
pub fn nearest_section(name: &str) -> &'static str {
    KEYS.iter()
        .filter_map(|key| key.path.split_once('.'))
        .map(|(section, _)| section)
        .chain([SETTINGS])
        .min_by_key(|known| distance(name, known))
        .unwrap_or(SETTINGS)
}

/// How many letters must be inserted, removed or replaced to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut above_left = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (wanted, above) in to.iter().zip(row.iter().skip(1)) {
            let replaced = above_left + usize::from(letter != *wanted);
            above_left = *above;
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
