//! What is kept: for how long, how much, how little of a flood, nothing of what succeeds every day, and never a secret.

use std::time::Duration;

use ostiary::flow::operations::cleaning;
use ostiary::flow::people::{ChangeSource, delete_user};
use ostiary::model::{Fact, Id, Timestamp};
use ostiary::random;
use ostiary::store::{TraceRow, TraceSelection};
use serde_json::json;

use super::{count, explained, of_user, reader, shown_id};
use crate::oauth::scene::Scene;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

/// A row as the flows write it.
async fn add(server: &Server, trace: &str, at: Timestamp) {
    let row = TraceRow {
        id: Id::new(at),
        trace: trace.to_owned(),
        journey: trace.to_owned(),
        at,
        part: "page".to_owned(),
        verdict: "refused".to_owned(),
        rule: "request.not_found".to_owned(),
        user: None,
        client: None,
        steps: json!([{"rule": "request.not_found", "verdict": "refused", "facts": []}]),
    };
    let mut store = server.provider().store.write().await.unwrap();
    store.add_trace(&row).await.unwrap();
    store.commit().await.unwrap();
}

#[tokio::test]
async fn a_beginning_has_to_be_unique() {
    each_backend(async |server: &Server| {
        let now = server.call().now;
        add(server, "abcdef00000000000000000000000001", now).await;
        add(server, "abcdef11111111111111111111111111", now).await;
        let reader = reader(server).await;
        let several = reader.get("/traces/abcdef").await;
        assert_eq!(
            (several.status.as_u16(), several.get("type").as_str()),
            (409, "urn:ostiary:problem:conflict")
        );
        assert!(several.get("detail").contains("several"));
        let one = reader.get("/traces/abcdef0").await.ok();
        assert_eq!(one.get("trace_id"), "abcdef00000000000000000000000001");
        assert_eq!(reader.get("/traces/ABCDEF1").await.ok().get("trace_id").len(), 32);
        for nothing in ["abcdef2", "not-hex", "abcdef000000000000000000000000011"] {
            assert_eq!(reader.get(&format!("/traces/{nothing}")).await.status, 404, "{nothing}");
        }
    })
    .await;
}

#[tokio::test]
async fn traces_go_when_they_are_old_or_too_many() {
    each_backend(async |server: &Server| {
        let began = server.call().now;
        for _ in 0..150 {
            add(server, &random::hex_id(), began).await;
        }
        server.settings(json!({"trace": {"most": 100, "kept_for": "2h"}})).await;
        cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        assert_eq!(count(server).await, 100);
        server.advance(Duration::from_secs(3 * 3600));
        let young = random::hex_id();
        add(server, &young, server.call().now).await;
        cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        assert_eq!(count(server).await, 1);
        explained(server, &young).await;
    })
    .await;
}

#[tokio::test]
async fn a_flood_takes_its_share_and_leaves_the_rest_to_others() {
    each_backend(async |server: &Server| {
        server.settings(json!({"trace": {"per_minute": 40}})).await;
        server.provider().write_traces().await.unwrap();
        let browser = Browser::new();
        let before = count(server).await;
        for _ in 0..60 {
            browser.get(&server.url("/no-such-page")).await;
        }
        let kept = count(server).await - before;
        assert!((1..=10).contains(&kept), "a quarter of forty, not {kept}");
        // a minute later there is room again
        server.advance(Duration::from_secs(60));
        let page = browser.get(&server.url("/no-such-page")).await;
        explained(server, &shown_id(&page.body)).await;
        // and none at all if nothing is to be kept
        server.settings(json!({"trace": {"per_minute": 0}})).await;
        server.provider().write_traces().await.unwrap();
        let before = count(server).await;
        browser.get(&server.url("/no-such-page")).await;
        assert_eq!(count(server).await, before);
    })
    .await;
}

#[tokio::test]
async fn what_succeeds_every_day_keeps_nothing() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let tokens = scene.tokens().await;
        let party = scene.party();
        let before = count(server).await;
        let code = scene.code(&party).await;
        assert!(count(server).await > before, "a sign-in at an application is kept");
        let before = count(server).await;
        party.redeem(&code).await.ok();
        party.refresh(&tokens.refresh).await.ok();
        party.introspect(&tokens.access).await.ok();
        party.userinfo(&tokens.access).await.ok();
        party.revoke(&tokens.access).await.ok();
        assert_eq!(count(server).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_is_kept_with_every_decision_and_its_journey() {
    each_backend(async |server: &Server| {
        let client = server.client(|_| ()).await;
        let user = server.user("ada").await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid email unknown.scope phone".to_owned();
        party.sign_in(&Browser::new(), &user).await;
        let told = of_user(server, &user).await;
        let rules = |told: &serde_json::Value| -> Vec<String> {
            let decisions = told["decisions"].as_array().unwrap().iter();
            decisions
                .map(|each| each["rule"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            rules(&told),
            [
                "authorization.trusted",
                "session.reused",
                "consent.given",
                "authorization.code"
            ]
        );
        assert_eq!(told["verdict"], "passed");
        let related = told["related"].as_array().unwrap();
        assert_eq!(
            related.len(),
            4,
            "narrowed and asked, sign-in and consent question: {related:?}"
        );
        let sign_in = explained(server, related[2]["trace_id"].as_str().unwrap()).await;
        assert_eq!(
            rules(&sign_in),
            [
                "sign_in.account",
                "sign_in.password",
                "sign_in.session",
                "authorization.trusted",
                "session.reused",
                "prompt.consent"
            ]
        );
        assert_eq!(sign_in["decisions"][2]["setting"]["key"], "session.lifetime");
        let first = explained(server, related[0]["trace_id"].as_str().unwrap()).await;
        assert_eq!(first["decisions"][0]["rule"], "authorization.scope_narrowed");
        assert_eq!(first["rule"], "prompt.login");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_leaves_no_trace_and_a_deleted_client_no_name() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        scene.tokens().await;
        scene
            .browser
            .get(&scene.party().authorization_url_with(&[("prompt", "consent login")]))
            .await;
        count(server).await;
        let list = async |selection| {
            let mut store = server.provider().store.read().await.unwrap();
            store.list_traces(&selection, None, 100).await.unwrap()
        };
        assert!(!list(TraceSelection::User(scene.user.id.uuid())).await.is_empty());
        // one is still on its way when the user goes
        scene
            .browser
            .get(&scene.party().authorization_url_with(&[("prompt", "login")]))
            .await;
        delete_user(
            server.provider(),
            &server.call(),
            &ChangeSource::Command,
            scene.user.id,
            None,
        )
        .await
        .unwrap();
        count(server).await;
        assert!(list(TraceSelection::User(scene.user.id.uuid())).await.is_empty());
        let of_client = list(TraceSelection::Client(scene.client.id.uuid())).await.len();
        assert!(of_client > 0, "what names the client alone stays");
        ostiary::flow::clients::delete(
            server.provider(),
            &server.call(),
            &ostiary::flow::clients::Authority::Operator,
            scene.client.id,
            None,
        )
        .await
        .unwrap();
        assert!(list(TraceSelection::Client(scene.client.id.uuid())).await.is_empty());
        assert!(list(TraceSelection::All).await.len() >= of_client);
    })
    .await;
}

#[tokio::test]
async fn the_list_goes_page_by_page_and_takes_three_filters() {
    each_backend(async |server: &Server| {
        let now = server.call().now;
        for number in 0..5_u8 {
            add(
                server,
                &format!("{number:032x}"),
                now.after(Duration::from_secs(number.into())),
            )
            .await;
        }
        let reader = reader(server).await;
        let first = reader
            .get("/traces?limit=3&filter=rule%20eq%20%22request.not_found%22")
            .await
            .ok()
            .json();
        let next = first["next"].as_str().unwrap();
        let path = format!("/traces?limit=3&filter=rule%20eq%20%22request.not_found%22&after={next}");
        let second = reader.get(&path).await.ok().json();
        let ids = |page: &serde_json::Value| -> Vec<String> {
            let items = page["items"].as_array().unwrap().iter();
            items
                .map(|item| item["trace_id"].as_str().unwrap().to_owned())
                .collect()
        };
        let all: Vec<String> = [ids(&first), ids(&second)].concat();
        let expected: Vec<String> = (0..5_u8).rev().map(|number| format!("{number:032x}")).collect();
        assert_eq!(all, expected);
        assert_eq!(reader.get("/traces?filter=user%20eq%20%22ada%22").await.status, 400);
        assert_eq!(reader.get("/traces?filter=at%20eq%20%22x%22").await.status, 400);
    })
    .await;
}

/// I10: whatever secret comes along, in whatever place of whatever request, none of it stands in a trace.
#[tokio::test]
async fn trace_canary_scan() {
    each_backend(async |server: &Server| {
        let canary = format!("canary{}", random::hex_id());
        let scene = Scene::with(server, |client| {
            client.client_id = format!("client-{}", random::hex_id());
        })
        .await;
        let tokens = scene.tokens().await;
        let party = scene.party();
        let browser = Browser::new();
        for name in [
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "nonce",
            "code_challenge",
            "code_challenge_method",
            "prompt",
            "max_age",
            "login_hint",
            "id_token_hint",
            "claims",
            "resource",
            "acr_values",
            "response_mode",
        ] {
            browser.get(&party.authorization_url_with(&[(name, &canary)])).await;
        }
        let page = browser.get(&server.url("/login")).await;
        let form = page.forms().into_iter().find(|form| form.has("password")).unwrap();
        browser
            .submit(&page, form.clone(), &[("username", &canary), ("password", &canary)])
            .await;
        browser
            .submit(
                &page,
                form,
                &[("username", &scene.user.username), ("password", &canary)],
            )
            .await;
        let mut wrong = scene.client.clone();
        wrong.secret.clone_from(&canary);
        RelyingParty::new(server, &wrong).refresh(&canary).await;
        party.redeem(&canary).await;
        party.refresh(&canary).await;
        party.introspect(&canary).await;
        party.userinfo(&canary).await;
        party.refresh(&tokens.refresh).await;
        server.advance(Duration::from_secs(60));
        party.refresh(&tokens.refresh).await;
        browser.get(&server.url(&format!("/{canary}"))).await;
        browser.get(&server.url(&format!("/setup?token={canary}"))).await;
        reader(server)
            .await
            .post("/traces/token", json!({"token": canary}))
            .await;

        count(server).await;
        let mut store = server.provider().store.read().await.unwrap();
        let rows = store.list_traces(&TraceSelection::All, None, 1_000).await.unwrap();
        assert!(rows.len() > 15, "{}", rows.len());
        let text = format!("{rows:?}");
        let secrets = [
            &canary,
            &tokens.access,
            &tokens.refresh,
            &tokens.id,
            &scene.user.password,
            &scene.client.secret,
            &scene.user.email,
            &scene.user.username,
        ];
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{secret} stands in a trace");
        }
    })
    .await;
}

/// A fact holds nothing that a request could fill with text: whoever adds a kind has to answer for it here.
#[test]
fn no_run_time_text_fits_into_a_fact() {
    fn is_bare<T: Copy + 'static>(_: &T) {}
    for fact in [Fact::Bool(true), Fact::Number(1), Fact::Word("word")] {
        match &fact {
            Fact::Id(id) => is_bare(id),
            Fact::Bool(yes) => is_bare(yes),
            Fact::Number(number) => is_bare(number),
            Fact::Time(moment) => is_bare(moment),
            Fact::Duration(length) => is_bare(length),
            // of the program's own text: nothing that was read at run time lives for ever
            Fact::Setting(word) | Fact::Word(word) => is_bare::<&'static str>(word),
        }
    }
    let leaks = crate::architecture::source::sources("src")
        .iter()
        // that room gives up a connection so; it holds no facts
        .filter(|source| source.room() != "sql" && (source.says(&["Box", "leak"]) || source.text.contains(".leak()")))
        .map(|source| source.path.clone())
        .collect::<Vec<_>>();
    assert!(
        leaks.is_empty(),
        "text that is made to live for ever would fit into a fact: {leaks:?}"
    );
}
