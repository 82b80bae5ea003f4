//! What the pages have in common that the links of mails lead to: the secret stands in the address, looking at one spends nothing, and what
//! is posted belongs to that link in this browser.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::forgot;
use crate::flow::Error;
use crate::http::Refusal;
use crate::http::extract::{Forgery, Visit};
use crate::model::Secret;
use crate::view::{Locale, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    token: Option<Secret>,
    /// The pending authorization request that the mail was asked for in.
    flow: Option<String>,
}

/// What a form sends that only says yes.
#[derive(Deserialize)]
pub(super) struct Yes {
    #[serde(default)]
    pub(super) csrf: String,
}

/// A page that links lead to.
#[derive(Clone, Copy)]
pub(super) struct MailedPage {
    /// Where it is.
    pub(super) path: &'static str,
    /// What its form is for.
    pub(super) purpose: &'static str,
    /// What is said where a link leads nowhere.
    pub(super) gone: fn() -> Refusal,
}

/// A link that was followed.
pub(super) struct MailedLink {
    page: MailedPage,
    pub(super) token: Secret,
    pub(super) flow: Option<String>,
}

impl MailedPage {
    /// The link of an address; whether it leads anywhere is not known yet.
    pub(super) fn followed(self, wish: Wish) -> Result<MailedLink, Refusal> {
        let token = wish.token.ok_or_else(self.gone)?;
        Ok(MailedLink {
            page: self,
            token,
            flow: wish.flow,
        })
    }
}

impl MailedLink {
    /// What is said of an error: a link that leads nowhere is that.
    pub(super) fn dead(&self, error: Error) -> Refusal {
        match error {
            Error::NotFound => (self.page.gone)(),
            error => error.into(),
        }
    }

    /// The address of the page, for its forms.
    pub(super) fn address(&self) -> OwnPath {
        let token = [("token", self.token.expose())];
        forgot::address(self.page.path, self.flow.as_deref(), &token)
    }

    /// Whether a form was sent from this page in this browser. False: it had been open for too long, and may be sent again.
    pub(super) fn believes(&self, visit: &Visit, csrf: &str) -> Result<bool, Refusal> {
        match visit.check(&self.purpose(), csrf) {
            Ok(()) => Ok(true),
            Err(Forgery::Token) => Ok(false),
            Err(forgery) => Err(forgery.into()),
        }
    }

    /// The page.
    pub(super) fn show(&self, visit: &Visit, (page, locale): (Page, Locale), status: StatusCode) -> Response {
        visit.show(visit.sheet(page, locale, &self.purpose()).status(status))
    }

    fn purpose(&self) -> String {
        format!("{} {}", self.page.purpose, self.token.expose())
    }
}

/// Says when it is worth trying again.
pub(super) fn try_again(mut response: Response, seconds: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
