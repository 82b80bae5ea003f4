//! Statements that wait for the next one or for the commit: alone they go in one go with it, among others they do not, and
//! nobody can tell the difference.

use std::sync::Arc;

use futures_util::future::join_all;
use ostiary::sql::{Database, Error, Transaction};

use super::{ADD_NAME, COUNT_NAMES, COUNTER, RAISE, add_name, let_others_run, number, on_both, on_sqlite};

/// Changes nothing: nobody has such a counter.
const RAISE_NOBODYS: &str = "update counters set value = value + 1 where name = $1";
/// Names a value twice, and its values out of order.
const MOVE: &str = "update names set tenant = $2, name = $1 where name = $1";

fn add_later(transaction: &mut Transaction, name: &str) {
    transaction.sql(ADD_NAME).bind(name).bind(None::<String>).later();
}

#[tokio::test]
async fn what_waits_is_there_when_the_commit_answers() {
    on_both(async |database| {
        let mut alone = database.write().await.unwrap();
        add_later(&mut alone, "one");
        alone.sql(RAISE).must_change_later();
        alone.sql(MOVE).bind("one").bind("other").later();
        alone.commit().await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
        assert_eq!(number(&database, COUNTER).await, 1);
        let moved = "select count(*) from names where tenant = 'other' and name = 'one'";
        assert_eq!(number(&database, moved).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_alone_is_one_commit() {
    on_sqlite(async |database| {
        let before = database.grouped_commits().unwrap();
        for name in ["one", "two", "three"] {
            let mut alone = database.write().await.unwrap();
            add_later(&mut alone, name);
            alone.commit().await.unwrap();
        }
        assert_eq!(database.grouped_commits().unwrap(), before + 3);
        drop(database.write().await.unwrap());
        database.write().await.unwrap().commit().await.unwrap();
        let_others_run().await;
        assert_eq!(
            database.grouped_commits().unwrap(),
            before + 3,
            "who does nothing commits nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn what_had_to_change_something_and_did_not_takes_everything_back() {
    on_both(async |database| {
        let mut guarded = database.write().await.unwrap();
        add_later(&mut guarded, "before");
        guarded.sql(RAISE_NOBODYS).bind("nobodys").must_change_later();
        add_later(&mut guarded, "after");
        assert!(matches!(guarded.commit().await, Err(Error::Missing)));
        let mut asked = database.write().await.unwrap();
        asked.sql(RAISE_NOBODYS).bind("nobodys").must_change_later();
        assert!(matches!(add_name(&mut asked, "asked").await, Err(Error::Missing)));
        drop(asked);
        assert_eq!(number(&database, COUNT_NAMES).await, 0);
        let mut next = database.write().await.unwrap();
        add_later(&mut next, "next");
        next.commit().await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_statement_that_fails_keeps_nothing() {
    on_both(async |database| {
        add_later_and_commit(&database, "twice").await.unwrap();
        let mut failing = database.write().await.unwrap();
        failing.sql(RAISE).later();
        add_later(&mut failing, "twice");
        add_later(&mut failing, "after");
        assert!(matches!(failing.commit().await, Err(Error::Unique { .. })));
        assert_eq!(number(&database, COUNTER).await, 0);
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
        add_later_and_commit(&database, "next").await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 2);
    })
    .await;
}

#[tokio::test]
async fn the_last_statement_gives_its_rows_with_the_commit() {
    const ADD: &str = "insert into owners (id) values ($1), ($2) returning id";
    on_both(async |database| {
        let mut transaction = database.write().await.unwrap();
        add_later(&mut transaction, "before");
        let mut ids: Vec<i64> = transaction.last(ADD).bind(7_i64).bind(8_i64).all().await.unwrap();
        ids.sort_unstable();
        assert_eq!(ids, [7, 8]);
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
        assert_eq!(number(&database, "select count(*) from owners").await, 2);
        let mut guarded = database.write().await.unwrap();
        guarded.sql(RAISE_NOBODYS).bind("nobodys").must_change_later();
        let refused = guarded.last(ADD).bind(9_i64).bind(10_i64).all::<i64>().await;
        assert!(matches!(refused, Err(Error::Missing)));
        assert_eq!(number(&database, "select count(*) from owners").await, 2);
    })
    .await;
}

/// Of many at once, each stands or falls by itself.
#[tokio::test]
async fn those_who_come_together_are_judged_one_by_one() {
    on_both(async |database| {
        let database = Arc::new(database);
        let write = async |number: usize| {
            let mut transaction = database.write().await?;
            add_later(&mut transaction, &format!("name {number}"));
            let whose = if number.is_multiple_of(3) { "nobodys" } else { "shared" };
            transaction.sql(RAISE_NOBODYS).bind(whose).must_change_later();
            transaction.commit().await
        };
        let outcomes = join_all((0..48).map(&write)).await;
        for (number, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(()) => assert!(!number.is_multiple_of(3)),
                Err(Error::Missing) => assert!(number.is_multiple_of(3)),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(number(&database, COUNT_NAMES).await, 32);
        assert_eq!(number(&database, COUNTER).await, 32);
    })
    .await;
}

async fn add_later_and_commit(database: &Database, name: &str) -> Result<(), Error> {
    let mut transaction = database.write().await?;
    add_later(&mut transaction, name);
    transaction.commit().await
}
