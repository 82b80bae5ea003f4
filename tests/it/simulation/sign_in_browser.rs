//! A browser of a walk: its cookies, and the forms that it has been shown.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use url::form_urlencoded;

use super::nodes::{Answer, Node};
use crate::support::html;

/// A browser that asks whichever node it is told to.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// What a form is for: one that was made for something else is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Login(Option<usize>),
    Account(usize),
    /// For the person that the page shows.
    Consent(usize, Option<usize>),
    Room(usize),
    Choice(usize),
    SignOut,
    /// There is no token in it.
    Nothing,
}

/// A page with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// For a request, and whether its known person has to prove it once more.
    Login(Option<usize>, bool),
    Account(usize),
    Consent(usize),
    Room(usize),
    Choice(usize),
    SignOut,
}

impl Place {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Login(..) => "/login",
            Self::Account(_) => "/login/account",
            Self::Consent(_) => "/login/consent",
            Self::Room(_) | Self::Choice(_) => "/login/devices",
            Self::SignOut => "/logout",
        }
    }
}

/// A form that somebody was shown.
#[derive(Clone, Debug)]
pub struct Shown {
    pub browser: usize,
    pub place: Place,
    pub purpose: Purpose,
    /// When, in seconds.
    pub at: i64,
    pub token: String,
    /// The logins that it offers to end.
    pub keys: Vec<String>,
}

impl Browser {
    pub async fn get(&mut self, node: &Node, address: &str) -> Answer {
        self.send(node, Request::get(address), Body::empty()).await
    }

    pub async fn post(&mut self, node: &Node, address: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(address).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(node, request, Body::from(body)).await
    }

    async fn send(&mut self, node: &Node, mut request: axum::http::request::Builder, body: Body) -> Answer {
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let (answer, headers) = node.exchange(request.body(body).unwrap()).await;
        for set in headers.get_all(header::SET_COOKIE) {
            let mut parts = set.to_str().unwrap().split(';').map(str::trim);
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            if value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// The token of the form on a page that is sent to this path, and the logins that it offers.
pub fn form(body: &str, path: &str) -> Option<(String, Vec<String>)> {
    let is_there = |action: &str| action.split('?').next() == Some(path);
    let forms = html::forms(body);
    let form = forms.iter().find(|form| is_there(&form.action) && form.has("csrf"))?;
    let (_, token) = form.inputs.iter().find(|(name, _)| name == "csrf")?;
    let offered = body.split("name=\"end\"").skip(1);
    let keys = offered.filter_map(|rest| rest.split("value=\"").nth(1)?.split('"').next());
    Some((token.clone(), keys.map(html::unescape).collect()))
}
