//! `/register`: a mail with a link to an account of one's own; `/request-access`: to the request for one. The answer is the same whoever has the address, and given before anybody
//! has looked (SEC-221).

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::forgot::{address, pending};
use super::login::waiting;
use super::shown;
use crate::crypto;
use crate::flow::Error;
use crate::flow::authorization::Interaction;
use crate::flow::people::{self, Challenge, Met, RegistrationMode, Work};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::http::sheet::Loaded;
use crate::model::Secret;
use crate::model::setting::{REGISTRATION_CONTACT, REGISTRATION_LINK_LIFETIME, REGISTRATION_MODE};
use crate::view::{
    Link, Locale, OwnPath, Page, Register, RegisterCaptcha, RegisterError, RegisterFor, RegisterHelp, RegisterWork,
};

const HERE: &str = "/register";
const ACCESS: &str = "/request-access";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The pending authorization request, to go on with afterwards.
    flow: Option<String>,
    /// Set where a wish was uttered a moment ago.
    sent: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    work_question: String,
    #[serde(default)]
    work_answer: String,
    /// Whatever else there is: the field that a widget fills has the name that its service gives it.
    #[serde(flatten)]
    others: BTreeMap<String, Secret>,
}

/// GET /register
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let door = Door::open(&visit, wish.flow).await?;
    let hint = door.interaction.as_ref().and_then(|it| it.request.login_hint.clone());
    let page = Shown {
        sent: wish.sent.is_some(),
        email: hint.filter(|hint| hint.contains('@')).unwrap_or_default(),
        error: None,
    };
    door.show(&visit, page, StatusCode::OK).await
}

/// POST /register
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, wish.flow).await?;
    let email = fields.email.trim().to_owned();
    let refused = |error| Shown {
        sent: false,
        email: email.clone(),
        error: Some(error),
    };
    match visit.check(&door.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            return door
                .show(&visit, refused(RegisterError::Expired), StatusCode::FORBIDDEN)
                .await;
        }
        Err(forgery) => return Err(forgery.into()),
    }
    if email.is_empty() {
        return door
            .show(&visit, refused(RegisterError::Empty), StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    }
    let flow = door.interaction.as_ref().map(|it| it.id.clone());
    let wish = (email.clone(), door.locale(&visit), flow);
    let field = visit.provider().captcha.as_ref().map(|service| service.widget().field);
    let captcha = field.and_then(|field| fields.others.get(&field).cloned());
    let met = Met {
        work: Work {
            question: fields.work_question,
            answer: fields.work_answer,
        },
        captcha: captcha.unwrap_or_else(|| Secret::new("")),
    };
    match people::ask_for_account(visit.provider(), &visit.call, wish, (&door.form(&visit), &met)).await {
        Ok(()) => Ok(visit.keep(see_other(door.address(door.here(), &[("sent", "1")]).as_str()))),
        Err(Error::Invalid(wrong)) => {
            let page = refused(if people::is_domain_refused(&wrong) {
                RegisterError::Domain
            } else if wrong.iter().any(|wrong| wrong.code == people::PROOF_OF_WORK) {
                RegisterError::Work
            } else if wrong.iter().any(|wrong| wrong.code == people::CAPTCHA) {
                RegisterError::Captcha
            } else {
                RegisterError::NotAnEmail
            });
            door.show(&visit, page, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(Error::Throttled { retry_after, .. }) => {
            let seconds = retry_after.as_secs().max(1);
            let page = refused(RegisterError::Throttled { seconds });
            let response = door.show(&visit, page, StatusCode::TOO_MANY_REQUESTS).await?;
            Ok(waiting(response, Some(seconds)))
        }
        Err(Error::Busy { retry_after }) => {
            let seconds = retry_after.as_secs().max(1);
            let page = refused(RegisterError::Busy { seconds });
            let response = door.show(&visit, page, StatusCode::SERVICE_UNAVAILABLE).await?;
            Ok(waiting(response, Some(seconds)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a page leads to whoever has no account; nowhere if not anyone may have one.
pub(super) fn link(visit: &Visit, interaction: Option<&Interaction>) -> Option<OwnPath> {
    let flow = interaction.map(|it| it.id.as_str());
    match visit.settings.word(REGISTRATION_MODE) {
        "open" => Some(address(HERE, flow, &[])),
        "request" => Some(address(ACCESS, flow, &[])),
        _ => None,
    }
}

/// Where to turn without scripts.
fn help(visit: &Visit) -> RegisterHelp {
    let contact = visit.settings.contact(REGISTRATION_CONTACT);
    RegisterHelp {
        contact: contact.and_then(Link::parse),
        mail: contact
            .and_then(|contact| contact.strip_prefix("mailto:"))
            .map(str::to_owned),
    }
}

/// What is to be shown.
struct Shown {
    sent: bool,
    email: String,
    error: Option<RegisterError>,
}

/// What somebody wants an account for.
struct Door {
    interaction: Option<Interaction>,
    purpose: RegisterFor,
}

impl Door {
    async fn open(visit: &Visit, flow: Option<String>) -> Result<Self, Refusal> {
        // each page is there in its own mode
        let purpose = match (people::registration_mode(visit.provider()).await?, visit.path()) {
            (RegistrationMode::Open, HERE) => RegisterFor::Account,
            (RegistrationMode::Request, ACCESS) => RegisterFor::Access,
            _ => return Err(Refusal::not_found()),
        };
        let interaction = pending(visit, flow).await?;
        Ok(Self { interaction, purpose })
    }

    fn here(&self) -> &'static str {
        match self.purpose {
            RegisterFor::Account => HERE,
            RegisterFor::Access => ACCESS,
        }
    }

    fn address(&self, path: &str, more: &[(&str, &str)]) -> OwnPath {
        address(path, self.interaction.as_ref().map(|it| it.id.as_str()), more)
    }

    fn purpose(&self) -> String {
        let id = self.interaction.as_ref().map_or("", |it| &it.id);
        format!("register {id}")
    }

    /// What work is good for: this form, in this browser.
    fn form(&self, visit: &Visit) -> String {
        format!(
            "{} {}",
            self.purpose(),
            crypto::hex(visit.browser.key.digest().as_bytes())
        )
    }

    fn locale(&self, visit: &Visit) -> Locale {
        let wished = self.interaction.as_ref().map(|it| it.request.ui_locales.as_slice());
        visit.locale(wished.unwrap_or_default(), None)
    }

    async fn show(&self, visit: &Visit, asked: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let (work, widget) = match people::challenge(visit.provider(), &visit.call, &self.form(visit)).await? {
            Some(Challenge::Work(puzzle)) => (Some(puzzle), None),
            Some(Challenge::Captcha(widget)) => (None, Some(widget)),
            None => (None, None),
        };
        let page = Page::Register(Register {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            action: self.address(self.here(), &[]),
            purpose: self.purpose,
            sent: asked.sent,
            seconds: visit.settings.duration(REGISTRATION_LINK_LIFETIME).as_secs(),
            email: asked.email,
            error: asked.error,
            work: work.map(|puzzle| RegisterWork {
                question: puzzle.question,
                bits: puzzle.bits,
            }),
            captcha: widget.as_ref().and_then(|widget| {
                Some(RegisterCaptcha {
                    class: widget.class.clone(),
                    site_key: widget.site_key.clone(),
                    script: Link::parse(&widget.script)?,
                })
            }),
            help: help(visit),
            sign_in: self.address("/login", &[]),
            again: self.address(self.here(), &[]),
        });
        let locale = self.locale(visit);
        let sheet = visit.sheet(page, locale, &self.purpose()).status(status);
        // what the page shows once a mail was sent loads nothing
        Ok(visit.show(match widget {
            Some(widget) if !asked.sent => sheet.loading(Loaded {
                scripts: widget.sources.scripts,
                frames: widget.sources.frames,
                styles: widget.sources.styles,
                connections: widget.sources.connections,
            }),
            _ => sheet,
        }))
    }
}
