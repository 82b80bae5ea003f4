//! `/setup`: the first administrator's account, through a one-time link.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::shown;
use crate::flow::operations::setup::{self, NewAdministrator};
use crate::flow::people::PasswordRules;
use crate::flow::{Error, FieldError};
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::http::{Refusal, Sheet};
use crate::model::Secret;
use crate::view::{OwnPath, Page, Setup, SetupDone, SetupError, SetupField, SetupProblem};

const PURPOSE: &str = "setup";

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
    #[serde(default)]
    email: String,
    #[serde(default)]
    username: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
}

/// GET /setup
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let form = Filled {
        token: look(&visit, wish).await?,
        email: String::new(),
        username: String::new(),
    };
    Ok(form.show(&visit, Vec::new(), StatusCode::OK))
}

/// POST /setup
pub(super) async fn follow(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let form = Filled {
        token: look(&visit, wish).await?,
        email: fields.email.trim().to_owned(),
        username: fields.username.trim().to_owned(),
    };
    match visit.check(PURPOSE, &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(form.show(&visit, Vec::new(), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    let password = fields.password.unwrap_or_else(|| Secret::new(""));
    let errors = form.gaps(&password, fields.password_again.as_ref());
    if !errors.is_empty() {
        return Ok(form.show(&visit, errors, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let new = NewAdministrator {
        username: form.username.clone(),
        email: form.email.clone(),
        password,
    };
    match setup::follow_link(visit.provider(), &visit.call, &form.token, new).await {
        Ok(made) => {
            let page = Page::SetupDone(SetupDone {
                username: made.user.username,
                sign_in: OwnPath::or_home("/login"),
            });
            // a GET would not show this again, so it has no language switch
            Ok(visit.show(Sheet::new(page, visit.locale(&[], None))))
        }
        Err(Error::Invalid(refused)) => {
            let errors: Vec<SetupError> = refused.iter().filter_map(problem).collect();
            if errors.is_empty() {
                // nothing that the person typed, so nothing that they could change
                return Err(Error::Conflict("setup").into());
            }
            Ok(form.show(&visit, errors, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(Error::NotFound) => Err(Refusal::setup_link()),
        Err(error) => Err(error.into()),
    }
}

/// The token of the link that was followed; refuses one that leads nowhere.
async fn look(visit: &Visit, wish: Wish) -> Result<Secret, Refusal> {
    let token = wish.token.ok_or_else(Refusal::setup_link)?;
    if setup::look_at_link(visit.provider(), &visit.call, &token).await? {
        Ok(token)
    } else {
        Err(Refusal::setup_link())
    }
}

/// What stands in the form.
struct Filled {
    token: Secret,
    email: String,
    username: String,
}

impl Filled {
    fn show(&self, visit: &Visit, errors: Vec<SetupError>, status: StatusCode) -> Response {
        let rules = PasswordRules::of_administrators(&visit.settings);
        let page = Page::Setup(Setup {
            action: self.address(),
            hidden: Vec::new(),
            email: self.email.clone(),
            username: self.username.clone(),
            least: rules.least,
            errors,
        });
        visit.show(visit.sheet(page, visit.locale(&[], None), PURPOSE).status(status))
    }

    /// The link: what shows the form again, in another language too.
    fn address(&self) -> OwnPath {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.token.expose())
            .finish();
        OwnPath::or_home(&format!("/setup?{query}"))
    }

    /// What is missing, and whether both passwords are the same.
    fn gaps(&self, password: &Secret, again: Option<&Secret>) -> Vec<SetupError> {
        let error = |field, problem| SetupError { field, problem };
        let mut errors = Vec::new();
        let texts = [
            (SetupField::Email, self.email.as_str()),
            (SetupField::Username, self.username.as_str()),
            (SetupField::Password, password.expose()),
        ];
        for (field, _) in texts.iter().filter(|(_, text)| text.is_empty()) {
            errors.push(error(*field, SetupProblem::Empty));
        }
        if !again.is_some_and(|again| again.matches(password)) {
            errors.push(error(SetupField::PasswordAgain, SetupProblem::Different));
        }
        errors
    }
}

/// A field that the flow did not take, as the page shows it.
fn problem(error: &FieldError) -> Option<SetupError> {
    let (field, problem) = match (error.pointer.as_str(), error.code) {
        ("/email", "taken") => (SetupField::Email, SetupProblem::Taken),
        ("/username", "taken") => (SetupField::Username, SetupProblem::Taken),
        ("/email", _) => (SetupField::Email, SetupProblem::NotAnEmail),
        ("/username", _) => (SetupField::Username, SetupProblem::NotAUsername),
        ("/password", _) => (SetupField::Password, shown::weakness(error)),
        _ => return None,
    };
    Some(SetupError { field, problem })
}
