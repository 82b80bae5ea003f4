//! People with an authenticator, and the steps they take.

use super::sign_in;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::otp::Authenticator;
use crate::support::server::{Server, TestUser};

/// A person with an authenticator and recovery codes, signed in where they set it up.
pub struct Enrolled {
    pub user: TestUser,
    pub browser: Browser,
    pub authenticator: Authenticator,
    pub codes: Vec<String>,
}

/// Makes such a person. The code that confirmed it is used: time has gone on since.
pub async fn enrolled(server: &Server, username: &str) -> Enrolled {
    let user = server.user(username).await;
    let browser = Browser::new();
    sign_in(server, &browser, &user).await;
    let (authenticator, codes) = enrol(server, &browser, "Phone").await;
    server.advance(std::time::Duration::from_secs(60));
    Enrolled {
        user,
        browser,
        authenticator,
        codes,
    }
}

/// Sets up an authenticator. Gives the recovery codes that are shown with the first.
pub async fn enrol(server: &Server, browser: &Browser, name: &str) -> (Authenticator, Vec<String>) {
    let setting_up = begin(server, browser, name).await;
    let authenticator = shown(&setting_up);
    let done = confirm(browser, &setting_up, &now(server, &authenticator)).await;
    let to = done
        .location()
        .unwrap_or_else(|| panic!("{} {}", done.status, done.body));
    if to.path() != "/account/factors/codes" {
        return (authenticator, Vec::new());
    }
    let page = browser.get(to.as_str()).await;
    let codes = codes(&page);
    assert_eq!(codes.len(), 10);
    let form = page.form_with("csrf");
    assert_eq!(browser.submit(&page, form, &[]).await.status, 303);
    (authenticator, codes)
}

/// The page on which an authenticator is set up.
pub async fn begin(server: &Server, browser: &Browser, name: &str) -> Page {
    let begun = press(server, browser, ("begin", "totp"), &[("name", name)]).await;
    let to = begun.location().unwrap();
    assert_eq!(to.path(), "/account/factors/new", "{to}");
    let page = browser.get(to.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

/// Presses a button of the page of second factors.
pub async fn press(server: &Server, browser: &Browser, button: (&str, &str), fields: &[(&str, &str)]) -> Page {
    let page = browser.get(&server.url("/account/factors")).await;
    let form = page.form_with_button(button.0, button.1);
    let mut values = vec![button];
    values.extend_from_slice(fields);
    browser.submit(&page, form, &values).await
}

/// What the page tells an authenticator.
pub fn shown(page: &Page) -> Authenticator {
    let html = unescape(&page.body);
    let (_, after) = html.split_once("<code class=\"secret\">").unwrap();
    Authenticator::of(after.split_once('<').unwrap().0)
}

pub async fn confirm(browser: &Browser, page: &Page, code: &str) -> Page {
    browser.submit(page, page.form_with("code"), &[("code", code)]).await
}

/// The recovery codes of a page.
pub fn codes(page: &Page) -> Vec<String> {
    let codes = page.body.split("<li><code>").skip(1);
    codes.map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect()
}

/// The ids of the factors that the page lets remove.
pub async fn factors(server: &Server, browser: &Browser) -> Vec<String> {
    let page = browser.get(&server.url("/account/factors")).await;
    let buttons = page.forms().into_iter().flat_map(|form| form.buttons);
    buttons
        .filter(|(name, _)| name == "remove")
        .map(|(_, value)| value)
        .collect()
}

/// The code that the authenticator shows now.
pub fn now(server: &Server, authenticator: &Authenticator) -> String {
    authenticator.code(server.call().now.micros())
}

/// A code that is none of the window.
pub fn wrong(server: &Server, authenticator: &Authenticator) -> String {
    let step = server.call().now.micros() / 1_000_000 / authenticator.period;
    let near: Vec<String> = (-2..=2)
        .map(|distance| authenticator.code_of(step + distance))
        .collect();
    (0..10)
        .map(|number| format!("00000{number}"))
        .find(|code| !near.contains(code))
        .unwrap()
}

/// Types the password. Gives the page that asks for the second factor.
pub async fn asked(server: &Server, browser: &Browser, user: &TestUser) -> Page {
    let page = sign_in(server, browser, user).await;
    let to = page
        .location()
        .unwrap_or_else(|| panic!("{} {}", page.status, page.body));
    assert_eq!(to.path(), "/login/factor", "{to}");
    let page = browser.get(to.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

/// Sends the code.
pub async fn answer(browser: &Browser, page: &Page, code: &str) -> Page {
    browser.submit(page, page.form_with("code"), &[("code", code)]).await
}

/// Sends a recovery code, by the page for them.
pub async fn recover(browser: &Browser, page: &Page, code: &str) -> Page {
    let other = format!("{}&with=recovery_code", page.url);
    let page = browser.get(&other).await;
    let form = page.form_with("recovery_code");
    browser.submit(&page, form, &[("recovery_code", code)]).await
}

/// Proves password and second factor once more, in the browser of somebody who is signed in.
pub async fn prove_again(server: &Server, enrolled: &Enrolled) {
    let (browser, user) = (&enrolled.browser, &enrolled.user);
    server.advance(std::time::Duration::from_secs(90));
    let login = browser
        .get(&server.url("/login?again=1&return_to=%2Faccount%2Ffactors"))
        .await;
    let form = login.form_with("password");
    let page = browser.submit(&login, form, &[("password", &user.password)]).await;
    let page = browser.get(page.location().unwrap().as_str()).await;
    let done = answer(browser, &page, &now(server, &enrolled.authenticator)).await;
    assert_eq!(done.location().unwrap().path(), "/account/factors");
}
