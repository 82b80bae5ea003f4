//! `/login/wait`: the mailed link that ends the wait for an account at which others guess. Looking at it spends nothing.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::shown;
use crate::flow::Error;
use crate::flow::people;
use crate::http::Refusal;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Secret, User};
use crate::view::{OwnPath, Page, Wait};

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

/// GET /login/wait
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    link.show(&visit, Shown::Asked, StatusCode::OK).await
}

/// POST /login/wait
pub(super) async fn end(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return link.show(&visit, Shown::Expired, StatusCode::FORBIDDEN).await,
        Err(forgery) => return Err(forgery.into()),
    }
    people::end_wait_by_link(visit.provider(), &visit.call, &link.token)
        .await
        .map_err(dead)?;
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
    token: Secret,
    user: User,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::wait_link)?;
        let user = people::look_at_wait(visit.provider(), &visit.call, &token).await;
        Ok(Self {
            user: user.map_err(dead)?,
            token,
        })
    }

    fn purpose(&self) -> String {
        format!("end wait {}", self.token.expose())
    }

    async fn show(&self, visit: &Visit, shown: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.token.expose())
            .finish();
        let may_recover = people::is_recovery_enabled(visit.provider()).await?;
        let page = Page::Wait(Wait {
            action: OwnPath::or_home(&format!("/login/wait?{query}")),
            account: shown::account(&self.user),
            done: shown == Shown::Done,
            expired: shown == Shown::Expired,
            sign_in: OwnPath::or_home("/login"),
            forgot: may_recover.then(|| OwnPath::or_home("/login/forgot")),
        });
        let locale = visit.locale(&[], Some(&self.user));
        Ok(visit.show(visit.sheet(page, locale, &self.purpose()).status(status)))
    }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::wait_link(),
        error => error.into(),
    }
}
