//! Whom an access token is for, and what it may say there: RFC 8707, RFC 9068 section 3.

use ostiary::model::{AccessTokenFormat, Client, Id, Resource, Scopes};
use ostiary::protocol::audience::{Surroundings, grantable, is_api_scope, settle};
use proptest::prelude::*;

use super::{NOW, client_with, code};

const ISSUER: &str = "https://login.example";
const API: &str = "https://login.example/api/v1";
const ORDERS: &str = "https://orders.example";
const BILLS: &str = "https://bills.example";

fn resource(identifier: &str, scopes: &str) -> Resource {
    Resource {
        id: Id::new(NOW),
        identifier: identifier.to_owned(),
        name: None,
        scopes: Scopes::parse(scopes).unwrap(),
        access_token_format: None,
        access_token_lifetime: None,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn resources() -> Vec<Resource> {
    vec![
        resource(ORDERS, "orders.read orders.write shared"),
        Resource {
            access_token_format: Some(AccessTokenFormat::Opaque),
            ..resource(BILLS, "bills.read shared")
        },
    ]
}

fn around(resources: &[Resource]) -> Surroundings<'_> {
    Surroundings {
        issuer: ISSUER,
        api: API,
        resources,
    }
}

fn client(scope: &str, may_reach: &[&str]) -> Client {
    client_with(|client| {
        client.metadata.scope = Scopes::parse(scope).unwrap();
        client.policy.resources = may_reach.iter().map(|&identifier| identifier.to_owned()).collect();
    })
}

#[test]
fn a_client_may_have_the_scopes_it_registered_that_exist_and_that_it_can_reach() {
    let resources = resources();
    let of = |scope: &str, may_reach: &[&str]| grantable(&client(scope, may_reach), &around(&resources)).to_string();
    assert_eq!(
        of("openid orders.read bills.read", &[]),
        "openid orders.read bills.read"
    );
    assert_eq!(of("openid orders.read bills.read", &[BILLS]), "openid bills.read");
    assert_eq!(of("openid unknown", &[]), "openid");
    assert_eq!(of("", &[]), "");
    assert_eq!(
        of("shared admin:users account.read", &[ORDERS]),
        "shared admin:users account.read"
    );
}

#[test]
fn api_scopes_are_those_of_the_administration_api_and_of_ones_own_account() {
    for scope in [
        "admin",
        "admin:users",
        "admin:users.read",
        "account",
        "account.read",
        "scim",
        "scim.read",
    ] {
        assert!(is_api_scope(scope), "{scope}");
    }
    for scope in [
        "administrator",
        "Admin",
        "accounts",
        "account.write",
        "openid",
        "admin.users",
        "scim:x",
    ] {
        assert!(!is_api_scope(scope), "{scope}");
    }
}

#[test]
fn the_scopes_say_whom_a_token_is_for_where_the_request_does_not() {
    let resources = resources();
    let of = |scope: &str| {
        let client = client(
            "openid email orders.read orders.write bills.read shared admin:users",
            &[],
        );
        settle(&client, &Scopes::parse(scope).unwrap(), &[], &around(&resources)).unwrap()
    };
    assert_eq!(of("openid email").audience, [ISSUER]);
    assert_eq!(of("orders.read").audience, [ORDERS]);
    assert_eq!(of("openid orders.read").audience, [ORDERS, ISSUER]);
    assert_eq!(of("shared").audience, [ORDERS, BILLS]);
    assert_eq!(of("admin:users").audience, [API]);
    assert_eq!(of("").audience, [ISSUER]);
    // one token is not for the API and for strangers
    let mixed = of("orders.read admin:users");
    assert_eq!(mixed.audience, [ORDERS]);
    assert_eq!(mixed.scope.to_string(), "orders.read");
}

#[test]
fn a_resource_that_is_asked_for_leaves_out_the_scopes_of_others() {
    let resources = resources();
    let client = client("openid orders.read bills.read admin:users", &[]);
    let scope = Scopes::parse("openid orders.read bills.read admin:users").unwrap();
    let target = settle(&client, &scope, &[ORDERS.to_owned()], &around(&resources)).unwrap();
    assert_eq!(target.audience, [ORDERS, ISSUER]);
    assert_eq!(target.scope.to_string(), "openid orders.read");
    let target = settle(&client, &scope, &[API.to_owned()], &around(&resources)).unwrap();
    assert_eq!(target.scope.to_string(), "openid admin:users");
}

#[test]
fn unknown_and_foreign_resources_are_refused() {
    // RFC 8707 section 2
    let resources = resources();
    let scope = Scopes::parse("openid orders.read").unwrap();
    for (client, asked) in [
        (client("openid orders.read", &[]), "https://nobody.example"),
        (client("openid orders.read", &[]), "https://orders.example/"),
        (client("openid orders.read", &[BILLS]), ORDERS),
        (client("openid orders.read", &[]), API),
    ] {
        let refused = settle(&client, &scope, &[asked.to_owned()], &around(&resources));
        assert_eq!(code(refused), "invalid_target", "{asked}");
        let mixed = settle(
            &client,
            &scope,
            &[ISSUER.to_owned(), asked.to_owned()],
            &around(&resources),
        );
        assert_eq!(code(mixed), "invalid_target", "{asked}");
    }
}

#[test]
fn the_resource_says_how_its_tokens_look() {
    let resources = resources();
    let client = client("openid orders.read bills.read", &[]);
    let format = |scope: &str| {
        settle(&client, &Scopes::parse(scope).unwrap(), &[], &around(&resources))
            .unwrap()
            .format
    };
    assert_eq!(format("bills.read"), AccessTokenFormat::Opaque);
    assert_eq!(format("orders.read"), client.policy.access_token_format);
    assert_eq!(format("openid"), client.policy.access_token_format);
}

const ALL: [&str; 9] = [
    "openid",
    "email",
    "offline_access",
    "orders.read",
    "orders.write",
    "bills.read",
    "shared",
    "admin:users",
    "unknown",
];

fn some_scopes() -> impl Strategy<Value = String> {
    proptest::sample::subsequence(ALL.to_vec(), 0..=ALL.len()).prop_map(|scopes| scopes.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// SEC-022: whatever is asked for, of whatever resource: never more than the client registered, never for somebody it
    /// may not reach.
    #[test]
    fn scope_never_exceeds_client_in_the_rule(
        registered in some_scopes(),
        asked in some_scopes(),
        reach in proptest::sample::subsequence(vec![ORDERS, BILLS], 0..=2),
        requested in proptest::sample::subsequence(vec![ORDERS, BILLS, API, ISSUER], 0..=3),
    ) {
        let resources = resources();
        let around = around(&resources);
        let client = client(&registered, &reach);
        let grantable = grantable(&client, &around);
        prop_assert!(grantable.is_within(&client.metadata.scope));
        let scope = Scopes::parse(&asked).unwrap().within(&grantable);
        let requested: Vec<String> = requested.into_iter().map(str::to_owned).collect();
        if let Ok(target) = settle(&client, &scope, &requested, &around) {
            prop_assert!(target.scope.is_within(&scope));
            for identifier in &target.audience {
                let own = identifier == ISSUER || identifier == API;
                prop_assert!(own || reach.is_empty() || reach.contains(&identifier.as_str()));
                let implied = scope.iter().any(|scope| resources.iter().any(|resource| {
                    resource.identifier == *identifier && resource.scopes.contains(scope)
                }));
                prop_assert!(own || implied || requested.contains(identifier));
            }
            if !target.audience.iter().any(|identifier| identifier == API) {
                prop_assert!(!target.scope.iter().any(is_api_scope));
            }
        }
    }
}
