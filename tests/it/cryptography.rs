//! Keys, labels, nonces and failures: what the sources do is what the inventory says.

use std::collections::BTreeSet;

use ostiary::credential::{Parameters, derive_key};
use ostiary::crypto::{self, MasterKey};
use ostiary::model::{ClientSigningAlgorithm, Secret, SigningAlgorithm};
use ostiary::random;

use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;
use crate::support::sources::{root, texts};

fn sources() -> Vec<(String, String)> {
    texts("src", &["rs"])
}

fn inventory() -> String {
    std::fs::read_to_string(root().join("docs/crypto.md")).unwrap()
}

/// The first cells, in backquotes, of the table below a heading.
fn rows(inventory: &str, heading: &str) -> BTreeSet<String> {
    let section = inventory.split(&format!("## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect()
}

/// The labels that the sources seal with or derive keys for; the test fails where two places claim the same.
fn labels() -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for (path, text) in sources() {
        let mut claim = |label: &str| {
            assert!(
                labels.insert(label.to_owned()),
                "{path}: {label:?} is claimed by another purpose too"
            );
        };
        for begins in [".derive(\"", "sealed_for: \""] {
            for rest in text.split(begins).skip(1) {
                claim(rest.split('"').next().unwrap());
            }
        }
        for line in text.lines().filter(|line| line.contains(": &str = \"")) {
            let (before, after) = line.split_once(": &str = \"").unwrap();
            let name = before.rsplit(' ').next().unwrap();
            let used = ["seal(", "open(", "derive("]
                .iter()
                .any(|call| text.contains(&format!("{call}{name}")));
            let shared = line.trim_start().starts_with("pub const") && ["SEALED_FOR", "SECRET_PURPOSE"].contains(&name);
            if used || shared {
                claim(after.split('"').next().unwrap());
            }
        }
    }
    labels
}

/// SEC-580: the inventory names every label of the master key and every algorithm, and none that does not exist.
#[test]
fn crypto_inventory() {
    let inventory = inventory();
    assert_eq!(rows(&inventory, "Labels of the master key"), labels());
    let primitives = rows(&inventory, "Primitives");
    for algorithm in SigningAlgorithm::ALL {
        assert!(primitives.contains(algorithm.as_str()), "{}", algorithm.as_str());
    }
    for algorithm in ClientSigningAlgorithm::ALL {
        assert!(primitives.contains(algorithm.as_str()), "{}", algorithm.as_str());
    }
    let crypto = std::fs::read_to_string(root().join("src/crypto.rs")).unwrap();
    for (in_code, named) in [
        ("AES_256_GCM", "AES-256-GCM"),
        ("HKDF_SHA256", "HKDF-SHA-256"),
        ("HMAC_SHA256", "HMAC-SHA-256"),
        ("PBKDF2_HMAC_SHA256", "PBKDF2"),
        ("digest::SHA256", "SHA-256"),
        ("digest::SHA512", "SHA-512"),
        ("digest::SHA1_FOR_LEGACY_USE_ONLY", "SHA-1"),
    ] {
        assert!(crypto.contains(in_code) && primitives.contains(named), "{named}");
    }
    // what other systems have hashed with it is verified once, and replaced
    let ours = crypto.replace("PBKDF2_HMAC_SHA1", "");
    for absent in ["AES_128", "CHACHA", "SHA384", "HMAC_SHA1", "ECDH"] {
        assert!(!ours.contains(absent), "{absent} is not in the inventory");
    }
}

/// SEC-584: of a great many values that were sealed alike, no two have the same nonce.
#[test]
fn nonce_uniqueness() {
    let master = MasterKey::generate();
    let count = 20_000;
    let nonces: BTreeSet<Vec<u8>> = (0..count)
        .map(|_| master.seal("test", b"the same")[9..21].to_vec())
        .collect();
    assert_eq!(nonces.len(), count);
    let inventory = inventory();
    assert!(inventory.contains("2^32") && inventory.contains("SP 800-38D"));
}

/// SEC-585: what must not be guessed has at least 128 bits from the system's generator, which one file asks.
#[test]
fn random_values_audit() {
    use base64::Engine;
    let decode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    assert_eq!(decode(&random::token()).len(), 32);
    assert_eq!(decode(Secret::generate().expose()).len(), 32);
    assert_eq!(random::hex_id().len(), 32);
    let drawn: BTreeSet<String> = (0..10_000).map(|_| random::token()).collect();
    assert_eq!(drawn.len(), 10_000);
    let askers: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| {
            [
                "getrandom::",
                "rand::",
                "thread_rng",
                "OsRng",
                "SystemRandom",
                "fastrand",
            ]
            .iter()
            .any(|word| text.contains(word))
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(askers, ["src/random.rs"]);
    // an id is told to everyone: no secret is made of one
    for (path, text) in sources() {
        assert!(
            !text.contains("Secret::new(Id::") && !text.contains("Secret::new(uuid"),
            "{path}"
        );
    }
}

/// What compares passwords with the digests that others publish, which are of SHA-1.
const COMPARES: [&str; 6] = [
    "src/crypto.rs",
    "src/cli/breached.rs",
    "src/credential/breached.rs",
    "src/credential/breached_build.rs",
    "src/flow/people/breach_service.rs",
    "src/model/setting/declared.rs",
];

/// SEC-586: nothing here hashes with less than SHA-256, but to compare with what others publish.
#[test]
fn hash_allowlist() {
    for (path, text) in sources() {
        let lower = text.to_lowercase();
        for weak in ["md5", "sha1::", "sha1_", "sha-1", "hs1", "ripemd", "md4"] {
            let is_compared = weak.starts_with("sha") && COMPARES.contains(&path.as_str());
            assert!(is_compared || !lower.contains(weak), "{path}: {weak}");
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for weak in ["md-5", "md5", "sha1", "sha-1"] {
        assert!(!manifest.lines().any(|line| line.starts_with(weak)), "{weak}");
    }
}

/// SEC-587: known answers of the derivations, and another label is another key.
#[test]
fn kdf_rules() {
    let master = MasterKey::new([7; 32]);
    assert_ne!(master.derive("one"), master.derive("two"));
    assert_eq!(master.derive("one"), MasterKey::new([7; 32]).derive("one"));
    assert_ne!(master.derive("one"), MasterKey::new([8; 32]).derive("one"));
    // RFC 5869 by hand: extract with the salt, one block of expand with the label
    let hmac = |key: &[u8], data: &[u8]| hmac_sha256(key, data);
    let extracted = hmac(b"ostiary", &[7; 32]);
    assert_eq!(master.derive("one"), hmac(&extracted, b"one\x01"));
    // Argon2id version 19, of the reference implementation's own tests: t=2, p=1, 32 bytes
    for (memory_kib, expected) in [
        (256, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
        (
            65_536,
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
        ),
    ] {
        let parameters = Parameters {
            memory_kib,
            iterations: 2,
            parallelism: 1,
        };
        let key = derive_key(&Secret::new("password"), b"somesalt", parameters).unwrap();
        assert_eq!(hex(&key), expected);
    }
    assert!(derive_key(&Secret::new(""), b"somesalt", Parameters::default()).is_err());
}

/// HMAC (RFC 2104), written out.
fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = crypto::sha256(&[&padded(0x36)[..], data].concat());
    crypto::sha256(&[&padded(0x5c)[..], &inner].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SEC-592: whatever is wrong with what was sealed or signed, the answer is one and the same.
#[tokio::test(flavor = "multi_thread")]
async fn crypto_fail_closed() {
    let master = MasterKey::generate();
    let sealed = master.seal("test", b"a secret of some length");
    let refusal = |bytes: &[u8]| master.open("test", bytes).unwrap_err().to_string();
    let expected = refusal(b"");
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[index] ^= 1 << bit;
            assert_eq!(refusal(&changed), expected);
        }
        assert_eq!(refusal(&sealed[..index]), expected);
    }
    assert_eq!(master.open("another", &sealed).unwrap_err().to_string(), expected);
    assert_eq!(
        MasterKey::generate().open("test", &sealed).unwrap_err().to_string(),
        expected
    );

    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let ring = server.provider().keyring().await.unwrap();
    let claims = serde_json::json!({"sub": "ada"}).as_object().unwrap().clone();
    let token = ring
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign("at+jwt", &claims)
        .unwrap();
    let cut = token.rsplit_once('.').unwrap().0.to_owned();
    let other_key = {
        let foreign = ostiary::jose::PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
        foreign
            .signer(SigningAlgorithm::Es256)
            .unwrap()
            .sign("at+jwt", &claims)
            .unwrap()
    };
    let mut answers = BTreeSet::new();
    for wrong in [
        format!("{token}A"),
        format!("{cut}."),
        format!("{cut}.AAAA"),
        other_key,
        "a.b.c".to_owned(),
        "x".to_owned(),
    ] {
        let answer = party.userinfo(&wrong).await;
        answers.insert((
            answer.status.as_u16(),
            answer.header("www-authenticate").to_owned(),
            answer.error(),
        ));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers.first().unwrap().0, 401);
    server.stop().await;
}
