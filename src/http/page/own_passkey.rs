//! `/account/factors/passkey`: a passkey of one's own, made by the browser.

use axum::response::Response;
use serde::Deserialize;

use super::own_factors::{HERE, Own, PASSKEY, Wish, sign_in};
use super::owner::Owner;
use super::shown::{self, Freshness};
use crate::flow::Error;
use crate::flow::factor::{self, NotChanged};
use crate::http::Refusal;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Factor, Id, Secret};
use crate::view::{FactorNotice, NewPasskey, OwnPath, Page};

/// What the script sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    /// The authenticator's answer, as JSON.
    passkey: Option<Secret>,
}

/// GET /account/factors/passkey
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    match Owner::of(&visit, wish.account).map(Own) {
        Some(own) => own.create(&visit, wish.factor, Freshness::Fresh).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account/factors/passkey
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
        Err(Forgery::Token) => return own.create(&visit, Some(id), Freshness::Expired).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let answer = fields.passkey.unwrap_or_else(|| Secret::new(""));
    let (provider, call, browser) = (visit.provider(), &visit.call, &visit.browser);
    let confirmed = factor::confirm_passkey_in(provider, call, browser, own.asker(), id, &answer).await;
    let next = match confirmed {
        Ok(confirmed) => Ok(own.added(&visit, confirmed, FactorNotice::PasskeyAdded).await?),
        // of two clicks the browser sees the answer to the second alone
        Err(NotChanged::Failed(Error::NotFound)) => Ok(own.after_somebody_faster(&visit, id).await?),
        Err(refused) => Err(refused),
    };
    own.go(&visit, next)
}

impl Own {
    async fn create(&self, visit: &Visit, id: Option<Id<Factor>>, freshness: Freshness) -> Result<Response, Refusal> {
        let begun = match id {
            Some(id) => factor::look_at_begun_passkey(visit.provider(), &visit.call, self.asker(), id).await,
            None => Err(Error::NotFound.into()),
        };
        let begun = match begun {
            Ok(begun) => begun,
            Err(refused) => return self.go(visit, Err(refused)),
        };
        let user = self.0.account.user.id;
        let taken = factor::taken_authenticators(visit.provider(), &visit.call, user).await?;
        let page = Page::NewPasskey(NewPasskey {
            taken,
            account: shown::account(&self.0.account.user),
            action: OwnPath::or_home(&self.setting_up(PASSKEY, begun.id)),
            back: OwnPath::or_home(&self.address(HERE, None)),
            name: begun.name,
            options: begun.options.to_string(),
            expired: freshness == Freshness::Expired,
        });
        let sheet = visit
            .sheet(page, self.locale(visit), &self.purpose())
            .status(freshness.status());
        Ok(visit.show(sheet.warns(visit.warning(&self.0.account))))
    }
}
