//! A browser's visit to a page: everything that every page needs of a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use url::form_urlencoded;

use super::browser;
use super::cookie;
use super::csrf::{self, Forgery, Provenance};
use super::language::Chosen;
use crate::flow::session::{Account, Browser};
use crate::flow::{Call, Provider};
use crate::http::{Http, Refusal, Sheet};
use crate::model::setting::{self, Settings};
use crate::model::{Id, User};
use crate::view::{Locale, OwnPath, Page, Warning, negotiate};

/// A browser's visit to a page.
pub struct Visit {
    /// What every handler works with.
    pub http: Http,
    /// The call.
    pub call: Call,
    /// The browser and who is signed in there.
    pub browser: Browser,
    /// The settings in force.
    pub settings: Arc<Settings>,
    provenance: Provenance,
    chosen: Chosen,
    path: String,
    query: String,
}

impl FromRequestParts<Http> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        let browser = Browser::from_request_parts(parts, http).await?;
        Self::of(parts, http, browser).await
    }
}

/// A visit that a browser makes by itself: nobody is seen for it.
pub struct Glance(pub Visit);

impl FromRequestParts<Http> for Glance {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        let browser = browser::glance(parts, http).await?;
        Ok(Self(Visit::of(parts, http, browser).await?))
    }
}

impl Visit {
    async fn of(parts: &mut Parts, http: &Http, browser: Browser) -> Result<Self, Refusal> {
        let call = browser::call(parts, http).await?;
        Ok(Self {
            settings: http.provider.settings().await?,
            provenance: Provenance::of(http, &parts.headers),
            chosen: parts.extensions.get::<Chosen>().copied().unwrap_or_default(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            http: http.clone(),
            call,
            browser,
        })
    }

    /// The path of its page.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What flows work with.
    pub fn provider(&self) -> &Provider {
        &self.http.provider
    }

    /// The language of this visit: the one chosen at a page's foot, what the application asks for, the person's own, the
    /// browser's, the one that is set for everyone.
    pub fn locale(&self, ui_locales: &[String], user: Option<&User>) -> Locale {
        let chosen = self.chosen.locale().map(Locale::tag);
        let wished: Vec<&str> = chosen
            .into_iter()
            .chain(ui_locales.iter().map(String::as_str))
            .collect();
        let own = user.and_then(|user| user.profile.locale.as_deref());
        // the least of all wishes: the language set for everyone
        let fallback = self.settings.word(setting::LOCALE);
        let accepted = match &self.browser.languages {
            Some(languages) => format!("{languages}, {fallback};q=0.001"),
            None => fallback.to_owned(),
        };
        negotiate(&wished, own, Some(&accepted))
    }

    /// The person has said which language is theirs: it counts from the next page on.
    pub fn forget_language(&mut self) {
        self.chosen = self.chosen.forgotten();
    }

    /// A page of this visit, whose forms serve `purpose`.
    pub fn sheet(&self, page: Page, locale: Locale, purpose: &str) -> Sheet {
        let token = csrf::token(&self.http, &self.call, &self.browser, purpose);
        let sheet = Sheet::new(page, locale).at(&self.path, &self.query).csrf(token);
        match self.browser.accounts.first() {
            None => sheet,
            Some(account) => sheet.for_somebody_signed_in().warns(self.warning(account)),
        }
    }

    /// What a page that is left open says before this account's session ends.
    pub fn warning(&self, account: &Account) -> Option<Warning> {
        let before = self.settings.duration(setting::SESSION_EXPIRY_WARNING);
        if before.is_zero() {
            return None;
        }
        let left = account.ending.at.since(self.call.now);
        let here = match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        Some(Warning {
            // of one that is shorter than that, half way
            after: left
                .checked_sub(before)
                .filter(|after| !after.is_zero())
                .unwrap_or(left / 2)
                .as_secs(),
            end: left.as_secs().saturating_add(1),
            can_stay: account.ending.can_stay,
            page: ending_page(account.user.id, &here),
            csrf: csrf::token(&self.http, &self.call, &self.browser, &staying(account)),
        })
    }

    /// A page of this visit that has no forms, and that no GET shows again.
    pub fn plain_sheet(&self, page: Page, locale: Locale) -> Sheet {
        Sheet::new(page, locale)
    }

    /// Shows a page to this browser.
    pub fn show(&self, sheet: Sheet) -> Response {
        self.keep(sheet.show(&self.http, &self.call))
    }

    /// Gives the browser the cookies it has to keep.
    pub fn keep(&self, response: Response) -> Response {
        let mut response = cookie::keep(&self.http, &self.call, &self.browser, response);
        self.chosen.keep(&self.http, &mut response);
        response
    }

    /// Whether the form was sent from a page of ours in this browser.
    ///
    /// # Errors
    /// [`Forgery`]: why it is not believed.
    pub fn check(&self, purpose: &str, token: &str) -> Result<(), Forgery> {
        csrf::check(&self.http, &self.call, &self.browser, self.provenance, purpose, token)
    }
}

/// The page that says how somebody's session stands, and leads back to another one.
pub fn ending_page(user: Id<User>, back: &str) -> OwnPath {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("account", &user.to_string())
        .append_pair("return_to", back)
        .finish();
    OwnPath::or_home(&format!("/login/ending?{query}"))
}

/// What the form to stay is for.
pub fn staying(account: &Account) -> String {
    format!("stay {}", account.session.id)
}
