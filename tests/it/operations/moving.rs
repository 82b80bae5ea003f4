//! `migrate --to`: the embedded store moves into an empty Postgres, whole or not at all, and people notice nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ostiary::config::Config;
use ostiary::model::{Secret, SubjectType};
use ostiary::sql::{Database, Durability};
use ostiary::store::Store;
use serde_json::{Value, json};

use crate::support::backend::{Backend, Place, quick};
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, configuration};

/// An empty Postgres database of the test's own, and its address.
async fn target(folder: &std::path::Path) -> (Place, Secret) {
    let mut config: Config = configuration(folder);
    let place = Place::make(Backend::PostgresRedis, &mut config).await;
    (place, config.database_url)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_applications_notice_nothing_of_the_move() {
    if quick() {
        return;
    }
    let server = Server::start().await;
    let terminal = Terminal::at(server.folder());
    let (place, url) = target(server.folder()).await;
    let ada = server.user("ada").await;
    let group = server.group("administrators", &["admin"], &[&ada]).await;
    server.settings(json!({ "session.idle_timeout": "25m" })).await;
    let plain = server.client(|_| ()).await;
    let pairwise = server
        .client(|client| client.metadata.subject_type = SubjectType::Pairwise)
        .await;
    let browser = Browser::new();
    let mut before = Vec::new();
    for client in [&plain, &pairwise] {
        let party = RelyingParty::new(&server, client);
        let arrival = party.sign_in(&browser, &ada).await;
        before.push(party.redeem(arrival.code()).await.ok());
    }
    let keys = browser.get(&server.url("/oauth2/jwks")).await.json();
    let spent = RelyingParty::new(&server, &plain);
    let fresh = spent.refresh(&before[0].get("refresh_token")).await.ok();
    let subject = |answer: &crate::support::relying_party::Answer| claims(&answer.get("id_token"))["sub"].clone();

    let refused = terminal.run(&["migrate", "--to", url.expose()]).await.refused();
    assert!(refused.contains("another process uses"), "{refused}");
    let mut told = Value::Null;
    let server = server
        .restart_after(async |config| {
            let outlook = ["migrate", "--to", url.expose(), "--check", "--json"];
            assert_eq!(terminal.run(&outlook).await.json()["done"], false);
            told = terminal.run(&["migrate", "--to", url.expose(), "--json"]).await.json();
            config.database_url = url.clone();
        })
        .await;
    let rows = |name: &str| {
        let tables = told["tables"].as_array().unwrap();
        let table = tables.iter().find(|table| table["table"] == name).unwrap();
        (table["rows"].as_u64().unwrap(), table["digest"].as_str().unwrap().len())
    };
    assert_eq!(rows("users"), (1, 64));
    assert_eq!(rows("clients"), (2, 64));
    assert!(rows("events").0 > 5);
    assert_eq!(told["was_there"], false);

    assert_eq!(browser.get(&server.url("/oauth2/jwks")).await.json(), keys);
    let settings = server.provider().settings().await.unwrap();
    assert_eq!(
        settings.duration(ostiary::model::setting::SESSION_IDLE_TIMEOUT),
        Duration::from_secs(25 * 60)
    );
    let mut store = server.provider().store.read().await.unwrap();
    assert_eq!(store.list_permissions_of(ada.id).await.unwrap(), ["admin"]);
    assert!(store.find_group(group).await.unwrap().is_some());
    drop(store);
    for (client, (tokens, answer)) in [&plain, &pairwise]
        .into_iter()
        .zip(before.iter().map(|answer| (answer, answer)))
    {
        let party = RelyingParty::new(&server, client);
        // the session lives on, and consent was given: nothing is asked
        let silent = browser.open(&party.authorization_url_with(&[("prompt", "none")])).await;
        assert!(silent.location().unwrap().query_pairs().any(|(name, _)| name == "code"));
        let again = party.tokens(&ada).await;
        assert_eq!(subject(&again), subject(answer));
        if client.client_id == plain.client_id {
            // the one that was used may be repeated within its window, and gives the very same successor
            let repeated = party.refresh(&tokens.get("refresh_token")).await.ok();
            assert_eq!(repeated.get("refresh_token"), fresh.get("refresh_token"));
            party.refresh(&fresh.get("refresh_token")).await.ok();
        } else {
            party.refresh(&tokens.get("refresh_token")).await.ok();
        }
    }

    // the old file is kept and not opened by accident
    for words in [
        &["users", "list"][..],
        &["serve"],
        &["migrate", "--check"],
        &["migrate", "--to", url.expose()],
    ] {
        let refused = terminal.run(words).await.refused();
        assert!(refused.contains("this store was moved to postgres://"), "{refused}");
        assert!(refused.contains("OSTIARY_DATABASE_URL"), "{refused}");
    }
    server.stop().await;
    place.remove().await;
}

/// SEC-588: an address with a password is taken from a file, never from the command line.
#[tokio::test(flavor = "multi_thread")]
async fn the_targets_password_does_not_stand_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["users", "create", "ada"]).await.ok();
    for url in [
        "postgres://ostiary:hunter2hunter2@127.0.0.1:1/x",
        "postgres://127.0.0.1:1/x?password=hunter2hunter2",
    ] {
        let ran = terminal.run(&["migrate", "--to", url]).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("--to-file") && !ran.err.contains("hunter2"), "{ran:?}");
        let ran = terminal.run_with(&["migrate", "--to-file", "-"], url).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.err.contains("hunter2"), "{ran:?}");
    }
    for url in ["sqlite:elsewhere.db", "mysql://127.0.0.1/x", "nonsense"] {
        let refused = terminal.run(&["migrate", "--to", url]).await.refused();
        assert!(refused.contains("from SQLite to Postgres"), "{refused}");
    }
    // none of it touched the store
    terminal.run(&["users", "show", "ada"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_rows_is_refused_by_the_table_that_has_them() {
    if quick() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let (place, url) = target(folder.path()).await;
    terminal.run(&["users", "create", "ada"]).await.ok();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let other = Terminal::at(&elsewhere).with("OSTIARY_DATABASE_URL", url.expose());
    other.run(&["migrate"]).await.ok();
    other.run(&["users", "create", "somebody"]).await.ok();
    for words in [
        &["migrate", "--to", url.expose(), "--check"][..],
        &["migrate", "--to", url.expose()],
    ] {
        let refused = terminal.run(words).await.refused();
        assert!(refused.contains("the target is not empty: its table"), "{refused}");
    }
    terminal.run(&["users", "show", "ada"]).await.ok();
    other.run(&["users", "show", "somebody"]).await.ok();
    place.remove().await;
}

/// What is in the table of users: how many, on a store of either engine.
async fn users(url: &str) -> i64 {
    let database = Database::open(url, Durability::Full).await.unwrap();
    let mut connection = database.read().await.unwrap();
    let there: i64 = connection
        .sql("select count(to_regclass('users'))")
        .one()
        .await
        .unwrap();
    let users = match there {
        0 => 0,
        _ => connection.sql("select count(*) from users").one().await.unwrap(),
    };
    drop(connection);
    database.close().await;
    users
}

const MANY: i64 = 20_000;

/// Many people, made by the database itself.
async fn fill(folder: &std::path::Path) {
    let url = format!("sqlite:{}", folder.join("data/ostiary.db").display());
    let database = Database::open(&url, Durability::Full).await.unwrap();
    let mut tx = database.write().await.unwrap();
    tx.sql(
        "insert into users (id, subject, username, username_key, status, profile, applied, version, created_at, updated_at)
        with recursive n (i) as (select 1 union all select i + 1 from n where i < $1)
        select randomblob(16), 's' || i, 'user ' || i || ' é', 'user ' || i, 'active', '{}', 0, 1, i, i from n",
    )
    .bind(MANY)
    .changed()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_move_leaves_the_target_empty_or_complete() {
    if quick() {
        return;
    }
    const KILLS: u32 = 6;
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let (place, url) = target(folder.path()).await;
    terminal.run(&["users", "create", "ada"]).await.ok();
    fill(folder.path()).await;
    let whole = Duration::from_secs(6);
    let mut complete = false;
    for round in 0..KILLS {
        let mut child = terminal
            .command(&["migrate", "--to", url.expose()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let time = whole * round / KILLS + Duration::from_millis(150);
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            while began.elapsed() < time && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            drop(child.kill());
            child.wait().unwrap();
        })
        .await
        .unwrap();
        let there = users(url.expose()).await;
        assert!(there == 0 || there == MANY + 1, "half a move: {there}");
        complete = there > 0;
        if complete {
            break;
        }
        // the old store serves as before
        terminal.run(&["users", "show", "ada"]).await.ok();
    }
    if !complete {
        terminal.run(&["migrate", "--to", url.expose()]).await.ok();
    }
    assert_eq!(users(url.expose()).await, MANY + 1);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_cut_off_before_its_mark_is_recognised_as_complete() {
    if quick() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let (place, url) = target(folder.path()).await;
    terminal.run(&["users", "create", "ada"]).await.ok();
    terminal.run(&["migrate", "--to", url.expose()]).await.ok();
    // as if the process had died between the commit there and the mark here
    let file = format!("sqlite:{}", folder.path().join("data/ostiary.db").display());
    let database = Database::open(&file, Durability::Full).await.unwrap();
    let mut tx = database.write().await.unwrap();
    assert_eq!(
        tx.sql("delete from schema_migrations where name = 'moved'")
            .changed()
            .await
            .unwrap(),
        1
    );
    tx.commit().await.unwrap();
    database.close().await;
    let told = terminal.run(&["migrate", "--to", url.expose(), "--json"]).await.json();
    assert_eq!(told["was_there"], true);
    let refused = terminal.run(&["users", "list"]).await.refused();
    assert!(refused.contains("was moved"), "{refused}");
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_the_schema_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("ostiary.db").display());
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(
        store.unmovable_tables().await.unwrap(),
        Vec::<String>::new(),
        "a migration adds or removes a table: put it into the list of store/moving.rs, after those it refers to"
    );
    store.close().await;
}
