//! Group commit: durable rotations of refresh tokens a second with 1, 8 and 64 clients, against the same rotations one after
//! another, each with a commit of its own. On SQLite, and on Postgres if `OSTIARY_TEST_POSTGRES_URL` names one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ostiary::clock::Clock;
use ostiary::model::{Digest, Timestamp};
use ostiary::random;
use ostiary::sql::{Database, Durability, Migration};
use tokio::sync::Mutex;

const FOR: Duration = Duration::from_secs(3);

/// The tables of a rotation, as far as its commit is concerned.
const TABLES: &[Migration] = &[Migration {
    name: "0001_rotations",
    sqlite: "create table tokens (digest blob primary key, spent_at integer) strict;
        create table noted (id blob primary key, at integer not null, facts text not null) strict;",
    postgres: "create table tokens (digest bytea primary key, spent_at bigint);
        create table noted (id bytea primary key, at bigint not null, facts text not null);",
}];

pub async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("commits.db").display());
    on("SQLite", &url).await;
    if let Ok(server) = std::env::var("OSTIARY_TEST_POSTGRES_URL") {
        let schema = format!("bench_{}", random::hex_id());
        let database = Database::open(&server, Durability::Full)
            .await
            .expect("the server answers");
        let mut tx = database.write().await.expect("a transaction");
        tx.sql_built(format!("create schema {schema}"))
            .changed()
            .await
            .expect("a schema");
        tx.commit().await.expect("a commit");
        on("Postgres", &format!("{server}?options=-csearch_path%3D{schema}")).await;
        let mut tx = database.write().await.expect("a transaction");
        tx.sql_built(format!("drop schema {schema} cascade"))
            .changed()
            .await
            .expect("no schema");
        tx.commit().await.expect("a commit");
    }
}

async fn on(engine: &str, url: &str) {
    let database = Database::open(url, Durability::Full).await.expect("the database opens");
    database.migrate(TABLES).await.expect("the tables are made");
    for clients in [1, 8, 64] {
        let together = rotations(&database, clients, None).await;
        let alone = rotations(&database, clients, Some(Arc::new(Mutex::new(())))).await;
        println!(
            "durable rotations, {engine}, {clients:>2} clients: {together:>7.0}/s together, {alone:>7.0}/s one by one ({:.1} x)",
            together / alone.max(1.0)
        );
    }
    database.close().await;
}

/// Rotations a second of so many clients. With a lock each holds it until its commit has answered.
async fn rotations(database: &Database, clients: usize, one_by_one: Option<Arc<Mutex<()>>>) -> f64 {
    let end = Instant::now() + FOR;
    let running: Vec<_> = (0..clients)
        .map(|_| {
            let (database, one_by_one) = (database.clone(), one_by_one.clone());
            tokio::spawn(async move {
                let mut token = first(&database).await;
                let mut done = 0u32;
                while Instant::now() < end {
                    let _alone = match &one_by_one {
                        Some(lock) => Some(lock.lock().await),
                        None => None,
                    };
                    token = rotate(&database, &token).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for one in running {
        done += one.await.expect("a client runs to its end");
    }
    f64::from(done) / FOR.as_secs_f64()
}

const ADD: &str = "insert into tokens (digest) values ($1)";
const SPEND: &str = "update tokens set spent_at = $2 where digest = $1 and spent_at is null";
const NOTE: &str = "insert into noted (id, at, facts) values ($1, $2, $3)";

async fn first(database: &Database) -> Digest {
    let token = Digest::of(random::token().as_bytes());
    let mut tx = database.write().await.expect("a transaction");
    tx.sql(ADD).bind(token.as_bytes()).later();
    tx.commit().await.expect("a commit");
    token
}

/// What `flow/token/refresh_token.rs` writes.
async fn rotate(database: &Database, token: &Digest) -> Digest {
    let now = Timestamp::from_micros(Clock::default().micros());
    let next = Digest::of(random::token().as_bytes());
    let mut tx = database.write().await.expect("a transaction");
    tx.sql(SPEND)
        .bind(token.as_bytes())
        .bind(now.micros())
        .must_change_later();
    tx.sql(ADD).bind(next.as_bytes()).later();
    let id: [u8; 32] = random::bytes();
    tx.sql(NOTE)
        .bind(id)
        .bind(now.micros())
        .bind("{\"grant\":\"0198c9a0-0000-7000-8000-000000000000\"}")
        .later();
    tx.commit().await.expect("a commit");
    next
}
