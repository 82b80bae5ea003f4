//! `/login/new-password`: a password that was right has to be replaced, and the way to a new one is mailed once more.
//!
//! The form is made for whoever has just entered the old password, and its token says for whom: nobody else has mails sent.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::shown;
use crate::flow::Error;
use crate::flow::people::{self, PasswordLink};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, User};
use crate::view::{Client, Hidden, Locale, NewPassword, NewPasswordStage, OwnPath, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The pending authorization request, to sign in for afterwards.
    flow: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    person: Option<Id<User>>,
}

/// Whose password has to be replaced, and what they wanted to sign in for.
pub(super) struct Stuck<'a> {
    pub(super) user: &'a User,
    pub(super) client: Option<Client>,
    pub(super) flow: Option<&'a str>,
    pub(super) locale: Locale,
}

/// GET /login/new-password: nothing is told without the old password.
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Response {
    visit.keep(see_other(login(wish.flow.as_deref()).as_str()))
}

/// POST /login/new-password
pub(super) async fn mail(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let flow = wish.flow.as_deref();
    let back = || visit.keep(see_other(login(flow).as_str()));
    let person = fields.person.ok_or_else(|| Refusal::bad_request("this names nobody"))?;
    match visit.check(&purpose(person), &fields.csrf) {
        Ok(()) => {}
        // whoever it was has to enter the old password again
        Err(Forgery::Token) => return Ok(back()),
        Err(forgery) => return Err(forgery.into()),
    }
    let user = match people::get_user(visit.provider(), person).await {
        Ok(user) => user,
        Err(Error::NotFound) => return Ok(back()),
        Err(error) => return Err(error.into()),
    };
    let stuck = Stuck {
        locale: visit.locale(&[], Some(&user)),
        user: &user,
        client: None,
        flow,
    };
    let (stage, wait, status) = match people::mail_password_link(visit.provider(), &visit.call, person).await {
        Ok(PasswordLink::Mailed) => (NewPasswordStage::Mailed, 0, StatusCode::OK),
        Ok(PasswordLink::Later(wait)) => (NewPasswordStage::Later, wait.as_secs(), StatusCode::TOO_MANY_REQUESTS),
        Ok(PasswordLink::NoAddress) => (NewPasswordStage::NoAddress, 0, StatusCode::CONFLICT),
        // replaced meanwhile
        Err(Error::NotFound) => return Ok(back()),
        Err(error) => return Err(error.into()),
    };
    let mut response = stuck.draw(&visit, stage, wait, status);
    if wait > 0 {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    Ok(response)
}

impl Stuck<'_> {
    /// The answer to the old password.
    pub(super) fn told(&self, visit: &Visit) -> Response {
        let stage = if people::can_be_mailed_to(self.user) {
            NewPasswordStage::Needed
        } else {
            NewPasswordStage::NoAddress
        };
        self.draw(visit, stage, 0, StatusCode::FORBIDDEN)
    }

    fn draw(&self, visit: &Visit, stage: NewPasswordStage, wait: u64, status: StatusCode) -> Response {
        let page = Page::NewPassword(NewPassword {
            client: self.client.clone(),
            account: shown::account(self.user),
            action: address("/login/new-password", self.flow),
            hidden: vec![Hidden::new("person", self.user.id.to_string())],
            stage,
            wait,
            sign_in: login(self.flow),
        });
        visit.show(visit.sheet(page, self.locale, &purpose(self.user.id)).status(status))
    }
}

fn login(flow: Option<&str>) -> OwnPath {
    address("/login", flow)
}

fn address(path: &str, flow: Option<&str>) -> OwnPath {
    let Some(flow) = flow else {
        return OwnPath::or_home(path);
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("flow", flow)
        .finish();
    OwnPath::or_home(&format!("{path}?{query}"))
}

fn purpose(person: Id<User>) -> String {
    format!("new password {person}")
}
