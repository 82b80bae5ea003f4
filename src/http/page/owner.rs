//! Whose pages below `/account` these are, where several people are signed in in one browser.

use url::form_urlencoded;

use crate::flow::session::Account;
use crate::http::extract::Visit;
use crate::model::{Id, User};

/// Somebody who is signed in in this browser, and looks after their own account.
pub(super) struct Owner {
    pub(super) account: Account,
    /// Whether it is who signed in last in this browser: whose pages need no name.
    is_first: bool,
}

impl Owner {
    /// Whoever the address names, else who signed in last.
    pub(super) fn of(visit: &Visit, named: Option<Id<User>>) -> Option<Self> {
        let first = visit.browser.accounts.first()?;
        let named = named.and_then(|user| visit.browser.account(user));
        let account = named.unwrap_or(first);
        Some(Self {
            account: account.clone(),
            is_first: account.user.id == first.user.id,
        })
    }

    /// The address of one of their pages.
    pub(super) fn at(&self, path: &str, notice: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.is_first {
            query.append_pair("account", &self.account.user.id.to_string());
        }
        if let Some(notice) = notice {
            query.append_pair("notice", notice);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{path}{mark}{query}")
    }

    /// Where they prove once more who they are. They come back first in this browser.
    pub(super) fn proving(&self, back: &str) -> String {
        let again = if self.is_first {
            "1".to_owned()
        } else {
            self.account.user.id.to_string()
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("again", &again)
            .append_pair("return_to", back)
            .finish();
        format!("/login?{query}")
    }
}
