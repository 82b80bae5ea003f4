//! The audit log knows every time somebody proved who they are or failed to, and every time something was refused.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ostiary::flow::people::{ChangeSource, deactivate_user};
use ostiary::model::{ConsentMode, EventKind, GrantType, Timestamp};
use serde_json::{Value, json};

use super::{MINUTE, sign_in, sign_in_with};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

/// The log, read on from where it was read last.
struct Log<'a> {
    server: &'a Server,
    seen: BTreeSet<uuid::Uuid>,
    /// The scenarios that are told of otherwise than they should be.
    wrong: Vec<String>,
}

impl Log<'_> {
    /// What came since: kind, outcome, reason and method, a line each; `-` where there is none.
    async fn told(&mut self) -> Vec<String> {
        let provider = self.server.provider();
        provider.write_events(self.server.call().now).await.unwrap();
        let mut store = provider.store.read().await.unwrap();
        let mut events = store.list_events(None, 500).await.unwrap();
        events.reverse();
        events.retain(|event| self.seen.insert(event.id.uuid()));
        let lines = events.into_iter().map(|event| {
            let method = event.facts["method"].as_str().unwrap_or("-").to_owned();
            let reason = event.reason.unwrap_or_else(|| "-".to_owned());
            format!("{} {} {reason} {method}", event.kind, event.outcome)
        });
        lines.collect()
    }

    /// Holds what came since against what has to be there, each so often as it stands here, in any order; what is of no
    /// interest here is left out.
    async fn tells(&mut self, scenario: &str, wanted: &[&str]) {
        const KINDS: [&str; 11] = [
            "sign_in ",
            "sign_out ",
            "client.authentication ",
            "authorization ",
            "consent ",
            "code.",
            "token.",
            "refresh.",
            "api.refused ",
            "setup ",
            "registration_token ",
        ];
        let mut told = self.told().await;
        told.retain(|line| KINDS.iter().any(|kind| line.starts_with(kind)));
        told.sort();
        let mut wanted: Vec<String> = wanted.iter().map(|&line| line.to_owned()).collect();
        wanted.sort();
        if told != wanted {
            self.wrong.push(format!("{scenario}: {told:?} instead of {wanted:?}"));
        }
    }
}

/// SEC-613: each way to prove who one is, rightly and wrongly, is on record with its method; so is whatever was refused, and
/// whoever tried to go around.
#[tokio::test(flavor = "multi_thread")]
async fn auth_events_complete() {
    each_backend(async |server| {
        server
            .settings(json!({"guess.account_budget": 3, "guess.source_budget": 1000}))
            .await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let client = server
            .client(|client| client.metadata.grant_types.push(GrantType::ClientCredentials))
            .await;
        let skipping = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
        let mut log = Log {
            server,
            seen: BTreeSet::new(),
            wrong: Vec::new(),
        };
        log.told().await;

        // people
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        log.tells("the right password", &["sign_in success - pwd"]).await;
        let again = browser.get(&server.url("/login?again=1")).await;
        let password = [("password", ada.password.as_str())];
        browser.submit(&again, again.form_with("password"), &password).await;
        log.tells("the right password once more", &["sign_in success - pwd"])
            .await;
        sign_in_with(server, &Browser::new(), "nobody", "wrong").await;
        log.tells("nobody's name", &["sign_in refused sign_in.unknown pwd"])
            .await;
        for _ in 0..3 {
            sign_in_with(server, &Browser::new(), "ada", "wrong").await;
        }
        log.tells("wrong passwords", &["sign_in refused sign_in.wrong_password pwd"; 3])
            .await;
        for _ in 0..5 {
            sign_in(server, &Browser::new(), &ada).await;
        }
        log.tells("one guess too many, five times", &["sign_in refused guess.account pwd"])
            .await;
        server.advance(20 * MINUTE);
        log.tells("the others of that minute", &["sign_in refused guess.account pwd"])
            .await;
        let limit = json!({"session.max_concurrent": 1, "session.at_limit": "refuse"});
        server.settings(limit).await;
        sign_in(server, &Browser::new(), &ada).await;
        log.tells("one login too many", &["sign_in refused sign_in.limit pwd"])
            .await;
        server
            .settings(json!({"session.max_concurrent": null, "session.at_limit": null}))
            .await;
        let (provider, call) = (server.provider(), server.call());
        deactivate_user(provider, &call, &ChangeSource::Command, bob.id, None)
            .await
            .unwrap();
        sign_in(server, &Browser::new(), &bob).await;
        log.tells("whoever is deactivated", &["sign_in refused sign_in.inactive pwd"])
            .await;

        // a person at an application
        let party = RelyingParty::new(server, &client);
        let page = browser.open(&party.authorization_url()).await;
        browser
            .submit(
                &page,
                page.form_with_button("decision", "deny"),
                &[("decision", "deny")],
            )
            .await;
        log.tells("a denial", &["authorization refused consent.denied -"]).await;
        let silent = party.authorization_url_with(&[("prompt", "none")]);
        Browser::new().get(&silent).await;
        log.tells("without anybody", &["authorization refused prompt_none.login -"])
            .await;
        let party = RelyingParty::new(server, &skipping);
        let arrival = browser.sign_in(&party.authorization_url(), &ada).await;
        log.tells("a silent sign-on", &["authorization success - -"]).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let refresh = tokens.get("refresh_token");
        party.refresh(&refresh).await.ok();
        let basic = "client_secret_basic";
        log.tells(
            "its code and its refresh token",
            &[
                &format!("code.redeemed success - {basic}"),
                &format!("token.refreshed success - {basic}"),
            ],
        )
        .await;

        // clients
        let by_name = |secret: &str| {
            [
                ("client_id", client.client_id.clone()),
                ("client_secret", secret.to_owned()),
            ]
        };
        let grant = ("grant_type", "client_credentials".to_owned());
        let machine = service(server, "admin:users.read").await;
        log.told().await;
        client_token(server, &machine).await;
        log.tells("a client's own token", &[&format!("token.issued success - {basic}")])
            .await;
        let http = plain_http().build().unwrap();
        let ask = async |credentials: Option<(&str, &str)>, fields: &[(&str, String)]| {
            let form: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(form)
                .finish();
            let request = http
                .post(server.url("/oauth2/token"))
                .header("content-type", "application/x-www-form-urlencoded");
            let request = match credentials {
                Some((name, secret)) => {
                    request.header("authorization", crate::support::relying_party::basic(name, secret))
                }
                None => request,
            };
            request.body(body).send().await.unwrap().status().as_u16()
        };
        let [name, wrong] = by_name("wrong");
        assert_eq!(
            ask(Some((&client.client_id, "wrong")), std::slice::from_ref(&grant)).await,
            401
        );
        log.tells(
            "a wrong secret",
            &["client.authentication refused client_secret client_secret_basic"],
        )
        .await;
        assert_eq!(ask(None, &[grant.clone(), name.clone(), wrong]).await, 401);
        log.tells(
            "by another method",
            &["client.authentication refused client_method client_secret_post"],
        )
        .await;
        assert_eq!(ask(None, &[grant.clone(), name.clone()]).await, 401);
        log.tells(
            "without any proof",
            &["client.authentication refused client_proof_missing none"],
        )
        .await;
        assert_eq!(ask(Some(("nobody", "wrong")), std::slice::from_ref(&grant)).await, 401);
        log.tells(
            "nobody's name",
            &["client.authentication refused client_unknown client_secret_basic"],
        )
        .await;
        for _ in 0..4 {
            ask(Some((&client.client_id, &client.secret)), std::slice::from_ref(&grant)).await;
        }
        log.tells(
            "one guess too many, four times",
            &["client.authentication refused guess.account client_secret_basic"],
        )
        .await;
        server.advance(20 * MINUTE);
        log.told().await;

        // what is not for whom asks
        let token = client_token(server, &machine).await;
        log.told().await;
        let caller = Caller::with_token(server, &token).await;
        assert_eq!(caller.get("/clients").await.status, 403);
        log.tells(
            "a permission that is not there",
            &["api.refused refused api.permission -"],
        )
        .await;
        let nobody = Caller::with_token(server, "x.y.z").await;
        assert_eq!(nobody.get("/clients").await.status, 401);
        log.tells("a token that is none", &["api.refused refused api.token -"])
            .await;

        // around it
        assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
        log.tells(
            "a refresh token that was used",
            &["refresh.replayed refused refresh.replayed -"],
        )
        .await;
        assert_eq!(party.redeem(arrival.code()).await.error(), "invalid_grant");
        log.tells("a code that was used", &["code.replayed refused code.replayed -"])
            .await;
        assert_eq!(log.wrong, Vec::<String>::new());
        event_fields(server).await;
    })
    .await;
}

/// SEC-611: every event says when (in UTC), what, how it ended, who did it and under which request, in a form that needs no reading
/// between the lines.
async fn event_fields(server: &Server) {
    let reader = Caller::client(server, "admin:events.read").await;
    server.provider().write_events(server.call().now).await.unwrap();
    let page = reader.get("/events?limit=200").await.ok().json();
    let events = page["items"].as_array().unwrap();
    let kinds: BTreeSet<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
    let is_id = |value: &Value| value.as_str().is_some_and(|text| text.parse::<uuid::Uuid>().is_ok());
    for event in events {
        assert!(is_id(&event["id"]), "{event}");
        let at = event["at"].as_str().unwrap();
        assert!(at.ends_with('Z') && Timestamp::parse(at).is_some(), "{event}");
        assert!(
            EventKind::ALL.iter().any(|kind| kind.as_str() == event["kind"]),
            "{event}"
        );
        assert!(
            ["success", "refused"].contains(&event["outcome"].as_str().unwrap()),
            "{event}"
        );
        if event["outcome"] == "refused" {
            assert!(event["reason"].is_string(), "{event}");
        }
        match event["actor_kind"].as_str().unwrap() {
            "user" | "client" => assert!(is_id(&event["actor_id"]), "{event}"),
            "operator" | "system" | "anonymous" => assert!(event.get("actor_id").is_none(), "{event}"),
            other => panic!("{other}: {event}"),
        }
        for name in ["user", "client"] {
            assert!(event.get(name).is_none_or(is_id), "{event}");
        }
        let address = event.get("address").and_then(Value::as_str);
        assert!(
            address.is_none_or(|address| address.parse::<IpAddr>().is_ok()),
            "{event}"
        );
        let trace = event["trace_id"].as_str().unwrap();
        assert!(
            trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{event}"
        );
        for (name, fact) in event["facts"].as_object().unwrap() {
            assert!(
                fact.is_string() || fact.is_number() || fact.is_boolean(),
                "{name}: {event}"
            );
        }
    }
    // whoever signed in did so somewhere, in a session
    let is_sign_in = |event: &&Value| event["kind"] == "sign_in" && event["outcome"] == "success";
    for event in events.iter().filter(is_sign_in) {
        assert!(
            event["address"].is_string() && is_id(&event["facts"]["session"]),
            "{event}"
        );
    }
}
