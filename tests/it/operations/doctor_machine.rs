//! What the doctor says of a machine that is not well: a full disk, a clock that is wrong, a slow network, keys and certificates that are
//! about to be too old.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use ostiary::clock::Clock;
use ostiary::model::Timestamp;
use ostiary::sql::{Database, Durability};

use super::doctor::{findings, found, impostor};
use crate::ephemeral::redis_server;
use crate::support::backend::Backend;
use crate::support::certificates::Certificates;
use crate::support::cli::Terminal;
use crate::support::process::Installation;
use crate::support::proxy::{Mode, Proxy};
use crate::support::services::Postgres;
use crate::support::wrong_clock::WrongClock;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A terminal on a store that has been made, where somebody answers at the public address.
async fn terminal(folder: &Path) -> Terminal {
    let terminal = Terminal::at(folder).with("OSTIARY_PUBLIC_URL", &impostor(String::new()).await);
    terminal.run(&["users", "create", "ada"]).await.ok();
    terminal
}

/// The same on a machine whose `df` says this.
fn with_disk(terminal: &Terminal, folder: &Path, says: &str) -> Terminal {
    let programs = folder.join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    let df = programs.join("df");
    std::fs::write(
        &df,
        format!("#!/bin/sh\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '{says}'\n"),
    )
    .unwrap();
    std::fs::set_permissions(&df, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    terminal.clone().with("PATH", &format!("{}:{path}", programs.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = terminal(folder.path()).await;
    let line = format!("OSTIARY_DATA_DIR={}", folder.path().join("data").display());
    // 40 GiB; what is free is 20 GiB, 1.5 GiB, 500 MiB, 50 MiB
    let cases = [
        ("/dev/a disk 41943040 20971520 20971520 50% /", "disk_ok", "good", ""),
        (
            "/dev/disk 41943040 40370176 1572864 97% /",
            "disk_low",
            "warning",
            line.as_str(),
        ),
        (
            "/dev/disk 8388608 7876608 512000 94% /",
            "disk_low",
            "warning",
            line.as_str(),
        ),
        (
            "/dev/disk 41943040 41891840 51200 100% /",
            "disk_low",
            "wrong",
            line.as_str(),
        ),
        ("/dev/disk - - - - /", "disk_unknown", "warning", "df -Pk -- "),
    ];
    for (says, code, verdict, line) in cases {
        let (_, rows) = findings(&with_disk(&terminal, folder.path(), says), &[]).await;
        found(&rows, code, verdict, line);
    }
    // and this machine's own says something
    let (_, rows) = findings(&terminal, &[]).await;
    assert!(
        rows.iter()
            .any(|(code, _, _)| code.starts_with("disk_") && code != "disk_unknown")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signs_for_too_long_is_told_of_and_the_line_puts_it_right() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = terminal(folder.path()).await;
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "keys_ok", "good", "");
    let url = format!("sqlite:{}", folder.path().join("data/ostiary.db").display());
    let database = Database::open(&url, Durability::Full).await.unwrap();
    let year: i64 = 400 * 24 * 60 * 60 * 1_000_000;
    let mut tx = database.write().await.unwrap();
    tx.sql("update signing_keys set created_at = created_at - $1, activated_at = activated_at - $1")
        .bind(year)
        .changed()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    database.close().await;
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "keys_old", "warning", "ostiary keys rotate --now");
    let line = &rows.iter().find(|(code, _, _)| code == "keys_old").unwrap().2;
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    terminal.run(&words).await.ok();
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "keys_ok", "good", "");
}

/// Year, month and day so many days from now.
fn day(distance: i64) -> (i32, u8, u8) {
    let now = Timestamp::from_micros(Clock::default().micros());
    let then = match u32::try_from(distance) {
        Ok(days) => now.after(DAY * days),
        Err(_) => now.before(DAY * u32::try_from(-distance).unwrap()),
    };
    let text = then.rfc3339();
    (
        text[..4].parse().unwrap(),
        text[5..7].parse().unwrap(),
        text[8..10].parse().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_about_to_end_are_told_of() {
    let certificates = Certificates::make();
    let authority = std::fs::read_to_string(certificates.file("ca.pem")).unwrap();
    let store = tempfile::tempdir().unwrap();
    // nobody answers there: what is looked at is the listener's own file
    let terminal = Terminal::at(store.path())
        .with("OSTIARY_PUBLIC_URL", "https://localhost:1")
        .with("OSTIARY_TLS__KEY", certificates.file("key.pem").to_str().unwrap());
    let cases = [
        ("tls_soon", day(-80), day(9), "warning"),
        ("tls_early", day(5), day(90), "wrong"),
        ("tls_over", day(-90), day(-3), "wrong"),
        ("tls_ok", day(-1), day(80), "good"),
    ];
    let mut written = Vec::new();
    for (code, from, until, verdict) in cases {
        certificates.renew_between(from, until);
        let leaf = std::fs::read_to_string(certificates.file("cert.pem")).unwrap();
        let file = certificates.file(&format!("{code}.pem"));
        std::fs::write(&file, format!("{leaf}\n{authority}")).unwrap();
        written.push((code, file, verdict));
    }
    written.push(("tls_unreadable", certificates.file("not-there.pem"), "wrong"));
    // an authority that presents itself
    written.push(("tls_self", certificates.file("ca.pem"), "warning"));
    // each waits for the public address, so they all do at once
    let judged = written.into_iter().map(async |(code, file, verdict)| {
        let terminal = terminal.clone().with("OSTIARY_TLS__CERT", file.to_str().unwrap());
        let (exit, rows) = findings(&terminal, &[]).await;
        let line = if verdict == "good" { "" } else { file.to_str().unwrap() };
        found(&rows, code, verdict, line);
        found(&rows, "cookies_host", "good", "");
        found(&rows, "tls_unreachable", "wrong", "OSTIARY_TLS__CERT=");
        assert_eq!(exit, 1, "the public address does not answer");
    });
    futures_util::future::join_all(judged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_and_a_redis_far_away_are_told_of() {
    if redis_server::quick() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (postgres, redis) = tokio::join!(Postgres::start_with(&[]), redis_server::Server::start(&["--save", ""]));
    let (database, cache) = (
        Proxy::start(postgres.address).await,
        Proxy::start(SocketAddr::from(([127, 0, 0, 1], redis.port))).await,
    );
    let without_redis = Terminal::at(folder.path())
        .with("OSTIARY_PUBLIC_URL", &impostor(String::new()).await)
        .with("OSTIARY_DATABASE_URL", &postgres.url(database.address));
    let terminal = without_redis
        .clone()
        .with("OSTIARY_REDIS_URL", &format!("redis://{}", cache.address));
    without_redis.run(&["migrate"]).await.ok();
    let (_, rows) = findings(&without_redis, &[]).await;
    found(&rows, "redis_missing", "warning", "OSTIARY_REDIS_URL=redis://");
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "clock_ok", "good", "");
    for near in ["db_slow", "redis_slow"] {
        assert!(!rows.iter().any(|(code, _, _)| code == near), "{rows:?}");
    }
    database.set(Mode::Delay(Duration::from_millis(60), Duration::ZERO));
    cache.set(Mode::Delay(Duration::from_millis(40), Duration::ZERO));
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "db_slow", "warning", "OSTIARY_DATABASE_URL=postgres://");
    found(&rows, "redis_slow", "warning", "OSTIARY_REDIS_URL=redis://");
}

/// The doctor stands on a machine whose clock is right, and the node behind the public address on one whose clock is not; then the other
/// way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_wrong_is_told_of() {
    let installation = Installation::make(Backend::Embedded).await;
    for (off, verdict) in [(-40, "wrong"), (4, "warning")] {
        let wrong = WrongClock::by(off, installation.folder());
        let mut plan = installation.plan().at(installation.front);
        for (name, value) in wrong.variables() {
            plan = plan.with(name, value);
        }
        let node = plan.start().await;
        let mut terminal = Terminal::at(installation.folder()).with("OSTIARY_PUBLIC_URL", &installation.issuer());
        let (code, rows) = findings(&terminal, &[]).await;
        found(&rows, "clock_node", verdict, "timedatectl set-ntp true");
        assert_eq!(code, i32::from(verdict == "wrong"));
        // two clocks that are wrong alike agree
        for (name, value) in wrong.variables() {
            terminal = terminal.with(name, &value);
        }
        let (code, rows) = findings(&terminal, &[]).await;
        assert!(!rows.iter().any(|(code, _, _)| code == "clock_node"), "{rows:?}");
        assert_eq!(code, 0, "{rows:?}");
        drop(node);
    }
    installation.remove().await;
}
