//! `/login/devices`: a person has as many logins as they may have. Which one ends? For a proof that waits (`proof`), or for an
//! authorization request (`flow`).

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{pending, return_target, shown};
use crate::flow::Error;
use crate::flow::authorization::logins::{self, RoomQuestion};
use crate::flow::authorization::{Interaction, answer};
use crate::flow::session::{Choice, Chosen, DeviceRefused, KnownLogin, choice};
use crate::flow::sign_in::password::NoRoom;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::Reason;
use crate::protocol::prompt::Because;
use crate::view::{
    Client, Device, Devices, DevicesPlace, DevicesProblem, KnownDevice, Locale, LoginError, OwnPath, Page,
};

/// What the address says: one of the two.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The proof that waits.
    proof: Option<String>,
    /// The pending authorization request.
    flow: Option<String>,
}

/// What the form sends; `end` as often as logins are chosen.
type Fields = Vec<(String, String)>;

/// GET /login/devices
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    match Door::open(&visit, &wish).await? {
        Door::Proof(door) if door.choice.is_over() => door.land(visit).await,
        Door::Proof(door) => door.show(&visit, None).await,
        Door::Request(interaction) => ask(visit, *interaction, None).await,
    }
}

/// POST /login/devices
pub(super) async fn choose(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    let purpose = door.purpose();
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let checked = visit.check(&purpose, field("csrf").unwrap_or_default());
    if let Err(forgery) = checked
        && forgery != Forgery::Token
    {
        return Err(forgery.into());
    }
    let is_cancelled = field("intent") == Some("cancel");
    let keys: Vec<String> = fields
        .iter()
        .filter(|(key, _)| key == "end")
        .map(|(_, value)| value.clone())
        .collect();
    match door {
        Door::Proof(door) => {
            visit.call = visit.call.within(door.choice.journey);
            match checked {
                Ok(()) if door.choice.is_over() => door.enter(visit, &keys).await,
                Err(_) if door.choice.is_over() => door.land(visit).await,
                Err(_) => door.show(&visit, Some(DevicesProblem::Expired)).await,
                Ok(()) if is_cancelled => door.give_up(&visit).await,
                Ok(()) => door.enter(visit, &keys).await,
            }
        }
        Door::Request(interaction) => {
            visit.call = visit.call.within(Some(interaction.trace));
            match checked {
                Err(_) => ask(visit, *interaction, Some(DevicesProblem::Expired)).await,
                Ok(()) if is_cancelled => leave(&visit, *interaction).await,
                Ok(()) => make_room(visit, *interaction, &keys).await,
            }
        }
    }
}

/// What somebody is asked for.
enum Door {
    Proof(Box<ProofDoor>),
    Request(Box<Interaction>),
}

/// A proof that waits, and the request that it was given for.
struct ProofDoor {
    choice: Choice,
    interaction: Option<Interaction>,
    locale: Locale,
}

impl Door {
    async fn open(visit: &Visit, wish: &Wish) -> Result<Self, Refusal> {
        if let Some(id) = &wish.flow {
            return Ok(Self::Request(Box::new(pending::open(visit, id).await?)));
        }
        let id = wish.proof.as_deref().unwrap_or_default();
        let choice = match choice::load(visit.provider(), &visit.call, &visit.browser, id).await {
            Ok(choice) => choice,
            Err(Error::NotFound) => return Err(Refusal::expired()),
            Err(error) => return Err(error.into()),
        };
        let interaction = match &choice.purpose.interaction {
            Some(id) => Some(pending::open(visit, id).await?),
            None => None,
        };
        let wished = interaction.as_ref().map(|it| it.request.ui_locales.as_slice());
        let locale = visit.locale(wished.unwrap_or_default(), Some(&choice.user));
        Ok(Self::Proof(Box::new(ProofDoor {
            choice,
            interaction,
            locale,
        })))
    }

    /// What the form's token is for.
    fn purpose(&self) -> String {
        match self {
            Self::Proof(door) => door.purpose(),
            Self::Request(interaction) => purpose(interaction),
        }
    }
}

impl ProofDoor {
    fn purpose(&self) -> String {
        format!("devices of {}", self.choice.id)
    }

    async fn show(&self, visit: &Visit, problem: Option<DevicesProblem>) -> Result<Response, Refusal> {
        let logins = self.choice.logins(visit.provider(), &visit.call).await?;
        let page = Page::Devices(Devices {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.choice.user),
            place: DevicesPlace::Account,
            live: number(logins.len()),
            most: self.choice.max,
            needed: self.needed(&logins),
            logins: logins.iter().map(device).collect(),
            action: OwnPath::or_home(&format!("/login/devices?proof={}", self.choice.id)),
            hidden: Vec::new(),
            problem,
            again: None,
        });
        let sheet = visit.sheet(page, self.locale, &self.purpose()).status(status(problem));
        Ok(visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        }))
    }

    /// How many have to end. Where some have ended meanwhile, one is still asked for: nobody is signed in without an answer.
    fn needed(&self, logins: &[KnownLogin]) -> u32 {
        number(logins.len())
            .saturating_add(1)
            .saturating_sub(self.choice.max)
            .max(1)
    }

    async fn give_up(self, visit: &Visit) -> Result<Response, Refusal> {
        self.choice.give_up(visit.provider()).await?;
        match self.interaction {
            Some(it) => {
                let next = answer::cancel(visit.provider(), &visit.call, &visit.browser, it).await;
                pending::go_on(visit, self.locale, next)
            }
            None => Ok(visit.keep(see_other("/"))),
        }
    }

    /// Somebody comes back to a choice that was made: on, if they are signed in by it.
    async fn land(self, visit: Visit) -> Result<Response, Refusal> {
        if visit.browser.account(self.choice.user.id).is_none() {
            return Err(Refusal::expired());
        }
        self.go_on(visit, &[]).await
    }

    async fn enter(self, visit: Visit, keys: &[String]) -> Result<Response, Refusal> {
        if self.choice.is_over() {
            return self.go_on(visit, keys).await;
        }
        let logins = self.choice.logins(visit.provider(), &visit.call).await?;
        let known = logins.iter().filter(|login| keys.contains(&login.key())).count();
        if number(known) < self.needed(&logins) && !logins.is_empty() {
            // maybe because the same form has ended them a moment before
            let provider = visit.provider();
            if let Ok(choice) = choice::load(provider, &visit.call, &visit.browser, &self.choice.id).await
                && choice.is_over()
            {
                return Self { choice, ..self }.go_on(visit, keys).await;
            }
            return self.show(&visit, Some(DevicesProblem::TooFew)).await;
        }
        self.go_on(visit, keys).await
    }

    async fn go_on(self, mut visit: Visit, keys: &[String]) -> Result<Response, Refusal> {
        let Self {
            choice,
            interaction,
            locale,
        } = self;
        let id = choice.id.clone();
        let issuer = visit.provider().issuer.url();
        let return_to = choice.purpose.return_to.as_deref();
        let return_to = return_to.and_then(|text| return_target::wished(issuer, text));
        let http = visit.http.clone();
        let chosen = if choice.is_over() {
            choice
                .enter_again(&http.provider, &visit.call, &mut visit.browser)
                .await
        } else {
            choice
                .end_and_enter(&http.provider, &visit.call, &mut visit.browser, keys)
                .await
        };
        match chosen {
            Ok(Chosen::SignedIn(account)) => {
                Ok(pending::entered(&visit, interaction, locale, return_to.as_ref(), &account).await)
            }
            Ok(Chosen::StillFull) => {
                let wish = Wish {
                    proof: Some(id),
                    flow: None,
                };
                match Door::open(&visit, &wish).await? {
                    Door::Proof(door) => door.show(&visit, Some(DevicesProblem::Meanwhile)).await,
                    Door::Request(_) => Err(Refusal::expired()),
                }
            }
            Ok(Chosen::Refused(refused)) => Err(Refusal::forbidden().reason(Reason::new(refused.rule()))),
            Err(Error::NotFound) => Err(Refusal::expired()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the sign-in page says of a device that may not be signed in with.
pub(super) const fn refused(refused: DeviceRefused) -> LoginError {
    match refused {
        DeviceRefused::Blocked => LoginError::DeviceBlocked,
        DeviceRefused::Unknown => LoginError::DeviceUnknown,
        DeviceRefused::Network => LoginError::Network,
    }
}

/// There is room by now, or the question is put.
async fn ask(visit: Visit, interaction: Interaction, problem: Option<DevicesProblem>) -> Result<Response, Refusal> {
    let question = logins::question(visit.provider(), &visit.call, &visit.browser, &interaction).await;
    match question {
        Ok(Some(question)) => Ok(put(&visit, &interaction, &question, problem)),
        Ok(None) => go_on(visit, interaction, &[]).await,
        // signed out meanwhile
        Err(Error::NotFound) => Ok(visit.keep(see_other(&format!("/login?flow={}", interaction.id)))),
        Err(error) => Err(error.into()),
    }
}

async fn make_room(visit: Visit, interaction: Interaction, keys: &[String]) -> Result<Response, Refusal> {
    let question = logins::question(visit.provider(), &visit.call, &visit.browser, &interaction).await;
    if let Ok(Some(question)) = &question {
        let known = question
            .logins
            .iter()
            .filter(|login| keys.contains(&login.key()))
            .count();
        if known < question.needed.max(1) {
            return Ok(put(&visit, &interaction, question, Some(DevicesProblem::TooFew)));
        }
    }
    go_on(visit, interaction, keys).await
}

async fn go_on(visit: Visit, interaction: Interaction, keys: &[String]) -> Result<Response, Refusal> {
    let locale = pending::locale(&visit, &interaction);
    let next = logins::make_room(visit.provider(), &visit.call, &visit.browser, interaction, keys).await;
    pending::go_on(&visit, locale, next)
}

async fn leave(visit: &Visit, interaction: Interaction) -> Result<Response, Refusal> {
    let locale = pending::locale(visit, &interaction);
    let next = answer::leave_full(visit.provider(), &visit.call, &visit.browser, interaction).await;
    pending::go_on(visit, locale, next)
}

fn put(visit: &Visit, interaction: &Interaction, question: &RoomQuestion, problem: Option<DevicesProblem>) -> Response {
    let place = match question.because {
        Because::ClientLimit => DevicesPlace::Application,
        _ => DevicesPlace::Connection,
    };
    // the login in this browser counts as well, and is not one to choose
    let own = u32::from(place == DevicesPlace::Connection);
    let page = Page::Devices(Devices {
        client: Some(shown::client(&interaction.client)),
        account: shown::account(&question.user),
        place,
        live: number(question.logins.len()).saturating_add(own),
        most: question.max,
        needed: number(question.needed),
        logins: question.logins.iter().map(device).collect(),
        action: pending::address("/login/devices", interaction),
        hidden: Vec::new(),
        problem,
        again: Some(pending::address("/login/devices", interaction)),
    });
    let locale = pending::locale(visit, interaction);
    let status = match (question.needed, problem) {
        (0, None) => StatusCode::FORBIDDEN,
        (_, problem) => status(problem),
    };
    let sheet = visit.sheet(page, locale, &purpose(interaction)).status(status);
    visit.show(sheet.leads_to(&interaction.request.answerable.redirect_uri))
}

fn purpose(interaction: &Interaction) -> String {
    format!("devices for {}", interaction.id)
}

/// The page that says that there is no room, where nobody is asked. `login`: the address of the form that it answers.
pub(super) fn full(client: Option<Client>, no_room: &NoRoom, login: OwnPath) -> Page {
    Page::Devices(Devices {
        client,
        account: shown::account(&no_room.user),
        place: DevicesPlace::Account,
        live: no_room.full.live,
        most: no_room.full.max,
        needed: 0,
        logins: no_room.logins.iter().map(device).collect(),
        action: login.clone(),
        hidden: Vec::new(),
        problem: None,
        again: Some(login),
    })
}

fn device(login: &KnownLogin) -> KnownDevice {
    KnownDevice {
        value: login.key(),
        connected: login.is_connected(),
        device: login.user_agent.as_deref().map(Device::read).unwrap_or_default(),
        place: login.place.clone(),
        started: login.started.micros(),
        seen: login.seen.micros(),
        applications: login.applications.clone(),
    }
}

fn status(problem: Option<DevicesProblem>) -> StatusCode {
    match problem {
        None => StatusCode::OK,
        Some(DevicesProblem::Expired) => StatusCode::FORBIDDEN,
        Some(DevicesProblem::TooFew) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(DevicesProblem::Meanwhile) => StatusCode::CONFLICT,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
