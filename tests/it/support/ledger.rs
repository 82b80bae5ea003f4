//! The ledger: what clients asked, when, and what they were told; and the checker that holds it against the store.
//!
//! The invariants have their numbers from the reliability plan: I1 every acknowledged change is there, I2 what counts once
//! succeeded at most once, I3 a family has at most one live refresh token and never more scope, I5 what was ended does not
//! succeed later, I6 answers come from the allowed set in time and say when to come again, I8 one event for each
//! acknowledged change, I9 every token verifies with the published keys, I10 no secret stands in plain text where none
//! belongs, I11 everybody sees only themselves, I12 a process comes back to what it had open. I4, the limit of logins, is held
//! against the store by `nodes::limits`; I7 has no subject yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ostiary::clock;
use ostiary::jose::{AssertionKeys, RemoteKeys, verify_assertion};
use ostiary::model::{ClientSigningAlgorithm, Secret};
use ostiary::sql::{Connection, Database, Durability};

use super::process::{Installation, Node};
use super::relying_party::claims;
use super::wire::{Wire, WireAnswer, form};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A code for tokens.
    Code,
    /// A refresh token for its successor.
    Refresh,
    /// Userinfo, or another answer that says whose it is.
    Whose,
    /// A revocation of a refresh token.
    Revoke,
    /// Anything else that counts once.
    Once,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    Answered(WireAnswer),
    /// Nobody knows.
    Lost(String),
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    pub kind: Kind,
    /// What was presented: a code, a token, an assertion.
    pub artifact: String,
    /// Who it is about: the subject that answers have to name.
    pub subject: String,
    /// Since the ledger was begun.
    pub started: Duration,
    pub ended: Duration,
    pub outcome: Outcome,
}

impl Operation {
    /// The answer, if it was a success.
    pub fn success(&self) -> Option<&WireAnswer> {
        match &self.outcome {
            Outcome::Answered(answer) if answer.is_success() => Some(answer),
            _ => None,
        }
    }

    /// Whether somebody said no.
    pub fn was_refused(&self) -> bool {
        matches!(&self.outcome, Outcome::Answered(answer) if !answer.is_success())
    }
}

/// Everything that was asked.
pub struct Ledger {
    begun: Instant,
    operations: Mutex<Vec<Operation>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            begun: clock::monotonic(),
            operations: Mutex::default(),
        }
    }
}

impl Ledger {
    /// How long it is kept already.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Sends a request and writes down what became of it.
    pub async fn ask(&self, wire: &mut Wire, kind: Kind, artifact: &str, subject: &str, request: &[u8]) -> Outcome {
        let started = self.now();
        let outcome = match wire.exchange(request).await {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Lost(error.to_string()),
        };
        self.note(Operation {
            kind,
            artifact: artifact.to_owned(),
            subject: subject.to_owned(),
            started,
            ended: self.now(),
            outcome: outcome.clone(),
        });
        outcome
    }

    /// Writes down an operation that was done elsewhere.
    pub fn note(&self, operation: Operation) {
        self.operations.lock().unwrap().push(operation);
    }

    /// All of a kind so far.
    pub fn of(&self, kind: Kind) -> Vec<Operation> {
        let operations = self.operations.lock().unwrap();
        operations
            .iter()
            .filter(|operation| operation.kind == kind)
            .cloned()
            .collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.operations.lock().unwrap().len()
    }

    /// I2: what counts once succeeded at most once. A refresh token may be answered again, with the very same successor.
    pub fn assert_once(&self) {
        let mut codes: BTreeMap<(Kind, String), usize> = BTreeMap::new();
        let mut successors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for operation in self.operations.lock().unwrap().iter() {
            let Some(answer) = operation.success() else { continue };
            match operation.kind {
                Kind::Code | Kind::Once => {
                    *codes.entry((operation.kind, operation.artifact.clone())).or_default() += 1;
                }
                Kind::Refresh => {
                    let of = successors.entry(operation.artifact.clone()).or_default();
                    of.insert(answer.get("refresh_token"));
                }
                Kind::Whose | Kind::Revoke => (),
            }
        }
        let twice: Vec<_> = codes.iter().filter(|(_, successes)| **successes > 1).collect();
        assert!(twice.is_empty(), "accepted more than once: {twice:?}");
        let split: Vec<_> = successors.values().filter(|of| of.len() > 1).collect();
        assert!(split.is_empty(), "two successors of one refresh token: {split:?}");
    }

    /// I5: what was ended and acknowledged `grace` before somebody asked did not succeed.
    pub fn assert_ended(&self, ended: &[(String, Duration)], grace: Duration) {
        for operation in self.operations.lock().unwrap().iter() {
            let over = ended.iter().find(|(artifact, _)| *artifact == operation.artifact);
            let Some((_, at)) = over else { continue };
            if operation.kind != Kind::Revoke && operation.started > *at + grace {
                assert!(operation.success().is_none(), "ended at {at:?}, and yet: {operation:?}");
            }
        }
    }

    /// I6: answers come from these statuses, within the bound, and those that say "later" say when. Lost ones are allowed as
    /// the fault at hand allows them.
    pub fn assert_allowed(&self, statuses: &[u16], within: Duration) {
        for operation in self.operations.lock().unwrap().iter() {
            let took = operation.ended - operation.started;
            assert!(took <= within, "took {took:?}: {operation:?}");
            let Outcome::Answered(answer) = &operation.outcome else {
                continue;
            };
            assert!(statuses.contains(&answer.status), "{operation:?}");
            if matches!(answer.status, 429 | 503) {
                assert!(!answer.header("retry-after").is_empty(), "{operation:?}");
            }
        }
    }

    /// I11: whoever is named in an answer is who asked.
    pub fn assert_identity(&self) {
        for operation in self.operations.lock().unwrap().iter() {
            let Some(answer) = operation.success() else { continue };
            let named = match operation.kind {
                Kind::Whose => answer.get("sub"),
                Kind::Code | Kind::Refresh => match answer.get("id_token") {
                    token if token.is_empty() => continue,
                    token => claims(&token)["sub"].as_str().unwrap().to_owned(),
                },
                Kind::Revoke | Kind::Once => continue,
            };
            assert_eq!(named, operation.subject, "somebody else's answer: {operation:?}");
        }
    }

    /// I9: every token of the answers verifies with the keys that the node publishes.
    pub async fn assert_verified(&self, node: &Node, host: &str) {
        let request = super::wire::request("GET", host, "/oauth2/jwks", &[], "");
        let document = Wire::to(node.address).exchange(&request).await.unwrap();
        let keys = RemoteKeys::fetched(document.body.as_bytes()).unwrap();
        for operation in self.operations.lock().unwrap().iter() {
            let Some(answer) = operation.success() else { continue };
            for name in ["id_token", "access_token"] {
                let token = answer.get(name);
                if token.split('.').count() == 3 {
                    let verified =
                        verify_assertion(&token, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ASYMMETRIC);
                    assert!(verified.is_ok(), "{name} {:?} {}", verified.err(), document.body);
                }
            }
        }
    }

    /// I1, I2, I3 and I8 against the store: what was acknowledged is there, what was refused never was, a family has one
    /// live refresh token, and every acknowledged change has its one event.
    pub async fn assert_stored(&self, installation: &Installation) {
        let database = Database::open(installation.config.database_url.expose(), Durability::Full)
            .await
            .unwrap();
        let mut store = database.read().await.unwrap();
        self.assert_rows(&mut store).await;
        drop(store);
        database.close().await;
    }

    /// The same on an open connection.
    pub async fn assert_rows(&self, store: &mut Connection) {
        for operation in self.of(Kind::Code) {
            let grants: i64 = count(store, "grants where code = $1", &operation.artifact).await;
            assert!(grants <= 1);
            if let Some(answer) = operation.success() {
                assert_eq!(grants, 1, "acknowledged and not there: {operation:?}");
                assert_eq!(code_events(store, &operation.artifact).await, 1, "{operation:?}");
                let scope = answer.get("scope");
                assert!(!scope.is_empty(), "{operation:?}");
            }
        }
        for operation in self.of(Kind::Refresh) {
            let Some(answer) = operation.success() else { continue };
            let rows = count(store, "refresh_tokens where digest = $1", &answer.get("refresh_token")).await;
            assert_eq!(rows, 1, "acknowledged and not there: {operation:?}");
        }
        let many: Vec<i64> = store.sql(MANY_LEAVES).all().await.unwrap();
        assert!(many.is_empty(), "families with several live refresh tokens: {many:?}");
    }

    /// I1 of a copy of the store: what was acknowledged by then is in it. Gives how much that was.
    pub async fn assert_kept(&self, store: &mut Connection, by: Duration) -> usize {
        let mut kept = 0;
        for kind in [Kind::Code, Kind::Refresh] {
            for operation in self.of(kind).iter().filter(|operation| operation.ended <= by) {
                let Some(answer) = operation.success() else { continue };
                let rows = match kind {
                    Kind::Code => count(store, "grants where code = $1", &operation.artifact).await,
                    _ => count(store, "refresh_tokens where digest = $1", &answer.get("refresh_token")).await,
                };
                assert_eq!(rows, 1, "acknowledged before and not in the copy: {operation:?}");
                kept += 1;
            }
        }
        kept
    }

    /// I3: no answer of a refresh names more scope than the code's answer of its chain.
    pub fn assert_scope_never_grows(&self) {
        let mut of_token: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let set =
            |answer: &WireAnswer| -> BTreeSet<String> { answer.get("scope").split(' ').map(str::to_owned).collect() };
        for operation in self.operations.lock().unwrap().iter() {
            let Some(answer) = operation.success() else { continue };
            match operation.kind {
                Kind::Code => drop(of_token.insert(answer.get("refresh_token"), set(answer))),
                Kind::Refresh => {
                    let scope = set(answer);
                    if let Some(before) = of_token.get(&operation.artifact) {
                        assert!(scope.is_subset(before), "{before:?} grew: {operation:?}");
                    }
                    of_token.insert(answer.get("refresh_token"), scope);
                }
                _ => (),
            }
        }
    }

    /// Every secret that went over the wire.
    pub fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = BTreeSet::new();
        for operation in self.operations.lock().unwrap().iter() {
            if matches!(operation.kind, Kind::Code | Kind::Refresh) {
                secrets.insert(operation.artifact.clone());
            }
            if let Some(answer) = operation.success() {
                secrets.insert(answer.get("refresh_token"));
                secrets.insert(answer.get("access_token"));
            }
        }
        secrets.remove("");
        secrets
    }
}

/// I10: none of the secrets stands in any file below this folder, among which these have to be. Codes wait in the short-lived
/// store by their digest too.
pub fn assert_no_secret(folder: &Path, expected: &[&str], secrets: &BTreeSet<String>) {
    assert!(!secrets.is_empty(), "nothing to look for");
    let mut missing: BTreeSet<&str> = expected.iter().copied().collect();
    let files = super::sources::files(folder);
    for file in files.into_iter().filter(|file| file.is_file()) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        missing.remove(file.file_name().unwrap().to_str().unwrap());
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "a secret stands in {}", file.display());
        }
    }
    assert!(missing.is_empty(), "not below {}: {missing:?}", folder.display());
}

/// I12: what a process has open and how many threads it has, to be compared with later.
#[derive(Clone, Copy, Debug)]
pub struct Gauges {
    descriptors: usize,
    threads: usize,
}

impl Gauges {
    /// As they are now.
    pub fn of(node: &Node) -> Self {
        Self {
            descriptors: node.descriptors(),
            threads: node.threads(),
        }
    }

    /// Waits until they are about the same again: pools and blocking threads may have grown by what they are allowed to.
    pub async fn come_back(&self, node: &Node, allowed: usize) {
        let sentence = format!("{self:?} come back to, but for {allowed}");
        super::process::until(super::process::PATIENCE, &sentence, async || {
            node.descriptors() <= self.descriptors + allowed && node.threads() <= self.threads + allowed
        })
        .await;
    }
}

const MANY_LEAVES: &str = "
select count(*)
from refresh_tokens
join grants on grants.id = refresh_tokens.grant_id
where refresh_tokens.spent_at is null
and grants.ended_at is null
group by grants.id
having count(*) > 1";

async fn count(store: &mut Connection, of: &str, artifact: &str) -> i64 {
    let digest = Secret::new(artifact).digest();
    let text = format!("select count(*) from {of}");
    store.sql_built(text).bind(digest.as_bytes()).one().await.unwrap()
}

/// How many redemptions of a code were written down: events name the family that it began.
async fn code_events(store: &mut Connection, code: &str) -> i64 {
    let digest = Secret::new(code).digest();
    let grant: uuid::Uuid = store
        .sql("select id from grants where code = $1")
        .bind(digest.as_bytes())
        .one()
        .await
        .unwrap();
    store
        .sql_built(format!(
            "select count(*) from events where kind = 'code.redeemed' and facts like '%{grant}%'"
        ))
        .one()
        .await
        .unwrap()
}

/// The bytes of a token request of a client with its secret in the header.
pub fn token_request(host: &str, client: &super::seed::TestClient, fields: &[(&str, &str)]) -> Vec<u8> {
    let authorization = super::relying_party::basic(&client.client_id, &client.secret);
    form(host, "/oauth2/token", fields, &[("authorization", &authorization)])
}
