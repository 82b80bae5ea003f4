//! `/login/lock` and `/login/unlock`: the links of mails that lock an account at once, and unlock it again. Looking at one changes
//! nothing; its button does, once.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::mailed::{MailedLink, MailedPage, Wish, try_again};
use super::shown;
use crate::flow::Error;
use crate::flow::people;
use crate::http::Refusal;
use crate::http::extract::{Form, Query, Visit};
use crate::model::{Secret, Timestamp, User};
use crate::view::{AccountDoor, AccountDoorStage, NotMeError, NotMeField, NotMeProblem, OwnPath, Page, SetupProblem};

const HERE: MailedPage = MailedPage {
    path: "/login/lock",
    purpose: "lock",
    gone: Refusal::alert_link,
};

const UNLOCK: MailedPage = MailedPage {
    path: "/login/unlock",
    purpose: "unlock",
    ..HERE
};

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
}

/// What has come of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// The account is locked.
    Locked,
    /// It is unlocked.
    Unlocked,
    /// It is deleted then.
    Left(Timestamp),
    /// It is deleted.
    Gone,
}

/// The page that says what has come of it, to whoever is not in any more.
pub(super) fn said(visit: &Visit, user: &User, after: After) -> Response {
    let (stage, until) = match after {
        After::Locked => (AccountDoorStage::Locked, None),
        After::Unlocked => (AccountDoorStage::Unlocked, None),
        After::Left(at) => (AccountDoorStage::Left, Some(at.micros())),
        After::Gone => (AccountDoorStage::Gone, None),
    };
    let page = Page::AccountDoor(AccountDoor {
        stage,
        account: Some(shown::account(user)),
        action: OwnPath::or_home("/"),
        password: false,
        least: 0,
        errors: Vec::new(),
        wait: None,
        expired: false,
        until,
        sign_in: OwnPath::or_home("/login"),
    });
    visit.show(visit.plain_sheet(page, visit.locale(&[], Some(user))))
}

/// GET /login/lock
pub(super) async fn show_lock(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish, AccountDoorStage::Lock).await?;
    Ok(link.show(&visit, Vec::new(), StatusCode::OK))
}

/// POST /login/lock
pub(super) async fn lock(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish, AccountDoorStage::Lock).await?;
    if let Some(answer) = link.check(&visit, &fields)? {
        return Ok(answer);
    }
    people::lock_by_link(visit.provider(), &visit.call, &link.mailed.token)
        .await
        .map_err(|error| link.mailed.dead(error))?;
    Ok(said(&visit, &link.user, After::Locked))
}

/// GET /login/unlock
pub(super) async fn show_unlock(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish, AccountDoorStage::Unlock).await?;
    Ok(link.show(&visit, Vec::new(), StatusCode::OK))
}

/// POST /login/unlock
pub(super) async fn unlock(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish, AccountDoorStage::Unlock).await?;
    if let Some(answer) = link.check(&visit, &fields)? {
        return Ok(answer);
    }
    let new = fields.password.unwrap_or_else(|| Secret::new(""));
    if link.user.password.is_some() {
        let errors = shown::gaps(&new, fields.password_again.as_ref());
        if !errors.is_empty() {
            return Ok(link.show(&visit, errors, StatusCode::UNPROCESSABLE_ENTITY));
        }
    }
    match people::unlock_by_link(visit.provider(), &visit.call, &link.mailed.token, new).await {
        Ok(()) => Ok(said(&visit, &link.user, After::Unlocked)),
        Err(Error::Invalid(fields)) => {
            let problem = fields.first().map_or(SetupProblem::TooCommon, shown::weakness);
            let error = NotMeError {
                field: NotMeField::Password,
                problem: NotMeProblem::Password(problem),
            };
            Ok(link.show(&visit, vec![error], StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(Error::Busy { retry_after }) => {
            let seconds = retry_after.as_secs().max(1);
            link.wait = Some(seconds);
            let response = link.show(&visit, Vec::new(), StatusCode::SERVICE_UNAVAILABLE);
            Ok(try_again(response, seconds))
        }
        Err(error) => Err(link.mailed.dead(error)),
    }
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    user: User,
    stage: AccountDoorStage,
    /// The shortest password that this person may have.
    least: u32,
    expired: bool,
    wait: Option<u64>,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish, stage: AccountDoorStage) -> Result<Self, Refusal> {
        let (provider, call) = (visit.provider(), &visit.call);
        let (mailed, user) = match stage {
            AccountDoorStage::Unlock => {
                let mailed = UNLOCK.followed(wish)?;
                let user = people::look_at_unlock(provider, call, &mailed.token).await;
                (mailed, user)
            }
            _ => {
                let mailed = HERE.followed(wish)?;
                let user = people::look_at_lock(provider, call, &mailed.token).await;
                (mailed, user)
            }
        };
        let user = user.map_err(|error| mailed.dead(error))?;
        Ok(Self {
            least: people::password_rules_of(provider, call, user.id).await?.least,
            mailed,
            user,
            stage,
            expired: false,
            wait: None,
        })
    }

    /// The answer to a form that is not believed, but may be sent again.
    fn check(&mut self, visit: &Visit, fields: &Fields) -> Result<Option<Response>, Refusal> {
        if self.mailed.believes(visit, &fields.csrf)? {
            return Ok(None);
        }
        self.expired = true;
        Ok(Some(self.show(visit, Vec::new(), StatusCode::FORBIDDEN)))
    }

    fn show(&self, visit: &Visit, errors: Vec<NotMeError>, status: StatusCode) -> Response {
        let page = Page::AccountDoor(AccountDoor {
            stage: self.stage,
            account: Some(shown::account(&self.user)),
            action: self.mailed.address(),
            password: self.user.password.is_some(),
            least: self.least,
            errors,
            wait: self.wait,
            expired: self.expired,
            until: None,
            sign_in: OwnPath::or_home("/login"),
        });
        let locale = visit.locale(&[], Some(&self.user));
        self.mailed.show(visit, (page, locale), status)
    }
}
