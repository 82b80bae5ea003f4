//! Work on many things that goes on after the answer, and what became of each of them.

use super::named::named;
use super::{Actor, Id, Scopes, Timestamp, User};

/// Work on many things.
#[derive(Clone, Debug)]
pub struct Job {
    /// The row.
    pub id: Id<Job>,
    /// How it stands.
    pub state: JobState,
    /// What is done, in a word: that of the action.
    pub kind: String,
    /// What exactly, and with whom, as JSON of whoever does it.
    pub task: String,
    /// Who has begun it.
    pub actor: Actor,
    /// What they might do then; whatever they wanted, for somebody at the server's machine.
    pub rights: Option<Scopes>,
    /// Where it goes on.
    pub position: Option<String>,
    /// How many there are, where that was known at the beginning.
    pub total: Option<i64>,
    /// With how many it was done.
    pub done: i64,
    /// With how many it was refused.
    pub refused: i64,
    /// Why it has failed.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

named! {
    /// How a job stands.
    JobState {
        /// Nobody has begun.
        Waiting = "waiting",
        /// It is being done.
        Running = "running",
        /// It was done with all of them, or refused.
        Done = "done",
        /// Somebody has ended it before; what was done stays.
        Cancelled = "cancelled",
        /// It could not go on; what was done stays.
        Failed = "failed",
    }
}

named! {
    /// What became of one of them.
    ItemOutcome {
        /// It is done.
        Done = "done",
        /// It was refused, and nothing of it has changed.
        Refused = "refused",
    }
}

/// What became of one of them.
#[derive(Clone, Debug)]
pub struct JobItem {
    /// In the order in which they came.
    pub number: i64,
    /// Whose account.
    pub user: Id<User>,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Why it was refused, in a word.
    pub code: Option<String>,
    /// The same in a sentence.
    pub detail: Option<String>,
    /// When.
    pub at: Timestamp,
}
