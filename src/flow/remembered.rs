//! A bounded memory: what was not asked for lately goes first.

use std::collections::HashMap;
use std::hash::Hash;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many clients.
    pub clients: usize,
    /// How many tokens, people, sessions, families and secrets, each: between this and twice as many.
    pub half: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            clients: 10_000,
            half: 8_192,
        }
    }
}

/// What is remembered, in two halves. What is new or asked for stands in the young half; when that is full it becomes the
/// old one, and what the old one still held is gone. So it never holds more than twice the half, whoever asks for what.
pub(crate) struct Remembered<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    pub(super) fn new(half: usize) -> Self {
        Self {
            half: half.max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// What is known under a key, and whether it stands in the old half: then [`Remembered::keep`] is due.
    pub(super) fn get(&self, key: &K) -> Option<(&V, bool)> {
        match self.young.get(key) {
            Some(value) => Some((value, false)),
            None => self.old.get(key).map(|value| (value, true)),
        }
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Keeps what was asked for.
    pub(super) fn keep(&mut self, key: K) {
        if let Some(value) = self.old.remove(&key) {
            self.put(key, value);
        }
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
