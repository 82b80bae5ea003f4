//! What must last, on SQLite and Postgres: one text per query, one file per noun.
//!
//! [`Read`] sees what is committed. [`Write`] is a transaction: nothing of it counts before [`Write::commit`] answers, and
//! dropped without it, it never was.

mod access_requests;
mod account_terms;
mod action_links;
mod api_keys;
mod client_access;
mod clients;
mod consents;
mod device_alerts;
mod devices;
mod emptying;
mod ended;
mod epoch;
mod event_checkpoints;
mod event_values;
mod events;
mod examination;
mod exports;
mod factors;
mod generations;
mod grants;
mod groups;
mod idempotency;
mod idle_accounts;
mod imported_users;
mod imports;
mod jobs;
mod kept_sessions;
mod keys;
mod layers;
mod limited_roles;
mod logins;
mod logouts;
mod master_keys;
mod memberships;
mod migrations;
mod moving;
mod nesting;
mod open_clients;
mod outbox;
mod own_data;
mod password_ages;
mod password_history;
mod permissions;
mod pictures;
mod proofs;
mod properties;
mod registration_tokens;
mod resources;
mod restoration;
mod roles;
mod rows;
mod sealed;
mod segments;
mod session_clients;
mod session_lists;
mod sessions;
mod settings;
mod setup_links;
mod terms;
mod tokens;
mod traces;
mod user_actions;
mod user_search;
mod users;
mod webhook_deliveries;
mod webhooks;
mod words;

pub use account_terms::NearEnd;
pub use action_links::{ActionLink, ActionLinkKind, NewActionLink};
pub use api_keys::{ApiKey, KeyOwner};
pub use client_access::{ClientAccess, MOST_WITH_ACCESS};
pub use clients::ClientPage;
pub use device_alerts::DeviceAlert;
pub use devices::{Acquaintance, Limits as DeviceLimits};
pub use ended::{Ended, EndedRow, Own};
pub use event_checkpoints::EventCheckpoint;
pub use event_values::EventValuesRow;
pub use events::{EventRow, EventsOf};
pub use examination::Examination;
pub use generations::Generations;
pub use groups::Tenure;
pub use idempotency::Remembered;
pub use idle_accounts::IdleAccount;
pub use imported_users::Named;
pub use imports::{ImportKeys, ImportPart, ImportProgress, ImportReading, ImportRows, NewImportRow};
pub use kept_sessions::KeptSession;
pub use limited_roles::{GroupOwner, LimitedPermission, MOST_LIMITED_ROLES, MOST_OWNERS};
pub use logins::{OfflineFamily, ServedClient};
pub use logouts::{DueLogouts, LogoutRow, WaitingLogouts};
pub use memberships::{DueMembership, Membership, NamedMembership};
pub use moving::{MoveError, Moved};
pub use nesting::NestedGroup;
pub use outbox::{MailSelection, OutboxMail, OutboxRow, WaitingMails};
pub use own_data::HeldGrant;
pub use password_ages::PasswordAge;
pub use permissions::{GroupStep, PermissionWay};
pub use properties::{MOST_PROPERTIES, Sweep};
pub use registration_tokens::RegistrationToken;
pub use restoration::Voided;
pub use roles::MOST_ROLES;
pub use sealed::{SealedColumn, SealedPlace, SealedValue};
pub use session_lists::{SessionMark, SessionsOf};
pub use sessions::SessionRow;
pub use settings::Revision;
pub use traces::{TraceRow, TraceSelection};
pub use user_search::{Behind, HeldGroup, Ordered};
pub use users::UserPage;
pub use webhook_deliveries::DeliveryRow;
pub use webhooks::WebhookSecret;
pub use words::WordSweep;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use self::ended::OwnChanges;
use self::webhooks::Subscriptions;
use crate::model::Webhook;
use crate::sql::{self, Connection, Database, Durability, Failpoints, Transaction};

/// The store of an installation. Clones share it.
#[derive(Clone)]
pub struct Store {
    database: Database,
    own_changes: Arc<OwnChanges>,
    epoch: Arc<AtomicI64>,
    subscriptions: Arc<Subscriptions>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be reached, or could not make the change last.
    #[error("the store is not available")]
    Unavailable(#[source] sql::Error),
    /// Others were faster; the whole flow may be tried again.
    #[error("the store is contended")]
    Contention(#[source] sql::Error),
    /// Something of that name is there already; the constraint's name says what.
    #[error("already there: {0}")]
    Taken(String),
    /// A row that must be there is not.
    #[error("the row is not there")]
    Missing,
    /// A row that can't be read: written by something else than this program.
    #[error("a stored value can't be read: {0}")]
    Unreadable(&'static str),
    /// Anything else.
    #[error("the store failed")]
    Failed(#[source] sql::Error),
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::Unavailable(_) => Self::Unavailable(error),
            sql::Error::Contention => Self::Contention(error),
            sql::Error::Unique { constraint } => Self::Taken(constraint),
            sql::Error::Missing | sql::Error::ForeignKey => Self::Missing,
            other => Self::Failed(other),
        }
    }
}

/// The file of the embedded store at `url`; none if it is another's.
pub fn file(url: &str) -> Option<PathBuf> {
    sql::file(url)
}

/// The address of a store in this file; none if its path is no UTF-8.
pub fn address_of(file: &Path) -> Option<String> {
    Some(format!("sqlite:{}", file.to_str()?))
}

/// The steps of this program's schema.
pub fn schema() -> Vec<&'static str> {
    migrations::ALL.iter().map(|step| step.name).collect()
}

/// What reads.
pub struct Read {
    connection: Connection,
}

/// What writes, and reads what it has written.
#[must_use = "a write that is not committed never was"]
pub struct Write {
    transaction: Transaction,
    own: Own,
    own_changes: Arc<OwnChanges>,
    /// Who is told of the events that are written.
    webhooks: Option<Arc<Vec<Webhook>>>,
}

/// Notes what a transaction has ended and changed, also if whoever waits for its commit goes away meanwhile.
pub(in crate::store) struct Noting {
    own: Own,
    own_changes: Arc<OwnChanges>,
}

impl Noting {
    /// Takes note of what the last statement has ended.
    fn forgotten(&mut self, ended: impl Iterator<Item = Ended>) {
        self.own.ended.extend(ended);
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.own_changes.note(std::mem::take(&mut self.own));
    }
}

impl Store {
    /// Opens the store at `url` (`sqlite:PATH` or `postgres://...`).
    pub async fn open(url: &str) -> Result<Self, Error> {
        let epoch = Arc::<AtomicI64>::default();
        let watch = sql::Watch {
            text: epoch::WATCH,
            greatest: epoch.clone(),
        };
        let database = Database::open_watching(url, Durability::Full, Some(watch)).await?;
        Ok(Self {
            database,
            own_changes: Arc::default(),
            epoch,
            subscriptions: Arc::default(),
        })
    }

    /// The same, with places where a test makes it stand still.
    pub fn passing(self, failpoints: Failpoints) -> Self {
        Self {
            database: self.database.passing(failpoints),
            ..self
        }
    }

    /// Brings an empty or older store to this program's schema, under a lock. Gives the names of the steps it took.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, Error> {
        Ok(self.database.migrate(migrations::ALL).await?)
    }

    /// The steps that [`Store::migrate`] would take.
    pub async fn pending_migrations(&self) -> Result<Vec<&'static str>, Error> {
        Ok(self.database.pending(migrations::ALL).await?)
    }

    /// The steps that were taken, whether this program knows them or not.
    pub async fn applied_migrations(&self) -> Result<Vec<String>, Error> {
        Ok(self.database.applied().await?)
    }

    /// Writes a consistent copy of the embedded store to `path`, an empty file or none, while everything goes on.
    pub async fn snapshot(&self, path: &Path) -> Result<(), Error> {
        Ok(self.database.copy_to(path).await?)
    }

    /// Whether the embedded store's file holds together.
    pub async fn is_consistent(&self) -> Result<bool, Error> {
        Ok(self.database.is_consistent().await?)
    }

    /// Begins to read.
    pub async fn read(&self) -> Result<Read, Error> {
        let connection = self.database.read().await?;
        Ok(Read { connection })
    }

    /// Begins to write.
    pub async fn write(&self) -> Result<Write, Error> {
        Ok(self.writing(self.database.write().await?))
    }

    /// Begins to write very much at once. It shares its commit with nobody; on the embedded store everybody else who writes
    /// waits until it has ended.
    pub async fn write_alone(&self) -> Result<Write, Error> {
        Ok(self.writing(self.database.write_alone().await?))
    }

    fn writing(&self, transaction: Transaction) -> Write {
        Write {
            transaction,
            own: Own::default(),
            own_changes: self.own_changes.clone(),
            webhooks: self.subscriptions.current(),
        }
    }

    /// Takes note of the webhooks as they were read in this epoch at this generation: events that are written from now on are put
    /// down for them.
    pub fn know_webhooks(&self, epoch: i64, generation: i64, webhooks: Vec<Webhook>) {
        self.subscriptions.note((epoch, generation), webhooks);
    }

    /// Whether the webhooks are known as of this epoch and generation, or later.
    pub fn knows_webhooks(&self, epoch: i64, generation: i64) -> bool {
        self.subscriptions.are_of((epoch, generation))
    }

    /// The webhooks as they are known here; none where there are none.
    pub fn known_webhooks(&self) -> Option<Arc<Vec<Webhook>>> {
        self.subscriptions.current()
    }

    /// Whether this process has committed a change that [`Store::take_own_changes`] has not given out.
    pub fn has_own_changes(&self) -> bool {
        self.own_changes.is_waiting()
    }

    /// What this process has ended and changed since this was asked last.
    pub fn take_own_changes(&self) -> Own {
        self.own_changes.take()
    }

    /// Whether this is the embedded store.
    pub fn is_embedded(&self) -> bool {
        matches!(self.database.engine(), sql::Engine::Sqlite)
    }

    /// The latest epoch that is known here, known as soon as a connection to a server of that epoch is.
    pub fn epoch(&self) -> Arc<AtomicI64> {
        self.epoch.clone()
    }

    /// That epoch as a number; none is known where it is 0.
    pub fn known_epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// How many statements can run at once.
    pub fn connections(&self) -> usize {
        self.database.connections()
    }

    /// The database behind it, for its numbers.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Answers if the store answers, and if it takes writes again where the last one failed.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read().await?.ping().await?;
        Ok(self.database.require_writable().await?)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

impl Read {
    fn sql(&mut self, text: &'static str) -> sql::Statement<'_> {
        self.connection.sql(text)
    }

    fn sql_built(&mut self, text: String) -> sql::Statement<'_> {
        self.connection.sql_built(text)
    }

    /// Answers if the store answers.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let _: i64 = self.sql("select count(*) from generations").one().await?;
        Ok(())
    }
}

impl Write {
    fn sql(&mut self, text: &'static str) -> sql::Statement<'_> {
        self.transaction.sql(text)
    }

    fn sql_built(&mut self, text: String) -> sql::Statement<'_> {
        self.transaction.sql_built(text)
    }

    /// Makes it last. What was written counts when this answers.
    pub async fn commit(mut self) -> Result<(), Error> {
        // noted when the commit has answered, and also when it is not certain that it happened
        let _noting = self.noting();
        Ok(self.transaction.commit().await?)
    }

    fn noting(&mut self) -> Noting {
        Noting {
            own: std::mem::take(&mut self.own),
            own_changes: self.own_changes.clone(),
        }
    }

    /// Decides what was only asked for until now, for what may be done only if the transaction goes on.
    ///
    /// # Errors
    /// [`Error::Missing`] if something that had to change something did not; the transaction is to be abandoned.
    pub async fn decide(&mut self) -> Result<(), Error> {
        Ok(self.transaction.decide().await?)
    }

    /// Undoes it, and waits until what it has read lasts: for refusals that rest on what was read inside.
    pub async fn abandon(self) -> Result<(), Error> {
        Ok(self.transaction.abandon().await?)
    }
}

/// A query over `direct`, the groups that user `$1` is in at the moment `$2`, and `reached`, those and whatever they stand in.
macro_rules! in_groups {
    ($query:literal) => {
        concat!(
            "
with direct (group_id) as (
  select group_id
  from group_members
  where user_id = $1
  and (starts_at is null or starts_at <= $2)
  and (ends_at is null or ends_at > $2)
), reached (group_id) as (
  select group_id
  from direct
  union
  select a.ancestor_id
  from direct d
  join group_ancestors a on a.group_id = d.group_id
)",
            $query
        )
    };
}
use in_groups;

/// The condition that somebody is seen: whom an import has made is once it is visible, all of them at that moment.
macro_rules! visible {
    () => {
        "(hidden_by is null or hidden_by in (select imports.id from imports where shown))"
    };
}
use visible;

/// Gives the same reading methods to [`Read`] and [`Write`].
macro_rules! readers {
    ($($(#[$meta:meta])* pub async fn $name:ident(&mut $self:ident $(, $argument:ident: $kind:ty)* $(,)?) -> $answer:ty $body:block)+) => {
        impl super::Read { $($(#[$meta])* pub async fn $name(&mut $self $(, $argument: $kind)*) -> $answer $body)+ }
        impl super::Write { $($(#[$meta])* pub async fn $name(&mut $self $(, $argument: $kind)*) -> $answer $body)+ }
    };
}
use readers;
