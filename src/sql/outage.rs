//! Whether Postgres is away: then nobody waits for it.
//!
//! Any answer that stays out raises a suspicion. One task looks into it, over a connection of its own: as long as nobody
//! answers there, everything that needs the database fails at once, and the task goes on asking until somebody does. So
//! a full pool, a full disk or a long statement never closes the door on a server that is there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError};
use tokio::time::timeout;

use super::Error;
use crate::clock;

/// Who is not connected to and has not answered within this time is away.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1500);
/// How often a server that is away is asked whether it is back.
const ASKED_EVERY: Duration = Duration::from_millis(250);
/// A server that has just answered is not suspected again before this time has passed.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// What is known about a server's absence.
pub(super) struct Outage {
    options: PgConnectOptions,
    away: AtomicBool,
    asking: AtomicBool,
    begun: Instant,
    /// When a connection was last found broken, or the server back: in microseconds since `begun`. Connections that are
    /// older are likely to be broken as well.
    broke: AtomicU64,
}

impl Outage {
    /// Of a server that was not away yet.
    pub(super) fn none(options: PgConnectOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            away: AtomicBool::new(false),
            asking: AtomicBool::new(false),
            begun: clock::monotonic(),
            broke: AtomicU64::new(0),
        })
    }

    /// Whether a connection of this age was there before others broke.
    pub(super) fn outlived_by(&self, age: Duration) -> bool {
        let broke = Duration::from_micros(self.broke.load(Ordering::Acquire));
        !broke.is_zero() && self.begun.elapsed().saturating_sub(age) <= broke
    }

    fn break_older(&self) {
        let micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.broke.fetch_max(micros, Ordering::AcqRel);
    }

    /// [`Error::Unavailable`] at once, if the server is known to be away.
    pub(super) fn refuse(&self) -> Result<(), Error> {
        if self.away.load(Ordering::Acquire) {
            return Err(Error::unavailable("the server is away"));
        }
        Ok(())
    }

    /// Passes an answer on; one that says that the server may be away is looked into.
    pub(super) fn told<T>(self: &Arc<Self>, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Unavailable(cause)) = &answer
            && cause.is_broken()
        {
            self.break_older();
        }
        if let Err(Error::Unavailable(_)) = &answer
            && !self.asking.swap(true, Ordering::AcqRel)
        {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(Self::look(Arc::downgrade(self)))),
                Err(_) => self.asking.store(false, Ordering::Release),
            }
        }
        answer
    }

    /// Asks until the server answers, or nobody wants to know any more.
    async fn look(outage: Weak<Self>) {
        loop {
            let Some(outage) = outage.upgrade() else { return };
            if outage.answers().await {
                if outage.away.load(Ordering::Acquire) {
                    outage.break_older();
                    outage.away.store(false, Ordering::Release);
                    tracing::info!("the database answers again");
                }
                clock::sleep(BELIEVED_FOR).await;
                outage.asking.store(false, Ordering::Release);
                return;
            }
            if !outage.away.swap(true, Ordering::AcqRel) {
                tracing::warn!("the database does not answer; what needs it fails at once until it does");
            }
            drop(outage);
            clock::sleep(ASKED_EVERY).await;
        }
    }

    async fn answers(&self) -> bool {
        let asked = async {
            let mut connection = self.options.connect().await?;
            connection.ping().await?;
            connection.close().await
        };
        match timeout(ANSWERS_WITHIN, asked).await {
            Ok(Ok(())) => true,
            // whoever refuses a connection is there, unless it is starting or stopping (class 57)
            Ok(Err(sqlx::Error::Database(refusal))) => refusal
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|refusal| !refusal.code().starts_with("57")),
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
