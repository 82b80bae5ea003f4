//! Users written into a workbook, after the answer.

use super::{Actor, Id, JobState, Scopes, Timestamp};

/// A workbook of users.
#[derive(Clone, Debug)]
pub struct Export {
    /// The row.
    pub id: Id<Export>,
    /// How it stands.
    pub state: JobState,
    /// Whom, and which columns: JSON of whoever writes it.
    pub task: String,
    /// Who wants it.
    pub actor: Actor,
    /// What they might do then; whatever they wanted, for somebody at the server's machine.
    pub rights: Option<Scopes>,
    /// How many users are in it so far.
    pub rows: i64,
    /// How large it is, once it is there.
    pub bytes: i64,
    /// Why there is none.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}
