//! `/account/phone`: a person's own telephone number, confirmed by a code that is sent there, replaced or removed.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::shown;
use crate::flow::Error;
use crate::flow::people::{self, NotAsked, NotConfirmed};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, Secret, User};
use crate::view::{OwnPath, OwnPhone, OwnPhoneError, OwnPhoneNotice, Page};

const HERE: &str = "/account/phone";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
    /// What was done a moment ago.
    notice: Option<OwnPhoneNotice>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    phone: Option<String>,
    code: Option<Secret>,
    intent: Option<String>,
}

/// GET /account/phone
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish)? else {
        return Ok(visit.keep(sign_in()));
    };
    own.page(&visit, Shown::noticed(wish.notice), StatusCode::OK).await
}

/// POST /account/phone
pub(super) async fn change(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish)? else {
        return Ok(visit.keep(sign_in()));
    };
    let typed = fields.phone.as_deref().map(str::trim).unwrap_or_default().to_owned();
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return own.refused(&visit, (typed, OwnPhoneError::Expired)).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let (provider, call, asker) = (visit.provider(), &visit.call, (&own.0.account).into());
    if let Some(code) = fields.code {
        return match people::confirm_phone(provider, call, asker, &code).await {
            Ok(()) => Ok(own.done(&visit, OwnPhoneNotice::Confirmed)),
            Err(NotConfirmed::Wrong) => own.refused(&visit, (typed, OwnPhoneError::Wrong)).await,
            Err(NotConfirmed::Failed(error)) => own.failed(&visit, (typed, error)).await,
        };
    }
    let (done, notice) = match fields.intent.as_deref() {
        Some("remove") => {
            let removed = match people::remove_phone(provider, call, asker).await {
                // removed twice is removed
                Err(NotAsked::Failed(Error::NotFound)) => Ok(()),
                removed => removed,
            };
            (removed, OwnPhoneNotice::Removed)
        }
        Some("again") => {
            let Some(asked) = people::asked_phone(provider, call, asker).await? else {
                return own.refused(&visit, (typed, OwnPhoneError::Wrong)).await;
            };
            let sent = people::ask_for_phone(provider, call, asker, &asked.number).await;
            (sent, OwnPhoneNotice::Sent)
        }
        _ if typed.is_empty() => return own.refused(&visit, (typed, OwnPhoneError::Empty)).await,
        _ => {
            let sent = people::ask_for_phone(provider, call, asker, &typed).await;
            (sent, OwnPhoneNotice::Sent)
        }
    };
    match done {
        Ok(()) => Ok(own.done(&visit, notice)),
        Err(NotAsked::ProofTooOld) => Ok(visit.keep(see_other(&own.0.proving(HERE)))),
        Err(NotAsked::Same) => own.refused(&visit, (typed, OwnPhoneError::Same)).await,
        Err(NotAsked::Failed(error)) => own.failed(&visit, (typed, error)).await,
    }
}

/// What stands in the form, and what there is to say first.
struct Shown {
    phone: String,
    notice: Option<OwnPhoneNotice>,
    error: Option<OwnPhoneError>,
}

impl Shown {
    fn noticed(notice: Option<OwnPhoneNotice>) -> Self {
        Self {
            phone: String::new(),
            notice,
            error: None,
        }
    }
}

/// Whose page it is.
struct Own(Owner);

impl Own {
    fn of(visit: &Visit, wish: &Wish) -> Result<Option<Self>, Refusal> {
        if !people::are_texts_sent(visit.provider()) {
            return Err(Error::NotFound.into());
        }
        Ok(Owner::of(visit, wish.account).map(Self))
    }

    /// Bound to the session that the page shows (SEC-017).
    fn purpose(&self) -> String {
        format!("own phone {}", self.0.account.session.id)
    }

    fn done(&self, visit: &Visit, notice: OwnPhoneNotice) -> Response {
        visit.keep(see_other(&self.0.at(HERE, Some(notice.as_str()))))
    }

    async fn failed(&self, visit: &Visit, (phone, error): (String, Error)) -> Result<Response, Refusal> {
        match error {
            Error::Conflict(_) => self.refused(visit, (phone, OwnPhoneError::IsFactor)).await,
            Error::Invalid(_) => self.refused(visit, (phone, OwnPhoneError::NotANumber)).await,
            Error::Throttled { retry_after, .. } => {
                let seconds = retry_after.as_secs().max(1);
                let error = (phone, OwnPhoneError::Throttled { seconds });
                let mut response = self.refused(visit, error).await?;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            error => Err(error.into()),
        }
    }

    async fn refused(&self, visit: &Visit, (phone, error): (String, OwnPhoneError)) -> Result<Response, Refusal> {
        let status = match error {
            OwnPhoneError::Expired => StatusCode::FORBIDDEN,
            OwnPhoneError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            OwnPhoneError::IsFactor => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let shown = Shown {
            phone,
            notice: None,
            error: Some(error),
        };
        self.page(visit, shown, status).await
    }

    async fn page(&self, visit: &Visit, shown: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let account = &self.0.account;
        let user = &account.user;
        let asked = people::asked_phone(visit.provider(), &visit.call, account.into()).await?;
        let page = Page::OwnPhone(OwnPhone {
            action: OwnPath::or_home(&self.0.at(HERE, None)),
            account: shown::account(user),
            current: user.profile.phone_number.clone(),
            confirmed: user.profile.phone_number_verified,
            asked: asked.map(|asked| asked.number),
            phone: shown.phone,
            notice: shown.notice,
            error: shown.error,
            back: OwnPath::or_home(&self.0.at("/account", None)),
        });
        let locale = visit.locale(&[], Some(user));
        let sheet = visit.sheet(page, locale, &self.purpose());
        Ok(visit.show(sheet.warns(visit.warning(account)).status(status)))
    }
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount%2Fphone")
}
