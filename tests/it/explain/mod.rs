//! Explain: whoever holds a trace id is told why, by command and API, and nobody is told a secret.

mod command;
mod kept;
mod refusals;
mod rules;
mod tokens;

use ostiary::store::TraceSelection;
use serde_json::Value;

use crate::api::conversation::Caller;
use crate::support::server::{Server, TestClient, TestUser};

/// An administrator who may read traces.
pub async fn reader(server: &Server) -> Caller<'_> {
    Caller::client(server, "admin:traces").await
}

/// What the API says about a trace id, or a beginning of one.
pub async fn explained(server: &Server, id: &str) -> Value {
    let answer = reader(server).await.get(&format!("/traces/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The newest trace about a user, explained.
pub async fn of_user(server: &Server, user: &TestUser) -> Value {
    newest(server, &format!("user eq \"{}\"", user.id)).await
}

/// The newest trace for a client, explained.
pub async fn of_client(server: &Server, client: &TestClient) -> Value {
    newest(server, &format!("client eq \"{}\"", client.id)).await
}

async fn newest(server: &Server, filter: &str) -> Value {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let list = reader(server).await.get(&format!("/traces?filter={filter}")).await;
    let items = list.ok().json();
    let id = items["items"][0]["trace_id"]
        .as_str()
        .unwrap_or_else(|| panic!("no trace of {filter}"));
    explained(server, id).await
}

/// The value of a fact of the last decision; null if there is none.
pub fn fact(explained: &Value, name: &str) -> Value {
    let last = explained["decisions"].as_array().unwrap().last().unwrap();
    let facts = last["facts"].as_array().unwrap();
    let found = facts.iter().find(|fact| fact["name"] == name);
    found.map_or(Value::Null, |fact| fact["value"].clone())
}

/// The ten characters that an error page shows.
pub fn shown_id(page: &str) -> String {
    let (_, after) = page.split_once("<p class=\"trace\">").expect("an error page");
    let (_, after) = after.split_once("<code>").unwrap();
    let id = after.split_once("</code>").unwrap().0;
    assert_eq!(id.len(), 10);
    id.to_owned()
}

/// How many traces there are.
pub async fn count(server: &Server) -> usize {
    server.provider().write_traces().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let traces = store.list_traces(&TraceSelection::All, None, u32::MAX).await.unwrap();
    traces.len()
}
