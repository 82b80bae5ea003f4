//! Bringing a database to the schema of this program, once, whoever else is starting.

use super::database::{Database, Engine};
use super::error::{Cause, Error, MigrationFault};
use super::row::{Record, Row};
use super::{Connection, Transaction};
use crate::crypto;

/// One step of the schema: its name and the statements that make it, for each engine.
///
/// Applied ones never change: their texts are remembered by their SHA-256.
#[derive(Debug)]
pub struct Migration {
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl Migration {
    fn text(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

struct Applied {
    name: String,
    digest: Vec<u8>,
}

impl Record for Applied {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: row.text("name")?,
            digest: row.bytes("digest")?,
        })
    }
}

/// The names of those that are not applied yet.
pub(super) async fn pending(database: &Database, migrations: &'static [Migration]) -> Result<Vec<&'static str>, Error> {
    let mut connection = database.read().await?;
    let missing = missing(&mut connection, migrations).await?;
    Ok(missing.iter().map(|migration| migration.name).collect())
}

/// The names of those that are applied.
pub(super) async fn applied(database: &Database) -> Result<Vec<String>, Error> {
    let mut connection = database.read().await?;
    let applied = list(&mut connection).await?;
    Ok(applied.into_iter().map(|one| one.name).collect())
}

/// Applies those that are not applied yet, each in a transaction of its own: their names.
pub(super) async fn apply(database: &Database, migrations: &'static [Migration]) -> Result<Vec<&'static str>, Error> {
    let mut applied = Vec::new();
    if pending(database, migrations).await?.is_empty() {
        return Ok(applied);
    }
    while let Some(name) = apply_next(database, migrations).await? {
        tracing::debug!(name, "migration applied");
        applied.push(name);
    }
    Ok(applied)
}

async fn apply_next(database: &Database, migrations: &'static [Migration]) -> Result<Option<&'static str>, Error> {
    let mut transaction = begin(database).await?;
    let Some(next) = missing(&mut transaction, migrations).await?.first().copied() else {
        transaction.abandon().await?;
        return Ok(None);
    };
    let engine = transaction.engine();
    let text = next.text(engine);
    transaction.script(text).await.map_err(|error| failed(next, error))?;
    transaction
        .sql(RECORD)
        .bind(next.name)
        .bind(crypto::sha256(text.as_bytes()))
        .changed()
        .await?;
    transaction.commit().await?;
    Ok(Some(next.name))
}

/// Marks a database whose contents are elsewhere now. The mark stands among the migrations, so that programs that do not
/// know it refuse the database too.
pub(super) async fn mark_moved(database: &Database, to: &str) -> Result<(), Error> {
    let mut transaction = write_patiently(database).await?;
    transaction
        .sql(RECORD)
        .bind(MOVED)
        .bind(to.as_bytes())
        .changed()
        .await?;
    transaction.commit().await
}

const MOVED: &str = "moved";
const RECORD: &str = "insert into schema_migrations (name, digest) values ($1, $2)";

/// A transaction that no other migrating process is in, and the table of what is applied.
async fn begin(database: &Database) -> Result<Transaction, Error> {
    let mut transaction = write_patiently(database).await?;
    transaction.without_time_limit();
    match transaction.engine() {
        Engine::Sqlite => transaction.script(TABLE_SQLITE).await?,
        Engine::Postgres => {
            transaction.script(NO_TIME_LIMIT).await?;
            transaction.sql(LOCK).bind(LOCK_NUMBER).changed().await?;
            transaction.script(TABLE_POSTGRES).await?;
        }
    }
    Ok(transaction)
}

/// Another process may be in the middle of a long migration of the same SQLite file: each attempt waits five seconds.
async fn write_patiently(database: &Database) -> Result<Transaction, Error> {
    const ATTEMPTS: u32 = 24;
    for _ in 1..ATTEMPTS {
        match database.write().await {
            Err(Error::Contention) => {}
            answer => return answer,
        }
    }
    database.write().await
}

const TABLE_SQLITE: &str = "
create table if not exists schema_migrations (
    name text not null primary key,
    digest blob not null
) strict";
const TABLE_POSTGRES: &str = "
create table if not exists schema_migrations (
    name text not null primary key,
    digest bytea not null
)";
const NO_TIME_LIMIT: &str = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
const LOCK: &str = "select pg_advisory_xact_lock($1)";
/// The letters of "ostiary".
const LOCK_NUMBER: i64 = 0x006f_7374_6961_7279;

/// Those that are not applied yet, after checking those that are.
async fn missing(
    connection: &mut Connection,
    migrations: &'static [Migration],
) -> Result<Vec<&'static Migration>, Error> {
    let engine = connection.engine();
    let applied = list(connection).await?;
    for one in &applied {
        if one.name == MOVED {
            let to = String::from_utf8_lossy(&one.digest).into_owned();
            return Err(Error::Moved { to });
        }
        let Some(known) = migrations.iter().find(|migration| migration.name == one.name) else {
            return Err(fault(&one.name, MigrationFault::Unknown));
        };
        if one.digest != crypto::sha256(known.text(engine).as_bytes()) {
            return Err(fault(&one.name, MigrationFault::Changed));
        }
    }
    let is_missing = |migration: &&'static Migration| applied.iter().all(|one| one.name != migration.name);
    Ok(migrations.iter().filter(is_missing).collect())
}

async fn list(connection: &mut Connection) -> Result<Vec<Applied>, Error> {
    let exists: i64 = connection.sql(table_exists(connection.engine())).one().await?;
    match exists {
        0 => Ok(Vec::new()),
        _ => connection.sql(LIST).all().await,
    }
}

const LIST: &str = "select name, digest from schema_migrations order by name";

fn table_exists(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "select count(*) from sqlite_schema where type = 'table' and name = 'schema_migrations'",
        Engine::Postgres => "select count(to_regclass('schema_migrations'))",
    }
}

fn fault(name: &str, fault: MigrationFault) -> Error {
    Error::Migration {
        name: name.to_owned(),
        fault,
    }
}

fn failed(migration: &Migration, error: Error) -> Error {
    match error {
        Error::Other(cause) => fault(migration.name, MigrationFault::Failed(cause)),
        Error::Unique { .. } => fault(
            migration.name,
            MigrationFault::Failed(Cause::own("a row is there twice")),
        ),
        Error::ForeignKey => fault(
            migration.name,
            MigrationFault::Failed(Cause::own("a foreign key does not hold")),
        ),
        other => other,
    }
}
