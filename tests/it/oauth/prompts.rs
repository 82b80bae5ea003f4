//! Who is asked what, from outside: OpenID Connect Core section 3.1.2.1.

use std::time::Duration;

use serde_json::json;

use super::steps::{arrival, begin, enter, outcome, press, redeemed, refused, sign_in_beside, skips};
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestClient, TestUser};

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// A state of a browser.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Nobody,
    /// Signed in, and nothing allowed yet.
    SignedIn,
    /// Signed in, and everything allowed.
    Consented,
    /// Two people, everything allowed.
    Several,
}

struct World {
    server: Server,
    ada: TestUser,
    ben: TestUser,
    client: TestClient,
    first_party: TestClient,
}

impl World {
    async fn open() -> Self {
        let server = Server::start().await;
        Self {
            ada: server.user("ada").await,
            ben: server.user("ben").await,
            client: server.client(|_| ()).await,
            first_party: server.client(skips).await,
            server,
        }
    }

    async fn browser(&self, state: State) -> Browser {
        let browser = Browser::new();
        let first = RelyingParty::new(&self.server, &self.first_party);
        if state != State::Nobody {
            first.sign_in(&browser, &self.ada).await.code();
        }
        if matches!(state, State::Consented | State::Several) {
            RelyingParty::new(&self.server, &self.client)
                .sign_in(&browser, &self.ada)
                .await
                .code();
        }
        if state == State::Several {
            sign_in_beside(&browser, &first, &self.ben).await;
        }
        browser
    }

    async fn forget_consents(&self) {
        let mut store = self.server.provider().store.write().await.unwrap();
        for user in [self.ada.id, self.ben.id] {
            store.withdraw_consent(user, self.client.id).await.unwrap();
        }
        store.commit().await.unwrap();
    }
}

/// SEC-018.
#[tokio::test(flavor = "multi_thread")]
async fn oidc_prompt_semantics() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.client);
    for (state, expected) in [
        (
            State::Nobody,
            ["/login", "login_required", "/login", "/login", "/login", "/login"],
        ),
        (
            State::SignedIn,
            [
                "/login/consent",
                "consent_required",
                "/login",
                "/login/consent",
                "/login/account",
                "/login",
            ],
        ),
        (
            State::Consented,
            ["code", "code", "/login", "/login/consent", "/login/account", "/login"],
        ),
        (
            State::Several,
            [
                "/login/account",
                "code",
                "/login/account",
                "/login/account",
                "/login/account",
                "/login/account",
            ],
        ),
    ] {
        world.forget_consents().await;
        let browser = world.browser(state).await;
        if state == State::Several {
            // who signed in last comes first, and has to have allowed it for a silent answer
            let url = party.authorization_url();
            let chooser = browser.open(&url).await;
            let form = chooser.form_with_button("intent", "other_account");
            let buttons = form.buttons.iter().filter(|(name, _)| name == "account").count();
            assert_eq!(buttons, 2);
            let first = form.buttons.iter().find(|(name, _)| name == "account").unwrap().clone();
            let chosen = browser.submit(&chooser, form, &[("account", &first.1)]).await;
            let asked = browser.follow(chosen).await;
            assert_eq!(outcome(&press(&browser, &asked, "decision", "allow").await), "code");
        }
        let prompts = ["", "none", "login", "consent", "select_account", "login consent"];
        for (prompt, expected) in prompts.into_iter().zip(expected) {
            let url = party.authorization_url_with(&[("prompt", prompt)]);
            assert_eq!(begin(&browser, &url).await, expected, "{state:?} prompt={prompt}");
        }
        for mixed in ["none login", "none consent", "select_account none", "create"] {
            let answer = refused(&browser, &party.authorization_url_with(&[("prompt", mixed)])).await;
            assert_eq!(answer["error"], "invalid_request", "{mixed}");
        }
    }
    world.server.stop().await;
}

/// SEC-018: `login` asks the same person for a new proof, and what the ID token says of it is true.
#[tokio::test(flavor = "multi_thread")]
async fn prompt_login_proves_the_same_person_anew() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.first_party);
    let browser = Browser::new();
    let first = redeemed(&party, &party.sign_in(&browser, &world.ada).await).await;
    world.server.advance(minutes(5));
    let page = browser
        .open(&party.authorization_url_with(&[("prompt", "login")]))
        .await;
    assert_eq!(page.url.path(), "/login");
    assert!(page.body.contains(&world.ada.email), "it is known who has to prove it");
    // wrong passwords and the empty form lead nowhere
    let form = page.form_with("password");
    for password in ["", "wrong"] {
        let answered = browser.submit(&page, form.clone(), &[("password", password)]).await;
        assert_ne!(outcome(&browser.follow(answered).await), "code");
    }
    let entered = browser.submit(&page, form, &[("password", &world.ada.password)]).await;
    let second = redeemed(&party, &arrival(&browser.follow(entered).await).unwrap()).await;
    assert_eq!(first["sub"], second["sub"]);
    let passed = second["auth_time"].as_i64().unwrap() - first["auth_time"].as_i64().unwrap();
    assert!((300..310).contains(&passed), "{passed}");
    // and without the prompt it stays as it was
    let third = redeemed(&party, &party.sign_in(&browser, &world.ada).await).await;
    assert_eq!(third["auth_time"], second["auth_time"]);
    world.server.stop().await;
}

/// SEC-018: a proof counts for the account that gave it, not for another one of the same browser.
#[tokio::test(flavor = "multi_thread")]
async fn another_account_is_asked_for_a_proof_of_its_own() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.client);
    let browser = world.browser(State::Several).await;
    world.server.advance(minutes(5));
    // ben stands first now; ada proves who she is, and is asked whether she allows it once more
    let chooser = browser
        .open(&party.authorization_url_with(&[("prompt", "login consent")]))
        .await;
    let flow = chooser.url.clone();
    let choose = chooser.form_with_button("intent", "other_account");
    let accounts: Vec<String> = choose
        .buttons
        .iter()
        .filter(|(name, _)| name == "account")
        .map(|(_, value)| value.clone())
        .collect();
    let chosen = browser
        .submit(&chooser, choose.clone(), &[("account", &accounts[0])])
        .await;
    let login = browser.follow(chosen).await;
    let (proven, other) = if login.body.contains(&world.ada.email) {
        (&world.ada, &accounts[1])
    } else {
        (&world.ben, &accounts[1])
    };
    let form = login.form_with("password");
    let entered = browser.submit(&login, form, &[("password", &proven.password)]).await;
    let consent = browser.follow(entered).await;
    assert_eq!(consent.url.path(), "/login/consent");
    // back to the choice: the other account was signed in before and has proved nothing
    let chooser = browser.open(flow.as_str()).await;
    let chosen = browser.submit(&chooser, choose, &[("account", other)]).await;
    let next = browser.follow(chosen).await;
    assert_eq!(next.url.path(), "/login", "{}", next.body);
    world.server.stop().await;
}

/// SEC-019.
#[tokio::test(flavor = "multi_thread")]
async fn oidc_max_age_acr_enforced() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.first_party);
    let browser = Browser::new();
    let first = redeemed(&party, &party.sign_in(&browser, &world.ada).await).await;
    assert_eq!(first["amr"], json!(["pwd"]));
    let acr = first["acr"].as_str().unwrap().to_owned();
    world.server.advance(minutes(2));
    let at = async |max_age: &str, prompt: &str| {
        begin(
            &browser,
            &party.authorization_url_with(&[("max_age", max_age), ("prompt", prompt)]),
        )
        .await
    };
    assert_eq!(at("300", "").await, "code");
    assert_eq!(at("119", "").await, "/login");
    assert_eq!(at("0", "").await, "/login");
    assert_eq!(at("119", "none").await, "login_required");
    assert_eq!(at("300", "none").await, "code");
    let kept = browser
        .sign_in(&party.authorization_url_with(&[("max_age", "300")]), &world.ada)
        .await;
    let kept = redeemed(&party, &kept).await;
    assert_eq!(kept["auth_time"], first["auth_time"]);
    for max_age in ["119", "0"] {
        world.server.advance(minutes(2));
        let proven = browser
            .sign_in(&party.authorization_url_with(&[("max_age", max_age)]), &world.ada)
            .await;
        let proven = redeemed(&party, &proven).await;
        assert_eq!(proven["sub"], first["sub"]);
        let now = world.server.call().now.seconds();
        assert!((now - proven["auth_time"].as_i64().unwrap()).abs() <= 2, "{max_age}");
    }
    // what can't be reached is refused, what is there is said
    let essential = |value: &str| json!({"id_token": {"acr": {"essential": true, "values": [value]}}}).to_string();
    let met = party.authorization_url_with(&[("claims", &essential(&acr))]);
    assert_eq!(begin(&browser, &met).await, "code");
    let unmet = party.authorization_url_with(&[("claims", &essential("urn:example:two-factors"))]);
    assert_eq!(begin(&browser, &unmet).await, "unmet_authentication_requirements");
    let wished = party.authorization_url_with(&[("acr_values", "urn:example:two-factors")]);
    let wished = redeemed(&party, &browser.sign_in(&wished, &world.ada).await).await;
    assert_eq!(wished["acr"], acr);
    // a client that registered it has it in every request
    let strict = world
        .server
        .client(|client| {
            skips(client);
            client.metadata.default_max_age = Some(60);
        })
        .await;
    let strict = RelyingParty::new(&world.server, &strict);
    assert_eq!(begin(&browser, &strict.authorization_url()).await, "code");
    world.server.advance(minutes(2));
    assert_eq!(begin(&browser, &strict.authorization_url()).await, "/login");
    world.server.stop().await;
}

/// SEC-025.
#[tokio::test(flavor = "multi_thread")]
async fn oidc_id_token_hint_safe() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.first_party);
    let elsewhere = world.server.client(skips).await;
    let elsewhere = RelyingParty::new(&world.server, &elsewhere);
    let of = async |party: &RelyingParty<'_>, user: &TestUser| party.tokens(user).await.get("id_token");
    let ada = of(&party, &world.ada).await;
    let ben = of(&party, &world.ben).await;
    let foreign = of(&elsewhere, &world.ada).await;
    let access = party.tokens(&world.ada).await.get("access_token");
    let at = async |browser: &Browser, hint: &str, prompt: &str| {
        begin(
            browser,
            &party.authorization_url_with(&[("id_token_hint", hint), ("prompt", prompt)]),
        )
        .await
    };
    let nobody = Browser::new();
    // it never signs anybody in
    assert_eq!(at(&nobody, &ada, "").await, "/login");
    assert_eq!(at(&nobody, &ada, "none").await, "login_required");
    let browser = Browser::new();
    party.sign_in(&browser, &world.ada).await;
    assert_eq!(at(&browser, &ada, "").await, "code");
    assert_eq!(at(&browser, &ada, "none").await, "code");
    assert_eq!(at(&browser, &ben, "none").await, "login_required");
    assert_eq!(at(&browser, &ben, "").await, "/login");
    // signing in as somebody else than the hint says is refused
    let login = browser
        .open(&party.authorization_url_with(&[("id_token_hint", &ben)]))
        .await;
    let entered = enter(&browser, &login, &world.ada).await;
    assert_eq!(outcome(&browser.follow(entered).await), "login_required");
    // an expired one still says whom
    world.server.advance(minutes(60));
    assert_eq!(at(&browser, &ada, "none").await, "code");
    assert_eq!(at(&browser, &ben, "none").await, "login_required");
    let (head, signature) = ada.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let of_ben = ben.split('.').nth(1).unwrap();
    for forged in [
        format!("{head}.{first}{}", &signature[1..]),
        format!("{head}."),
        head.to_owned(),
        unsigned,
        format!("{header}.{of_ben}.{signature}"),
        foreign,
        access,
        "x".to_owned(),
        "a.b.c".to_owned(),
    ] {
        assert_eq!(at(&browser, &forged, "").await, "invalid_request", "{forged}");
        assert_eq!(at(&nobody, &forged, "none").await, "invalid_request", "{forged}");
    }
    // of several accounts it selects one
    sign_in_beside(&browser, &party, &world.ben).await;
    for (hint, user) in [(&ada, &world.ada), (&ben, &world.ben)] {
        let page = browser
            .get(&party.authorization_url_with(&[("id_token_hint", hint)]))
            .await;
        let token = party.redeem(arrival(&page).unwrap().code()).await.ok().get("id_token");
        assert_eq!(claims(&token)["sub"], user.subject.as_str());
    }
    world.server.stop().await;
}

/// Core section 5.5.1: the claim `sub` of the ID token with a value is answered for that person, or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_one_subject_is_answered_for_nobody_else() {
    let world = World::open().await;
    let party = RelyingParty::new(&world.server, &world.first_party);
    let at = async |browser: &Browser, sub: serde_json::Value, prompt: &str| {
        let claims = json!({"id_token": {"sub": sub}}).to_string();
        let changes = [("claims", claims.as_str()), ("prompt", prompt)];
        begin(browser, &party.authorization_url_with(&changes)).await
    };
    let (ada, ben) = (world.ada.subject.as_str(), world.ben.subject.as_str());
    let browser = Browser::new();
    party.sign_in(&browser, &world.ada).await;
    for fitting in [
        json!(null),
        json!({"essential": true}),
        json!({"value": ada}),
        json!({"values": [ben, ada]}),
    ] {
        assert_eq!(at(&browser, fitting, "none").await, "code");
    }
    for foreign in [
        json!({"value": ben}),
        json!({"value": ben, "essential": true}),
        json!({"values": ["nobody", ben]}),
        json!({"value": 7}),
    ] {
        assert_eq!(
            at(&browser, foreign.clone(), "none").await,
            "login_required",
            "{foreign}"
        );
        assert_eq!(at(&browser, foreign, "").await, "/login");
    }
    // signing in as somebody else is refused
    let claims = json!({"id_token": {"sub": {"value": ben}}}).to_string();
    let url = party.authorization_url_with(&[("claims", claims.as_str())]);
    let login = browser.open(&url).await;
    let entered = enter(&browser, &login, &world.ada).await;
    assert_eq!(outcome(&browser.follow(entered).await), "login_required");
    // of several accounts it selects one
    sign_in_beside(&browser, &party, &world.ben).await;
    for user in [&world.ada, &world.ben] {
        let claims = json!({"id_token": {"sub": {"value": user.subject}}}).to_string();
        let page = browser.get(&party.authorization_url_with(&[("claims", &claims)])).await;
        let token = party.redeem(arrival(&page).unwrap().code()).await.ok().get("id_token");
        assert_eq!(self::claims(&token)["sub"], user.subject.as_str());
    }
    world.server.stop().await;
}

/// Ways to name another place that a careless check takes for a path of ours.
const ELSEWHERE: &[&str] = &[
    "https://evil.example",
    "https://evil.example/",
    "http://evil.example/",
    "HTTPS://EVIL.EXAMPLE/",
    "//evil.example",
    "//evil.example/%2f..",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\r/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "%09//evil.example",
    "/%09/evil.example",
    "/%5cevil.example",
    "/%2fevil.example",
    "%2f%2fevil.example",
    "/.evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/;@evil.example",
    "@evil.example",
    ".evil.example",
    ":443@evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "ftp://evil.example/",
    "blob:https://evil.example/x",
    "https://localhost@evil.example/",
    "https://localhost:8080.evil.example/",
    "https://evil.example#localhost",
    "https://evil.example?localhost",
    "https://evil.example\\@localhost",
    "/login?next=//evil.example",
    "/?url=https://evil.example",
    "//[::1]/",
    "//2130706433/",
    "/\u{2028}/evil.example",
    "\u{feff}//evil.example",
    "／／evil.example",
];

/// SEC-032: over HTTP, whatever the parameter is called.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_typed_into_a_login_address_leads_elsewhere() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    assert!(ELSEWHERE.len() >= 50);
    let names = [
        "return_to",
        "next",
        "continue",
        "redirect",
        "redirect_uri",
        "redirect_to",
        "url",
        "target",
        "from",
        "return",
        "returnUrl",
        "callback",
        "goto",
        "flow",
    ];
    for place in ELSEWHERE {
        let browser = Browser::new();
        let mut url = url::Url::parse(&server.url("/login")).unwrap();
        for name in names.iter().filter(|name| **name != "flow") {
            url.query_pairs_mut().append_pair(name, place);
        }
        let referer = if place.is_ascii() && !place.contains(['\t', '\r', '\n']) {
            place
        } else {
            "https://evil.example/"
        };
        let page = browser.get_with(url.as_str(), &[("referer", referer)]).await;
        assert_eq!(page.status, 200, "{place}");
        let mut form = page.form_with("password");
        for name in names.iter().filter(|name| !form.has(name)).collect::<Vec<_>>() {
            form.inputs.push(((*name).to_owned(), (*place).to_owned()));
        }
        let values = [
            ("username", user.username.as_str()),
            ("password", user.password.as_str()),
        ];
        let entered = browser.submit(&page, form, &values).await;
        if let Some(to) = entered.location() {
            assert_eq!(to.origin(), entered.url.origin(), "{place}: {to}");
            // and no browser reads it otherwise
            let spelled = entered.header("location");
            assert!(
                !spelled.starts_with("//") && !spelled.contains(['\\', '\t', '\r', '\n']),
                "{place}: {to}"
            );
        }
    }
    server.stop().await;
}
