//! What a first-party application has to ask the person for, and what it brings back.

use crate::flow::factor::Question;
use crate::flow::people::{self, Means};
use crate::flow::session::{Demand, Duty, Task};
use crate::flow::sign_in::duty::{self as duties, Brought};
use crate::flow::{Call, Error, Provider, factor, terms};
use crate::model::setting::LOCALE;
use crate::model::{Channel, FactorKind, Id, Secret, Terms};
use crate::protocol::parameters::Parameters;

/// What is missing.
#[derive(Clone, Debug)]
pub enum Asked {
    /// `username` and `password`, or what else is among these words.
    Password(Vec<&'static str>),
    /// The code that was sent, if somebody was meant, by its word.
    SentCode(&'static str),
    /// One of these: `otp`, `recovery_code`, `passkey`, `mail_code`, `text_code`.
    SecondFactor {
        /// Which there are.
        methods: Vec<&'static str>,
        /// Those by which a code was sent, and where to, in part.
        sent: Vec<(&'static str, String)>,
    },
    /// A signature of a passkey: `passkey_question` with this, and `passkey`.
    Passkey(Question),
    /// A passkey that an authenticator makes: `passkey_question` with this, and `passkey`.
    NewPasskey(Question),
    /// `phone_number`, and `text_code` once one was sent to this number.
    ConfirmPhone(Option<String>),
    /// `new_password`, of so many characters.
    ChangePassword(u32),
    /// `otp` of the authenticator that is set up with this secret, and at this address; or a passkey.
    EnrolFactor {
        /// Which of them.
        methods: Vec<&'static str>,
        /// The secret, in Base32.
        secret: Secret,
        /// The same as an `otpauth:` address, for a picture.
        address: Secret,
    },
    /// That the person keeps these recovery codes: `kept`.
    KeepCodes(Vec<String>),
    /// `accepted_terms`, the ids of all of these with blanks between.
    AcceptTerms(Vec<AskedTerms>),
    /// Nothing: the same once more.
    Nothing,
}

/// A document to be accepted.
#[derive(Clone, Debug)]
pub struct AskedTerms {
    /// Its id.
    pub id: String,
    /// What all versions of it are called.
    pub name: String,
    /// Which one it is.
    pub version: String,
    /// What it is called in the person's language.
    pub title: String,
    /// Where it is read.
    pub address: String,
}

impl Asked {
    /// In a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::SentCode(_) => "sent_code",
            Self::SecondFactor { .. } => "second_factor",
            Self::Passkey(_) => "passkey",
            Self::NewPasskey(_) => "new_passkey",
            Self::ConfirmPhone(_) => "confirm_phone",
            Self::ChangePassword(_) => "change_password",
            Self::EnrolFactor { .. } => "enrol_factor",
            Self::KeepCodes(_) => "keep_recovery_codes",
            Self::AcceptTerms(_) => "accept_terms",
            Self::Nothing => "again",
        }
    }
}

/// What may be sent to sign in with. Links are for browsers.
pub(super) const CODES: [Means; 2] = [Means::MailCode, Means::TextCode];

/// By what somebody may say and show who they are.
pub(super) async fn password(provider: &Provider) -> Result<Asked, Error> {
    let mut methods = vec!["password"];
    methods.extend(factor::relying_party(provider).map(|_| "passkey"));
    for means in CODES {
        if people::may_sign_in_by(provider, means).await? {
            methods.push(code_by(means.channel()));
        }
    }
    Ok(Asked::Password(methods))
}

/// By what somebody may go on who has proved their password.
pub(super) async fn factor(provider: &Provider, call: &Call, demand: &Demand) -> Result<Asked, Error> {
    let own = factor::own_factors(provider, demand.user.id).await?;
    let has = |kind| own.factors.iter().any(|factor| factor.kind() == kind);
    let has_passkey = has(FactorKind::Passkey) && factor::relying_party(provider).is_some();
    let ways = [
        (has(FactorKind::Totp), "otp"),
        (!own.factors.is_empty(), "recovery_code"),
        (has_passkey, "passkey"),
    ];
    let ways = ways.into_iter().filter(|(is_there, _)| *is_there);
    let mut methods: Vec<_> = ways.map(|(_, way)| way).collect();
    let mut sent = Vec::new();
    for way in factor::sent_ways(provider, call, demand).await? {
        methods.push(code_by(way.channel));
        if factor::sent_code(provider, call, demand, way.channel).await?.is_some() {
            sent.push((code_by(way.channel), way.in_part()));
        }
    }
    Ok(Asked::SecondFactor { methods, sent })
}

/// A code that is sent by this way, in a word.
pub(super) const fn code_by(channel: Channel) -> &'static str {
    match channel {
        Channel::Mail => "mail_code",
        Channel::Sms => "text_code",
    }
}

/// What is required.
pub(super) async fn action(provider: &Provider, call: &Call, duty: &Duty) -> Result<Asked, Error> {
    let user = &duty.user;
    Ok(match &duty.task {
        Task::ChangePassword { .. } => {
            let rules = people::password_rules_of(provider, call, user.id).await?;
            Asked::ChangePassword(rules.least)
        }
        Task::Enrol { secret, .. } => {
            let shown = factor::to_set_up(provider, user, secret)?;
            let passkey = factor::relying_party(provider).map(|_| "passkey");
            Asked::EnrolFactor {
                methods: std::iter::once("otp").chain(passkey).collect(),
                secret: shown.secret,
                address: shown.address,
            }
        }
        Task::AcceptTerms { .. } => {
            let missing = terms::missing_of(provider, user, call.now).await?;
            let fallback = provider.settings().await?.word(LOCALE);
            let locale = user.profile.locale.as_deref().unwrap_or(fallback);
            let documents = missing
                .into_iter()
                .map(|terms| asked_terms(provider, &terms, locale, fallback));
            Asked::AcceptTerms(documents.collect())
        }
        Task::KeepCodes { codes, .. } => Asked::KeepCodes(codes.clone()),
        Task::ConfirmPhone => Asked::ConfirmPhone(duties::asked_number(provider, call, duty).await?),
        // these are done on our pages
        Task::Stay | Task::VerifyEmail { .. } | Task::UpdateProfile { .. } | Task::Enter => Asked::Nothing,
    })
}

fn asked_terms(provider: &Provider, terms: &Terms, locale: &str, fallback: &str) -> AskedTerms {
    let text = terms.text_in(locale, fallback).map(|(_, text)| text);
    let here = format!("/terms/{}?version={}", terms.name, terms.version);
    AskedTerms {
        id: terms.id.to_string(),
        name: terms.name.clone(),
        version: terms.version.clone(),
        title: text.map_or_else(|| terms.name.clone(), |text| text.title.clone()),
        address: text
            .and_then(|text| text.url.clone())
            .unwrap_or_else(|| provider.issuer.path(&here)),
    }
}

/// What the application brings for a task; none if it is not there yet.
pub(super) fn brought(task: &Task, parameters: &Parameters) -> Option<Brought> {
    let given = |name: &str| parameters.get(name).filter(|text| !text.is_empty());
    match task {
        Task::ChangePassword { .. } => given("new_password").map(|new| Brought::Password(Secret::new(new))),
        Task::Enrol { .. } => given("otp").map(|code| Brought::Code(Secret::new(code))),
        Task::ConfirmPhone => given("text_code").map(|code| Brought::Code(Secret::new(code))),
        Task::AcceptTerms { .. } => {
            let accepted: Vec<Id<Terms>> = given("accepted_terms")?
                .split(' ')
                .filter_map(|id| id.parse().ok())
                .collect();
            let locale = parameters.words("ui_locales").first().map(|tag| (*tag).to_owned());
            Some(Brought::Terms(accepted, locale.unwrap_or_else(|| "en".to_owned())))
        }
        Task::Stay | Task::VerifyEmail { .. } | Task::UpdateProfile { .. } => None,
        Task::KeepCodes { .. } => given("kept").map(|_| Brought::Nothing),
        Task::Enter => Some(Brought::Nothing),
    }
}
