//! Several numbers of a kind, told apart by a word.

use std::sync::OnceLock;

/// More words than there are routes or rules.
const PLACES: usize = 256;

/// Several of a kind, told apart by a word of this program. The number of words is bounded: what comes past it is counted
/// together, as `other`. Finding one takes no lock and some twenty nanoseconds.
#[derive(Debug)]
pub struct Labelled<T> {
    places: Box<[Place<T>]>,
    rest: OnceLock<T>,
}

/// A word and what it tells apart.
type Place<T> = OnceLock<(Box<str>, T)>;

impl<T: Default> Default for Labelled<T> {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            rest: OnceLock::new(),
        }
    }
}

impl<T: Default> Labelled<T> {
    /// The one of this word.
    pub fn of(&self, word: &str) -> &T {
        let first = hash(word);
        for step in 0..PLACES {
            let place = first.wrapping_add(step) % PLACES;
            let Some(place) = self.places.get(place) else { break };
            let (name, value) = place.get_or_init(|| (word.into(), T::default()));
            if **name == *word {
                return value;
            }
        }
        self.rest.get_or_init(T::default)
    }

    /// All there are, by word.
    pub fn all(&self) -> Vec<(&str, &T)> {
        let named = self.places.iter().filter_map(OnceLock::get);
        let mut all: Vec<(&str, &T)> = named.map(|(name, value)| (&**name, value)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.extend(self.rest.get().map(|value| ("other", value)));
        all
    }
}

/// Eight bytes at a time. The words are ours, so nobody chooses them to collide.
fn hash(word: &str) -> usize {
    let (eights, rest) = word.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    let mix = |hash: u64, eight: &[u8; 8]| {
        (hash ^ u64::from_le_bytes(*eight))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(31)
    };
    let hash = mix(eights.iter().fold(0, mix), &last);
    // these bits are mixed best
    usize::try_from(hash >> 16).unwrap_or_default()
}
