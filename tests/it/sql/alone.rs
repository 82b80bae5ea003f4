//! A transaction of very many statements: it shares its commit with nobody, and its statements have time.

use std::time::Duration;

use tokio::time::timeout;

use super::{COUNT_NAMES, add_and_commit, add_name, let_others_run, number, on_both, on_sqlite};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn whoever_has_committed_does_not_wait_for_one_that_is_alone() {
    on_sqlite(async |database| {
        let mut first = database.write().await.unwrap();
        add_name(&mut first, "first").await.unwrap();
        let member = tokio::spawn(add_and_commit(database.clone(), "member".to_owned()));
        let_others_run().await;
        let opens = database.clone();
        let alone = tokio::spawn(async move { opens.write_alone().await.unwrap() });
        let_others_run().await;
        // the next two in the queue would join its group
        let committed = async {
            first.commit().await.unwrap();
            member.await.unwrap().unwrap();
        };
        timeout(SOON, committed).await.unwrap();
        let mut alone = alone.await.unwrap();
        add_name(&mut alone, "alone").await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 2);
        let before = database.grouped_commits().unwrap();
        let last = tokio::spawn(add_and_commit(database.clone(), "last".to_owned()));
        let_others_run().await;
        alone.commit().await.unwrap();
        last.await.unwrap().unwrap();
        assert_eq!(database.grouped_commits().unwrap() - before, 2);
        assert_eq!(number(&database, COUNT_NAMES).await, 4);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_alone_and_dropped_never_was() {
    on_both(async |database| {
        let mut alone = database.write_alone().await.unwrap();
        add_name(&mut alone, "one").await.unwrap();
        add_name(&mut alone, "two").await.unwrap();
        drop(alone);
        add_and_commit(database.clone(), "one".to_owned()).await.unwrap();
        assert_eq!(number(&database, COUNT_NAMES).await, 1);
    })
    .await;
}

#[tokio::test]
async fn its_statements_may_take_longer_than_others() {
    on_both(async |database| {
        if database.engine() == ostiary::sql::Engine::Sqlite {
            return;
        }
        let mut alone = database.write_alone().await.unwrap();
        let slept: i64 = alone.sql("select count(*) from pg_sleep(2)").one().await.unwrap();
        assert_eq!(slept, 1);
        alone.commit().await.unwrap();
        // and the next on the same connection no longer may
        for _ in 0..3 {
            let mut usual = database.write().await.unwrap();
            let limit: String = usual
                .sql("select current_setting('statement_timeout')")
                .one()
                .await
                .unwrap();
            assert_eq!(limit, "1600ms");
        }
    })
    .await;
}
