//! What lists are asked.

use std::time::Duration;

use ostiary::http::api::route::Method;
use ostiary::http::api::table;
use proptest::prelude::*;
use serde_json::Value;
use url::form_urlencoded;

use super::{Change, Inputs, administrator, pieces};
use crate::support::http::plain_http;
use crate::support::server::Server;

const NAMES: &[&str] = &[
    "limit", "after", "sort", "q", "filter", "count", "offset", "q", "filter", "limit",
];

const VALUES: &[&str] = &[
    "1",
    "0",
    "-1",
    "200",
    "201",
    "99999999999999999999",
    "true",
    "false",
    "username",
    "-created_at",
    "created_at",
    "username eq \"ada\"",
    "email eq \"ada@example.com\"",
    "username eq \"' or 1=1 --\"",
    "username co \"a\"",
    "username eq ",
    "not (username eq \"a\")",
    "(((((((((",
    "'",
    "%",
    "_",
    "' or '1'='1",
    "\\",
    "\"",
    "\u{0}",
    "ada",
    "a",
    "\u{10ffff}",
    ";drop table users",
    "$1",
    "username eq \"\\u0000\"",
    "username eq \"\u{10ffff}\"",
];

const FITTING: &[(&str, &str)] = &[
    ("limit", "1"),
    ("limit", "200"),
    ("q", "ada"),
    ("q", "o'"),
    ("count", "true"),
    ("sort", "username"),
    ("filter", "username eq \"ada\""),
];

struct Reader {
    server: Server,
    http: reqwest::Client,
    token: String,
}

impl Reader {
    async fn get(&self, path: &str, query: &[(String, String)]) -> (u16, Value) {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let request = self
            .http
            .get(format!("{}?{query}", self.server.url(&format!("/api/v1{path}"))));
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (
            status,
            serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} {query}: {body}")),
        )
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// SEC-715: whatever a list is asked, it answers a page or says what it can't be asked; text of the question is never part
/// of a statement; a cursor serves the list and the question it came from, unchanged, for a day.
#[tokio::test]
async fn fuzz_list_query() {
    let server = Server::start().await;
    for name in ["ada", "adam", "bob", "100%", "under_score", "o'hara"] {
        server.user(name).await;
        server.group(&format!("group-{name}"), &[], &[]).await;
    }
    let token = administrator(&server).await;
    let reader = Reader {
        server,
        http: plain_http().build().unwrap(),
        token,
    };
    let lists: Vec<&str> = table()
        .iter()
        .filter(|route| route.method == Method::Get && route.list.is_some() && !route.path.contains('{'))
        .map(|route| route.path)
        .collect();
    assert!(lists.len() >= 5, "{lists:?}");
    let value = prop_oneof![4 => proptest::sample::select(VALUES).prop_map(str::to_owned), 1 => pieces(VALUES, 4)];
    let pair_of = prop_oneof![
        (proptest::sample::select(NAMES), value),
        proptest::sample::select(FITTING).prop_map(|(name, value)| (name, value.to_owned())),
        pieces(VALUES, 3).prop_map(|text| ("filter", format!("username eq {}", Value::String(text)))),
        pieces(VALUES, 3).prop_map(|text| ("q", text)),
    ];
    let asked = proptest::collection::vec(pair_of.prop_map(|(name, value)| (name.to_owned(), value)), 1..3);
    let mut inputs = Inputs::new();
    let mut pages = 0;
    for _ in 0..500 {
        let path = inputs.one(&lists);
        let asked = inputs.draw(&asked);
        let (status, body) = reader.get(path, &asked).await;
        assert!([200, 400].contains(&status), "{path} {asked:?}: {status} {body}");
        if status == 200 {
            pages += 1;
            let items = body["items"].as_array().unwrap();
            let filter = asked.iter().find(|(name, _)| name == "filter");
            if let Some((_, text)) = filter {
                let wanted = text.split('"').nth(1).unwrap_or_default();
                assert!(
                    items.len() <= 1 || !wanted.contains('\''),
                    "{text} finds {}",
                    items.len()
                );
            }
        }
    }
    assert!(pages > 20, "only {pages} questions were answered");

    // wildcards and quotes are letters like others
    for (words, found) in [
        ("%", 0),
        ("_", 0),
        ("100%", 1),
        ("under_", 1),
        ("o'", 1),
        ("ad", 2),
        ("' or 1=1", 0),
    ] {
        let (status, body) = reader.get("/users", &[pair("q", words)]).await;
        assert_eq!(
            (status, body["items"].as_array().unwrap().len()),
            (200, found),
            "{words}"
        );
    }
    for text in ["' or 1=1 --", "ada' --", "%", "a*"] {
        let (status, body) = reader
            .get("/users", &[pair("filter", &format!("username eq \"{text}\""))])
            .await;
        assert_eq!((status, body["items"].as_array().unwrap().len()), (200, 0), "{text}");
    }
    cursors(&reader, &mut inputs).await;
    reader.server.stop().await;
}

async fn cursors(reader: &Reader, inputs: &mut Inputs) {
    let (_, page) = reader.get("/users", &[pair("limit", "2")]).await;
    let cursor = page["next"].as_str().unwrap();
    let with = |cursor: &str| [pair("limit", "2"), pair("after", cursor)];
    let (status, next) = reader.get("/users", &with(cursor)).await;
    assert_eq!((status, next["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(reader.get("/groups", &with(cursor)).await.0, 400, "another list");
    let narrowed = [pair("limit", "2"), pair("after", cursor), pair("q", "a")];
    assert_eq!(reader.get("/users", &narrowed).await.0, 400, "another question");
    for _ in 0..150 {
        let changed = inputs.draw(&Change::any()).of_text(cursor);
        if changed != cursor && !changed.is_empty() {
            assert_eq!(reader.get("/users", &with(&changed)).await.0, 400, "{changed}");
        }
    }
    reader.server.advance(Duration::from_secs(24 * 3600 + 1));
    let token = administrator(&reader.server).await;
    let reader_later = reader
        .http
        .get(format!("{}?limit=2&after={cursor}", reader.server.url("/api/v1/users")));
    let late = reader_later.bearer_auth(token).send().await.unwrap();
    assert_eq!(late.status().as_u16(), 400, "a day later");
}
