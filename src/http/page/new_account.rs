//! `/register/new`: the account itself, by the mailed link. Looking at it spends nothing; making the account does. Whoever made it is
//! signed in with the password that they chose, through the gates of every sign-in.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::{forgot, login, shown};
use crate::flow::people::{self, PasswordRules, Registrant};
use crate::flow::{Error, FieldError};
use crate::http::Refusal;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Secret;
use crate::view::{NewAccount, NewAccountError, NewAccountField, Page, SetupProblem};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    token: Option<Secret>,
    /// The pending authorization request that it was asked in.
    flow: Option<String>,
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
    #[serde(default)]
    username: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
}

/// GET /register/new
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, &Fields::default(), Shown::default(), StatusCode::OK))
}

/// POST /register/new
pub(super) async fn make(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(mut fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            let first = Shown {
                expired: true,
                ..Shown::default()
            };
            return Ok(link.show(&visit, &fields, first, StatusCode::FORBIDDEN));
        }
        Err(forgery) => return Err(forgery.into()),
    }
    for text in [&mut fields.given_name, &mut fields.family_name, &mut fields.username] {
        *text = text.trim().to_owned();
    }
    let password = fields.password.clone().unwrap_or_else(|| Secret::new(""));
    let mut errors = gaps(&password, fields.password_again.as_ref());
    if errors.is_empty() {
        let registrant = Registrant {
            username: fields.username.clone(),
            given_name: fields.given_name.clone(),
            family_name: fields.family_name.clone(),
            locale: visit.locale(&[], None).tag().to_owned(),
            password: password.clone(),
        };
        match people::register(visit.provider(), &visit.call, &link.token, registrant).await {
            Ok(made) => {
                let interaction = forgot::pending(&visit, link.flow).await?;
                let flow = interaction.map(|it| it.id);
                return login::enter(visit, flow, made.user.username, password).await;
            }
            Err(Error::Invalid(refused)) => errors.extend(refused.iter().map(problem)),
            Err(Error::Busy { retry_after }) => {
                let seconds = retry_after.as_secs().max(1);
                let first = Shown {
                    wait: Some(seconds),
                    ..Shown::default()
                };
                let mut response = link.show(&visit, &fields, first, StatusCode::SERVICE_UNAVAILABLE);
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                return Ok(response);
            }
            Err(error) => return Err(dead(error)),
        }
    }
    let first = Shown {
        errors,
        ..Shown::default()
    };
    Ok(link.show(&visit, &fields, first, StatusCode::UNPROCESSABLE_ENTITY))
}

/// What there is to say first.
#[derive(Default)]
struct Shown {
    errors: Vec<NewAccountError>,
    expired: bool,
    wait: Option<u64>,
}

/// A link that was followed.
struct Followed {
    token: Secret,
    flow: Option<String>,
    email: String,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::registration_link)?;
        let link = people::look_at_registration(visit.provider(), &visit.call, &token).await;
        Ok(Self {
            email: link.map_err(dead)?.email,
            token,
            flow: wish.flow,
        })
    }

    fn purpose(&self) -> String {
        format!("new account {}", self.token.expose())
    }

    fn show(&self, visit: &Visit, typed: &Fields, first: Shown, status: StatusCode) -> Response {
        let token = [("token", self.token.expose())];
        let page = Page::NewAccount(NewAccount {
            action: forgot::address("/register/new", self.flow.as_deref(), &token),
            email: self.email.clone(),
            given_name: typed.given_name.clone(),
            family_name: typed.family_name.clone(),
            username: typed.username.clone(),
            least: PasswordRules::of_everyone(&visit.settings).least,
            errors: first.errors,
            expired: first.expired,
            wait: first.wait,
        });
        visit.show(
            visit
                .sheet(page, visit.locale(&[], None), &self.purpose())
                .status(status),
        )
    }
}

fn gaps(password: &Secret, again: Option<&Secret>) -> Vec<NewAccountError> {
    let error = |field, problem| NewAccountError { field, problem };
    let mut errors = Vec::new();
    if password.expose().is_empty() {
        errors.push(error(NewAccountField::Password, SetupProblem::Empty));
    }
    if !again.is_some_and(|again| again.matches(password)) {
        errors.push(error(NewAccountField::PasswordAgain, SetupProblem::Different));
    }
    errors
}

/// A field that the flow did not take, as the page shows it. The address can't be changed here: what is wrong with it stands at the
/// username, which is the address where none is given.
fn problem(error: &FieldError) -> NewAccountError {
    let (field, problem) = match (error.pointer.as_str(), error.code) {
        ("/given_name", _) => (NewAccountField::GivenName, SetupProblem::NotAName),
        ("/family_name", _) => (NewAccountField::FamilyName, SetupProblem::NotAName),
        ("/password", _) => (NewAccountField::Password, shown::weakness(error)),
        (_, "taken") => (NewAccountField::Username, SetupProblem::Taken),
        _ => (NewAccountField::Username, SetupProblem::NotAUsername),
    };
    NewAccountError { field, problem }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::registration_link(),
        error => error.into(),
    }
}
