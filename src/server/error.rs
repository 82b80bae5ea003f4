//! Why the server does not start, in sentences for the operator.

use std::path::PathBuf;

use crate::flow::operations::backup::Refused;
use crate::machine::Unusable;
use crate::model::setting::SettingError;
use crate::store::MoveError;
use crate::{credential, ephemeral, flow, geo, mail, sessions, sms, store, vault, view};

/// Why the server does not start, or a command can't open the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address can't be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// Which one.
        address: std::net::SocketAddr,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder can't be used.
    #[error(transparent)]
    File(#[from] Unusable),
    /// The file of places.
    #[error(transparent)]
    Geo(#[from] geo::Unreadable),
    /// The list of breached passwords.
    #[error(transparent)]
    Breached(#[from] credential::Unlisted),
    /// The list of authenticators.
    #[error(transparent)]
    Authenticators(#[from] credential::Unvouched),
    /// The master keys.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The store's schema is an older one, and this is no server that would bring it forward.
    #[error("the store's schema is {0} step(s) behind this program: run `ostiary migrate`, or start the server")]
    OldSchema(usize),
    /// The store's schema is an older one, and the server's account of the database can't change it.
    #[error(
        "the store's schema is {pending} step(s) behind this program, and the account of database_url may not change it: run `ostiary migrate` with OSTIARY_MIGRATION_DATABASE_URL set to an account that may"
    )]
    MayNotMigrate {
        /// How many steps.
        pending: usize,
        /// The database's word.
        #[source]
        source: store::Error,
    },
    /// Somebody else has the data folder.
    #[error("another process uses {}; two would write over each other", .0.display())]
    Locked(PathBuf),
    /// Sessions of the embedded file can't be moved to Redis.
    #[error(
        "the sessions in {} can't be moved to Redis: start the server when Redis answers, or move the file away and have people sign in once",
        file.display()
    )]
    SessionsNotMoved {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: sessions::Error,
    },
    /// The certificate or key of the listener can't be used.
    #[error("tls: {0}")]
    Tls(String),
    /// The settings of the configuration file.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingError>),
    /// The store.
    #[error("the store can't be opened")]
    Store(#[from] store::Error),
    /// A backup can't be made, or a file is not taken as one.
    #[error("{}: {source}", path.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Refused,
    },
    /// There is nothing to back up or to move.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// Something would be written over.
    #[error("{} is there and is no backup: it is not written over", .0.display())]
    Occupied(PathBuf),
    /// A store is there already.
    #[error(
        "{} is there already: with --replace the restored one takes its place, and it is kept aside",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// The running server could not copy its store.
    #[error("the running server could not copy its store: {0}")]
    Snapshot(String),
    /// The store is not a file of ours.
    #[error(
        "the store is in Postgres: back it up with its own tools (pg_dump), and keep a copy of the keys folder apart from it"
    )]
    NotEmbedded,
    /// A store does not hold together.
    #[error("the copy of the store does not hold together: SQLite's integrity check fails")]
    Broken,
    /// The store can't be moved.
    #[error("the store is not moved")]
    Moving(#[from] MoveError),
    /// Short-lived state.
    #[error("the short-lived state can't be opened")]
    Ephemeral(#[from] ephemeral::Error),
    /// The sessions.
    #[error("the sessions can't be opened")]
    Sessions(#[from] sessions::Error),
    /// Password hashing.
    #[error("password hashing can't be started")]
    Passwords(#[from] credential::Error),
    /// Where text messages are handed over.
    #[error("sms.url")]
    Sms(#[source] sms::Error),
    /// The mail server's address or the sender.
    #[error("smtp_url or mail_from")]
    Mail(#[from] mail::Error),
    /// The pages.
    #[error("the pages can't be compiled")]
    Views(#[from] view::Error),
    /// What happens at a start.
    #[error("the start failed: {0}")]
    Flow(#[from] flow::Error),
    /// A running server does not answer on its socket.
    #[error("the running server does not answer on {}", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// A file or folder that can't be used.
    pub(super) fn file(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        Unusable::because(path, what)
    }
}
