//! `/account/factors`: a person's second factors and recovery codes.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::{passkey as script, shown};
use crate::flow::Error;
use crate::flow::factor::{self, Begun, NewFactor, NotChanged};
use crate::flow::people;
use crate::flow::session::Asker;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Channel, Factor, FactorKind, Id, OtpShape, Secret, User};
use crate::view::{
    FactorNotice, NewAuthenticator, NewAuthenticatorError, OwnFactor, OwnFactors, OwnPath, OwnPhoneNotice, Page, Qr,
    RecoveryCodes, Sendable,
};

pub(super) const HERE: &str = "/account/factors";
const NEW: &str = "/account/factors/new";
pub(super) const PASSKEY: &str = "/account/factors/passkey";
const CODES: &str = "/account/factors/codes";
const PHONE: &str = "/account/phone";
/// Letters of a secret stand in groups of so many.
const GROUP: usize = 4;

/// What the addresses say.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// What there is to say first.
    notice: Option<FactorNotice>,
    /// Whose page it is, where several people are signed in.
    pub(super) account: Option<Id<User>>,
    /// What was begun.
    pub(super) factor: Option<Id<Factor>>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    /// A kind of factor.
    begin: Option<String>,
    /// A factor.
    rename: Option<Id<Factor>>,
    /// A factor.
    remove: Option<Id<Factor>>,
    /// New recovery codes.
    codes: Option<String>,
    /// The second factor on every device again.
    ask_everywhere: Option<String>,
    /// The code of an authenticator that was begun.
    code: Option<Secret>,
}

/// GET /account/factors
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    // that a form was too old is said by the answer to it alone
    let notice = wish.notice.filter(|notice| *notice != FactorNotice::Expired);
    match Owner::of(&visit, wish.account).map(Own) {
        Some(own) => own.list(&visit, notice).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account/factors
pub(super) async fn change(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return own.list(&visit, Some(FactorNotice::Expired)).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let (provider, call, asker) = (visit.provider(), &visit.call, own.asker());
    let next = if let Some(id) = fields.rename {
        let renamed = factor::rename(provider, call, asker, id, &fields.name).await;
        renamed.map(|()| own.address(HERE, Some(FactorNotice::Renamed)))
    } else if let Some(id) = fields.remove {
        let removed = factor::remove(provider, call, asker, id).await;
        removed.map(|()| own.address(HERE, Some(FactorNotice::Removed)))
    } else if fields.codes.is_some() {
        match factor::renew_recovery_codes(provider, call, asker).await {
            Ok(codes) => {
                factor::keep_codes(provider, call, &visit.browser, asker.user, &codes).await?;
                Ok(own.address(CODES, None))
            }
            Err(refused) => Err(refused),
        }
    } else if fields.ask_everywhere.is_some() {
        let asked = factor::ask_everywhere(provider, call, asker).await;
        asked
            .map(|_| own.address(HERE, Some(FactorNotice::Everywhere)))
            .map_err(NotChanged::from)
    } else if fields.begin.as_deref() == Some("passkey") {
        let begun = factor::begin_passkey(provider, call, asker, &fields.name).await;
        begun.map(|begun| own.setting_up(PASSKEY, begun.id))
    } else if let Some(channel) = fields.begin.as_deref().and_then(|kind| kind.parse().ok()) {
        match factor::add_sent(provider, call, asker, (channel, &fields.name)).await {
            Ok(confirmed) => Ok(own.added(&visit, confirmed, FactorNotice::SentAdded).await?),
            // of two clicks the browser sees the answer to the second alone
            Err(NotChanged::Failed(Error::Conflict("factor_there"))) => Ok(own.sent_by_somebody_faster(&visit).await?),
            Err(refused) => Err(refused),
        }
    } else if fields.begin.is_some() {
        let new = NewFactor {
            name: fields.name,
            shape: OtpShape::default(),
        };
        let begun = factor::begin(provider, call, asker, new).await;
        begun.map(|begun| own.setting_up(NEW, begun.id))
    } else {
        Ok(own.address(HERE, None))
    };
    own.go(&visit, next)
}

/// GET /account/factors/new
pub(super) async fn show_new(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    match Owner::of(&visit, wish.account).map(Own) {
        Some(own) => own.set_up(&visit, wish.factor, None).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account/factors/new
pub(super) async fn confirm(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let (Some(own), Some(id)) = (Owner::of(&visit, wish.account).map(Own), wish.factor) else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return own.set_up(&visit, Some(id), Some(NewAuthenticatorError::Expired)).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let (provider, call, asker) = (visit.provider(), &visit.call, own.asker());
    let code = fields.code.unwrap_or_else(|| Secret::new(""));
    let next = match factor::confirm_in(provider, call, &visit.browser, asker, id, &code).await {
        Ok(confirmed) => Ok(own.added(&visit, confirmed, FactorNotice::Added).await?),
        Err(NotChanged::Wrong) => return own.set_up(&visit, Some(id), Some(NewAuthenticatorError::Wrong)).await,
        // of two clicks the browser sees the answer to the second alone
        Err(NotChanged::Failed(Error::NotFound)) => Ok(own.after_somebody_faster(&visit, id).await?),
        Err(refused) => Err(refused),
    };
    own.go(&visit, next)
}

/// GET /account/factors/codes
pub(super) async fn show_codes(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    let (provider, user) = (visit.provider(), own.0.account.user.id);
    let Some((codes, made)) = factor::kept_codes(provider, &visit.call, &visit.browser, user).await? else {
        return Ok(visit.keep(see_other(&own.address(HERE, None))));
    };
    let page = Page::RecoveryCodes(RecoveryCodes {
        account: shown::account(&own.0.account.user),
        site: provider.issuer.url().host_str().unwrap_or_default().to_owned(),
        made: made.micros(),
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
        action: OwnPath::or_home(&own.address(CODES, None)),
    });
    let sheet = visit.sheet(page, own.locale(&visit), &own.purpose());
    Ok(visit.show(sheet.warns(visit.warning(&own.0.account))))
}

/// POST /account/factors/codes
pub(super) async fn codes_are_kept(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(visit.keep(see_other(&own.address(CODES, None)))),
        Err(forgery) => return Err(forgery.into()),
    }
    factor::forget_codes(visit.provider(), &visit.browser, own.0.account.user.id).await?;
    let next = own.after_adding(&visit, FactorNotice::Kept).await?;
    Ok(visit.keep(see_other(&next)))
}

/// Whose page it is.
pub(super) struct Own(pub(super) Owner);

impl Own {
    pub(super) fn asker(&self) -> Asker {
        (&self.0.account).into()
    }

    pub(super) fn locale(&self, visit: &Visit) -> crate::view::Locale {
        visit.locale(&[], Some(&self.0.account.user))
    }

    /// Bound to the session that the page shows: another tab may have gone on with another account (SEC-017).
    pub(super) fn purpose(&self) -> String {
        format!("own factors {}", self.0.account.session.id)
    }

    pub(super) fn address(&self, path: &str, notice: Option<FactorNotice>) -> String {
        self.0.at(path, notice.map(FactorNotice::as_str))
    }

    /// Where what was begun is set up.
    pub(super) fn setting_up(&self, path: &str, id: Id<Factor>) -> String {
        let address = self.address(path, None);
        let mark = if address.contains('?') { '&' } else { '?' };
        format!("{address}{mark}factor={id}")
    }

    /// Where the person proves once more who they are, and comes back from.
    fn proving(&self) -> String {
        self.0
            .proving(&format!("{HERE}?notice={}", FactorNotice::Proved.as_str()))
    }

    /// On to the next page, or to what has to be done before.
    pub(super) fn go(&self, visit: &Visit, next: Result<String, NotChanged>) -> Result<Response, Refusal> {
        let next = match next {
            Ok(next) => next,
            Err(NotChanged::ProofTooOld | NotChanged::ProofTooWeak) => self.proving(),
            Err(NotChanged::Wrong | NotChanged::Failed(Error::NotFound)) => {
                self.address(HERE, Some(FactorNotice::Over))
            }
            Err(NotChanged::Failed(Error::Invalid(_))) => self.address(HERE, Some(FactorNotice::Name)),
            Err(NotChanged::Passkey(_)) => self.address(HERE, Some(FactorNotice::PasskeyRefused)),
            Err(NotChanged::Failed(Error::Conflict("passkey_known"))) => {
                self.address(HERE, Some(FactorNotice::PasskeyKnown))
            }
            Err(NotChanged::Failed(Error::Conflict("no_domain"))) => self.address(HERE, None),
            Err(NotChanged::Failed(Error::Conflict("no_makers"))) => self.address(HERE, Some(FactorNotice::NoMakers)),
            Err(NotChanged::Failed(Error::Conflict(_))) => self.address(HERE, Some(FactorNotice::TooMany)),
            Err(NotChanged::Failed(error)) => return Err(error.into()),
        };
        Ok(visit.keep(see_other(&next)))
    }

    async fn list(&self, visit: &Visit, notice: Option<FactorNotice>) -> Result<Response, Refusal> {
        let own = factor::own_factors(visit.provider(), self.0.account.user.id).await?;
        let remembered = factor::remembered_devices(visit.provider(), &visit.call, self.0.account.user.id).await?;
        let sendable = self.sendable(visit, &own.factors).await?;
        let user = self.0.account.user.id;
        let phone_wanted = people::is_phone_wanted(visit.provider(), &visit.call, user).await?;
        let (passkeys, others): (Vec<Factor>, Vec<Factor>) = own
            .factors
            .into_iter()
            .partition(|factor| factor.kind() == FactorKind::Passkey);
        let (sent, authenticators): (Vec<Factor>, Vec<Factor>) =
            others.into_iter().partition(|factor| factor.sent_by().is_some());
        let page = Page::OwnFactors(OwnFactors {
            account: shown::account(&self.0.account.user),
            action: OwnPath::or_home(&self.address(HERE, None)),
            back: OwnPath::or_home(&self.address("/account", None)),
            notice,
            passkeys: passkeys.into_iter().map(shown_factor).collect(),
            offers_passkeys: script::are_offered(visit),
            authenticators: authenticators.into_iter().map(shown_factor).collect(),
            sent: sent.into_iter().map(shown_factor).collect(),
            sendable,
            phone_wanted: phone_wanted.then(|| OwnPath::or_home(&self.0.at(PHONE, None))),
            recovery_codes: own.recovery_codes,
            remembered,
        });
        let status = match notice {
            Some(FactorNotice::Expired) => StatusCode::FORBIDDEN,
            _ => StatusCode::OK,
        };
        let sheet = visit.sheet(page, self.locale(visit), &self.purpose()).status(status);
        Ok(visit.show(sheet.warns(visit.warning(&self.0.account))))
    }

    /// The ways of sending codes that the person may add.
    async fn sendable(&self, visit: &Visit, factors: &[Factor]) -> Result<Vec<Sendable>, Refusal> {
        let user = &self.0.account.user;
        let mut sendable = Vec::new();
        for (by, page) in [(Channel::Sms, PHONE), (Channel::Mail, "/account/email")] {
            let is_there = factors.iter().any(|factor| factor.sent_by() == Some(by));
            if !is_there && factor::may_be_sent(visit.provider(), &visit.call, user.id, by).await? {
                sendable.push(Sendable {
                    by,
                    recipient: user.confirmed(by).map(str::to_owned),
                    page: OwnPath::or_home(&self.0.at(page, None)),
                });
            }
        }
        Ok(sendable)
    }

    /// The same form has added it a moment ago: on to the codes that came with it, if they wait to be kept.
    async fn sent_by_somebody_faster(&self, visit: &Visit) -> Result<String, Refusal> {
        let (provider, user) = (visit.provider(), self.asker().user);
        let kept = factor::kept_codes(provider, &visit.call, &visit.browser, user).await?;
        Ok(match kept {
            Some(_) => self.address(CODES, None),
            None => self.address(HERE, Some(FactorNotice::SentAdded)),
        })
    }

    async fn set_up(
        &self,
        visit: &Visit,
        id: Option<Id<Factor>>,
        error: Option<NewAuthenticatorError>,
    ) -> Result<Response, Refusal> {
        let begun = match id {
            Some(id) => factor::look_at_begun(visit.provider(), &visit.call, self.asker(), id).await,
            None => Err(Error::NotFound.into()),
        };
        let begun = match begun {
            Ok(begun) => begun,
            Err(refused) => return self.go(visit, Err(refused)),
        };
        let status = match error {
            None => StatusCode::OK,
            Some(NewAuthenticatorError::Wrong) => StatusCode::UNPROCESSABLE_ENTITY,
            Some(NewAuthenticatorError::Expired) => StatusCode::FORBIDDEN,
        };
        let picture = Qr::of(begun.address.expose()).ok_or_else(Refusal::failed)?;
        let page = Page::NewAuthenticator(NewAuthenticator {
            account: shown::account(&self.0.account.user),
            action: OwnPath::or_home(&self.setting_up(NEW, begun.id)),
            back: OwnPath::or_home(&self.address(HERE, None)),
            picture,
            secret: in_groups(&begun.secret),
            shape: shape(&begun),
            digits: begun.shape.digits,
            name: begun.name,
            error,
        });
        let sheet = visit.sheet(page, self.locale(visit), &self.purpose()).status(status);
        Ok(visit.show(sheet.warns(visit.warning(&self.0.account))))
    }

    /// What was begun is there no more: maybe because the same form has confirmed it a moment ago.
    pub(super) async fn after_somebody_faster(&self, visit: &Visit, id: Id<Factor>) -> Result<String, Refusal> {
        let (provider, user) = (visit.provider(), self.0.account.user.id);
        let own = factor::own_factors(provider, user).await?;
        if !own.factors.iter().any(|factor| factor.id == id) {
            return Ok(self.address(HERE, Some(FactorNotice::Over)));
        }
        let (call, browser) = (&visit.call, &visit.browser);
        match factor::codes_that_came_with(provider, call, browser, user, id).await? {
            Some(codes) => {
                factor::keep_codes(provider, call, browser, user, &codes).await?;
                Ok(self.address(CODES, None))
            }
            None => Ok(self.address(HERE, Some(FactorNotice::Added))),
        }
    }

    /// On to the number that goes with a second factor here, or back to the list.
    async fn after_adding(&self, visit: &Visit, notice: FactorNotice) -> Result<String, Refusal> {
        let user = self.asker().user;
        if people::is_phone_wanted(visit.provider(), &visit.call, user).await? {
            return Ok(self.0.at(PHONE, Some(OwnPhoneNotice::Wanted.as_str())));
        }
        Ok(self.address(HERE, Some(notice)))
    }

    /// On to the recovery codes that came with the first factor, or back to the list.
    pub(super) async fn added(
        &self,
        visit: &Visit,
        confirmed: factor::Confirmed,
        notice: FactorNotice,
    ) -> Result<String, Refusal> {
        let Some(codes) = confirmed.recovery_codes else {
            return self.after_adding(visit, notice).await;
        };
        factor::keep_codes(visit.provider(), &visit.call, &visit.browser, self.asker().user, &codes).await?;
        Ok(self.address(CODES, None))
    }
}

fn shown_factor(factor: Factor) -> OwnFactor {
    OwnFactor {
        value: factor.id.to_string(),
        name: factor.name,
        added: factor.created_at.micros(),
        used: factor.used_at.map(|at| at.micros()),
    }
}

/// What an authenticator has to be told besides, where it is unusual.
fn shape(begun: &Begun) -> Option<(String, u8, u32)> {
    let shape = begun.shape;
    (shape != OtpShape::default()).then(|| (shape.algorithm.to_string(), shape.digits, shape.period))
}

pub(super) fn in_groups(secret: &Secret) -> String {
    let letters: Vec<char> = secret.expose().chars().collect();
    let groups = letters.chunks(GROUP).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

pub(super) fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount%2Ffactors")
}
