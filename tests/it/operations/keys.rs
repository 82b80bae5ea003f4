//! Signing keys: published ahead, signing, published until their last token has ended, and never readable at rest.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::flow::operations::key_plan::{KINDS, Rules, Step, due, kept};
use ostiary::flow::operations::keys::{Rotation, import, list, rotate, step};
use ostiary::jose::{KeySet, PrivateKey};
use ostiary::model::{Id, Secret, SigningAlgorithm, SigningKey, SigningKeyState, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use crate::support::backend::length;
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The shape that verifiers of the tests take.
const TYP: &[&str] = &["JWT"];

fn states(keys: &[SigningKey], kind: SigningAlgorithm) -> Vec<SigningKeyState> {
    keys.iter()
        .filter(|key| key.algorithm == kind)
        .map(|key| key.state)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_by_time() {
    use SigningKeyState::{Active, Next, Retired, Retiring};
    each_backend(async |server| {
        let provider = server.provider();
        assert!(step(provider, &server.call()).await.unwrap().is_empty());
        server.advance(DAY * 89 + HOUR);
        step(provider, &server.call()).await.unwrap();
        assert_eq!(states(&list(provider).await.unwrap(), KINDS[0]), [Active, Next]);
        assert_eq!(provider.keyring().await.unwrap().set().keys().len(), 6);
        assert!(step(provider, &server.call()).await.unwrap().is_empty());
        server.advance(DAY + HOUR);
        step(provider, &server.call()).await.unwrap();
        assert_eq!(states(&list(provider).await.unwrap(), KINDS[0]), [Retiring, Active]);
        assert_eq!(provider.keyring().await.unwrap().set().keys().len(), 6);
        server.advance(kept());
        step(provider, &server.call()).await.unwrap();
        let keys = list(provider).await.unwrap();
        assert_eq!(states(&keys, KINDS[0]), [Retired, Active]);
        // the private half is gone with the state
        assert!(
            keys.iter()
                .filter(|key| key.state == Retired)
                .all(|key| key.sealed.is_empty())
        );
        assert_eq!(provider.keyring().await.unwrap().set().keys().len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_nodes_one_rotates() {
    let server = Server::start().await;
    server.advance(DAY * 89 + HOUR);
    let call = server.call();
    let nodes = (0..4).map(|_| step(server.provider(), &call));
    let done = futures_util::future::join_all(nodes).await;
    let made: usize = done.into_iter().map(|steps| steps.unwrap().len()).sum();
    assert_eq!(made, 3);
    assert_eq!(list(server.provider()).await.unwrap().len(), 6);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_key_is_gone_at_once() {
    let server = Server::start().await;
    let provider = server.provider();
    let ring = provider.keyring().await.unwrap();
    let token = ring
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign("JWT", &claims())
        .unwrap();
    rotate(provider, &server.call(), Rotation::AtOnce).await.unwrap();
    let ring = provider.keyring().await.unwrap();
    assert!(ring.set().verify(&token, TYP, &[SigningAlgorithm::Es256]).is_ok());
    rotate(provider, &server.call(), Rotation::Emergency).await.unwrap();
    let ring = provider.keyring().await.unwrap();
    assert!(ring.set().verify(&token, TYP, &[SigningAlgorithm::Es256]).is_err());
    assert_eq!(ring.set().keys().len(), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_key_signs_after_it_was_announced() {
    let server = Server::start().await;
    let provider = server.provider();
    let brought = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    let jwk = brought.to_jwk();
    let key = import(provider, &server.call(), jwk.clone()).await.unwrap();
    assert_eq!((key.kid.as_str(), key.state), (brought.kid(), SigningKeyState::Next));
    assert!(import(provider, &server.call(), jwk).await.is_err());
    assert!(import(provider, &server.call(), Secret::new("nonsense")).await.is_err());
    server.advance(DAY + HOUR);
    step(provider, &server.call()).await.unwrap();
    let ring = provider.keyring().await.unwrap();
    let token = ring
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign("JWT", &claims())
        .unwrap();
    assert_eq!(crate::support::relying_party::jwt_header(&token)["kid"], brought.kid());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_key_signs_at_once_when_told_to() {
    let server = Server::start().await;
    let provider = server.provider();
    let first = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    let brought = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    import(provider, &server.call(), first.to_jwk()).await.unwrap();
    server.advance(HOUR);
    import(provider, &server.call(), brought.to_jwk()).await.unwrap();
    rotate(provider, &server.call(), Rotation::AtOnce).await.unwrap();
    let keys = list(provider).await.unwrap();
    use SigningKeyState::{Active, Retired, Retiring};
    // the one that came last signs, the one before it is over, and no other was made
    assert_eq!(states(&keys, SigningAlgorithm::Es256), [Retiring, Retired, Active]);
    assert_eq!(states(&keys, SigningAlgorithm::EdDsa), [Retiring, Active]);
    let ring = provider.keyring().await.unwrap();
    let token = ring
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign("JWT", &claims())
        .unwrap();
    assert_eq!(crate::support::relying_party::jwt_header(&token)["kid"], brought.kid());
    server.stop().await;
}

/// As an operator does it who moves in with the keys of another server.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_brought_along_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let brought = PrivateKey::generate(SigningAlgorithm::EdDsa).unwrap();
    let file = folder.path().join("key.jwk");
    std::fs::write(&file, brought.to_jwk().expose()).unwrap();
    let file = file.to_str().unwrap();
    let told = terminal.run(&["keys", "import", file]).await.ok();
    assert!(told.contains(brought.kid()), "{told}");
    assert!(told.contains("ostiary keys rotate --now"), "{told}");
    let again = terminal.run(&["keys", "import", file]).await.refused();
    assert!(again.contains("the key is there already"), "{again}");
    terminal.run(&["keys", "rotate", "--now"]).await.ok();
    let keys = terminal.run(&["keys", "list", "--json"]).await.json();
    let keys = keys.as_array().unwrap();
    let own = keys.iter().find(|key| key["kid"] == brought.kid()).unwrap();
    assert_eq!(own["state"], "active");
}

fn claims() -> serde_json::Map<String, serde_json::Value> {
    json!({"sub": "ada"}).as_object().unwrap().clone()
}

/// SEC-104, REL-54: a verifier that keeps the set for a quarter of an hour, which is no longer than keys are published ahead, meets
/// no token that it can't verify, over a hundred rotations (twelve in the quick part).
#[tokio::test(flavor = "multi_thread")]
async fn key_rotation_overlap() {
    let server = Server::start().await;
    server
        .settings(json!({"key": {"rotation_interval": "1h", "publish_ahead": "15m"}}))
        .await;
    let provider = server.provider();
    let token_life = Duration::from_secs(600);
    let minute = Duration::from_secs(60);
    let mut cached: (Timestamp, KeySet) = (server.call().now, provider.keyring().await.unwrap().set().clone());
    let mut issued: Vec<(Timestamp, String)> = Vec::new();
    let mut rotations = 0;
    let enough = length(12, 100, 100);
    while rotations < enough {
        server.advance(minute * 5);
        let call = server.call();
        let done = step(provider, &call).await.unwrap();
        rotations += done.iter().filter(|step| matches!(step, Step::Activate(..))).count();
        let ring = provider.keyring().await.unwrap();
        for kind in KINDS {
            issued.push((call.now, ring.signer(kind).unwrap().sign("JWT", &claims()).unwrap()));
        }
        issued.retain(|(at, _)| call.now < at.after(token_life));
        // the verifier reads the set when what it has is as old as the cache allows, or older
        if cached.0.after(minute * 15) <= call.now {
            cached = (call.now, ring.set().clone());
        }
        for (_, token) in &issued {
            assert!(cached.1.verify(token, TYP, &KINDS).is_ok());
            assert!(ring.set().verify(token, TYP, &KINDS).is_ok());
        }
    }
    server.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// SEC-753: at every moment each token that has not ended verifies under the published set, as seen by a client whose
    /// copy is as old as it may be; something always signs; and no key stays for ever.
    #[test]
    fn model_key_rotation(
        interval in 1u64..400,
        ahead in 1u64..100,
        lifetime in 1u64..24,
        pauses in prop::collection::vec(1u64..12, 50..150),
    ) {
        let hours = |count: u64| Duration::from_secs(count * 3600);
        let rules = Rules { interval: hours(interval), ahead: hours(ahead) };
        let mut now = Timestamp::from_seconds(1_800_000_000);
        let mut keys: Vec<SigningKey> = Vec::new();
        let mut tokens: Vec<(Timestamp, Id<SigningKey>)> = Vec::new();
        // what was published, and when: a client's copy is one of the past `ahead`
        let mut published: BTreeMap<Timestamp, Vec<Id<SigningKey>>> = BTreeMap::new();
        for pause in pauses {
            now = now.after(hours(pause));
            for step in due(&keys, rules, now) {
                take(&mut keys, step, now);
            }
            prop_assert!(due(&keys, rules, now).iter().all(|step| !matches!(step, Step::CreateActive(_))));
            let set: Vec<_> = keys.iter().filter(|key| key.state != SigningKeyState::Retired).map(|key| key.id).collect();
            published.insert(now, set.clone());
            let signing: Vec<_> = keys.iter().filter(|key| key.state == SigningKeyState::Active).collect();
            prop_assert_eq!(signing.len(), KINDS.len());
            tokens.extend(signing.iter().map(|key| (now, key.id)));
            tokens.retain(|(at, _)| now < at.after(hours(lifetime)));
            for (at, key) in &tokens {
                prop_assert!(set.contains(key));
                // every copy that a client may still hold when the token reaches it, from the second rotation on
                let first = *published.keys().next().unwrap();
                let oldest = at.before(rules.ahead);
                for copy in published.range(oldest..=*at).map(|(_, set)| set).filter(|_| first <= oldest) {
                    prop_assert!(copy.contains(key));
                }
            }
            prop_assert!(set.len() <= KINDS.len() * 30);
        }
    }
}

fn take(keys: &mut Vec<SigningKey>, step: Step, now: Timestamp) {
    let mut with = |id: Id<SigningKey>, change: &dyn Fn(&mut SigningKey)| {
        keys.iter_mut().filter(|key| key.id == id).for_each(change);
    };
    match step {
        Step::Create(kind) | Step::CreateActive(kind) => {
            let active = matches!(step, Step::CreateActive(_));
            keys.push(SigningKey {
                id: Id::new(now),
                kid: String::new(),
                algorithm: kind,
                state: if active {
                    SigningKeyState::Active
                } else {
                    SigningKeyState::Next
                },
                sealed: Vec::new(),
                created_at: now,
                activated_at: active.then_some(now),
                retiring_at: None,
                retired_at: None,
            });
        }
        Step::Activate(id, _) => with(id, &|key| {
            key.state = SigningKeyState::Active;
            key.activated_at = Some(now);
        }),
        Step::StopSigning(id, _) => with(id, &|key| {
            key.state = SigningKeyState::Retiring;
            key.retiring_at = Some(now);
        }),
        Step::Retire(id, _) => with(id, &|key| key.state = SigningKeyState::Retired),
    }
}

/// SEC-105: no private member of a key stands in the store's files in clear, and no document shows one.
#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_sealed() {
    let server = Server::start().await;
    let brought = PrivateKey::generate(SigningAlgorithm::Es256).unwrap().to_jwk();
    let jwk: serde_json::Value = serde_json::from_str(brought.expose()).unwrap();
    let private = jwk["d"].as_str().unwrap().to_owned();
    import(server.provider(), &server.call(), brought).await.unwrap();
    let page = crate::support::browser::Browser::new()
        .get(&server.url("/oauth2/jwks"))
        .await;
    assert!(page.body.contains(jwk["x"].as_str().unwrap()), "{}", page.body);
    assert!(!page.body.contains(&private));
    for key in page.json()["keys"].as_array().unwrap() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(name).is_none(), "{name}");
        }
    }
    for entry in std::fs::read_dir(server.folder().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(private.len()).any(|window| window == private.as_bytes()));
    }
    server.stop().await;
}
