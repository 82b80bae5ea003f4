//! The connections that read one SQLite file. A pool of our own, because sqlx's asks every connection for a sign of life when
//! it is given back: on a file that is as much work as most reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Error;

/// The readers of one file. Clones share them.
#[derive(Clone)]
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    options: SqliteConnectOptions,
    /// The one that was given back last is taken first: the others rest.
    idle: Mutex<Vec<SqliteConnection>>,
    places: Arc<Semaphore>,
    patience: Duration,
    most: u32,
}

/// A connection that reads, until it is dropped.
pub(super) struct Reader {
    connection: Option<SqliteConnection>,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    /// At most `most` connections, for which nobody waits longer than `patience`. The first is opened at once.
    pub(super) async fn open(options: SqliteConnectOptions, most: u32, patience: Duration) -> Result<Self, Error> {
        let first = options.connect().await?;
        Ok(Self(Arc::new(Shared {
            options,
            idle: Mutex::new(vec![first]),
            places: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1))),
            patience,
            most,
        })))
    }

    pub(super) async fn acquire(&self) -> Result<Reader, Error> {
        let place = timeout(self.0.patience, self.0.places.clone().acquire_owned())
            .await
            .map_err(|_| Error::unavailable("the readers were busy for too long"))?
            .map_err(|_| Error::unavailable("the database is closed"))?;
        let idle = self.0.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.0.options.connect().await?,
        };
        Ok(Reader {
            connection: Some(connection),
            shared: self.0.clone(),
            _place: place,
        })
    }

    /// How many connections may be open.
    pub(super) fn size(&self) -> u32 {
        self.0.most
    }

    /// How many of them nobody uses.
    pub(super) fn num_idle(&self) -> usize {
        self.0.places.available_permits()
    }

    /// Closes the connections at rest; those in use close when they are given back.
    pub(super) async fn close(&self) {
        self.0.places.close();
        while let Some(connection) = self.0.pop() {
            // it only reads: nothing can be lost
            drop(connection.close().await);
        }
    }
}

impl Shared {
    fn pop(&self) -> Option<SqliteConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Reader {
    pub(super) fn raw(&mut self) -> Result<&mut SqliteConnection, Error> {
        self.connection
            .as_mut()
            .ok_or_else(|| Error::other("the connection is gone"))
    }

    /// It is not given back: an answer is on its way that nobody has waited for.
    pub(super) fn discard(&mut self) {
        self.connection = None;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.shared.places.is_closed() {
            return;
        }
        if let Some(connection) = self.connection.take() {
            let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(connection);
        }
    }
}
