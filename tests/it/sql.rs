//! The ground of the store, on both engines: what is acknowledged is kept, what is not leaves nothing, values come back
//! as they went in, errors have one name on both, migrations happen once.

mod alone;
mod later;

use std::time::Duration;

use ostiary::random;
use ostiary::sql::{Connection, Database, Durability, Engine, Error, Migration, MigrationFault, Record, Row, Value};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

/// Longer than anything here takes; a test that reaches it hangs.
const HANGS: Duration = Duration::from_secs(60);

async fn sqlite() -> (TempDir, Database) {
    let folder = TempDir::new().unwrap();
    let database = Database::open(&sqlite_url(&folder), Durability::Full).await.unwrap();
    (folder, database)
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite:{}/store.db", folder.path().display())
}

/// An address of an empty schema on the Postgres server of the test command; `None` in a quick run.
async fn postgres_url() -> Option<String> {
    let Ok(url) = std::env::var("OSTIARY_TEST_POSTGRES_URL") else {
        let quick = std::env::var("OSTIARY_TEST_QUICK").is_ok_and(|quick| quick == "1");
        assert!(
            quick,
            "this test needs Postgres: run ./scripts/test, which starts one (or set OSTIARY_TEST_QUICK=1 to go without)"
        );
        return None;
    };
    let schema = format!("sql_{}", random::hex_id());
    let database = Database::open(&url, Durability::Full).await.unwrap();
    let mut connection = database.read().await.unwrap();
    let create = format!("create schema {schema}");
    connection.sql_built(create).changed().await.unwrap();
    drop(connection);
    database.close().await;
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{mark}options[search_path]={schema}"))
}

/// Runs a test on SQLite and on Postgres, each with the tables of [`TABLES`].
async fn on_both(test: impl AsyncFn(Database)) {
    let (_folder, database) = sqlite().await;
    database.migrate(TABLES).await.unwrap();
    timeout(HANGS, test(database.clone())).await.expect("hangs on SQLite");
    database.close().await;

    let Some(url) = postgres_url().await else { return };
    let database = Database::open(&url, Durability::Full).await.unwrap();
    database.migrate(TABLES).await.unwrap();
    timeout(HANGS, test(database.clone())).await.expect("hangs on Postgres");
    database.close().await;
}

/// SQLite alone, with the tables.
async fn on_sqlite(test: impl AsyncFn(Database)) {
    let (_folder, database) = sqlite().await;
    database.migrate(TABLES).await.unwrap();
    timeout(HANGS, test(database.clone())).await.expect("hangs");
    database.close().await;
}

const TABLES: &[Migration] = &[
    Migration {
        name: "0001_tables",
        sqlite: "
            create table counters (name text not null primary key, value integer not null) strict;
            create table names (
                tenant text not null,
                name text not null,
                email text unique,
                constraint names_id primary key (tenant, name)
            ) strict;
            create table owners (id integer not null primary key) strict;
            create table things (
                id integer not null primary key,
                owner integer not null references owners (id)
            ) strict;
            create table promises (
                id integer not null primary key,
                owner integer not null references owners (id) deferrable initially deferred
            ) strict;
            insert into counters (name, value) values ('shared', 0);",
        postgres: "
            create table counters (name text not null primary key, value bigint not null);
            create table names (
                tenant text not null,
                name text not null,
                email text,
                constraint names_tenant_name primary key (tenant, name),
                constraint names_email unique (email)
            );
            create table owners (id bigint not null primary key);
            create table things (
                id bigint not null primary key,
                owner bigint not null references owners (id)
            );
            insert into counters (name, value) values ('shared', 0);",
    },
    Migration {
        name: "0002_values",
        sqlite: "create table kinds (
            id blob not null primary key, number integer, truth integer, words text, bytes blob, other blob
        ) strict",
        postgres: "create table kinds (
            id uuid not null primary key, number bigint, truth boolean, words text, bytes bytea, other uuid
        )",
    },
];

const ADD_NAME: &str = "insert into names (tenant, name, email) values ('t', $1, $2)";
const COUNT_NAMES: &str = "select count(*) from names";
const RAISE: &str = "update counters set value = value + 1 where name = 'shared'";
const COUNTER: &str = "select value from counters where name = 'shared'";
const BROKEN_PROMISE: &str = "insert into promises (id, owner) values (1, 404)";

async fn add_name(connection: &mut Connection, name: &str) -> Result<u64, Error> {
    connection.sql(ADD_NAME).bind(name).bind(None::<String>).changed().await
}

async fn add_and_commit(database: Database, name: String) -> Result<(), Error> {
    let mut transaction = database.write().await?;
    add_name(&mut transaction, &name).await?;
    transaction.commit().await
}

async fn number(database: &Database, text: &'static str) -> i64 {
    database.read().await.unwrap().sql(text).one().await.unwrap()
}

/// Lets all the other tasks of this thread run until they wait.
async fn let_others_run() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_lose_nothing() {
    on_both(async |database| {
        const WRITERS: i64 = 64;
        const EACH: i64 = 20;
        let before = database.grouped_commits();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let database = database.clone();
                tokio::spawn(async move {
                    for turn in 0..EACH {
                        let mut transaction = database.write().await?;
                        transaction.sql(RAISE).changed().await?;
                        add_name(&mut transaction, &format!("{writer}.{turn}")).await?;
                        transaction.commit().await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        assert_eq!(number(&database, COUNTER).await, WRITERS * EACH);
        assert_eq!(number(&database, COUNT_NAMES).await, WRITERS * EACH);
        if let (Some(before), Some(after)) = (before, database.grouped_commits()) {
            let commits = i64::try_from(after - before).unwrap();
            assert!(
                (EACH..=WRITERS * EACH / 4).contains(&commits),
                "{commits} durable commits for {} transactions",
                WRITERS * EACH
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_is_seen_by_readers_at_once() {
    on_both(async |database| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let database = database.clone();
                tokio::spawn(async move {
                    for turn in 0..20 {
                        let name = format!("{writer}.{turn}");
                        add_and_commit(database.clone(), name.clone()).await.unwrap();
                        let found: i64 = database
                            .read()
                            .await
                            .unwrap()
                            .sql("select count(*) from names where name = $1")
                            .bind(name)
                            .one()
                            .await
                            .unwrap();
                        assert_eq!(found, 1);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn those_who_come_together_share_one_durable_commit() {
    on_sqlite(async |database| {
        let before = database.grouped_commits().unwrap();
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "first").await.unwrap();
        let others: Vec<_> = (0..10)
            .map(|other| tokio::spawn(add_and_commit(database.clone(), format!("other {other}"))))
            .collect();
        let_others_run().await;
        first.commit().await.unwrap();
        for other in others {
            other.await.unwrap().unwrap();
        }
        assert_eq!(number(&database, COUNT_NAMES).await, 11);
        assert_eq!(database.grouped_commits().unwrap() - before, 1);
    })
    .await;
}

#[tokio::test]
async fn a_group_that_is_full_does_not_wait_for_the_last_in_the_queue() {
    on_sqlite(async |database| {
        let before = database.grouped_commits().unwrap();
        let first = database.write().await.unwrap();
        let others: Vec<_> = (0..200)
            .map(|other| tokio::spawn(add_and_commit(database.clone(), format!("other {other}"))))
            .collect();
        let_others_run().await;
        drop(first);
        for other in others {
            other.await.unwrap().unwrap();
        }
        assert_eq!(number(&database, COUNT_NAMES).await, 200);
        // three of 64 and the rest
        assert_eq!(database.grouped_commits().unwrap() - before, 4);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_blocks_nobody() {
    on_both(async |database| {
        let mut dropped = database.write().await.unwrap();
        add_name(&mut dropped, "dropped").await.unwrap();
        drop(dropped);
        add_and_commit(database.clone(), "kept".to_owned()).await.unwrap();
        let mut abandoned = database.write().await.unwrap();
        add_name(&mut abandoned, "abandoned").await.unwrap();
        abandoned.abandon().await.unwrap();
        // more than the pool has connections
        for _ in 0..40 {
            let mut dropped = database.write().await.unwrap();
            add_name(&mut dropped, "dropped").await.unwrap();
        }
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_dropped_within_a_group_takes_only_itself_back() {
    on_sqlite(async |database| {
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "first").await.unwrap();
        let dropped = {
            let database = database.clone();
            tokio::spawn(async move {
                let mut dropped = database.write().await.unwrap();
                add_name(&mut dropped, "dropped").await.unwrap();
            })
        };
        let last = tokio::spawn(add_and_commit(database.clone(), "last".to_owned()));
        let_others_run().await;
        first.commit().await.unwrap();
        dropped.await.unwrap();
        last.await.unwrap().unwrap();
        let names: Vec<String> = database
            .read()
            .await
            .unwrap()
            .sql("select name from names order by name")
            .all()
            .await
            .unwrap();
        assert_eq!(names, ["first", "last"]);
    })
    .await;
}

#[tokio::test]
async fn cancelled_waiters_leave_no_group_open() {
    on_sqlite(async |database| {
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "first").await.unwrap();
        let waiters: Vec<_> = (0..10)
            .map(|waiter| tokio::spawn(add_and_commit(database.clone(), format!("waiter {waiter}"))))
            .collect();
        let_others_run().await;
        let committing = tokio::spawn(first.commit());
        let_others_run().await;
        for waiter in &waiters {
            waiter.abort();
        }
        committing.await.unwrap().unwrap();
        let mut kept = 1;
        for waiter in waiters {
            if let Ok(outcome) = waiter.await {
                outcome.unwrap();
                kept += 1;
            }
        }
        assert!(number(&database, COUNT_NAMES).await >= kept);
        add_and_commit(database.clone(), "after".to_owned()).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_go_away_at_any_moment_harm_nobody() {
    on_both(async |database| {
        let steady: Vec<_> = (0..4)
            .map(|writer| {
                let database = database.clone();
                tokio::spawn(async move {
                    for turn in 0..50 {
                        add_and_commit(database.clone(), format!("steady {writer}.{turn}"))
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut acknowledged = 0;
        for turn in 0..300_u64 {
            let leaving = add_and_commit(database.clone(), format!("leaving {turn}"));
            let patience = Duration::from_micros(turn * 17 % 3000);
            if let Ok(outcome) = timeout(patience, leaving).await {
                outcome.unwrap();
                acknowledged += 1;
            }
        }
        for writer in steady {
            writer.await.unwrap();
        }
        add_and_commit(database.clone(), "last".to_owned()).await.unwrap();
        assert_eq!(
            number(&database, "select count(*) from names where name like 'steady%'").await,
            200
        );
        let left = number(&database, "select count(*) from names where name like 'leaving%'").await;
        assert!(
            left >= acknowledged,
            "{left} of at least {acknowledged} acknowledged rows"
        );
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_has_begun_survives_its_caller() {
    on_sqlite(async |database| {
        let mut transaction = database.write().await.unwrap();
        add_name(&mut transaction, "kept").await.unwrap();
        let mut committing = Box::pin(transaction.commit());
        tokio::select! {
            biased;
            _ = committing.as_mut() => panic!("a commit does not end at the first step"),
            () = std::future::ready(()) => {}
        }
        drop(committing);
        // whoever comes next sits in the same group or in the next one
        add_and_commit(database.clone(), "after".to_owned()).await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_leaves_the_others_of_its_group() {
    on_sqlite(async |database| {
        let before = database.grouped_commits().unwrap();
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "taken").await.unwrap();
        let failing = tokio::spawn(add_and_commit(database.clone(), "taken".to_owned()));
        let last = tokio::spawn(add_and_commit(database.clone(), "last".to_owned()));
        let_others_run().await;
        first.commit().await.unwrap();
        assert!(matches!(failing.await.unwrap(), Err(Error::Unique { .. })));
        last.await.unwrap().unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 2);
        assert_eq!(database.grouped_commits().unwrap() - before, 1);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_with_a_failed_statement_keeps_nothing() {
    on_both(async |database| {
        add_and_commit(database.clone(), "taken".to_owned()).await.unwrap();
        let mut transaction = database.write().await.unwrap();
        add_name(&mut transaction, "new").await.unwrap();
        assert!(matches!(
            add_name(&mut transaction, "taken").await,
            Err(Error::Unique { .. })
        ));
        assert!(matches!(
            add_name(&mut transaction, "newer").await,
            Err(Error::Other(_))
        ));
        assert!(matches!(transaction.commit().await, Err(Error::Other(_))));
        assert_eq!(number(&database, COUNT_NAMES).await, 1);

        let mut transaction = database.write().await.unwrap();
        assert!(add_name(&mut transaction, "taken").await.is_err());
        transaction.abandon().await.unwrap();
        add_and_commit(database.clone(), "after".to_owned()).await.unwrap();
    })
    .await;
}

/// A deferred constraint is judged at the commit: the nearest thing to a disk that fails there.
#[tokio::test]
async fn a_failed_commit_reaches_every_member_and_the_next_group_succeeds() {
    on_sqlite(async |database| {
        for _ in 0..3 {
            let mut first = database.write().await.unwrap();
            first.sql(BROKEN_PROMISE).changed().await.unwrap();
            let others: Vec<_> = (0..5)
                .map(|other| tokio::spawn(add_and_commit(database.clone(), format!("other {other}"))))
                .collect();
            let_others_run().await;
            assert!(matches!(first.commit().await, Err(Error::Unavailable(_))));
            for other in others {
                assert!(matches!(other.await.unwrap(), Err(Error::Unavailable(_))));
            }
            assert_eq!(number(&database, COUNT_NAMES).await, 0);
        }
        add_and_commit(database.clone(), "after".to_owned()).await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
    })
    .await;
}

/// On a full disk SQLite takes back the whole transaction by itself, the changes of earlier members with it.
#[tokio::test]
async fn a_disk_that_fills_up_within_a_group_acknowledges_nothing_it_lost() {
    on_sqlite(async |database| {
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "first").await.unwrap();
        let filling = {
            let database = database.clone();
            tokio::spawn(async move {
                let mut transaction = database.write().await.unwrap();
                let full: i64 = transaction.sql("pragma max_page_count = 1").one().await.unwrap();
                assert!(full > 1, "the limit is what the file has already");
                let big = "x".repeat(1_000_000);
                assert!(matches!(
                    add_name(&mut transaction, &big).await,
                    Err(Error::Unavailable(_))
                ));
                // by now nothing is open on the connection: a statement would be kept at once
                assert!(add_name(&mut transaction, "stray").await.is_err());
                transaction.commit().await.unwrap_err();
            })
        };
        let last = tokio::spawn(add_and_commit(database.clone(), "last".to_owned()));
        let_others_run().await;
        assert!(matches!(first.commit().await, Err(Error::Unavailable(_))));
        filling.await.unwrap();
        last.await.unwrap().unwrap();
        let names: Vec<String> = database
            .read()
            .await
            .unwrap()
            .sql("select name from names")
            .all()
            .await
            .unwrap();
        assert_eq!(names, ["last"]);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_waits_for_the_group_it_was_read_from() {
    on_sqlite(async |database| {
        let mut first = database.write().await.unwrap();
        first.sql(BROKEN_PROMISE).changed().await.unwrap();
        add_name(&mut first, "taken").await.unwrap();
        let refusing = {
            let database = database.clone();
            tokio::spawn(async move {
                let mut transaction = database.write().await?;
                let seen: i64 = transaction.sql(COUNT_NAMES).one().await?;
                assert_eq!(seen, 1);
                transaction.abandon().await
            })
        };
        let_others_run().await;
        assert!(first.commit().await.is_err());
        assert!(matches!(refusing.await.unwrap(), Err(Error::Unavailable(_))));
    })
    .await;
}

#[tokio::test]
async fn closing_keeps_what_was_committed_and_refuses_what_comes_later() {
    let (folder, database) = sqlite().await;
    database.migrate(TABLES).await.unwrap();
    let writers: Vec<_> = (0..20)
        .map(|writer| tokio::spawn(add_and_commit(database.clone(), format!("{writer}"))))
        .collect();
    let_others_run().await;
    database.close().await;
    let mut kept = 0;
    for writer in writers {
        match writer.await.unwrap() {
            Ok(()) => kept += 1,
            Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error}"),
        }
    }
    assert!(matches!(database.write().await, Err(Error::Unavailable(_))));
    let again = Database::open(&sqlite_url(&folder), Durability::Light).await.unwrap();
    assert_eq!(number(&again, COUNT_NAMES).await, kept);
    again.close().await;
}

#[tokio::test]
async fn two_processes_can_write_the_same_file() {
    let (folder, one) = sqlite().await;
    one.migrate(TABLES).await.unwrap();
    let other = Database::open(&sqlite_url(&folder), Durability::Full).await.unwrap();
    for turn in 0..20 {
        let (left, right) = tokio::join!(
            add_and_commit(one.clone(), format!("one {turn}")),
            add_and_commit(other.clone(), format!("other {turn}")),
        );
        left.unwrap();
        right.unwrap();
    }
    assert_eq!(number(&one, COUNT_NAMES).await, 40);
    one.close().await;
    other.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, database) = sqlite().await;
    database.migrate(TABLES).await.unwrap();
    let mut files = 0;
    for file in folder.path().read_dir().unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log lies beside the file");
    database.close().await;
}

#[derive(Debug, PartialEq)]
struct Kinds {
    id: Uuid,
    number: Option<i64>,
    truth: Option<bool>,
    words: Option<String>,
    bytes: Option<Vec<u8>>,
    other: Option<Uuid>,
}

impl Record for Kinds {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.uuid("id")?,
            number: row.maybe_int("number")?,
            truth: row.maybe_boolean("truth")?,
            words: row.maybe_text("words")?,
            bytes: row.maybe_bytes("bytes")?,
            other: row.maybe_uuid("other")?,
        })
    }
}

/// The same columns, none of them null.
struct Whole(Kinds);

impl Record for Whole {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self(Kinds {
            id: row.uuid("id")?,
            number: Some(row.int("number")?),
            truth: Some(row.boolean("truth")?),
            words: Some(row.text("words")?),
            bytes: Some(row.bytes("bytes")?),
            other: Some(row.uuid("other")?),
        }))
    }
}

const ADD_KINDS: &str = "
insert into kinds (id, number, truth, words, bytes, other) values ($1, $2, $3, $4, $5, $6)
returning id, number, truth, words, bytes, other";
const FIND_KINDS: &str = "
select id, number, truth, words, bytes, other
from kinds
where id = $1 and (truth = $2 or $2 is null)";

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went_in() {
    on_both(async |database| {
        let full = |truth, number, words: &str, bytes: Vec<u8>| Kinds {
            id: Uuid::from_bytes(random::bytes()),
            number: Some(number),
            truth: Some(truth),
            words: Some(words.to_owned()),
            bytes: Some(bytes),
            other: Some(Uuid::from_bytes(random::bytes())),
        };
        let empty = Kinds {
            id: Uuid::from_bytes(random::bytes()),
            number: None,
            truth: None,
            words: None,
            bytes: None,
            other: None,
        };
        let all = [
            full(true, i64::MAX, "Zoë \u{1F511} {\"a\": 1}", (0..=255).collect()),
            full(false, i64::MIN, "", Vec::new()),
            empty,
        ];
        for kinds in &all {
            let mut transaction = database.write().await.unwrap();
            let returned: Kinds = transaction
                .sql(ADD_KINDS)
                .bind(kinds.id)
                .bind(kinds.number)
                .bind(kinds.truth)
                .bind(kinds.words.as_deref())
                .bind(kinds.bytes.clone())
                .bind(kinds.other)
                .one()
                .await
                .unwrap();
            assert_eq!(&returned, kinds);
            transaction.commit().await.unwrap();

            let mut connection = database.read().await.unwrap();
            let find = connection.sql(FIND_KINDS).bind(kinds.id).bind(kinds.truth);
            assert_eq!(&find.one::<Kinds>().await.unwrap(), kinds);
            let whole = connection.sql(FIND_KINDS).bind(kinds.id).bind(None::<bool>);
            match whole.one::<Whole>().await {
                Ok(Whole(whole)) => assert_eq!(&whole, kinds),
                Err(error) => {
                    assert!(kinds.number.is_none());
                    assert!(matches!(error, Error::Column { name: "number", .. }), "{error}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_column_is_read_as_what_it_is() {
    on_both(async |database| {
        let mut connection = database.read().await.unwrap();
        assert_eq!(connection.sql("select 7").one::<i64>().await.unwrap(), 7);
        assert_eq!(
            connection
                .sql("select count(*) from names")
                .one::<(i64,)>()
                .await
                .unwrap(),
            (0,)
        );
        let text: String = connection.sql("select $1").bind("words").one().await.unwrap();
        assert_eq!(text, "words");
        let nothing = connection
            .sql("select value from counters where name = $1")
            .bind("none");
        assert_eq!(nothing.optional::<i64>().await.unwrap(), None);
        let nothing = connection
            .sql("select value from counters where name = $1")
            .bind("none");
        assert!(matches!(nothing.one::<i64>().await, Err(Error::Missing)));
        let built = format!("select value from counters where name in ({})", "$1, $2");
        let found: Vec<i64> = connection
            .sql_built(built)
            .bind("shared")
            .bind("none")
            .all()
            .await
            .unwrap();
        assert_eq!(found, [0]);
        let wrong = connection.sql("select name from counters").one::<Kinds>().await;
        assert!(matches!(wrong, Err(Error::Column { name: "id", .. })));
        assert!(matches!(
            connection.sql("select nothing from nowhere").one::<i64>().await,
            Err(Error::Other(_))
        ));
        // a reader goes on after a failed statement
        assert_eq!(connection.sql("select 8").one::<i64>().await.unwrap(), 8);
    })
    .await;
}

#[test]
fn values_print_their_kind_alone() {
    assert_eq!(format!("{:?}", Value::from("ada@example.org")), "Text(..)");
    assert_eq!(format!("{:?}", Value::from([7_u8; 32])), "Bytes(..)");
    assert_eq!(format!("{:?}", Value::from(Some(7_u32))), "Int(..)");
}

#[tokio::test]
async fn unique_constraints_have_one_name_on_both_engines() {
    on_both(async |database| {
        let mut transaction = database.write().await.unwrap();
        let ada = transaction.sql(ADD_NAME).bind("ada").bind("ada@example.org");
        ada.changed().await.unwrap();
        transaction.commit().await.unwrap();

        let mut transaction = database.write().await.unwrap();
        let again = transaction.sql(ADD_NAME).bind("eda").bind("ada@example.org").changed();
        let refused = again.await.unwrap_err();
        assert!(!format!("{refused:?}").contains("ada@example.org"), "{refused:?}");
        match refused {
            Error::Unique { constraint } => assert_eq!(constraint, "names_email"),
            other => panic!("{other}"),
        }
        drop(transaction);

        let mut transaction = database.write().await.unwrap();
        match add_name(&mut transaction, "ada").await {
            Err(Error::Unique { constraint }) => assert_eq!(constraint, "names_tenant_name"),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

/// SQLite judges a foreign key after the last row of `returning`, so a statement must not be left at its first.
#[tokio::test]
async fn a_foreign_key_is_refused_whichever_answer_is_asked_for() {
    on_both(async |database| {
        const ADD: &str = "insert into things (id, owner) values (1, 404)";
        const ADD_RETURNING: &str = "insert into things (id, owner) values (1, 404) returning id";
        let mut transaction = database.write().await.unwrap();
        assert!(matches!(transaction.sql(ADD).changed().await, Err(Error::ForeignKey)));
        drop(transaction);
        let mut transaction = database.write().await.unwrap();
        let answer = transaction.sql(ADD_RETURNING).optional::<i64>().await;
        assert!(matches!(answer, Err(Error::ForeignKey)), "{answer:?}");
        drop(transaction);
        assert_eq!(number(&database, "select count(*) from things").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_deadlock_of_postgres_is_contention() {
    let Some(url) = postgres_url().await else { return };
    let database = Database::open(&url, Durability::Full).await.unwrap();
    database.migrate(TABLES).await.unwrap();
    const LOCK: &str = "update owners set id = id where id = $1";
    let mut first = database.write().await.unwrap();
    first
        .sql("insert into owners (id) values (1), (2)")
        .changed()
        .await
        .unwrap();
    first.commit().await.unwrap();
    let mut one = database.write().await.unwrap();
    let mut two = database.write().await.unwrap();
    one.sql(LOCK).bind(1_i64).changed().await.unwrap();
    two.sql(LOCK).bind(2_i64).changed().await.unwrap();
    let crossed = async {
        let outcome = one.sql(LOCK).bind(2_i64).changed().await;
        drop(one);
        outcome
    };
    let crossing = async {
        let outcome = two.sql(LOCK).bind(1_i64).changed().await;
        drop(two);
        outcome
    };
    let (left, right) = timeout(HANGS, async { tokio::join!(crossed, crossing) }).await.unwrap();
    assert!(matches!(
        (left, right),
        (Ok(1), Err(Error::Contention)) | (Err(Error::Contention), Ok(1))
    ));
    database.close().await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_ends_as_unavailable() {
    let Some(url) = postgres_url().await else { return };
    let database = Database::open(&url, Durability::Full).await.unwrap();
    let mut connection = database.read().await.unwrap();
    let slow = connection.sql("select count(*) from pg_sleep(30)").one::<i64>();
    assert!(matches!(slow.await, Err(Error::Unavailable(_))));
    drop(connection);
    assert_eq!(number(&database, "select 1").await, 1);
    database.close().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable() {
    let nobody = "postgres://nobody@127.0.0.1:9/nothing";
    assert!(matches!(
        Database::open(nobody, Durability::Full).await.err(),
        Some(Error::Unavailable(_))
    ));
    assert!(matches!(
        Database::open("sqlite:/nowhere/at/all.db", Durability::Full)
            .await
            .err(),
        Some(Error::Unavailable(_))
    ));
    for wrong in ["mysql://somewhere", "sqlite::memory:", "sqlite:x?mode=memory"] {
        assert!(matches!(
            Database::open(wrong, Durability::Full).await.err(),
            Some(Error::Other(_))
        ));
    }
}

/// Opens the same store three times at once, as three processes would, and migrates.
async fn three_start_at_once(url: &str) {
    let starting: Vec<_> = (0..3)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let database = Database::open(&url, Durability::Full).await?;
                let applied = database.migrate(TABLES).await?;
                database.close().await;
                Ok::<_, Error>(applied)
            })
        })
        .collect();
    let mut applied = Vec::new();
    for one in starting {
        applied.extend(one.await.unwrap().unwrap());
    }
    applied.sort_unstable();
    assert_eq!(applied, ["0001_tables", "0002_values"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn migrations_are_applied_once_when_three_start_at_once() {
    for _ in 0..5 {
        let folder = TempDir::new().unwrap();
        timeout(HANGS, three_start_at_once(&sqlite_url(&folder))).await.unwrap();
    }
    let Some(url) = postgres_url().await else { return };
    timeout(HANGS, three_start_at_once(&url)).await.unwrap();
}

const CHANGED: &[Migration] = &[
    Migration {
        name: "0001_tables",
        sqlite: "create table other (id integer) strict",
        postgres: "create table other (id bigint)",
    },
    Migration {
        name: "0002_values",
        sqlite: "",
        postgres: "",
    },
];

const BROKEN: &[Migration] = &[Migration {
    name: "0001_broken",
    sqlite: "create table half (id integer) strict; create table half (id integer) strict",
    postgres: "create table half (id bigint); create table half (id bigint)",
}];

#[tokio::test]
async fn a_changed_migration_is_refused() {
    on_both(async |database| {
        assert!(database.pending(TABLES).await.unwrap().is_empty());
        assert!(database.migrate(TABLES).await.unwrap().is_empty());
        for refused in [
            database.pending(CHANGED).await.map(|_| ()),
            database.migrate(CHANGED).await.map(|_| ()),
        ] {
            match refused {
                Err(Error::Migration { name, fault }) => {
                    assert_eq!(name, "0001_tables");
                    assert!(matches!(fault, MigrationFault::Changed));
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_newer_than_the_program_is_refused() {
    on_both(async |database| {
        let older = TABLES.split_last().unwrap().1;
        match database.migrate(older).await {
            Err(Error::Migration { name, fault }) => {
                assert_eq!(name, "0002_values");
                assert!(matches!(fault, MigrationFault::Unknown));
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_broken_migration_on(database: Database) {
    assert_eq!(database.pending(BROKEN).await.unwrap(), ["0001_broken"]);
    match database.migrate(BROKEN).await {
        Err(Error::Migration { name, fault }) => {
            assert_eq!(name, "0001_broken");
            assert!(matches!(fault, MigrationFault::Failed(_)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(database.pending(BROKEN).await.unwrap(), ["0001_broken"]);
    // not even its first table is left
    assert_eq!(database.migrate(TABLES).await.unwrap(), ["0001_tables", "0002_values"]);
    let exists = match database.engine() {
        Engine::Sqlite => "select count(*) from sqlite_schema where name = 'half'",
        Engine::Postgres => "select count(to_regclass('half'))",
    };
    assert_eq!(number(&database, exists).await, 0);
    database.close().await;
}

#[tokio::test]
async fn a_broken_migration_leaves_nothing_of_itself() {
    let (_folder, database) = sqlite().await;
    a_broken_migration_on(database).await;
    let Some(url) = postgres_url().await else { return };
    let database = Database::open(&url, Durability::Full).await.unwrap();
    a_broken_migration_on(database).await;
}
