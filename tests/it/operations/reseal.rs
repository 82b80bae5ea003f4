//! Another master key: everything that is sealed is sealed anew while the server runs, on every node, interrupted or not.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::{HS256, JwsSigner};
use ostiary::clock::Clock;
use ostiary::crypto::{KeyId, MasterKey};
use ostiary::flow::authorization::interaction;
use ostiary::flow::letter;
use ostiary::flow::operations::idempotency::{self, Claim};
use ostiary::flow::operations::reseal::{self, Refusal, Step};
use ostiary::flow::{Call, Provider};
use ostiary::model::{Channel, GrantType, MasterKeyState, Secret, TokenEndpointAuthMethod};
use ostiary::protocol::client_authentication::JWT_BEARER;
use ostiary::server::{Application, Error, Options};
use ostiary::store::{OutboxMail, SealedColumn, Store};
use ostiary::vault;
use serde_json::json;

use crate::oauth::scene::Scene;
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Backend, Server, TestClient, each_backend};

/// How many mails wait to be sealed anew; `OSTIARY_TEST_SEALED_VALUES=100000` is the full length.
fn values() -> usize {
    let given = std::env::var("OSTIARY_TEST_SEALED_VALUES").ok();
    given.map_or(3_000, |given| given.parse().unwrap())
}

async fn add_mails(store: &Store, call: &Call, count: usize, sealed: impl Fn(usize) -> Vec<u8>) {
    let mut written = 0;
    while written < count {
        let mut tx = store.write().await.unwrap();
        for number in written..count.min(written + 500) {
            let mail = OutboxMail {
                channel: Channel::Mail,
                ends_at: None,
                kind: "welcome",
                recipient: "ada@example.com".to_owned(),
                locale: "en".to_owned(),
                sealed: sealed(number),
            };
            tx.add_mail(&mail, call.now).await.unwrap();
        }
        tx.commit().await.unwrap();
        written += 500;
    }
}

/// Every sealed value, by the key it names.
async fn sealed_under(store: &Store) -> Vec<Option<KeyId>> {
    let nobody = MasterKey::generate().id();
    let mut found = Vec::new();
    for column in SealedColumn::ALL {
        let mut after = column.start();
        loop {
            let mut read = store.read().await.unwrap();
            let page = read.list_sealed_otherwise(column, nobody, &after, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.place.clone();
            found.extend(page.iter().map(|value| KeyId::of(&value.sealed)));
        }
    }
    found
}

/// Steps until everything is done. The nodes' time to notice is moved over, not waited for.
async fn finish(server: &Server) -> u64 {
    for _ in 0..2_000 {
        match reseal::step(server.provider(), &server.call()).await.unwrap() {
            Step::Finished { total } => return total,
            Step::Unfinished { done, total } if done == total => server.advance(Duration::from_secs(6)),
            Step::Unfinished { .. } => (),
        }
    }
    panic!("it does not end");
}

async fn signs_for_itself(server: &Server, client: &TestClient) -> Answer {
    let now = server.call().now.seconds();
    let claims = json!({
        "iss": client.client_id, "sub": client.client_id, "aud": server.issuer(),
        "iat": now, "exp": now + 60, "jti": ostiary::random::token(),
    });
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signer = HS256.signer_from_bytes(client.secret.as_bytes()).unwrap();
    let assertion = format!(
        "{input}.{}",
        URL_SAFE_NO_PAD.encode(signer.sign(input.as_bytes()).unwrap())
    );
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &client.client_id),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", &assertion),
    ];
    RelyingParty::new(server, client)
        .post_as("/oauth2/token", &form, &[])
        .await
}

async fn asserting(server: &Server) -> TestClient {
    server
        .client(|client| {
            client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretJwt;
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
        })
        .await
}

/// A value as it was sealed before values named their key.
fn without_a_key(master: &MasterKey, purpose: &'static str, plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = ostiary::random::bytes();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &master.derive(purpose)).unwrap());
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(purpose.as_bytes()),
        &mut sealed,
    )
    .unwrap();
    [&[1][..], &nonce, &sealed].concat()
}

fn master_key(keys_dir: &Path) -> MasterKey {
    let text = std::fs::read_to_string(keys_dir.join("master.key")).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap();
    MasterKey::new(bytes.try_into().unwrap())
}

async fn answered(provider: &Provider, call: &Call, key: &str) -> Vec<u8> {
    match idempotency::claim(provider, call, "somebody", key, b"request")
        .await
        .unwrap()
    {
        Claim::Answered(answer) => answer,
        Claim::New(key) => {
            idempotency::answer(provider, &key, &Secret::new("an answer"))
                .await
                .unwrap();
            b"an answer".to_vec()
        }
    }
}

/// SEC-582, REL-56: the master key is changed with traffic running: no request fails, nothing is left under the key of
/// before, and what is derived stays what it was.
#[tokio::test(flavor = "multi_thread")]
async fn crypto_reencrypt() {
    each_backend(async |server| {
        let provider = server.provider();
        let keys_dir = server.config().keys_dir.clone();
        let first = master_key(&keys_dir);
        let count = values();
        add_mails(&provider.store, &server.call(), count, |number| match number % 2 {
            0 => provider.master.seal(letter::SEALED_FOR, b"a mail"),
            _ => without_a_key(&first, letter::SEALED_FOR, b"a mail"),
        })
        .await;
        let client = asserting(server).await;
        let scene = Scene::on(server).await;
        let before = scene.tokens().await;
        let pairwise = provider.pairwise_key();
        assert_eq!(answered(provider, &server.call(), "before").await, b"an answer");
        let party = scene.party();
        let refreshed = party.refresh(&before.refresh).await.ok().get("refresh_token");

        let done = AtomicBool::new(false);
        let requests = AtomicU32::new(0);
        let running = || {
            requests.fetch_add(1, Ordering::SeqCst);
            !done.load(Ordering::SeqCst)
        };
        let traffic = async {
            tokio::join!(
                Box::pin(async {
                    while running() {
                        signs_for_itself(server, &client).await.ok();
                    }
                }),
                Box::pin(async {
                    let mut token = refreshed.clone();
                    while running() {
                        token = party.refresh(&token).await.ok().get("refresh_token");
                    }
                }),
                Box::pin(async {
                    let scene = Scene::on(server).await;
                    while running() {
                        scene.tokens().await;
                    }
                }),
                Box::pin(async {
                    let mut number = 0;
                    while running() {
                        number += 1;
                        answered(provider, &server.call(), &format!("during {number}")).await;
                    }
                }),
            );
        };
        let change = async {
            let began = Instant::now();
            let prepared = reseal::prepare(provider, &server.call()).await.unwrap();
            assert!(prepared.is_new && keys_dir.join(format!("master-{}.key", prepared.id)).exists());
            let again = reseal::prepare(provider, &server.call()).await.unwrap();
            assert_eq!((again.id, again.is_new), (prepared.id, false));
            assert_eq!(provider.master.current(), first.id());
            // the successor of a retry within the window is the one of before
            let total = finish(server).await;
            let took = began.elapsed();
            done.store(true, Ordering::SeqCst);
            (prepared.id, total, took)
        };
        // boxed: what runs at once would together need more than a test's thread has for its stack
        let ((), (second, total, took)) = tokio::join!(Box::pin(traffic), Box::pin(change));
        assert!(total > count as u64);
        eprintln!(
            "{total} values in {took:?}, beside {} requests",
            requests.load(Ordering::SeqCst)
        );

        assert_eq!(provider.master.current(), second);
        let under = sealed_under(&provider.store).await;
        assert!(under.len() > count && under.iter().all(|key| *key == Some(second)));
        assert_eq!(provider.pairwise_key(), pairwise);
        assert_eq!(answered(provider, &server.call(), "before").await, b"an answer");
        assert_eq!(master_key(&keys_dir).id(), second);
        let (standing, unnamed) = reseal::list(provider).await.unwrap();
        assert_eq!(unnamed, 0);
        let states: Vec<_> = standing.iter().map(|key| (key.record.id, key.record.state)).collect();
        assert_eq!(
            states,
            [(first.id(), MasterKeyState::Older), (second, MasterKeyState::Current)]
        );
        assert!(standing[0].removable_at.is_some() && standing[1].removable_at.is_none());
        let again = reseal::step(provider, &server.call()).await;
        assert!(matches!(again, Err(Refusal::NothingPrepared)));

        // without the older file nothing is missing, also to a server that never knew it
        std::fs::remove_file(keys_dir.join(format!("master-{}.key", first.id()))).unwrap();
        let mut config = server.config().clone();
        if provider.store.is_embedded() {
            let copy = server.folder().join("copy");
            std::fs::create_dir_all(&copy).unwrap();
            for name in ["ostiary.db", "ostiary.db-wal"] {
                std::fs::copy(config.data_dir.join(name), copy.join(name)).unwrap();
            }
            config.database_url = Secret::new(format!("sqlite:{}", copy.join("ostiary.db").display()));
            config.data_dir = copy;
        }
        let fresh = Box::pin(Application::start(config, server.clock().clone(), Options::default()))
            .await
            .unwrap();
        assert_eq!(fresh.provider.pairwise_key(), pairwise);
        assert_eq!(
            fresh.provider.keyring().await.unwrap().set().document(),
            provider.keyring().await.unwrap().set().document()
        );
        assert_eq!(answered(&fresh.provider, &server.call(), "before").await, b"an answer");
        fresh.stop().await;
    })
    .await;
}

/// A value that no key opens is told, and everything else is done all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_open_stops_nothing_else() {
    let server = Server::start().await;
    let provider = server.provider();
    let lost = MasterKey::generate();
    add_mails(&provider.store, &server.call(), 500, |number| match number {
        250 => lost.seal(letter::SEALED_FOR, b"a mail"),
        _ => provider.master.seal(letter::SEALED_FOR, b"a mail"),
    })
    .await;
    reseal::prepare(provider, &server.call()).await.unwrap();
    let mut refused = None;
    for _ in 0..100 {
        if let Err(refusal) = reseal::step(provider, &server.call()).await {
            refused = Some(refusal.to_string());
            break;
        }
    }
    assert!(refused.unwrap().starts_with("1 value(s) open with no master key"));
    assert!(matches!(
        reseal::prepare(provider, &server.call()).await,
        Err(Refusal::Unfinished)
    ));
    let current = provider.master.current();
    let left: Vec<_> = sealed_under(&provider.store)
        .await
        .into_iter()
        .filter(|key| *key != Some(current))
        .collect();
    assert_eq!(left, [Some(lost.id())]);
    // once the key is back it is finished
    let file = server.config().keys_dir.join(format!("master-{}.key", lost.id()));
    std::fs::write(file, URL_SAFE_NO_PAD.encode(lost.expose())).unwrap();
    let server = server.restart().await;
    finish(&server).await;
    server.stop().await;
}

/// A node notices within the time of the generations; one that lacks the key says so and serves nobody until it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_new_key_refuses_until_it_has_it() {
    if quick() {
        return;
    }
    let server = Server::start_with(Backend::PostgresRedis).await;
    let keys_dir = server.config().keys_dir.clone();
    let copied = server.folder().join("keys of the other");
    std::fs::create_dir_all(&copied).unwrap();
    std::fs::copy(keys_dir.join("master.key"), copied.join("master.key")).unwrap();
    let with = server.node().await;
    let without = server.node_configured(|config| config.keys_dir = copied.clone()).await;
    let ready = async |node: &Server| Browser::new().get(&node.url("/readyz")).await.status.as_u16();
    let client = asserting(&server).await;

    let Err(Refusal::NothingPrepared) = reseal::step(server.provider(), &server.call()).await else {
        panic!("without a key that was distributed");
    };
    let prepared = reseal::prepare(server.provider(), &server.call()).await.unwrap();
    for node in [&with, &without] {
        assert_eq!(ready(node).await, 200);
    }
    finish(&server).await;
    eventually(async || with.provider().master.current() == prepared.id).await;
    eventually(async || ready(&without).await == 503).await;
    assert_eq!(without.provider().master.missing(), Some(prepared.id));
    assert_eq!(ready(&with).await, 200);
    signs_for_itself(&with, &client).await.ok();
    eventually(async || signs_for_itself(&without, &client).await.status == 503).await;
    let mut config = server.config().clone();
    config.keys_dir.clone_from(&copied);
    let refused = Application::start(config, Clock::default(), Options::default()).await;
    let Err(Error::Vault(vault::Error::Lacking { id, .. })) = refused else {
        panic!("a server without the key started");
    };
    assert_eq!(id, prepared.id);

    std::fs::copy(
        keys_dir.join("master.key"),
        copied.join(format!("master-{}.key", prepared.id)),
    )
    .unwrap();
    eventually(async || ready(&without).await == 200).await;
    signs_for_itself(&without, &client).await.ok();
    without.stop().await;
    with.stop().await;
    server.stop().await;
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The command beside a running server: it tells how far it is, and goes on after the server was killed in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_change_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["keys", "list"]).await.ok();
    let before = terminal.run(&["keys", "reseal", "--check", "--json"]).await.json();
    assert_eq!(before["keys"].as_array().unwrap().len(), 1, "{before}");
    let store_url = format!("sqlite:{}", folder.path().join("data/ostiary.db").display());
    let first = master_key(&folder.path().join("keys"));
    let count = 20_000;
    {
        let store = Store::open(&store_url).await.unwrap();
        let call = Call::operator(&Clock::default());
        add_mails(&store, &call, count, |_| first.seal(letter::SEALED_FOR, b"{}")).await;
        store.close().await;
    }
    let mut server = serve(&terminal, folder.path()).await;
    let mut command = terminal
        .command(&["keys", "reseal"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = command.stderr.take().unwrap();
    let line = tokio::task::spawn_blocking(move || {
        use std::io::BufRead;
        std::io::BufReader::new(told).lines().next().unwrap().unwrap()
    })
    .await
    .unwrap();
    assert!(line.contains(" values are sealed anew"), "{line}");
    server.kill().unwrap();
    server.wait().unwrap();
    command.wait().unwrap();
    let middle = terminal.run(&["keys", "reseal", "--check", "--json"]).await.json();
    assert_eq!(middle["keys"][1]["state"], "current", "{middle}");
    assert!(middle["keys"][1]["values"].as_u64().unwrap() > 0, "{middle}");
    let refused = terminal.run(&["keys", "reseal", "--prepare"]).await.refused();
    assert!(refused.contains("finish with"), "{refused}");

    let mut server = serve(&terminal, folder.path()).await;
    let done = terminal.run(&["keys", "reseal", "--json"]).await;
    assert!(done.err.contains("sealed anew"), "{done:?}");
    let done = done.json();
    assert_eq!(done["keys"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["values"], count + 3, "{done}");
    assert!(done["keys"][0]["removable_at"].is_string(), "{done}");
    let after = terminal.run(&["keys", "reseal", "--check"]).await.ok();
    assert!(after.contains("older") && after.contains("removable at"), "{after}");
    server.kill().unwrap();
    server.wait().unwrap();
    let second = done["keys"][1]["key"].as_str().unwrap();
    assert_eq!(master_key(&folder.path().join("keys")).id().to_string(), second);
    std::fs::remove_file(folder.path().join(format!("keys/master-{}.key", first.id()))).unwrap();
    terminal.run(&["keys", "list"]).await.ok();
}

async fn serve(terminal: &Terminal, folder: &Path) -> std::process::Child {
    let child = terminal
        .command(&["serve"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let socket = folder.join("data/control.sock");
    eventually(async || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    child
}

/// An older key may go when what waits in the ephemeral store has ended.
#[test]
fn nothing_pending_outlives_its_key() {
    assert!(interaction::LIFETIME <= reseal::PENDING);
}

/// Whatever stands sealed in the store is sealed anew: every column of that name is one that is known.
#[test]
fn every_sealed_column_is_known() {
    for engine in ["sqlite", "postgres"] {
        let mut found = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let mut table = "";
            for line in text.lines() {
                let mut words = line.split_whitespace();
                match (words.next(), words.next(), words.next()) {
                    (Some("create"), Some("table"), Some(name)) => table = name,
                    (Some(column), Some("blob" | "bytea" | "bytea,"), _) | (Some(column), Some("blob,"), _)
                        if column.starts_with("sealed") =>
                    {
                        found.push((table.to_owned(), column.to_owned()));
                    }
                    _ => (),
                }
            }
        }
        found.sort();
        // a step may make a table anew
        found.dedup();
        let mut known: Vec<_> = SealedColumn::ALL
            .iter()
            .map(|column| (column.name().0.to_owned(), column.name().1.to_owned()))
            .collect();
        known.sort();
        assert_eq!(found, known, "{engine}");
    }
}
