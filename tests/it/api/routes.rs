//! What holds for every route, made from the table of routes.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::flow::people::{ChangeSource, deactivate_user, permissions};
use ostiary::http::api::route::{Method, Permission};
use ostiary::http::api::table;
use ostiary::http::api::within::Within;
use serde_json::json;

use super::conversation::{Caller, client_token, service, somewhere, user_token};
use crate::support::http::plain_http;
use crate::support::server::Server;
use crate::support::sources::texts;

/// SEC-410: each route names a permission that exists, reading ones for what only reads, and the document lists exactly the
/// routes of the table.
#[tokio::test]
async fn route_permission_inventory() {
    let known = permissions::scopes();
    let mut listed = BTreeSet::new();
    for route in table() {
        assert!(
            listed.insert((route.path, route.method.as_str().to_lowercase())),
            "{} twice",
            route.path
        );
        match route.permission {
            Permission::Open => assert!(
                ["/openapi.json", "/recovery", "/recovery/password"].contains(&route.path)
                    || route.path.starts_with("/registration"),
                "nothing else is open: {}",
                route.path
            ),
            Permission::Held(permission) => {
                assert!(known.contains(permission), "{permission} of {}", route.path);
                let reads = route.method == Method::Get;
                assert_eq!(permission.ends_with(".read"), reads, "{} {permission}", route.path);
            }
        }
    }
    let server = Server::start().await;
    let caller = Caller::with_token(&server, "").await;
    let mut documented = BTreeSet::new();
    let own = |path: &str| path == "/me" || path.starts_with("/me/");
    let described = caller.document();
    let paths = described["paths"].as_object().unwrap();
    // what people ask about themselves is not in the table: the cookie of their session will do
    let asked_by_people: Vec<&String> = paths.keys().filter(|path| own(path)).collect();
    assert!(asked_by_people.len() >= 3, "{asked_by_people:?}");
    for (path, operations) in paths.iter().filter(|(path, _)| own(path)) {
        for operation in operations.as_object().unwrap().values() {
            assert_eq!(operation["security"][1], json!({"session": []}), "{path}");
        }
    }
    for (path, operations) in paths.iter().filter(|(path, _)| !own(path)) {
        for (method, operation) in operations.as_object().unwrap() {
            documented.insert((path.as_str(), method.clone()));
            let route = table()
                .into_iter()
                .find(|route| route.path == path && route.method.as_str().eq_ignore_ascii_case(method));
            let expected = match route.expect("a route").permission {
                Permission::Open => json!([]),
                Permission::Held(permission) => json!([{"bearer": [permission]}]),
            };
            assert_eq!(operation["security"], expected);
        }
    }
    assert_eq!(documented, listed);
    server.stop().await;
}

/// Who may use a route that stands outside the table, as a request without anything shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guard {
    /// Anyone; what it says of a person it says to that person's own browser.
    Open,
    /// Whoever shows a client's credentials or a token: the others get 401 by this method.
    Credential(&'static str),
    /// A form of a page that was opened before: the others get a refusal by POST.
    Form,
    /// Somebody who is signed in and may: the others get no page of it.
    Person,
}

/// Every route outside the table of the interface: whoever mounts another one says here who may use it.
pub const MOUNTED: &[(&str, Guard)] = &[
    ("/", Guard::Open),
    ("/login", Guard::Form),
    ("/login/account", Guard::Form),
    ("/login/action", Guard::Form),
    ("/login/consent", Guard::Form),
    ("/login/devices", Guard::Form),
    ("/login/factor", Guard::Form),
    ("/login/action/passkey", Guard::Form),
    ("/login/factor/passkey", Guard::Form),
    ("/login/passkey", Guard::Form),
    ("/login/code", Guard::Form),
    ("/login/link", Guard::Form),
    ("/login/leave", Guard::Form),
    ("/login/ending", Guard::Form),
    ("/login/new-password", Guard::Form),
    ("/login/forgot", Guard::Form),
    ("/login/recover", Guard::Form),
    ("/login/wait", Guard::Form),
    ("/account/email/confirm", Guard::Form),
    ("/register", Guard::Form),
    ("/register/new", Guard::Form),
    ("/request-access", Guard::Form),
    ("/request-access/new", Guard::Form),
    ("/login/not-me", Guard::Form),
    ("/logout", Guard::Open),
    ("/logout/done", Guard::Open),
    ("/logout/onward", Guard::Open),
    ("/account", Guard::Person),
    ("/account/email", Guard::Person),
    ("/account/phone", Guard::Person),
    ("/account/terms", Guard::Person),
    ("/terms", Guard::Open),
    ("/terms/{name}", Guard::Open),
    ("/account/password", Guard::Person),
    ("/account/profile", Guard::Person),
    ("/account/picture", Guard::Person),
    ("/account/picture/remove", Guard::Person),
    ("/account/activity", Guard::Person),
    ("/account/export", Guard::Person),
    ("/account/lock", Guard::Person),
    ("/account/delete", Guard::Person),
    ("/login/lock", Guard::Form),
    ("/login/unlock", Guard::Form),
    ("/picture/{name}", Guard::Open),
    ("/account/factors", Guard::Person),
    ("/account/factors/new", Guard::Person),
    ("/account/factors/passkey", Guard::Person),
    ("/account/factors/codes", Guard::Person),
    ("/console/doctor", Guard::Person),
    ("/doctor/seen", Guard::Person),
    ("/setup", Guard::Form),
    ("/assets/{*name}", Guard::Open),
    ("/favicon.ico", Guard::Open),
    ("/csp-report", Guard::Open),
    ("/.well-known/security.txt", Guard::Open),
    ("/.well-known/openid-configuration", Guard::Open),
    ("/.well-known/oauth-authorization-server", Guard::Open),
    ("/.well-known/oauth-protected-resource", Guard::Open),
    ("/.well-known/oauth-protected-resource/api/v1", Guard::Open),
    ("/api/docs", Guard::Open),
    ("/oauth2/jwks", Guard::Open),
    ("/oauth2/authorize", Guard::Open),
    ("/oauth2/end_session", Guard::Open),
    ("/oauth2/check_session", Guard::Open),
    ("/oauth2/authorize_challenge", Guard::Credential("POST")),
    ("/oauth2/token", Guard::Credential("POST")),
    ("/oauth2/userinfo", Guard::Credential("GET")),
    ("/oauth2/introspect", Guard::Credential("POST")),
    ("/oauth2/revoke", Guard::Credential("POST")),
    ("/oauth2/register", Guard::Credential("POST")),
    ("/oauth2/register/{client_id}", Guard::Credential("GET")),
    ("/healthz", Guard::Open),
    ("/readyz", Guard::Open),
    ("/metrics", Guard::Credential("GET")),
];

/// The routes that the sources mount by a text, and those that they mount otherwise, with the file. The sandbox's sample
/// application is somebody else's.
fn mounted() -> (BTreeSet<String>, Vec<String>) {
    let (mut texts_of, mut others) = (BTreeSet::new(), Vec::new());
    for (path, text) in texts("src", &["rs"]) {
        if path.starts_with("src/demo/sample/") {
            continue;
        }
        let code: String = text
            .lines()
            .map(|line| line.split("//").next().filter(|_| !line.contains('"')).unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        for rest in code.split(".route(").skip(1) {
            match rest.trim_start().strip_prefix('"') {
                Some(literal) => {
                    texts_of.insert(literal.split('"').next().unwrap().to_owned());
                }
                None => others.push(format!("{path}: {}", rest.trim_start().split(',').next().unwrap())),
            }
        }
        for way in [
            ".nest(",
            ".route_service(",
            ".nest_service(",
            "Router::route(",
            ".fallback_service(",
            ".fallback(",
        ] {
            let count = code.matches(way).count();
            others.extend(std::iter::repeat_n(format!("{path}: {way}"), count));
        }
    }
    others.sort();
    (texts_of, others)
}

/// SEC-410: every route that is mounted anywhere is a row of the table of the interface, with a permission, or stands in this
/// file's list with whoever may use it, and holds to that.
#[tokio::test]
async fn route_permission_inventory_of_every_mounted_route() {
    let (by_text, otherwise) = mounted();
    let listed: BTreeSet<String> = MOUNTED.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(by_text, listed, "a route without a guard, or a guard without a route");
    // the table's own loop, a person's own account, the answer where nothing is, and what the sandbox adds to itself
    assert_eq!(
        otherwise,
        [
            "src/demo/pages.rs: CLOCK",
            "src/demo/pages.rs: MESSAGES",
            "src/http/api/me.rs: &format!(\"{BASE}/me\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/devices\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/devices/{{id}}/{{act}}\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/password\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/sessions\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/sessions/{{id}}\")",
            "src/http/api/me.rs: &format!(\"{BASE}/me/terms\")",
            "src/http/api/mod.rs: &format!(\"{BASE}{}\"",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/consents\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/consents/{{id}}\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/events\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/export\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/lock\")",
            "src/http/api/my_account.rs: &format!(\"{BASE}/me/picture\")",
            "src/http/api/my_email.rs: &format!(\"{BASE}/me/email\")",
            "src/http/api/my_email.rs: &format!(\"{BASE}/me/email/confirm\")",
            "src/http/api/my_factors.rs: &format!(\"{BASE}/me/factors\")",
            "src/http/api/my_factors.rs: &format!(\"{BASE}/me/factors/recovery-codes\")",
            "src/http/api/my_factors.rs: &format!(\"{BASE}/me/factors/remembered-devices\")",
            "src/http/api/my_factors.rs: &format!(\"{BASE}/me/factors/{{id}}\")",
            "src/http/api/my_factors.rs: &format!(\"{BASE}/me/factors/{{id}}/confirm\")",
            "src/http/api/my_phone.rs: &format!(\"{BASE}/me/phone\")",
            "src/http/api/my_phone.rs: &format!(\"{BASE}/me/phone/confirm\")",
            "src/http/router.rs: .fallback(",
        ]
    );
    let server = Server::start().await;
    let http = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for (path, guard) in MOUNTED {
        let url = server.url(
            &path
                .replace("{*name}", "ostiary.css")
                .replace("{client_id}", "somebody"),
        );
        let ask = async |method: &str| {
            let request = http.request(method.parse().unwrap(), &url);
            let form = "grant_type=client_credentials&token=x&redirect_uris=x";
            let request = match method {
                "POST" if path.starts_with("/oauth2/register") => request
                    .header("content-type", "application/json")
                    .body(r#"{"redirect_uris": ["https://client.example/callback"]}"#),
                "POST" => request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form),
                _ => request,
            };
            request.send().await.unwrap().status().as_u16()
        };
        match guard {
            Guard::Open => assert!(![401, 403].contains(&ask("GET").await), "{path}"),
            Guard::Credential(method) => {
                let status = ask(method).await;
                assert!([401, 403].contains(&status), "{method} {path}: {status}");
            }
            Guard::Form => {
                let status = ask("POST").await;
                assert!((400..500).contains(&status), "POST {path}: {status}");
            }
            Guard::Person => {
                let status = ask("GET").await;
                assert!(!(200..300).contains(&status), "{path}: {status}");
            }
        }
    }
    server.stop().await;
}

/// SEC-418: no token, a token for somebody else, one without the right, one that has ended, and one of somebody who may no
/// longer: each route refuses them all, before it looks at anything else.
#[tokio::test]
async fn admin_token_audience_and_every_other_reason_to_refuse() {
    let server = Server::start().await;
    let ended = client_token(&server, &service(&server, "admin").await).await;
    server.advance(Duration::from_secs(3600));

    let boss = server.user("boss").await;
    let other = server.user("other").await;
    server.group("administrators", &["admin"], &[&boss, &other]).await;
    let of_departed = user_token(&server, &boss, "openid admin").await;
    let departed = Caller::with_token(&server, &of_departed).await;
    assert_eq!(departed.get("/users").await.status, 200, "it counted before");
    deactivate_user(server.provider(), &server.call(), &ChangeSource::Command, boss.id, None)
        .await
        .unwrap();
    // an administrator's token that was made for userinfo alone
    let elsewhere = user_token(&server, &other, "openid profile").await;
    // somebody whom nobody made an administrator, although the client may ask
    let nobody = server.user("nobody").await;
    let powerless = user_token(&server, &nobody, "openid admin").await;
    let unrelated = client_token(&server, &service(&server, "account scim").await).await;

    let callers = [
        ("none", String::new(), 401),
        ("not a token", "x.y.z".to_owned(), 401),
        ("ended", ended, 401),
        ("elsewhere", elsewhere, 401),
        ("departed", of_departed, 401),
        ("powerless", powerless, 403),
        ("unrelated", unrelated, 403),
    ];
    let before = changes(&server).await;
    for (name, token, status) in callers {
        let caller = Caller::with_token(&server, &token).await;
        for route in table().iter().filter(|route| route.permission != Permission::Open) {
            // what it brings is not looked at
            let answer = caller
                .send_text(route.method.as_str(), &somewhere(route), "{nonsense".to_owned(), &[])
                .await;
            assert_eq!(
                answer.status,
                status,
                "{name}: {} {}",
                route.method.as_str(),
                route.path
            );
            let challenge = answer.header("www-authenticate");
            match name {
                "none" => assert!(challenge.starts_with("Bearer resource_metadata="), "{challenge}"),
                _ if status == 401 => assert!(challenge.contains("error=\"invalid_token\""), "{challenge}"),
                _ => assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}"),
            }
        }
    }
    assert_eq!(changes(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn each_permission_opens_its_own_routes_and_no_others() {
    let server = Server::start().await;
    for permission in permissions::scopes().iter() {
        let caller = Caller::client(&server, permission).await;
        for route in table() {
            let Permission::Held(needed) = route.permission else {
                continue;
            };
            let path = somewhere(&route);
            if path.contains("/keys/rotate") {
                continue;
            }
            let is_part = |part: &str| part.strip_prefix(permission).is_some_and(|rest| rest.starts_with('.'));
            let of_parts = route.within == Within::Parts && permission.starts_with(&format!("{needed}."));
            let opens = permission == needed
                || permission == "admin"
                || is_part(needed)
                || (of_parts && !permission.ends_with(".read"));
            // a body that no route takes: whoever gets so far is told so
            let answer = caller
                .send_text(
                    route.method.as_str(),
                    &path,
                    "[]".to_owned(),
                    &[("content-type", "application/json")],
                )
                .await;
            assert_eq!(
                answer.status != 403,
                opens,
                "{permission}: {} {path} {}",
                route.method.as_str(),
                answer.status
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn reading_changes_nothing_and_no_cookie_is_ever_set_or_read() {
    let server = Server::start().await;
    server.user("ada").await;
    let caller = Caller::client(&server, "admin").await;
    let before = changes(&server).await;
    for route in table().iter().filter(|route| route.method == Method::Get) {
        let answer = caller.get(&somewhere(route)).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{}", route.path);
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "{}",
            route.path
        );
        let wrong_method = caller
            .send("PUT", &somewhere(route), None, &[("cookie", "session=x")])
            .await;
        assert!([404, 405].contains(&wrong_method.status.as_u16()), "{}", route.path);
    }
    assert_eq!(changes(&server).await, before);
    server.stop().await;
}

/// SEC-429: a path that is written otherwise is no way around.
#[tokio::test]
async fn path_normalisation_authz() {
    let server = Server::start().await;
    let caller = Caller::with_token(&server, "").await;
    for path in [
        "//users",
        "/users/",
        "/Users",
        "/users;x=1",
        "/%75sers",
        "/./users",
        "/users/../users",
        "/users%2f",
        "/users.",
    ] {
        let answer = caller.get(path).await;
        assert!(
            [401, 404].contains(&answer.status.as_u16()),
            "{path}: {}",
            answer.status
        );
        let override_ = [("x-http-method-override", "GET"), ("x-original-url", "/healthz")];
        let answer = caller.send("POST", path, None, &override_).await;
        assert!(
            [401, 404, 405].contains(&answer.status.as_u16()),
            "{path}: {}",
            answer.status
        );
    }
    server.stop().await;
}

/// SEC-419, one node: a right that is taken is gone with the next request.
#[tokio::test]
async fn rights_immediate() {
    let server = Server::start().await;
    let (boss, other) = (server.user("boss").await, server.user("other").await);
    let group = server.group("administrators", &["admin"], &[&boss, &other]).await;
    let caller = Caller::with_token(&server, &user_token(&server, &boss, "openid admin").await).await;
    caller.get("/users").await.ok();
    let gone = caller.delete(&format!("/groups/{group}/members/{}", boss.id)).await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert_eq!(caller.get("/users").await.status, 403);
    server.stop().await;
}

#[tokio::test]
async fn the_metadata_of_the_protected_resource_names_the_api_and_its_scopes() {
    let server = Server::start().await;
    let http = plain_http().build().unwrap();
    for path in ["", "/api/v1"] {
        let url = server.url(&format!("/.well-known/oauth-protected-resource{path}"));
        let text = http.get(url).send().await.unwrap().text().await.unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["resource"], server.url("/api/v1"));
        assert_eq!(document["authorization_servers"], json!([server.issuer()]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        let scopes = document["scopes_supported"].as_array().unwrap();
        for route in table() {
            if let Permission::Held(permission) = route.permission {
                assert!(scopes.contains(&json!(permission)), "{permission}");
            }
        }
    }
    let page = http.get(server.url("/api/docs")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    for route in table().iter().filter(|route| route.permission != Permission::Open) {
        assert!(page.contains(route.path), "{}", route.path);
    }
    server.stop().await;
}

/// How many changes were recorded so far: sign-ins, tokens and refusals are none.
async fn changes(server: &Server) -> usize {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let events = store.list_events(None, 10_000).await.unwrap();
    let kinds = [
        "user.",
        "group.",
        "client.created",
        "client.changed",
        "client.deleted",
        "client.secret",
        "resource.",
        "settings.",
        "key.",
    ];
    let changes = events
        .iter()
        .filter(|event| kinds.iter().any(|kind| event.kind.starts_with(kind)));
    changes.count()
}
