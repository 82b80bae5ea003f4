//! Authorization codes: random, short-lived, bound to whom they were made for, redeemed once (RFC 6749 section 4.1).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::flow::clients;
use ostiary::model::setting::{CODE_LIFETIME, Declaration};
use ostiary::model::{AccessTokenFormat, Secret, TokenEndpointAuthMethod, UserStatus};
use serde_json::json;

use super::scene::{
    MINUTE, SECOND, Scene, Tokens, active, assert_invalid_grant, assert_refused, count_events, events, now, service,
    trusted,
};
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::{RelyingParty, basic, claims};
use crate::support::server::{Server, each_backend};
use crate::support::sources::files;

fn holds(heap: &[u8], needle: &[u8]) -> bool {
    heap.windows(needle.len()).any(|window| window == needle)
}

/// SEC-040
#[tokio::test(flavor = "multi_thread")]
async fn code_entropy_and_lifetime() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let mut seen = BTreeSet::new();
        let mut ones = 0;
        let mut bits = 0;
        for _ in 0..40 {
            let code = scene.code(&party).await;
            let mut bytes = URL_SAFE_NO_PAD.decode(&code).unwrap();
            // the last letter says where the store has it, and nothing else does
            assert_eq!((code.len(), bytes.len()), (44, 33));
            bytes.truncate(32);
            ones += bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
            bits += u32::try_from(bytes.len() * 8).unwrap();
            // neither a counter nor a clock in front: the first four bytes differ, too
            assert!(seen.insert(bytes[..4].to_vec()));
        }
        // 10,240 fair coins: the standard deviation is 51, six of them are never seen
        assert!(ones.abs_diff(bits / 2) < 310, "{ones} of {bits}");

        let code = scene.code(&party).await;
        server.advance(59 * SECOND);
        party.redeem(&code).await.ok();
        let code = scene.code(&party).await;
        server.advance(60 * SECOND);
        assert_invalid_grant(&party.redeem(&code).await);
    })
    .await;
    let lifetime = Declaration::find(CODE_LIFETIME).unwrap();
    assert!(lifetime.read(&json!("10m")).is_ok());
    assert!(lifetime.read(&json!("601s")).is_err());
}

/// SEC-040
#[tokio::test(flavor = "multi_thread")]
async fn code_entropy_and_lifetime_at_rest() {
    let server = Server::start().await;
    let scene = Scene::with(&server, |client| {
        client.policy.access_token_format = AccessTokenFormat::Opaque
    })
    .await;
    let party = scene.party();
    let waiting = scene.code(&party).await;
    let code = scene.code(&party).await;
    let tokens = Tokens::of(&party.redeem(&code).await);
    let files = files(server.folder()).into_iter();
    // sockets are files too, and can't be read
    let stored: Vec<u8> = files.flat_map(|file| std::fs::read(file).unwrap_or_default()).collect();
    for secret in [
        &waiting,
        &code,
        &tokens.access,
        &tokens.refresh,
        &scene.client.secret,
        &scene.user.password,
    ] {
        assert!(!holds(&stored, secret.as_bytes()), "stored in clear");
        let raw = URL_SAFE_NO_PAD.decode(secret).unwrap();
        assert!(!holds(&stored, &raw), "stored in clear");
    }
    // the search is not blind: the digests are there
    for secret in [&code, &tokens.access, &tokens.refresh] {
        assert!(holds(&stored, Secret::new(secret.as_str()).digest().as_bytes()));
    }
    server.stop().await;
}

/// SEC-042
#[tokio::test(flavor = "multi_thread")]
async fn code_reuse_revokes() {
    each_backend(async |server| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            for later in [0, 5 * 60] {
                let scene = Scene::with(server, |client| client.policy.access_token_format = format).await;
                let party = scene.party();
                let code = scene.code(&party).await;
                let first = Tokens::of(&party.redeem(&code).await);
                let second = Tokens::of(&party.refresh(&first.refresh).await);
                assert!(scene.counts(&first.access).await && scene.counts(&second.access).await);
                server.advance(later * SECOND);
                assert_invalid_grant(&party.redeem(&code).await);
                for token in [&first.access, &second.access, &second.refresh] {
                    assert!(!scene.counts(token).await);
                }
                assert_refused(&party.userinfo(&second.access).await, 401, "invalid_token");
                assert_invalid_grant(&party.refresh(&second.refresh).await);
                assert_eq!(count_events(server, &scene.client, "code.replayed").await, 1);
            }
        }
    })
    .await;
}

/// SEC-042
#[tokio::test(flavor = "multi_thread")]
async fn code_reuse_revokes_nothing_when_somebody_else_repeats_it() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let other = trusted(&server).await;
    let party = scene.party();
    let code = scene.code(&party).await;
    let tokens = Tokens::of(&party.redeem(&code).await);
    let mut foreign = RelyingParty::new(&server, &other);
    foreign.code_verifier.clone_from(&party.code_verifier);
    assert_invalid_grant(&foreign.redeem(&code).await);
    let stranger = [("grant_type", "authorization_code"), ("code", code.as_str())];
    assert_refused(
        &party.post_as("/oauth2/token", &stranger, &[]).await,
        401,
        "invalid_client",
    );
    assert!(scene.counts(&tokens.access).await);
    party.refresh(&tokens.refresh).await.ok();
    server.stop().await;
}

/// SEC-043
#[tokio::test(flavor = "multi_thread")]
async fn code_binding_matrix() {
    each_backend(async |server| {
        let elsewhere = "https://client.example/elsewhere";
        let scene = Scene::with(server, |client| {
            client.metadata.redirect_uris.push(elsewhere.to_owned())
        })
        .await;
        let other = trusted(server).await;
        let party = scene.party();
        let code = scene.code(&party).await;
        let request = |code: &str, redirect_uri: &str, verifier: &str| {
            [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", redirect_uri),
                ("code_verifier", verifier),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let asked = async |form: &[(String, String)]| {
            let form: Vec<(&str, &str)> = form
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            party.token(&form).await
        };
        let (right, verifier) = (party.client.redirect_uri.clone(), party.code_verifier.clone());

        // the client
        let mut foreign = RelyingParty::new(server, &other);
        foreign.code_verifier.clone_from(&verifier);
        assert_invalid_grant(&foreign.redeem(&code).await);
        // the redirect URI: another registered one, another spelling, none
        for wrong in [
            elsewhere,
            "https://client.example/callback/",
            "https://CLIENT.example/callback",
            "https://client.example/callback?",
        ] {
            assert_invalid_grant(&asked(&request(&code, wrong, &verifier)).await);
        }
        assert_refused(&asked(&request(&code, "", &verifier)).await, 400, "invalid_request");
        // the challenge: another verifier, the challenge itself, none
        for wrong in [
            ostiary::random::token(),
            party.code_challenge(),
            format!("{verifier}x"),
            String::new(),
        ] {
            assert_invalid_grant(&asked(&request(&code, &right, &wrong)).await);
        }
        // a code is a random string in which nothing is encoded: no edit of it leads anywhere
        let mut edits = vec![
            format!("{code}="),
            format!("{code}A"),
            code[..code.len() - 1].to_owned(),
            code.to_lowercase(),
        ];
        for at in (0..code.len()).step_by(6) {
            let letter = if code.as_bytes()[at] == b'A' { "B" } else { "A" };
            edits.push(format!("{}{letter}{}", &code[..at], &code[at + 1..]));
        }
        for edited in edits.iter().filter(|edited| **edited != code) {
            assert_invalid_grant(&asked(&request(edited, &right, &verifier)).await);
        }
        // none of it has used the code up, and the nonce is the one of its own request
        let tokens = Tokens::of(&asked(&request(&code, &right, &verifier)).await);
        assert_eq!(claims(&tokens.id)["nonce"], party.nonce.as_str());
        let sessions = scene.sessions().await;
        assert_eq!(claims(&tokens.id)["sid"], sessions[0].to_string());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_names_each_application_that_it_serves_once() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        scene.tokens().await;
        let between = now(server);
        server.advance(SECOND);
        scene.tokens_for("openid").await;
        let other = Scene::on(server).await;
        let session = scene.sessions().await[0];
        let mut store = server.provider().store.read().await.unwrap();
        let served = store.list_clients_of_session(session, 10).await.unwrap();
        assert_eq!(served.len(), 1);
        assert_eq!(served[0].id, scene.client.id);
        let served = store
            .list_served_clients_of(scene.user.id, now(server), 10)
            .await
            .unwrap();
        assert!(served[0].since <= between);
        for session in other.sessions().await {
            assert!(store.list_clients_of_session(session, 10).await.unwrap().is_empty());
        }
    })
    .await;
}

/// SEC-043
#[tokio::test(flavor = "multi_thread")]
async fn code_binding_matrix_without_a_challenge() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let party = scene.party();
    let url = party.authorization_url_with(&[("code_challenge", ""), ("code_challenge_method", "")]);
    let arrival = scene.arrive(&url).await;
    // a verifier although there was no challenge: somebody has taken the challenge away (RFC 9700 section 2.1.1)
    assert_invalid_grant(&party.redeem(arrival.code()).await);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", arrival.code()),
        ("redirect_uri", &party.client.redirect_uri),
    ];
    party.token(&form).await.ok();
    server.stop().await;
}

/// SEC-044
#[tokio::test(flavor = "multi_thread")]
async fn token_client_auth_first() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let public = server.public_client(|_| ()).await;
        let party = scene.party();
        let code = scene.code(&party).await;
        let (id, secret) = (party.client.client_id.as_str(), party.client.secret.as_str());
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", party.client.redirect_uri.as_str()),
            ("code_verifier", party.code_verifier.as_str()),
        ];
        let nobody = basic(id, &ostiary::random::token());
        let empty = basic(id, "");
        let another = basic(&public.client_id, secret);
        let as_public = [("client_id", id)];
        let by_form = [("client_id", id), ("client_secret", secret)];
        let attempts = [
            (&[][..], None),
            (&[], Some(&nobody)),
            (&[], Some(&empty)),
            (&[], Some(&another)),
            // a confidential client does not pass for a public one, nor by a method it did not register
            (&as_public, None),
            (&by_form, None),
        ];
        let mut answers = BTreeSet::new();
        for (more, authorization) in attempts {
            let headers: Vec<(&str, &str)> = authorization
                .map(|value: &String| ("authorization", value.as_str()))
                .into_iter()
                .collect();
            for form in [grant.to_vec(), vec![("grant_type", "nothing"), ("code", "nothing")]] {
                let form: Vec<(&str, &str)> = form.into_iter().chain(more.iter().copied()).collect();
                let answer = party.post_as("/oauth2/token", &form, &headers).await;
                assert_refused(&answer, 401, "invalid_client");
                answers.insert(answer.get("error_description"));
            }
        }
        // whether the code is good can't be seen
        assert_eq!(answers.len(), 1);
        party.redeem(&code).await.ok();
        assert_eq!(count_events(server, &scene.client, "code.replayed").await, 0);
    })
    .await;
}

/// SEC-045
#[tokio::test(flavor = "multi_thread")]
async fn grant_refused_when_disabled() {
    const ONLINE: &str = "openid profile";
    each_backend(async |server| {
        for fact in [
            "user inactive",
            "user deleted",
            "client disabled",
            "client deleted",
            "session ended",
        ] {
            let scene = Scene::on(server).await;
            let party = scene.party();
            let code = scene.code(&party).await;
            let online = scene.tokens_for(ONLINE).await;
            let offline = scene.tokens().await;
            let provider = server.provider();
            match fact {
                "user inactive" => scene.set_status(UserStatus::Inactive).await,
                "user deleted" => {
                    let mut tx = provider.store.write().await.unwrap();
                    assert!(tx.delete_user(scene.user.id).await.unwrap());
                    tx.commit().await.unwrap();
                }
                "client disabled" => {
                    clients::disable(
                        provider,
                        &server.call(),
                        &clients::Authority::Operator,
                        scene.client.id,
                        None,
                    )
                    .await
                    .unwrap();
                }
                "client deleted" => clients::delete(
                    provider,
                    &server.call(),
                    &clients::Authority::Operator,
                    scene.client.id,
                    None,
                )
                .await
                .unwrap(),
                _ => scene.end_sessions().await,
            }
            let (status, error) = if fact.starts_with("client") {
                (401, "invalid_client")
            } else {
                (400, "invalid_grant")
            };
            assert_refused(&party.redeem(&code).await, status, error);
            assert_refused(&party.refresh(&online.refresh).await, status, error);
            assert_refused(&party.userinfo(&online.access).await, 401, "invalid_token");
            if fact == "session ended" {
                // offline access was asked for to outlive it
                party.userinfo(&offline.access).await.ok();
                party.refresh(&offline.refresh).await.ok();
            } else {
                assert_refused(&party.refresh(&offline.refresh).await, status, error);
                assert_refused(&party.userinfo(&offline.access).await, 401, "invalid_token");
            }
        }
    })
    .await;
}

/// SEC-045
#[tokio::test(flavor = "multi_thread")]
async fn grant_refused_when_disabled_although_the_client_has_a_token_of_its_own() {
    let server = Server::start().await;
    let service = server.client(service("admin")).await;
    let party = RelyingParty::new(&server, &service);
    let token = party
        .token(&[("grant_type", "client_credentials")])
        .await
        .ok()
        .get("access_token");
    assert!(active(&party.introspect(&token).await));
    let watcher = server
        .client(|client| client.policy.serves = vec![server.url("/api/v1")])
        .await;
    let watcher = RelyingParty::new(&server, &watcher);
    assert!(active(&watcher.introspect(&token).await));
    clients::disable(
        server.provider(),
        &server.call(),
        &clients::Authority::Operator,
        service.id,
        None,
    )
    .await
    .unwrap();
    assert_refused(
        &party.token(&[("grant_type", "client_credentials")]).await,
        401,
        "invalid_client",
    );
    assert!(!active(&watcher.introspect(&token).await));
    server.stop().await;
}

/// SEC-056
#[tokio::test(flavor = "multi_thread")]
async fn legacy_grants_absent() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let party = scene.party();
    let (username, password) = (scene.user.username.as_str(), scene.user.password.as_str());
    for grant_type in [
        "password",
        "implicit",
        "token",
        "none",
        "PASSWORD",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "http://oauth.net/grant_type/device/1.0",
    ] {
        let form = [
            ("grant_type", grant_type),
            ("username", username),
            ("password", password),
            ("scope", "openid"),
        ];
        assert_refused(&party.token(&form).await, 400, "unsupported_grant_type");
    }
    for response_type in [
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "code id_token token",
        "none",
        "code code",
        "CODE",
    ] {
        let url = party.authorization_url_with(&[("response_type", response_type)]);
        let to = Browser::new().get(&url).await.location().unwrap();
        assert!(to.as_str().starts_with(&party.client.redirect_uri), "{to}");
        assert!(to.fragment().is_none(), "{to}");
        let error = to
            .query_pairs()
            .find(|(name, _)| name == "error")
            .unwrap()
            .1
            .into_owned();
        assert_eq!(error, "unsupported_response_type", "{response_type}");
    }
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let metadata = Browser::new().get(&server.url(path)).await.json();
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        let grants = metadata["grant_types_supported"].as_array().unwrap();
        assert!(
            grants.iter().all(|grant| grant != "password" && grant != "implicit"),
            "{grants:?}"
        );
        let modes = metadata["response_modes_supported"].as_array().unwrap();
        assert!(modes.iter().all(|mode| mode != "fragment"), "{modes:?}");
    }
    server.stop().await;
}

/// SEC-057
#[tokio::test(flavor = "multi_thread")]
async fn client_credentials_subject() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let grant = [("grant_type", "client_credentials")];
    // a client that calls itself what clients know a person by
    for shape in [user.subject.clone(), user.id.to_string(), user.username.clone()] {
        let client = server
            .client(|client| {
                client.client_id.clone_from(&shape);
                service("admin")(client);
            })
            .await;
        let party = RelyingParty::new(&server, &client);
        let answer = party.token(&grant).await.ok();
        let token = answer.get("access_token");
        let subject = claims(&token)["sub"].as_str().unwrap().to_owned();
        assert_eq!(subject, format!("client:{shape}"));
        assert_eq!(party.introspect(&token).await.get("sub"), subject);
        for member in ["refresh_token", "id_token"] {
            assert!(answer.json().get(member).is_none());
        }
        // and nothing about a person comes with it
        assert!(!party.userinfo(&token).await.status.is_success());
        let with_openid = [("grant_type", "client_credentials"), ("scope", "openid")];
        assert_refused(&party.token(&with_openid).await, 400, "invalid_scope");
    }
    let public = server
        .client(|client| {
            service("admin")(client);
            client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
        })
        .await;
    let party = RelyingParty::new(&server, &public);
    assert_refused(&party.token(&grant).await, 400, "unauthorized_client");
    server.stop().await;
}

/// SEC-063
#[tokio::test(flavor = "multi_thread")]
async fn token_response_headers() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let party = scene.party();
    let code = scene.code(&party).await;
    let redeemed = party.redeem(&code).await.ok();
    let refreshed = party.refresh(&redeemed.get("refresh_token")).await.ok();
    let service = server.client(service("admin")).await;
    let issued = RelyingParty::new(&server, &service)
        .token(&[("grant_type", "client_credentials")])
        .await
        .ok();
    for answer in [&redeemed, &refreshed, &issued] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.get("token_type"), "Bearer");
        assert!(answer.json()["expires_in"].as_u64().unwrap() > 0);
    }
    let mut answers = vec![redeemed, refreshed, issued];
    let refusals: [(&[(&str, &str)], &str); 9] = [
        (&[], "invalid_request"),
        (&[("grant_type", "nothing")], "unsupported_grant_type"),
        (&[("grant_type", "client_credentials")], "unauthorized_client"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "authorization_code"), ("code", "x")], "invalid_grant"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_grant",
        ),
        (
            &[("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
            "invalid_request",
        ),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "x\u{0}")],
            "invalid_request",
        ),
    ];
    for (form, error) in refusals {
        let answer = party.token(form).await;
        assert_refused(&answer, 400, error);
        answers.push(answer);
    }
    // tried by header: the answer names the scheme (RFC 6749 section 5.2); tried by form: it need not
    let wrong = basic(&party.client.client_id, "wrong");
    let form = [("grant_type", "refresh_token")];
    let answer = party
        .post_as("/oauth2/token", &form, &[("authorization", &wrong)])
        .await;
    assert_refused(&answer, 401, "invalid_client");
    assert!(
        answer.header("www-authenticate").starts_with("Basic "),
        "{:?}",
        answer.headers
    );
    answers.push(answer);
    let by_form = [
        ("grant_type", "refresh_token"),
        ("client_id", &party.client.client_id),
        ("client_secret", "wrong"),
    ];
    let answer = party.post_as("/oauth2/token", &by_form, &[]).await;
    assert_refused(&answer, 401, "invalid_client");
    answers.push(answer);
    // another content type, parameters in the address: still nothing to be kept
    let json = [("authorization", basic(&party.client.client_id, &party.client.secret))];
    let json: Vec<(&str, &str)> = json.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = party
        .post_as(
            "/oauth2/token?grant_type=refresh_token",
            &[("refresh_token", "x")],
            &json,
        )
        .await;
    assert_refused(&answer, 400, "invalid_request");
    answers.push(answer);
    for answer in &answers {
        assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.body);
        assert_eq!(answer.header("pragma"), "no-cache", "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json", "{}", answer.body);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = plain_http()
            .build()
            .unwrap()
            .request(method, server.url("/oauth2/token"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 405);
    }
    server.stop().await;
}

/// SEC-065
#[tokio::test(flavor = "multi_thread")]
async fn secrets_never_in_urls() {
    each_backend(async |server| {
        let scene = Scene::with(server, |client| {
            client.policy.consent = ostiary::model::ConsentMode::Ask
        })
        .await;
        scene.withdraw().await;
        let party = scene.party();
        let browser = &scene.browser;
        // the whole way of a sign-on, page by page
        let mut pages = vec![browser.get(&party.authorization_url()).await];
        let code = loop {
            let page = pages.last().unwrap().clone();
            let next = match page.location() {
                Some(to) if to.as_str().starts_with(&party.client.redirect_uri) => {
                    let code = to
                        .query_pairs()
                        .find(|(name, _)| name == "code")
                        .unwrap()
                        .1
                        .into_owned();
                    break code;
                }
                Some(to) => browser.get(to.as_str()).await,
                None if page.forms().iter().any(|form| form.has("password")) => {
                    let values = [
                        ("username", scene.user.username.as_str()),
                        ("password", scene.user.password.as_str()),
                    ];
                    browser.submit(&page, page.form_with("password"), &values).await
                }
                None => {
                    let form = page.form_with_button("decision", "allow");
                    browser.submit(&page, form, &[("decision", "allow")]).await
                }
            };
            assert!(pages.len() < 20);
            pages.push(next);
        };
        let (last, before) = pages.split_last().unwrap();
        let first = Tokens::of(&party.redeem(&code).await);
        let second = Tokens::of(&party.refresh(&first.refresh).await);
        let cookies: Vec<String> = browser
            .cookie_names()
            .iter()
            .map(|name| browser.cookie(name).unwrap())
            .collect();
        let mut secrets = vec![
            &scene.user.password,
            &scene.client.secret,
            &party.code_verifier,
            &first.access,
            &first.refresh,
            &first.id,
            &second.access,
            &second.refresh,
        ];
        secrets.extend(&cookies);
        secrets.push(&code);
        for page in before {
            let location = page.header("location");
            for secret in &secrets {
                assert!(
                    !page.url.as_str().contains(secret.as_str()),
                    "in the address {}",
                    page.url
                );
                assert!(!location.contains(secret.as_str()), "in the redirect {location}");
                assert!(!page.body.contains(secret.as_str()), "in the page {}", page.url);
            }
            // what a page's own address holds is told to nobody else
            let told = page.header("referrer-policy");
            assert!(
                page.status.is_redirection() || told == "no-referrer" || told == "same-origin",
                "{told}"
            );
        }
        // the code alone, in its own redirect alone
        let location = last.header("location");
        assert_eq!(location.matches(code.as_str()).count(), 1);
        assert!(
            secrets
                .iter()
                .filter(|secret| **secret != &code)
                .all(|secret| !location.contains(secret.as_str()))
        );

        // a refusal says nothing back of what it was given
        let canary = ostiary::random::token();
        let refusals = [
            party.redeem(&canary).await,
            party.refresh(&canary).await,
            party.token(&[("grant_type", &canary)]).await,
            party
                .token(&[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &second.refresh),
                    ("scope", &canary),
                ])
                .await,
            party
                .post_as("/oauth2/token", &[], &[("authorization", &basic(&canary, &canary))])
                .await,
            party.userinfo(&canary).await,
            party.introspect(&canary).await,
            party.revoke(&canary).await,
        ];
        for answer in refusals {
            assert!(!answer.body.contains(&canary), "{}", answer.body);
            assert!(
                !format!("{:?}", answer.headers).contains(&canary),
                "{:?}",
                answer.headers
            );
        }
        for event in events(server).await {
            let event = format!("{event:?}");
            assert!(!event.contains(&canary), "{event}");
            assert!(secrets.iter().all(|secret| !event.contains(secret.as_str())), "{event}");
        }
    })
    .await;
}

/// SEC-068
#[tokio::test(flavor = "multi_thread")]
async fn offline_access_follows_consent() {
    each_backend(async |server| {
        let asking = |client: &mut ostiary::model::Client| client.policy.consent = ostiary::model::ConsentMode::Ask;
        // the consent is withdrawn
        let scene = Scene::with(server, asking).await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        let tokens = Tokens::of(&party.refresh(&tokens.refresh).await);
        scene.withdraw().await;
        assert_invalid_grant(&party.refresh(&tokens.refresh).await);
        // the client may have offline_access no more
        let scene = Scene::with(server, asking).await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        scene
            .change_client(|client| {
                client.metadata.scope = client.metadata.scope.filter(|scope| scope != "offline_access")
            })
            .await;
        server.advance(MINUTE);
        assert_invalid_grant(&party.refresh(&tokens.refresh).await);
        // without a refresh token to give, offline_access is not granted at all
        let scene = Scene::with(server, |client| {
            client.metadata.grant_types = vec![ostiary::model::GrantType::AuthorizationCode];
        })
        .await;
        let party = scene.party();
        let code = scene.code(&party).await;
        let answer = party.redeem(&code).await.ok();
        assert!(answer.json().get("refresh_token").is_none());
        assert!(!answer.get("scope").contains("offline_access"));
    })
    .await;
}

/// SEC-070
#[tokio::test(flavor = "multi_thread")]
async fn single_use_namespace_isolation_of_codes_and_tokens() {
    each_backend(async |server| {
        let scene = Scene::with(server, |client| {
            client.policy.access_token_format = AccessTokenFormat::Opaque
        })
        .await;
        let party = scene.party();
        let code = scene.code(&party).await;
        let tokens = scene.tokens().await;
        // one presented as another leads nowhere
        for stranger in [&tokens.access, &tokens.refresh, &tokens.id] {
            assert_invalid_grant(&party.redeem(stranger).await);
        }
        for stranger in [&code, &tokens.access, &tokens.id] {
            assert_invalid_grant(&party.refresh(stranger).await);
        }
        for stranger in [&code, &tokens.refresh, &tokens.id] {
            assert_refused(&party.userinfo(stranger).await, 401, "invalid_token");
        }
        party.revoke(&code).await.ok();
        party.revoke(&tokens.id).await.ok();
        // and uses nothing up
        party.userinfo(&tokens.access).await.ok();
        party.refresh(&tokens.refresh).await.ok();
        party.redeem(&code).await.ok();
    })
    .await;
}
