//! Signing in, and what every page and response has to hold to: outside-in, over HTTP.

mod access_requests;
mod account_term;
mod action_links;
mod bruteforce;
mod busy;
mod captcha;
mod code_sign_in;
mod code_walk;
mod devices;
mod durable;
mod ending;
mod enrolment_passkey;
mod enrolment_phone;
mod enumeration;
pub mod factor_scene;
mod factors;
mod factors_kept;
mod forms;
mod guess_wait;
mod guesses;
mod headers;
mod identifier_first;
mod identifiers;
mod interrupted;
mod language;
mod limits;
mod link_sign_in;
mod not_me;
pub mod own_account;
mod own_data;
mod own_email;
mod own_password;
pub mod own_phone;
mod own_profile;
mod own_standing;
mod passkey_makers;
pub mod passkey_scene;
mod passkeys;
mod passkeys_kept;
mod password_policy;
mod pathways;
mod properties;
mod raw;
mod recorded;
pub mod recovery;
mod registration;
mod registration_api;
mod registration_form;
mod registration_gates;
pub mod remembered;
mod requests;
pub mod required;
mod required_data;
mod required_walk;
mod risk;
mod sent_codes;
mod session_loss;
mod session_references;
mod sessions;
mod setup;
mod sign_in;
mod step_up;
pub mod terms;
mod tightened;

use std::time::Duration;

use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Backend, Server, TestUser};

/// A server whose issuer is https, behind a proxy on this machine that it trusts.
pub async fn behind_a_proxy() -> Server {
    Server::start_configured(Backend::Embedded, |config| {
        config.public_url = "https://id.example".parse().unwrap();
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

/// What a browser and the proxy in front of [`behind_a_proxy`] send.
pub struct Proxied<'a> {
    server: &'a Server,
    browser: Browser,
    host: String,
}

impl<'a> Proxied<'a> {
    pub fn new(server: &'a Server) -> Self {
        let host = server.issuer().split_once("://").unwrap().1.to_owned();
        Self {
            server,
            browser: Browser::new(),
            host,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    pub async fn get(&self, path: &str) -> Page {
        let headers = [("host", self.host.as_str()), ("x-forwarded-proto", "https")];
        self.browser.get_with(&self.url(path), &headers).await
    }

    /// Signs in to the server itself.
    pub async fn sign_in(&self, user: &TestUser, more: &[(&str, &str)]) -> Page {
        let page = self.get("/login").await;
        let form = page
            .form_with("password")
            .filled(&[("username", &user.username), ("password", &user.password)]);
        let mut fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        fields.extend_from_slice(more);
        let headers = [("host", self.host.as_str()), ("x-forwarded-proto", "https")];
        self.browser.post_with(&self.url("/login"), &fields, &headers).await
    }
}

/// Signs in to the server itself.
pub async fn sign_in(server: &Server, browser: &Browser, user: &TestUser) -> Page {
    sign_in_with(server, browser, &user.username, &user.password).await
}

pub async fn sign_in_with(server: &Server, browser: &Browser, username: &str, password: &str) -> Page {
    let mut page = browser.get(&server.url("/login")).await;
    if !page.forms().iter().any(|form| form.has("password")) {
        page = browser
            .follow(identifier_first::say(browser, &page, username).await)
            .await;
    }
    let form = page.form_with("password");
    browser
        .submit(&page, form, &[("username", username), ("password", password)])
        .await
}

/// Whether somebody is signed in: home offers to sign out.
pub async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    offers(&browser.get(&server.url("/")).await, "/logout")
}

/// Whether a page links to this path.
fn offers(page: &Page, path: &str) -> bool {
    unescape(&page.body).contains(&format!("href=\"{path}\""))
}

/// Where the language switch at a page's foot leads for this language; none where there is no switch.
fn switch(page: &Page, tag: &str) -> Option<url::Url> {
    let links = page.body.split("<a href=\"").skip(1);
    let link = links
        .map(|link| link.split_once('>').unwrap().0)
        .find(|link| link.contains(&format!("hreflang=\"{tag}\"")))?;
    Some(page.url.join(&unescape(link.split_once('"').unwrap().0)).unwrap())
}

/// One of every kind of address that answers to GET, refusals among them.
const ADDRESSES: &[&str] = &[
    "/",
    "/account",
    "/account/password",
    "/account/profile",
    "/account/activity",
    "/account/export",
    "/account/lock",
    "/account/delete",
    "/login/lock",
    "/login/lock?token=unknown",
    "/login/unlock",
    "/login/unlock?token=unknown",
    "/picture/unknown",
    "/login",
    "/login?flow=unknown",
    "/login/account?flow=unknown",
    "/login/consent?flow=unknown",
    "/login/consent",
    "/login/action?proof=unknown",
    "/login?who=unknown",
    "/login/code?attempt=unknown",
    "/login/link?token=unknown",
    "/login/devices?flow=unknown",
    "/login/devices?proof=unknown",
    "/login/devices",
    "/login/ending",
    "/login/ending?account=unknown",
    "/login/new-password",
    "/login/new-password?flow=unknown",
    "/login/forgot",
    "/login/forgot?flow=unknown",
    "/login/forgot?sent=1",
    "/login/recover?token=unknown",
    "/login/recover",
    "/account/email",
    "/account/email/confirm",
    "/account/phone",
    "/register",
    "/register/new",
    "/login/not-me?token=unknown",
    "/login/not-me",
    "/logout",
    "/logout/done",
    "/logout/onward",
    "/logout/onward?flow=unknown",
    "/setup?token=unknown",
    "/setup",
    "/assets/tokens.css",
    "/assets/ostiary.css",
    "/assets/nothing.css",
    "/favicon.ico",
    "/csp-report",
    "/healthz",
    "/readyz",
    "/nothing",
    "/.well-known/openid-configuration",
    "/.well-known/nothing",
    "/oauth2/jwks",
    "/oauth2/authorize",
    "/oauth2/authorize?client_id=unknown",
    "/oauth2/token",
    "/oauth2/userinfo",
    "/oauth2/end_session",
    "/oauth2/nothing",
    "/api/v1/nothing",
];

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
