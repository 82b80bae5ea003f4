//! `/request-access/new`: a request for an account, by the mailed link. Looking at it spends nothing; asking does.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::mailed::{MailedLink, MailedPage, Wish, try_again};
use crate::flow::Error;
use crate::flow::people::{self, Applicant};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Form, Query, Visit};
use crate::view::{Page, RequestAccess, RequestAccessError};

const HERE: MailedPage = MailedPage {
    path: "/request-access/new",
    purpose: "request access",
    gone: Refusal::registration_link,
};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(flatten)]
    wish: Wish,
    /// Set where a request was made a moment ago.
    done: Option<String>,
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    reason: String,
}

/// GET /request-access/new
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    if asked.done.is_some() {
        let page = Page::RequestAccess(RequestAccess::done());
        return Ok(visit.show(visit.plain_sheet(page, visit.locale(&[], None))));
    }
    let link = Followed::open(&visit, asked.wish).await?;
    Ok(link.show(&visit, &Fields::default(), None, StatusCode::OK))
}

/// POST /request-access/new
pub(super) async fn ask(
    visit: Visit,
    Query(asked): Query<Asked>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, asked.wish).await?;
    if !link.mailed.believes(&visit, &fields.csrf)? {
        let error = Some(RequestAccessError::Expired);
        return Ok(link.show(&visit, &fields, error, StatusCode::FORBIDDEN));
    }
    let applicant = Applicant {
        name: fields.name.clone(),
        reason: fields.reason.clone(),
        locale: visit.locale(&[], None).tag().to_owned(),
    };
    match people::request_access(visit.provider(), &visit.call, &link.mailed.token, applicant).await {
        Ok(()) => Ok(visit.keep(see_other(&format!("{}?done=1", HERE.path)))),
        Err(Error::Invalid(wrong)) => {
            let is_name = wrong.iter().any(|wrong| wrong.pointer == "/name");
            let error = if is_name {
                RequestAccessError::Name
            } else {
                RequestAccessError::Reason
            };
            Ok(link.show(&visit, &fields, Some(error), StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(Error::Throttled { retry_after, .. }) => {
            let seconds = retry_after.as_secs().max(1);
            let error = Some(RequestAccessError::Full { seconds });
            let response = link.show(&visit, &fields, error, StatusCode::TOO_MANY_REQUESTS);
            Ok(try_again(response, seconds))
        }
        Err(error) => Err(link.mailed.dead(error)),
    }
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    email: String,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let email = people::look_at_access_request(visit.provider(), &visit.call, &mailed.token).await;
        let email = email.map_err(|error| mailed.dead(error))?;
        Ok(Self { mailed, email })
    }

    fn show(&self, visit: &Visit, typed: &Fields, error: Option<RequestAccessError>, status: StatusCode) -> Response {
        let page = Page::RequestAccess(RequestAccess {
            action: self.mailed.address(),
            email: self.email.clone(),
            name: typed.name.clone(),
            reason: typed.reason.clone(),
            error,
            done: false,
        });
        let locale = visit.locale(&[], None);
        self.mailed.show(visit, (page, locale), status)
    }
}
