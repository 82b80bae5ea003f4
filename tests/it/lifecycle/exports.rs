//! Users as a file.

use ostiary::model::Id;
use serde_json::{Value, json};

use super::{administrator, with_commands};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::cli::Terminal;
use crate::support::server::each_backend;

/// The rows of a CSV without line breaks in its cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

/// Users are exported as CSV and as JSON, all or some, with their groups and properties; formulas are none, and it is on record.
#[tokio::test]
async fn users_are_exported_as_a_table_and_as_json() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        server.group("staff", &["orders.read"], &[]).await;
        server.group("odd;name", &["orders.read"], &[]).await;
        let property = json!({"name": "shoe_size", "type": "number"});
        assert_eq!(caller.post("/properties", property).await.status, 201);
        let hidden = json!({"name": "grade", "type": "text", "administrators": "none"});
        assert_eq!(caller.post("/properties", hidden).await.status, 201);
        let ada = json!({"username": "ada", "email": "ada@example.com", "given_name": "=HYPERLINK(\"http://x\")", "family_name": "-2+3",
            "phone_number": "+33123456789", "company": "Ümläut, \"Ltd\"", "properties": {"shoe_size": 38},
            "address": {"locality": "@SUM(A1)"}});
        let ada = caller.post("/users", ada).await.json();
        caller.post("/users", json!({"username": "bob"})).await;
        for group in ["staff", "odd;name"] {
            let group = server.provider().store.read().await.unwrap().find_group_by_name(group).await.unwrap().unwrap();
            let path = format!("/groups/{}/members/{}", group.id, ada["id"].as_str().unwrap());
            caller.send("PUT", &path, None, &[]).await;
        }

        let answer = caller.ask("GET", "/users/export").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/csv; charset=utf-8"));
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"users.csv\"");
        let table = rows(&answer.body);
        let column = |name: &str| table[0].iter().position(|known| known == name).unwrap_or_else(|| panic!("no column {name}"));
        let row = |name: &str| table.iter().find(|row| row[column("username")] == name).unwrap();
        let cell = |name: &str| row("ada")[column(name)].as_str();
        assert_eq!(cell("given_name"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(cell("family_name"), "'-2+3");
        assert_eq!(cell("address.locality"), "'@SUM(A1)");
        assert_eq!(cell("phone_number"), "+33123456789");
        assert_eq!(cell("company"), "Ümläut, \"Ltd\"");
        assert_eq!(cell("properties.shoe_size"), "38");
        assert_eq!(cell("groups"), "[\"odd;name\",\"staff\"]");
        assert_eq!(cell("primary_group"), "staff");
        assert_eq!(row("bob")[column("groups")], "");
        assert!(!answer.body.contains("$argon2id$") && answer.body.contains("\r\n"));
        assert!(table[0].iter().all(|name| !name.contains("password_hash")));

        let answer = caller.ask("GET", "/users/export?format=json&filter=username%20eq%20%22ada%22").await;
        let items: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(items.as_array().unwrap().len(), 1);
        assert_eq!(items[0]["given_name"], "=HYPERLINK(\"http://x\")");
        assert_eq!(items[0]["groups"], json!(["odd;name", "staff"]));
        assert_eq!(items[0]["properties"], json!({"shoe_size": 38}));
        let answer = caller.ask("GET", "/users/export?q=ada&columns=email,username").await;
        assert_eq!(answer.body, "email,username\r\nada@example.com,ada\r\n");
        let answer = caller.ask("GET", "/users/export?format=json&q=nobody").await;
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), json!([]));
        for wrong in ["columns=password_hash", "format=xml", "filter=shoe"] {
            let refused = caller.send("GET", &format!("/users/export?{wrong}"), None, &[]).await;
            assert!(refused.status.is_client_error(), "{wrong}: {}", refused.body);
        }
        let events = caller.get("/events?filter=kind%20eq%20%22users.exported%22").await.json();
        assert_eq!(events["items"].as_array().unwrap().len(), 4, "{events}");

        let client = service(server, "admin:groups").await;
        let other = Caller::with_token(server, &client_token(server, &client).await).await;
        assert_eq!(other.send("GET", "/users/export", None, &[]).await.status, 403);
    })
    .await;
}

/// More than one page, in one piece of a command's output after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_writes_every_user() {
    let server = with_commands().await;
    let template = server.user("template").await;
    let template = server.account(&template).await;
    let mut tx = server.provider().store.write().await.unwrap();
    for number in 0..1_203 {
        let mut user = template.clone();
        user.id = Id::new(server.call().now);
        user.username = format!("crowd-{number:04}");
        user.subject = user.username.clone();
        user.profile.email = None;
        tx.add_user(&user).await.unwrap();
    }
    tx.commit().await.unwrap();
    let terminal = Terminal::at(server.folder());
    let table = terminal.run(&["users", "export", "--beginning", "crowd-"]).await.ok();
    let table = rows(&table);
    assert_eq!(table.len(), 1_204);
    let usernames: std::collections::BTreeSet<&str> = table[1..].iter().map(|row| row[2].as_str()).collect();
    assert_eq!(usernames.len(), 1_203);
    let all = terminal.run(&["users", "export", "--format", "json"]).await.ok();
    let all: Vec<Value> = serde_json::from_str(&all).unwrap();
    assert!(all.len() >= 1_203 && all.iter().all(|user| user["username"].is_string()));
    server.stop().await;
}
