//! `/login/link`: what the link of a mail to sign in with leads to. Looking at it spends nothing. In the browser that asked it signs in; in
//! another one it says who asked, and signs in nobody (SEC-303).

use axum::http::StatusCode;
use axum::response::Response;

use super::login::{Door, Outcome};
use super::mailed::{MailedLink, MailedPage, Wish, Yes};
use super::shown;
use crate::flow::sign_in::link;
use crate::http::Refusal;
use crate::http::extract::{Form, Query, Visit};
use crate::view::{Device, LoginError, LoginLink, LoginLinkStage, Page};

const HERE: MailedPage = MailedPage {
    path: "/login/link",
    purpose: "sign-in link",
    gone: Refusal::expired,
};

/// GET /login/link
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, link.stage(), StatusCode::OK))
}

/// POST /login/link
pub(super) async fn answer(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(yes): Form<Yes>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &yes.csrf)? {
        link.expired = true;
        return Ok(link.show(&visit, link.stage(), StatusCode::FORBIDDEN));
    }
    let http = visit.http.clone();
    let Some(attempt) = link.followed.attempt.take() else {
        link::confirm(&http.provider, &visit.call, &link.mailed.token)
            .await
            .map_err(|error| link.mailed.dead(error))?;
        return Ok(link.show(&visit, LoginLinkStage::Confirmed, StatusCode::OK));
    };
    visit.call = visit.call.within(attempt.wanted.journey);
    let wanted = &attempt.wanted;
    let door = Door::of(&visit, &wanted.purpose, wanted.expected).await?;
    let door = door.naming(&visit, (&wanted.identifier, wanted.remember))?;
    let (call, browser) = (&visit.call, &mut visit.browser);
    let signed_in = link::enter(&http.provider, call, browser, attempt, &link.mailed.token).await;
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
    mailed: MailedLink,
    followed: link::Followed,
    expired: bool,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let followed = link::look(visit.provider(), &visit.call, &visit.browser, &mailed.token).await;
        Ok(Self {
            followed: followed.map_err(|error| mailed.dead(error))?,
            mailed,
            expired: false,
        })
    }

    fn stage(&self) -> LoginLinkStage {
        match self.followed.attempt {
            Some(_) => LoginLinkStage::Here,
            None if self.followed.is_used => LoginLinkStage::Confirmed,
            None => LoginLinkStage::Elsewhere,
        }
    }

    fn show(&self, visit: &Visit, stage: LoginLinkStage, status: StatusCode) -> Response {
        let link = &self.followed.link;
        let page = Page::LoginLink(LoginLink {
            action: self.mailed.address(),
            account: shown::account(&self.followed.user),
            stage,
            device: link.user_agent.as_deref().map(Device::read).unwrap_or_default(),
            place: shown::whereabouts(None, link.address.clone()),
            at: link.asked_at.micros(),
            expired: self.expired,
        });
        let locale = visit.locale(&[], Some(&self.followed.user));
        self.mailed.show(visit, (page, locale), status)
    }
}
