//! What tests of authorization requests do with pages and answers.

use std::collections::BTreeMap;

use ostiary::model::{Client, ConsentMode};
use serde_json::Value;
use url::Url;

use crate::support::browser::{Arrival, Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser};

/// The characters that RFC 6749 section 4.1.2.1 allows in a description.
pub fn is_plain(description: &str) -> bool {
    description
        .bytes()
        .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A client that people are not asked about.
pub fn skips(client: &mut Client) {
    client.policy.consent = ConsentMode::Skip;
}

/// The answer that a page brings to the client, by redirect or by form; none if it does not lead there.
pub fn arrival(page: &Page) -> Option<Arrival> {
    if let Some(to) = page.location() {
        let foreign = to.origin() != page.url.origin() || !to.has_host();
        return foreign.then(|| Arrival {
            parameters: to.query_pairs().into_owned().collect(),
            url: to,
        });
    }
    page.forms().into_iter().find_map(|form| {
        let action = Url::parse(&form.action).ok()?;
        (action.origin() != page.url.origin()).then(|| Arrival {
            parameters: form.inputs.into_iter().collect(),
            url: action,
        })
    })
}

/// Where a page leads, in a word: `code`, an error of the protocol, a path of ours, or a status.
pub fn outcome(page: &Page) -> String {
    if let Some(arrival) = arrival(page) {
        return match (arrival.parameters.get("code"), arrival.parameters.get("error")) {
            (Some(_), None) => "code".to_owned(),
            (None, Some(error)) => error.clone(),
            odd => panic!("an answer with {odd:?}"),
        };
    }
    match page.location() {
        Some(to) => to.path().to_owned(),
        None => page.status.as_u16().to_string(),
    }
}

/// Begins a request in a browser; says where it leads.
pub async fn begin(browser: &Browser, url: &str) -> String {
    outcome(&browser.get(url).await)
}

/// The error of a request that is answered at once; the test fails if it is not.
pub async fn refused(browser: &Browser, url: &str) -> BTreeMap<String, String> {
    let page = browser.get(url).await;
    let arrival = arrival(&page).unwrap_or_else(|| panic!("{url} leads to {} {}", outcome(&page), page.body));
    assert!(arrival.parameters.contains_key("error"), "{:?}", arrival.parameters);
    arrival.parameters
}

/// Fills in the password form of a page.
pub async fn enter(browser: &Browser, page: &Page, user: &TestUser) -> Page {
    let form = page.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    browser.submit(page, form, &values).await
}

/// Presses a button.
pub async fn press(browser: &Browser, page: &Page, name: &str, value: &str) -> Page {
    let form = page.form_with_button(name, value);
    browser.submit(page, form, &[(name, value)]).await
}

/// Signs another person in in a browser where somebody is signed in; the client must not ask for consent.
pub async fn sign_in_beside(browser: &Browser, party: &RelyingParty<'_>, user: &TestUser) {
    let chooser = browser
        .open(&party.authorization_url_with(&[("prompt", "select_account")]))
        .await;
    let page = press(browser, &chooser, "intent", "other_account").await;
    let page = browser.follow(page).await;
    let page = enter(browser, &page, user).await;
    assert_eq!(outcome(&browser.follow(page).await), "code");
}

/// The claims of the ID token that a code stands for.
pub async fn redeemed(party: &RelyingParty<'_>, arrival: &Arrival) -> serde_json::Map<String, Value> {
    let answer = party.redeem(arrival.code()).await.ok();
    claims(&answer.get("id_token"))
}

/// The reasons of the events for a client, newest first.
pub async fn reasons(server: &Server, client: ostiary::model::Id<Client>) -> Vec<String> {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let events = store.list_events(None, 200).await.unwrap();
    events
        .into_iter()
        .filter(|event| event.client == Some(client.uuid()))
        .map(|event| format!("{} {} {}", event.kind, event.outcome, event.reason.unwrap_or_default()))
        .collect()
}

/// A page of ours that leads nowhere.
pub fn assert_dead_end(page: &Page, what: &str) {
    assert!(page.status.is_client_error(), "{what}: {}", page.status);
    assert_eq!(page.header("location"), "", "{what}");
    let body = page.body.to_lowercase();
    assert!(!body.contains("http-equiv=\"refresh\""), "{what}");
    assert!(!body.contains("evil.example\""), "{what}");
    assert!(arrival(page).is_none(), "{what}");
}

/// The parameters of an address.
pub fn pairs_of(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').unwrap().1;
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
