//! Nobody finds out who has an account, by whatever way they knock: the answers are the same, they cost the same, and they take as long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ostiary::flow::people;
use ostiary::model::ConsentMode;
use serde_json::{Value, json};

use super::registration;
use crate::api::conversation::Caller;
use crate::support::backend::length;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An installation with an account of every kind.
async fn populated() -> Server {
    let server = Server::start().await;
    server
        .settings(json!({
            "guess": {"source_budget": 100_000, "account_budget": 1_000, "account_day_budget": 10_000},
            "registration": {"mode": "open", "most_of_source": 100_000, "most_of_domain": 1_000_000, "most_a_day": 1_000_000},
            "sign_in": {"mail_codes": true, "mail_links": true, "text_codes": true},
            "code.most_sends": 100,
        }))
        .await;
    server.user_with("known", |profile| profile.email_verified = true).await;
    server.user_with("mute", |profile| profile.email = None).await;
    for (name, change) in [
        ("gone", "status = 'inactive'"),
        ("locked", "status = 'locked'"),
        ("leaving", "status = 'leaving'"),
        ("without", "password_hash = null"),
        ("expired", "expires_at = 1"),
        ("unstarted", "starts_at = 9000000000000000"),
    ] {
        server.user_with(name, |profile| profile.email_verified = true).await;
        server
            .behind(&format!("update users set {change} where username = '{name}'"))
            .await;
    }
    server
}

/// Names and addresses that somebody has, and one each that nobody has.
const NAMES: [&str; 11] = [
    "known",
    "mute",
    "gone",
    "locked",
    "leaving",
    "without",
    "expired",
    "unstarted",
    "missing",
    "known@example.com",
    "missing@example.com",
];
const ADDRESSES: [&str; 6] = [
    "known@example.com",
    "gone@example.com",
    "expired@example.com",
    "unstarted@example.com",
    "KNOWN@EXAMPLE.COM",
    "missing@example.com",
];

/// An answer without what was typed, and what is drawn anew for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    status: u16,
    headers: BTreeSet<String>,
    location: String,
    body: String,
    hashes: u64,
}

fn plain(body: &str, typed: &str) -> String {
    let mut body = unescape(body).replace(typed, "-");
    for marker in [
        "name=\"csrf\" value=\"",
        "nonce=\"",
        "attempt=",
        "\"auth_session\":\"",
        "\"trace_id\":\"",
    ] {
        let mut from = 0;
        while let Some(at) = body.get(from..).and_then(|rest| rest.find(marker)) {
            let begins = from + at + marker.len();
            let length = body[begins..].find(['"', '&']).unwrap_or(body.len() - begins);
            body.replace_range(begins..begins + length, "");
            from = begins;
        }
    }
    // the id of the request
    let parts: Vec<&str> = body
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|part| part.len() < 10 || !part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    parts.join(" ")
}

/// Asks for each several times, in turn: everybody is told the same, at the same number of hashes, and no one of them takes longer than
/// another by more than the noise of a loaded machine.
async fn tells_nothing(
    server: &Server,
    way: &str,
    names: &[&str],
    ask: impl AsyncFn(&str) -> (u16, BTreeSet<String>, String, String),
) {
    let mut answers: BTreeMap<Seen, BTreeSet<String>> = BTreeMap::new();
    let mut fastest: BTreeMap<&str, Duration> = BTreeMap::new();
    for _ in 0..length(2, 12, 12) {
        for name in names {
            let before = server.provider().passwords.computed();
            let began = Instant::now();
            let (status, headers, location, body) = ask(name).await;
            let took = began.elapsed();
            let seen = Seen {
                status,
                headers,
                location,
                body: plain(&body, name),
                hashes: server.provider().passwords.computed() - before,
            };
            answers.entry(seen).or_default().insert((*name).to_owned());
            let least = fastest.entry(name).or_insert(took);
            *least = took.min(*least);
            // what was wished for is done apart from the answer: by nobody else meanwhile
            people::answer_wishes(server.provider()).await.unwrap();
        }
    }
    assert_eq!(answers.len(), 1, "{way}: {answers:#?}");
    let (least, most) = (fastest.values().min().unwrap(), fastest.values().max().unwrap());
    let bound = *least * 4 + Duration::from_millis(20);
    assert!(*most <= bound, "{way}: {fastest:?}");
}

fn of_page(page: &Page) -> (u16, BTreeSet<String>, String, String) {
    let names = page.headers.keys().map(ToString::to_string).collect();
    let location = page.location().map(|url| url.path().to_owned()).unwrap_or_default();
    (page.status.as_u16(), names, location, page.body.clone())
}

async fn sent(server: &Server, browser: &Browser, path: &str, (field, typed): (&str, &str)) -> Page {
    let page = browser.get(&server.url(path)).await;
    browser.submit(&page, page.form_with(field), &[(field, typed)]).await
}

/// SEC-221, SEC-301: recovery, and what is mailed or texted to sign in with: the request, the page behind it, and a wrong code.
#[tokio::test]
async fn asking_for_a_way_in_tells_nobody_who_has_an_account() {
    let server = populated().await;
    let browser = Browser::new();
    tells_nothing(&server, "recovery", &NAMES, async |name| {
        of_page(&sent(&server, &browser, "/login/forgot", ("username", name)).await)
    })
    .await;
    for way in ["mail_code", "mail_link", "text_code"] {
        let begin = async |name: &str| {
            let login = browser.get(&server.url("/login")).await;
            let form = login.form_with("password");
            browser
                .submit(&login, form, &[("username", name), ("intent", way)])
                .await
        };
        tells_nothing(&server, way, &NAMES, async |name| of_page(&begin(name).await)).await;
        let answer = async |name: &str| {
            let page = browser.follow(begin(name).await).await;
            people::answer_wishes(server.provider()).await.unwrap();
            if way == "mail_link" {
                let form = page.form_with_button("intent", "go_on");
                return browser.submit(&page, form, &[("intent", "go_on")]).await;
            }
            browser
                .submit(&page, page.form_with("code"), &[("code", "000000")])
                .await
        };
        tells_nothing(&server, &format!("a wrong {way}"), &NAMES, async |name| {
            of_page(&answer(name).await)
        })
        .await;
        // what one address is sent is bounded: the next way finds it whole again
        server.advance(DAY * 2);
    }
    server.stop().await;
}

/// SEC-221, SEC-301: registration by page and interface, and the request for an account.
#[tokio::test]
async fn asking_for_an_account_tells_nobody_who_has_one() {
    let server = populated().await;
    let browser = Browser::new();
    tells_nothing(&server, "registration", &ADDRESSES, async |email| {
        of_page(&registration::ask(&server, &browser, email).await)
    })
    .await;
    let nobody = Caller::with_token(&server, "").await;
    tells_nothing(&server, "registration by interface", &ADDRESSES, async |email| {
        let answer = nobody.post("/registration", json!({"email": email})).await;
        let names = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status.as_u16(), names, String::new(), answer.body)
    })
    .await;
    server.settings(json!({"registration.mode": "request"})).await;
    tells_nothing(&server, "a request for access", &ADDRESSES, async |email| {
        of_page(&sent(&server, &browser, "/request-access", ("email", email)).await)
    })
    .await;
    server.stop().await;
}

async fn application(server: &Server) -> TestClient {
    server
        .public_client(|client| {
            client.policy.first_party = true;
            client.policy.consent = ConsentMode::Skip;
        })
        .await
}

/// SEC-221: an application's own screen.
#[tokio::test]
async fn an_applications_own_screen_tells_nobody_who_has_an_account() {
    let server = populated().await;
    let client = application(&server).await;
    let party = RelyingParty::new(&server, &client);
    let challenge = party.code_challenge();
    for password in ["a wrong one", ""] {
        tells_nothing(&server, "first party", &NAMES, async |name| {
            let form = [
                ("scope", "openid"),
                ("code_challenge", challenge.as_str()),
                ("code_challenge_method", "S256"),
                ("username", name),
                ("password", password),
            ];
            let answer = party.post("/oauth2/authorize_challenge", &form).await;
            let names = answer.headers.keys().map(ToString::to_string).collect();
            let mut body: Value = answer.json();
            if let Some(session) = body.get_mut("auth_session") {
                *session = Value::Null;
            }
            (answer.status.as_u16(), names, String::new(), body.to_string())
        })
        .await;
    }
    server.stop().await;
}

/// SEC-221: whatever a link of a mail was for, and whether it was ever one, who guesses at one is told the same.
#[tokio::test]
async fn a_link_that_leads_nowhere_tells_nothing() {
    let server = populated().await;
    let browser = Browser::new();
    people::ask_for_recovery(server.provider(), &server.call(), "known".to_owned(), None)
        .await
        .unwrap();
    let mails = super::recovery::mails(&server).await;
    let mut words = mails.iter().flat_map(|(_, text)| text.split_whitespace());
    let link = words.find(|word| word.contains("/login/recover?token=")).unwrap();
    let other = link.split_once("token=").unwrap().1.to_owned();
    let guesses = ["unknown", other.as_str()];
    for path in [
        "/login/wait",
        "/login/unlock",
        "/login/lock",
        "/register/new",
        "/login/link",
        "/login/not-me",
    ] {
        tells_nothing(&server, path, &guesses, async |token| {
            of_page(&browser.get(&server.url(&format!("{path}?token={token}"))).await)
        })
        .await;
    }
    server.stop().await;
}
