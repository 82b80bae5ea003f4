//! Roles and permissions: who holds what, by which ways, and that nobody confers what he does not hold.

use serde_json::{Value, json};

use super::conversation::{Caller, user_token};
use crate::support::server::{Server, TestUser, each_backend};

async fn made(caller: &Caller<'_>, path: &str, body: Value) -> String {
    let answer = caller.post(path, body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
    answer.get("id")
}

async fn put(caller: &Caller<'_>, path: &str) -> u16 {
    caller.send("PUT", path, None, &[]).await.status.as_u16()
}

async fn held(server: &Server, user: &TestUser) -> Vec<String> {
    let person = server
        .provider()
        .person(user.id, server.call().now)
        .await
        .unwrap()
        .unwrap();
    person.permissions.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn effective_permissions_name_every_way_by_which_they_came() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        let shop = json!({"identifier": "https://shop.example", "scopes": ["orders"]});
        let shop = made(&caller, "/resources", shop).await;
        for (name, resource) in [("orders.read", true), ("orders.write", true), ("news.read", false)] {
            let mut body = json!({"name": name, "description": format!("may {name}")});
            if resource {
                body["resource"] = json!("https://shop.example");
            }
            made(&caller, "/permissions", body).await;
        }
        let clerk = json!({"name": "Clerk", "resource": "https://shop.example", "permissions": ["orders.read"]});
        let clerk = made(&caller, "/roles", clerk).await;
        let reader = made(
            &caller,
            "/roles",
            json!({"name": "reader", "permissions": ["news.read", "orders.read"]}),
        )
        .await;
        let wrong = [
            (json!({"name": "clerk"}), "taken"),
            (json!({"name": "x", "permissions": ["ghosts"]}), "unknown"),
            (json!({"name": "x", "permissions": ["admin:nonsense"]}), "unknown"),
            (
                json!({"name": "x", "resource": "https://shop.example", "permissions": ["news.read"]}),
                "contradiction",
            ),
            (
                json!({"name": "x", "resource": "https://shop.example", "permissions": ["admin"]}),
                "contradiction",
            ),
            (json!({"name": "x", "resource": "https://nobody.example"}), "unknown"),
        ];
        for (body, code) in wrong {
            let refused = caller.post("/roles", body.clone()).await;
            assert_eq!(refused.json()["errors"][0]["code"], code, "{body} {}", refused.body);
        }
        let reserved = caller.post("/permissions", json!({"name": "admin:users"})).await;
        assert_eq!(reserved.json()["errors"][0]["code"], "reserved");

        let company = made(
            &caller,
            "/groups",
            json!({"name": "company", "permissions": ["news.read"]}),
        )
        .await;
        let night = made(&caller, "/groups", json!({"name": "night"})).await;
        let ada = server.user("ada").await;
        assert_eq!(
            put(&caller, &format!("/groups/{company}/inner-groups/{night}")).await,
            204
        );
        assert_eq!(put(&caller, &format!("/groups/{night}/members/{}", ada.id)).await, 204);
        assert_eq!(put(&caller, &format!("/groups/{company}/roles/{clerk}")).await, 204);
        assert_eq!(put(&caller, &format!("/users/{}/roles/{reader}", ada.id)).await, 204);
        assert_eq!(
            put(&caller, &format!("/users/{}/roles/{reader}", ada.id)).await,
            204,
            "once more"
        );
        assert_eq!(held(server, &ada).await, ["news.read", "orders.read"]);
        let path = format!("/users/{}/effective-permissions", ada.id);
        let shown = caller.get(&path).await.ok().json();
        let of = |name: &str| {
            let items = shown["items"].as_array().unwrap();
            let found = items.iter().find(|item| item["permission"] == name).unwrap();
            let mut paths: Vec<String> = found["paths"]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string)
                .collect();
            paths.sort();
            (found["description"].as_str().unwrap().to_owned(), paths)
        };
        assert_eq!(
            of("orders.read"),
            (
                "may orders.read".to_owned(),
                vec![
                    r#"{"groups":["night","company"],"role":"Clerk"}"#.to_owned(),
                    r#"{"groups":[],"role":"reader"}"#.to_owned(),
                ]
            )
        );
        assert_eq!(
            of("news.read").1,
            [r#"{"groups":["night","company"]}"#, r#"{"groups":[],"role":"reader"}"#]
        );
        // a role that changes, changes for everybody who has it
        let change = json!({"permissions": ["orders.read", "orders.write"]});
        caller.patch(&format!("/roles/{clerk}"), change).await.ok();
        assert_eq!(held(server, &ada).await, ["news.read", "orders.read", "orders.write"]);
        // what something refers to is not deleted
        let id = caller
            .get("/permissions?filter=name%20eq%20%22orders.write%22")
            .await
            .ok()
            .json();
        let id = id["items"][0]["id"].as_str().unwrap().to_owned();
        for path in [format!("/permissions/{id}"), format!("/resources/{shop}")] {
            let refused = caller.delete(&path).await;
            assert_eq!(refused.status.as_u16(), 409, "{path} {}", refused.body);
        }
        caller.delete(&format!("/roles/{clerk}")).await.ok();
        assert_eq!(held(server, &ada).await, ["news.read", "orders.read"]);
        caller.delete(&format!("/permissions/{id}")).await.ok();
        caller.delete(&format!("/users/{}/roles/{reader}", ada.id)).await.ok();
        let again = caller.delete(&format!("/users/{}/roles/{reader}", ada.id)).await;
        assert_eq!(again.status.as_u16(), 404);
        assert_eq!(held(server, &ada).await, ["news.read"]);
    })
    .await;
}

/// SEC-413: attaching roles needs every right conferred, and SEC-419: what is taken counts no more with the next request. SEC-422: the
/// last administrator stays one, whichever way they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_conferred_and_taken_by_whoever_holds_what_is_in_it() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        let limited = Caller::client(server, "admin:roles admin:groups admin:users").await;
        let all = made(&caller, "/roles", json!({"name": "all", "permissions": ["admin"]})).await;
        let help = made(
            &limited,
            "/roles",
            json!({"name": "help", "permissions": ["admin:users.read"]}),
        )
        .await;
        let board = made(&caller, "/groups", json!({"name": "board"})).await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        assert_eq!(put(&caller, &format!("/users/{}/roles/{all}", ada.id)).await, 204);
        let refused = [
            (
                "POST",
                "/roles".to_owned(),
                Some(json!({"name": "x", "permissions": ["admin"]})),
            ),
            (
                "PATCH",
                format!("/roles/{help}"),
                Some(json!({"permissions": ["admin:keys"]})),
            ),
            ("PATCH", format!("/roles/{all}"), Some(json!({"permissions": []}))),
            ("PATCH", format!("/roles/{all}"), Some(json!({"name": "nothing"}))),
            ("DELETE", format!("/roles/{all}"), None),
            ("PUT", format!("/users/{}/roles/{all}", bob.id), None),
            ("PUT", format!("/groups/{board}/roles/{all}"), None),
            ("DELETE", format!("/users/{}/roles/{all}", ada.id), None),
        ];
        for (method, path, body) in refused {
            let answer = limited.send(method, &path, body, &[]).await;
            assert_eq!(answer.status.as_u16(), 403, "{method} {path} {}", answer.body);
        }
        // whoever has a role is not for everybody to act on either
        let answer = limited
            .send("POST", &format!("/users/{}/deactivate", ada.id), None, &[])
            .await;
        assert_eq!(answer.status.as_u16(), 403, "{}", answer.body);

        // a right by a role of a group counts at once, and no more once it is taken
        assert_eq!(put(&limited, &format!("/groups/{board}/roles/{help}")).await, 204);
        assert_eq!(put(&limited, &format!("/groups/{board}/members/{}", bob.id)).await, 204);
        let token = user_token(server, &bob, "openid admin:users.read").await;
        let own = Caller::with_token(server, &token).await;
        assert_eq!(own.get("/users?limit=1").await.status.as_u16(), 200);
        limited.delete(&format!("/groups/{board}/roles/{help}")).await.ok();
        assert_eq!(own.get("/users?limit=1").await.status.as_u16(), 403);

        // ada is the last administrator, by a role of her own
        let last = [
            ("DELETE", format!("/users/{}/roles/{all}", ada.id), None),
            ("DELETE", format!("/roles/{all}"), None),
            (
                "PATCH",
                format!("/roles/{all}"),
                Some(json!({"permissions": ["admin:keys"]})),
            ),
            ("POST", format!("/users/{}/deactivate", ada.id), None),
        ];
        for (method, path, body) in last {
            let answer = caller.send(method, &path, body, &[]).await;
            assert_eq!(answer.status.as_u16(), 409, "{method} {path} {}", answer.body);
            assert!(answer.get("detail").contains("administer"), "{}", answer.body);
        }
        // the other way is enough
        assert_eq!(put(&caller, &format!("/groups/{board}/roles/{all}")).await, 204);
        caller.delete(&format!("/users/{}/roles/{all}", ada.id)).await.ok();
        let refused = caller.delete(&format!("/groups/{board}/roles/{all}")).await;
        assert_eq!(refused.status.as_u16(), 409);
        assert_eq!(held(server, &bob).await, ["admin"]);
    })
    .await;
}
