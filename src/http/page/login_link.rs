//! `/login/link`: what the link of a mail to sign in with leads to. Looking at it spends nothing. In the browser that asked it signs in; in
//! another one it says who asked, and signs in nobody (SEC-303).

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::login::{Door, Outcome};
use super::shown;
use crate::flow::Error;
use crate::flow::sign_in::link;
use crate::http::Refusal;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Secret;
use crate::view::{Device, LoginError, LoginLink, LoginLinkStage, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    token: Option<Secret>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
}

/// GET /login/link
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, link.stage(), StatusCode::OK))
}

/// POST /login/link
pub(super) async fn answer(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish).await?;
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            link.expired = true;
            return Ok(link.show(&visit, link.stage(), StatusCode::FORBIDDEN));
        }
        Err(forgery) => return Err(forgery.into()),
    }
    let http = visit.http.clone();
    let Some(attempt) = link.followed.attempt.take() else {
        link::confirm(&http.provider, &visit.call, &link.token)
            .await
            .map_err(dead)?;
        return Ok(link.show(&visit, LoginLinkStage::Confirmed, StatusCode::OK));
    };
    visit.call = visit.call.within(attempt.wanted.journey);
    let door = Door::of(&visit, &attempt.wanted.purpose, attempt.wanted.expected).await?;
    let (call, browser) = (&visit.call, &mut visit.browser);
    let signed_in = link::enter(&http.provider, call, browser, attempt, &link.token).await;
    match door.outcome(&visit, signed_in, LoginError::Credentials).await? {
        Outcome::On(response) => Ok(response),
        Outcome::Refused(door, refused) => match refused.error {
            // somebody was faster with the same link
            LoginError::Credentials => Err(Refusal::expired()),
            error => Ok(door.refused(&visit, error, refused.status)),
        },
    }
}

/// A link that was followed.
struct Followed {
    token: Secret,
    followed: link::Followed,
    expired: bool,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::expired)?;
        let followed = link::look(visit.provider(), &visit.call, &visit.browser, &token).await;
        Ok(Self {
            followed: followed.map_err(dead)?,
            token,
            expired: false,
        })
    }

    fn purpose(&self) -> String {
        format!("sign-in link {}", self.token.expose())
    }

    fn stage(&self) -> LoginLinkStage {
        match self.followed.attempt {
            Some(_) => LoginLinkStage::Here,
            None if self.followed.is_used => LoginLinkStage::Confirmed,
            None => LoginLinkStage::Elsewhere,
        }
    }

    fn show(&self, visit: &Visit, stage: LoginLinkStage, status: StatusCode) -> Response {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.token.expose())
            .finish();
        let link = &self.followed.link;
        let page = Page::LoginLink(LoginLink {
            action: OwnPath::or_home(&format!("/login/link?{query}")),
            account: shown::account(&self.followed.user),
            stage,
            device: link.user_agent.as_deref().map(Device::read).unwrap_or_default(),
            place: shown::whereabouts(None, link.address.clone()),
            at: link.asked_at.micros(),
            expired: self.expired,
        });
        let locale = visit.locale(&[], Some(&self.followed.user));
        visit.show(visit.sheet(page, locale, &self.purpose()).status(status))
    }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::expired(),
        error => error.into(),
    }
}
