//! `/login/wait`: the mailed link that ends the wait for an account at which others guess. Looking at it spends nothing.

use axum::http::StatusCode;
use axum::response::Response;

use super::mailed::{MailedLink, MailedPage, Wish, Yes};
use super::shown;
use crate::flow::people;
use crate::http::Refusal;
use crate::http::extract::{Form, Query, Visit};
use crate::model::User;
use crate::view::{OwnPath, Page, Wait};

const HERE: MailedPage = MailedPage {
    path: "/login/wait",
    purpose: "end wait",
    gone: Refusal::wait_link,
};

/// GET /login/wait
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    link.show(&visit, Shown::Asked, StatusCode::OK).await
}

/// POST /login/wait
pub(super) async fn end(visit: Visit, Query(wish): Query<Wish>, Form(yes): Form<Yes>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &yes.csrf)? {
        return link.show(&visit, Shown::Expired, StatusCode::FORBIDDEN).await;
    }
    people::end_wait_by_link(visit.provider(), &visit.call, &link.mailed.token)
        .await
        .map_err(|error| link.mailed.dead(error))?;
    link.show(&visit, Shown::Done, StatusCode::OK).await
}

/// What there is to say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Asked,
    Expired,
    Done,
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    user: User,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let user = people::look_at_wait(visit.provider(), &visit.call, &mailed.token).await;
        let user = user.map_err(|error| mailed.dead(error))?;
        Ok(Self { mailed, user })
    }

    async fn show(&self, visit: &Visit, shown: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let may_recover = people::is_recovery_enabled(visit.provider()).await?;
        let page = Page::Wait(Wait {
            action: self.mailed.address(),
            account: shown::account(&self.user),
            done: shown == Shown::Done,
            expired: shown == Shown::Expired,
            sign_in: OwnPath::or_home("/login"),
            forgot: may_recover.then(|| OwnPath::or_home("/login/forgot")),
        });
        let locale = visit.locale(&[], Some(&self.user));
        Ok(self.mailed.show(visit, (page, locale), status))
    }
}
