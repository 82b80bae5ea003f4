//! Files of users that are brought in: read and judged first, then made where nobody sees it, then shown all at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::named::named;
use super::{Actor, Id, Scopes, Timestamp, User};

/// A file of users.
#[derive(Clone, Debug)]
pub struct Import {
    /// The row.
    pub id: Id<Import>,
    /// How it stands.
    pub state: ImportState,
    /// What the file is.
    pub format: ImportFormat,
    /// What is to become of it.
    pub options: ImportOptions,
    /// How the file is laid out, once its heading was read: JSON of whoever reads it.
    pub layout: Option<String>,
    /// Who brings it.
    pub actor: Actor,
    /// What they might do then; whatever they wanted, for somebody at the server's machine.
    pub rights: Option<Scopes>,
    /// In how many parts it has come so far.
    pub parts: i64,
    /// How many bytes.
    pub bytes: i64,
    /// Where it goes on: a byte of the file while it is read, the number of a row afterwards.
    pub position: i64,
    /// The last row that was read; the heading is the first.
    pub row_number: i64,
    /// How many rows make somebody.
    pub creating: i64,
    /// How many change somebody.
    pub changing: i64,
    /// How many do nothing, because somebody is there.
    pub skipping: i64,
    /// How many are refused.
    pub refused: i64,
    /// With how many it is done, of what is being done.
    pub done: i64,
    /// With how many it could not be done, although they had been judged.
    pub failed: i64,
    /// Why it went no further: a word.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub detail: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Since when those whom it made are seen.
    pub visible_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

named! {
    /// How an import stands.
    ImportState {
        /// Its file is coming.
        Receiving = "receiving",
        /// The file is read and judged, row by row.
        Reading = "reading",
        /// It is known what would become of each row; nothing has.
        Read = "read",
        /// Accounts are made; nobody sees them.
        Making = "making",
        /// They are there; nobody sees them.
        Made = "made",
        /// Everybody sees them; whoever is changed or invited is, one by one.
        Showing = "showing",
        /// All of it is done.
        Done = "done",
        /// It is taken back; nobody sees what it made any more.
        Undoing = "undoing",
        /// It was taken back.
        Undone = "undone",
        /// Somebody has ended it before anything was made.
        Cancelled = "cancelled",
        /// It could not go on.
        Failed = "failed",
    }
}

named! {
    /// What a file is.
    ImportFormat {
        /// A table as text.
        Csv = "csv",
        /// A workbook.
        Xlsx = "xlsx",
    }
}

named! {
    /// What becomes of a row whose user is there.
    OnExisting {
        /// It is refused.
        Fail = "fail",
        /// Nothing.
        Skip = "skip",
        /// The user is changed to what it says.
        Update = "update",
    }
}

named! {
    /// What somebody who is there is recognised by.
    MatchBy {
        /// The username.
        Username = "username",
        /// The mail address.
        Email = "email",
    }
}

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportOptions {
    /// Headings that are no names of fields, and what they mean; nothing: the column is left out.
    pub columns: BTreeMap<String, Option<String>>,
    /// What stands between cells, if it is not to be found out.
    pub delimiter: Option<char>,
    /// What becomes of rows whose user is there.
    pub on_existing: OnExisting,
    /// What they are recognised by.
    pub match_by: MatchBy,
    /// Whether those who are made are mailed an invitation.
    pub invite: bool,
    /// Groups that all who are made come into, after their own.
    pub groups: Vec<String>,
    /// Whether nothing is made if a row is refused.
    pub all_or_nothing: bool,
    /// What hashes of Firebase are read with, as JSON, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firebase: Option<String>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            delimiter: None,
            on_existing: OnExisting::Fail,
            match_by: MatchBy::Username,
            invite: false,
            groups: Vec::new(),
            all_or_nothing: false,
            firebase: None,
        }
    }
}

named! {
    /// What a row is to do.
    ImportPlan {
        /// Make somebody.
        Create = "create",
        /// Change somebody.
        Update = "update",
        /// Nothing: somebody is there.
        Skip = "skip",
        /// Nothing: it can't be taken.
        Refuse = "refuse",
    }
}

named! {
    /// What became of a row.
    ImportOutcome {
        /// Nothing yet.
        Planned = "planned",
        /// What it was to do.
        Done = "done",
        /// It could not be done, although it had been judged.
        Failed = "failed",
        /// It was done and taken back.
        Undone = "undone",
        /// It was done, and could not be taken back: somebody has changed it since.
        Kept = "kept",
    }
}

/// A row of a file.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// Which; the heading is the first.
    pub number: i64,
    /// What it is to do.
    pub plan: ImportPlan,
    /// What became of it.
    pub outcome: ImportOutcome,
    /// Whom it is about, as it says.
    pub username: Option<String>,
    /// The user who is there, or is made.
    pub user: Option<Id<User>>,
    /// What it says, as JSON of whoever reads it; forgotten once it is done.
    pub content: Option<String>,
    /// What was there before, where it has changed somebody: JSON of whoever changed them.
    pub former: Option<String>,
    /// Why it is refused, or could not be done: a word.
    pub code: Option<String>,
    /// The same in a sentence.
    pub detail: Option<String>,
}
