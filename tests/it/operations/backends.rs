//! The way to database and Redis: who is at the other end is checked, and the accounts there may do no more than is needed.

use std::process::Stdio;

use ostiary::clock::Clock;
use ostiary::config::{Config, File};
use ostiary::ephemeral::RedisConnection;
use ostiary::model::{Secret, Timestamp};
use ostiary::random;
use ostiary::server::{Application, Error, Options};
use ostiary::sql::{Database, Durability};
use ostiary::store::Store;

use crate::ephemeral::redis_server;
use crate::oauth::scene::Scene;
use crate::support::backend::{furnish, quick};
use crate::support::browser::Browser;
use crate::support::certificates::Certificates;
use crate::support::own_postgres::{OwnPostgres, PASSWORD};
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server, configuration};
use crate::support::sources::documented;

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    Config::read(None::<File>, variables.to_vec()).map_err(|problems| problems.to_string())
}

/// SEC-564: beyond this machine nothing is spoken to in clear or unchecked, unless the operator names the host.
#[test]
fn backends_beyond_this_machine_are_reached_by_checked_tls() {
    let database =
        |url: &str| read(&[("OSTIARY_DATABASE_URL", url)]).map(|config| config.database_url.expose().to_owned());
    let away = "postgres://ostiary:tiefes-wasser@db.example.com/ostiary";
    assert_eq!(database(away).unwrap(), format!("{away}?sslmode=verify-full"));
    let with_ca = format!("{away}?sslrootcert=/etc/ca.pem");
    assert_eq!(database(&with_ca).unwrap(), format!("{with_ca}&sslmode=verify-full"));
    for stated in ["verify-full", "verify-ca"] {
        let url = format!("{away}?sslmode={stated}");
        assert_eq!(database(&url).unwrap(), url);
    }
    for weak in ["disable", "allow", "prefer", "require"] {
        let refused = database(&format!("{away}?sslmode={weak}")).unwrap_err();
        assert!(
            refused.starts_with("OSTIARY_DATABASE_URL ") && refused.contains("sslmode=verify-full"),
            "{refused}"
        );
        assert!(!refused.contains("wasser"), "{refused}");
    }
    for here in [
        "postgres://ostiary@localhost/ostiary",
        "postgres://ostiary@127.0.0.1:5432/ostiary?sslmode=disable",
        "postgres://ostiary@[::1]/ostiary",
        "postgres://ostiary@%2Fvar%2Frun%2Fpostgresql/ostiary",
        "postgres:///ostiary?host=/var/run/postgresql",
    ] {
        assert_eq!(database(here).unwrap(), here);
    }
    assert!(
        database("postgres://ostiary@localhost/ostiary?host=db.example.com")
            .unwrap()
            .ends_with("verify-full")
    );
    let redis = |url: &str| read(&[("OSTIARY_REDIS_URL", url)]).map(|_| ());
    for good in [
        "redis://localhost",
        "redis://127.0.0.1:6379/1",
        "redis://:tiefes-wasser@[::1]:6379",
        "rediss://cache.example.com",
        "redis+sentinel://localhost,127.0.0.1:26380/main",
        "rediss+sentinel://one.example.com,two.example.com/main",
        "rediss+cluster://one.example.com",
    ] {
        redis(good).unwrap();
    }
    for bad in [
        "redis://cache.example.com",
        "redis://:tiefes-wasser@10.0.0.5:6379",
        "redis+sentinel://localhost,two.example.com/main",
        "redis+cluster://one.example.com:7000",
    ] {
        let refused = redis(bad).unwrap_err();
        assert!(
            refused.starts_with("OSTIARY_REDIS_URL ") && refused.contains("rediss://"),
            "{refused}"
        );
    }
    assert!(
        redis("rediss://cache.example.com/#insecure")
            .unwrap_err()
            .contains("#insecure")
    );
    // the way out names the hosts
    let open = [
        ("OSTIARY_DATABASE_URL", "postgres://ostiary@postgres/ostiary"),
        ("OSTIARY_REDIS_URL", "redis://redis:6379"),
        ("OSTIARY_UNENCRYPTED_BACKENDS", "postgres,redis"),
    ];
    assert_eq!(read(&open).unwrap().database_url.expose(), open[0].1);
    assert!(read(&[("OSTIARY_UNENCRYPTED_BACKENDS", "redis:6379")]).is_err());
    assert!(read(&[("OSTIARY_UNENCRYPTED_BACKENDS", "*")]).is_err());
}

/// SEC-564: a certificate of another authority, or for another name, is refused by the database's and by Redis's client; the
/// right one is taken.
#[tokio::test(flavor = "multi_thread")]
async fn backend_tls_default() {
    if quick() {
        return;
    }
    let (right, other) = (Certificates::make(), Certificates::make());
    let postgres = OwnPostgres::start(&right);
    let address = |host: &str, ca: &Certificates, mode: &str| {
        let parameters = format!("sslmode={mode}&sslrootcert={}", ca.file("ca.pem").display());
        postgres
            .url("postgres", PASSWORD, &parameters)
            .replace("@localhost:", &format!("@{host}:"))
    };
    Store::open(&address("localhost", &right, "verify-full")).await.unwrap();
    assert!(Store::open(&address("localhost", &other, "verify-full")).await.is_err());
    assert!(Store::open(&address("127.0.0.1", &right, "verify-full")).await.is_err());
    // no authority that everybody trusts has signed it
    let public = postgres.url("postgres", PASSWORD, "sslmode=verify-full");
    assert!(Store::open(&public).await.is_err());

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let file = |name: &str| right.file(name).display().to_string();
    let (cert, key, tls_port) = (file("cert.pem"), file("key.pem"), port.to_string());
    let _redis = redis_server::Server::start(&[
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let answers = async |scheme: &str, ca: Option<&Certificates>| {
        let ca = ca.map_or(String::new(), |ca| format!("?ca={}", ca.file("ca.pem").display()));
        let path = if scheme.contains("sentinel") { "/main" } else { "" };
        let url = format!("{scheme}://localhost:{port}{path}{ca}");
        let connection = RedisConnection::open(&url, "test:").unwrap();
        for _ in 0..20 {
            if connection.ping().await.is_ok() {
                return true;
            }
            redis_server::pause().await;
        }
        false
    };
    assert!(answers("rediss", Some(&right)).await);
    assert!(!answers("rediss", Some(&other)).await);
    assert!(!answers("rediss", None).await);
    assert!(!answers("rediss+cluster", Some(&other)).await);
    assert!(!answers("rediss+sentinel", Some(&other)).await);
    assert!(RedisConnection::open("redis://localhost?ca=/etc/ca.pem", "test:").is_err());
    assert!(RedisConnection::open("rediss://localhost?ca=/nowhere", "test:").is_err());
}

async fn script(url: &str, statements: &str) {
    let database = Database::open(url, Durability::Full).await.unwrap();
    let mut connection = database.read().await.unwrap();
    for statement in statements
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
    {
        connection.sql_built(statement.to_owned()).changed().await.unwrap();
    }
    drop(connection);
    database.close().await;
}

/// SEC-674: with the grants of the documentation the server signs people in, and can't alter the schema; it says what to run
/// where that is needed.
#[tokio::test(flavor = "multi_thread")]
async fn db_least_privilege() {
    if quick() {
        return;
    }
    let certificates = Certificates::make();
    let postgres = OwnPostgres::start(&certificates);
    let grants = documented("The accounts of the database")
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("database ostiary", "database postgres");
    let administrator = postgres.url("postgres", PASSWORD, "sslmode=disable");
    script(&administrator, &grants).await;
    let owner = postgres.url("ostiary_owner", "OWNERS-PASSWORD", "sslmode=disable");
    let runtime = postgres.url("ostiary", "SERVERS-PASSWORD", "sslmode=disable");

    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path());
    config.database_url = Secret::new(runtime.clone());
    std::fs::create_dir_all(&config.keys_dir).unwrap();
    let refused = Application::start(config.clone(), Clock::default(), Options::default()).await;
    let Err(refusal @ Error::MayNotMigrate { .. }) = refused else {
        panic!("{:?}", refused.err());
    };
    assert!(refusal.to_string().contains("ostiary migrate"), "{refusal}");

    // `ostiary migrate` under the account of its own
    let store = Store::open(&owner).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    furnish(&config, Timestamp::from_micros(Clock::default().micros())).await;
    let server = Server::adopt(config).await;
    let scene = Scene::on(&server).await;
    let tokens = scene.tokens().await;
    RelyingParty::new(&server, &scene.client)
        .refresh(&tokens.refresh)
        .await
        .ok();
    assert_eq!(Browser::new().get(&server.url("/readyz")).await.status, 200);
    let database = Database::open(&runtime, Durability::Full).await.unwrap();
    for statement in [
        "create table more (id bigint)",
        "alter table users add column more text",
        "drop table users",
        "truncate users",
        "create index more on users (subject)",
        "create role more",
    ] {
        let mut connection = database.read().await.unwrap();
        let refused = connection.sql_built(statement.to_owned()).changed().await;
        assert!(refused.is_err(), "{statement}");
    }
    database.close().await;
    server.stop().await;
}

/// SEC-674: with the permissions of the documentation, and no others, Redis serves a sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn redis_least_privilege() {
    if quick() {
        return;
    }
    let redis = redis_server::Server::start(&[]).await;
    let rule = documented("The account of Redis");
    let words: Vec<&str> = rule.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(words[..3], ["ACL", "SETUSER", "ostiary"]);
    let told = std::process::Command::new("redis-cli")
        .args(["-p", &redis.port.to_string()])
        .args(&words)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "OK");
    redis.ask("ACL SETUSER default off");
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.redis_url = Some(Secret::new(format!(
            "redis://ostiary:SERVERS-PASSWORD@127.0.0.1:{}",
            redis.port
        )));
        config.redis_prefix = "ostiary:".to_owned();
    })
    .await;
    assert_eq!(Browser::new().get(&server.url("/readyz")).await.status, 200);
    let user = server.user(&format!("ada-{}", random::hex_id())).await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, &user).await;
    party.redeem(arrival.code()).await.ok();
    let page = browser.open(&server.url("/logout")).await;
    assert!(page.status == 200, "{}", page.body);
    // what the account may not: other keys, other commands
    for foreign in ["GET other", "FLUSHALL", "CONFIG GET *", "KEYS *", "SET other 1"] {
        let answer = std::process::Command::new("redis-cli")
            .args([
                "-p",
                &redis.port.to_string(),
                "--user",
                "ostiary",
                "--pass",
                "SERVERS-PASSWORD",
                "--no-auth-warning",
            ])
            .args(foreign.split(' '))
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(
            answer.contains("NOPERM") || answer.contains("No permissions"),
            "{foreign}: {answer}"
        );
    }
    server.stop().await;
}
