//! The `claims` parameter: OpenID Connect Core section 5.5.

use ostiary::protocol::claims_parameter::parse;
use proptest::prelude::*;
use serde_json::json;

use super::code;

#[test]
fn the_example_of_the_specification_is_read() {
    // section 5.5
    let request = parse(
        &json!({
            "userinfo": {
                "given_name": {"essential": true},
                "nickname": null,
                "email": {"essential": true},
                "email_verified": {"essential": true},
                "picture": null,
                "http://example.info/claims/groups": null
            },
            "id_token": {
                "auth_time": {"essential": true},
                "acr": {"values": ["urn:mace:incommon:iap:silver", "urn:mace:incommon:iap:bronze"]}
            }
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(request.userinfo.len(), 6);
    let named = |name: &str| request.userinfo.iter().find(|claim| claim.name == name).unwrap();
    assert!(named("given_name").essential && named("email").essential);
    assert!(!named("nickname").essential && named("nickname").values.is_empty());
    let acr = request.id_token.iter().find(|claim| claim.name == "acr").unwrap();
    assert!(!acr.essential);
    assert_eq!(
        acr.values,
        [
            json!("urn:mace:incommon:iap:silver"),
            json!("urn:mace:incommon:iap:bronze")
        ]
    );
}

#[test]
fn members_that_are_not_understood_are_ignored() {
    let request = parse(r#"{"frobnicate": 7, "userinfo": {"name": {"essential": "yes", "colour": "red"}}}"#).unwrap();
    assert_eq!(request.userinfo.len(), 1);
    assert!(!request.userinfo[0].essential);
    assert!(parse("{}").unwrap().is_empty());
    assert!(parse(r#"{"userinfo": null, "id_token": {}}"#).unwrap().is_empty());
}

#[test]
fn a_single_value_is_a_list_of_one() {
    let request =
        parse(r#"{"id_token": {"sub": {"value": "248289761001"}, "a": {"value": 1, "values": [2]}}}"#).unwrap();
    let values = |name: &str| {
        request
            .id_token
            .iter()
            .find(|claim| claim.name == name)
            .unwrap()
            .values
            .clone()
    };
    assert_eq!(values("sub"), [json!("248289761001")]);
    assert_eq!(values("a"), [json!(1)]);
}

#[test]
fn what_is_no_claims_request_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "7",
        "\"name\"",
        "{",
        "{} {}",
        r#"{"userinfo": []}"#,
        r#"{"userinfo": "name"}"#,
        r#"{"id_token": 7}"#,
        r#"{"id_token": {"sub": "x"}}"#,
        r#"{"id_token": {"sub": true}}"#,
        r#"{"id_token": {"sub": ["x"]}}"#,
    ] {
        assert_eq!(code(parse(text)), "invalid_request", "{text}");
    }
}

/// SEC-026.
#[test]
fn authz_hint_params_bounded_in_claims() {
    let claims = |count: usize| {
        let claims: serde_json::Map<_, _> = (0..count).map(|index| (format!("c{index}"), json!(null))).collect();
        json!({"userinfo": claims}).to_string()
    };
    assert_eq!(parse(&claims(60)).unwrap().userinfo.len(), 60);
    assert_eq!(code(parse(&claims(61))), "invalid_request");
    let large = json!({"userinfo": {"name": {"value": "x".repeat(8 * 1024)}}}).to_string();
    assert_eq!(code(parse(&large)), "invalid_request");
    let values = json!({"id_token": {"acr": {"values": (0..500).collect::<Vec<_>>()}}}).to_string();
    assert_eq!(parse(&values).unwrap().id_token[0].values.len(), 20);
    let deep = format!(
        r#"{{"userinfo":{{"name":{{"value":{}{}}}}}}}"#,
        "[".repeat(4000),
        "]".repeat(4000)
    );
    assert_eq!(code(parse(&deep)), "invalid_request");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in r#"[{}\[\]",:a-z0-9\\ -]{0,80}"#) {
        drop(parse(&text));
    }
}
