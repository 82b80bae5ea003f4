//! How the API speaks: bodies, versions, pages, cursors, keys of requests that are sent again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::conversation::Caller;
use crate::support::http::plain_http;
use crate::support::relying_party::Answer;
use crate::support::server::Server;

fn pointers(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|error| {
            format!(
                "{} {}",
                error["pointer"].as_str().unwrap(),
                error["code"].as_str().unwrap()
            )
        })
        .collect()
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users").await;
    let body = json!({"username": "ada", "email": "ada@example.com", "email_verified": true, "given_name": "Ada",
        "address": {"locality": "London"}, "generate_password": true});
    let made = caller.post("/users", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.get("password").len(), 34);
    assert_eq!(made.header("etag"), "\"1\"");
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let read = caller.get(&path).await.ok();
    assert_eq!(read.json()["password"], Value::Null, "told once");
    assert_eq!(read.json()["has_password"], true);
    assert!(!read.body.contains("argon2"));
    // RFC 7396: what is absent stays, null clears, an object within is taken as a whole here
    let changed = caller
        .patch(&path, json!({"given_name": null, "family_name": "Lovelace"}))
        .await
        .ok();
    assert_eq!(changed.header("etag"), "\"2\"");
    let user = changed.json();
    assert_eq!(
        (&user["given_name"], &user["family_name"]),
        (&Value::Null, &json!("Lovelace"))
    );
    assert_eq!(
        (&user["email_verified"], &user["address"]["locality"]),
        (&json!(true), &json!("London"))
    );
    let reset = caller
        .send("POST", &format!("{path}/reset-password"), None, &[])
        .await
        .ok();
    assert_eq!(reset.get("password").len(), 34);
    let given = caller
        .post(
            &format!("{path}/reset-password"),
            json!({"password": "a much better phrase"}),
        )
        .await
        .ok();
    assert_eq!(given.body, "{}");
    let deactivated = caller.post(&format!("{path}/deactivate"), json!({})).await.ok();
    assert_eq!(deactivated.get("status"), "inactive");
    assert_eq!(
        caller
            .send("POST", &format!("{path}/reactivate"), None, &[])
            .await
            .ok()
            .get("status"),
        "active"
    );
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.get(&path).await.ok().get("status"), "deleted");
    assert_eq!(caller.delete(&format!("{path}?erase=true")).await.status, 204);
    assert_eq!(caller.get(&path).await.status, 404);
    assert_eq!(caller.get("/users/no-id").await.status, 404);
    server.stop().await;
}

/// SEC-412: what a caller may not write is refused by name, never left out silently.
#[tokio::test]
async fn mass_assignment_matrix() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let user = caller.post("/users", json!({"username": "ada"})).await.ok();
    let path = format!("/users/{}", user.get("id"));
    // said when the account is made, and by actions of its own from then on
    let made = caller.post("/users", json!({"username": "eve", "status": "x"})).await;
    assert_eq!(pointers(&made), ["/status unsupported"]);
    let changed = caller.patch(&path, json!({"status": "inactive"})).await;
    assert_eq!(pointers(&changed), ["/status unknown"]);
    for member in [
        "id",
        "version",
        "created_at",
        "has_password",
        "groups",
        "permissions",
        "applied",
    ] {
        let made = caller.post("/users", json!({"username": "eve", member: "x"})).await;
        assert_eq!(
            (made.status.as_u16(), pointers(&made)),
            (422, vec![format!("/{member} unknown")])
        );
        let changed = caller.patch(&path, json!({member: "x"})).await;
        assert_eq!(
            (changed.status.as_u16(), pointers(&changed)),
            (422, vec![format!("/{member} unknown")])
        );
    }
    for member in ["subject", "password", "password_hash"] {
        let changed = caller.patch(&path, json!({member: "x"})).await;
        assert_eq!(pointers(&changed), [format!("/{member} unknown")]);
    }
    let group = caller.post("/groups", json!({"name": "staff", "members": []})).await;
    assert_eq!(pointers(&group), ["/members unknown"]);
    for member in ["origin", "registration_token", "secrets", "status", "id"] {
        let client = caller
            .post("/clients", json!({"redirect_uris": ["https://a.example/"], member: []}))
            .await;
        assert_eq!(pointers(&client), [format!("/{member} unknown")]);
    }
    let resource = caller
        .post("/resources", json!({"identifier": "https://a.example", "version": 7}))
        .await;
    assert_eq!(pointers(&resource), ["/version unknown"]);
    server.stop().await;
}

#[tokio::test]
async fn every_member_that_cannot_be_taken_is_told_with_its_pointer() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users").await;
    let types = caller
        .post("/users", json!({"username": 7, "name": {}, "odd/name": 1}))
        .await;
    assert_eq!(types.status, 422);
    let mut told = pointers(&types);
    told.sort();
    assert_eq!(told, ["/name type", "/odd~1name unknown", "/username type"]);
    let values = caller.post("/users", json!({"username": "", "email": "no"})).await;
    assert_eq!(pointers(&values), ["/username required", "/email malformed"]);
    let ways = caller
        .post(
            "/users",
            json!({"username": "a", "password": "x", "generate_password": true}),
        )
        .await;
    assert_eq!(pointers(&ways), ["/password contradiction"]);
    server.stop().await;
}

/// SEC-110, the API's part: bodies are JSON, once and strictly.
#[tokio::test]
async fn json_strict_parse() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users").await;
    let json = [("content-type", "application/json")];
    let deep = format!("{}{}", "{\"address\":".repeat(40), "}".repeat(40));
    for body in [
        "",
        "[]",
        "null",
        "{\"username\": \"ada\", \"username\": \"eve\"}",
        "{\"username\": \"ada\", \"address\": {\"region\": \"a\", \"region\": \"b\"}}",
        "{\"username\": \"ada\"} {}",
        "{\"username\": \"ada\",}",
        "{\"username\": NaN}",
        "{'username': 'ada'}",
        &deep,
    ] {
        let answer = caller.send_text("POST", "/users", body.to_owned(), &json).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/merge-patch+json",
        "text/json",
    ] {
        let headers = [("content-type", content_type)];
        let answer = caller
            .send_text("POST", "/users", "{\"username\":\"ada\"}".to_owned(), &headers)
            .await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let long = format!("{{\"username\": \"{}\"}}", "a".repeat(600 * 1024));
    assert_eq!(caller.send_text("POST", "/users", long, &json).await.status, 413);
    let charset = [("content-type", "application/json; charset=utf-8")];
    let taken = caller
        .send_text("POST", "/users", "{\"username\":\"ada\"}".to_owned(), &charset)
        .await;
    assert_eq!(taken.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn a_change_of_a_version_that_is_no_more_is_refused() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let bodies = [
        ("/users", json!({"username": "ada"}), json!({"name": "A"})),
        ("/groups", json!({"name": "staff"}), json!({"description": "All"})),
        (
            "/resources",
            json!({"identifier": "https://api.example"}),
            json!({"name": "A"}),
        ),
        (
            "/clients",
            json!({"redirect_uris": ["https://a.example/"]}),
            json!({"client_name": "A"}),
        ),
    ];
    for (path, body, patch) in bodies {
        let made = caller.post(path, body).await.ok();
        let path = format!("{path}/{}", made.get("id"));
        let change = async |tag: &str| {
            let headers = [("content-type", "application/json"), ("if-match", tag)];
            caller.send("PATCH", &path, Some(patch.clone()), &headers).await
        };
        assert_eq!(change("\"7\"").await.status, 412, "{path}");
        assert_eq!(change("W/\"1\"").await.status, 412, "{path}: weak");
        assert_eq!(change("\"1\", \"2\"").await.status, 400, "{path}");
        let changed = change("\"1\"").await.ok();
        assert_eq!(changed.header("etag"), "\"2\"", "{path}");
        assert_eq!(change("\"1\"").await.status, 412, "{path}");
        assert_eq!(caller.get(&path).await.header("etag"), "\"2\"");
        let known = caller.send("GET", &path, None, &[("if-none-match", "\"2\"")]).await;
        assert_eq!((known.status.as_u16(), known.body.as_str()), (304, ""));
        let gone = caller.send("DELETE", &path, None, &[("if-match", "\"1\"")]).await;
        assert_eq!(gone.status, 412, "{path}");
        let gone = caller.send("DELETE", &path, None, &[("if-match", "\"2\"")]).await;
        assert_eq!(gone.status, 204, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_a_hundred_and_twenty_users_tell_each_once() {
    let server = Server::start().await;
    for number in 0..120 {
        server.user(&format!("user{number:03}")).await;
        // ids are in the order of their milliseconds
        server.advance(Duration::from_millis(1));
    }
    let caller = Caller::client(&server, "admin:users.read").await;
    for query in [
        "",
        "sort=-created_at",
        "sort=username",
        "q=user",
        "sort=created_at&count=true",
    ] {
        let names = walk(&caller, query, 50).await;
        assert_eq!(names.len(), 120, "{query}");
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 120, "{query}");
        match query {
            "sort=-created_at" => assert!(names.iter().rev().is_sorted(), "{query}"),
            _ => assert!(names.is_sorted(), "{query}"),
        }
    }
    assert_eq!(walk(&caller, "q=user1", 7).await.len(), 20);
    let counted = caller.get("/users?count=true&limit=1").await.ok();
    assert_eq!(counted.json()["count"], 120);
    let counted = caller.get("/users?q=user1&count=true&limit=1").await.ok();
    assert_eq!(counted.json()["count"], 20);
    let one = caller
        .get("/users?filter=username%20eq%20%22USER007%22&count=true")
        .await
        .ok();
    assert_eq!(one.json()["items"][0]["username"], "user007");
    assert_eq!(one.json()["count"], 1);
    let one = caller
        .get("/users?filter=email+eq+%22user008%40example.com%22")
        .await
        .ok();
    assert_eq!(one.json()["items"][0]["username"], "user008");
    assert_eq!(
        caller.get("/users?filter=username+eq+%22nobody%22").await.json()["items"],
        json!([])
    );
    server.stop().await;
}

async fn walk(caller: &Caller<'_>, query: &str, limit: usize) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = caller
            .get(&format!("/users?{query}&limit={limit}{after}").replace("?&", "?"))
            .await
            .ok()
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        names.extend(items.iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            None => return names,
            Some(cursor) => after = format!("&after={cursor}"),
        }
    }
}

/// SEC-421, and SEC-112 for cursors: what a list was not made for is refused by name, and a cursor counts only as it was given,
/// where it was given, for a day.
#[tokio::test]
async fn list_query_bounds_and_blob_purpose_separation_of_cursors() {
    let server = Server::start().await;
    for name in ["a1", "a2", "b1", "b2"] {
        server.user(name).await;
        server.group(name, &[], &[]).await;
    }
    let caller = Caller::client(&server, "admin").await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "sort=password",
        "sort=username;drop",
        "filter=shoe_size+eq+%22x%22",
        "filter=username+eq+x",
        "filter=username+eq+%22x%22+or",
        "filter=",
        "inactive=perhaps",
        "sort=username,email,name,company,locale,gender",
        "offset=3",
        "limit=1&limit=2",
        "after=x",
        "after=",
        "q=",
        "count=yes",
    ] {
        let answer = caller.get(&format!("/users?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!pointers(&answer).is_empty(), "{query}");
    }
    assert_eq!(caller.get("/groups?q=a").await.status, 400);
    let id = caller.get("/users?limit=1").await.json()["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(caller.get(&format!("/users/{id}?limit=1")).await.status, 400);

    let cursor = |answer: Answer| answer.ok().json()["next"].as_str().unwrap().to_owned();
    let of_users = cursor(caller.get("/users?limit=1").await);
    let of_groups = cursor(caller.get("/groups?limit=1").await);
    let of_words = cursor(caller.get("/users?limit=1&q=a").await);
    let go_on = async |list: &str, cursor: &str| {
        let mark = if list.contains('?') { '&' } else { '?' };
        caller.get(&format!("{list}{mark}after={cursor}")).await.status.as_u16()
    };
    assert_eq!(go_on("/users", &of_users).await, 200);
    assert_eq!(go_on("/groups", &of_groups).await, 200);
    assert_eq!(go_on("/users?q=a", &of_words).await, 200);
    for (list, cursor) in [
        ("/users", &of_groups),
        ("/groups", &of_users),
        ("/users?sort=-created_at", &of_users),
        ("/users?q=b", &of_words),
        ("/users", &of_words),
        ("/users?q=a", &of_users),
    ] {
        assert_eq!(go_on(list, cursor).await, 400, "{list}");
    }
    for place in [0, 20, 45, of_users.len() - 1] {
        let mut forged: Vec<char> = of_users.chars().collect();
        forged[place] = if forged[place] == 'A' { 'B' } else { 'A' };
        assert_eq!(
            go_on("/users", &forged.into_iter().collect::<String>()).await,
            400,
            "changed at {place}"
        );
    }
    // a sealed value of another purpose, under the same master key
    let sealed = server
        .provider()
        .master
        .seal("outbox", b"01890000-0000-7000-8000-000000000000");
    let other: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(go_on("/users", &other).await, 400);
    server.advance(Duration::from_secs(24 * 3600 + 1));
    let later = Caller::client(&server, "admin").await;
    assert_eq!(
        later.get(&format!("/users?after={of_users}")).await.status,
        400,
        "a day later"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_again_and_not_done_again() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let send = async |path: &str, body: Value, key: &str| {
        caller.send("POST", path, Some(body), &[("idempotency-key", key)]).await
    };
    let body = json!({"username": "ada", "generate_password": true});
    let first = send("/users", body.clone(), "one").await.ok();
    let again = send("/users", body.clone(), "one").await;
    assert_eq!(
        (again.status.as_u16(), &again.body),
        (201, &first.body),
        "its secret included"
    );
    assert_eq!(
        (again.header("location"), again.header("etag")),
        (first.header("location"), first.header("etag"))
    );
    let other_body = send("/users", json!({"username": "eve"}), "one").await;
    assert_eq!(
        (other_body.status.as_u16(), pointers(&other_body)),
        (422, vec!["Idempotency-Key reused".to_owned()])
    );
    let other_path = send(&format!("/users/{}/deactivate", first.get("id")), body.clone(), "one").await;
    assert!([400, 422].contains(&other_path.status.as_u16()));
    // a refusal is not kept: what was wrong may be put right
    assert_eq!(send("/users", json!({"username": ""}), "two").await.status, 422);
    assert_eq!(send("/users", json!({"username": "eve"}), "two").await.status, 201);
    // keys belong to their callers
    let stranger = Caller::client(&server, "admin").await;
    let theirs = stranger
        .send(
            "POST",
            "/users",
            Some(json!({"username": "bob"})),
            &[("idempotency-key", "one")],
        )
        .await;
    assert_eq!(
        (theirs.status.as_u16(), theirs.get("username")),
        (201, "bob".to_owned())
    );
    let longest = "k".repeat(256);
    assert_eq!(send("/users", json!({"username": "dora"}), &longest).await.status, 400);
    // the secret of the first answer is nowhere to be read
    let mut files = Vec::new();
    for entry in std::fs::read_dir(server.folder().join("data")).unwrap() {
        files.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }
    let secret = first.get("password");
    assert!(!files.windows(secret.len()).any(|window| window == secret.as_bytes()));
    server.advance(Duration::from_secs(24 * 3600 + 1));
    let later = Caller::client(&server, "admin").await;
    let taken = later
        .send(
            "POST",
            "/users",
            Some(json!({"username": "carl"})),
            &[("idempotency-key", "one")],
        )
        .await;
    assert_eq!(taken.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn one_key_at_once_does_one_thing() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let send = || {
        let body = json!({"username": "ada", "generate_password": true});
        caller.send("POST", "/users", Some(body), &[("idempotency-key", "same")])
    };
    let (one, two, three) = tokio::join!(send(), send(), send());
    let statuses = [one.status.as_u16(), two.status.as_u16(), three.status.as_u16()];
    assert!(
        statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    assert!(statuses.contains(&201));
    let users = caller.get("/users").await.json();
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

/// SEC-613: refused authorisations are on record, and a flood of them is one event and a number.
#[tokio::test(flavor = "multi_thread")]
async fn refused_authorisations_are_recorded_and_a_flood_is_one_number() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users.read").await;
    let recorded = async || {
        server.provider().write_noted_events().await.unwrap();
        let mut store = server.provider().store.read().await.unwrap();
        let events = store.list_events(None, 200).await.unwrap();
        let refused = events.into_iter().filter(|event| event.kind == "api.refused");
        let mut told: Vec<String> = refused
            .map(|event| {
                format!(
                    "{} {} {}",
                    event.actor_kind,
                    event.reason.unwrap_or_default(),
                    event.facts
                )
            })
            .collect();
        told.sort();
        told
    };
    let http = plain_http().build().unwrap();
    for _ in 0..30 {
        let answer = http
            .get(server.url("/api/v1/users"))
            .bearer_auth("not-a-token")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
    }
    for _ in 0..20 {
        assert_eq!(caller.get("/clients").await.status, 403);
    }
    assert_eq!(
        recorded().await,
        ["anonymous api.token {}", "client api.permission {}"],
        "the first of each"
    );
    server.advance(Duration::from_secs(61));
    let now = server.call().now;
    server.provider().write_events(now).await.unwrap();
    assert_eq!(
        recorded().await,
        [
            "anonymous api.token {\"more\":29}",
            "anonymous api.token {}",
            "client api.permission {\"more\":19}",
            "client api.permission {}"
        ]
    );
    // the next minute begins anew
    assert_eq!(caller.get("/clients").await.status, 403);
    assert_eq!(recorded().await.len(), 5);
    server.stop().await;
}

/// Whoever announces a body and does not send it keeps nobody else from the API: neither where anyone may ask, nor with a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_takes_no_place() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let mut connections = Vec::new();
    for _ in 0..8 {
        let heads = [
            "GET /api/v1/openapi.json HTTP/1.1\r\n".to_owned(),
            format!(
                "POST /api/v1/users HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
                caller.token
            ),
        ];
        for head in heads {
            let mut connection = TcpStream::connect(server.address()).await.unwrap();
            let head = format!("{head}host: {}\r\ncontent-length: 9\r\n\r\n", server.host());
            connection.write_all(head.as_bytes()).await.unwrap();
            connections.push(connection);
        }
    }
    // until the server has seen them all
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        assert_eq!(caller.get("/users").await.status, 200);
        assert_eq!(caller.get("/openapi.json").await.status, 200);
        let made = caller
            .post("/users", json!({"username": format!("ada{:?}", began.elapsed())}))
            .await;
        assert!([201, 422].contains(&made.status.as_u16()), "{}", made.status);
    }
    drop(connections);
    server.stop().await;
}
