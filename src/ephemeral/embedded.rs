//! Ephemeral state in a SQLite file of its own, so that it survives a restart without burdening the store. It is written
//! behind: see [`super::write_behind`].

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::allowance::{Allowance, Spent, Tally};
use super::embedded_room::{self, Totals};
use super::place::Place;
use super::write_behind::{Batch, Change, Slot, WriteBehind};
use crate::clock;
use crate::model::Timestamp;
use crate::sql::{Database, Durability, Error, Migration, Record, Row, Transaction, places};

/// How often changes go to the file.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// How many rows one statement writes.
const ROWS: usize = 50;

/// The file is SQLite's alone; the text for the other engine is the same in its spelling.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_entries_and_counters",
        sqlite: "
        create table entry (
            kind text not null,
            key blob not null,
            value blob not null,
            expires integer not null,
            unique (kind, key)
        ) strict;
        create index entry_expires on entry (expires);
        create table counter (
            kind text not null,
            key blob not null,
            restored integer not null,
            unique (kind, key)
        ) strict;
        create index counter_restored on counter (restored);
    ",
        postgres: "
        create table entry (
            kind text not null,
            key bytea not null,
            value bytea not null,
            expires bigint not null,
            unique (kind, key)
        );
        create index entry_expires on entry (expires);
        create table counter (
            kind text not null,
            key bytea not null,
            restored bigint not null,
            unique (kind, key)
        );
        create index counter_restored on counter (restored);
    ",
    },
    Migration {
        name: "0002_owners",
        sqlite: OWNERS_SQLITE,
        postgres: OWNERS_POSTGRES,
    },
    Migration {
        name: "0003_tallies",
        sqlite: TALLIES_SQLITE,
        postgres: TALLIES_POSTGRES,
    },
];

// what is looked for is all in the index: an owner's entries are counted at every one of them that is added
const OWNERS_SQLITE: &str = "
    alter table entry add column owner blob;
    create index entry_owner on entry (kind, owner, expires, key) where owner is not null;
";
const OWNERS_POSTGRES: &str = "
    alter table entry add column owner bytea;
    create index entry_owner on entry (kind, owner, expires, key) where owner is not null;
";

// what was counted otherwise before is not counted any more
const TALLIES_SQLITE: &str = "
    drop table counter;
    create table counter (
        kind text not null,
        key blob not null,
        tally text not null,
        whole_at integer not null,
        unique (kind, key)
    ) strict;
    create index counter_whole_at on counter (whole_at);
";
const TALLIES_POSTGRES: &str = "
    drop table counter;
    create table counter (
        kind text not null,
        key bytea not null,
        tally text not null,
        whole_at bigint not null,
        unique (kind, key)
    );
    create index counter_whole_at on counter (whole_at);
";

#[derive(Clone)]
pub(super) struct Embedded(Arc<Inner>);

struct Inner {
    database: Database,
    entries: WriteBehind<Entry>,
    counters: WriteBehind<Counter>,
    totals: Totals,
    /// One writes at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
pub(super) struct Entry {
    value: Arc<[u8]>,
    expires: i64,
    /// Whose entries it is counted with; not known of what comes from the file.
    pub(super) owned: Option<Owned>,
}

/// Whose entries an entry is counted with.
#[derive(Clone, Copy)]
pub(super) struct Owned {
    pub(super) owner: [u8; 32],
    /// How many the owner may have.
    pub(super) most: u32,
    /// How many of the kind there may be, whoever they are of.
    pub(super) altogether: Option<u32>,
}

#[derive(Clone)]
struct Counter {
    tally: Tally,
    /// When the whole budget is back, in microseconds since 1970.
    whole_at: i64,
}

impl Record for Counter {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            tally: Tally::read(&row.text("tally")?),
            whole_at: row.int("whole_at")?,
        })
    }
}

impl Record for Entry {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            value: row.bytes("value")?.into(),
            expires: row.int("expires")?,
            owned: None,
        })
    }
}

impl Entry {
    fn new(value: &[u8], expires: Timestamp) -> Self {
        Self {
            value: value.into(),
            expires: expires.micros(),
            owned: None,
        }
    }

    fn among(self, place: &Place, owner: &Place, most: u32) -> Self {
        let owned = Owned {
            owner: owner.key,
            most,
            altogether: place.altogether,
        };
        Self {
            owned: Some(owned),
            ..self
        }
    }

    fn lives(&self, now: Timestamp) -> bool {
        self.expires > now.micros()
    }
}

impl Embedded {
    pub async fn open(path: &Path) -> Result<Self, Error> {
        // the address is a URL, in which these two have a meaning of their own
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f");
        let database = Database::open(&format!("sqlite:{path}"), Durability::Light).await?;
        database.migrate(MIGRATIONS).await?;
        let inner = Arc::new(Inner {
            database,
            entries: WriteBehind::new(),
            counters: WriteBehind::new(),
            totals: Totals::default(),
            turn: tokio::sync::Mutex::new(()),
        });
        tokio::spawn(write_again_and_again(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub async fn put(&self, place: &Place, value: &[u8], expires: Timestamp, _now: Timestamp) -> Result<(), Error> {
        self.0.entries.put(place.slot(), Some(Entry::new(value, expires))).await
    }

    pub async fn put_new(
        &self,
        place: &Place,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.change_entry(place, |entry| match entry {
            Some(entry) if entry.lives(now) => (None, false),
            _ => (Some(Some(Entry::new(value, expires))), true),
        })
        .await
    }

    /// What is too much is pushed out when it is written.
    pub async fn put_within(
        &self,
        (place, owned): (&Place, &Place),
        most: u32,
        value: &[u8],
        expires: Timestamp,
        _now: Timestamp,
    ) -> Result<(), Error> {
        let entry = Entry::new(value, expires).among(place, owned, most);
        self.0.entries.put(place.slot(), Some(entry)).await
    }

    /// What is too much is pushed out when it is written.
    pub async fn put_new_within(
        &self,
        (place, owned): (&Place, &Place),
        most: u32,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.change_entry(place, |entry| match entry {
            Some(entry) if entry.lives(now) => (None, false),
            _ => (Some(Some(Entry::new(value, expires).among(place, owned, most))), true),
        })
        .await
    }

    pub async fn get(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let slot = place.slot();
        let entry = self.0.entries.get(slot, || self.0.read_entry(slot)).await?;
        Ok(entry.filter(|entry| entry.lives(now)).map(|entry| entry.value.to_vec()))
    }

    pub async fn take(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        self.change_entry(place, |entry| match entry {
            Some(entry) if entry.lives(now) => (Some(None), Some(entry.value.to_vec())),
            _ => (None, None),
        })
        .await
    }

    pub async fn extend(&self, place: &Place, expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        self.change_entry(place, |entry| match entry {
            Some(entry) if entry.lives(now) => {
                let moved = Entry {
                    expires: expires.micros(),
                    ..entry.clone()
                };
                (Some(Some(moved)), true)
            }
            _ => (None, false),
        })
        .await
    }

    pub async fn forget(&self, place: &Place) -> Result<(), Error> {
        self.0.entries.put(place.slot(), None).await
    }

    pub async fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        self.change_counter(place, |counter| {
            let mut tally = counter.map(|counter| counter.tally.clone()).unwrap_or_default();
            let spent = allowance.spend(&mut tally, now);
            let counter = matches!(spent, Spent::Allowed { .. }).then(|| Counter {
                whole_at: allowance.whole_at(&tally),
                tally,
            });
            (counter.map(Some), spent)
        })
        .await
    }

    pub async fn spent(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        let slot = place.slot();
        let counter = self.0.counters.get(slot, || self.0.read_counter(slot)).await?;
        let tally = counter.map(|counter| counter.tally).unwrap_or_default();
        Ok(allowance.foretold(&tally, now))
    }

    pub async fn refund(&self, place: &Place, at: Timestamp) -> Result<(), Error> {
        self.change_counter(place, |counter| {
            let refunded = counter.cloned().map(|mut counter| {
                counter.tally.give_back(at);
                // what holds nothing goes
                (!counter.tally.is_empty()).then_some(counter)
            });
            (refunded, ())
        })
        .await
    }

    pub async fn clear(&self, place: &Place) -> Result<(), Error> {
        self.0.counters.put(place.slot(), None).await
    }

    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        const SWEEP_ENTRIES: &str = "
            delete from entry
            where rowid in (select rowid from entry where expires <= $1 limit $2)";
        const SWEEP_COUNTERS: &str = "
            delete from counter
            where rowid in (select rowid from counter where whole_at <= $1 limit $2)";
        self.write().await?;
        let mut transaction = self.0.database.write().await?;
        let mut removed = 0u64;
        for text in [SWEEP_ENTRIES, SWEEP_COUNTERS] {
            let changed = transaction.sql(text).bind(now.micros()).bind(limit).changed().await?;
            removed = removed.saturating_add(changed);
        }
        transaction.commit().await?;
        Ok(removed)
    }

    pub async fn ping(&self) -> Result<(), Error> {
        let _one: i64 = self.0.database.read().await?.sql("select 1").one().await?;
        Ok(())
    }

    /// Writes what the file does not have yet. When this answers, the file has everything that was changed before.
    pub async fn write(&self) -> Result<(), Error> {
        self.0.write().await
    }

    async fn change_entry<T>(
        &self,
        place: &Place,
        change: impl FnMut(Option<&Entry>) -> (Option<Option<Entry>>, T),
    ) -> Result<T, Error> {
        let slot = place.slot();
        let read = || self.0.read_entry(slot);
        self.0.entries.change(slot, read, change).await
    }

    async fn change_counter<T>(
        &self,
        place: &Place,
        change: impl FnMut(Option<&Counter>) -> (Option<Option<Counter>>, T),
    ) -> Result<T, Error> {
        let slot = place.slot();
        let read = || self.0.read_counter(slot);
        self.0.counters.change(slot, read, change).await
    }
}

impl Inner {
    async fn read_entry(&self, (kind, key): Slot) -> Result<Option<Entry>, Error> {
        const GET: &str = "
            select value, expires
            from entry
            where kind = $1 and key = $2";
        let mut connection = self.database.read().await?;
        connection.sql(GET).bind(kind).bind(key).optional().await
    }

    async fn read_counter(&self, (kind, key): Slot) -> Result<Option<Counter>, Error> {
        const COUNTER: &str = "
            select tally, whole_at
            from counter
            where kind = $1 and key = $2";
        let mut connection = self.database.read().await?;
        connection.sql(COUNTER).bind(kind).bind(key).optional().await
    }

    async fn write(&self) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let entries = self.entries.unwritten();
        let counters = self.counters.unwritten();
        if entries.0.is_empty() && counters.0.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.write().await?;
        write_entries(&mut transaction, &self.totals, &entries).await?;
        write_counters(&mut transaction, &counters).await?;
        transaction.commit().await?;
        self.entries.let_go(&entries);
        self.counters.let_go(&counters);
        Ok(())
    }
}

/// Writes until the last handle is gone.
async fn write_again_and_again(inner: Weak<Inner>) {
    loop {
        clock::sleep(WRITE_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.write().await {
            tracing::warn!(%error, "short-lived state waits to be written");
        }
    }
}

async fn write_entries(transaction: &mut Transaction, totals: &Totals, batch: &Batch<Entry>) -> Result<(), Error> {
    let (kept, gone): (Vec<&Change<Entry>>, Vec<_>) = batch.0.iter().partition(|(_, value, _)| value.is_some());
    for rows in kept.chunks(ROWS) {
        let text = format!(
            "insert into entry (kind, key, value, expires, owner)
            values {}
            on conflict (kind, key) do update
            set value = excluded.value, expires = excluded.expires, owner = coalesce(excluded.owner, entry.owner)",
            places(rows.len(), 5)
        );
        let mut statement = transaction.sql_built(text);
        for ((kind, key), entry, _) in rows {
            let Some(entry) = entry else { continue };
            let owner = entry.owned.map(|owned| owned.owner.to_vec());
            statement = statement
                .bind(*kind)
                .bind(key)
                .bind(&entry.value[..])
                .bind(entry.expires)
                .bind(owner);
        }
        statement.changed().await?;
    }
    delete(transaction, "entry", &gone).await?;
    embedded_room::make(transaction, totals, &kept).await
}

async fn write_counters(transaction: &mut Transaction, batch: &Batch<Counter>) -> Result<(), Error> {
    let (kept, gone): (Vec<&Change<Counter>>, Vec<_>) = batch.0.iter().partition(|(_, value, _)| value.is_some());
    for rows in kept.chunks(ROWS) {
        let text = format!(
            "insert into counter (kind, key, tally, whole_at)
            values {}
            on conflict (kind, key) do update
            set tally = excluded.tally, whole_at = excluded.whole_at",
            places(rows.len(), 4)
        );
        let mut statement = transaction.sql_built(text);
        for ((kind, key), counter, _) in rows {
            let Some(counter) = counter else { continue };
            statement = statement
                .bind(*kind)
                .bind(key)
                .bind(counter.tally.write())
                .bind(counter.whole_at);
        }
        statement.changed().await?;
    }
    delete(transaction, "counter", &gone).await
}

async fn delete<V>(transaction: &mut Transaction, table: &'static str, gone: &[&Change<V>]) -> Result<(), Error> {
    for rows in gone.chunks(ROWS) {
        let text = format!(
            "delete from {table} where (kind, key) in (values {})",
            places(rows.len(), 2)
        );
        let mut statement = transaction.sql_built(text);
        for ((kind, key), _, _) in rows {
            statement = statement.bind(*kind).bind(key);
        }
        statement.changed().await?;
    }
    Ok(())
}
