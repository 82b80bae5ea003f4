//! Where the server ends: what is cut out of a stream of bytes, what is served as a file, what is sent out, and what a failure
//! inside tells outside.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ostiary::crypto::MasterKey;
use ostiary::flow::operations::settings::{ChangedBy, change};
use ostiary::jose::{MIN_SECRET_BYTES, PublicKey, require_strong_secret};
use ostiary::model::ApplicationType;
use ostiary::model::setting::DECLARED;
use ostiary::protocol::redirect_uri::{judge_document, judge_link, judge_registration};
use ostiary::view::Asset;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;
use crate::support::sources::{root, texts};

/// Sends these bytes, and reads until the server has been silent for a while or has hung up.
async fn exchange(server: &Server, bytes: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 8 * 1024];
    loop {
        match tokio::time::timeout(Duration::from_millis(300), stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => return (String::from_utf8_lossy(&answer).into_owned(), true),
            Ok(Ok(read)) => answer.extend_from_slice(&piece[..read]),
            Err(_) => return (String::from_utf8_lossy(&answer).into_owned(), false),
        }
    }
}

/// SEC-562, one node without a proxy: where a request ends is never a matter of opinion. One that says it in two ways gets one
/// answer, and the connection does not go on to what may be its rest.
#[tokio::test]
async fn request_smuggling_corpus() {
    let server = Server::start().await;
    let host = server.host();
    let rest = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let post = |headers: &str, body: &str| {
        format!(
            "POST /csp-report HTTP/1.1\r\nhost: {host}\r\ncontent-type: text/plain\r\n{headers}\r\n\r\n{body}{rest}"
        )
    };
    // so many requests are there, honestly
    let (answer, _) = exchange(&server, &post("content-length: 2", "{}")).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");

    let length = 5 + rest.len();
    let corpus = [
        post(
            &format!("content-length: {length}\r\ntransfer-encoding: chunked"),
            "0\r\n\r\n",
        ),
        post(
            &format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
            "0\r\n\r\n",
        ),
        post("content-length: 0\r\ncontent-length: 5", ""),
        post("content-length: 0, 5", ""),
        post("content-length: +0", ""),
        post("content-length: -1", ""),
        post("content-length: 0x0", ""),
        post("content-length: 18446744073709551617", ""),
        post("transfer-encoding: xchunked", "0\r\n\r\n"),
        post("transfer-encoding: chunked, identity", "0\r\n\r\n"),
        post("transfer-encoding : chunked", "0\r\n\r\n"),
        post("x: y\r\n transfer-encoding: chunked", "0\r\n\r\n"),
        post("transfer-encoding: chunked", "0x0\r\n\r\n"),
        post("transfer-encoding: chunked", "+0\r\n\r\n"),
        post("transfer-encoding: chunked", "ffffffffffffffffff\r\n"),
        post("x: y\0z\r\ncontent-length: 0", ""),
        post("x: y\rcontent-length: 0", ""),
    ];
    for request in corpus {
        let (answer, closed) = exchange(&server, &request).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{request}\n-- is answered --\n{answer}");
        assert!(closed, "the connection goes on after\n{request}\n{answer}");
        assert!(!answer.contains("HTTP/1.1 5"), "{request}\n{answer}");
    }
    server.stop().await;
}

/// SEC-673: files are served by their names in a list; nothing beside them, however it is spelled, and no listing.
#[tokio::test]
async fn static_allowlist() {
    let server = Server::start().await;
    let host = server.host();
    let status = async |path: &str| -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let (answer, _) = exchange(&server, &request).await;
        answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
    };
    let names: Vec<&str> = Asset::names().collect();
    assert!(names.len() >= 5);
    for name in &names {
        assert_eq!(status(&format!("/assets/{name}")).await, 200, "{name}");
        for beside in [
            format!("/assets/{name}/"),
            format!("/assets/{name}.bak"),
            format!("/assets/{name}~"),
            format!("/assets/./{name}"),
            format!("/assets//{name}"),
            format!("/assets/x/../{name}"),
            format!("/assets/{}", name.to_uppercase()),
            format!("/assets/{name}%00"),
            format!("/{name}"),
        ] {
            assert_eq!(status(&beside).await, 404, "{beside}");
        }
    }
    for path in [
        "/assets",
        "/assets/",
        "/assets/.",
        "/assets/..",
        "/assets/../Cargo.toml",
        "/assets/..%2fCargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/..%5cCargo.toml",
        "/assets/%2fetc%2fpasswd",
        "//etc/passwd",
        "/.git/config",
        "/.env",
        "/Cargo.toml",
        "/keys/master.key",
        "/data/ostiary.db",
        "/templates/page/login.html",
        "/.ci/run",
        "/docs/",
        "/robots.txt",
        "/server-status",
    ] {
        let status = status(path).await;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    server.stop().await;
}

/// SEC-531: what is no page can't act as one: its type is said and not guessed, and a browser that shows it runs nothing of it.
/// SEC-527: no answer becomes a script by a parameter, and no script holds anything about a person.
#[tokio::test]
async fn response_context_safe_and_no_jsonp() {
    let server = Server::start().await;
    // no name that the digits of a nonce may spell
    let user = server.user("quentin").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    party.sign_in(&browser, &user).await;
    let mut plain = vec![
        "/.well-known/openid-configuration".to_owned(),
        "/oauth2/jwks".to_owned(),
        "/oauth2/userinfo".to_owned(),
        "/api/v1/openapi.json".to_owned(),
        "/api/v1/users".to_owned(),
        "/healthz".to_owned(),
        "/.well-known/oauth-protected-resource".to_owned(),
    ];
    plain.extend(Asset::names().map(|name| format!("/assets/{name}")));
    for path in plain {
        let url = format!("{}?callback=alert&jsonp=alert&format=js", server.url(&path));
        let answers = [browser.get(&url).await, browser.get(&server.url(&path)).await];
        for answer in &answers {
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert!(
                answer.header("content-security-policy").contains("default-src 'none'"),
                "{path}"
            );
            assert!(!answer.header("content-type").contains("html"), "{path}");
            assert!(!answer.body.contains("alert("), "{path}: {}", answer.body);
            assert!(!answer.body.contains(&user.email), "{path}");
        }
        let kinds: BTreeSet<&str> = answers.iter().map(|answer| answer.header("content-type")).collect();
        let script = kinds.iter().any(|kind| kind.contains("javascript"));
        assert_eq!(script, path.ends_with(".js"), "{path}: {kinds:?}");
    }
    for path in ["/", "/login", "/logout", "/login/account", "/api/docs"] {
        let page = browser.open(&server.url(path)).await;
        for script in page.body.split("<script").skip(1) {
            let text = script.split("</script>").next().unwrap();
            for personal in [&user.username, &user.email, &user.subject] {
                assert!(!text.contains(personal.as_str()), "{path}: {text}");
            }
        }
    }
    server.stop().await;
}

/// SEC-502: the list of networks that may be reached is the operator's, in the configuration: it is no setting, and nobody
/// makes it one.
#[tokio::test]
async fn egress_allowlist_operator() {
    let server = Server::start().await;
    for setting in DECLARED {
        assert!(
            !setting.key.contains("egress") && !setting.key.contains("network"),
            "{}",
            setting.key
        );
    }
    for key in ["egress.networks", "egress", "networks", "egress_networks"] {
        let table = serde_json::json!({ key: ["10.0.0.0/8"] });
        let changed = change(
            server.provider(),
            &server.call(),
            table.as_object().unwrap(),
            ChangedBy::Command,
        )
        .await;
        assert!(changed.is_err(), "{key}");
    }
    let inside = "https://10.0.0.1/keys".parse().unwrap();
    assert!(!server.provider().egress.admits(&inside));
    server.stop().await;
}

/// SEC-507, for what is stored: an address that this server sends to or sends people to has at most 2048 bytes; what it takes to
/// echo behind one is bounded, too.
#[tokio::test]
async fn egress_length_bounds() {
    let of = |bytes: usize| {
        format!(
            "https://client.example/{}",
            "a".repeat(bytes - "https://client.example/".len())
        )
    };
    for (bytes, fits) in [(2_048, true), (2_049, false), (100_000, false)] {
        assert_eq!(judge_document(&of(bytes)).is_ok(), fits);
        assert_eq!(judge_link(&of(bytes)).is_ok(), fits);
        assert_eq!(judge_registration(&of(bytes), ApplicationType::Web).is_ok(), fits);
    }
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    for (bytes, fits) in [(100, true), (4_096, true), (4_097, false), (16_000, false)] {
        let state = "s".repeat(bytes);
        let url = party.authorization_url_with(&[("state", &state), ("prompt", "none")]);
        let answer = browser.get(&url).await;
        let location = answer.header("location");
        let error = if fits {
            "error=login_required"
        } else {
            "error=invalid_request"
        };
        assert!(location.contains(error), "{bytes}: {} {location}", answer.status);
        assert_eq!(location.contains(&format!("state={state}")), fits, "{bytes}");
        assert!(location.len() < 8_192, "{bytes}: {}", location.len());
    }
    server.stop().await;
}

/// SEC-583: below 128 bits nothing is taken (RSA from 2048 bits excepted).
#[test]
fn crypto_strength_floor() {
    for bits in [512, 1_024, 2_047] {
        let Ok(pair) = josekit::jwk::Jwk::generate_rsa_key(bits) else {
            // the library does not even make it
            continue;
        };
        let public = pair.to_public_key().unwrap();
        assert!(
            PublicKey::from_jwk(public.to_string().as_bytes()).is_err(),
            "{bits} bits"
        );
    }
    let enough = josekit::jwk::Jwk::generate_rsa_key(2_048)
        .unwrap()
        .to_public_key()
        .unwrap();
    assert!(PublicKey::from_jwk(enough.to_string().as_bytes()).is_ok());
    const { assert!(MIN_SECRET_BYTES * 8 >= 256) };
    let secret: Vec<u8> = (0..=u8::try_from(MIN_SECRET_BYTES).unwrap()).collect();
    assert!(require_strong_secret(&secret[..MIN_SECRET_BYTES]).is_ok());
    assert!(require_strong_secret(&secret[..MIN_SECRET_BYTES - 1]).is_err());
    let hashes = |memory: &str| {
        let variables = [("OSTIARY_HASHING__MEMORY_KIB", memory)];
        ostiary::config::Config::read(None::<ostiary::config::File>, variables).is_ok()
    };
    assert!(hashes("19456") && !hashes("19455"));
}

/// SEC-592: whatever is wrong with a sealed value or a token, the operation ends, with the same words.
#[tokio::test]
async fn crypto_fail_closed() {
    let key = MasterKey::generate();
    let sealed = key.seal("one", b"plain");
    let with = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        changed
    };
    let broken = [
        with(0),
        with(1),
        with(13),
        with(sealed.len() - 1),
        sealed[..12].to_vec(),
        Vec::new(),
    ];
    let told: BTreeSet<String> = broken
        .iter()
        .map(|bytes| key.open("one", bytes))
        .chain([key.open("other", &sealed), MasterKey::generate().open("one", &sealed)])
        .map(|opened| format!("{0} {0:?}", opened.unwrap_err()))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");

    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let token = party.tokens(&user).await.get("access_token");
    assert_eq!(party.userinfo(&token).await.status.as_u16(), 200);
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = B64.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let mut other_payload: serde_json::Value = serde_json::from_slice(&B64.decode(parts[1]).unwrap()).unwrap();
    other_payload["sub"] = "somebody".into();
    let tokens = [
        format!("{}.{}.{}", parts[0], parts[1], B64.encode([7; 64])),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{unsigned}.{}.", parts[1]),
        format!("{}.{}.{}", parts[0], B64.encode(other_payload.to_string()), parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        token.chars().rev().collect(),
        "x".to_owned(),
    ];
    let mut told = BTreeSet::new();
    for token in tokens {
        let answer = party.userinfo(&token).await;
        assert_eq!(answer.status.as_u16(), 401, "{token}");
        let mut body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if let Some(members) = body.as_object_mut() {
            members.remove("trace_id");
        }
        told.insert(format!("{} {body}", answer.header("www-authenticate")));
    }
    assert_eq!(told.len(), 1, "{told:#?}");
    server.stop().await;
}

/// SEC-506: every place that fetches stands in the inventory, and nothing else does.
#[test]
fn egress_inventory_doc() {
    let inventory = std::fs::read_to_string(root().join("docs/outbound.md")).unwrap();
    let mut fetching = 0;
    for folder in ["src/flow", "src/http", "src/jobs"] {
        for (name, text) in texts(folder, &["rs"]) {
            let fetches = [".get_json(", ".get_text(", ".post_form(", ".egress.tell("]
                .iter()
                .any(|call| text.contains(call));
            assert_eq!(fetches, inventory.contains(&format!("`{name}`")), "{name}");
            fetching += usize::from(fetches);
        }
    }
    assert!(fetching > 0);
}

/// SEC-566: the guide for the edge speaks of public certificates, revocation and the hiding of names.
#[test]
fn edge_tls_guide() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/edge.md")).unwrap();
    for topic in [
        "public authority",
        "OCSP",
        "Encrypted Client Hello",
        "HSTS",
        "OSTIARY_TRUSTED_PROXIES",
    ] {
        assert!(guide.contains(topic), "{topic}");
    }
    let index = std::fs::read_to_string(root.join("docs/README.md")).unwrap();
    assert!(index.contains("(edge.md)") && index.contains("(outbound.md)"));
}
