//! People with passkeys, and the steps they take: what the pages' script does, by hand.

use serde_json::Value;

use super::factor_scene::{codes, press};
use super::sign_in;
use crate::support::authenticator::Device;
use crate::support::browser::{Browser, Page};
use crate::support::html::{forms, unescape};
use crate::support::server::{Server, TestUser};

/// A person with a passkey and recovery codes, signed in where they added it.
pub struct Keyed {
    pub user: TestUser,
    pub browser: Browser,
    pub device: Device,
    pub codes: Vec<String>,
}

/// Makes such a person, with this device.
pub async fn keyed_with(server: &Server, username: &str, mut device: Device) -> Keyed {
    let user = server.user(username).await;
    let browser = Browser::new();
    sign_in(server, &browser, &user).await;
    let done = add(server, &browser, &mut device, "Laptop").await;
    let to = done
        .location()
        .unwrap_or_else(|| panic!("{} {}", done.status, done.body));
    assert_eq!(to.path(), "/account/factors/codes", "{to}");
    let page = browser.get(to.as_str()).await;
    let codes = codes(&page);
    assert_eq!(codes.len(), 10);
    Keyed {
        user,
        browser,
        device,
        codes,
    }
}

/// The same with a telephone.
pub async fn keyed(server: &Server, username: &str) -> Keyed {
    keyed_with(server, username, Device::new(server.issuer())).await
}

/// The page on which a passkey is made.
pub async fn begin(server: &Server, browser: &Browser, name: &str) -> Page {
    let begun = press(server, browser, ("begin", "passkey"), &[("name", name)]).await;
    let to = begun
        .location()
        .unwrap_or_else(|| panic!("{} {}", begun.status, begun.body));
    assert_eq!(to.path(), "/account/factors/passkey", "{to}");
    let page = browser.get(to.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

/// What the page asks an authenticator for.
pub fn options(page: &Page) -> Value {
    serde_json::from_str(&attribute(page, "data-options")).unwrap()
}

/// Sends what an authenticator answered.
pub async fn confirm(browser: &Browser, page: &Page, answer: &str) -> Page {
    browser
        .submit(page, page.form_with("csrf"), &[("passkey", answer)])
        .await
}

/// Adds a passkey. Gives what comes of it.
pub async fn add(server: &Server, browser: &Browser, device: &mut Device, name: &str) -> Page {
    let page = begin(server, browser, name).await;
    let answer = device.make(&options(&page));
    confirm(browser, &page, &answer).await
}

/// What a page's script is asked to have signed: a name for the question, and what the authenticator is asked.
pub async fn ask(browser: &Browser, page: &Page) -> (String, Value) {
    let answered = ask_as(browser, page).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    let question = answered.json();
    (
        question["question"].as_str().unwrap().to_owned(),
        question["options"].clone(),
    )
}

/// The answer to the script, whatever it is.
pub async fn ask_as(browser: &Browser, page: &Page) -> Page {
    let to = page.url.join(&attribute(page, "data-ask")).unwrap();
    let csrf = asking(page)
        .inputs
        .into_iter()
        .find(|(name, _)| name == "csrf")
        .unwrap()
        .1;
    let origin = page.url.origin().ascii_serialization();
    let headers = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
    browser.post_with(to.as_str(), &[("csrf", &csrf)], &headers).await
}

/// Sends a signature with the page's form.
pub async fn send(browser: &Browser, page: &Page, question: &str, answer: &str) -> Page {
    let values = [("question", question), ("passkey", answer)];
    browser.submit(page, asking(page), &values).await
}

/// Signs in with the device, from the page of the sign-in.
pub async fn enter(server: &Server, browser: &Browser, device: &mut Device) -> Page {
    let page = browser.get(&server.url("/login")).await;
    enter_from(browser, &page, device).await
}

/// The same from this page.
pub async fn enter_from(browser: &Browser, page: &Page, device: &mut Device) -> Page {
    let (question, options) = ask(browser, page).await;
    let answer = device.sign(&options);
    send(browser, page, &question, &answer).await
}

/// Proves once more who it is, with the passkey, in the browser where it was added.
pub async fn prove_again(server: &Server, keyed: &mut Keyed) {
    let login = keyed
        .browser
        .get(&server.url("/login?again=1&return_to=%2Faccount%2Ffactors"))
        .await;
    let proved = enter_from(&keyed.browser, &login, &mut keyed.device).await;
    assert_eq!(proved.location().unwrap().path(), "/account/factors");
}

/// The form that the script sends.
pub fn asking(page: &Page) -> crate::support::html::Form {
    let (_, after) = page
        .body
        .split_once("data-ask=")
        .expect("a page that asks for passkeys");
    let (inside, _) = after.split_once("</form>").unwrap();
    let begun = page.body.find("data-ask=").unwrap();
    let start = page.body[..begun].rfind("<form").unwrap();
    let end = begun + "data-ask=".len() + inside.len() + "</form>".len();
    forms(&page.body[start..end]).remove(0)
}

fn attribute(page: &Page, name: &str) -> String {
    let (_, after) = page
        .body
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("no {name} on {}: {} {}", page.url, page.status, page.body));
    unescape(after.split_once('"').unwrap().0)
}
