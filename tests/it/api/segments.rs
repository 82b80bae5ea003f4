//! Segments: questions about people under a name, everybody's and one's own.

use ostiary::flow::operations::apply::{Document, PruneUsers, apply};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::conversation::{Caller, client_token, service};
use crate::support::relying_party::Answer;
use crate::support::server::{Server, each_backend};

fn id(made: &Answer) -> String {
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn usernames(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["username"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_segment_is_saved_read_by_a_push_service_and_named_in_filters_on_every_store() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin:segments admin:users admin:groups").await;
        let staff = id(&caller.post("/groups", json!({"name": "staff"})).await);
        for name in ["ada", "bob", "cyd"] {
            let body = json!({"username": name, "email": format!("{name}@example.com"), "locale": "de"});
            let made = id(&caller.post("/users", body).await);
            if name != "cyd" {
                let path = format!("/groups/{staff}/members/{made}");
                assert!(caller.send("PUT", &path, Some(json!({})), &[]).await.status.is_success());
            }
            if name == "bob" {
                caller.post(&format!("/users/{made}/deactivate"), json!({})).await.ok();
            }
        }
        let body = json!({"name": "Newsletter", "description": "those who read", "shared": true, "filter": "groups eq \"staff\"", "sort": ["-username"]});
        let made = caller.post("/segments", body).await;
        let path = format!("/segments/{}", id(&made));
        let read = caller.get(&path).await.ok();
        assert_eq!((&read.json()["shared"], &read.json()["filter"]), (&json!(true), &json!("groups eq \"staff\"")));
        let twice = caller.post("/segments", json!({"name": "NEWSLETTER", "shared": true})).await;
        assert_eq!((twice.status.as_u16(), &twice.json()["errors"][0]["code"]), (422, &json!("taken")));

        // a push service has a key of its own, and is told who they are and where they are reached
        let push = Caller::client(server, "admin:segments.read").await;
        let members = push.get(&format!("{path}/users?count=true")).await.ok().json();
        assert_eq!((usernames(&members), &members["count"]), (vec!["ada".to_owned()], &json!(1)));
        assert_eq!((&members["items"][0]["email"], members["items"][0].get("groups")), (&json!("ada@example.com"), None));
        assert_eq!(push.get("/users").await.status, 403);
        assert_eq!(push.post("/segments", json!({"name": "x"})).await.status, 403);
        // a saved question tells no more than the question
        let alone = Caller::client(server, "admin:segments").await;
        assert_eq!(alone.post("/segments", json!({"name": "all"})).await.status, 403);

        caller.patch(&path, json!({"inactive": true, "description": null})).await.ok();
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = push.get(&format!("{path}/users?limit=1{after}")).await.ok().json();
            all.extend(usernames(&page));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(all, ["bob", "ada"]);
        // in a filter it is what it asks
        for (filter, names) in [
            ("segment eq \"newsletter\"", vec!["ada"]),
            ("segment eq \"newsletter\" and status pr", vec!["ada", "bob"]),
            ("segment ne \"newsletter\" and email pr", vec!["cyd"]),
        ] {
            let filter: String = byte_serialize(filter.as_bytes()).collect();
            assert_eq!(usernames(&caller.get(&format!("/users?filter={filter}")).await.ok().json()), names, "{filter}");
        }
        for (filter, pointer) in [
            ("segment eq \"newsletter\"", "/filter"),
            ("groups eq \"nobody knows\"", "/filter"),
            ("groups eq", "/filter"),
        ] {
            let refused = caller.post("/segments", json!({"name": "y", "filter": filter})).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{filter}");
        }

        // a view of one's own is nobody else's
        let own = service(server, "admin:segments admin:users.read").await;
        let own = Caller::with_token(server, &client_token(server, &own).await).await;
        let view = id(&own.post("/segments", json!({"name": "newsletter", "q": "cyd"})).await);
        let names = |listed: Value| {
            let items = listed["items"].as_array().unwrap().clone();
            items.iter().map(|item| (item["name"].as_str().unwrap().to_owned(), item["shared"] == true)).collect::<Vec<_>>()
        };
        let listed = names(own.get("/segments").await.ok().json());
        assert_eq!(listed, [("Newsletter".to_owned(), true), ("newsletter".to_owned(), false)]);
        assert_eq!(names(caller.get("/segments").await.ok().json()), [("Newsletter".to_owned(), true)]);
        for (method, path) in [("GET", format!("/segments/{view}")), ("DELETE", format!("/segments/{view}")), ("GET", format!("/segments/{view}/users"))] {
            assert_eq!(caller.send(method, &path, None, &[]).await.status, 404, "{method} {path}");
        }
        assert_eq!(usernames(&own.get(&format!("/segments/{view}/users")).await.ok().json()), ["cyd"]);
        caller.delete(&path).await.ok();
        let filter: String = byte_serialize(b"segment eq \"newsletter\"").collect();
        assert_eq!(caller.get(&format!("/users?filter={filter}")).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_file_of_apply_says_segments_and_takes_back_those_that_it_made() {
    let server = Server::start().await;
    let file = json!({"version": 1, "groups": [{"name": "staff"}],
        "segments": [{"name": "Everybody of ours", "filter": "groups eq \"staff\"", "sort": ["username"]}]});
    let run = async |file: &Value| {
        let document = Document::read(file, None)?;
        apply(server.provider(), &server.call(), &document, PruneUsers::No).await
    };
    assert!(!run(&file).await.unwrap().is_empty());
    assert!(run(&file).await.unwrap().is_empty(), "once more changes nothing");
    let wrong = json!({"version": 1, "segments": [{"name": "x", "filter": "groups eq"}]});
    assert!(run(&wrong).await.is_err());
    run(&json!({"version": 1, "segments": [], "prune": ["segments"]}))
        .await
        .unwrap();
    let left = server
        .provider()
        .store
        .read()
        .await
        .unwrap()
        .list_segments(None, 10)
        .await
        .unwrap();
    assert!(left.is_empty());
    server.stop().await;
}
