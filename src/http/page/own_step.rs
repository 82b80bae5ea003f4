//! `/account/export`, `/account/lock` and `/account/delete`: what a person does with the whole of their account.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::account_door::{self, After};
use super::owner::Owner;
use super::shown;
use crate::flow::people::{self, NotExported, NotLeaving};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Id, User};
use crate::view::{OwnPath, OwnStep, OwnStepKind, OwnStepProblem, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    sure: Option<String>,
}

/// GET /account/export
pub(super) async fn show_export(visit: Visit, wish: Query<Wish>) -> Result<Response, Refusal> {
    show(&visit, wish, OwnStepKind::Export).await
}

/// GET /account/lock
pub(super) async fn show_lock(visit: Visit, wish: Query<Wish>) -> Result<Response, Refusal> {
    show(&visit, wish, OwnStepKind::Lock).await
}

/// GET /account/delete
pub(super) async fn show_delete(visit: Visit, wish: Query<Wish>) -> Result<Response, Refusal> {
    show(&visit, wish, OwnStepKind::Delete).await
}

async fn show(visit: &Visit, Query(wish): Query<Wish>, what: OwnStepKind) -> Result<Response, Refusal> {
    match Own::of(visit, &wish, what) {
        Some(own) => own.page(visit, None, StatusCode::OK).await,
        None => Ok(visit.keep(sign_in(what))),
    }
}

/// POST /account/export
pub(super) async fn export(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish, OwnStepKind::Export) else {
        return Ok(visit.keep(sign_in(OwnStepKind::Export)));
    };
    if let Err(answer) = own.check(&visit, &fields).await? {
        return Ok(answer);
    }
    let asker = (&own.owner.account).into();
    let _place = visit.http.administration.take().await?;
    match people::export_own_data(visit.provider(), &visit.call, asker).await {
        Ok(held) => Ok(visit.keep(file(&held))),
        Err(NotExported::ProofTooOld) => Ok(visit.keep(see_other(&own.proving()))),
        Err(NotExported::Failed(error)) => Err(error.into()),
    }
}

fn file(held: &serde_json::Value) -> Response {
    let text = serde_json::to_string_pretty(held).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"account.json\""),
        ),
    ];
    (headers, text).into_response()
}

/// POST /account/lock
pub(super) async fn lock(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish, OwnStepKind::Lock) else {
        return Ok(visit.keep(sign_in(OwnStepKind::Lock)));
    };
    if let Err(answer) = own.check(&visit, &fields).await? {
        return Ok(answer);
    }
    let id = own.owner.account.user.id;
    people::lock_own_account(visit.provider(), &visit.call, id).await?;
    visit.browser.forget(id);
    Ok(account_door::said(&visit, &own.owner.account.user, After::Locked))
}

/// POST /account/delete
pub(super) async fn delete(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish, OwnStepKind::Delete) else {
        return Ok(visit.keep(sign_in(OwnStepKind::Delete)));
    };
    if let Err(answer) = own.check(&visit, &fields).await? {
        return Ok(answer);
    }
    if fields.sure.is_none() {
        let problem = Some(OwnStepProblem::Sure);
        return own.page(&visit, problem, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let account = &own.owner.account;
    match people::delete_own_account(visit.provider(), &visit.call, account.into()).await {
        Ok(at) => {
            visit.browser.forget(account.user.id);
            let after = if at > visit.call.now {
                After::Left(at)
            } else {
                After::Gone
            };
            Ok(account_door::said(&visit, &account.user, after))
        }
        Err(NotLeaving::ProofTooOld) => Ok(visit.keep(see_other(&own.proving()))),
        Err(NotLeaving::NotOffered) => Err(Refusal::not_found()),
        Err(NotLeaving::LastAdministrator) => {
            let problem = Some(OwnStepProblem::LastAdministrator);
            own.page(&visit, problem, StatusCode::CONFLICT).await
        }
        Err(NotLeaving::Failed(error)) => Err(error.into()),
    }
}

/// Whose page it is.
struct Own {
    owner: Owner,
    what: OwnStepKind,
}

impl Own {
    fn of(visit: &Visit, wish: &Wish, what: OwnStepKind) -> Option<Self> {
        Owner::of(visit, wish.account).map(|owner| Self { owner, what })
    }

    /// The answer to a form that is not believed, but may be sent again.
    async fn check(&self, visit: &Visit, fields: &Fields) -> Result<Result<(), Response>, Refusal> {
        match visit.check(&self.purpose(), &fields.csrf) {
            Ok(()) => Ok(Ok(())),
            Err(Forgery::Token) => {
                let problem = Some(OwnStepProblem::Expired);
                Ok(Err(self.page(visit, problem, StatusCode::FORBIDDEN).await?))
            }
            Err(forgery) => Err(forgery.into()),
        }
    }

    /// Bound to the session that the page shows (SEC-017).
    fn purpose(&self) -> String {
        format!("own {} {}", self.what.as_str(), self.owner.account.session.id)
    }

    fn proving(&self) -> String {
        self.owner.proving(path(self.what))
    }

    async fn page(
        &self,
        visit: &Visit,
        problem: Option<OwnStepProblem>,
        status: StatusCode,
    ) -> Result<Response, Refusal> {
        let (provider, user) = (visit.provider(), &self.owner.account.user);
        let grace = people::deletion_grace(provider, &visit.call, user.id).await?;
        if self.what == OwnStepKind::Delete && grace.is_none() {
            return Err(Refusal::not_found());
        }
        let page = Page::OwnStep(OwnStep {
            what: self.what,
            account: shown::account(user),
            action: OwnPath::or_home(&self.owner.at(path(self.what), None)),
            grace: grace.unwrap_or_default().as_secs(),
            mailed: user.profile.email.is_some() && people::is_recovery_enabled(provider).await?,
            problem,
            back: OwnPath::or_home(&self.owner.at("/account", None)),
        });
        let locale = visit.locale(&[], Some(user));
        let sheet = visit.sheet(page, locale, &self.purpose());
        Ok(visit.show(sheet.warns(visit.warning(&self.owner.account)).status(status)))
    }
}

const fn path(what: OwnStepKind) -> &'static str {
    match what {
        OwnStepKind::Export => "/account/export",
        OwnStepKind::Lock => "/account/lock",
        OwnStepKind::Delete => "/account/delete",
    }
}

fn sign_in(what: OwnStepKind) -> Response {
    see_other(match what {
        OwnStepKind::Export => "/login?return_to=%2Faccount%2Fexport",
        OwnStepKind::Lock => "/login?return_to=%2Faccount%2Flock",
        OwnStepKind::Delete => "/login?return_to=%2Faccount%2Fdelete",
    })
}
