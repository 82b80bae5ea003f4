//! A small browser: cookies, forms, redirects one at a time. It does what a person does, without scripts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode};
use url::{Url, form_urlencoded};

use super::html::{self, Form};
use super::http::plain_http;
use super::server::TestUser;

/// More pages than any sign-in has.
const MOST_STEPS: usize = 20;

/// A browser with cookies of its own.
pub struct Browser {
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<(String, String), String>>,
    address: Mutex<Option<String>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// Where a sign-in ended: at the client, with these parameters.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The redirect URI with its answer, or the address the form was posted to.
    pub url: Url,
    pub parameters: BTreeMap<String, String>,
}

impl Arrival {
    /// A parameter; empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The code; the test fails if there is none.
    pub fn code(&self) -> &str {
        self.parameters
            .get("code")
            .unwrap_or_else(|| panic!("no code in {:?}", self.parameters))
    }
}

impl Page {
    /// Where it redirects to, absolute.
    pub fn location(&self) -> Option<Url> {
        let location = self.headers.get(header::LOCATION)?.to_str().unwrap();
        self.status.is_redirection().then(|| self.url.join(location).unwrap())
    }

    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Its forms.
    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.body)
    }

    /// The first form that has this input.
    pub fn form_with(&self, input: &str) -> Form {
        self.forms()
            .into_iter()
            .find(|form| form.has(input))
            .unwrap_or_else(|| panic!("no form with {input} on {}: {} {}", self.url, self.status, self.body))
    }

    /// The first form that has this button.
    pub fn form_with_button(&self, name: &str, value: &str) -> Form {
        self.forms()
            .into_iter()
            .find(|form| form.has_button(name, value))
            .unwrap_or_else(|| panic!("no form with {name}={value} on {}: {}", self.url, self.body))
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        let http = plain_http()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            http,
            cookies: Mutex::default(),
            address: Mutex::default(),
        }
    }

    /// The same behind a proxy that says it comes from this address.
    pub fn at(address: &str) -> Self {
        let browser = Self::new();
        browser.comes_from(address);
        browser
    }

    /// From now on its proxy says so.
    pub fn comes_from(&self, address: &str) {
        *self.address.lock().unwrap() = Some(address.to_owned());
    }

    /// Another browser window that shares nothing.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        cookies
            .iter()
            .find(|((_, known), _)| known == name)
            .map(|(_, value)| value.clone())
    }

    /// The names of all cookies.
    pub fn cookie_names(&self) -> Vec<String> {
        self.cookies
            .lock()
            .unwrap()
            .keys()
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// Sets a cookie for a host.
    pub fn set_cookie(&self, host: &str, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
    }

    /// Forgets every cookie.
    pub fn forget_cookies(&self) {
        self.cookies.lock().unwrap().clear();
    }

    /// GET, without following a redirect.
    pub async fn get(&self, url: &str) -> Page {
        self.send(Method::GET, &Url::parse(url).unwrap(), &[], None).await
    }

    /// GET with more headers.
    pub async fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Page {
        self.send(Method::GET, &Url::parse(url).unwrap(), headers, None).await
    }

    /// GET, following redirects within the same host and port.
    pub async fn open(&self, url: &str) -> Page {
        let page = self.get(url).await;
        self.follow(page).await
    }

    /// Follows redirects as long as they stay on the same host and port.
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..MOST_STEPS {
            match page.location() {
                Some(to) if to.origin() == page.url.origin() => {
                    page = self.send(Method::GET, &to, &[], None).await;
                }
                _ => return page,
            }
        }
        panic!("redirects in a circle at {}", page.url);
    }

    /// POST of a form's fields, without following a redirect.
    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(url, fields, &[]).await
    }

    /// POST with more headers.
    pub async fn post_with(&self, url: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(Method::POST, &Url::parse(url).unwrap(), headers, Some(body))
            .await
    }

    /// Sends a form of a page after filling it in: hidden inputs, the anti-forgery one among them, go with it.
    pub async fn submit(&self, page: &Page, form: Form, values: &[(&str, &str)]) -> Page {
        let form = form.filled(values);
        let url = if form.action.is_empty() {
            page.url.clone()
        } else {
            page.url.join(&form.action).unwrap()
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form.inputs)
            .finish();
        let origin = page.url.origin().ascii_serialization();
        let headers = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, &url, &headers, Some(body)).await
    }

    /// Goes through login and consent, allowing everything, until the answer reaches the client.
    pub async fn sign_in(&self, authorization_url: &str, user: &TestUser) -> Arrival {
        let page = self.get(authorization_url).await;
        self.walk(page, user).await
    }

    /// Goes on from a page until the answer reaches the client.
    pub async fn walk(&self, mut page: Page, user: &TestUser) -> Arrival {
        for _ in 0..MOST_STEPS {
            if let Some(to) = page.location() {
                if to.origin() != page.url.origin() {
                    return arrived(to.clone(), to.query_pairs().into_owned().collect());
                }
                page = self.send(Method::GET, &to, &[], None).await;
                continue;
            }
            let forms = page.forms();
            if let Some(form) = forms.iter().find(|form| form.has("password")) {
                let values = [
                    ("username", user.username.as_str()),
                    ("password", user.password.as_str()),
                ];
                page = self.submit(&page, form.clone(), &values).await;
            } else if let Some(form) = forms.iter().find(|form| form.has_button("decision", "allow")) {
                page = self.submit(&page, form.clone(), &[("decision", "allow")]).await;
            } else if let Some(form) = forms.iter().find(|form| foreign(&page, form)) {
                // response_mode=form_post: the form that a script would send
                return arrived(Url::parse(&form.action).unwrap(), form.inputs.iter().cloned().collect());
            } else {
                panic!("the sign-in stopped at {}: {} {}", page.url, page.status, page.body);
            }
        }
        panic!("the sign-in does not end: {}", page.url);
    }

    async fn send(&self, method: Method, url: &Url, headers: &[(&str, &str)], form: Option<String>) -> Page {
        let host = url.host_str().unwrap().to_owned();
        let mut request = self.http.request(method, url.clone());
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().unwrap();
            let ours = cookies.iter().filter(|((known, _), _)| *known == host);
            ours.map(|((_, name), value)| format!("{name}={value}")).collect()
        };
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(address) = self.address.lock().unwrap().as_deref() {
            request = request.header("x-forwarded-for", address);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all(header::SET_COOKIE) {
            self.keep(&host, set.to_str().unwrap());
        }
        Page {
            url: url.clone(),
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    fn keep(&self, host: &str, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let ended = parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
        let mut cookies = self.cookies.lock().unwrap();
        let key = (host.to_owned(), name.to_owned());
        if ended || value.is_empty() {
            cookies.remove(&key);
        } else {
            cookies.insert(key, value.to_owned());
        }
    }
}

fn arrived(url: Url, parameters: BTreeMap<String, String>) -> Arrival {
    Arrival { url, parameters }
}

fn foreign(page: &Page, form: &Form) -> bool {
    Url::parse(&form.action).is_ok_and(|action| action.origin() != page.url.origin())
}
