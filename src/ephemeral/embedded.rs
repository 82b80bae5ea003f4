//! Ephemeral state in a SQLite file of its own, so that it survives a restart without burdening the store.

use std::path::Path;

use super::allowance::{Allowance, Spent};
use super::place::Place;
use crate::model::Timestamp;
use crate::sql::{Database, Durability, Error, Migration};

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

#[derive(Clone)]
pub(super) struct Embedded(Database);

impl Embedded {
    pub async fn open(path: &Path) -> Result<Self, Error> {
        // the address is a URL, in which these two have a meaning of their own
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f");
        let database = Database::open(&format!("sqlite:{path}"), Durability::Light).await?;
        database.migrate(MIGRATIONS).await?;
        Ok(Self(database))
    }

    pub fn database(&self) -> &Database {
        &self.0
    }

    pub async fn put(&self, place: &Place, value: &[u8], expires: Timestamp, _now: Timestamp) -> Result<(), Error> {
        const PUT: &str = "
            insert into entry (kind, key, value, expires)
            values ($1, $2, $3, $4)
            on conflict (kind, key) do update
            set value = excluded.value, expires = excluded.expires";
        let mut transaction = self.0.write().await?;
        transaction
            .sql(PUT)
            .bind(place.kind)
            .bind(place.key)
            .bind(value)
            .bind(expires.micros())
            .changed()
            .await?;
        transaction.commit().await
    }

    pub async fn put_new(
        &self,
        place: &Place,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const PUT_NEW: &str = "
            insert into entry (kind, key, value, expires)
            values ($1, $2, $3, $4)
            on conflict (kind, key) do update
            set value = excluded.value, expires = excluded.expires
            where entry.expires <= $5";
        let mut transaction = self.0.write().await?;
        let changed = transaction
            .sql(PUT_NEW)
            .bind(place.kind)
            .bind(place.key)
            .bind(value)
            .bind(expires.micros())
            .bind(now.micros())
            .changed()
            .await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn put_within(
        &self,
        (place, owned): (&Place, &Place),
        most: u32,
        value: &[u8],
        expires: Timestamp,
        _now: Timestamp,
    ) -> Result<(), Error> {
        const PUT_OWNED: &str = "
            insert into entry (kind, key, value, expires, owner)
            values ($1, $2, $3, $4, $5)
            on conflict (kind, key) do update
            set value = excluded.value, expires = excluded.expires, owner = excluded.owner";
        // those that end soonest make room, and what has ended already goes before them
        const PUSH_OUT: &str = "
            delete from entry
            where rowid in (
                select rowid
                from entry
                where kind = $1 and owner = $2 and key <> $3
                order by expires desc
                limit -1 offset $4
            )";
        let mut transaction = self.0.write().await?;
        transaction
            .sql(PUT_OWNED)
            .bind(place.kind)
            .bind(place.key)
            .bind(value)
            .bind(expires.micros())
            .bind(owned.key)
            .changed()
            .await?;
        transaction
            .sql(PUSH_OUT)
            .bind(place.kind)
            .bind(owned.key)
            .bind(place.key)
            .bind(most.saturating_sub(1))
            .changed()
            .await?;
        transaction.commit().await
    }

    pub async fn get(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        const GET: &str = "
            select value
            from entry
            where kind = $1 and key = $2 and expires > $3";
        self.0
            .read()
            .await?
            .sql(GET)
            .bind(place.kind)
            .bind(place.key)
            .bind(now.micros())
            .optional()
            .await
    }

    pub async fn take(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        const TAKE: &str = "
            delete from entry
            where kind = $1 and key = $2 and expires > $3
            returning value";
        let mut transaction = self.0.write().await?;
        let taken = transaction
            .sql(TAKE)
            .bind(place.kind)
            .bind(place.key)
            .bind(now.micros())
            .optional()
            .await?;
        transaction.commit().await?;
        Ok(taken)
    }

    pub async fn extend(&self, place: &Place, expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        const EXTEND: &str = "
            update entry
            set expires = $3
            where kind = $1 and key = $2 and expires > $4";
        let mut transaction = self.0.write().await?;
        let changed = transaction
            .sql(EXTEND)
            .bind(place.kind)
            .bind(place.key)
            .bind(expires.micros())
            .bind(now.micros())
            .changed()
            .await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn forget(&self, place: &Place) -> Result<(), Error> {
        const FORGET: &str = "
            delete from entry
            where kind = $1 and key = $2";
        self.change(FORGET, place).await
    }

    pub async fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        // an insert has no condition, so a budget of nothing is refused before it
        const SPEND: &str = "
            insert into counter (kind, key, restored)
            select $1, $2, $3 + $4
            where $4 <= $5
            on conflict (kind, key) do update
            set restored = max(counter.restored, $3) + $4
            where max(counter.restored, $3) + $4 - $3 <= $5
            returning restored";
        let mut transaction = self.0.write().await?;
        let counted: Option<i64> = transaction
            .sql(SPEND)
            .bind(place.kind)
            .bind(place.key)
            .bind(now.micros())
            .bind(allowance.step())
            .bind(allowance.whole())
            .optional()
            .await?;
        if let Some(restored) = counted {
            transaction.commit().await?;
            return Ok(allowance.allowed(restored, now));
        }
        let restored: Option<i64> = transaction
            .sql(RESTORED)
            .bind(place.kind)
            .bind(place.key)
            .optional()
            .await?;
        transaction.abandon().await?;
        Ok(allowance.refused(restored.unwrap_or(0), now))
    }

    pub async fn spent(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        let restored: Option<i64> = self
            .0
            .read()
            .await?
            .sql(RESTORED)
            .bind(place.kind)
            .bind(place.key)
            .optional()
            .await?;
        Ok(allowance.foretold(restored, now))
    }

    pub async fn refund(&self, place: &Place, allowance: Allowance) -> Result<(), Error> {
        const REFUND: &str = "
            update counter
            set restored = restored - $3
            where kind = $1 and key = $2";
        let mut transaction = self.0.write().await?;
        transaction
            .sql(REFUND)
            .bind(place.kind)
            .bind(place.key)
            .bind(allowance.step())
            .changed()
            .await?;
        transaction.commit().await
    }

    pub async fn clear(&self, place: &Place) -> Result<(), Error> {
        const CLEAR: &str = "
            delete from counter
            where kind = $1 and key = $2";
        self.change(CLEAR, place).await
    }

    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        const SWEEP_ENTRIES: &str = "
            delete from entry
            where rowid in (select rowid from entry where expires <= $1 limit $2)";
        const SWEEP_COUNTERS: &str = "
            delete from counter
            where rowid in (select rowid from counter where restored <= $1 limit $2)";
        let mut transaction = self.0.write().await?;
        let mut removed = 0u64;
        for text in [SWEEP_ENTRIES, SWEEP_COUNTERS] {
            let changed = transaction.sql(text).bind(now.micros()).bind(limit).changed().await?;
            removed = removed.saturating_add(changed);
        }
        transaction.commit().await?;
        Ok(removed)
    }

    pub async fn ping(&self) -> Result<(), Error> {
        let _one: i64 = self.0.read().await?.sql("select 1").one().await?;
        Ok(())
    }

    async fn change(&self, text: &'static str, place: &Place) -> Result<(), Error> {
        let mut transaction = self.0.write().await?;
        transaction.sql(text).bind(place.kind).bind(place.key).changed().await?;
        transaction.commit().await
    }
}

const RESTORED: &str = "
    select restored
    from counter
    where kind = $1 and key = $2";
