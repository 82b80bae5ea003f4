//! Passkeys in Chromium, with an authenticator that the driver stands for (Web Authentication Level 3 section 11): added, signed in
//! with by the button and from what the browser offers for the first field, after a password, copied, removed.

use serde_json::{Value, json};

use crate::support::server::{Server, TestUser};
use crate::support::webdriver::{Chromium, ENTER, wanted};

/// A server with a person, and a browser that is signed in on the page of second factors, with an authenticator of its own.
async fn at_home(kind: &str) -> (Server, TestUser, Chromium, Authenticator) {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let browser = Chromium::start().await;
    let authenticator = Authenticator::add(&browser, kind).await;
    sign_in(&server, &browser, &ada).await;
    (server, ada, browser, authenticator)
}

/// With the password, to the page of second factors.
async fn sign_in(server: &Server, browser: &Chromium, ada: &TestUser) {
    let to = server.url("/account/factors");
    browser.open(&server.url("/login?return_to=%2Faccount%2Ffactors")).await;
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", &ada.password).await;
    browser.click("form button.primary").await;
    browser.arrives_at(&to).await;
}

/// Signs out without asking, by forgetting who was signed in.
async fn sign_out(server: &Server, browser: &Chromium) {
    browser.open(&server.url("/logout")).await;
    browser.click("form button.primary").await;
    browser.arrives_at(&server.url("/logout/done")).await;
}

/// Adds a passkey of this name, and says that the codes are kept.
async fn add(server: &Server, browser: &Chromium, name: &str) {
    browser
        .execute("document.getElementById('passkey-name').value = ''")
        .await;
    browser.type_into("#passkey-name", name).await;
    browser.click("button[value=passkey]").await;
    browser.arrives_at(&server.url("/account/factors/passkey")).await;
    browser.click("[data-passkey-button]").await;
}

/// An authenticator that the driver stands for.
struct Authenticator {
    id: String,
}

impl Authenticator {
    /// `internal`: of the device, and verifies who is there. `usb`: an older security key, which can't.
    async fn add(browser: &Chromium, kind: &str) -> Self {
        let verifies = kind == "internal";
        let options = json!({
            "protocol": if verifies { "ctap2" } else { "ctap1/u2f" },
            "transport": kind,
            "hasResidentKey": verifies,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            // nobody touches it unless the test says so
            "isUserConsenting": true,
        });
        let id = browser.webauthn("POST", "", Some(options)).await;
        Self {
            id: id.as_str().unwrap().to_owned(),
        }
    }

    async fn credentials(&self, browser: &Chromium) -> Vec<Value> {
        let found = browser
            .webauthn("GET", &format!("/{}/credentials", self.id), None)
            .await;
        found.as_array().unwrap().clone()
    }

    /// Puts another counter into its one key, as a copy of it would have.
    async fn count_from(&self, browser: &Chromium, counter: u32) {
        let mut credential = self.credentials(browser).await.remove(0);
        let id = credential["credentialId"].as_str().unwrap().to_owned();
        browser
            .webauthn("DELETE", &format!("/{}/credentials/{id}", self.id), None)
            .await;
        credential["signCount"] = counter.into();
        // one that is not found without its id does not say of which site it is
        credential["rpId"] = "localhost".into();
        browser
            .webauthn("POST", &format!("/{}/credential", self.id), Some(credential))
            .await;
    }

    /// Whether its holder verifies themselves.
    async fn is_there(&self, browser: &Chromium, is_there: bool) {
        let path = format!("/{}/uv", self.id);
        let body = json!({ "isUserVerified": is_there });
        browser.webauthn("POST", &path, Some(body)).await;
    }

    /// Takes the authenticator away.
    async fn remove(self, browser: &Chromium) {
        browser.webauthn("DELETE", &format!("/{}", self.id), None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_and_signs_in_by_the_button() {
    if !wanted() {
        return;
    }
    let (server, ada, browser, authenticator) = at_home("internal").await;
    add(&server, &browser, "Laptop").await;
    browser.arrives_at(&server.url("/account/factors/codes")).await;
    browser.click("form button.primary").await;
    browser.shows("Laptop").await;
    let credentials = authenticator.credentials(&browser).await;
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0]["rpId"], "localhost");
    assert_eq!(credentials[0]["isResidentCredential"], true);
    // the same authenticator does not make another
    browser
        .open(&server.url("/login?again=1&return_to=%2Faccount%2Ffactors"))
        .await;
    browser.click("[data-passkey-button]").await;
    browser.arrives_at(&server.url("/account/factors")).await;
    add(&server, &browser, "Again").await;
    browser.shows("has a passkey of your account already").await;
    sign_out(&server, &browser).await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    // what the browser offers may be faster than the finger: either way it is the passkey
    if browser.url().await.path() == "/login" && browser.has("[data-passkey-button]").await {
        browser
            .execute("document.querySelector('[data-passkey-button]')?.click()")
            .await;
    }
    browser.arrives_at(&server.url("/account")).await;
    browser.shows(&ada.username).await;
    let lines = browser.console().await;
    assert!(
        lines.iter().all(|line| !line.text.contains("Content Security Policy")),
        "{lines:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_from_what_the_browser_offers() {
    if !wanted() {
        return;
    }
    let (server, ada, browser, _authenticator) = at_home("internal").await;
    add(&server, &browser, "Laptop").await;
    browser.arrives_at(&server.url("/account/factors/codes")).await;
    sign_out(&server, &browser).await;
    // nobody presses anything: the authenticator answers to the question behind the first field
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.arrives_at(&server.url("/account")).await;
    browser.shows(&ada.username).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_key_without_a_pin_confirms_a_password_and_does_not_stand_alone() {
    if !wanted() {
        return;
    }
    let (server, ada, browser, authenticator) = at_home("usb").await;
    add(&server, &browser, "Key").await;
    browser.arrives_at(&server.url("/account/factors/codes")).await;
    sign_out(&server, &browser).await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", &ada.password).await;
    browser.click("form button.primary").await;
    browser.arrives_at(&server.url("/login/factor")).await;
    browser.click("[data-passkey-button]").await;
    browser.arrives_at(&server.url("/account")).await;
    // a copy of it
    sign_out(&server, &browser).await;
    authenticator.count_from(&browser, 0).await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", &ada.password).await;
    browser.click("form button.primary").await;
    browser.arrives_at(&server.url("/login/factor")).await;
    browser.click("[data-passkey-button]").await;
    browser.shows("That passkey does not count here").await;
    authenticator.remove(&browser).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_passkey_lets_nobody_in() {
    if !wanted() {
        return;
    }
    let (server, ada, browser, authenticator) = at_home("internal").await;
    add(&server, &browser, "Laptop").await;
    browser.arrives_at(&server.url("/account/factors/codes")).await;
    sign_out(&server, &browser).await;
    let mut tx = server.provider().store.write().await.unwrap();
    tx.remove_factors_of(ada.id).await.unwrap();
    tx.commit().await.unwrap();
    browser.open(&server.url("/login")).await;
    browser.shows("That passkey does not let you in here").await;
    assert_eq!(
        authenticator.credentials(&browser).await.len(),
        1,
        "the browser has it still"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_passkey_proves_no_account_once_more() {
    if !wanted() {
        return;
    }
    let (server, _ada, browser, authenticator) = at_home("internal").await;
    add(&server, &browser, "Laptop").await;
    browser.arrives_at(&server.url("/account/factors/codes")).await;
    sign_out(&server, &browser).await;
    authenticator.is_there(&browser, false).await;
    let grace = server.user("grace").await;
    sign_in(&server, &browser, &grace).await;
    authenticator.is_there(&browser, true).await;
    // grace is asked to prove that it is her, and ada's key answers
    browser.open(&server.url("/login?again=1&return_to=%2Faccount")).await;
    browser.click("[data-passkey-button]").await;
    browser.shows("That passkey does not let you in here").await;
    server.stop().await;
}

/// Whoever has to have a second factor adds a passkey on the way in, and goes on with it; who closes the question sets up nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_on_the_way_in() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    server.settings(json!({"mfa.required": true})).await;
    let ada = server.user("ada").await;
    let browser = Chromium::start().await;
    let authenticator = Authenticator::add(&browser, "internal").await;
    browser.open(&server.url("/login?return_to=%2Faccount%2Ffactors")).await;
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", &ada.password).await;
    browser.click("form button.primary").await;
    browser.arrives_at(&server.url("/login/action")).await;
    authenticator.is_there(&browser, false).await;
    browser.click("[data-passkey-button]").await;
    browser.shows("Nothing was done.").await;
    authenticator.is_there(&browser, true).await;
    browser.click("[data-passkey-button]").await;
    browser.shows("recovery codes").await;
    assert_eq!(authenticator.credentials(&browser).await.len(), 1);
    browser.click("form button.primary").await;
    browser.arrives_at(&server.url("/account/factors")).await;
    browser.shows("Passkey").await;
    let lines = browser.console().await;
    assert!(
        lines.iter().all(|line| !line.text.contains("Content Security Policy")),
        "{lines:?}"
    );
    // and from then on it signs in alone, where a name comes first too
    sign_out(&server, &browser).await;
    server.settings(json!({"sign_in.identifier_first": true})).await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.arrives_at(&server.url("/account")).await;
    server.stop().await;
}

/// Who it is first, and the password on the next page: with the keyboard alone, and the name where programs that keep passwords look for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_its_password_on_two_pages() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    server.settings(json!({"sign_in.identifier_first": true})).await;
    let ada = server.user("ada").await;
    let browser = Chromium::start().await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.press(&format!("{}{ENTER}", ada.username)).await;
    browser.shows("Not you?").await;
    assert!(browser.url().await.query().unwrap_or_default().contains("who="));
    let told = browser
        .execute(
            "const it = document.querySelector('#username'); return [it.value, it.autocomplete, it.readOnly].join(' ')",
        )
        .await;
    assert_eq!(told, json!("ada username true"));
    // back, and on with the same name
    browser.execute("history.back()").await;
    browser.shows("Continue").await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.press(&format!("{}{ENTER}", ada.username)).await;
    browser.shows("Not you?").await;
    browser.press(&format!("{}{ENTER}", ada.password)).await;
    browser.arrives_at(&server.url("/account")).await;
    server.stop().await;
}
