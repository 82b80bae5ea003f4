//! `/account/email/confirm`: what the links of mails about an address lead to. Looking at it spends nothing, and nobody has to be signed
//! in: the mail may be read elsewhere.

use axum::http::StatusCode;
use axum::response::Response;

use super::mailed::{MailedLink, MailedPage, Wish, Yes};
use super::shown;
use crate::flow::Error;
use crate::flow::people::{self, AddressLink, AddressSide, ConfirmedAddress};
use crate::http::Refusal;
use crate::http::extract::{Form, Query, Visit};
use crate::model::User;
use crate::view::{ConfirmEmail, ConfirmStep, OwnPath, Page};

const HERE: MailedPage = MailedPage {
    path: "/account/email/confirm",
    purpose: "confirm email",
    gone: Refusal::address_link,
};

/// GET /account/email/confirm
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, link.wanted(), StatusCode::OK))
}

/// POST /account/email/confirm
pub(super) async fn confirm(visit: Visit, Query(wish): Query<Wish>, Form(yes): Form<Yes>) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &yes.csrf)? {
        link.expired = true;
        return Ok(link.show(&visit, link.wanted(), StatusCode::FORBIDDEN));
    }
    match people::confirm_address(visit.provider(), &visit.call, &link.mailed.token).await {
        Ok(ConfirmedAddress::Done) => Ok(link.show(&visit, ConfirmStep::Done, StatusCode::OK)),
        Ok(ConfirmedAddress::OneLeft) => Ok(link.show(&visit, ConfirmStep::OneLeft, StatusCode::OK)),
        Err(Error::Invalid(_)) => Ok(link.show(&visit, ConfirmStep::Taken, StatusCode::CONFLICT)),
        Err(error) => Err(link.mailed.dead(error)),
    }
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    link: AddressLink,
    user: User,
    expired: bool,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let found = people::look_at_address(visit.provider(), &visit.call, &mailed.token).await;
        let (link, user) = found.map_err(|error| mailed.dead(error))?;
        Ok(Self {
            mailed,
            link,
            user,
            expired: false,
        })
    }

    fn wanted(&self) -> ConfirmStep {
        match self.link.side {
            AddressSide::New => ConfirmStep::New,
            AddressSide::Old => ConfirmStep::Old,
        }
    }

    fn show(&self, visit: &Visit, step: ConfirmStep, status: StatusCode) -> Response {
        let page = Page::ConfirmEmail(ConfirmEmail {
            action: self.mailed.address(),
            account: shown::account(&self.user),
            email: self.link.email.clone(),
            step,
            expired: self.expired,
            back: OwnPath::or_home("/account"),
        });
        let locale = visit.locale(&[], Some(&self.user));
        self.mailed.show(visit, (page, locale), status)
    }
}
