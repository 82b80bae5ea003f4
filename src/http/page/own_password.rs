//! `/account/password`: a new password of one's own, for whoever knows the one until now.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::{forgot, shown};
use crate::flow::Error;
use crate::flow::people::{self, NotReplaced, Sessions};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, Secret, User};
use crate::view::{AccountNotice, NotMeError, NotMeField, NotMeProblem, OwnPassword, OwnPath, Page, SetupProblem};

const HERE: &str = "/account/password";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose password it is, where several people are signed in.
    account: Option<Id<User>>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    old_password: Option<Secret>,
    password: Option<Secret>,
    password_again: Option<Secret>,
    end_others: Option<String>,
}

/// GET /account/password
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    match Owner::of(&visit, wish.account).map(Own) {
        Some(own) => own.page(&visit, Shown::fresh(), StatusCode::OK).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account/password
pub(super) async fn change(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    let mut filled = Shown {
        end_others: fields.end_others.is_some(),
        ..Shown::fresh()
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            filled.expired = true;
            return own.page(&visit, filled, StatusCode::FORBIDDEN).await;
        }
        Err(forgery) => return Err(forgery.into()),
    }
    let given = |password: Option<Secret>| password.unwrap_or_else(|| Secret::new(""));
    let (old, new) = (given(fields.old_password), given(fields.password));
    filled.errors = shown::gaps_with_old(&old, &new, fields.password_again.as_ref());
    if !filled.errors.is_empty() {
        return own.page(&visit, filled, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let sessions = if filled.end_others {
        Sessions::EndOthers(own.0.account.session.id)
    } else {
        Sessions::Keep
    };
    let (provider, call) = (visit.provider(), &visit.call);
    let done = people::change_own_password(provider, call, own.0.account.user.id, (old, new), sessions).await;
    let error = |field, problem| vec![NotMeError { field, problem }];
    filled.errors = match done {
        Ok(()) => return Ok(visit.keep(see_other(own.account_page(Some(AccountNotice::Password)).as_str()))),
        Err(NotReplaced::Wrong) => error(NotMeField::OldPassword, NotMeProblem::Wrong),
        Err(NotReplaced::Same) => error(NotMeField::Password, NotMeProblem::Same),
        Err(NotReplaced::Weak(fields)) => {
            let problem = fields.first().map_or(SetupProblem::TooCommon, shown::weakness);
            error(NotMeField::Password, NotMeProblem::Password(problem))
        }
        Err(NotReplaced::Failed(Error::Throttled { retry_after, .. })) => {
            let seconds = retry_after.as_secs().max(1);
            filled.wait = Some(seconds);
            let mut response = own.page(&visit, filled, StatusCode::TOO_MANY_REQUESTS).await?;
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        Err(NotReplaced::Failed(error)) => return Err(error.into()),
    };
    own.page(&visit, filled, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// What stands in the form, and what there is to say first.
struct Shown {
    end_others: bool,
    errors: Vec<NotMeError>,
    expired: bool,
    wait: Option<u64>,
}

impl Shown {
    fn fresh() -> Self {
        Self {
            end_others: true,
            errors: Vec::new(),
            expired: false,
            wait: None,
        }
    }
}

/// Whose page it is.
struct Own(Owner);

impl Own {
    /// Bound to the session that the page shows (SEC-017).
    fn purpose(&self) -> String {
        format!("own password {}", self.0.account.session.id)
    }

    fn address(&self, path: &str, notice: Option<AccountNotice>) -> OwnPath {
        OwnPath::or_home(&self.0.at(path, notice.map(AccountNotice::as_str)))
    }

    fn account_page(&self, notice: Option<AccountNotice>) -> OwnPath {
        self.address("/account", notice)
    }

    async fn page(&self, visit: &Visit, filled: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let rules = people::password_rules_of(visit.provider(), &visit.call, self.0.account.user.id).await?;
        let page = Page::OwnPassword(OwnPassword {
            action: self.address(HERE, None),
            account: shown::account(&self.0.account.user),
            least: rules.least,
            end_others: filled.end_others,
            errors: filled.errors,
            wait: filled.wait,
            expired: filled.expired,
            back: self.account_page(None),
            forgot: forgot::link(visit, None),
        });
        let locale = visit.locale(&[], Some(&self.0.account.user));
        let sheet = visit.sheet(page, locale, &self.purpose());
        Ok(visit.show(sheet.warns(visit.warning(&self.0.account)).status(status)))
    }
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount%2Fpassword")
}
