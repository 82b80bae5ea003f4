//! `/account/email/confirm`: what the links of mails about an address lead to. Looking at it spends nothing, and nobody has to be signed
//! in: the mail may be read elsewhere.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::shown;
use crate::flow::Error;
use crate::flow::people::{self, AddressLink, AddressSide, ConfirmedAddress};
use crate::http::Refusal;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Secret, User};
use crate::view::{ConfirmEmail, ConfirmStep, OwnPath, Page};

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

/// GET /account/email/confirm
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, link.wanted(), StatusCode::OK))
}

/// POST /account/email/confirm
pub(super) async fn confirm(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish).await?;
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            link.expired = true;
            return Ok(link.show(&visit, link.wanted(), StatusCode::FORBIDDEN));
        }
        Err(forgery) => return Err(forgery.into()),
    }
    match people::confirm_address(visit.provider(), &visit.call, &link.token).await {
        Ok(ConfirmedAddress::Done) => Ok(link.show(&visit, ConfirmStep::Done, StatusCode::OK)),
        Ok(ConfirmedAddress::OneLeft) => Ok(link.show(&visit, ConfirmStep::OneLeft, StatusCode::OK)),
        Err(Error::Invalid(_)) => Ok(link.show(&visit, ConfirmStep::Taken, StatusCode::CONFLICT)),
        Err(error) => Err(dead(error)),
    }
}

/// A link that was followed.
struct Followed {
    token: Secret,
    link: AddressLink,
    user: User,
    expired: bool,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::address_link)?;
        let found = people::look_at_address(visit.provider(), &visit.call, &token).await;
        let (link, user) = found.map_err(dead)?;
        Ok(Self {
            token,
            link,
            user,
            expired: false,
        })
    }

    fn purpose(&self) -> String {
        format!("confirm email {}", self.token.expose())
    }

    fn wanted(&self) -> ConfirmStep {
        match self.link.side {
            AddressSide::New => ConfirmStep::New,
            AddressSide::Old => ConfirmStep::Old,
        }
    }

    fn show(&self, visit: &Visit, step: ConfirmStep, status: StatusCode) -> Response {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.token.expose())
            .finish();
        let page = Page::ConfirmEmail(ConfirmEmail {
            action: OwnPath::or_home(&format!("/account/email/confirm?{query}")),
            account: shown::account(&self.user),
            email: self.link.email.clone(),
            step,
            expired: self.expired,
            back: OwnPath::or_home("/account"),
        });
        let locale = visit.locale(&[], Some(&self.user));
        visit.show(visit.sheet(page, locale, &self.purpose()).status(status))
    }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::address_link(),
        error => error.into(),
    }
}
