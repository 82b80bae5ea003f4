//! `/login/action`: who somebody is is proved, and something is required of them before they are in: another password, a second
//! factor, recovery codes to be kept, a telephone number, terms to be accepted.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::{devices, passkey as script, pending, profile_form, property_form, return_target, shown};
use crate::flow::Error;
use crate::flow::authorization::{Interaction, answer};
use crate::flow::factor;
use crate::flow::people::{PropertiesChange, UserChange};
use crate::flow::session::{Answered, Duty, Full, Task, duty};
use crate::flow::sign_in::duty::{self as done, Brought, NotDone};
use crate::flow::sign_in::password::NoRoom;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Reason, Secret};
use crate::view::{
    EnrolError, Locale, NotMeError, NotMeField, NotMeProblem, OwnPath, OwnPhoneError, ProfileField, PropertyInput,
    RequiredEmailProblem, SetupProblem,
};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The proof that waits.
    #[serde(default)]
    proof: String,
    /// Set where a mail was sent a moment ago.
    sent: Option<String>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
    code: Option<Secret>,
    intent: Option<String>,
    /// A number that is to be theirs.
    phone: Option<String>,
    #[serde(flatten)]
    passkey: script::Answer,
    /// What is told about the person; `accept_` and an id for each document that was accepted.
    #[serde(flatten)]
    given: BTreeMap<String, String>,
}

/// GET /login/action
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    if door.duty.is_over() {
        return door.land(visit).await;
    }
    let said = Said {
        sent: wish.sent.is_some(),
        ..Said::default()
    };
    door.show(&visit, said, StatusCode::OK).await
}

/// POST /login/action
pub(super) async fn act(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    visit.call = visit.call.within(door.duty.journey);
    match visit.check(&door.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) if door.duty.is_over() => return door.land(visit).await,
        Err(Forgery::Token) => {
            let said = Said {
                expired: true,
                ..Said::default()
            };
            return door.show(&visit, said, StatusCode::FORBIDDEN).await;
        }
        Err(forgery) => return Err(forgery.into()),
    }
    if door.duty.is_over() {
        return door.answer(visit, Brought::Nothing, Vec::new()).await;
    }
    if fields.intent.as_deref() == Some("cancel") {
        return door.give_up(&visit).await;
    }
    if fields.intent.as_deref() == Some("mail") && matches!(door.duty.task, Task::VerifyEmail { .. }) {
        let email = fields.given.get("email").map(|text| text.trim().to_owned());
        return door.mail(&visit, email.unwrap_or_default()).await;
    }
    if matches!(door.duty.task, Task::ConfirmPhone)
        && let Some(asked) = phone_asked(&visit, &door, &fields).await?
    {
        return door.text(&visit, asked).await;
    }
    let brought = match &door.duty.task {
        Task::ChangePassword { .. } => {
            let new = fields.password.unwrap_or_else(|| Secret::new(""));
            let errors = shown::gaps(&new, fields.password_again.as_ref());
            if !errors.is_empty() {
                return door.refuse_password(&visit, errors).await;
            }
            Brought::Password(new)
        }
        Task::Enrol { .. } => match fields.passkey.signature() {
            Some(answer) => Brought::Passkey(answer),
            None => Brought::Code(fields.code.unwrap_or_else(|| Secret::new(""))),
        },
        Task::ConfirmPhone => Brought::Code(fields.code.unwrap_or_else(|| Secret::new(""))),
        Task::AcceptTerms { .. } => {
            let ids = shown::ticked(&fields.given);
            let ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
            Brought::Terms(ids, door.locale.tag().to_owned())
        }
        Task::UpdateProfile { .. } => {
            let filled = door.filled(&visit, &fields.given).await?;
            let mut inputs = door.inputs(&visit, &fields.given).await?;
            let mut change = profile_form::change(&filled, &door.duty.user);
            change.properties = Some(PropertiesChange::Patch(property_form::entered(&inputs)));
            let given = fields.given;
            let (again, answered) = door.try_profile(&mut visit, change).await;
            return match answered {
                Err(NotDone::Fields(errors)) => {
                    let mut filled = again.filled(&visit, &given).await?;
                    profile_form::mark(&mut filled, &errors);
                    property_form::mark(&mut inputs, &errors);
                    let said = Said {
                        fields: Some(filled),
                        properties: Some(inputs),
                        ..Said::default()
                    };
                    again.show(&visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
                }
                answered => again.go_on(visit, answered, Vec::new()).await,
            };
        }
        Task::Stay | Task::VerifyEmail { .. } | Task::KeepCodes { .. } | Task::Enter => Brought::Nothing,
    };
    let ticked = shown::ticked(&fields.given);
    door.answer(visit, brought, ticked).await
}

/// POST /login/action/passkey
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(asking): Form<script::Asking>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    visit.check(&door.purpose(), &asking.csrf)?;
    let question = factor::ask_for_new(visit.provider(), &visit.call, &visit.browser, &door.duty).await;
    script::asked(&visit, question)
}

/// The number that a form asks a code for: the one that was typed, or the one that a code was sent to before.
async fn phone_asked(visit: &Visit, door: &Door, fields: &Fields) -> Result<Option<String>, Refusal> {
    if fields.intent.as_deref() == Some("again") {
        let asked = done::asked_number(visit.provider(), &visit.call, &door.duty).await?;
        return Ok(Some(asked.unwrap_or_default()));
    }
    Ok(fields.phone.as_deref().map(|typed| typed.trim().to_owned()))
}

/// What there is to say first.
#[derive(Default)]
pub(super) struct Said {
    pub(super) errors: Vec<NotMeError>,
    /// What was wrong with a second factor.
    pub(super) enrol: Option<EnrolError>,
    /// What was typed as a number, and what is wrong with it, or with its code.
    pub(super) phone: Option<(String, OwnPhoneError)>,
    pub(super) expired: bool,
    pub(super) wait: Option<u64>,
    /// Which documents were accepted, where not all were.
    pub(super) ticked: Option<Vec<String>>,
    /// What stands in the fields of the person's own data.
    pub(super) fields: Option<Vec<ProfileField>>,
    /// What stands in those that an administrator has defined.
    pub(super) properties: Option<Vec<PropertyInput>>,
    /// What stands in the field of the mail address, and what is wrong with it.
    pub(super) email: Option<(String, RequiredEmailProblem)>,
    /// Whether a mail was sent.
    pub(super) sent: bool,
}

/// What is to be done, and the request that the person signs in for.
pub(super) struct Door {
    pub(super) duty: Duty,
    pub(super) interaction: Option<Interaction>,
    pub(super) locale: Locale,
}

impl Door {
    async fn open(visit: &Visit, wish: &Wish) -> Result<Self, Refusal> {
        let duty = match duty::load(visit.provider(), &visit.call, &visit.browser, &wish.proof).await {
            Ok(duty) => duty,
            Err(Error::NotFound) => return Err(Refusal::expired()),
            Err(error) => return Err(error.into()),
        };
        let interaction = match &duty.purpose.interaction {
            Some(id) => Some(pending::open(visit, id).await?),
            None => None,
        };
        let wished = interaction.as_ref().map(|it| it.request.ui_locales.as_slice());
        Ok(Self {
            locale: visit.locale(wished.unwrap_or_default(), Some(&duty.user)),
            duty,
            interaction,
        })
    }

    /// What the forms' token is for.
    pub(super) fn purpose(&self) -> String {
        format!("action of {}", self.duty.id)
    }

    pub(super) fn address(&self) -> OwnPath {
        OwnPath::or_home(&format!("/login/action?proof={}", self.duty.id))
    }

    /// Where the person begins anew.
    pub(super) fn anew(&self) -> OwnPath {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(interaction) = &self.interaction {
            query.append_pair("flow", &interaction.id);
        }
        if let Some(path) = &self.duty.purpose.return_to {
            query.append_pair("return_to", path);
        }
        OwnPath::or_home(&format!("/login?{}", query.finish()))
    }

    /// Mails a link that confirms an address.
    async fn mail(&self, visit: &Visit, email: String) -> Result<Response, Refusal> {
        if email.is_empty() {
            return self.refuse_email(visit, (email, RequiredEmailProblem::Empty)).await;
        }
        match done::mail_confirmation(visit.provider(), &visit.call, &self.duty, &email).await {
            Ok(()) => Ok(visit.keep(see_other(&format!("{}&sent=1", self.address().as_str())))),
            Err(Error::Invalid(_)) => {
                self.refuse_email(visit, (email, RequiredEmailProblem::NotAnEmail))
                    .await
            }
            Err(Error::Throttled { retry_after, .. }) => {
                let seconds = retry_after.as_secs().max(1);
                let said = Said {
                    wait: Some(seconds),
                    ..Said::default()
                };
                let mut response = self.show(visit, said, StatusCode::TOO_MANY_REQUESTS).await?;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            Err(Error::NotFound) => Err(Refusal::expired()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has a code sent to a number.
    async fn text(&self, visit: &Visit, number: String) -> Result<Response, Refusal> {
        if number.is_empty() {
            return self.refuse_phone(visit, (number, OwnPhoneError::Empty)).await;
        }
        match done::text_confirmation(visit.provider(), &visit.call, &self.duty, &number).await {
            Ok(()) => Ok(visit.keep(see_other(&format!("{}&sent=1", self.address().as_str())))),
            Err(Error::Invalid(_)) => self.refuse_phone(visit, (number, OwnPhoneError::NotANumber)).await,
            Err(Error::Throttled { retry_after, .. }) => {
                let seconds = retry_after.as_secs().max(1);
                let error = (number, OwnPhoneError::Throttled { seconds });
                let mut response = self.refuse_phone(visit, error).await?;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            Err(Error::NotFound) => Err(Refusal::expired()),
            Err(error) => Err(error.into()),
        }
    }

    async fn refuse_phone(&self, visit: &Visit, wrong: (String, OwnPhoneError)) -> Result<Response, Refusal> {
        let status = match wrong.1 {
            OwnPhoneError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let said = Said {
            phone: Some(wrong),
            ..Said::default()
        };
        self.show(visit, said, status).await
    }

    async fn refuse_email(&self, visit: &Visit, wrong: (String, RequiredEmailProblem)) -> Result<Response, Refusal> {
        let said = Said {
            email: Some(wrong),
            ..Said::default()
        };
        self.show(visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
    }

    /// Tries to make the person's own data so, and keeps the door open for what is wrong with them.
    async fn try_profile(self, visit: &mut Visit, change: UserChange) -> (Self, Result<Answered, NotDone>) {
        let http = visit.http.clone();
        let duty = self.duty.clone();
        let brought = Brought::Profile(Box::new(change));
        let answering = done::answer(&http.provider, &visit.call, &mut visit.browser, duty, brought);
        (self, Box::pin(answering).await)
    }

    async fn refuse_password(&self, visit: &Visit, errors: Vec<NotMeError>) -> Result<Response, Refusal> {
        let said = Said {
            errors,
            ..Said::default()
        };
        self.show(visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
    }

    async fn give_up(self, visit: &Visit) -> Result<Response, Refusal> {
        self.duty.give_up(visit.provider()).await?;
        match self.interaction {
            Some(it) => {
                let next = answer::cancel(visit.provider(), &visit.call, &visit.browser, it).await;
                pending::go_on(visit, self.locale, next)
            }
            None => Ok(visit.keep(see_other("/"))),
        }
    }

    /// Somebody comes back to what is done: on, where it led.
    async fn land(self, mut visit: Visit) -> Result<Response, Refusal> {
        let http = visit.http.clone();
        let was_in = visit.browser.account(self.duty.user.id).is_some();
        let done = self
            .duty
            .done_again(&http.provider, &visit.call, &mut visit.browser)
            .await;
        match done {
            // by a form only does a browser get a session
            Ok(Answered::SignedIn(_)) if !was_in => Err(Refusal::expired()),
            done => self.go_on(visit, done.map_err(NotDone::from), Vec::new()).await,
        }
    }

    async fn answer(self, mut visit: Visit, brought: Brought, ticked: Vec<String>) -> Result<Response, Refusal> {
        let http = visit.http.clone();
        let (duty, browser) = (self.duty.clone(), &mut visit.browser);
        let answered = done::answer(&http.provider, &visit.call, browser, duty, brought).await;
        self.go_on(visit, answered, ticked).await
    }

    async fn go_on(
        self,
        visit: Visit,
        answered: Result<Answered, NotDone>,
        ticked: Vec<String>,
    ) -> Result<Response, Refusal> {
        let error = |field, problem| vec![NotMeError { field, problem }];
        match answered {
            Ok(Answered::SignedIn(account)) => {
                let issuer = visit.provider().issuer.url();
                let return_to = self.duty.purpose.return_to.as_deref();
                let return_to = return_to.and_then(|text| return_target::wished(issuer, text));
                Ok(pending::entered(&visit, self.interaction, self.locale, return_to.as_ref(), &account).await)
            }
            Ok(Answered::Asked(_, choice)) => Ok(visit.keep(see_other(&format!("/login/devices?proof={choice}")))),
            Ok(Answered::Required(action)) => Ok(visit.keep(see_other(&format!("/login/action?proof={action}")))),
            Ok(Answered::Full(full)) => self.full(&visit, full).await,
            Ok(Answered::Refused(refused)) => Err(Refusal::forbidden().reason(Reason::new(refused.rule()))),
            Err(NotDone::Same) => {
                let errors = error(NotMeField::Password, NotMeProblem::Same);
                self.refuse_password(&visit, errors).await
            }
            Err(NotDone::Weak(fields)) => {
                let problem = fields.first().map_or(SetupProblem::TooCommon, shown::weakness);
                let errors = error(NotMeField::Password, NotMeProblem::Password(problem));
                self.refuse_password(&visit, errors).await
            }
            Err(NotDone::NotYet) => {
                let said = Said {
                    email: self
                        .duty
                        .user
                        .profile
                        .email
                        .clone()
                        .or(Some(String::new()))
                        .map(|email| (email, RequiredEmailProblem::NotYet)),
                    sent: true,
                    ..Said::default()
                };
                self.show(&visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
            }
            Err(NotDone::Wrong | NotDone::Fields(_)) => {
                let said = Said {
                    enrol: Some(EnrolError::Wrong),
                    phone: Some((String::new(), OwnPhoneError::Wrong)),
                    ..Said::default()
                };
                self.show(&visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
            }
            Err(not_done @ (NotDone::Passkey(_) | NotDone::Known)) => {
                let error = match not_done {
                    NotDone::Known => EnrolError::Known,
                    _ => EnrolError::Passkey,
                };
                let said = Said {
                    enrol: Some(error),
                    ..Said::default()
                };
                self.show(&visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
            }
            Err(NotDone::NotAccepted) => {
                let said = Said {
                    ticked: Some(ticked),
                    ..Said::default()
                };
                self.show(&visit, said, StatusCode::UNPROCESSABLE_ENTITY).await
            }
            Err(NotDone::Failed(Error::Busy { retry_after })) => {
                let seconds = retry_after.as_secs().max(1);
                let said = Said {
                    wait: Some(seconds),
                    ..Said::default()
                };
                let mut response = self.show(&visit, said, StatusCode::SERVICE_UNAVAILABLE).await?;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            Err(NotDone::Failed(Error::NotFound)) => Err(Refusal::expired()),
            Err(NotDone::Failed(error)) => Err(error.into()),
        }
    }

    /// There is no room for one more login, and nobody is asked.
    async fn full(self, visit: &Visit, full: Full) -> Result<Response, Refusal> {
        let user = self.duty.user.clone();
        let logins = self.duty.logins(visit.provider(), &visit.call).await?;
        let client = self.interaction.as_ref().map(|it| shown::client(&it.client));
        let page = devices::full(client, &NoRoom { full, user, logins }, self.anew());
        let sheet = visit
            .sheet(page, self.locale, &self.purpose())
            .status(StatusCode::FORBIDDEN);
        Ok(visit.show(sheet))
    }
}
