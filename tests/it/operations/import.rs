//! A file of `apply` happens as a whole or not at all: interrupted, refused by the store, or overtaken by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ostiary::flow::operations::apply::{Document, PruneUsers, apply};
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::flow::operations::inventory;
use ostiary::flow::people::list_sessions;
use ostiary::flow::{Error, clients};
use ostiary::jose::PrivateKey;
use ostiary::model::{Client, ConsentMode, Profile, Secret, SigningAlgorithm, SubjectType, TokenEndpointAuthMethod};
use ostiary::random;
use ostiary::sql::{Edge, Failpoints, Place, Verdict};
use ostiary::store::Store;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::apply::{mistakes, run, run_pruning, whole};
use crate::support::backend::backends;
use crate::support::browser::Browser;
use crate::support::process::PATIENCE;
use crate::support::relying_party::RelyingParty;
use crate::support::seed;
use crate::support::server::{Backend, Server, TestUser};

tokio::task_local! {
    /// Whether a step belongs to the file that is applied, rather than to a timer of the server.
    static APPLYING: ();
}

fn is_change(place: Place) -> bool {
    matches!(place, Place::Transaction | Place::Commit)
}

/// A file, interrupted after so many changes: the store answers none any more.
#[derive(Clone)]
struct Interruption {
    left: Arc<AtomicI64>,
    commits: Arc<AtomicI64>,
}

impl Interruption {
    fn never() -> Self {
        Self {
            left: Arc::new(AtomicI64::new(i64::MAX)),
            commits: Arc::default(),
        }
    }

    fn failpoints(&self) -> Failpoints {
        let this = self.clone();
        Failpoints::told_to(move |step| {
            let is_ours = APPLYING.try_with(|_| ()).is_ok() && is_change(step.place) && step.edge == Edge::Before;
            let fails = is_ours && this.left.fetch_sub(1, Ordering::SeqCst) <= 0;
            if is_ours && step.place == Place::Commit {
                this.commits.fetch_add(1, Ordering::SeqCst);
            }
            Box::pin(async move { if fails { Verdict::Fails } else { Verdict::Goes } })
        })
    }

    async fn run(&self, server: &Server, file: &Value, after: i64) -> Result<(), Error> {
        self.left.store(after, Ordering::SeqCst);
        self.commits.store(0, Ordering::SeqCst);
        let done = APPLYING.scope((), run_pruning(server, file, PruneUsers::Yes)).await;
        done.map(drop)
    }
}

/// What an earlier file has made.
fn former() -> Value {
    let client = |client_id: &str| {
        json!({"client_id": client_id, "client_secret": "a-client-secret-of-forty-characters-and-1",
            "redirect_uris": ["https://former.example/callback"]})
    };
    json!({
        "version": 1,
        "settings": {"session": {"idle_timeout": "20m"}},
        "resources": [{"identifier": "https://former.example", "scopes": ["read"]}],
        "clients": [client("kept"), client("leaving")],
        "groups": [{"name": "staff", "permissions": []}, {"name": "former"}],
        "users": [{"username": "gone", "groups": ["former"]}],
    })
}

/// A file with every kind of act: what it makes, changes, disables, deactivates and prunes.
fn next() -> Value {
    let mut file = whole();
    let add = |file: &mut Value, section: &str, entry: Value| file[section].as_array_mut().unwrap().push(entry);
    let kept = json!({"client_id": "kept", "client_name": "Kept", "disabled": true,
        "client_secret": "a-client-secret-of-forty-characters-and-2"});
    add(&mut file, "clients", kept);
    add(
        &mut file,
        "users",
        json!({"username": "emmy", "status": "inactive", "nickname": "E", "groups": ["staff"]}),
    );
    file["groups"][0]["settings"] = json!({"session": {"max_concurrent": 5}});
    file["prune"] = json!(["clients", "groups", "resources", "users"]);
    file
}

/// Everything that a file may change, and what tells of it.
async fn state(server: &Server) -> String {
    let provider = server.provider();
    let file = export(provider, Secrets::Omitted).await.unwrap();
    let clients = inventory::clients(provider).await.unwrap();
    let mut store = provider.store.read().await.unwrap();
    let events = store.list_events(None, 10_000).await.unwrap();
    let of_changes = events.iter().filter(|event| {
        ["user.", "group.", "client.", "settings.", "resource."]
            .iter()
            .any(|kind| event.kind.starts_with(kind))
    });
    let events = of_changes.map(|event| event.id.to_string()).collect::<Vec<_>>();
    let applied = (
        store.list_applied_users().await.unwrap(),
        store.list_applied_clients().await.unwrap(),
        store.list_applied_groups().await.unwrap(),
    );
    let generations = store.get_generations().await.unwrap();
    let revisions = store.list_revisions(100).await.unwrap().len();
    format!("{file:#}\n{clients:?}\n{events:?}\n{applied:?}\n{generations:?}\n{revisions}")
}

/// Somebody at a browser who is signed in.
struct Visitor {
    user: TestUser,
    browser: Browser,
}

impl Visitor {
    async fn sign_in(server: &Server, party: &RelyingParty<'_>, username: &str) -> Self {
        let user = server.user(username).await;
        let browser = Browser::new();
        party.sign_in(&browser, &user).await;
        Self { user, browser }
    }

    /// Whether the server still knows the browser, and the session store the session.
    async fn is_signed_in(&self, server: &Server, party: &RelyingParty<'_>) -> bool {
        let url = party.authorization_url_with(&[("prompt", "none")]);
        let location = self.browser.get(&url).await.location().unwrap();
        let sessions = list_sessions(server.provider(), &server.call(), self.user.id).await;
        location.query().unwrap().contains("code=") && sessions.is_ok_and(|sessions| sessions.len() == 1)
    }
}

/// What the server itself knows while it serves.
async fn serves(server: &Server, party: &RelyingParty<'_>) -> (bool, String) {
    let settings = server.provider().settings().await.unwrap();
    let idle = settings.duration(ostiary::model::setting::SESSION_IDLE_TIMEOUT);
    let url = party.authorization_url_with(&[
        ("client_id", "shop"),
        ("redirect_uri", "https://shop.example/callback"),
        ("scope", "openid"),
    ]);
    let page = Browser::new().get(&url).await;
    (page.status != 400, format!("{idle:?}"))
}

async fn an_interrupted_import_leaves_the_former_state(backend: Backend) {
    let interruption = Interruption::never();
    let failpoints = interruption.failpoints();
    let server = Server::start_fully(backend, |_| (), |options| options.failpoints = failpoints).await;
    let client = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
    let party = RelyingParty::new(&server, &client);
    run(&server, &former()).await.unwrap();
    let stays = Visitor::sign_in(&server, &party, "grace").await;
    let departs = Visitor::sign_in(&server, &party, "emmy").await;
    let (before, served) = (state(&server).await, serves(&server, &party).await);
    assert!(!served.0, "a client that is not there yet is known");
    let mut interrupted = 0;
    while interruption.run(&server, &next(), interrupted).await.is_err() {
        assert_eq!(state(&server).await, before, "after {interrupted} steps");
        assert_eq!(serves(&server, &party).await, served, "after {interrupted} steps");
        for visitor in [&stays, &departs] {
            assert!(visitor.is_signed_in(&server, &party).await, "after {interrupted} steps");
        }
        interrupted += 1;
        assert!(interrupted < 1_000, "it is refused whatever happens");
    }
    println!("{backend:?}: interrupted before each of {interrupted} steps");
    assert!(interrupted > 60, "only {interrupted} interruptions");
    assert_eq!(
        interruption.commits.load(Ordering::SeqCst),
        1,
        "all of it in one transaction"
    );
    // the one that was let through did all of it, and the server knows at once
    assert!(run_pruning(&server, &next(), PruneUsers::Yes).await.unwrap().is_empty());
    assert!(state(&server).await != before);
    assert_eq!(serves(&server, &party).await, (true, "1800s".to_owned()));
    assert!(stays.is_signed_in(&server, &party).await);
    assert!(!departs.is_signed_in(&server, &party).await);
    server.stop().await;
}

/// SEC-755: clients come back from a sealed export whatever they authenticate by, also one that has no secret left and those that
/// know people by pairwise subjects.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_client_comes_back_from_an_export() {
    let first = Server::start().await;
    let keys: Value = json!({"keys": [PrivateKey::generate(SigningAlgorithm::Es256).unwrap().public().jwk()]});
    let signing = |client: &mut Client| {
        client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::PrivateKeyJwt;
        client.metadata.jwks = Some(keys);
    };
    first.client(signing).await;
    let sealed = |client: &mut Client| {
        client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretJwt;
        client.metadata.subject_type = SubjectType::Pairwise;
    };
    let sealed = first.client(sealed).await;
    let bare = first.client(|_| ()).await.id;
    let secret = clients::find::get(first.provider(), bare).await.unwrap().secrets[0].id;
    let operator = clients::Authority::Operator;
    clients::remove_secret(first.provider(), &first.call(), &operator, bare, secret)
        .await
        .unwrap();
    let passphrase = Secret::new("a passphrase of the operator");
    let file = export(first.provider(), Secrets::Sealed(passphrase.clone()))
        .await
        .unwrap();
    let document = Document::read(&file, Some(&passphrase)).unwrap();
    let second = Server::start().await;
    for server in [&first, &second, &second] {
        let done = apply(server.provider(), &server.call(), &document, PruneUsers::No).await;
        let is_new = server.issuer() == second.issuer() && done.as_ref().unwrap().changes.len() == 3;
        assert!(is_new || done.as_ref().unwrap().is_empty(), "{}", done.unwrap());
    }
    let plain = async |server: &Server| {
        let file = export(server.provider(), Secrets::Omitted).await.unwrap();
        let mut clients = file["clients"].as_array().unwrap().clone();
        clients.sort_by_key(|client| client["client_id"].to_string());
        clients
    };
    assert_eq!(plain(&first).await, plain(&second).await);
    let there = inventory::clients(second.provider()).await.unwrap();
    let secrets = |client_id: &str| {
        let client = there.iter().find(|client| client.client_id == client_id).unwrap();
        client.secrets.clone()
    };
    let moved = secrets(&sealed.client_id);
    let master = &second.provider().master;
    let opened = master
        .open(clients::SECRET_PURPOSE, moved[0].sealed.as_ref().unwrap())
        .unwrap();
    assert_eq!(opened.to_vec(), sealed.secret.as_bytes());
    let counts: Vec<usize> = there.iter().map(|client| client.secrets.len()).collect();
    assert_eq!(
        counts.iter().sum::<usize>(),
        1,
        "one has keys, one has none left: {counts:?}"
    );
    first.stop().await;
    second.stop().await;
}

/// SEC-755: an entry that the database itself refuses, in the middle of a file, takes back everything before it; once the
/// database takes it, the same file works.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_takes_the_whole_file_back() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        run(&server, &former()).await.unwrap();
        server.user("emmy").await;
        let before = state(&server).await;
        let (forbid, allow) = match backend {
            Backend::Embedded => (
                "create trigger no_ada before insert on users when new.username = 'ada'
                begin select raise(abort, 'no'); end",
                "drop trigger no_ada",
            ),
            Backend::PostgresRedis => (
                "alter table users add constraint no_ada check (username <> 'ada')",
                "alter table users drop constraint no_ada",
            ),
        };
        server.behind(forbid).await;
        let done = run_pruning(&server, &next(), PruneUsers::Yes).await;
        assert!(matches!(done, Err(Error::Failed(_))), "{done:?}");
        assert_eq!(state(&server).await, before);
        assert!(server.provider().client("shop").await.unwrap().is_none());
        server.behind(allow).await;
        run_pruning(&server, &next(), PruneUsers::Yes).await.unwrap();
        assert!(server.provider().client("shop").await.unwrap().is_some());
        server.stop().await;
    }
}

/// What somebody else does when a file was judged and before its first change.
#[derive(Clone, Copy, Debug)]
enum Other {
    TakesTheUsername,
    TakesTheClientId,
    ChangesTheGroup,
    RemovesTheUser,
}

impl Other {
    const ALL: [Self; 4] = [
        Self::TakesTheUsername,
        Self::TakesTheClientId,
        Self::ChangesTheGroup,
        Self::RemovesTheUser,
    ];

    /// The entry that is refused, and why.
    const fn refusal(self) -> (&'static str, &'static str) {
        match self {
            Self::TakesTheUsername => ("/users/0/username", "taken"),
            Self::TakesTheClientId => ("/clients/0/client_id", "taken"),
            Self::ChangesTheGroup => ("/groups/0", "stale"),
            Self::RemovesTheUser => ("/users/1", "gone"),
        }
    }

    /// The section in which it is seen afterwards.
    const fn section(self) -> &'static str {
        match self {
            Self::TakesTheUsername | Self::RemovesTheUser => "users",
            Self::TakesTheClientId => "clients",
            Self::ChangesTheGroup => "groups",
        }
    }

    async fn happens(self, server: &Server, store: &Store) {
        let now = server.call().now;
        match self {
            Self::TakesTheUsername => {
                let other_address = |profile: &mut Profile| profile.email = None;
                drop(seed::user(store, now, "ada", (random::token(), "$argon2id$"), other_address).await);
            }
            Self::TakesTheClientId => {
                let master = &server.provider().master;
                drop(seed::client(store, master, now, |client| client.client_id = "shop".to_owned()).await);
            }
            Self::ChangesTheGroup => {
                let mut tx = store.write().await.unwrap();
                let group = tx.find_group_by_name("staff").await.unwrap().unwrap();
                assert!(tx.change_group(&group).await.unwrap());
                tx.commit().await.unwrap();
            }
            Self::RemovesTheUser => {
                let mut tx = store.write().await.unwrap();
                let user = tx.find_user_by_username("emmy").await.unwrap().unwrap();
                assert!(tx.delete_user(user.id).await.unwrap());
                tx.commit().await.unwrap();
            }
        }
    }
}

/// Lets somebody in once, when the transaction of a file has begun and before its first statement.
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    reached: Notify,
    left: Notify,
}

impl Door {
    fn failpoints(self: Arc<Self>) -> Failpoints {
        Failpoints::told_to(move |step| {
            let is_ours = APPLYING.try_with(|_| ()).is_ok() && step.place == Place::Transaction;
            let lets_in = is_ours && self.is_open.swap(false, Ordering::SeqCst);
            let door = self.clone();
            Box::pin(async move {
                if lets_in {
                    door.reached.notify_one();
                    door.left.notified().await;
                }
                Verdict::Goes
            })
        })
    }
}

/// SEC-755: what somebody else changes after a file was judged is found while it is carried out: the entry is named, and nothing
/// of the file is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_overtake_names_the_entry_and_changes_nothing() {
    for backend in backends() {
        for other in Other::ALL {
            let door = Arc::<Door>::default();
            let failpoints = door.clone().failpoints();
            let server = Server::start_fully(backend, |_| (), |options| options.failpoints = failpoints).await;
            run(&server, &former()).await.unwrap();
            server.user("emmy").await;
            let before = export(server.provider(), Secrets::Omitted).await.unwrap();
            door.is_open.store(true, Ordering::SeqCst);
            let store = Store::open(server.config().database_url.expose()).await.unwrap();
            let mut file = next();
            file.as_object_mut().unwrap().remove("prune");
            let overtakes = async {
                door.reached.notified().await;
                other.happens(&server, &store).await;
                door.left.notify_one();
            };
            let both = async { tokio::join!(APPLYING.scope((), mistakes(&server, &file)), overtakes) };
            let (found, ()) = tokio::time::timeout(PATIENCE, both).await.expect("nobody was let in");
            let (pointer, code) = other.refusal();
            assert_eq!(found, [(pointer.to_owned(), code)], "{backend:?} {other:?}");
            let after = export(server.provider(), Secrets::Omitted).await.unwrap();
            for section in ["settings", "resources", "clients", "groups", "users"] {
                if section != other.section() {
                    assert_eq!(before[section], after[section], "{backend:?} {other:?}");
                }
            }
            let names = after[other.section()].to_string();
            assert!(!names.contains("orders.read") && !names.contains("Lovelace") && !names.contains("shop.example"));
            store.close().await;
            server.stop().await;
        }
    }
}

/// SEC-755: applying an export changes nothing where it was made, and elsewhere rebuilds the same, secrets included; and an import
/// that is interrupted before any of its steps leaves the former state, on both databases.
#[tokio::test(flavor = "multi_thread")]
async fn prop_import_equiv() {
    let passphrase = Secret::new("a passphrase of the operator");
    let sealed = || Secrets::Sealed(passphrase.clone());
    let first = Server::start().await;
    run(&first, &whole()).await.unwrap();
    first.user("grace").await;
    first.public_client(|client| client.client_id = "spa".to_owned()).await;
    let user = first.user("emmy").await;
    let file = export(first.provider(), sealed()).await.unwrap();
    let text = file.to_string();
    assert!(!text.contains("$argon2id$") && !text.contains("a-client-secret"));
    assert!(matches!(Document::read(&file, None), Err(Error::Invalid(_))));
    assert!(matches!(
        Document::read(&file, Some(&Secret::new("another"))),
        Err(Error::Invalid(_))
    ));
    let document = Document::read(&file, Some(&passphrase)).unwrap();
    let here = apply(first.provider(), &first.call(), &document, PruneUsers::No)
        .await
        .unwrap();
    assert!(here.is_empty(), "{here}");
    let second = Server::start().await;
    apply(second.provider(), &second.call(), &document, PruneUsers::No)
        .await
        .unwrap();
    let there = apply(second.provider(), &second.call(), &document, PruneUsers::No)
        .await
        .unwrap();
    assert!(there.is_empty(), "{there}");
    let plain = async |server: &Server| export(server.provider(), Secrets::Omitted).await.unwrap();
    let sorted = |mut file: Value| {
        for section in ["clients", "users", "groups"] {
            let entries = file[section].as_array_mut().unwrap();
            entries.sort_by_key(|entry| entry.to_string());
        }
        file
    };
    assert_eq!(sorted(plain(&first).await), sorted(plain(&second).await));
    // the same person signs in with the same password, and is the same subject
    let mut store = second.provider().store.read().await.unwrap();
    let moved = store.find_user_by_username("emmy").await.unwrap().unwrap();
    drop(store);
    assert_eq!(moved.subject, user.subject);
    let hash = ostiary::credential::PasswordHash::parse(moved.password.unwrap().expose()).unwrap();
    let verdict = second
        .provider()
        .passwords
        .verify(Secret::new(user.password), Some(hash))
        .await
        .unwrap();
    assert!(matches!(verdict, ostiary::credential::Verdict::Right { .. }));
    first.stop().await;
    second.stop().await;
    for backend in backends() {
        an_interrupted_import_leaves_the_former_state(backend).await;
    }
}
