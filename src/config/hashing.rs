//! `[hashing]`: what a password hash costs, and how many are computed at once.

use super::entries::{Entries, number};
use super::problem::{Problem, Reason};

/// Argon2id parameters, by default those of the OWASP password storage recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Hashes computed at once; none: as many as the machine has cores.
    pub workers: Option<u32>,
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            workers: None,
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
        }
    }
}

/// Least memory in KiB by passes: 46 MiB with one, 19 MiB with two, 12 MiB with three or more.
const FLOOR: [(u32, u32); 3] = [(1, 47_104), (2, 19_456), (3, 12_288)];

/// What a server is ready to pay for one hash; `credential` computes none that costs more.
const GREATEST_MEMORY_KIB: u64 = 128 * 1024;
const GREATEST_PARALLELISM: u64 = 16;
/// KiB times passes.
const GREATEST_COST: u64 = 4 * GREATEST_MEMORY_KIB;

impl Hashing {
    pub(super) fn read(entries: &mut Entries) -> Self {
        let standard = Self::default();
        let origin = entries.origin(if entries.has("hashing.memory_kib") {
            "hashing.memory_kib"
        } else {
            "hashing.iterations"
        });
        let iterations = entries.origin("hashing.iterations");
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let read = Self {
            workers: entries.take("hashing.workers", number::<1, 1_024>).map(small),
            memory_kib: entries
                .take("hashing.memory_kib", number::<8, GREATEST_MEMORY_KIB>)
                .map_or(standard.memory_kib, small),
            iterations: entries
                .take("hashing.iterations", number::<1, 1_000>)
                .map_or(standard.iterations, small),
            parallelism: entries
                .take("hashing.parallelism", number::<1, GREATEST_PARALLELISM>)
                .map_or(standard.parallelism, small),
        };
        if !read.strong() {
            entries.note([Problem::Refused {
                origin,
                reason: Reason::CheapHash,
            }]);
        }
        if u64::from(read.memory_kib).saturating_mul(u64::from(read.iterations)) > GREATEST_COST {
            entries.note([Problem::Refused {
                origin: iterations,
                reason: Reason::CostlyHash,
            }]);
        }
        read
    }

    fn strong(&self) -> bool {
        FLOOR
            .iter()
            .any(|(passes, memory)| self.iterations >= *passes && self.memory_kib >= *memory)
    }
}
