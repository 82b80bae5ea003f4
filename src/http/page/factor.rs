//! `/login/factor`: the password is right, and the person has a second factor. A passkey, a code, or a recovery code?

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::{devices, passkey as script, pending, return_target, shown};
use crate::flow::Error;
use crate::flow::authorization::{Interaction, answer};
use crate::flow::factor::{self as factors, SentWay, Typed, remembers_for};
use crate::flow::session::{Answered, Demand, Full, OnDevice, demand};
use crate::flow::sign_in::factor::{self, NotProved};
use crate::flow::sign_in::password::NoRoom;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Channel, FactorKind, Reason, Secret};
use crate::view::{Locale, OtherFactor, OwnPath, Page, SecondFactor, SecondFactorError, SecondFactorWith};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The proof that waits.
    #[serde(default)]
    proof: String,
    /// By what the person wants to go on.
    with: Option<SecondFactorWith>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    code: Option<Secret>,
    recovery_code: Option<Secret>,
    sent_code: Option<Secret>,
    remember_device: Option<String>,
    intent: Option<String>,
    #[serde(flatten)]
    passkey: script::Answer,
}

/// GET /login/factor
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    if door.demand.is_over() {
        return door.land(visit).await;
    }
    Ok(door.show(&visit, None))
}

/// POST /login/factor
pub(super) async fn prove(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    visit.call = visit.call.within(door.demand.journey);
    match visit.check(&door.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) if door.demand.is_over() => return door.land(visit).await,
        Err(Forgery::Token) => return Ok(door.show(&visit, Some(SecondFactorError::Expired))),
        Err(forgery) => return Err(forgery.into()),
    }
    if fields.intent.as_deref() == Some("cancel") && !door.demand.is_over() {
        return door.give_up(&visit).await;
    }
    if fields.intent.as_deref() == Some("send") && !door.demand.is_over() {
        return door.send(&visit).await;
    }
    let typed = match (fields.passkey.signature(), fields.recovery_code, fields.sent_code) {
        (Some(signature), ..) => Typed::Passkey(signature),
        (None, Some(code), _) => Typed::RecoveryCode(code),
        (None, None, Some(code)) => match door.with.channel() {
            Some(channel) => Typed::SentCode(channel, code),
            None => Typed::Code(code),
        },
        (None, None, None) => Typed::Code(fields.code.unwrap_or_else(|| Secret::new(""))),
    };
    let device = match fields.remember_device {
        Some(_) => OnDevice::Remember,
        None => OnDevice::Nothing,
    };
    door.answer(visit, (&typed, device)).await
}

/// POST /login/factor/passkey
pub(super) async fn ask(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(asking): Form<script::Asking>,
) -> Result<Response, Refusal> {
    let door = Door::open(&visit, &wish).await?;
    visit.check(&door.purpose(), &asking.csrf)?;
    if door.demand.is_over() {
        return Err(Refusal::expired());
    }
    let question = factors::ask_for_second(visit.provider(), &visit.call, &visit.browser, &door.demand).await;
    script::asked(&visit, question)
}

/// A proof that waits, and the request that it was given for.
struct Door {
    demand: Demand,
    interaction: Option<Interaction>,
    locale: Locale,
    with: SecondFactorWith,
    /// How long it is not asked for again on this device, if the person wishes so.
    remembers_for: Option<u64>,
    /// The ways that the person has.
    ways: Vec<SecondFactorWith>,
    /// What a code that is sent would be sent to, if that is asked for, in part.
    recipient: Option<String>,
    /// Whether one was.
    sent: bool,
}

impl Door {
    async fn open(visit: &Visit, wish: &Wish) -> Result<Self, Refusal> {
        let demand = match demand::load(visit.provider(), &visit.call, &visit.browser, &wish.proof).await {
            Ok(demand) => demand,
            Err(Error::NotFound) => return Err(Refusal::expired()),
            Err(error) => return Err(error.into()),
        };
        let interaction = match &demand.purpose.interaction {
            Some(id) => Some(pending::open(visit, id).await?),
            None => None,
        };
        let sendable = factors::sent_ways(visit.provider(), &visit.call, &demand).await?;
        let ways = ways(visit, &demand, &sendable).await?;
        let with = wish
            .with
            .filter(|with| with.channel().is_none() || ways.contains(with))
            .or(ways.first().copied())
            .unwrap_or(SecondFactorWith::RecoveryCode);
        let asked = sendable.iter().find(|way| with.channel() == Some(way.channel));
        let sent = match asked {
            Some(way) => factors::sent_code(visit.provider(), &visit.call, &demand, way.channel).await?,
            None => None,
        };
        let wished = interaction.as_ref().map(|it| it.request.ui_locales.as_slice());
        Ok(Self {
            locale: visit.locale(wished.unwrap_or_default(), Some(&demand.user)),
            with,
            recipient: asked.map(SentWay::in_part),
            sent: sent.is_some(),
            ways,
            remembers_for: match demand.is_step_up() {
                true => None,
                false => remembers_for(visit.provider(), &visit.call, demand.user.id)
                    .await?
                    .map(|lasts| lasts.as_secs()),
            },
            demand,
            interaction,
        })
    }

    /// What the form's token is for.
    fn purpose(&self) -> String {
        format!("factor of {}", self.demand.id)
    }

    fn address(&self, with: SecondFactorWith) -> OwnPath {
        let with = match with {
            SecondFactorWith::Passkey => "&with=passkey",
            SecondFactorWith::Code => "&with=code",
            SecondFactorWith::Mail => "&with=mail",
            SecondFactorWith::Text => "&with=text",
            SecondFactorWith::RecoveryCode => "&with=recovery_code",
        };
        OwnPath::or_home(&format!("/login/factor?proof={}{with}", self.demand.id))
    }

    /// Where the person begins anew.
    fn anew(&self) -> OwnPath {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(interaction) = &self.interaction {
            query.append_pair("flow", &interaction.id);
        }
        if let Some(path) = &self.demand.purpose.return_to {
            query.append_pair("return_to", path);
        }
        OwnPath::or_home(&format!("/login?{}", query.finish()))
    }

    fn show(&self, visit: &Visit, error: Option<SecondFactorError>) -> Response {
        let (status, is_over) = match error {
            None => (StatusCode::OK, false),
            Some(SecondFactorError::Wrong) => (StatusCode::UNPROCESSABLE_ENTITY, false),
            Some(SecondFactorError::NotSent { .. }) => (StatusCode::TOO_MANY_REQUESTS, false),
            Some(SecondFactorError::Throttled { .. }) => (StatusCode::TOO_MANY_REQUESTS, true),
            Some(SecondFactorError::Expired) => (StatusCode::FORBIDDEN, false),
        };
        let others = self.ways.iter().copied().filter(|way| *way != self.with);
        let others = others.map(|with| OtherFactor {
            with,
            path: self.address(with),
        });
        let ask = OwnPath::or_home(&format!("/login/factor/passkey?proof={}", self.demand.id));
        let page = Page::SecondFactor(SecondFactor {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.demand.user),
            action: self.address(self.with),
            with: self.with,
            ask: Some(ask).filter(|_| self.with == SecondFactorWith::Passkey && !is_over),
            others: others.collect(),
            remembers_for: self
                .remembers_for
                .filter(|_| self.with != SecondFactorWith::RecoveryCode),
            recipient: self.recipient.clone(),
            sent: self.sent,
            error,
            again: is_over.then(|| self.anew()),
        });
        let sheet = visit.sheet(page, self.locale, &self.purpose()).status(status);
        visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        })
    }

    /// Sends a code, or says that enough were.
    async fn send(self, visit: &Visit) -> Result<Response, Refusal> {
        let channel = self.with.channel().ok_or_else(Refusal::expired)?;
        match factors::send_code(visit.provider(), &visit.call, &self.demand, channel).await {
            Ok(()) => Ok(visit.keep(see_other(self.address(self.with).as_str()))),
            Err(Error::Throttled { retry_after, .. }) => {
                let seconds = retry_after.as_secs().max(1);
                let mut response = self.show(visit, Some(SecondFactorError::NotSent { seconds }));
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            // the way is open no more: what else there is
            Err(Error::NotFound) => Ok(visit.keep(see_other(&format!("/login/factor?proof={}", self.demand.id)))),
            Err(error) => Err(error.into()),
        }
    }

    async fn give_up(self, visit: &Visit) -> Result<Response, Refusal> {
        self.demand.give_up(visit.provider()).await?;
        match self.interaction {
            Some(it) => {
                let next = answer::cancel(visit.provider(), &visit.call, &visit.browser, it).await;
                pending::go_on(visit, self.locale, next)
            }
            None => Ok(visit.keep(see_other("/"))),
        }
    }

    /// Somebody comes back to a demand that was answered: on, where it led.
    async fn land(self, mut visit: Visit) -> Result<Response, Refusal> {
        let http = visit.http.clone();
        // by a form only does a browser get a session
        if visit.browser.account(self.demand.user.id).is_none() {
            return Err(Refusal::expired());
        }
        let answered = self
            .demand
            .enter_again(&http.provider, &visit.call, &mut visit.browser)
            .await;
        self.go_on(visit, answered.map_err(NotProved::from)).await
    }

    async fn answer(self, mut visit: Visit, typed: (&Typed, OnDevice)) -> Result<Response, Refusal> {
        let http = visit.http.clone();
        let answered = factor::answer(&http.provider, &visit.call, &mut visit.browser, &self.demand, typed).await;
        self.go_on(visit, answered).await
    }

    async fn go_on(self, visit: Visit, answered: Result<Answered, NotProved>) -> Result<Response, Refusal> {
        match answered {
            Ok(Answered::SignedIn(account)) => {
                let issuer = visit.provider().issuer.url();
                let return_to = self.demand.purpose.return_to.as_deref();
                let return_to = return_to.and_then(|text| return_target::wished(issuer, text));
                Ok(pending::entered(&visit, self.interaction, self.locale, return_to.as_ref(), &account).await)
            }
            Ok(Answered::Asked(_, choice)) => Ok(visit.keep(see_other(&format!("/login/devices?proof={choice}")))),
            Ok(Answered::Required(action)) => Ok(visit.keep(see_other(&format!("/login/action?proof={action}")))),
            Ok(Answered::Full(full)) => self.full(&visit, full).await,
            Ok(Answered::Refused(refused)) => Err(Refusal::forbidden().reason(Reason::new(refused.rule()))),
            Err(NotProved::Wrong) => Ok(self.show(&visit, Some(SecondFactorError::Wrong))),
            Err(NotProved::Failed(Error::Throttled { retry_after, .. })) => {
                let seconds = retry_after.as_secs().max(1);
                let mut response = self.show(&visit, Some(SecondFactorError::Throttled { seconds }));
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            Err(NotProved::Failed(Error::NotFound)) => Err(Refusal::expired()),
            Err(NotProved::Failed(error)) => Err(error.into()),
        }
    }

    /// There is no room for one more login, and nobody is asked.
    async fn full(self, visit: &Visit, full: Full) -> Result<Response, Refusal> {
        let user = self.demand.user.clone();
        let logins = self.demand.logins(visit.provider(), &visit.call).await?;
        let client = self.interaction.as_ref().map(|it| shown::client(&it.client));
        let page = devices::full(client, &NoRoom { full, user, logins }, self.anew());
        let sheet = visit
            .sheet(page, self.locale, &self.purpose())
            .status(StatusCode::FORBIDDEN);
        Ok(visit.show(sheet))
    }
}

/// By what the person can go on, the safest first.
async fn ways(visit: &Visit, demand: &Demand, sendable: &[SentWay]) -> Result<Vec<SecondFactorWith>, Refusal> {
    let own = factors::own_factors(visit.provider(), demand.user.id).await?;
    let has = |kind| own.factors.iter().any(|factor| factor.kind() == kind);
    let mut ways = Vec::new();
    if has(FactorKind::Passkey) && script::are_offered(visit) {
        ways.push(SecondFactorWith::Passkey);
    }
    if has(FactorKind::Totp) {
        ways.push(SecondFactorWith::Code);
    }
    // what only stands in for a lost one comes after the person's own
    let has_factor = !own.factors.is_empty();
    let (own, others): (Vec<&SentWay>, Vec<&SentWay>) = sendable.iter().partition(|way| way.factor.is_some());
    ways.extend(own.into_iter().chain(others).map(|way| match way.channel {
        Channel::Mail => SecondFactorWith::Mail,
        Channel::Sms => SecondFactorWith::Text,
    }));
    if has_factor {
        ways.push(SecondFactorWith::RecoveryCode);
    }
    Ok(ways)
}
