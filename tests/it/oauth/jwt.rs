//! What the server signs and seals: one kind never passes for another, nothing counts before its signature does, and no
//! claim says more than was granted.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::crypto::{self, MasterKey};
use ostiary::flow::operations::logouts::deliver_due;
use ostiary::flow::people::{ChangeSource, end_session};
use ostiary::flow::session::SessionToken;
use ostiary::jose::PrivateKey;
use ostiary::model::{Client, GrantType, PasswordHash, Secret, SigningAlgorithm, SubjectType, TokenEndpointAuthMethod};
use ostiary::protocol::client_authentication::JWT_BEARER;
use serde_json::{Map, Value, json};

use super::scene::{Scene, Tokens, active, assert_invalid_grant, assert_refused, resource, service};
use crate::architecture::source::sources;
use crate::support::browser::Browser;
use crate::support::logout_receiver::LogoutReceiver;
use crate::support::relying_party::{Answer, RelyingParty, claims, jwt_header};
use crate::support::server::{Server, TestClient, each_backend};

/// Claims under a key of the server itself, as none but it can sign them.
async fn signed(server: &Server, typ: &str, claims: &Map<String, Value>) -> String {
    let keyring = server.provider().keyring().await.unwrap();
    keyring
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign(typ, claims)
        .unwrap()
}

/// What an authorization request with this hint says: empty if it is taken.
async fn hinted(scene: &Scene<'_>, hint: &str) -> String {
    let party = scene.party();
    let url = party.authorization_url_with(&[("id_token_hint", hint)]);
    scene.arrive(&url).await.get("error").to_owned()
}

/// Whether the end-session endpoint takes this as the hint of who is to be signed out.
async fn ends_a_session(server: &Server, hint: &str) -> bool {
    let mut url = url::Url::parse(&server.url("/oauth2/end_session")).unwrap();
    url.query_pairs_mut().append_pair("id_token_hint", hint);
    let page = Browser::new().get(url.as_str()).await;
    assert!(
        page.status.is_redirection() || page.status.is_client_error(),
        "{} {}",
        page.status,
        page.body
    );
    page.status.is_redirection()
}

/// What a client with this way to authenticate is told when it brings a JWT as its assertion.
async fn asserted(server: &Server, client: &TestClient, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &client.client_id),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    RelyingParty::new(server, client)
        .post_as("/oauth2/token", &form, &[])
        .await
}

fn own_assertion(server: &Server, client: &TestClient, key: &PrivateKey) -> String {
    let now = server.call().now.seconds();
    let set = json!({
        "iss": client.client_id, "sub": client.client_id, "aud": server.issuer(),
        "iat": now, "exp": now + 60, "jti": ostiary::random::token(),
    });
    key.signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign("JWT", set.as_object().unwrap())
        .unwrap()
}

/// SEC-093
#[tokio::test(flavor = "multi_thread")]
async fn jwt_kind_cross_matrix() {
    each_backend(async |server| {
        let receiver = LogoutReceiver::start().await;
        let scene = Scene::with(server, |client| {
            client.metadata.userinfo_signed_response_alg = Some(SigningAlgorithm::Rs256);
            client.metadata.backchannel_logout_uri = Some(receiver.uri.clone());
        })
        .await;
        let party = scene.party();
        // another session of the person ends, and the client is told
        let left = party.sign_in(&Browser::new(), &scene.user).await;
        let left = claims(&party.redeem(left.code()).await.ok().get("id_token"));
        let (provider, session) = (server.provider(), left["sid"].as_str().unwrap().parse().unwrap());
        end_session(provider, &server.call(), &ChangeSource::Command, session)
            .await
            .unwrap();
        while deliver_due(provider, &server.call()).await.unwrap() {}
        let logout = receiver.told(1).await;
        // another client of the same person, and one that signs assertions with a key of its own
        let key = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
        let keys: Value = json!({"keys": [key.public().jwk()]});
        let asserting = server
            .client(|client| {
                client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::PrivateKeyJwt;
                client.metadata.grant_types = vec![GrantType::ClientCredentials];
                client.metadata.jwks = Some(keys);
            })
            .await;
        let tokens = scene.tokens().await;
        let userinfo = party.userinfo(&tokens.access).await.ok().body;
        // a client of the administration interface, whose tokens are for that alone
        let machine = server.client(service("admin:users.read")).await;
        let grant = [("grant_type", "client_credentials"), ("scope", "admin:users.read")];
        let of_api = RelyingParty::new(server, &machine).token(&grant).await.ok();
        let of_api = of_api.get("access_token");
        let assertion = own_assertion(server, &asserting, &key);
        let kinds = [
            ("id token", &tokens.id),
            ("access token", &tokens.access),
            ("userinfo", &userinfo),
            ("token of the API", &of_api),
            ("client assertion", &assertion),
            ("logout token", &logout),
        ];
        let keyring = server.provider().keyring().await.unwrap();
        for (kind, token) in kinds {
            assert_eq!(token.matches('.').count(), 2, "{kind} is a JWT");
            let is = |wanted: &str| kind == wanted;
            assert_eq!(
                party.userinfo(token).await.status.is_success(),
                is("access token"),
                "userinfo takes the {kind}"
            );
            assert_eq!(
                active(&party.introspect(token).await),
                is("access token"),
                "introspection knows the {kind}"
            );
            assert_eq!(
                hinted(&scene, token).await.is_empty(),
                is("id token"),
                "the {kind} hints"
            );
            assert_eq!(
                ends_a_session(server, token).await,
                is("id token"),
                "the {kind} is taken as a hint of who signs out"
            );
            let listed = party.get("/api/v1/users", token).await.status.as_u16();
            let expected = if is("token of the API") { 200 } else { 401 };
            assert_eq!(listed, expected, "the API takes the {kind}");
            assert_invalid_grant(&party.refresh(token).await);
            assert_invalid_grant(&party.redeem(token).await);
            // what applications take for a logout token, which is told to them alone
            let told = keyring.set().verify(token, &["logout+jwt"], SigningAlgorithm::ALL);
            assert_eq!(
                told.is_ok_and(|claims| claims.contains_key("events")),
                is("logout token"),
                "the {kind} signs out at an application"
            );
            // last: an assertion is used up by being taken; the refusal of its scopes is another matter
            let answer = asserted(server, &asserting, token).await;
            assert_eq!(
                answer.status != 401,
                is("client assertion"),
                "the {kind} authenticates: {}",
                answer.body
            );
            // request objects are not taken at all
            let url = party.authorization_url_with(&[("request", token)]);
            assert_eq!(scene.arrive(&url).await.get("error"), "request_not_supported");
        }
    })
    .await;
}

/// SEC-094
#[tokio::test(flavor = "multi_thread")]
async fn jwt_iss_aud_exact() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        let issuer = server.issuer();
        let (access, id) = (claims(&tokens.access), claims(&tokens.id));
        let with = |set: &Map<String, Value>, name: &str, value: Value| {
            let mut set = set.clone();
            set.insert(name.to_owned(), value);
            set
        };
        let near = |exact: &str| {
            [
                json!(format!("{exact}/")),
                json!(format!("{exact}x")),
                json!(exact[..exact.len() - 1]),
                json!(exact.to_uppercase()),
                json!(format!(" {exact}")),
                json!(format!("{exact}\u{0}")),
                json!(format!("{exact}#")),
                json!([format!("{exact}/")]),
                json!([]),
                json!(""),
                json!(7),
                json!({"value": exact}),
                json!([exact, 7]),
                Value::Null,
            ]
        };
        // signed again as it was, it counts: what follows fails for its issuer or audience
        party.userinfo(&signed(server, "at+jwt", &access).await).await.ok();
        assert_eq!(hinted(&scene, &signed(server, "JWT", &id).await).await, "");
        for wrong in near(issuer).into_iter().chain([json!([issuer])]) {
            let token = signed(server, "at+jwt", &with(&access, "iss", wrong.clone())).await;
            assert_refused(&party.userinfo(&token).await, 401, "invalid_token");
            assert!(!scene.counts(&token).await, "{wrong}");
            let hint = signed(server, "JWT", &with(&id, "iss", wrong.clone())).await;
            assert_eq!(hinted(&scene, &hint).await, "invalid_request", "{wrong}");
        }
        for wrong in near(issuer) {
            let token = signed(server, "at+jwt", &with(&access, "aud", wrong.clone())).await;
            assert_refused(&party.userinfo(&token).await, 401, "invalid_token");
        }
        for wrong in near(&scene.client.client_id) {
            let hint = signed(server, "JWT", &with(&id, "aud", wrong.clone())).await;
            assert_eq!(hinted(&scene, &hint).await, "invalid_request", "{wrong}");
        }
        for typ in ["JWT", "AT+JWT", "application/at+jwt", "at", "logout+jwt", "dpop+jwt"] {
            assert_refused(
                &party.userinfo(&signed(server, typ, &access).await).await,
                401,
                "invalid_token",
            );
        }
    })
    .await;
}

/// SEC-094
#[tokio::test(flavor = "multi_thread")]
async fn jwt_iss_aud_exact_for_resources() {
    const ORDERS: &str = "https://orders.example/api";
    each_backend(async |server| {
        resource(server, ORDERS, &["orders.read"], None).await;
        resource(server, "https://orders.example/api/v2", &["orders.write"], None).await;
        let scene = Scene::with(server, |client| {
            client.metadata.scope.add("orders.read");
            client.metadata.scope.add("orders.write");
        })
        .await;
        let aud = async |scope: &str| claims(&scene.tokens_for(scope).await.access)["aud"].clone();
        assert_eq!(aud("orders.read").await, json!(ORDERS));
        assert_eq!(aud("openid orders.read").await, json!([ORDERS, server.issuer()]));
        assert_eq!(aud("openid").await, json!(server.issuer()));
        let party = scene.party_for("openid orders.read");
        for near in [
            "https://orders.example",
            "https://orders.example/api/",
            "https://orders.example/API",
            "https://ORDERS.example/api",
            "https://orders.example/ap",
        ] {
            let arrival = scene.arrive(&party.authorization_url_with(&[("resource", near)])).await;
            assert_eq!(arrival.get("error"), "invalid_target", "{near}");
            let code = scene.code(&party).await;
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", party.client.redirect_uri.as_str()),
                ("code_verifier", party.code_verifier.as_str()),
                ("resource", near),
            ];
            assert_refused(&party.token(&form).await, 400, "invalid_target");
        }
    })
    .await;
}

/// A token with another payload under the old signature.
fn with_claim(jwt: &str, name: &str, value: Value) -> String {
    let mut set = claims(jwt);
    set.insert(name.to_owned(), value);
    let parts: Vec<&str> = jwt.split('.').collect();
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&set).unwrap());
    format!("{}.{payload}.{}", parts[0], parts[2])
}

/// The same payload under a header and signature of somebody else's making.
fn forgeries(jwt: &str) -> Vec<String> {
    let parts: Vec<&str> = jwt.split('.').collect();
    let header = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
    let (kid, typ) = (jwt_header(jwt)["kid"].clone(), jwt_header(jwt)["typ"].clone());
    let key = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    let foreign = key
        .signer(SigningAlgorithm::Es256)
        .unwrap()
        .sign(typ.as_str().unwrap(), &claims(jwt))
        .unwrap();
    let foreign: Vec<&str> = foreign.split('.').collect();
    vec![
        format!("{}.{}.", header(json!({"alg": "none", "typ": typ})), parts[1]),
        format!(
            "{}.{}.",
            header(json!({"alg": "none", "typ": typ, "kid": kid})),
            parts[1]
        ),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        // signed by another key, which the header names, brings along, or passes off as ours
        foreign.join("."),
        format!("{}.{}.{}", parts[0], foreign[1], foreign[2]),
        format!(
            "{}.{}.{}",
            header(json!({"alg": "ES256", "typ": typ, "jwk": key.public().jwk()})),
            parts[1],
            foreign[2]
        ),
        format!(
            "{}.{}.{}",
            header(json!({"alg": "ES256", "typ": typ, "kid": kid, "crit": []})),
            parts[1],
            parts[2]
        ),
    ]
}

/// SEC-095
#[tokio::test(flavor = "multi_thread")]
async fn jwt_verify_before_use() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let other = server.user("mallory").await;
        let tokens = scene.tokens().await;
        let mut tampered = forgeries(&tokens.access);
        for (name, value) in [
            ("scope", json!("openid admin")),
            ("sub", json!(other.subject)),
            ("exp", json!(4_000_000_000_u64)),
            ("aud", json!([server.issuer(), server.url("/api/v1")])),
            ("client_id", json!("somebody")),
        ] {
            tampered.push(with_claim(&tokens.access, name, value));
        }
        for token in &tampered {
            assert_refused(&party.userinfo(token).await, 401, "invalid_token");
            assert!(!scene.counts(token).await, "{token}");
            // nor does it lead to the token whose claims it has borrowed
            party.revoke(token).await.ok();
        }
        assert!(scene.counts(&tokens.access).await);
        let mut tampered = forgeries(&tokens.id);
        tampered.push(with_claim(&tokens.id, "sub", json!(other.subject)));
        tampered.push(with_claim(&tokens.id, "aud", json!("somebody")));
        for hint in &tampered {
            assert_eq!(hinted(&scene, hint).await, "invalid_request", "{hint}");
        }
        assert_eq!(hinted(&scene, &tokens.id).await, "");
    })
    .await;
}

fn names(set: &Map<String, Value>) -> BTreeSet<&str> {
    set.keys().map(String::as_str).collect()
}

/// The claims of every ID token of a code's exchange.
const ALWAYS: [&str; 12] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "sid",
    "nonce",
    "at_hash",
];

/// SEC-100
#[tokio::test(flavor = "multi_thread")]
async fn id_token_contents() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let profile = ["name", "given_name", "family_name", "preferred_username", "updated_at"];
        let cases: [(&str, &[&str]); 5] = [
            ("openid", &[]),
            ("openid email", &["email", "email_verified"]),
            ("openid profile", &profile),
            ("openid groups", &["groups"]),
            ("openid phone address offline_access", &[]),
        ];
        for (scope, told) in cases {
            let party = scene.party_for(scope);
            let tokens = scene.tokens_of(&party).await;
            let id = claims(&tokens.id);
            // scopes speak about the userinfo answer (Core section 5.4)
            assert_eq!(names(&id), ALWAYS.into(), "{scope}");
            let now = server.call().now.seconds();
            assert_eq!(id["iss"], server.issuer());
            assert_eq!(id["sub"], scene.user.subject.as_str());
            assert_eq!(id["aud"], scene.client.client_id.as_str());
            assert_eq!(id["azp"], scene.client.client_id.as_str());
            assert_eq!(id["nonce"], party.nonce.as_str());
            assert_eq!(id["sid"], scene.sessions().await[0].to_string());
            assert_eq!(
                (&id["amr"], &id["acr"]),
                (&json!(["pwd"]), &json!("urn:ostiary:password"))
            );
            let (issued, expires) = (id["iat"].as_i64().unwrap(), id["exp"].as_i64().unwrap());
            assert!((now - 10..=now).contains(&issued) && expires - issued == 600);
            assert!(id["auth_time"].as_i64().unwrap() <= issued);
            let half = &crypto::sha256(tokens.access.as_bytes())[..16];
            assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(half));

            let userinfo = party.userinfo(&tokens.access).await.ok().json();
            let mut expected: BTreeSet<&str> = told.iter().copied().collect();
            expected.insert("sub");
            // the sample person has no names
            expected.retain(|name| !["name", "given_name", "family_name"].contains(name));
            assert_eq!(names(userinfo.as_object().unwrap()), expected, "{scope}");
            assert_eq!(userinfo["sub"], id["sub"]);
        }
        // without openid there is none
        let tokens = scene.tokens_for("profile email").await;
        assert_eq!(tokens.id, "");
        // without a nonce there is none
        let party = scene.party_for("openid");
        let arrival = scene.arrive(&party.authorization_url_with(&[("nonce", "")])).await;
        let tokens = Tokens::of(&party.redeem(arrival.code()).await);
        assert!(!claims(&tokens.id).contains_key("nonce"));
        // what is asked for by name is told where it is asked for
        let wanted =
            json!({"id_token": {"email": null, "groups": {"essential": true}}, "userinfo": {"email_verified": null}});
        let arrival = scene
            .arrive(&party.authorization_url_with(&[("claims", &wanted.to_string())]))
            .await;
        let tokens = Tokens::of(&party.redeem(arrival.code()).await);
        let id = claims(&tokens.id);
        assert_eq!(names(&id), ALWAYS.into_iter().chain(["email", "groups"]).collect());
        assert_eq!(id["email"], scene.user.email.as_str());
        let userinfo = party.userinfo(&tokens.access).await.json();
        assert_eq!(userinfo, json!({"sub": scene.user.subject, "email_verified": true}));
    })
    .await;
}

/// SEC-100
#[tokio::test(flavor = "multi_thread")]
async fn id_token_contents_by_algorithm_and_subject_type() {
    let server = Server::start().await;
    for algorithm in [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Ps256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ] {
        let scene = Scene::with(&server, |client: &mut Client| {
            client.metadata.id_token_signed_response_alg = algorithm;
            client.metadata.subject_type = SubjectType::Pairwise;
        })
        .await;
        let tokens = scene.tokens_for("openid").await;
        let header = jwt_header(&tokens.id);
        assert_eq!(names(&header), ["alg", "kid", "typ"].into());
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!(algorithm.as_str()), &json!("JWT"))
        );
        let id = claims(&tokens.id);
        let hash = match algorithm {
            SigningAlgorithm::EdDsa => crypto::sha512(tokens.access.as_bytes())[..32].to_vec(),
            _ => crypto::sha256(tokens.access.as_bytes())[..16].to_vec(),
        };
        assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(hash));
        // the same person everywhere, as this client knows them; the account's own subject nowhere
        assert_ne!(id["sub"], scene.user.subject.as_str());
        assert_eq!(id["sub"], claims(&tokens.access)["sub"]);
        assert_eq!(
            scene.party().userinfo(&tokens.access).await.get("sub"),
            id["sub"].as_str().unwrap()
        );
    }
    server.stop().await;
}

/// SEC-102
#[tokio::test(flavor = "multi_thread")]
async fn reserved_claims_protected() {
    const RESERVED: [&str; 24] = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "azp",
        "nonce",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "typ",
        "client_id",
        "scope",
        "cnf",
        "act",
        "may_act",
        "events",
        "auth_time",
        "acr",
        "amr",
        "alg",
    ];
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party_for("openid profile");
        let wishes: Map<String, Value> = RESERVED
            .iter()
            // a subject that is asked for by value is a wish about the person, not about the claim
            .filter(|name| **name != "sub")
            .map(|name| ((*name).to_owned(), json!({"value": "mine"})))
            .collect();
        let wishes = json!({"id_token": wishes, "userinfo": wishes});
        let arrival = scene
            .arrive(&party.authorization_url_with(&[("claims", &wishes.to_string())]))
            .await;
        let tokens = Tokens::of(&party.redeem(arrival.code()).await);
        let id = claims(&tokens.id);
        assert_eq!(names(&id), ALWAYS.into());
        assert!(id.values().all(|value| value != "mine"), "{id:?}");
        assert!(claims(&tokens.access).values().all(|value| value != "mine"));
        let userinfo = party.userinfo(&tokens.access).await.ok().json();
        assert_eq!(userinfo["sub"], scene.user.subject.as_str());
        for name in RESERVED.iter().filter(|name| **name != "sub") {
            assert!(userinfo.get(*name).is_none(), "{name}");
        }
    })
    .await;
}

/// SEC-102
#[tokio::test(flavor = "multi_thread")]
async fn reserved_claims_protected_from_what_people_call_themselves() {
    let server = Server::start().await;
    let mut scene = Scene::with(&server, |client| {
        client.metadata.userinfo_signed_response_alg = Some(SigningAlgorithm::Es256);
    })
    .await;
    let breakout = r#"x","sub":"admin","iss":"https://evil.example","aud":["a"]"#;
    scene.user = server
        .user_with("breakout", |profile| {
            profile.name = Some(breakout.to_owned());
            profile.given_name = Some("sub".to_owned());
            profile.website = Some(breakout.to_owned());
        })
        .await;
    let party = scene.party_for("openid profile");
    let wishes = json!({"id_token": {"name": null, "website": null}});
    let arrival = scene
        .arrive(&party.authorization_url_with(&[("claims", &wishes.to_string())]))
        .await;
    let tokens = Tokens::of(&party.redeem(arrival.code()).await);
    let userinfo = claims(&party.userinfo(&tokens.access).await.ok().body);
    for set in [claims(&tokens.id), userinfo] {
        assert_eq!(set["iss"], server.issuer());
        assert_eq!(set["sub"], scene.user.subject.as_str());
        assert_eq!(set["aud"], scene.client.client_id.as_str());
        assert_eq!(set["name"], breakout);
    }
    server.stop().await;
}

struct Probe<T>(PhantomData<T>);

trait ComparesSafely {
    const PLAINLY: bool = false;
}
impl<T> ComparesSafely for Probe<T> {}

impl<T: PartialEq> Probe<T> {
    #[allow(dead_code)]
    const PLAINLY: bool = true;
}

/// SEC-108: the lint. A secret has no `==`, and what is let out of one is not compared in a way that takes its time.
#[test]
fn constant_time_compare() {
    assert_eq!(
        [
            ("text", Probe::<String>::PLAINLY),
            ("secret", Probe::<Secret>::PLAINLY),
            ("master key", Probe::<MasterKey>::PLAINLY),
            ("private key", Probe::<PrivateKey>::PLAINLY),
            ("session token", Probe::<SessionToken>::PLAINLY),
            ("password hash", Probe::<PasswordHash>::PLAINLY),
        ],
        [
            ("text", true),
            ("secret", false),
            ("master key", false),
            ("private key", false),
            ("session token", false),
            ("password hash", false),
        ]
    );
    let mut broken = Vec::new();
    for source in sources("src") {
        for (at, line) in source.text.lines().enumerate() {
            let compares = line.contains("==") || line.contains("!=") || line.contains(".eq(") || line.contains(".ne(");
            let lets_out = line.contains(".expose()") || line.contains("mac(") || line.contains(".derive(\"");
            if compares && lets_out && !line.trim_start().starts_with("//") && !line.contains("==\"") {
                broken.push(format!("src/{}:{}: {}", source.path, at + 1, line.trim()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "compare with matches() or crypto::equal:\n{}",
        broken.join("\n")
    );
    // and they do compare
    let (one, other) = (Secret::generate(), Secret::generate());
    assert!(one.matches(&one.clone()) && !one.matches(&other));
    assert!(one.digest().matches(&Secret::new(one.expose()).digest()) && !one.digest().matches(&other.digest()));
    assert!(!Secret::new("").matches(&one) && !Secret::new(&one.expose()[1..]).matches(&one));
}

/// Every purpose that something is sealed or derived for, as the sources name them.
fn purposes() -> Vec<(String, String)> {
    let mut purposes = Vec::new();
    for source in sources("src") {
        for line in source.text.lines() {
            let named = [
                "const SEALED_FOR:",
                "const ROOT_SEALED_FOR:",
                "PURPOSE: &str",
                "sealed_for: \"",
            ]
            .iter()
            .any(|word| line.contains(word));
            if let Some((_, rest)) = line.split_once('"').filter(|_| named || line.contains(".derive(\"")) {
                purposes.push((rest.split('"').next().unwrap().to_owned(), source.path.clone()));
            }
            // a purpose is said by name, so that it is found here
            let unnamed = ["seal(\"", "open(\""].iter().any(|call| line.contains(call));
            assert!(!unnamed, "src/{}: a purpose without a name: {line}", source.path);
        }
    }
    purposes
}

/// SEC-112
#[test]
fn blob_purpose_separation() {
    let purposes = purposes();
    assert!(purposes.len() >= 20, "{purposes:?}");
    let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
    for (word, path) in &purposes {
        if let Some(other) = claimed.insert(word, path) {
            panic!("src/{path} and src/{other} both claim {word:?}");
        }
    }
    let words: Vec<&str> = claimed.into_keys().collect();
    let master = MasterKey::generate();
    let other = MasterKey::generate();
    // the purposes of a program are known when it is written; a test may learn them later
    let words: Vec<&'static str> = words.into_iter().map(|word| &*word.to_owned().leak()).collect();
    let keys: BTreeSet<[u8; 32]> = words.iter().map(|word| master.derive(word)).collect();
    assert_eq!(keys.len(), words.len());
    for word in &words {
        let sealed = master.seal(word, b"plain");
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
        assert_ne!(sealed, master.seal(word, b"plain"), "sealed twice the same");
        for opened in &words {
            assert_eq!(
                master.open(opened, &sealed).is_ok(),
                opened == word,
                "{word} opened as {opened}"
            );
        }
        assert!(other.open(word, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(master.open(word, &changed).is_err(), "changed at {at}");
            assert!(master.open(word, &sealed[..at]).is_err(), "cut at {at}");
        }
        assert!(master.open(word, &[sealed.as_slice(), b"x"].concat()).is_err());
    }
}
