//! Properties: what an administrator has defined that is told about people.

use std::time::Duration;

use ostiary::flow::people::sweep_properties;
use serde_json::{Value, json};

use super::conversation::Caller;
use crate::support::relying_party::Answer;
use crate::support::server::{Server, each_backend};

const EVERYTHING: &str = "admin:users admin:properties";

/// Which members were refused, and why.
fn codes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let errors = answer.json()["errors"].as_array().unwrap().clone();
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

async fn define(caller: &Caller<'_>, definition: Value) -> String {
    let made = caller.post("/properties", definition).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// Lets what is done in the background come to its end.
async fn sweep(server: &Server) {
    server.clock().advance(Duration::from_secs(10));
    while sweep_properties(server.provider(), &server.call()).await.unwrap() {}
}

#[tokio::test]
async fn a_property_is_defined_and_told_on_every_store() {
    each_backend(async |server| {
        let caller = Caller::client(server, EVERYTHING).await;
        let id = define(
            &caller,
            json!({"name": "badge", "type": "text", "labels": {"en": "Badge", "de": "Ausweis"}, "pattern": "[A-Z]{2}-[0-9]{4}",
                "unique": true, "indexed": true}),
        )
        .await;
        define(&caller, json!({"name": "floor", "type": "number", "minimum": -2, "maximum": 40, "default": 1})).await;
        define(
            &caller,
            json!({"name": "diet", "type": "choice", "choices": [{"value": "all"}, {"value": "vegan", "labels": {"en": "Vegan"}}]}),
        )
        .await;
        let ada = caller
            .post("/users", json!({"username": "ada", "company": "Engines", "properties": {"badge": "AB-0001", "diet": "vegan"}}))
            .await;
        assert_eq!(ada.status, 201, "{}", ada.body);
        let ada = ada.json();
        assert_eq!(ada["company"], "Engines");
        assert_eq!(ada["properties"], json!({"badge": "AB-0001", "diet": "vegan", "floor": 1}));

        let wrong = json!({"username": "eve", "properties": {"badge": "xAB-0001", "floor": 41, "diet": "meat", "shoe": 42}});
        let refused = caller.post("/users", wrong).await;
        assert_eq!(
            codes(&refused),
            ["/properties/badge pattern", "/properties/diet unsupported", "/properties/floor out_of_range", "/properties/shoe unknown"]
        );
        let taken = caller.post("/users", json!({"username": "eve", "properties": {"badge": "AB-0001"}})).await;
        assert_eq!(codes(&taken), ["/properties/badge taken"]);
        let bob = caller.post("/users", json!({"username": "bob", "properties": {"badge": "AB-0002"}})).await.json();

        // what is not named stays, null clears
        let path = format!("/users/{}", bob["id"].as_str().unwrap());
        let changed = caller.patch(&path, json!({"properties": {"floor": 3}})).await.ok().json();
        assert_eq!(changed["properties"], json!({"badge": "AB-0002", "floor": 3}));
        let taken = caller.patch(&path, json!({"properties": {"badge": "AB-0001"}})).await;
        assert_eq!(codes(&taken), ["/properties/badge taken"]);
        let cleared = caller.patch(&path, json!({"properties": {"badge": null}})).await.ok().json();
        assert_eq!(cleared["properties"], json!({"floor": 3}));
        let again = caller.post("/users", json!({"username": "eve", "properties": {"badge": "AB-0002"}})).await;
        assert_eq!(again.status, 201, "nobody has it any more: {}", again.body);

        let listed = caller.get("/properties").await.ok().json();
        let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
        assert_eq!(names, ["badge", "diet", "floor"]);
        let told = caller.get(&format!("/properties/{id}")).await.ok().json();
        assert_eq!((&told["labels"]["de"], &told["state"]), (&json!("Ausweis"), &json!("ready")));
        // somebody whose account goes leaves room for the next
        caller
            .delete(&format!("/users/{}?erase=true", ada["id"].as_str().unwrap()))
            .await
            .ok();
        caller.patch(&path, json!({"properties": {"badge": "AB-0001"}})).await.ok();
    })
    .await;
}

/// What one property takes and what it does not, by type and validator.
#[tokio::test]
async fn values_are_judged_by_type_and_validator() {
    let server = Server::start().await;
    let caller = Caller::client(&server, EVERYTHING).await;
    let cases = [
        (
            json!({"type": "text", "min_length": 2, "max_length": 4}),
            json!(["ab", "äöüß"]),
            json!(["a", "abcde", 1, "a\u{200b}b", " "]),
        ),
        (
            json!({"type": "text", "pattern": "a|bc"}),
            json!(["a", "bc"]),
            json!(["ab", "abc", "xa", "bcc", "a\nbc"]),
        ),
        (
            json!({"type": "text", "format": "card_number"}),
            json!(["4111 1111 1111 1111"]),
            json!(["4111111111111112", "4111", "4111x111"]),
        ),
        (
            json!({"type": "number"}),
            json!([0, -1.5, 9_007_199_254_740_991_i64]),
            json!(["1", 9_007_199_254_740_992_i64, true]),
        ),
        (json!({"type": "boolean"}), json!([true, false]), json!(["true", 0])),
        (
            json!({"type": "date", "minimum": "2000-01-01"}),
            json!(["2024-02-29", "2000-01-01"]),
            json!(["2023-02-29", "1999-12-31", "2024-2-9", 2024]),
        ),
        (json!({"type": "email"}), json!(["a@example.com"]), json!(["a@@b", "a"])),
        (json!({"type": "phone"}), json!(["+33 1 23 45 67 89"]), json!(["123"])),
        (
            json!({"type": "url"}),
            json!(["https://a.example/"]),
            json!(["javascript:alert(1)"]),
        ),
        (
            json!({"type": "list"}),
            json!([["a", "b"], ["a"]]),
            json!([[], "a", [1]]),
        ),
        (
            json!({"type": "list", "choices": [{"value": "x"}]}),
            json!([["x"]]),
            json!([["y"]]),
        ),
        (
            json!({"type": "json"}),
            json!([{"a": [1, {"b": null}]}, 7, "x"]),
            json!(["x".repeat(9_000)]),
        ),
    ];
    for (number, (definition, good, bad)) in cases.into_iter().enumerate() {
        let name = format!("p{number}");
        let mut definition = definition;
        definition["name"] = name.clone().into();
        define(&caller, definition).await;
        for (place, value) in good.as_array().unwrap().iter().enumerate() {
            let body = json!({"username": format!("good {number} {place}"), "properties": {&name: value}});
            let made = caller.post("/users", body).await;
            assert_eq!(made.status, 201, "{name} {value}: {}", made.body);
        }
        for value in bad.as_array().unwrap() {
            let made = caller
                .post("/users", json!({"username": "bad", "properties": {&name: value}}))
                .await;
            assert_eq!(made.status, 422, "{name} {value}");
        }
    }
    server.stop().await;
}

/// A definition that contradicts itself is refused, with each member's name; standard fields are extended, never redefined.
#[tokio::test]
async fn a_definition_that_cannot_be_is_refused() {
    let server = Server::start().await;
    let caller = Caller::client(&server, EVERYTHING).await;
    for (definition, expected) in [
        (json!({"name": "a"}), "/type required"),
        (json!({"name": "A", "type": "text"}), "/name malformed"),
        (json!({"name": "a", "type": "shoe"}), "/type type"),
        (
            json!({"name": "a", "type": "text", "pattern": "a)|(b"}),
            "/pattern malformed",
        ),
        (
            json!({"name": "a", "type": "text", "pattern": "(?x)a # "}),
            "/pattern malformed",
        ),
        (
            json!({"name": "a", "type": "text", "pattern": "(a"}),
            "/pattern malformed",
        ),
        (
            json!({"name": "a", "type": "text", "pattern": "(?:a{1000}){1000}"}),
            "/pattern malformed",
        ),
        (
            json!({"name": "a", "type": "text", "pattern": "(.)\\1"}),
            "/pattern malformed",
        ),
        (json!({"name": "a", "type": "choice"}), "/choices required"),
        (
            json!({"name": "a", "type": "text", "choices": [{"value": "a"}]}),
            "/choices contradiction",
        ),
        (
            json!({"name": "a", "type": "number", "minimum": 2, "maximum": 1}),
            "/maximum contradiction",
        ),
        (json!({"name": "a", "type": "number", "minimum": "2"}), "/minimum type"),
        (
            json!({"name": "a", "type": "json", "indexed": true}),
            "/indexed contradiction",
        ),
        (
            json!({"name": "a", "type": "boolean", "unique": true}),
            "/unique contradiction",
        ),
        (json!({"name": "a", "type": "number", "default": "x"}), "/default type"),
        (
            json!({"name": "a", "type": "text", "unique": true, "default": "x"}),
            "/default contradiction",
        ),
        (json!({"name": "a", "type": "text", "claim": "sub"}), "/claim taken"),
        (json!({"name": "a", "type": "text", "claim": "email"}), "/claim taken"),
        (
            json!({"name": "a", "type": "text", "scope": "openid"}),
            "/scope malformed",
        ),
        (
            json!({"name": "a", "type": "text", "labels": {"en": "two\nlines"}}),
            "/labels/en malformed",
        ),
        (
            json!({"name": "a", "type": "text", "required": true, "administrators": "read"}),
            "/required contradiction",
        ),
        (json!({"name": "given_name", "type": "number"}), "/type built_in"),
        (json!({"name": "email", "unique": false}), "/unique built_in"),
    ] {
        let refused = caller.post("/properties", definition.clone()).await;
        assert_eq!(codes(&refused), [expected], "{definition}");
    }
    let id = define(
        &caller,
        json!({"name": "given_name", "max_length": 5, "labels": {"en": "First name"}}),
    )
    .await;
    let refused = caller
        .post("/users", json!({"username": "ada", "given_name": "Augusta"}))
        .await;
    assert_eq!(codes(&refused), ["/given_name too_long"]);
    caller
        .post("/users", json!({"username": "ada", "given_name": "Ada"}))
        .await;
    let again = caller.post("/properties", json!({"name": "given_name"})).await;
    assert_eq!(codes(&again), ["/name taken"]);
    let other = define(&caller, json!({"name": "a", "type": "text", "claim": "shoe"})).await;
    let taken = caller
        .post("/properties", json!({"name": "b", "type": "text", "claim": "shoe"}))
        .await;
    assert_eq!(codes(&taken), ["/claim taken"]);
    let changed = caller
        .patch(&format!("/properties/{other}"), json!({"type": "number"}))
        .await;
    assert_eq!(codes(&changed), ["/type immutable"]);
    caller.delete(&format!("/properties/{id}")).await.ok();
    let ada = json!({"username": "augusta", "given_name": "Augusta"});
    assert_eq!(caller.post("/users", ada).await.status, 201, "the extension is gone");
    server.stop().await;
}

/// Who may see and change what: a hidden value is neither told to administrators nor changed by them.
#[tokio::test]
async fn what_administrators_may_not_see_they_are_not_told() {
    each_backend(async |server| {
        let caller = Caller::client(server, EVERYTHING).await;
        define(
            &caller,
            json!({"name": "secret", "type": "text", "administrators": "none", "default": "x"}),
        )
        .await;
        define(
            &caller,
            json!({"name": "fixed", "type": "text", "administrators": "read", "default": "y"}),
        )
        .await;
        define(&caller, json!({"name": "needed", "type": "text", "required": true})).await;
        let refused = caller.post("/users", json!({"username": "ada"})).await;
        assert_eq!(codes(&refused), ["/properties/needed required"]);
        let made = caller
            .post("/users", json!({"username": "ada", "properties": {"needed": "z"}}))
            .await
            .json();
        assert_eq!(made["properties"], json!({"fixed": "y", "needed": "z"}));
        let path = format!("/users/{}", made["id"].as_str().unwrap());
        let refused = caller
            .patch(
                &path,
                json!({"properties": {"secret": "a", "fixed": null, "needed": null}}),
            )
            .await;
        assert_eq!(
            codes(&refused),
            [
                "/properties/fixed not_editable",
                "/properties/needed required",
                "/properties/secret not_editable"
            ]
        );
        let listed = caller.get("/users?q=ada").await.ok().json();
        assert_eq!(listed["items"][0]["properties"], json!({"fixed": "y", "needed": "z"}));
        let reader = Caller::client(server, "admin:properties").await;
        let id = caller.get("/properties?filter=name eq \"needed\"").await.ok().json()["items"][0]["id"].clone();
        let probe = reader
            .post(
                &format!("/properties/{}/check", id.as_str().unwrap()),
                json!({"pattern": "z"}),
            )
            .await;
        assert_eq!(probe.status, 403, "whose value is what is not told by way of a check");
        // nor are values that no administrator sees, whatever the caller holds
        let id = caller.get("/properties?filter=name eq \"secret\"").await.ok().json()["items"][0]["id"].clone();
        let path = format!("/properties/{}/check", id.as_str().unwrap());
        for change in [
            json!({"pattern": "z"}),
            json!({"administrators": "read", "pattern": "z"}),
        ] {
            let refused = caller.post(&path, change).await;
            assert_eq!(refused.status, 409, "{}", refused.body);
        }
    })
    .await;
}

/// A change tells beforehand whom it would break; what is there stays; values are made findable in the background, and removed.
#[tokio::test]
async fn a_change_tells_whom_it_breaks_and_is_made_in_the_background() {
    each_backend(async |server| {
        let caller = Caller::client(server, EVERYTHING).await;
        let id = define(&caller, json!({"name": "room", "type": "text"})).await;
        for number in 0..120 {
            let room = if number < 3 {
                "1".to_owned()
            } else {
                format!("room {number}")
            };
            let body = json!({"username": format!("u{number}"), "properties": {"room": room}});
            assert_eq!(caller.post("/users", body).await.status, 201);
        }
        caller.post("/users", json!({"username": "without"})).await;
        let path = format!("/properties/{id}");
        let check = format!("{path}/check");
        let told = caller
            .post(&check, json!({"min_length": 2, "required": true, "unique": true}))
            .await
            .ok()
            .json();
        assert_eq!(
            (&told["complete"], &told["invalid"], &told["missing"], &told["taken"]),
            (&json!(true), &json!(3), &json!(1), &json!(0))
        );
        assert_eq!(told["examples"].as_array().unwrap().len(), 4);
        let told = caller.post(&check, json!({"unique": true})).await.ok().json();
        assert_eq!((&told["looked_at"], &told["taken"]), (&json!(121), &json!(2)));
        assert_eq!(
            caller.get(&path).await.ok().json()["unique"],
            false,
            "nothing was changed"
        );

        let changed = caller
            .patch(&path, json!({"unique": true, "indexed": true}))
            .await
            .ok()
            .json();
        assert_eq!(changed["state"], "indexing");
        let busy = sweep_properties(server.provider(), &server.call()).await.unwrap();
        assert!(!busy, "whoever is changing an account meanwhile comes first");
        sweep(server).await;
        let told = caller.get(&path).await.ok().json();
        assert_eq!((&told["state"], &told["doubles"]), (&json!("ready"), &json!(2)));
        let taken = caller
            .post("/users", json!({"username": "eve", "properties": {"room": "room 77"}}))
            .await;
        assert_eq!(codes(&taken), ["/properties/room taken"]);

        caller.delete(&path).await.ok();
        let ada = caller.get("/users?q=u77").await.ok().json()["items"][0].clone();
        assert_eq!(ada["properties"], json!({}), "nobody is told it from now on");
        let again = caller
            .post("/properties", json!({"name": "room", "type": "number"}))
            .await;
        assert_eq!(codes(&again), ["/name taken"], "values of the old one are there yet");
        sweep(server).await;
        define(&caller, json!({"name": "room", "type": "number"})).await;
        let ada = caller.get("/users?q=u77").await.ok().json()["items"][0].clone();
        assert_eq!(ada["properties"], json!({}), "no value comes back");
    })
    .await;
}

/// SEC-462: a pattern that would take other engines for ever is judged at once, what would be too large is refused, and what is looked
/// at is never read as a pattern itself.
#[tokio::test]
async fn regex_bounds() {
    let server = Server::start().await;
    let caller = Caller::client(&server, EVERYTHING).await;
    for pattern in [
        "(?:a{1000}){1000}",
        "\\p{L}{3000}",
        "(.)\\1",
        "(?=a)a",
        &"a".repeat(501),
    ] {
        let refused = caller
            .post("/properties", json!({"name": "p", "type": "text", "pattern": pattern}))
            .await;
        assert_eq!(refused.status, 422, "{pattern}");
    }
    let long = format!("{}!", "a".repeat(3_900));
    for (number, pattern) in ["(a+)+", "(a|aa)+", "(a|a?)+", "(.*a){12}", "([a-z]+)*b"]
        .into_iter()
        .enumerate()
    {
        let name = format!("p{number}");
        define(&caller, json!({"name": name, "type": "text", "pattern": pattern})).await;
        let began = std::time::Instant::now();
        let refused = caller
            .post("/users", json!({"username": "ada", "properties": {&name: long}}))
            .await;
        assert_eq!(codes(&refused), [format!("/properties/{name} pattern")]);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{pattern}: {:?}",
            began.elapsed()
        );
    }
    define(
        &caller,
        json!({"name": "word", "type": "choice", "choices": [{"value": "a.c"}]}),
    )
    .await;
    let refused = caller
        .post("/users", json!({"username": "ada", "properties": {"word": "abc"}}))
        .await;
    assert_eq!(codes(&refused), ["/properties/word unsupported"]);
    server.stop().await;
}
