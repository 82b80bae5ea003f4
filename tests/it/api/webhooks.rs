//! Webhooks: made, told, tried again, given up, disabled; by the API, the command line and files of `apply`.

use std::time::Duration;

use ostiary::flow::operations::{cleaning, webhooks};
use serde_json::{Value, json};

use super::conversation::{Caller, user_token};
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};
use crate::support::webhook_receiver::{Answers, WebhookReceiver};

const ALL: &str = "admin";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells whoever is to be told by now, beside the job.
async fn deliver(server: &Server) {
    let provider = server.provider();
    for webhook in webhooks::due(provider, &server.call()).await.unwrap() {
        webhooks::deliver_to(provider, &webhook).await.unwrap();
    }
}

/// Waits until it is so: the job tells too.
async fn eventually(server: &Server, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        deliver(server).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("that does not happen");
}

async fn comes(server: &Server, receiver: &WebhookReceiver, times: usize) {
    eventually(server, async || receiver.messages().len() >= times).await;
}

async fn becomes(server: &Server, caller: &Caller<'_>, id: &str, outcome: &str) {
    eventually(server, async || delivery(caller, id).await["outcome"] == outcome).await;
}

async fn disabled(server: &Server, caller: &Caller<'_>, id: &str, because: &str) {
    eventually(server, async || {
        let told = caller.get(&format!("/webhooks/{id}")).await.ok().json();
        told["enabled"] == false && told["disabled_because"] == because
    })
    .await;
}

async fn made(caller: &Caller<'_>, name: &str, url: &str, events: Value) -> (String, String) {
    let body = json!({ "name": name, "url": url, "events": events });
    let made = caller.post("/webhooks", body).await.ok().json();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn group(caller: &Caller<'_>, name: &str) -> String {
    let made = caller.post("/groups", json!({ "name": name })).await.ok().json();
    made["id"].as_str().unwrap().to_owned()
}

async fn delivery(caller: &Caller<'_>, id: &str) -> Value {
    let path = format!("/webhooks/{id}/deliveries?limit=1");
    caller.get(&path).await.ok().json()["items"][0].clone()
}

/// SEC-504 `webhook_rules`: messages are signed, carry an id and a time, and no secret; the same id at each attempt.
#[tokio::test]
async fn webhook_rules() {
    each_backend(async |server| {
        let receiver = WebhookReceiver::start().await;
        let caller = Caller::client(server, ALL).await;
        let (id, secret) = made(&caller, "crm", &receiver.url, json!(["group.*", "client.created"])).await;
        let told = caller.get(&format!("/webhooks/{id}")).await.ok();
        assert!(!told.body.contains(&secret));
        assert!(!caller.get("/webhooks").await.ok().body.contains(&secret));
        receiver.answer(Answers::With(500));
        let made_group = group(&caller, "staff").await;
        caller.post("/users", json!({ "username": "ada" })).await.ok();
        comes(server, &receiver, 1).await;
        eventually(server, async || delivery(&caller, &id).await["status"] == 500).await;
        let first = receiver.messages();
        assert_eq!(receiver.kinds(), ["group.created"], "nothing else was asked for");
        let data = &first[0].body["data"];
        assert_eq!(
            (&data["kind"], &data["outcome"]),
            (&json!("group.created"), &json!("success"))
        );
        assert_eq!(
            (data["id"].as_str().unwrap(), &data["facts"]["group"]),
            (first[0].id.as_str(), &json!(made_group))
        );
        assert!(first[0].is_signed_with(&secret));
        assert!((server.call().now.seconds() - first[0].timestamp).abs() < 10);
        let waiting = delivery(&caller, &id).await;
        assert_eq!(
            (&waiting["outcome"], &waiting["attempts"], &waiting["status"]),
            (&json!("waiting"), &json!(1), &json!(500))
        );
        deliver(server).await;
        assert_eq!(receiver.messages().len(), 1, "not before its time");
        receiver.answer(Answers::With(204));
        server.advance(Duration::from_secs(6));
        comes(server, &receiver, 2).await;
        let again = receiver.messages();
        assert_eq!(
            (again.len(), &again[1].id, &again[1].text),
            (2, &first[0].id, &first[0].text)
        );
        assert!(again[1].timestamp > first[0].timestamp && again[1].is_signed_with(&secret));
        becomes(server, &caller, &id, "delivered").await;
        // what it came with is asked for once more
        let path = format!("/webhooks/{id}/deliveries/{}/redeliver", first[0].id);
        caller.send("POST", &path, None, &[]).await.ok();
        comes(server, &receiver, 3).await;
        assert_eq!(receiver.messages()[2].id, first[0].id);
        caller.delete(&format!("/webhooks/{id}")).await.ok();
        group(&caller, "guests").await;
        deliver(server).await;
        assert_eq!(receiver.messages().len(), 3);
    })
    .await;
}

/// For a while deliveries are signed with both secrets, then with the new one alone.
#[tokio::test]
async fn a_secret_is_replaced_with_overlap() {
    each_backend(async |server| {
        let receiver = WebhookReceiver::start().await;
        let caller = Caller::client(server, ALL).await;
        let (id, before) = made(&caller, "crm", &receiver.url, json!(["group.created"])).await;
        let path = format!("/webhooks/{id}/rotate-secret");
        let rotated = caller.post(&path, json!({ "overlap": "1h" })).await.ok().json();
        let after = rotated["secret"].as_str().unwrap();
        assert_ne!(after, before);
        group(&caller, "one").await;
        comes(server, &receiver, 1).await;
        let both = receiver.messages().pop().unwrap();
        assert!(both.is_signed_with(&before) && both.is_signed_with(after));
        server.advance(61 * MINUTE);
        let caller = Caller::client(server, ALL).await;
        group(&caller, "two").await;
        comes(server, &receiver, 2).await;
        let one = receiver.messages().pop().unwrap();
        assert!(one.is_signed_with(after) && !one.is_signed_with(&before) && one.signatures.len() == 1);
        assert_eq!(caller.post(&path, json!({ "overlap": "90d" })).await.status, 422);
    })
    .await;
}

/// One that does not answer is left alone for longer and longer, and keeps nobody else waiting; what it was not told within a day is
/// given up, and after three days it is disabled, which is an event.
#[tokio::test]
async fn who_does_not_answer_is_left_alone_given_up_and_disabled() {
    each_backend(async |server| {
        let (dead, well) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
        dead.answer(Answers::With(503));
        let caller = Caller::client(server, ALL).await;
        let (id, _) = made(&caller, "dead", &dead.url, json!(["group.created"])).await;
        made(&caller, "well", &well.url, json!([])).await;
        for name in ["a", "b", "c"] {
            group(&caller, name).await;
        }
        let groups = || well.kinds().iter().filter(|kind| *kind == "group.created").count();
        eventually(server, async || groups() == 3).await;
        for _ in 0..90 {
            server.advance(20 * MINUTE);
            deliver(server).await;
        }
        cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        let caller = Caller::client(server, ALL).await;
        becomes(server, &caller, &id, "given_up").await;
        let told = caller.get(&format!("/webhooks/{id}")).await.ok().json();
        assert!(told["failing_since"].is_string() && told["enabled"] == true, "{told}");
        server.advance(2 * DAY);
        let caller = Caller::client(server, ALL).await;
        group(&caller, "d").await;
        disabled(server, &caller, &id, "unreached").await;
        eventually(server, async || well.kinds().contains(&"webhook.disabled".to_owned())).await;
        // enabled again it is tried anew
        dead.answer(Answers::With(200));
        caller
            .patch(&format!("/webhooks/{id}"), json!({ "enabled": true }))
            .await
            .ok();
        let before = dead.messages().len();
        group(&caller, "e").await;
        comes(server, &dead, before + 1).await;
        becomes(server, &caller, &id, "delivered").await;
        dead.answer(Answers::With(410));
        group(&caller, "f").await;
        disabled(server, &caller, &id, "gone").await;
    })
    .await;
}

/// The job tells within seconds, each once.
#[tokio::test]
async fn an_event_is_told_within_seconds() {
    let receiver = WebhookReceiver::start().await;
    let server = Server::start().await;
    let caller = Caller::client(&server, ALL).await;
    made(&caller, "crm", &receiver.url, json!(["group.created"])).await;
    for number in 0..20 {
        group(&caller, &format!("group {number}")).await;
    }
    for _ in 0..200 {
        if receiver.messages().len() >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut ids: Vec<String> = receiver.messages().into_iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 20);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20, "each once");
    server.stop().await;
}

#[tokio::test]
async fn a_test_tells_what_came_back() {
    let receiver = WebhookReceiver::start().await;
    let server = Server::start().await;
    let caller = Caller::client(&server, ALL).await;
    let (id, secret) = made(&caller, "crm", &receiver.url, json!([])).await;
    let path = format!("/webhooks/{id}/test");
    let tested = caller.send("POST", &path, None, &[]).await.ok().json();
    assert_eq!(
        (&tested["delivered"], &tested["status"], &tested["answer"]),
        (&json!(true), &json!(200), &json!("so it is"))
    );
    let message = receiver
        .messages()
        .into_iter()
        .find(|message| message.kind() == "webhook.test")
        .unwrap();
    assert!(message.is_signed_with(&secret));
    receiver.answer(Answers::With(404));
    let tested = caller.send("POST", &path, None, &[]).await.ok().json();
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(false), &json!(404)));
    server.stop().await;
}

/// SEC-502, SEC-504: an address that this server does not ask is not taken; another address takes the right to read events, and of a
/// person a proof of the last minutes.
#[tokio::test]
async fn where_events_go_is_guarded() {
    let server = Server::start().await;
    let caller = Caller::client(&server, ALL).await;
    for url in [
        "https://me@example.com/",
        "https://10.0.0.1/",
        "ftp://example.com/",
        "nowhere",
    ] {
        let refused = caller.post("/webhooks", json!({ "name": "x", "url": url })).await;
        assert_eq!(refused.status, 422, "{url}");
    }
    let refused = caller
        .post(
            "/webhooks",
            json!({ "name": "x", "url": "https://example.com/", "events": ["user.*", "usr.*"] }),
        )
        .await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["errors"][0]["pointer"]),
        (422, &json!("/events/1"))
    );
    let (id, _) = made(&caller, "crm", "https://example.com/a", json!(["user.*"])).await;
    assert_eq!(
        caller
            .post("/webhooks", json!({ "name": "crm", "url": "https://example.com/" }))
            .await
            .status,
        422
    );
    let blind = Caller::client(&server, "admin:webhooks").await;
    assert_eq!(
        blind
            .post("/webhooks", json!({ "name": "y", "url": "https://example.com/" }))
            .await
            .status,
        403
    );
    let elsewhere = json!({ "url": "https://example.org/" });
    assert_eq!(
        blind.patch(&format!("/webhooks/{id}"), elsewhere.clone()).await.status,
        403
    );
    blind
        .patch(&format!("/webhooks/{id}"), json!({ "description": "for sales" }))
        .await
        .ok();
    let ada = server.user("ada").await;
    server.group("administrators", &["admin"], &[&ada]).await;
    let token = user_token(&server, &ada, "admin").await;
    server.advance(6 * MINUTE);
    let stale = Caller::with_token(&server, &token).await;
    let refused = stale.patch(&format!("/webhooks/{id}"), elsewhere).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    stale
        .patch(&format!("/webhooks/{id}"), json!({ "enabled": false }))
        .await
        .ok();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_made_by_files_and_commands() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(crate::support::backend::Backend::Embedded, |_| (), commands).await;
    let terminal = Terminal::at(server.folder());
    let file = |events: Value| {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        json!({ "version": 1, "prune": ["webhooks"], "webhooks": [{
            "name": "crm", "url": "https://crm.example/told", "events": events, "secret": secret,
        }]})
        .to_string()
    };
    let path = server.folder().join("hooks.json");
    let path = path.to_str().unwrap();
    std::fs::write(path, file(json!(["user.*"]))).unwrap();
    let told = terminal.run(&["apply", path]).await.ok();
    assert!(told.contains("+ webhooks crm") && !told.contains("whsec_"), "{told}");
    assert!(terminal.run(&["apply", path]).await.ok().contains("nothing to change"));
    std::fs::write(path, file(json!(["user.*", "group.*"]))).unwrap();
    assert!(terminal.run(&["apply", path]).await.ok().contains("~ webhooks crm"));
    let listed = terminal.run(&["webhooks", "list", "--json"]).await.json();
    assert_eq!(listed[0]["events"], json!(["user.*", "group.*"]));
    let exported = terminal.run(&["export", "--json"]).await.json();
    assert_eq!(exported["webhooks"][0]["name"], "crm");
    assert!(!exported.to_string().contains("whsec_"));
    let made = terminal
        .run(&[
            "webhooks",
            "create",
            "audit",
            "https://audit.example/",
            "--event",
            "*",
            "--json",
        ])
        .await
        .json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    terminal.run(&["webhooks", "disable", "audit"]).await.ok();
    terminal.run(&["webhooks", "rotate-secret", "audit"]).await.ok();
    assert!(
        terminal
            .run(&["webhooks", "deliveries", "crm"])
            .await
            .ok()
            .contains("event")
    );
    std::fs::write(path, json!({ "version": 1, "prune": ["webhooks"] }).to_string()).unwrap();
    assert!(terminal.run(&["apply", path]).await.ok().contains("- webhooks crm"));
    let left = terminal.run(&["webhooks", "list", "--json"]).await.json();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &json!("audit")));
    terminal.run(&["webhooks", "delete", "audit"]).await.ok();
    server.stop().await;
}
