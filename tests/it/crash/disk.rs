//! The embedded store and its disk: power cuts, a full disk, a read-only one, syncs that fail, a file that is replaced, many
//! writers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::clock;
use ostiary::model::{ConsentMode, Secret};
use ostiary::random;
use ostiary::sql::{Connection, Database, Durability};

use crate::support::backend::{Backend, length};
use crate::support::disk::Disk;
use crate::support::ledger::{Kind, Ledger, Outcome};
use crate::support::process::{Installation, Node, PATIENCE, until};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, WireAnswer};

/// One node that writes through a disk of the test.
struct Written {
    installation: Installation,
    disk: Disk,
    node: Node,
    stage: Stage,
}

impl Written {
    async fn begin() -> Self {
        let installation = Installation::make(Backend::Embedded).await;
        // whatever is written past the node would be missing from what the disk remembers
        let user = installation.user("ada").await;
        let client = installation
            .client(|client| client.policy.consent = ConsentMode::Skip)
            .await;
        let disk = Disk::make(installation.folder(), &installation.config.data_dir.join("ostiary.db"));
        let node = disk.under(installation.plan()).at(installation.front).start().await;
        let stage = Stage::of(&installation, user, client).await;
        Self {
            installation,
            disk,
            node,
            stage,
        }
    }

    /// A code that is waiting: nothing of it stands in the store yet.
    async fn code(&self) -> String {
        self.stage.code_at(self.node.address).await
    }

    async fn redeem(&self, code: &str) -> WireAnswer {
        let request = self.stage.redeem(code);
        Wire::to(self.node.address).exchange(&request).await.unwrap()
    }

    async fn becomes(&self, status: u16) {
        let sentence = format!("/readyz says {status}");
        until(PATIENCE, &sentence, async || {
            self.node.readiness().await == Some(status)
        })
        .await;
    }

    async fn end(self) {
        drop(self.node);
        self.installation.remove().await;
    }
}

/// What was acknowledged: the digest of its row, and how much had reached the disk by then.
type Acknowledged = Mutex<Vec<(&'static str, [u8; 32], usize)>>;

async fn sign_on(written: &Written, acknowledged: &Acknowledged) {
    let note = |table: &'static str, secret: &str| {
        let digest = *Secret::new(secret).digest().as_bytes();
        acknowledged
            .lock()
            .unwrap()
            .push((table, digest, written.disk.position()));
    };
    let mut wire = Wire::to(written.node.address);
    let code = written.stage.code(&mut wire).await;
    let mut answer = wire.exchange(&written.stage.redeem(&code)).await.unwrap();
    assert!(answer.is_success(), "{}", answer.body);
    note("codes", &code);
    for _ in 0..3 {
        let token = answer.get("refresh_token");
        note("tokens", &token);
        answer = wire.exchange(&written.stage.refresh(&token)).await.unwrap();
        assert!(answer.is_success(), "{}", answer.body);
        note("spent", &token);
    }
}

/// What the store has of sign-ons: each holds the digests of its refresh tokens in their order. Tokens are numbered in the
/// order of their commits, which are the only ones that add rows here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    codes: BTreeSet<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    spent: BTreeSet<Vec<u8>>,
    redeemed: i64,
    refreshed: i64,
}

const CODES: &str = "select code from grants";
const TOKENS: &str = "select digest from refresh_tokens order by rowid";
const SPENT: &str = "select digest from refresh_tokens where spent_at is not null";
const CODES_OF_TOKENS: &str = "
select grants.code
from refresh_tokens
join grants on grants.id = refresh_tokens.grant_id
order by refresh_tokens.rowid";
const EVENTS: &str = "select count(*) from events where kind = $1";

impl Kept {
    async fn read(store: &mut Connection) -> Self {
        Self {
            codes: store.sql(CODES).all().await.unwrap().into_iter().collect(),
            tokens: store.sql(TOKENS).all().await.unwrap(),
            spent: store.sql(SPENT).all().await.unwrap().into_iter().collect(),
            redeemed: store.sql(EVENTS).bind("code.redeemed").one().await.unwrap(),
            refreshed: store.sql(EVENTS).bind("token.refreshed").one().await.unwrap(),
        }
    }
}

/// Every change of a run in the order of the commits: each brought one token, under the code of its family.
struct Course {
    changes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Course {
    async fn read(store: &mut Connection) -> Self {
        let tokens: Vec<Vec<u8>> = store.sql(TOKENS).all().await.unwrap();
        let codes: Vec<Vec<u8>> = store.sql(CODES_OF_TOKENS).all().await.unwrap();
        assert_eq!(tokens.len(), codes.len());
        Self {
            changes: tokens.into_iter().zip(codes).collect(),
        }
    }

    /// The state after so many changes.
    fn after(&self, changes: usize) -> Kept {
        let mut kept = Kept::default();
        let mut newest: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for (token, code) in &self.changes[..changes] {
            match newest.insert(code, token) {
                None => {
                    kept.codes.insert(code.clone());
                    kept.redeemed += 1;
                }
                Some(before) => {
                    kept.spent.insert(before.to_vec());
                    kept.refreshed += 1;
                }
            }
            kept.tokens.push(token.clone());
        }
        kept
    }
}

/// REL-24, SEC-757: the power is cut at any sync or between: every sector that was not synced may be there or not. The store
/// opens without a hand on it, is sound, and holds everything that was acknowledged by then; what was used stays used. What it
/// holds is what was there after one of the changes, in their order, with nothing of any later one.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_back_nothing_acknowledged() {
    let (sign_ons, images) = length((160, 45), (240, 120), (1_000, 1_500));
    let written = Written::begin().await;
    let acknowledged = Acknowledged::default();
    for _ in 0..sign_ons / 8 {
        join_all((0..8).map(|_| sign_on(&written, &acknowledged))).await;
    }
    let history = written.disk.history();
    let acknowledged = acknowledged.into_inner().unwrap();
    let syncs = history.syncs();
    assert!(syncs.len() > 20, "{} syncs", syncs.len());
    assert!(
        history.checkpoints() > 0,
        "the log never went into the database's own file"
    );
    let database = Database::open(written.installation.config.database_url.expose(), Durability::Full)
        .await
        .unwrap();
    let mut store = database.read().await.unwrap();
    let course = Course::read(&mut store).await;
    let whole = Kept::read(&mut store).await;
    drop(store);
    database.close().await;
    // one change for each code and three for its refreshes
    assert_eq!(course.changes.len(), sign_ons / 8 * 8 * 4);
    assert_eq!(
        whole,
        course.after(course.changes.len()),
        "the model is that of the store"
    );
    let folder = tempfile::tempdir().unwrap();
    let (mut held, mut between) = (0, 0);
    for turn in 0..images {
        // at a sync, right before it, and anywhere
        let any = |most: usize| random::below(u32::try_from(most).unwrap()) as usize;
        let operations = match turn % 3 {
            0 => syncs[any(syncs.len())].0,
            1 => syncs[any(syncs.len())].0 - 1,
            _ => 1 + any(history.len()),
        };
        let path = history.cut_after(operations).write(folder.path());
        let database = Database::open(&format!("sqlite:{}", path.display()), Durability::Full)
            .await
            .unwrap_or_else(|error| panic!("after {operations} operations: {error}"));
        let mut store = database.read().await.unwrap();
        let verdict: String = store.sql("pragma integrity_check").one().await.unwrap();
        assert_eq!(verdict, "ok", "after {operations} operations");
        let kept = Kept::read(&mut store).await;
        drop(store);
        database.close().await;
        let changes = kept.tokens.len();
        assert!(changes <= course.changes.len(), "after {operations} operations");
        let prefix = course.after(changes);
        assert!(
            kept == prefix,
            "no state of the course after {operations} operations, {changes} changes"
        );
        between += usize::from(changes > 0 && changes < course.changes.len());
        let tokens: BTreeSet<&[u8]> = kept.tokens.iter().map(Vec::as_slice).collect();
        let until = history.position(operations);
        for (table, digest, at) in acknowledged.iter().filter(|(_, _, at)| *at <= until) {
            let is_there = match *table {
                "codes" => kept.codes.contains(&digest[..]),
                "tokens" => tokens.contains(&digest[..]),
                _ => kept.spent.contains(&digest[..]),
            };
            assert!(is_there, "{table} of {at} is gone after {operations} operations");
            held += 1;
        }
    }
    assert!(
        between > images / 4,
        "{between} of {images} images lie between the changes"
    );
    assert!(held > images * 10, "only {held} acknowledged rows were looked for");
    println!(
        "{images} images ({between} between the changes) of {} operations with {} syncs and {} of the database's own file; {held} acknowledged rows held",
        history.len(),
        syncs.len(),
        history.checkpoints()
    );
    written.end().await;
}

/// What a disk that takes nothing leads to: changes are refused with 503 and nothing of them is kept, what only reads goes
/// on, readiness says so; and when the disk is well again so is the server, by itself.
async fn a_refusing_disk(refuse: impl Fn(&Disk)) {
    let written = Written::begin().await;
    let before = written.redeem(&written.code().await).await;
    let (first, second) = (written.code().await, written.code().await);
    refuse(&written.disk);
    let ledger = Ledger::default();
    let mut wire = Wire::to(written.node.address);
    let subject = &written.stage.user.subject;
    for _ in 0..3 {
        let request = written.stage.redeem(&first);
        ledger.ask(&mut wire, Kind::Code, &first, subject, &request).await;
    }
    let refused = ledger.of(Kind::Code);
    assert!(refused.iter().all(|operation| operation.was_refused()), "{refused:?}");
    ledger.assert_allowed(&[503], Duration::from_secs(15));
    let userinfo = written.stage.userinfo(&before.get("access_token"));
    let read = wire.exchange(&userinfo).await.unwrap();
    assert!(
        read.is_success(),
        "what only reads goes on: {} {}",
        read.status,
        read.body
    );
    written.becomes(503).await;
    assert!(written.node.log().contains("\"ERROR\""), "the log says so");
    written.disk.mend();
    written.becomes(200).await;
    // nothing was kept of the refused ones: the code is good, once
    let request = written.stage.redeem(&first);
    let outcome = ledger.ask(&mut wire, Kind::Code, &first, subject, &request).await;
    let Outcome::Answered(answer) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(answer.is_success(), "{} {}", answer.status, answer.body);
    assert!(written.redeem(&second).await.is_success());
    assert_eq!(written.redeem(&second).await.get("error"), "invalid_grant");
    let next = written.stage.refresh(&before.get("refresh_token"));
    assert!(wire.exchange(&next).await.unwrap().is_success());
    ledger.assert_once();
    ledger.assert_stored(&written.installation).await;
    written.end().await;
}

/// REL-26
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_changes_and_the_server_recovers() {
    a_refusing_disk(Disk::fill).await;
}

/// REL-28
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_became_read_only_refuses_changes_and_the_server_recovers() {
    a_refusing_disk(Disk::make_read_only).await;
}

/// A commit whose sync failed is not acknowledged: what the disk has of it, nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_sync_failed_is_not_acknowledged() {
    let written = Written::begin().await;
    let code = written.code().await;
    written.disk.break_syncs();
    let refused = written.redeem(&code).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(!refused.header("retry-after").is_empty());
    written.disk.mend();
    written.becomes(200).await;
    // it may have been kept or not; it is not accepted twice
    let answers = [written.redeem(&code).await, written.redeem(&code).await];
    let accepted = answers.iter().filter(|answer| answer.is_success()).count();
    assert!(accepted <= 1, "{answers:?}");
    assert_eq!(answers[1].get("error"), "invalid_grant", "{answers:?}");
    written.end().await;
}

/// REL-28: the store's file is replaced by another one, or moved away: nothing is served from either, readiness says so, the
/// log says why. The old file back, everything goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_is_not_served_from() {
    let installation = Installation::make(Backend::Embedded).await;
    let node = installation.only_node().await;
    let stage = Stage::set(&installation).await;
    let mut wire = Wire::to(node.address);
    let code = stage.code(&mut wire).await;
    let path = installation.config.data_dir.join("ostiary.db");
    let aside = installation.config.data_dir.join("aside.db");
    let other = Installation::make(Backend::Embedded).await;
    for replaced in [true, false] {
        std::fs::rename(&path, &aside).unwrap();
        if replaced {
            std::fs::copy(other.config.data_dir.join("ostiary.db"), &path).unwrap();
        }
        let refused = wire.exchange(&stage.redeem(&code)).await.unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(!refused.header("retry-after").is_empty());
        until(PATIENCE, "readiness is off", async || {
            node.readiness().await == Some(503)
        })
        .await;
        assert!(node.log().contains("moved, removed or replaced"), "{}", node.log());
        std::fs::rename(&aside, &path).unwrap();
        until(PATIENCE, "readiness is back", async || {
            node.readiness().await == Some(200)
        })
        .await;
    }
    assert!(wire.exchange(&stage.redeem(&code)).await.unwrap().is_success());
    drop(node);
    other.remove().await;
    installation.remove().await;
}

/// REL-27: 64 writers at once lose nothing; while another process holds the file, changes are refused in time and say when to
/// come again.
#[tokio::test(flavor = "multi_thread")]
async fn many_writers_lose_nothing_and_wait_their_turn() {
    const WRITERS: usize = 64;
    let installation = Installation::make(Backend::Embedded).await;
    let node = installation.only_node().await;
    let stage = Stage::set(&installation).await;
    let ledger = Ledger::default();
    let subject = &stage.user.subject;
    let write = async || {
        let mut wire = Wire::to(node.address);
        let code = stage.code(&mut wire).await;
        ledger
            .ask(&mut wire, Kind::Code, &code, subject, &stage.redeem(&code))
            .await
    };
    join_all((0..WRITERS).map(|_| write())).await;
    assert_eq!(
        ledger
            .of(Kind::Code)
            .iter()
            .filter(|one| one.success().is_some())
            .count(),
        WRITERS
    );
    let mut wire = Wire::to(node.address);
    let waiting = stage.code(&mut wire).await;
    let database = Database::open(installation.config.database_url.expose(), Durability::Full)
        .await
        .unwrap();
    let mut held = database.write().await.unwrap();
    // the first statement takes the file
    let _: i64 = held.sql("select 1").one().await.unwrap();
    let begun = clock::monotonic();
    let outcome = ledger
        .ask(&mut wire, Kind::Code, &waiting, subject, &stage.redeem(&waiting))
        .await;
    let Outcome::Answered(answer) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(answer.status, 503, "{}", answer.body);
    // two seconds promised; a second is waited for
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "refused after {:?}",
        begun.elapsed()
    );
    println!(
        "refused after {:?} while another process holds the file",
        begun.elapsed()
    );
    drop(held);
    database.close().await;
    let again = wire.exchange(&stage.redeem(&waiting)).await.unwrap();
    assert!(again.is_success(), "{}", again.body);
    ledger.assert_allowed(&[200, 503], Duration::from_secs(30));
    ledger.assert_once();
    ledger.assert_stored(&installation).await;
    drop(node);
    installation.remove().await;
}
