//! `/login/forgot`: a mail with a link to a new password. The answer is the same whoever is named, and given before anybody has looked
//! who that is (SEC-221).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::shown;
use crate::flow::authorization::{Interaction, interaction};
use crate::flow::{Error, people};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::setting::{RECOVERY_ENABLED, RECOVERY_LINK_LIFETIME, SIGN_IN_IDENTIFIERS};
use crate::view::{Forgot, ForgotError, Identifiers, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The pending authorization request, to go on with afterwards.
    flow: Option<String>,
    /// Set where a wish was uttered a moment ago.
    sent: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    username: String,
}

/// GET /login/forgot
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let door = Door::open(&visit, wish.flow).await?;
    let identifier = door.interaction.as_ref().and_then(|it| it.request.login_hint.clone());
    let page = Shown {
        sent: wish.sent.is_some(),
        identifier: identifier.unwrap_or_default(),
        error: None,
    };
    Ok(door.show(&visit, page, StatusCode::OK))
}

/// POST /login/forgot
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, wish.flow).await?;
    let identifier = fields.username.trim().to_owned();
    let refused = |error| Shown {
        sent: false,
        identifier: identifier.clone(),
        error: Some(error),
    };
    match visit.check(&door.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(door.show(&visit, refused(ForgotError::Expired), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    if identifier.is_empty() {
        return Ok(door.show(&visit, refused(ForgotError::Empty), StatusCode::UNPROCESSABLE_ENTITY));
    }
    let flow = door.interaction.as_ref().map(|it| it.id.clone());
    match people::ask_for_recovery(visit.provider(), &visit.call, identifier.clone(), flow).await {
        Ok(()) => Ok(visit.keep(see_other(door.address("/login/forgot", &[("sent", "1")]).as_str()))),
        Err(Error::Throttled { retry_after, .. }) => {
            let seconds = retry_after.as_secs().max(1);
            let page = refused(ForgotError::Throttled { seconds });
            let mut response = door.show(&visit, page, StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a page leads to whoever forgot their password; nowhere if people may not help themselves.
pub(super) fn link(visit: &Visit, interaction: Option<&Interaction>) -> Option<OwnPath> {
    let flow = interaction.map(|it| it.id.as_str());
    visit
        .settings
        .flag(RECOVERY_ENABLED)
        .then(|| address("/login/forgot", flow, &[]))
}

/// An address that keeps the pending request.
pub(super) fn address(path: &str, flow: Option<&str>, more: &[(&str, &str)]) -> OwnPath {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(flow.map(|flow| ("flow", flow)))
        .extend_pairs(more)
        .finish();
    let mark = if query.is_empty() { "" } else { "?" };
    OwnPath::or_home(&format!("{path}{mark}{query}"))
}

/// The request of this id, if it still waits, in this browser: a mail may be read in another one.
pub(super) async fn pending(visit: &Visit, flow: Option<String>) -> Result<Option<Interaction>, Refusal> {
    let Some(id) = flow else { return Ok(None) };
    match interaction::load(visit.provider(), &visit.call, &visit.browser, &id).await {
        Ok(interaction) => Ok(Some(interaction)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is to be shown.
struct Shown {
    sent: bool,
    identifier: String,
    error: Option<ForgotError>,
}

/// What somebody wants to sign in for.
struct Door {
    interaction: Option<Interaction>,
}

impl Door {
    async fn open(visit: &Visit, flow: Option<String>) -> Result<Self, Refusal> {
        if !visit.settings.flag(RECOVERY_ENABLED) {
            return Err(Refusal::not_found());
        }
        let interaction = pending(visit, flow).await?;
        Ok(Self { interaction })
    }

    fn address(&self, path: &str, more: &[(&str, &str)]) -> OwnPath {
        address(path, self.interaction.as_ref().map(|it| it.id.as_str()), more)
    }

    fn purpose(&self) -> String {
        let id = self.interaction.as_ref().map_or("", |it| &it.id);
        format!("forgot {id}")
    }

    fn show(&self, visit: &Visit, asked: Shown, status: StatusCode) -> Response {
        let page = Page::Forgot(Forgot {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            action: self.address("/login/forgot", &[]),
            sent: asked.sent,
            seconds: visit.settings.duration(RECOVERY_LINK_LIFETIME).as_secs(),
            identifier: asked.identifier,
            identifiers: Identifiers::of(visit.settings.word(SIGN_IN_IDENTIFIERS)),
            error: asked.error,
            sign_in: self.address("/login", &[]),
            again: self.address("/login/forgot", &[]),
        });
        let wished = self.interaction.as_ref().map(|it| it.request.ui_locales.as_slice());
        let locale = visit.locale(wished.unwrap_or_default(), None);
        visit.show(visit.sheet(page, locale, &self.purpose()).status(status))
    }
}
