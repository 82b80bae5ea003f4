//! The kinds of things that count once, and how each is raced for.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use ostiary::model::{ConsentMode, GrantType, Id, Scopes, Secret, TokenEndpointAuthMethod};
use ostiary::random;
use ostiary::store::{RegistrationToken, Store};
use serde_json::json;

use super::{Meter, RACERS, Track, winners};
use crate::support::browser::Browser;
use crate::support::html::Form;
use crate::support::ledger::token_request;
use crate::support::process::now;
use crate::support::relying_party::RelyingParty;
use crate::support::wire::{Wire, form, request};

/// Another network for each race.
pub(super) fn network(round: usize) -> String {
    let round = u32::try_from(round).unwrap();
    format!("10.{}.{}.{}", round >> 16 & 0xff, round >> 8 & 0xff, round & 0xff)
}

/// Authorization codes.
pub async fn codes(track: &mut Track) {
    let mut meter = Meter::of("authorization codes", track);
    let mut silent = Wire::to(track.nodes[0].address);
    while meter.goes_on() {
        let code = track.stage.code(&mut silent).await;
        let redeem = track.stage.redeem(&code);
        let answers = track.race(|_| redeem.clone(), RACERS).await;
        assert_eq!(winners(&answers, &[(400, "invalid_grant")]).len(), 1);
        meter.count(&answers);
    }
}

/// Refresh tokens: whoever loses gets what the winner got, and it was made once.
pub async fn refresh_tokens(track: &mut Track) {
    let mut meter = Meter::of("refresh tokens", track);
    let mut wire = Wire::to(track.nodes[0].address);
    let code = track.stage.code(&mut wire).await;
    let first = wire.exchange(&track.stage.redeem(&code)).await.unwrap();
    let mut newest = first.get("refresh_token");
    while meter.goes_on() {
        let refresh = track.stage.refresh(&newest);
        let answers = track.race(|_| refresh.clone(), RACERS).await;
        let won = winners(&answers, &[]);
        let successors: BTreeSet<String> = won.iter().map(|answer| answer.get("refresh_token")).collect();
        assert_eq!(successors.len(), 1, "{successors:?}");
        newest = successors.into_iter().next().unwrap();
        meter.count(&answers);
    }
    // one rotation each was done
    let store = track.installation.store().await;
    let grant = store
        .read()
        .await
        .unwrap()
        .find_grant_by_code(&Secret::new(code).digest())
        .await
        .unwrap()
        .unwrap();
    store.close().await;
    let database = ostiary::sql::Database::open(
        track.installation.config.database_url.expose(),
        ostiary::sql::Durability::Full,
    )
    .await
    .unwrap();
    let links: i64 = database
        .read()
        .await
        .unwrap()
        .sql("select count(*) from refresh_tokens where grant_id = $1")
        .bind(grant.id.uuid())
        .one()
        .await
        .unwrap();
    database.close().await;
    assert_eq!(usize::try_from(links).unwrap(), meter.rounds + 1);
}

/// Assertions of clients, by their `jti`.
pub async fn assertions(track: &mut Track) {
    let mut meter = Meter::of("client assertions", track);
    let client = track
        .installation
        .client(|client| {
            client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretJwt;
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
            client.metadata.redirect_uris.clear();
            client.metadata.scope = Scopes::parse("admin:users.read").unwrap();
        })
        .await;
    let (host, issuer) = (track.installation.host(), track.installation.issuer());
    while meter.goes_on() {
        let seconds = now().seconds();
        let claims = json!({
            "iss": client.client_id, "sub": client.client_id, "aud": issuer, "jti": random::token(),
            "iat": seconds, "exp": seconds + 120,
        });
        let assertion = signed(&client.secret, &claims);
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "admin:users.read"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.as_str()),
        ];
        let from = network(meter.rounds);
        let asked = form(&host, "/oauth2/token", &fields, &[("x-forwarded-for", &from)]);
        let answers = track.race(|_| asked.clone(), RACERS).await;
        assert_eq!(winners(&answers, &[(401, "invalid_client")]).len(), 1);
        meter.count(&answers);
    }
}

/// HS256 (RFC 7518 section 3.2).
fn signed(secret: &str, claims: &serde_json::Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = josekit::jws::HS256.signer_from_bytes(secret.as_bytes()).unwrap();
    let signature = josekit::jws::JwsSigner::sign(&key, input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Initial access tokens that are good for one registration.
pub async fn registration_tokens(track: &mut Track) {
    let mut meter = Meter::of("initial access tokens", track);
    let store = track.installation.store().await;
    let host = track.installation.host();
    while meter.goes_on() {
        let secret = Secret::generate();
        let made = now();
        let mut tx = store.write().await.unwrap();
        tx.add_registration_token(&RegistrationToken {
            id: Id::new(made),
            digest: secret.digest(),
            name: "race".to_owned(),
            uses_left: Some(1),
            created_at: made,
            expires_at: made.after(Duration::from_secs(3600)),
            revoked_at: None,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let authorization = format!("Bearer {}", secret.expose());
        let from = network(meter.rounds);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("x-forwarded-for", from.as_str()),
        ];
        let body = json!({ "redirect_uris": ["https://client.example/callback"] }).to_string();
        let asked = request("POST", &host, "/oauth2/register", &headers, &body);
        let answers = track.race(|_| asked.clone(), RACERS).await;
        assert_eq!(winners(&answers, &[(401, "invalid_token")]).len(), 1);
        meter.count(&answers);
    }
    store.close().await;
}

/// Idempotency keys: whatever many requests say, one client is made.
pub async fn idempotency_keys(track: &mut Track) {
    let mut meter = Meter::of("idempotency keys", track);
    let host = track.installation.host();
    let administrator = track
        .installation
        .client(|client| {
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
            client.metadata.redirect_uris.clear();
            client.metadata.scope = Scopes::parse("admin").unwrap();
        })
        .await;
    let fields = [("grant_type", "client_credentials"), ("scope", "admin")];
    let asked = token_request(&host, &administrator, &fields);
    let answer = Wire::to(track.nodes[0].address).exchange(&asked).await.unwrap();
    let authorization = format!("Bearer {}", answer.get("access_token"));
    while meter.goes_on() {
        let key = random::token();
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let body = json!({ "client_name": "race", "redirect_uris": ["https://client.example/callback"] }).to_string();
        let asked = request("POST", &host, "/api/v1/clients", &headers, &body);
        let answers = track.race(|_| asked.clone(), RACERS).await;
        let made: BTreeSet<String> = winners(&answers, &[(409, "the same request is being done")])
            .iter()
            .map(|answer| answer.get("client_id"))
            .collect();
        assert_eq!(made.len(), 1, "{made:?}");
        meter.count(&answers);
    }
}

/// The form of a consent: however often it is sent, one code is made.
pub async fn consents(track: &mut Track) {
    let mut meter = Meter::of("consent forms", track);
    let (issuer, host) = (track.installation.issuer(), track.installation.host());
    let client = track
        .installation
        .client(|client| client.policy.consent = ConsentMode::Ask)
        .await;
    let party = RelyingParty::at(&issuer, &host, &client);
    let browser = Browser::new();
    party.sign_in(&browser, &track.stage.user).await;
    let url = party.authorization_url_with(&[("prompt", "consent")]);
    while meter.goes_on() {
        let page = browser.open(&url).await;
        let form = page
            .form_with_button("decision", "allow")
            .filled(&[("decision", "allow")]);
        let asked = sent(&browser, &host, &page.url, &form, &issuer);
        let answers = track.race(|_| asked.clone(), RACERS).await;
        let codes: BTreeSet<String> = winners(&answers, &[])
            .iter()
            .map(|answer| {
                let url: url::Url = answer.header("location").parse().unwrap();
                let code = url.query_pairs().find(|(name, _)| name == "code");
                code.unwrap_or_else(|| panic!("no code: {url}")).1.into_owned()
            })
            .collect();
        assert_eq!(codes.len(), 1, "{codes:?}");
        meter.count(&answers);
    }
}

/// The bytes with which a browser sends a form.
fn sent(browser: &Browser, host: &str, page: &url::Url, form: &Form, origin: &str) -> Vec<u8> {
    sent_from(browser, host, (page, form), (origin, "127.0.0.1"))
}

/// The same from another address.
pub(super) fn sent_from(
    browser: &Browser,
    host: &str,
    (page, form): (&url::Url, &Form),
    (origin, from): (&str, &str),
) -> Vec<u8> {
    let names = browser.cookie_names();
    let cookies: Vec<String> = names
        .iter()
        .map(|name| format!("{name}={}", browser.cookie(name).unwrap()))
        .collect();
    let action = page.join(&form.action).unwrap();
    let path = match action.query() {
        Some(query) => format!("{}?{query}", action.path()),
        None => action.path().to_owned(),
    };
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let cookies = cookies.join("; ");
    let headers = [
        ("cookie", cookies.as_str()),
        ("origin", origin),
        ("sec-fetch-site", "same-origin"),
        ("x-forwarded-for", from),
    ];
    crate::support::wire::form(host, &path, &fields, &headers)
}

/// Setup links, where the store decides: through the pages each attempt would hash a password.
pub async fn setup_links(track: &mut Track) {
    let store = track.installation.store().await;
    let open = async |store: &Store| {
        let secret = Secret::generate();
        let mut tx = store.write().await.unwrap();
        let end = now().after(Duration::from_secs(3600));
        tx.add_setup_link(&secret.digest(), now(), end).await.unwrap();
        tx.commit().await.unwrap();
        secret
    };
    let mut rows = Meter::of("setup links, in the store", track);
    let stores = [
        store,
        track.installation.store().await,
        track.installation.store().await,
    ];
    while rows.goes_on() {
        let digest = open(&stores[0]).await.digest();
        let tries = (0..60).map(async |turn: usize| {
            let mut tx = stores[turn % 3].write().await.unwrap();
            let used = tx.use_setup_link(&digest, now()).await.unwrap();
            tx.commit().await.unwrap();
            used
        });
        let used = join_all(tries).await;
        assert_eq!(used.iter().filter(|used| **used).count(), 1);
        rows.attempts += used.len();
        rows.rounds += 1;
    }
    for store in stores {
        store.close().await;
    }
}
