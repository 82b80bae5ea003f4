//! What is asked too often is refused with a time to come again, and the nodes count together.

use ostiary::random;
use reqwest::StatusCode;
use serde_json::json;

use super::at_node::AtNode;
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server, TestClient, TestUser};

/// The least budgets that can be set.
const OF_ACCOUNT: usize = 3;
const OF_SOURCE: usize = 5;
/// Registrations from an address in an hour.
const OPEN: usize = 600;

/// One wrong try.
#[derive(Clone, Copy)]
enum Try<'a> {
    /// At the sign-in, for this name.
    Password(&'a str),
    /// At an endpoint of clients.
    Client(&'a str, &'a TestClient),
    /// With a token that manages a registration.
    Management(&'a TestClient),
    /// With a token that lets clients register.
    Initial,
    /// Without one, where anyone may; what is sent is no metadata.
    Open,
    /// A link that makes an administrator.
    Setup,
    /// A link to a new password.
    Recover,
    /// A link to an account.
    Register,
    /// With a key of a script.
    ApiKey,
}

/// Status, and the seconds to wait.
async fn once(first: &Server, node: &Server, wrong: Try<'_>) -> (StatusCode, Option<u64>) {
    let at = AtNode::new(first, node);
    let seconds = |text: &str| text.parse::<u64>().ok();
    match wrong {
        Try::Password(name) => {
            let browser = Browser::new();
            let page = browser.get(&first.url("/login")).await;
            let values = [("username", name), ("password", "wrong")];
            let answer = at.submit(&browser, &page, page.form_with("password"), &values).await;
            (answer.status, seconds(answer.header("retry-after")))
        }
        Try::Setup | Try::Recover | Try::Register => {
            let path = match wrong {
                Try::Setup => "/setup",
                Try::Recover => "/login/recover",
                _ => "/register/new",
            };
            let answer = at.get(&Browser::new(), &format!("{path}?token=guess")).await;
            (answer.status, seconds(answer.header("retry-after")))
        }
        Try::Client(path, client) => {
            let party = RelyingParty::at(&node.url(""), &first.host(), client);
            let form = [
                ("client_id", client.client_id.as_str()),
                ("client_secret", "wrong"),
                ("grant_type", "client_credentials"),
                ("token", "x"),
            ];
            let answer = party.post_as(path, &form, &[]).await;
            (answer.status, seconds(answer.header("retry-after")))
        }
        Try::Management(_) | Try::Initial | Try::Open | Try::ApiKey => {
            let http = plain_http().build().unwrap();
            let request = match wrong {
                Try::Management(client) => http.get(node.url(&format!("/oauth2/register/{}", client.client_id))),
                Try::ApiKey => http.get(node.url("/api/v1/users")),
                _ => http.post(node.url("/oauth2/register")),
            };
            let request = request
                .header("host", first.host())
                .header("content-type", "application/json");
            let request = match wrong {
                Try::Open => request.body("[]"),
                Try::ApiKey => request.bearer_auth(format!("ostk_{}", random::token())),
                _ => request.bearer_auth(random::token()).body("{}"),
            };
            let answer = request.send().await.unwrap();
            let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap());
            (answer.status(), wait.and_then(seconds))
        }
    }
}

/// The budget is used up at both nodes in turn; then both refuse.
async fn used_up(nodes: &[&Server; 2], budget: usize, what: &str, wrong: Try<'_>) {
    for number in 0..budget {
        let (status, _) = once(nodes[0], nodes[number % 2], wrong).await;
        assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{what}: {number} of {budget}");
        assert!(status.is_client_error(), "{what}: {status}");
    }
    for node in nodes {
        let (status, wait) = once(nodes[0], node, wrong).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{what}: one more than {budget}");
        assert!(wait.is_some_and(|wait| (1..=3900).contains(&wait)), "{what}: {wait:?}");
    }
}

/// The addresses in the table of docs/operations.md.
fn documented() -> Vec<String> {
    let page = std::fs::read_to_string("docs/operations.md").unwrap();
    let (_, section) = page.split_once("## Rate limits").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
        .map(|address| address.trim().trim_matches('`').to_owned())
        .collect()
}

/// SEC-640: for each row of the page the budget and one more, at two nodes that share it. (The wishes of `/login/forgot`:
/// `mails_are_bounded_by_person_and_network_and_nobody_is_locked_out`. The mails of `/login/new-password`:
/// `whoever_has_to_replace_a_password_has_the_link_mailed_again`; they are counted in the database.)
#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_documented() {
    if quick() {
        return;
    }
    let first = Server::start_with(Backend::PostgresRedis).await;
    let second = first.node().await;
    let nodes = [&first, &second];
    let settings = async |table| {
        first.settings(table).await;
        second.provider().refresh_memory().await.unwrap();
    };
    settings(json!({"guess.account_budget": OF_ACCOUNT, "client_registration.mode": "token"})).await;
    let ada: TestUser = first.user("ada").await;
    let client = async || {
        let client = first.client(|_| ()).await;
        second.provider().refresh_memory().await.unwrap();
        client
    };
    let mut shown = Vec::new();
    used_up(&nodes, OF_ACCOUNT, "/login", Try::Password(&ada.username)).await;
    shown.push("/login");
    for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
        used_up(&nodes, OF_ACCOUNT, path, Try::Client(path, &client().await)).await;
        shown.push(path);
    }
    used_up(&nodes, OF_ACCOUNT, "management", Try::Management(&client().await)).await;
    shown.push("/oauth2/register/{client_id}");
    used_up(&nodes, OF_ACCOUNT, "initial access tokens", Try::Initial).await;
    settings(json!({"client_registration.mode": "open"})).await;
    used_up(&nodes, OPEN, "open registration", Try::Open).await;
    shown.push("/oauth2/register");
    used_up(&nodes, OF_ACCOUNT, "/api/v1", Try::ApiKey).await;
    shown.push("/api/v1");
    used_up(&nodes, OF_ACCOUNT, "/setup", Try::Setup).await;
    shown.push("/setup");
    used_up(&nodes, OF_ACCOUNT, "/login/recover", Try::Recover).await;
    shown.push("/login/recover");
    shown.push("/login/forgot");
    settings(json!({"registration.mode": "open"})).await;
    used_up(&nodes, OF_ACCOUNT, "/register/new", Try::Register).await;
    shown.push("/register/new");
    shown.push("/register");
    shown.push("/login/new-password");
    // `registration_limits_of_a_day`, `guesses_states_and_devices_count_as_at_the_pages`, `a_password_is_recovered_by_interface`,
    // `an_address_is_confirmed_and_changed_by_interface`
    shown.extend(["/account/email", "/api/v1/registration", "/oauth2/authorize_challenge"]);
    shown.extend(["/api/v1/recovery", "/api/v1/me/email"]);
    // the codes that are sent, and guesses at them
    shown.extend(["/account/phone", "/api/v1/me/phone", "/login/code", "/login/factor"]);
    let mut told = documented();
    told.sort();
    told.dedup();
    shown.sort_unstable();
    assert_eq!(told, shown, "docs/operations.md says what is limited");

    // an address that tries one name after another
    first.advance(std::time::Duration::from_secs(20 * 60));
    settings(json!({"guess.source_budget": OF_SOURCE})).await;
    for number in 0..=OF_SOURCE {
        let (status, wait) = once(&first, nodes[number % 2], Try::Password(&format!("nobody-{number}"))).await;
        assert_eq!(status.as_u16() == 429, number == OF_SOURCE, "{number}");
        assert_eq!(wait.is_some(), number == OF_SOURCE);
    }
    second.stop().await;
    first.stop().await;
}
