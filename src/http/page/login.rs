//! `/login`: who are you? For an authorization request, or for this server itself. All on one page; or who it is on a first page, and the
//! proof on a second one, which is the same whoever was named.

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::new_password::Stuck;
use super::{busy, devices, forgot, passkey as script, pending, register, return_target, shown};
use crate::flow::authorization::{Interaction, answer};
use crate::flow::factor::{self, Signature};
use crate::flow::people::Means;
use crate::flow::session::Purpose;
use crate::flow::sign_in::code::{self, Wanted};
use crate::flow::sign_in::named::{self, Named};
use crate::flow::sign_in::passkey;
use crate::flow::sign_in::password::{self, Attempt, NoRoom, Refused};
use crate::flow::{self, people, session};
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::http::{Http, Refusal};
use crate::model::setting::SIGN_IN_IDENTIFIERS;
use crate::model::{Channel, Id, Secret, User};
use crate::view::{Account, Identifiers, Locale, Login, LoginError, LoginStep, OwnPath, Page, SentToSignIn};

/// What the address says.
#[derive(Default, Deserialize)]
pub(super) struct Wish {
    /// The pending authorization request.
    flow: Option<String>,
    /// Set where the account of that request, or else the one that it names or the first of this browser, has to be proved once
    /// more.
    again: Option<String>,
    /// Where to go afterwards when there is no such request.
    return_to: Option<String>,
    /// Set where a new password was set a moment ago.
    replaced: Option<String>,
    /// Who was named on the page before, sealed.
    who: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    username: String,
    password: Option<Secret>,
    remember: Option<String>,
    intent: Option<String>,
    #[serde(flatten)]
    passkey: script::Answer,
}

/// GET /login
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    let hint = door.interaction.as_ref().and_then(|it| it.request.login_hint.clone());
    let form = Filled {
        identifier: hint.unwrap_or_default(),
        remember: false,
        replaced: wish.replaced.is_some(),
        error: None,
    };
    Ok(door.show(&visit, form, StatusCode::OK))
}

/// POST /login
pub(super) async fn sign_in(State(http): State<Http>, request: Request) -> Response {
    match busy::turn_away(&http, request).await {
        Ok(request) => take.call(request, http).await,
        Err(turned_away) => turned_away,
    }
}

async fn take(mut visit: Visit, Query(wish): Query<Wish>, Form(fields): Form<Fields>) -> Result<Response, Refusal> {
    let mut door = Door::open(&visit, &wish).await?;
    visit.call = visit.call.within(door.interaction.as_ref().map(|it| it.trace));
    let remember = fields.remember.is_some() || door.named.as_ref().is_some_and(|named| named.remember);
    // who was named on the page before does not change on this one
    let username = match &door.named {
        Some(named) => named.identifier.clone(),
        None => fields.username,
    };
    let form = Filled {
        identifier: username.clone(),
        remember,
        replaced: false,
        error: Some(LoginError::Expired),
    };
    match visit.check(&door.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(door.show(&visit, form, StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    match fields.intent.as_deref() {
        Some("cancel") => return door.cancel(&visit).await,
        Some("other_account") => return Ok(see_other(door.anew().as_str())),
        Some("next") => return door.name(&visit, form),
        Some("mail_code") => return door.send_code(&visit, form, Means::MailCode).await,
        Some("mail_link") => return door.send_code(&visit, form, Means::MailLink).await,
        Some("text_code") => return door.send_code(&visit, form, Means::TextCode).await,
        _ => {}
    }
    let http = visit.http.clone();
    let signature = fields.passkey.signature();
    if door.step(&visit) == LoginStep::Identifier {
        // a form that a program has sent comes without its button
        if signature.is_none() && fields.password.is_none() {
            return door.name(&visit, form);
        }
        // one of a page that had all of it, before the setting was changed
        if signature.is_none() && !username.trim().is_empty() {
            door = door.naming(&visit, (&username, remember))?;
        }
    }
    if let Some(signature) = signature {
        let signed_in = door.sign_in_with(&http.provider, &mut visit, signature, remember).await;
        let wrong = LoginError::Passkey;
        return door.answer(&visit, form, signed_in, wrong).await;
    }
    let attempt = Attempt {
        identifier: match &door.again {
            Some(account) => account.user.username.clone(),
            None => username,
        },
        known: door.again.as_ref().map(|account| account.user.id),
        password: fields.password.unwrap_or_else(|| Secret::new("")),
        remember,
        purpose: door.wanted(),
    };
    door.let_in(visit, attempt, form).await
}

/// Signs in whoever has just chosen a password here, as if they had typed it at this page.
pub(super) async fn enter(
    visit: Visit,
    flow: Option<String>,
    user: &User,
    password: Secret,
) -> Result<Response, Refusal> {
    let wish = Wish {
        flow,
        ..Wish::default()
    };
    let door = Door::open(&visit, &wish).await?;
    let form = Filled {
        identifier: user.username.clone(),
        remember: false,
        replaced: false,
        error: None,
    };
    let attempt = Attempt {
        identifier: user.username.clone(),
        known: Some(user.id),
        password,
        remember: false,
        purpose: door.wanted(),
    };
    door.let_in(visit, attempt, form).await
}

/// POST /login/passkey
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(asking): Form<script::Asking>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    visit.check(&door.purpose(), &asking.csrf)?;
    let question = factor::ask_anybody(visit.provider(), &visit.call, &visit.browser).await;
    script::asked(&visit, question)
}

/// What stands in the form.
struct Filled {
    identifier: String,
    remember: bool,
    replaced: bool,
    error: Option<LoginError>,
}

/// What somebody signs in for.
pub(super) struct Door {
    pub(super) interaction: Option<Interaction>,
    /// Who has to prove it once more.
    again: Option<session::Account>,
    /// Who was named on the page before.
    named: Option<Named>,
    return_to: Option<OwnPath>,
    pub(super) locale: Locale,
}

impl Door {
    /// What a sign-in was begun for that waits for something.
    pub(super) async fn of(visit: &Visit, purpose: &Purpose, expected: Option<Id<User>>) -> Result<Self, Refusal> {
        let wish = Wish {
            flow: purpose.interaction.clone(),
            again: expected.map(|user| user.to_string()),
            return_to: purpose.return_to.clone(),
            ..Wish::default()
        };
        Self::open(visit, &wish).await
    }

    /// The same for somebody who has been named on a page of their own, where people are asked so.
    pub(super) fn naming(mut self, visit: &Visit, (identifier, remember): (&str, bool)) -> Result<Self, Refusal> {
        if self.step(visit) == LoginStep::Identifier {
            let (provider, browser) = (visit.provider(), &visit.browser);
            self.named = Some(named::name(provider, &visit.call, browser, (identifier, remember))?);
        }
        Ok(self)
    }

    /// On to the page that asks for a proof, whoever is named.
    fn name(self, visit: &Visit, mut form: Filled) -> Result<Response, Refusal> {
        let identifier = form.identifier.trim();
        if identifier.is_empty() {
            form.error = Some(LoginError::Nobody);
            return Ok(self.show(visit, form, StatusCode::UNPROCESSABLE_ENTITY));
        }
        let (provider, browser) = (visit.provider(), &visit.browser);
        let named = named::name(provider, &visit.call, browser, (identifier, form.remember))?;
        let door = Self {
            named: Some(named),
            ..self
        };
        Ok(visit.keep(see_other(door.here().as_str())))
    }

    /// Which of the pages it is.
    fn step(&self, visit: &Visit) -> LoginStep {
        let client = self.interaction.as_ref().map(|it| &*it.client);
        match (&self.again, &self.named) {
            (Some(_), _) => LoginStep::Whole,
            (None, Some(_)) => LoginStep::Proof,
            (None, None) if named::is_asked_first(&visit.settings, client) => LoginStep::Identifier,
            (None, None) => LoginStep::Whole,
        }
    }

    /// The page to sign in on.
    pub(super) fn here(&self) -> OwnPath {
        self.at("/login", self.again.as_ref(), self.named.as_ref())
    }

    /// The same for whoever else it may be.
    fn anew(&self) -> OwnPath {
        self.at("/login", None, None)
    }

    /// This page, with what there is to say.
    pub(super) fn refused(&self, visit: &Visit, error: LoginError, status: StatusCode) -> Response {
        let form = Filled {
            identifier: String::new(),
            remember: false,
            replaced: false,
            error: Some(error),
        };
        self.show(visit, form, status)
    }

    /// Begins a sign-in by a code, whoever is named.
    async fn send_code(self, visit: &Visit, mut form: Filled, means: Means) -> Result<Response, Refusal> {
        let identifier = match &self.again {
            Some(account) => account.user.username.clone(),
            None => form.identifier.trim().to_owned(),
        };
        if identifier.is_empty() {
            form.error = Some(LoginError::Nobody);
            return Ok(self.show(visit, form, StatusCode::UNPROCESSABLE_ENTITY));
        }
        let wanted = Wanted {
            identifier,
            means,
            remember: form.remember,
            expected: self.again.as_ref().map(|account| account.user.id),
            purpose: self.wanted(),
            journey: self.interaction.as_ref().map(|it| it.trace),
        };
        let begun = code::begin(visit.provider(), &visit.call, &visit.browser, wanted).await;
        let attempt = match begun {
            Ok(attempt) => attempt,
            Err(error) => {
                return self
                    .answer(visit, form, Err(error.into()), LoginError::Credentials)
                    .await;
            }
        };
        Ok(visit.keep(see_other(&format!("/login/code?attempt={attempt}"))))
    }

    async fn open(visit: &Visit, wish: &Wish) -> Result<Self, Refusal> {
        let issuer = visit.provider().issuer.url();
        let Some(id) = &wish.flow else {
            let again = wish.again.as_deref().and_then(|text| known(visit, text)).cloned();
            return Ok(Self {
                interaction: None,
                named: wish.named(visit).filter(|_| again.is_none()),
                again,
                return_to: wish
                    .return_to
                    .as_deref()
                    .and_then(|text| return_target::wished(issuer, text)),
                locale: visit.locale(&[], None),
            });
        };
        let interaction = pending::open(visit, id).await?;
        let known = interaction.account.and_then(|user| visit.browser.account(user));
        let again = known.filter(|_| wish.again.is_some()).cloned();
        Ok(Self {
            named: wish.named(visit).filter(|_| again.is_none()),
            again,
            locale: pending::locale(visit, &interaction),
            interaction: Some(interaction),
            return_to: None,
        })
    }

    /// Tries the pair, and says what came of it.
    async fn let_in(self, mut visit: Visit, attempt: Attempt, form: Filled) -> Result<Response, Refusal> {
        let http = visit.http.clone();
        let signed_in = password::sign_in(&http.provider, &visit.call, &mut visit.browser, attempt).await;
        self.answer(&visit, form, signed_in, LoginError::Credentials).await
    }

    /// What this page is at, or belongs to it.
    fn at(&self, path: &str, again: Option<&session::Account>, named: Option<&Named>) -> OwnPath {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(interaction) = &self.interaction {
            query.append_pair("flow", &interaction.id);
        }
        match (again, &self.interaction) {
            (Some(account), None) => query.append_pair("again", &account.user.id.to_string()),
            (Some(_), Some(_)) => query.append_pair("again", "1"),
            (None, _) => &mut query,
        };
        if let Some(path) = &self.return_to {
            query.append_pair("return_to", path.as_str());
        }
        if let Some(named) = named {
            query.append_pair("who", &named.handle);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        OwnPath::or_home(&format!("{path}{mark}{query}"))
    }

    /// What the form's token is for.
    fn purpose(&self) -> String {
        let id = self.interaction.as_ref().map_or("", |interaction| &interaction.id);
        format!("login {id}")
    }

    fn show(&self, visit: &Visit, form: Filled, status: StatusCode) -> Response {
        let step = self.step(visit);
        let named = self.named.as_ref().map(|named| Account {
            name: None,
            identifier: named.identifier.clone(),
        });
        let page = Page::Login(Login {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            action: self.here(),
            step,
            hidden: Vec::new(),
            identifier: form.identifier,
            identifiers: Identifiers::of(visit.settings.word(SIGN_IN_IDENTIFIERS)),
            account: self
                .again
                .as_ref()
                .map(|account| shown::account(&account.user))
                .or(named),
            remember: form.remember,
            cancel: self.interaction.is_some(),
            forgot: forgot::link(visit, self.interaction.as_ref()),
            register: register::link(visit, self.interaction.as_ref()),
            codes: offered_codes(visit),
            ask: script::are_offered(visit).then(|| self.at("/login/passkey", self.again.as_ref(), None)),
            replaced: form.replaced,
            error: form.error,
        });
        let sheet = visit.sheet(page, self.locale, &self.purpose()).status(status);
        visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        })
    }

    async fn sign_in_with(
        &self,
        provider: &flow::Provider,
        visit: &mut Visit,
        signature: Signature,
        remember: bool,
    ) -> Result<session::Account, Refused> {
        let attempt = passkey::Attempt {
            signature,
            remember,
            expected: self.again.as_ref().map(|account| account.user.id),
            named: self.named.as_ref().map(|named| named.identifier.clone()),
            purpose: self.wanted(),
        };
        passkey::sign_in(provider, &visit.call, &mut visit.browser, attempt).await
    }

    /// On, or the page once more. `wrong`: what it says where the proof was wrong.
    async fn answer(
        self,
        visit: &Visit,
        mut form: Filled,
        signed_in: Result<session::Account, Refused>,
        wrong: LoginError,
    ) -> Result<Response, Refusal> {
        let (door, refused) = match self.outcome(visit, signed_in, wrong).await? {
            Outcome::On(response) => return Ok(response),
            Outcome::Refused(door, refused) => (door, refused),
        };
        form.error = Some(refused.error);
        let response = door.show(visit, form, refused.status);
        Ok(waiting(response, refused.wait))
    }

    /// On, or why not.
    pub(super) async fn outcome(
        self,
        visit: &Visit,
        signed_in: Result<session::Account, Refused>,
        wrong: LoginError,
    ) -> Result<Outcome, Refusal> {
        let on = |path: String| Ok(Outcome::On(visit.keep(see_other(&path))));
        let (error, status, wait) = match signed_in {
            Ok(account) => return Ok(Outcome::On(self.go_on(visit, &account).await)),
            Err(Refused::Full(no_room)) => return Ok(Outcome::On(self.full(visit, &no_room))),
            Err(Refused::Asked(_, proof)) => return on(format!("/login/devices?proof={proof}")),
            Err(Refused::Expired(user)) => return Ok(Outcome::On(self.stuck(visit, &user))),
            Err(Refused::Factor(proof, _)) => return on(format!("/login/factor?proof={proof}")),
            Err(Refused::Required(_, proof)) => return on(format!("/login/action?proof={proof}")),
            Err(Refused::Wrong) => (wrong, StatusCode::UNPROCESSABLE_ENTITY, None),
            Err(Refused::Locked) => (LoginError::Locked, StatusCode::FORBIDDEN, None),
            Err(Refused::NotStarted(at)) => {
                let error = LoginError::NotStarted { at: at.micros() };
                (error, StatusCode::FORBIDDEN, None)
            }
            Err(Refused::AccountExpired(at)) => {
                let error = LoginError::AccountExpired { at: at.micros() };
                (error, StatusCode::FORBIDDEN, None)
            }
            Err(Refused::Inactive) => (LoginError::Inactive, StatusCode::FORBIDDEN, None),
            Err(Refused::Device(refused)) => (devices::refused(refused), StatusCode::FORBIDDEN, None),
            Err(Refused::Failed(flow::Error::Throttled { retry_after, .. })) => {
                let seconds = retry_after.as_secs().max(1);
                let error = LoginError::Throttled { seconds };
                (error, StatusCode::TOO_MANY_REQUESTS, Some(seconds))
            }
            Err(Refused::Failed(flow::Error::Busy { retry_after })) => {
                let seconds = retry_after.as_secs().max(1);
                (LoginError::Busy, StatusCode::SERVICE_UNAVAILABLE, Some(seconds))
            }
            Err(Refused::Failed(error)) => return Err(error.into()),
        };
        Ok(Outcome::Refused(Box::new(self), NotIn { error, status, wait }))
    }

    async fn cancel(self, visit: &Visit) -> Result<Response, Refusal> {
        match self.interaction {
            Some(it) => {
                let next = answer::cancel(visit.provider(), &visit.call, &visit.browser, it).await;
                pending::go_on(visit, self.locale, next)
            }
            None => Ok(see_other("/")),
        }
    }

    async fn go_on(self, visit: &Visit, account: &session::Account) -> Response {
        pending::entered(visit, self.interaction, self.locale, self.return_to.as_ref(), account).await
    }

    /// What the person signs in for, should the proof have to wait.
    fn wanted(&self) -> Purpose {
        Purpose {
            interaction: self.interaction.as_ref().map(|interaction| interaction.id.clone()),
            return_to: self.return_to.as_ref().map(|path| path.as_str().to_owned()),
            client: self.interaction.as_ref().map(|it| it.client.client_id.clone()),
        }
    }

    /// The password was right and has to be replaced.
    fn stuck(&self, visit: &Visit, user: &User) -> Response {
        let stuck = Stuck {
            user,
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            flow: self.interaction.as_ref().map(|it| it.id.as_str()),
            locale: self.locale,
        };
        stuck.told(visit)
    }

    /// There is no room for one more login, and nobody is asked.
    fn full(&self, visit: &Visit, no_room: &NoRoom) -> Response {
        let client = self.interaction.as_ref().map(|it| shown::client(&it.client));
        let page = devices::full(client, no_room, self.here());
        let sheet = visit
            .sheet(page, self.locale, &self.purpose())
            .status(StatusCode::FORBIDDEN);
        visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        })
    }
}

/// What came of a proof.
pub(super) enum Outcome {
    /// The way goes on.
    On(Response),
    /// It does not, and this is said.
    Refused(Box<Door>, NotIn),
}

/// Why nobody is signed in.
pub(super) struct NotIn {
    pub(super) error: LoginError,
    pub(super) status: StatusCode,
    /// When it is worth trying again, in seconds.
    pub(super) wait: Option<u64>,
}

/// Says when it is worth trying again.
pub(super) fn waiting(mut response: Response, wait: Option<u64>) -> Response {
    if let Some(seconds) = wait {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What anybody may have sent to sign in with.
fn offered_codes(visit: &Visit) -> Vec<SentToSignIn> {
    let are_texts_sent = people::are_texts_sent(visit.provider());
    let offered = [Means::MailCode, Means::MailLink, Means::TextCode]
        .into_iter()
        .filter(|means| visit.settings.flag(means.setting()) && (means.channel() == Channel::Mail || are_texts_sent));
    offered.map(shown::sent_to_sign_in).collect()
}

impl Wish {
    fn named(&self, visit: &Visit) -> Option<Named> {
        let handle = self.who.as_deref()?;
        named::read(visit.provider(), &visit.call, &visit.browser, handle)
    }
}

/// The account of this browser that has to be proved once more: the one that is named, else the first.
fn known<'v>(visit: &'v Visit, text: &str) -> Option<&'v session::Account> {
    let known = text.parse().ok().and_then(|user| visit.browser.account(user));
    known.or_else(|| visit.browser.accounts.first())
}
