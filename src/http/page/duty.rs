//! `/login/action`: who somebody is is proved, and something is required of them before they are in: another password, a second
//! factor, recovery codes to be kept, terms to be accepted.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::own_factors::in_groups;
use super::{devices, pending, profile_form, return_target, shown, terms as documents};
use crate::flow::Error;
use crate::flow::authorization::{Interaction, answer};
use crate::flow::needs::Wanted;
use crate::flow::people::UserChange;
use crate::flow::session::{Answered, Duty, Full, Task, duty};
use crate::flow::sign_in::duty::{self as done, Brought, NotDone};
use crate::flow::sign_in::password::NoRoom;
use crate::flow::{factor, people, terms};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Reason, Secret, Timestamp};
use crate::view::{
    EnrolFactor, Locale, NewAuthenticatorError, NotMeError, NotMeField, NotMeProblem, OwnPath, Page, ProfileField, Qr,
    RecoveryCodes, RequiredBy, RequiredEmail, RequiredEmailProblem, RequiredPassword, RequiredProfile, RequiredTerms,
    SetupProblem, Stay,
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
    let brought = match &door.duty.task {
        Task::ChangePassword { .. } => {
            let new = fields.password.unwrap_or_else(|| Secret::new(""));
            let errors = shown::gaps(&new, fields.password_again.as_ref());
            if !errors.is_empty() {
                return door.refuse_password(&visit, errors).await;
            }
            Brought::Password(new)
        }
        Task::Enrol { .. } => Brought::Code(fields.code.unwrap_or_else(|| Secret::new(""))),
        Task::AcceptTerms { .. } => {
            let ids = shown::ticked(&fields.given);
            let ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
            Brought::Terms(ids, door.locale.tag().to_owned())
        }
        Task::UpdateProfile { .. } => {
            let filled = door.filled(&visit, &fields.given).await?;
            let change = profile_form::change(&filled, &door.duty.user);
            let given = fields.given;
            let (again, answered) = door.try_profile(&mut visit, change).await;
            return match answered {
                Err(NotDone::Fields(errors)) => {
                    let mut filled = again.filled(&visit, &given).await?;
                    profile_form::mark(&mut filled, &errors);
                    let said = Said {
                        fields: Some(filled),
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

/// What there is to say first.
#[derive(Default)]
struct Said {
    errors: Vec<NotMeError>,
    wrong: bool,
    expired: bool,
    wait: Option<u64>,
    /// Which documents were accepted, where not all were.
    ticked: Option<Vec<String>>,
    /// What stands in the fields of the person's own data.
    fields: Option<Vec<ProfileField>>,
    /// What stands in the field of the mail address, and what is wrong with it.
    email: Option<(String, RequiredEmailProblem)>,
    /// Whether a mail was sent.
    sent: bool,
}

/// What is to be done, and the request that the person signs in for.
struct Door {
    duty: Duty,
    interaction: Option<Interaction>,
    locale: Locale,
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
    fn purpose(&self) -> String {
        format!("action of {}", self.duty.id)
    }

    fn address(&self) -> OwnPath {
        OwnPath::or_home(&format!("/login/action?proof={}", self.duty.id))
    }

    /// Where the person begins anew.
    fn anew(&self) -> OwnPath {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(interaction) = &self.interaction {
            query.append_pair("flow", &interaction.id);
        }
        if let Some(path) = &self.duty.purpose.return_to {
            query.append_pair("return_to", path);
        }
        OwnPath::or_home(&format!("/login?{}", query.finish()))
    }

    async fn show(&self, visit: &Visit, said: Said, status: StatusCode) -> Result<Response, Refusal> {
        let page = match &self.duty.task {
            Task::ChangePassword { because } => self.password_page(visit, *because, said).await?,
            Task::Enrol { because, secret } => self.enrol_page(visit, (*because, secret), &said)?,
            Task::AcceptTerms { because } => self.terms_page(visit, *because, said).await?,
            Task::Stay => self.stay_page(visit, &said),
            Task::VerifyEmail { because } => self.email_page(*because, said),
            Task::UpdateProfile { because } => self.profile_page(visit, *because, said).await?,
            Task::KeepCodes { codes, made } => self.codes_page(visit, codes, *made),
            // done, and then something went wrong
            Task::Enter => return Ok(visit.keep(see_other(self.anew().as_str()))),
        };
        let sheet = visit.sheet(page, self.locale, &self.purpose()).status(status);
        Ok(visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        }))
    }

    async fn password_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let rules = people::password_rules_of(visit.provider(), &visit.call, self.duty.user.id).await?;
        Ok(Page::RequiredPassword(RequiredPassword {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            least: rules.least,
            errors: said.errors,
            expired: said.expired,
            wait: said.wait,
        }))
    }

    fn enrol_page(&self, visit: &Visit, (because, secret): (Wanted, &[u8]), said: &Said) -> Result<Page, Refusal> {
        let shown = factor::to_set_up(visit.provider(), &self.duty.user, secret)?;
        Ok(Page::EnrolFactor(EnrolFactor {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            picture: Qr::of(shown.address.expose()).ok_or_else(Refusal::failed)?,
            secret: in_groups(&shown.secret),
            digits: shown.digits,
            error: match (said.expired, said.wrong) {
                (true, _) => Some(NewAuthenticatorError::Expired),
                (false, true) => Some(NewAuthenticatorError::Wrong),
                (false, false) => None,
            },
        }))
    }

    async fn terms_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let missing = terms::missing_of(visit.provider(), &self.duty.user, visit.call.now).await?;
        let document = |terms| documents::to_accept(visit, terms, self.locale, said.ticked.as_deref());
        Ok(Page::RequiredTerms(RequiredTerms {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            terms: missing.iter().map(document).collect(),
            expired: said.expired,
        }))
    }

    fn codes_page(&self, visit: &Visit, codes: &[String], made: Timestamp) -> Page {
        Page::RecoveryCodes(RecoveryCodes {
            account: shown::account(&self.duty.user),
            site: visit.provider().issuer.url().host_str().unwrap_or_default().to_owned(),
            made: made.micros(),
            codes: codes.to_vec(),
            action: self.address(),
        })
    }

    fn stay_page(&self, visit: &Visit, said: &Said) -> Page {
        Page::Stay(Stay {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            until: self.duty.user.deletion_at.unwrap_or(visit.call.now).micros(),
            expired: said.expired,
        })
    }

    fn email_page(&self, because: Wanted, said: Said) -> Page {
        let (email, problem) = match said.email {
            Some((email, problem)) => (email, Some(problem)),
            None => (self.duty.user.profile.email.clone().unwrap_or_default(), None),
        };
        Page::RequiredEmail(RequiredEmail {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            email,
            sent: said.sent,
            problem: problem.or(said.expired.then_some(RequiredEmailProblem::Expired)),
            wait: said.wait,
        })
    }

    async fn profile_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let fields = match said.fields {
            Some(fields) => fields,
            None => self.filled(visit, &BTreeMap::new()).await?,
        };
        Ok(Page::RequiredProfile(RequiredProfile {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            languages: profile_form::languages(&self.duty.user),
            fields,
            expired: said.expired,
        }))
    }

    /// The fields that are asked about: those that are required, and where somebody is to look over them, all that are theirs.
    async fn filled(&self, visit: &Visit, given: &BTreeMap<String, String>) -> Result<Vec<ProfileField>, Refusal> {
        let user = &self.duty.user;
        let rules = people::profile_rules_of(visit.provider(), &visit.call, user.id).await?;
        let mut asked = rules.required.clone();
        if matches!(
            self.duty.task,
            Task::UpdateProfile {
                because: Wanted::Administrator
            }
        ) {
            asked.extend(
                rules
                    .editable
                    .iter()
                    .filter(|word| !matches!(**word, "username" | "picture")),
            );
        }
        let mut fields = profile_form::fields(user, &asked, &rules.required);
        profile_form::fill(&mut fields, given);
        Ok(fields)
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
                    wrong: true,
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

const fn required_by(because: Wanted) -> RequiredBy {
    match because {
        Wanted::Administrator => RequiredBy::Administrator,
        Wanted::Policy | Wanted::Person => RequiredBy::Policy,
    }
}
