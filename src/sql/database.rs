//! Opening a database of either engine and handing out its connections.

#[cfg(unix)]
use std::fs::Permissions;
#[cfg(unix)]
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _};

use super::connection::{Connection, Link};
use super::error::is_busy;
use super::failpoint::Failpoints;
use super::group_commit::Writer;
use super::measures::{Measures, Occupancy};
use super::opened_file::OpenedFile;
use super::outage::Outage;
use super::readers::Readers;
use super::transaction::Transaction;
use super::{Error, Migration, migrations};
use crate::clock;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// What a SQLite commit survives. Postgres has a setting of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Loss of power (`synchronous = full`).
    Full,
    /// The end of the process; a loss of power may take the last commits back (`synchronous = normal`).
    Light,
}

/// A question that is asked on every new connection: its answer is a number, and the greatest one ever given is kept.
#[derive(Clone)]
pub struct Watch {
    /// The statement. Where the database refuses it, nothing is known.
    pub text: &'static str,
    /// The greatest answer.
    pub greatest: Arc<AtomicI64>,
}

impl Watch {
    async fn ask(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match sqlx::raw_sql(self.text).fetch_optional(connection).await {
            Ok(row) => {
                let number: Option<i64> = row.map(|row| row.try_get(0)).transpose()?.flatten();
                if let Some(number) = number {
                    self.greatest.fetch_max(number, Ordering::AcqRel);
                }
                Ok(())
            }
            Err(sqlx::Error::Database(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Database(Arc<Opened>, Failpoints);

struct Opened {
    backend: Backend,
    measures: Arc<Measures>,
}

enum Backend {
    Sqlite {
        writer: Writer,
        readers: Readers,
        file: OpenedFile,
    },
    Postgres {
        pool: PgPool,
        outage: Arc<Outage>,
    },
}

const COPY: &str = "vacuum into $1";
/// An update to the same value would not reach the disk; this does.
const TOUCH: &str = "pragma user_version = 0";
const JUDGE: &str = "pragma integrity_check";
const SQLITE_READERS: u32 = 4;
/// How long is waited for another process that holds the file.
const SQLITE_BUSY: Duration = Duration::from_secs(1);
/// The write-ahead log is cut back to this size after a checkpoint: 64 MiB.
const SQLITE_LOG_BYTES: &str = "67108864";
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long is waited for a connection: with the least time of a statement (see `connection.rs`) below two seconds.
const ACQUIRE: Duration = Duration::from_millis(800);
/// What Postgres itself gives a statement.
const STATEMENT: &str = "1600ms";
/// A connection that has rested this long is tried before it is used.
const RESTED: Duration = Duration::from_secs(15);
const STATEMENTS_KEPT: usize = 200;

impl Database {
    /// Opens `sqlite:PATH` (the file is made if it is missing) or `postgres://USER:PASSWORD@HOST/NAME`.
    ///
    /// [`Error::Unavailable`] if nobody answers there; [`Error::Other`] if the address can't be understood.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, Error> {
        Self::open_watching(url, durability, None).await
    }

    /// The same. On Postgres, `watch` is asked on every new connection before anything else is.
    pub async fn open_watching(url: &str, durability: Durability, watch: Option<Watch>) -> Result<Self, Error> {
        let measures = Arc::new(Measures::default());
        let backend = if url.starts_with("sqlite:") {
            open_sqlite(url, durability, &measures).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url, watch).await?
        } else {
            return Err(Error::other("the address begins with neither sqlite: nor postgres:"));
        };
        Ok(Self(Arc::new(Opened { backend, measures }), Failpoints::default()))
    }

    /// The same, with places where a test makes it stand still.
    pub fn passing(mut self, failpoints: Failpoints) -> Self {
        if let Backend::Sqlite { writer, .. } = &self.0.backend {
            writer.pass(failpoints.clone());
        }
        self.1 = failpoints;
        self
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        match &self.0.backend {
            Backend::Sqlite { .. } => Engine::Sqlite,
            Backend::Postgres { .. } => Engine::Postgres,
        }
    }

    /// A connection for reading what is committed. Each statement sees the newest state.
    pub async fn read(&self) -> Result<Connection, Error> {
        Ok(self.reader().await?.passing(&self.1))
    }

    async fn reader(&self) -> Result<Connection, Error> {
        let measures = &self.0.measures;
        match &self.0.backend {
            Backend::Sqlite { readers, file, .. } => {
                file.require_same()?;
                let link = Link::SqliteReader(measures.waited(readers.acquire()).await?);
                Ok(Connection::new(link, measures.clone()))
            }
            Backend::Postgres { pool, outage } => {
                outage.refuse()?;
                let asked = clock::monotonic();
                let link = Link::PostgresReader(outage.told(measures.waited(pool.acquire()).await)?);
                Ok(Connection::of_postgres(link, asked, outage.clone(), measures.clone()))
            }
        }
    }

    /// For answers from memory: [`Error::Unavailable`] if SQLite's file is no longer the one that was opened.
    pub fn require_same_file(&self) -> Result<(), Error> {
        match &self.0.backend {
            Backend::Sqlite { file, .. } => file.require_same(),
            Backend::Postgres { .. } => Ok(()),
        }
    }

    /// A transaction. On SQLite there is one at a time, in the order of asking.
    pub async fn write(&self) -> Result<Transaction, Error> {
        let measures = &self.0.measures;
        let transaction = match &self.0.backend {
            Backend::Sqlite { writer, file, .. } => {
                file.require_same()?;
                Transaction::of_sqlite(measures.waited(writer.take_seat()).await?, measures)
            }
            Backend::Postgres { pool, outage } => Transaction::of_postgres(pool, outage, measures).await?,
        };
        Ok(transaction.passing(&self.1))
    }

    /// A transaction of very many statements, which shares its commit with nobody. On SQLite everybody else who writes waits
    /// for its end; on Postgres whoever wants the same rows.
    pub async fn write_alone(&self) -> Result<Transaction, Error> {
        let measures = &self.0.measures;
        let transaction = match &self.0.backend {
            Backend::Sqlite { writer, file, .. } => {
                file.require_same()?;
                Transaction::of_sqlite(measures.waited(writer.take_seat_alone()).await?, measures)
            }
            Backend::Postgres { pool, outage } => {
                let mut transaction = Transaction::of_postgres(pool, outage, measures).await?;
                transaction.take_time().await?;
                transaction
            }
        };
        Ok(transaction.passing(&self.1))
    }

    /// Applies the migrations that the database does not have yet: their names. Several processes may do so at once.
    ///
    /// [`Error::Migration`] if an applied one was changed since, or the database knows one that is not in the list.
    pub async fn migrate(&self, migrations: &'static [Migration]) -> Result<Vec<&'static str>, Error> {
        migrations::apply(self, migrations).await
    }

    /// The names of the migrations that [`Database::migrate`] would apply. The same errors.
    pub async fn pending(&self, migrations: &'static [Migration]) -> Result<Vec<&'static str>, Error> {
        migrations::pending(self, migrations).await
    }

    /// Writes a consistent copy of a SQLite database to `path`, an empty file or none, while readers and the writer go on.
    ///
    /// [`Error::Other`] on Postgres, which has tools of its own.
    pub async fn copy_to(&self, path: &Path) -> Result<(), Error> {
        if self.engine() == Engine::Postgres {
            return Err(Error::other("only a SQLite database is copied"));
        }
        let path = path
            .to_str()
            .ok_or_else(|| Error::other("the copy's path is no UTF-8"))?;
        self.read().await?.sql(COPY).bind(path).changed().await?;
        Ok(())
    }

    /// Judges a SQLite file by its own consistency check; `true` on Postgres, which judges itself.
    pub async fn is_consistent(&self) -> Result<bool, Error> {
        if self.engine() == Engine::Postgres {
            return Ok(true);
        }
        let found: Vec<String> = self.read().await?.sql(JUDGE).all().await?;
        Ok(found == ["ok"])
    }

    /// Marks the database as moved to `to`: from then on [`Database::migrate`] and [`Database::pending`] refuse it.
    pub async fn mark_moved(&self, to: &str) -> Result<(), Error> {
        migrations::mark_moved(self, to).await
    }

    /// The names of the migrations that were applied, whether this program knows them or not.
    pub async fn applied(&self) -> Result<Vec<String>, Error> {
        migrations::applied(self).await
    }

    /// How long whoever holds SQLite's writer has been at one step: it does not answer if that is long. None while nobody holds
    /// it, and on Postgres.
    pub fn writer_silent_for(&self) -> Option<Duration> {
        match &self.0.backend {
            Backend::Sqlite { writer, .. } => writer.silent_for(),
            Backend::Postgres { .. } => None,
        }
    }

    /// How many durable commits SQLite's writer has made; `None` on Postgres, where every transaction is one.
    pub fn grouped_commits(&self) -> Option<u64> {
        match &self.0.backend {
            Backend::Sqlite { writer, .. } => Some(writer.commits()),
            Backend::Postgres { .. } => None,
        }
    }

    /// How many statements can run at once.
    pub fn connections(&self) -> usize {
        usize::try_from(self.most_connections()).unwrap_or(1)
    }

    fn most_connections(&self) -> u32 {
        match &self.0.backend {
            Backend::Sqlite { .. } => SQLITE_READERS,
            Backend::Postgres { .. } => POSTGRES_CONNECTIONS,
        }
    }

    /// What it was asked since it was opened.
    pub fn measures(&self) -> &Measures {
        &self.0.measures
    }

    /// The connections as they stand; of SQLite, those that read.
    pub fn occupancy(&self) -> Occupancy {
        let (open, idle) = match &self.0.backend {
            Backend::Sqlite { readers, .. } => (readers.size(), readers.num_idle()),
            Backend::Postgres { pool, .. } => (pool.size(), pool.num_idle()),
        };
        let open = usize::try_from(open).unwrap_or(usize::MAX);
        Occupancy {
            used: open.saturating_sub(idle),
            open,
            most: self.most_connections(),
        }
    }

    /// Writes something that changes nothing, if the last attempt to write failed: only another one tells how it stands.
    /// Postgres says of itself how it stands.
    ///
    /// [`Error::Unavailable`] if nothing can be written.
    pub async fn require_writable(&self) -> Result<(), Error> {
        match &self.0.backend {
            Backend::Sqlite { writer, .. } if writer.has_failed() => {
                let mut transaction = self.write().await?;
                transaction.script(TOUCH).await?;
                transaction.commit().await
            }
            _ => Ok(()),
        }
    }

    /// Commits what is waiting and closes all connections.
    pub async fn close(&self) {
        match &self.0.backend {
            Backend::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Backend::Postgres { pool, .. } => pool.close().await,
        }
    }
}

/// The file that an address names; none if it is not SQLite's.
pub fn file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    Some(options.get_filename().to_path_buf())
}

async fn open_sqlite(url: &str, durability: Durability, measures: &Arc<Measures>) -> Result<Backend, Error> {
    let options = SqliteConnectOptions::from_str(url)?;
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::other("a database in memory can't be shared by its connections"));
    }
    let options = options
        .busy_timeout(SQLITE_BUSY)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging();
    let writing = options
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Light => SqliteSynchronous::Normal,
        })
        .pragma("journal_size_limit", SQLITE_LOG_BYTES)
        // what a savepoint may have to bring back: of every group, and on the disk it would be half of all that is written
        .pragma("temp_store", "memory");
    let path = writing.get_filename().to_owned();
    let is_new = !path.exists();
    let writer = open_writer(writing, measures).await?;
    if is_new {
        keep_private(&path)?;
    }
    let readers = Readers::open(options.read_only(true), SQLITE_READERS, ACQUIRE).await?;
    Ok(Backend::Sqlite {
        writer,
        readers,
        file: OpenedFile::of(path)?,
    })
}

/// A new file and its companions belong to their owner alone.
#[cfg(unix)]
fn keep_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    for companion in ["", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(companion);
        match std::fs::set_permissions(&path, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(sqlx::Error::from(error).into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_private(_: &Path) -> Result<(), Error> {
    Ok(())
}

/// Several processes may open a new file at once. The change to the write-ahead log needs the file alone and does not
/// wait for it, so it is asked for again.
async fn open_writer(options: SqliteConnectOptions, measures: &Arc<Measures>) -> Result<Writer, Error> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..ATTEMPTS {
        match Writer::open(options.clone(), measures.clone()).await {
            Err(error) if is_busy(&error) => crate::clock::sleep(PAUSE).await,
            answer => return Ok(answer?),
        }
    }
    Ok(Writer::open(options, measures.clone()).await?)
}

async fn open_postgres(url: &str, watch: Option<Watch>) -> Result<Backend, Error> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("ostiary")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .options([
            ("statement_timeout", STATEMENT),
            // a node that stands still must not keep its locks
            ("idle_in_transaction_session_timeout", "5s"),
            // the server notices within a minute that a node is gone
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ]);
    let outage = Outage::none(options.clone());
    let known = outage.clone();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .before_acquire(move |connection, rest| {
            let outlived = known.outlived_by(rest.age);
            Box::pin(async move {
                if outlived {
                    return Ok(false);
                }
                if rest.idle_for >= RESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let watch = watch.clone();
            Box::pin(async move {
                match watch {
                    Some(watch) => watch.ask(connection).await,
                    None => Ok(()),
                }
            })
        })
        .connect_with(options)
        .await?;
    Ok(Backend::Postgres { pool, outage })
}
