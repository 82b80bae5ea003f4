//! Signing in at an application's own screens (OAuth 2.0 for First-Party Applications, draft-ietf-oauth-first-party-apps): the
//! authorization challenge endpoint. An application that an administrator has marked as first party asks the person itself, step by
//! step, and ends with an authorization code.
//!
//! Each step is the one of the pages: the same guesses are counted, the same factors and actions are asked for, in the same order, and
//! the same session begins at the end. What an application can't do it is told to do in a browser.

mod asked;
mod auth_session;
mod sent_code;

use std::sync::Arc;

use self::auth_session::{AuthSession, Step};
use super::authorization::{Interaction, Next, answer, first_party, interaction};
use super::factor::{self, Question, Signature, Typed};
use super::session::{Account, Answered, OnDevice, Purpose, Task, demand, duty};
use super::sign_in::duty::{self as duties, Brought, NotDone};
use super::sign_in::factor::{self as factors, NotProved};
use super::sign_in::passkey;
use super::sign_in::password::{self, Attempt, Refused};
use super::{Call, Error, Provider};
use crate::model::{Channel, Client, Secret};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};

pub use asked::{Asked, AskedTerms};

/// What comes of a step.
#[derive(Debug)]
pub enum Challenged {
    /// The person is signed in: the code, and what the application keeps for the next time on this device.
    Code {
        /// The authorization code.
        code: Secret,
        /// What tells this device.
        auth_session: Secret,
    },
    /// Something is missing still.
    More {
        /// What.
        asked: Asked,
        /// What was wrong with what came, in a word; nothing if it was right.
        problem: Option<&'static str>,
        /// What to come back with.
        auth_session: Secret,
    },
    /// It goes on in a browser only, for this reason.
    Web(&'static str),
    /// The person may not sign in, for this reason.
    Denied(&'static str),
}

/// Takes a step. The client has proved who it is, as far as it can.
///
/// # Errors
/// [`Error::OAuth`] if the request does not hold, `auth_session` has ended, or the client is not first party; [`Error::Throttled`],
/// [`Error::Busy`].
pub async fn challenge(
    provider: &Provider,
    call: &Call,
    client: Arc<Client>,
    parameters: &Parameters,
) -> Result<Challenged, Error> {
    if !client.policy.first_party {
        return Err(refused(
            ErrorCode::UnauthorizedClient,
            "first_party.client",
            "this client may not use the authorization challenge endpoint",
        ));
    }
    let session = match parameters.get("auth_session") {
        None => AuthSession::new(provider, call).await?,
        Some(text) => match AuthSession::open(provider, call, &client, text).await {
            Err(Error::NotFound) => return Err(over()),
            opened => opened?,
        },
    };
    let walk = Walk {
        provider,
        call,
        client,
        session,
        parameters,
    };
    match walk.session.step.clone() {
        Step::Nothing => walk.begin().await,
        Step::Password(id) => {
            let interaction = walk.interaction(&id).await?;
            walk.password(interaction).await
        }
        Step::Code(id, attempt) => {
            let interaction = walk.interaction(&id).await?;
            walk.code(interaction, &attempt).await
        }
        Step::Factor(handle) => walk.factor(&handle).await,
        Step::Action(handle) => walk.action(&handle).await,
    }
}

/// A step that is being taken.
struct Walk<'a> {
    provider: &'a Provider,
    call: &'a Call,
    client: Arc<Client>,
    session: AuthSession,
    parameters: &'a Parameters,
}

impl Walk<'_> {
    async fn begin(self) -> Result<Challenged, Error> {
        let (browser, client) = (&self.session.browser, Arc::clone(&self.client));
        let begun = first_party::begin(self.provider, self.call, browser, client, self.parameters.clone()).await?;
        self.password(begun).await
    }

    async fn interaction(&self, id: &str) -> Result<Interaction, Error> {
        match interaction::load(self.provider, self.call, &self.session.browser, id).await {
            Err(Error::NotFound) => Err(over()),
            Ok(interaction) if interaction.client.id != self.client.id => Err(over()),
            loaded => loaded,
        }
    }

    fn given(&self, name: &str) -> Option<Secret> {
        let text = self.parameters.get(name).filter(|text| !text.is_empty());
        text.map(Secret::new)
    }

    /// What an authenticator answered that was asked for a signature.
    fn signature(&self) -> Option<Signature> {
        Some(Signature {
            question: self.parameters.get("passkey_question").unwrap_or_default().to_owned(),
            answer: self.given("passkey")?,
        })
    }

    /// Whether this is wished for: `ask`.
    fn wishes(&self, word: &str) -> bool {
        self.parameters.get("ask") == Some(word)
    }

    async fn password(mut self, interaction: Interaction) -> Result<Challenged, Error> {
        let step = Step::Password(interaction.id.clone());
        let purpose = self.purpose(&interaction);
        let asked = asked::password(self.provider).await?;
        if self.wishes("passkey") {
            let question = factor::ask_anybody(self.provider, self.call, &self.session.browser).await;
            return self.question(step, (question, asked), Asked::Passkey);
        }
        if let Some(means) = asked::CODES
            .into_iter()
            .find(|means| self.wishes(asked::code_by(means.channel())))
        {
            return self.send_code(interaction, (means, asked)).await;
        }
        if let Some(signature) = self.signature() {
            let call = &self.call.within(Some(interaction.trace));
            let attempt = passkey::Attempt {
                signature,
                remember: false,
                expected: None,
                named: None,
                purpose,
            };
            let signed_in = passkey::sign_in(self.provider, call, &mut self.session.browser, attempt).await;
            let again = (step, asked, "wrong_passkey");
            return self.signed_in(interaction, signed_in, again).await;
        }
        let (Some(identifier), Some(password)) = (self.parameters.get("username"), self.given("password")) else {
            return self.more(step, asked, None);
        };
        let call = &self.call.within(Some(interaction.trace));
        let attempt = Attempt {
            known: None,
            identifier: identifier.to_owned(),
            password,
            remember: false,
            purpose,
        };
        let signed_in = password::sign_in(self.provider, call, &mut self.session.browser, attempt).await;
        let again = (step, asked, "wrong_credentials");
        self.signed_in(interaction, signed_in, again).await
    }

    /// What somebody signs in for.
    fn purpose(&self, interaction: &Interaction) -> Purpose {
        Purpose {
            interaction: Some(interaction.id.clone()),
            return_to: None,
            client: Some(self.client.client_id.clone()),
        }
    }

    /// On, or what is missing. `again`: what is asked and said where the proof is wrong.
    async fn signed_in(
        self,
        interaction: Interaction,
        signed_in: Result<Account, Refused>,
        again: (Step, Asked, &'static str),
    ) -> Result<Challenged, Error> {
        match signed_in {
            Ok(account) => self.enter(interaction, &account).await,
            Err(Refused::Wrong) => {
                let (step, asked, wrong) = again;
                self.more(step, asked, Some(wrong))
            }
            Err(Refused::Factor(handle, _)) => self.ask_factor(&handle, None).await,
            Err(Refused::Required(_, handle)) => self.ask_action(&handle, None).await,
            Err(Refused::Locked) => Ok(Challenged::Denied("account_locked")),
            Err(Refused::NotStarted(_)) => Ok(Challenged::Denied("account_not_started")),
            Err(Refused::AccountExpired(_)) => Ok(Challenged::Denied("account_expired")),
            Err(Refused::Inactive) => Ok(Challenged::Denied("account_inactive")),
            Err(Refused::Device(_)) => Ok(Challenged::Denied("device_refused")),
            Err(Refused::Full(_)) => Ok(Challenged::Denied("too_many_logins")),
            Err(Refused::Asked(..)) => Ok(Challenged::Web("too_many_logins")),
            Err(Refused::Expired(_)) => Ok(Challenged::Web("password_expired")),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    async fn factor(mut self, handle: &str) -> Result<Challenged, Error> {
        let demand = match demand::load(self.provider, self.call, &self.session.browser, handle).await {
            Err(Error::NotFound) => return Err(over()),
            loaded => loaded?,
        };
        let wished = [Channel::Mail, Channel::Sms]
            .into_iter()
            .find(|way| self.wishes(asked::code_by(*way)));
        if let Some(channel) = wished.filter(|_| !demand.is_over()) {
            let call = &self.call.within(demand.journey);
            return match factor::send_code(self.provider, call, &demand, channel).await {
                Ok(()) => self.ask_factor(handle, None).await,
                Err(Error::NotFound) => self.ask_factor(handle, Some("not_offered")).await,
                Err(error) => Err(error),
            };
        }
        if self.wishes("passkey") && !demand.is_over() {
            let question = factor::ask_for_second(self.provider, self.call, &self.session.browser, &demand).await;
            let asked = asked::factor(self.provider, self.call, &demand).await?;
            return self.question(Step::Factor(handle.to_owned()), (question, asked), Asked::Passkey);
        }
        let mut brought = [
            self.given("otp").map(Typed::Code),
            self.given("recovery_code").map(Typed::RecoveryCode),
            self.given("mail_code").map(|code| Typed::SentCode(Channel::Mail, code)),
            self.given("text_code").map(|code| Typed::SentCode(Channel::Sms, code)),
            self.signature().map(Typed::Passkey),
        ]
        .into_iter()
        .flatten();
        let typed = match (brought.next(), brought.next()) {
            (Some(typed), None) => typed,
            (None, _) => return self.ask_factor(handle, None).await,
            (Some(_), Some(_)) => {
                return Err(refused(
                    ErrorCode::InvalidRequest,
                    "first_party.factor",
                    "one proof of a second factor, not several",
                ));
            }
        };
        let call = &self.call.within(demand.journey);
        let answer = (&typed, OnDevice::Nothing);
        let answered = factors::answer(self.provider, call, &mut self.session.browser, &demand, answer).await;
        match answered {
            Ok(answered) => self.answered(demand.purpose, answered).await,
            Err(NotProved::Wrong) => {
                let problem = match typed {
                    Typed::Passkey(_) => "wrong_passkey",
                    _ => "wrong_code",
                };
                self.ask_factor(handle, Some(problem)).await
            }
            Err(NotProved::Failed(Error::NotFound)) => Err(over()),
            Err(NotProved::Failed(error)) => Err(error),
        }
    }

    async fn action(mut self, handle: &str) -> Result<Challenged, Error> {
        let duty = match duty::load(self.provider, self.call, &self.session.browser, handle).await {
            Err(Error::NotFound) => return Err(over()),
            loaded => loaded?,
        };
        if let (Task::ConfirmPhone, false, Some(number)) = (&duty.task, duty.is_over(), self.given("phone_number")) {
            let call = &self.call.within(duty.journey);
            return match duties::text_confirmation(self.provider, call, &duty, number.expose()).await {
                Ok(()) => self.ask_action(handle, None).await,
                Err(Error::Invalid(_)) => self.ask_action(handle, Some("invalid_number")).await,
                Err(Error::NotFound) => Err(over()),
                Err(error) => Err(error),
            };
        }
        if let (Task::Enrol { .. }, false, true) = (&duty.task, duty.is_over(), self.wishes("passkey")) {
            let question = factor::ask_for_new(self.provider, self.call, &self.session.browser, &duty).await;
            let asked = asked::action(self.provider, self.call, &duty).await?;
            return self.question(Step::Action(handle.to_owned()), (question, asked), Asked::NewPasskey);
        }
        let brought = match (&duty.task, self.signature()) {
            _ if duty.is_over() => Some(Brought::Nothing),
            (Task::Enrol { .. }, Some(signature)) => Some(Brought::Passkey(signature)),
            (task, _) => asked::brought(task, self.parameters),
        };
        let Some(brought) = brought else {
            return self.ask_action(handle, None).await;
        };
        let purpose = duty.purpose.clone();
        let call = &self.call.within(duty.journey);
        match duties::answer(self.provider, call, &mut self.session.browser, duty, brought).await {
            Ok(answered) => self.answered(purpose, answered).await,
            Err(NotDone::Same) => self.ask_action(handle, Some("unchanged")).await,
            Err(NotDone::Weak(fields)) => {
                let problem = fields.first().map_or("weak", |field| field.code);
                self.ask_action(handle, Some(problem)).await
            }
            Err(NotDone::Wrong | NotDone::NotYet | NotDone::Fields(_)) => {
                self.ask_action(handle, Some("wrong_code")).await
            }
            Err(NotDone::Passkey(_)) => self.ask_action(handle, Some("wrong_passkey")).await,
            Err(NotDone::Known) => self.ask_action(handle, Some("known_passkey")).await,
            Err(NotDone::NotAccepted) => self.ask_action(handle, Some("not_accepted")).await,
            Err(NotDone::Failed(Error::NotFound)) => Err(over()),
            Err(NotDone::Failed(error)) => Err(error),
        }
    }

    async fn answered(self, purpose: Purpose, answered: Answered) -> Result<Challenged, Error> {
        match answered {
            Answered::SignedIn(account) => {
                let interaction = self
                    .interaction(purpose.interaction.as_deref().unwrap_or_default())
                    .await?;
                self.enter(interaction, &account).await
            }
            Answered::Required(handle) => self.ask_action(&handle, None).await,
            Answered::Asked(..) => Ok(Challenged::Web("too_many_logins")),
            Answered::Full(_) => Ok(Challenged::Denied("too_many_logins")),
            Answered::Refused(_) => Ok(Challenged::Denied("device_refused")),
        }
    }

    /// The person is signed in: the list of questions of every authorization request decides what is still missing.
    async fn enter(self, interaction: Interaction, account: &Account) -> Result<Challenged, Error> {
        let id = interaction.id.clone();
        let browser = &self.session.browser;
        match answer::signed_in(self.provider, self.call, browser, interaction, account).await? {
            Next::Respond(response) => match response.get("code") {
                Some(code) => Ok(Challenged::Code {
                    code: Secret::new(code),
                    auth_session: self
                        .session
                        .seal(self.provider, self.call, &self.client, Step::Nothing)?,
                }),
                None => Ok(Challenged::Denied("request_refused")),
            },
            Next::StepUp(handle) => self.ask_factor(&handle, None).await,
            Next::Login(_) | Next::Reauthenticate(_) => {
                let asked = asked::password(self.provider).await?;
                self.more(Step::Password(id), asked, None)
            }
            Next::Consent(_) => Ok(Challenged::Web("consent")),
            Next::SelectAccount(_) => Ok(Challenged::Web("account")),
            Next::MakeRoom(_) => Ok(Challenged::Web("too_many_logins")),
            Next::ConfirmError(_) => Ok(Challenged::Denied("request_refused")),
        }
    }

    async fn ask_factor(self, handle: &str, problem: Option<&'static str>) -> Result<Challenged, Error> {
        let demand = demand::load(self.provider, self.call, &self.session.browser, handle).await?;
        let asked = asked::factor(self.provider, self.call, &demand).await?;
        if matches!(&asked, Asked::SecondFactor { methods, .. } if methods.is_empty()) {
            return Ok(Challenged::Web("second_factor"));
        }
        self.more(Step::Factor(handle.to_owned()), asked, problem)
    }

    async fn ask_action(self, handle: &str, problem: Option<&'static str>) -> Result<Challenged, Error> {
        let duty = match duty::load(self.provider, self.call, &self.session.browser, handle).await {
            Err(Error::NotFound) => return Err(over()),
            loaded => loaded?,
        };
        // what needs a mailbox, or a form of the person's own data, is done on our pages
        if matches!(
            duty.task,
            Task::Stay | Task::VerifyEmail { .. } | Task::UpdateProfile { .. }
        ) {
            return Ok(Challenged::Web(duty.task.word()));
        }
        let asked = asked::action(self.provider, self.call, &duty).await?;
        self.more(Step::Action(handle.to_owned()), asked, problem)
    }

    /// What an authenticator has to sign, or to make; or the same as before, where there are no passkeys.
    fn question(
        self,
        step: Step,
        (question, asked): (Result<Question, Error>, Asked),
        of: fn(Question) -> Asked,
    ) -> Result<Challenged, Error> {
        match question {
            Ok(question) => self.more(step, of(question), None),
            Err(Error::NotFound | Error::Conflict(_)) => self.more(step, asked, Some("not_offered")),
            Err(error) => Err(error),
        }
    }

    fn more(self, step: Step, asked: Asked, problem: Option<&'static str>) -> Result<Challenged, Error> {
        let auth_session = self.session.seal(self.provider, self.call, &self.client, step)?;
        Ok(Challenged::More {
            asked,
            problem,
            auth_session,
        })
    }
}

/// Section 5.2.2.1: it begins anew.
fn over() -> Error {
    refused(
        ErrorCode::InvalidSession,
        "first_party.auth_session",
        "auth_session has ended or was never given to this client",
    )
}

fn refused(code: ErrorCode, rule: &'static str, description: &'static str) -> Error {
    OAuthError::new(code, rule, description).into()
}
