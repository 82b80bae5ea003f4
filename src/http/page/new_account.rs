//! `/register/new`: the account itself, by the mailed link. Looking at it spends nothing; making the account does. Whoever made it is
//! signed in with the password that they chose, through the gates of every sign-in.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::mailed::{MailedLink, MailedPage, Wish, try_again};
use super::{forgot, login, profile_form, property_form, shown, terms as documents};
use crate::flow::people::{self, PasswordRules, Registrant};
use crate::flow::{Error, FieldError, terms};
use crate::http::Refusal;
use crate::http::extract::{Form, Query, Visit};
use crate::model::setting::{REGISTRATION_FIELDS, Settings};
use crate::model::{AskedField, Secret};
use crate::view::{
    AskedInput, NewAccount, NewAccountError, NewAccountField, NewAccountPassword, Page, PropertyInput, SetupProblem,
};

const HERE: MailedPage = MailedPage {
    path: "/register/new",
    purpose: "new account",
    gone: Refusal::registration_link,
};

/// What the form sends.
#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
    /// What is asked beside that, by name, and `accept_` and an id for each document that was accepted.
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

/// GET /register/new
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    link.show(&visit, &Fields::default(), Shown::default(), StatusCode::OK)
        .await
}

/// POST /register/new
pub(super) async fn make(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &fields.csrf)? {
        let first = Shown {
            expired: true,
            ..Shown::default()
        };
        return link.show(&visit, &fields, first, StatusCode::FORBIDDEN).await;
    }
    let password = fields.password.clone().unwrap_or_else(|| Secret::new(""));
    let mut inputs = inputs(&visit).await?;
    property_form::fill(&mut inputs, &fields.rest);
    let said = property_form::entered(&inputs);
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let registrant = Registrant {
        entered: entered(&visit.settings, &fields),
        properties: said,
        locale: visit.locale(&[], None).tag().to_owned(),
        password: password.clone(),
        password_again: Some(fields.password_again.clone().unwrap_or_else(|| Secret::new(""))),
        accepted: shown::ticked(&fields.rest)
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect(),
    };
    let refused = match people::register(visit.provider(), &visit.call, &link.mailed.token, registrant).await {
        Ok(made) => {
            let interaction = forgot::pending(&visit, link.mailed.flow).await?;
            let flow = interaction.map(|it| it.id);
            return login::enter(visit, flow, &made.user, password).await;
        }
        Err(Error::Invalid(wrong)) => wrong,
        Err(Error::Busy { retry_after }) => {
            let seconds = retry_after.as_secs().max(1);
            let first = Shown {
                wait: Some(seconds),
                ..Shown::default()
            };
            let response = link
                .show(&visit, &fields, first, StatusCode::SERVICE_UNAVAILABLE)
                .await?;
            return Ok(try_again(response, seconds));
        }
        Err(error) => return Err(link.mailed.dead(error)),
    };
    let first = Shown {
        errors: problems(&visit.settings, &password, &refused),
        refused,
        sent: true,
        ..Shown::default()
    };
    link.show(&visit, &fields, first, StatusCode::UNPROCESSABLE_ENTITY)
        .await
}

/// What there is to say first.
#[derive(Default)]
struct Shown {
    errors: Vec<NewAccountError>,
    /// All of it, as it was refused.
    refused: Vec<FieldError>,
    expired: bool,
    wait: Option<u64>,
    /// Whether the form was sent, and something was wrong with it.
    sent: bool,
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    email: String,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let email = people::look_at_registration(visit.provider(), &visit.call, &mailed.token).await;
        let email = email.map_err(|error| mailed.dead(error))?;
        Ok(Self { mailed, email })
    }

    async fn show(&self, visit: &Visit, typed: &Fields, first: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let locale = visit.locale(&[], None);
        let asked = visit.settings.fields(REGISTRATION_FIELDS).iter();
        let terms = terms::asked_of_new(visit.provider(), visit.call.now).await?;
        let mut inputs = inputs(visit).await?;
        property_form::fill(&mut inputs, &typed.rest);
        property_form::mark(&mut inputs, &first.refused);
        let ticked = first.sent.then(|| shown::ticked(&typed.rest));
        let page = Page::NewAccount(NewAccount {
            action: self.mailed.address(),
            email: self.email.clone(),
            fields: asked
                .map(|asked| AskedInput {
                    name: asked.field,
                    required: asked.is_required,
                    value: match typed.rest.get(asked.field.as_str()) {
                        Some(typed) => typed.trim().to_owned(),
                        None => asked.default.clone().unwrap_or_default(),
                    },
                })
                .collect(),
            languages: profile_form::all_languages(),
            properties: inputs,
            terms: terms
                .iter()
                .map(|terms| documents::to_accept(visit, terms, locale, ticked.as_deref()))
                .collect(),
            least: PasswordRules::of_everyone(&visit.settings).least,
            errors: first.errors,
            expired: first.expired,
            wait: first.wait,
        });
        Ok(self.mailed.show(visit, (page, locale), status))
    }
}

/// What an administrator has defined that is asked here.
async fn inputs(visit: &Visit) -> Result<Vec<PropertyInput>, Refusal> {
    let properties = visit.provider().properties().await?;
    Ok(property_form::of_registration(
        &properties,
        visit.locale(&[], None).tag(),
    ))
}

/// What was entered of what is asked.
fn entered(settings: &Settings, fields: &Fields) -> Vec<(AskedField, String)> {
    let asked = settings.fields(REGISTRATION_FIELDS).iter();
    asked
        .filter_map(|asked| Some((asked.field, fields.rest.get(asked.field.as_str())?.trim().to_owned())))
        .collect()
}

/// What is wrong with the form, in the order of the page.
fn problems(settings: &Settings, password: &Secret, refused: &[FieldError]) -> Vec<NewAccountError> {
    let mut errors: Vec<NewAccountError> = refused.iter().filter_map(problem).collect();
    if password.expose().is_empty() {
        errors.retain(|error| !matches!(error.field, NewAccountField::Password(_)));
        errors.push(of_password(NewAccountPassword::Password, SetupProblem::Empty));
    }
    errors.sort_by_key(|error| place(settings, error.field));
    errors
}

/// Where a field stands on the page.
fn place(settings: &Settings, field: NewAccountField) -> usize {
    let asked = settings.fields(REGISTRATION_FIELDS);
    match field {
        NewAccountField::Asked(field) => asked.iter().position(|asked| asked.field == field).unwrap_or_default(),
        NewAccountField::Password(NewAccountPassword::Password) => asked.len(),
        NewAccountField::Password(NewAccountPassword::PasswordAgain) => asked.len() + 1,
    }
}

fn of_password(input: NewAccountPassword, problem: SetupProblem) -> NewAccountError {
    NewAccountError {
        field: NewAccountField::Password(input),
        problem,
    }
}

/// A field that the flow did not take, as the page shows it; a document that was not accepted shows that itself. The address can't be
/// changed here: what is wrong with it stands at the username, which is the address where none is given.
fn problem(wrong: &FieldError) -> Option<NewAccountError> {
    if wrong.pointer == "/password" {
        return Some(of_password(NewAccountPassword::Password, shown::weakness(wrong)));
    }
    if wrong.pointer == "/password_again" {
        return Some(of_password(NewAccountPassword::PasswordAgain, SetupProblem::Different));
    }
    if wrong.pointer.starts_with("/accepted_terms/") || property_form::is_of_property(wrong) {
        return None;
    }
    let field = AskedField::at(&wrong.pointer).unwrap_or(AskedField::Username);
    let problem = match (wrong.code, field) {
        ("required", _) => SetupProblem::Empty,
        ("taken", _) => SetupProblem::Taken,
        (_, AskedField::Username) => SetupProblem::NotAUsername,
        (_, AskedField::PhoneNumber) => SetupProblem::NotAPhoneNumber,
        (_, AskedField::Birthdate) => SetupProblem::NotADate,
        (_, AskedField::Profile | AskedField::Picture | AskedField::Website) => SetupProblem::NotAUrl,
        (_, AskedField::Zoneinfo) => SetupProblem::NotAZone,
        (_, AskedField::Locale) => SetupProblem::NotALanguage,
        _ => SetupProblem::NotAName,
    };
    Some(NewAccountError {
        field: NewAccountField::Asked(field),
        problem,
    })
}
