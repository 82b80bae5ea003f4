//! Postgres has no connection or no place left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ostiary::clock;
use ostiary::sql::{Connection, Database, Durability};

use super::ledger::{report, statuses};
use super::site::{Families, Question, Site, bound, length};
use crate::ephemeral::redis_server::Server as Redis;
use crate::support::backend::quick;
use crate::support::services::{Postgres, own};

/// REL-23: somebody else has taken every connection: refused in time, and back soon after they are given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_without_connections_is_told_of_and_comes_back() {
    if quick() {
        return;
    }
    // a role without the reserved connections of administrators
    let site = Site::start_with(&["max_connections=30"], |plan| plan, |_| ()).await;
    let asks = site.questions().await;
    let url = site.postgres.url(site.postgres.address);
    let mut taken: Vec<(Database, Connection)> = Vec::new();
    let take = async |taken: &mut Vec<(Database, Connection)>| {
        for _ in 0..40 {
            let Ok(database) = Database::open(&url, Durability::Full).await else {
                return;
            };
            let connection = database.read().await.unwrap();
            taken.push((database, connection));
        }
    };
    take(&mut taken).await;
    // the node loses its own, and somebody else is faster
    site.database.cut();
    take(&mut taken).await;
    let told = asks
        .keep_asking(&[Question::Introspect, Question::KeySet], Duration::from_secs(3))
        .await;
    let mut refused = 0;
    for (question, told) in &told {
        told.judge(question);
        assert!(told.took < bound(), "{question:?} {told:?}");
        assert!(*question != Question::KeySet || told.status == Some(200), "{told:?}");
        refused += usize::from(told.is_outage());
    }
    let held = taken.len();
    drop(taken);
    let recovered = site.recovers(clock::monotonic()).await;
    assert!(recovered < bound(), "{recovered:?}");
    assert!(refused > 0, "{held} connections were taken and nobody noticed");
    report(
        "REL-23",
        format!("{held} connections taken by others, {refused} refused; everything works {recovered:?} after"),
    );
}

/// A folder on a file system of its own that holds few bytes. It goes with the value.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// None, and the reason on the terminal, where this account may not mount.
    fn mount(path: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .output();
        match mounted {
            Ok(done) if done.status.success() => {
                own(path);
                Some(Self { path: path.to_owned() })
            }
            other => {
                report(
                    "REL-19",
                    format!("not run: a file system of its own can't be mounted here ({other:?})"),
                );
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Not a byte is left.
    fn fill(&self) {
        use std::io::Write;
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}

/// REL-19: no place left for tables: what writes is refused, what reads goes on; when there is place again, everything works
/// without a restart, and what was acknowledged is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writing_and_nothing_else() {
    if quick() {
        return;
    }
    let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start(&["--save", ""]));
    let folder = postgres.folder().join("small");
    let Some(disk) = SmallDisk::mount(&folder, 8) else {
        return;
    };
    let site = Site::on(postgres, redis, |plan| plan, |_| ()).await;
    site.postgres
        .run(&format!("create tablespace small location '{}'", folder.display()))
        .await;
    // what every refresh writes; the log of Postgres itself lies elsewhere, else it would stop altogether
    for table in ["events", "refresh_tokens"] {
        site.postgres
            .run(&format!("alter table {table} set tablespace small"))
            .await;
    }
    let asks = site.questions().await;
    let families = Families::start(&site, 6, Duration::from_millis(2)).await;
    clock::sleep(Duration::from_millis(300)).await;
    disk.fill();
    let mut one = site.questions_with(&asks.access, &asks.refresh);
    let begun = clock::monotonic();
    while !one.refresh().await.is_outage() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "a full disk takes everything"
        );
    }
    let told = asks
        .keep_asking(
            &[Question::Introspect, Question::UserInfo, Question::KeySet],
            length(Duration::from_secs(2), Duration::from_secs(10)),
        )
        .await;
    for (question, told) in &told {
        assert_eq!(told.status, Some(200), "{question:?} {told:?}");
    }
    std::fs::remove_file(disk.filler()).unwrap();
    let recovered = site.recovers(clock::monotonic()).await;
    let told = families.end().await;
    let counted = statuses(&told);
    assert!(
        counted.get(&503).copied().unwrap_or(0) > 0,
        "nothing was refused: {counted:?}"
    );
    report(
        "REL-19",
        format!("families {counted:?} while the disk was full, {recovered:?} until everything worked"),
    );
    drop(site);
    drop(disk);
}
