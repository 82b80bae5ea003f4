//! What pages leave behind in a browser: a console without complaints, no storage, cookies that scripts can't read.

use std::collections::BTreeSet;

use ostiary::flow::operations::setup;
use serde_json::json;

use super::sample_application::sandbox;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;
use crate::support::webdriver::{Chromium, wanted};

/// What scripts find: the word that the frame of Session Management 1.0 reads is meant for them, and says nothing.
const KEPT: &str = "return [localStorage.length, sessionStorage.length, \
    document.cookie.replace(/^ostiary_state=[0-9a-f]*$/, '')]";

/// The page that is open broke no policy, failed at nothing but the status it was to have, and left nothing behind.
async fn is_clean(browser: &Chromium, status: u16) {
    let url = browser.url().await;
    for line in browser.console().await {
        let expected = status >= 400 && line.text.contains(&format!("status of {status}"));
        assert!(expected, "{url}: {} {}", line.level, line.text);
    }
    assert_eq!(browser.execute(KEPT).await, json!([0, 0, ""]), "{url}");
    let databases = "return indexedDB.databases().then(all => all.length)";
    assert_eq!(browser.execute(databases).await, json!(0), "{url}");
}

/// Opens a page and looks at what it leaves.
async fn look(browser: &Chromium, address: &str, status: u16) {
    browser.open(address).await;
    browser.find("h1").await;
    is_clean(browser, status).await;
}

/// SEC-521: no page of the server or the sandbox breaks its own policy, in a browser that holds it against every style,
/// script, picture and form.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_breaks_its_own_policy() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let grace = demo.people.iter().find(|person| person.username == "grace").unwrap();
    let browser = Chromium::start().await;
    let at = |path: &str| format!("{}{path}", demo.issuer);
    for path in [
        "/",
        "/login",
        "/logout/done",
        "/api/docs",
        "/demo/messages",
        "/demo/clock",
    ] {
        look(&browser, &at(path), 200).await;
    }
    look(&browser, &at("/nothing-here"), 404).await;
    look(&browser, &at("/oauth2/authorize?client_id=nobody"), 400).await;
    look(&browser, &demo.application, 200).await;

    browser.click("a.primary").await;
    browser.arrives_at(&at("/login?")).await;
    is_clean(&browser, 200).await;
    browser.type_into("#username", &grace.username).await;
    browser.type_into("#password", "wrong").await;
    browser.click("button.primary").await;
    browser.find("[role=alert]").await;
    is_clean(&browser, 422).await;
    browser.type_into("#password", grace.password.expose()).await;
    browser.click("button.primary").await;
    browser.arrives_at(&at("/login/consent?")).await;
    is_clean(&browser, 200).await;
    browser.click("button[value=allow]").await;
    browser.shows("Hello, Grace Hopper").await;
    is_clean(&browser, 200).await;
    for path in ["/", "/logout"] {
        look(&browser, &at(path), 200).await;
    }
    demo.stop().await;

    let server = Server::start().await;
    let link = setup::new_link(server.provider(), &server.call()).await.unwrap();
    look(&browser, link.url.expose(), 200).await;
    look(&browser, &server.url("/setup?token=other"), 404).await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    browser.open(&server.url("/login")).await;
    browser.type_into("#username", &user.username).await;
    browser.type_into("#password", &user.password).await;
    browser.click("button.primary").await;
    browser.shows("ada").await;
    let party = RelyingParty::new(&server, &client);
    look(
        &browser,
        &party.authorization_url_with(&[("prompt", "select_account")]),
        200,
    )
    .await;
    browser.find("button[name=account]").await;
    server.stop().await;
}

/// SEC-529: after signing out the browser's storage for this server is empty, whatever stood there, and of the cookies
/// only the browser's own key is left, the device's, and the word that says that nobody is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn client_storage_clean() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    let user = server.user("augusta").await;
    let browser = Chromium::start().await;
    browser.open(&server.url("/login")).await;
    browser.type_into("#username", &user.username).await;
    browser.type_into("#password", &user.password).await;
    browser.click("button.primary").await;
    browser.arrives_at(&server.url("/")).await;
    browser.shows("augusta").await;
    assert_eq!(
        cookies(&browser, &server).await,
        BTreeSet::from(["ostiary_browser", "ostiary_device", "ostiary_session", "ostiary_state"].map(str::to_owned))
    );
    is_clean(&browser, 200).await;

    // something that a page may have kept
    browser
        .execute("localStorage.setItem('kept', 'x'); sessionStorage.setItem('kept', 'x')")
        .await;
    browser.open(&server.url("/logout")).await;
    browser.click("button[value=sign_out]").await;
    browser.arrives_at(&server.url("/logout/done")).await;
    assert_eq!(browser.execute(KEPT).await, json!([0, 0, ""]));
    assert_eq!(
        cookies(&browser, &server).await,
        BTreeSet::from(["ostiary_browser", "ostiary_device", "ostiary_state"].map(str::to_owned))
    );
    // the button that leads back shows no page of the signed-in person
    browser.execute("history.go(-2)").await;
    browser.shows("Applications send you here").await;
    assert!(!browser.source().await.contains(&user.username));
    server.stop().await;
}

/// The names of the server's cookies; none goes with another site's requests, and only the word for the frame is within reach of
/// scripts.
async fn cookies(browser: &Chromium, server: &Server) -> BTreeSet<String> {
    let kept = browser
        .devtools("Network.getCookies", json!({ "urls": [server.issuer()] }))
        .await;
    let kept = kept["cookies"].as_array().unwrap().clone();
    kept.iter()
        .map(|cookie| {
            assert_eq!(cookie["httpOnly"], cookie["name"] != "ostiary_state", "{cookie}");
            assert_eq!(cookie["sameSite"], "Lax", "{cookie}");
            cookie["name"].as_str().unwrap().to_owned()
        })
        .collect()
}
