//! `/request-access/new`: a request for an account, by the mailed link. Looking at it spends nothing; asking does.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::forgot;
use crate::flow::Error;
use crate::flow::people::{self, Applicant};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Secret;
use crate::view::{Page, RequestAccess, RequestAccessError};

const HERE: &str = "/request-access/new";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    token: Option<Secret>,
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
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    if wish.done.is_some() {
        let page = Page::RequestAccess(RequestAccess::done());
        return Ok(visit.show(visit.plain_sheet(page, visit.locale(&[], None))));
    }
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, &Fields::default(), None, StatusCode::OK))
}

/// POST /request-access/new
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            let error = Some(RequestAccessError::Expired);
            return Ok(link.show(&visit, &fields, error, StatusCode::FORBIDDEN));
        }
        Err(forgery) => return Err(forgery.into()),
    }
    let applicant = Applicant {
        name: fields.name.clone(),
        reason: fields.reason.clone(),
        locale: visit.locale(&[], None).tag().to_owned(),
    };
    match people::request_access(visit.provider(), &visit.call, &link.token, applicant).await {
        Ok(()) => Ok(visit.keep(see_other(&format!("{HERE}?done=1")))),
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
            let mut response = link.show(&visit, &fields, error, StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
        Err(error) => Err(dead(error)),
    }
}

/// A link that was followed.
struct Followed {
    token: Secret,
    email: String,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::registration_link)?;
        let email = people::look_at_access_request(visit.provider(), &visit.call, &token).await;
        Ok(Self {
            email: email.map_err(dead)?,
            token,
        })
    }

    fn purpose(&self) -> String {
        format!("request access {}", self.token.expose())
    }

    fn show(&self, visit: &Visit, typed: &Fields, error: Option<RequestAccessError>, status: StatusCode) -> Response {
        let page = Page::RequestAccess(RequestAccess {
            action: forgot::address(HERE, None, &[("token", self.token.expose())]),
            email: self.email.clone(),
            name: typed.name.clone(),
            reason: typed.reason.clone(),
            error,
            done: false,
        });
        let locale = visit.locale(&[], None);
        visit.show(visit.sheet(page, locale, &self.purpose()).status(status))
    }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::registration_link(),
        error => error.into(),
    }
}
