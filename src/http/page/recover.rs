//! `/login/recover`: a new password, by the mailed link. Looking at it spends nothing; setting the password does.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::mailed::{MailedLink, MailedPage, Wish, try_again};
use super::{forgot, shown};
use crate::flow::{Error, people};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Form, Query, Visit};
use crate::model::{Secret, User};
use crate::view::{NotMeError, NotMeField, NotMeProblem, Page, Recover, SetupProblem};

const HERE: MailedPage = MailedPage {
    path: "/login/recover",
    purpose: "recover",
    gone: Refusal::recovery_link,
};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    password: Option<Secret>,
    password_again: Option<Secret>,
}

/// GET /login/recover
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    link.show(&visit, Shown::default(), StatusCode::OK).await
}

/// POST /login/recover
pub(super) async fn set(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &fields.csrf)? {
        let first = Shown {
            expired: true,
            ..Shown::default()
        };
        return link.show(&visit, first, StatusCode::FORBIDDEN).await;
    }
    let new = fields.password.unwrap_or_else(|| Secret::new(""));
    let mut errors = shown::gaps(&new, fields.password_again.as_ref());
    if errors.is_empty() {
        match people::recover(visit.provider(), &visit.call, &link.mailed.token, new).await {
            Ok(()) => return link.done(visit).await,
            Err(Error::Invalid(fields)) => {
                let problem = fields.first().map_or(SetupProblem::TooCommon, shown::weakness);
                errors.push(NotMeError {
                    field: NotMeField::Password,
                    problem: NotMeProblem::Password(problem),
                });
            }
            Err(Error::Busy { retry_after }) => {
                let seconds = retry_after.as_secs().max(1);
                let first = Shown {
                    wait: Some(seconds),
                    ..Shown::default()
                };
                let response = link.show(&visit, first, StatusCode::SERVICE_UNAVAILABLE).await?;
                return Ok(try_again(response, seconds));
            }
            Err(error) => return Err(link.mailed.dead(error)),
        }
    }
    let first = Shown {
        errors,
        ..Shown::default()
    };
    link.show(&visit, first, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// What there is to say first.
#[derive(Default)]
struct Shown {
    errors: Vec<NotMeError>,
    expired: bool,
    wait: Option<u64>,
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    user: User,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let user = people::look_at_recovery(visit.provider(), &visit.call, &mailed.token).await;
        let user = user.map_err(|error| mailed.dead(error))?;
        Ok(Self { mailed, user })
    }

    /// The password is set: the person signs in with it, for what they came for if this is the browser that they came with.
    async fn done(self, visit: Visit) -> Result<Response, Refusal> {
        let interaction = forgot::pending(&visit, self.mailed.flow).await?;
        let flow = interaction.as_ref().map(|it| it.id.as_str());
        let next = forgot::address("/login", flow, &[("replaced", "1")]);
        Ok(visit.keep(see_other(next.as_str())))
    }

    async fn show(&self, visit: &Visit, first: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let rules = people::password_rules_of(visit.provider(), &visit.call, self.user.id).await?;
        let page = Page::Recover(Recover {
            action: self.mailed.address(),
            account: shown::account(&self.user),
            least: rules.least,
            errors: first.errors,
            expired: first.expired,
            wait: first.wait,
        });
        let locale = visit.locale(&[], Some(&self.user));
        Ok(self.mailed.show(visit, (page, locale), status))
    }
}
