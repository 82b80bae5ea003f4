//! What a database is asked, in numbers.

use std::time::Duration;

use crate::metrics::{CALLS, Counter, Gauge, Histogram, SIZES};

/// What a database was asked since it was opened.
#[derive(Debug)]
pub struct Measures {
    /// How long statements outside transactions took.
    pub reads: Histogram,
    /// How long statements inside transactions took.
    pub writes: Histogram,
    /// How long commits took, the waiting for others of the group included.
    pub commits: Histogram,
    /// How many transactions shared one durable commit. On Postgres each has its own, and nothing is counted.
    pub groups: Histogram,
    /// How long was waited for a connection.
    pub waits: Histogram,
    /// Who waits for a connection.
    pub waiting: Gauge,
    /// Statements and commits that nobody answered, or not in time.
    pub unavailable: Counter,
    /// Statements that met others and may be tried again.
    pub contended: Counter,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            reads: Histogram::new(CALLS),
            writes: Histogram::new(CALLS),
            commits: Histogram::new(CALLS),
            groups: Histogram::new(SIZES),
            waits: Histogram::new(CALLS),
            waiting: Gauge::default(),
            unavailable: Counter::default(),
            contended: Counter::default(),
        }
    }
}

impl Measures {
    /// Counts a failure by its kind.
    pub(super) fn failed(&self, error: &super::Error) {
        match error {
            super::Error::Unavailable(_) => self.unavailable.count(),
            super::Error::Contention => self.contended.count(),
            _ => {}
        }
    }

    /// Waits for a connection, and says how long it took.
    pub(super) async fn waited<T, E: Into<super::Error>>(
        &self,
        connection: impl Future<Output = Result<T, E>>,
    ) -> Result<T, super::Error> {
        let _inside = self.waiting.enter();
        let began = crate::clock::monotonic();
        let connection = connection.await.map_err(Into::into);
        self.waits.took(began.elapsed());
        if let Err(error) = &connection {
            self.failed(error);
        }
        connection
    }

    /// Counts a commit.
    pub(super) fn committed(&self, time: Duration, answer: &Result<(), super::Error>) {
        self.commits.took(time);
        if let Err(error) = answer {
            self.failed(error);
        }
    }
}

/// The connections of a database.
#[derive(Clone, Copy, Debug)]
pub struct Occupancy {
    /// That are in use: of SQLite's readers.
    pub used: usize,
    /// That are open.
    pub open: usize,
    /// That may be open.
    pub most: u32,
}
