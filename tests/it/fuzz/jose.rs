//! Tokens that are nearly right.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use josekit::jws::{HS256, JwsSigner};
use ostiary::clock::Clock;
use ostiary::jose::{
    AssertionKeys, KeySet, MAX_COMPACT_BYTES, PrivateKey, RemoteKeys, peek_unverified_issuer, verify_assertion,
};
use ostiary::model::{ClientSigningAlgorithm, SigningAlgorithm};
use serde_json::json;

use super::{Change, holds, pieces};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

const HEADERS: &[&str] = &[
    "{",
    "}",
    "\"alg\"",
    "\"kid\"",
    "\"typ\"",
    "\"crit\"",
    "\"b64\"",
    "\"jwk\"",
    "\"jku\"",
    "\"zip\"",
    ":",
    ",",
    "\"none\"",
    "\"HS256\"",
    "\"RS256\"",
    "\"ES256\"",
    "\"EdDSA\"",
    "\"at+jwt\"",
    "[\"exp\"]",
    "null",
    "1e999",
    "[",
    "]",
    "\"a\"",
    "\"\\u0000\"",
];

struct Ground {
    set: KeySet,
    remote: RemoteKeys,
    /// Signed right, for us and for assertions.
    tokens: Vec<String>,
    assertion: String,
}

fn ground() -> Ground {
    let keys = [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ]
    .map(|algorithm| (algorithm, PrivateKey::generate(algorithm).unwrap()));
    let claims = json!({ "iss": "https://id.example", "sub": "s", "aud": ["a"], "exp": 1_900_000_000 });
    let claims = claims.as_object().unwrap();
    let mut tokens = Vec::new();
    for (algorithm, key) in &keys {
        tokens.push(key.signer(*algorithm).unwrap().sign("at+jwt", claims).unwrap());
    }
    let public: Vec<_> = keys.iter().map(|(_, key)| key.public().clone()).collect();
    let published: Vec<_> = public.iter().map(|key| serde_json::Value::Object(key.jwk())).collect();
    let remote = RemoteKeys::registered(json!({ "keys": published }).to_string().as_bytes()).unwrap();
    let input = format!(
        "{}.{}",
        B64.encode(r#"{"alg":"HS256"}"#),
        B64.encode(r#"{"iss":"c","sub":"c"}"#)
    );
    let mac = HS256.signer_from_bytes(SECRET).unwrap().sign(input.as_bytes()).unwrap();
    Ground {
        set: KeySet::new(public).unwrap(),
        remote,
        tokens,
        assertion: format!("{input}.{}", B64.encode(mac)),
    }
}

impl Ground {
    /// Presents it everywhere: it counts only if it is one of those that were signed, byte for byte.
    fn present(&self, compact: &str) {
        let ours = self.tokens.iter().any(|token| token == compact);
        let accepted = self.set.verify(compact, &["at+jwt"], SigningAlgorithm::ALL);
        assert_eq!(accepted.is_ok(), ours, "{compact}");
        let by_keys = verify_assertion(compact, AssertionKeys::Keys(&self.remote), ClientSigningAlgorithm::ALL);
        assert_eq!(by_keys.is_ok(), ours, "{compact}");
        let by_secret = verify_assertion(compact, AssertionKeys::Secret(SECRET), ClientSigningAlgorithm::ALL);
        assert_eq!(by_secret.is_ok(), compact == self.assertion, "{compact}");
        drop(peek_unverified_issuer(compact));
        for algorithm in SigningAlgorithm::ALL {
            if let Ok(verified) =
                verify_assertion(compact, AssertionKeys::Keys(&self.remote), ClientSigningAlgorithm::ALL)
            {
                let alone = self.set.verify(compact, &["at+jwt"], &[*algorithm]);
                let named = verified.algorithm.asymmetric() == Some(*algorithm);
                assert_eq!(alone.is_ok(), named, "allow-list of {algorithm}");
            }
        }
    }
}

/// SEC-702: no panic; what is accepted is exactly what was signed, under an allowed algorithm and a configured key.
#[test]
fn fuzz_jose() {
    let ground = ground();
    for token in ground.tokens.iter().chain([&ground.assertion]) {
        ground.present(token);
    }
    let all: Vec<String> = ground.tokens.iter().chain([&ground.assertion]).cloned().collect();
    let near = (0..all.len(), proptest::collection::vec(Change::any(), 1..3));
    holds(1_500, near, |(which, changes)| {
        let changed = changes
            .iter()
            .fold(all[which].clone(), |text, change| change.of_text(&text));
        ground.present(&changed);
    });
    // parts of one token in another
    holds(
        200,
        (0..all.len(), 0..all.len(), 0..all.len(), ".{0,3}"),
        |(one, two, three, more)| {
            let part = |which: usize, part: usize| all[which].split('.').nth(part).unwrap().to_owned();
            let mixed = format!("{}.{}.{}", part(one, 0), part(two, 1), part(three, 2));
            ground.present(&mixed);
            ground.present(&format!("{mixed}{more}"));
        },
    );
    holds(1_500, (pieces(HEADERS, 14), 0..all.len()), |(header, which)| {
        let rest = all[which].split_once('.').unwrap().1;
        ground.present(&format!("{}.{rest}", B64.encode(header)));
    });
    holds(1_000, "[A-Za-z0-9_.=-]{0,120}", |text| ground.present(&text));
    holds(500, "\\PC{0,60}", |text| ground.present(&text));
}

/// SEC-702: 16 KiB of anything cost less than 5 ms. The best of a few tries counts: the machine does other things too.
#[test]
fn a_token_of_any_shape_is_judged_at_once() {
    let ground = ground();
    let clock = Clock::default();
    let fill = |text: &str| text.repeat(MAX_COMPACT_BYTES / text.len());
    let deep = format!("{}.e30.AA", B64.encode(&fill("[").as_bytes()[..12_000]));
    let many_members: String = (0..1_000).map(|at| format!("\"{at}\":1,")).collect();
    let wide = format!("{}.e30.AA", B64.encode(format!("{{{many_members}\"alg\":\"ES256\"}}")));
    let long_signature = format!("{}.AA", ground.tokens[0].rsplit_once('.').unwrap().0) + &"A".repeat(12_000);
    for text in [
        fill("."),
        fill("a"),
        fill("a."),
        fill("e30."),
        deep,
        wide,
        long_signature,
    ] {
        assert!(text.len() <= MAX_COMPACT_BYTES + 1_024, "{}", text.len());
        let best = (0..7)
            .map(|_| {
                let began = clock.micros();
                let accepted = ground.set.verify(&text, &["at+jwt"], SigningAlgorithm::ALL);
                assert!(accepted.is_err());
                clock.micros() - began
            })
            .min()
            .unwrap();
        assert!(best < 5_000, "{best} microseconds for {}", &text[..20]);
    }
}
