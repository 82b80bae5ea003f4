//! `/login/recover`: a new password, by the mailed link. Looking at it spends nothing; setting the password does.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::{forgot, shown};
use crate::flow::{Error, people};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{Secret, User};
use crate::view::{NotMeError, NotMeField, NotMeProblem, Page, Recover, SetupProblem};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    token: Option<Secret>,
    /// The pending authorization request that it was asked in.
    flow: Option<String>,
}

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
    match visit.check(&link.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => {
            let first = Shown {
                expired: true,
                ..Shown::default()
            };
            return link.show(&visit, first, StatusCode::FORBIDDEN).await;
        }
        Err(forgery) => return Err(forgery.into()),
    }
    let new = fields.password.unwrap_or_else(|| Secret::new(""));
    let mut errors = shown::gaps(&new, fields.password_again.as_ref());
    if errors.is_empty() {
        match people::recover(visit.provider(), &visit.call, &link.token, new).await {
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
                let mut response = link.show(&visit, first, StatusCode::SERVICE_UNAVAILABLE).await?;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                return Ok(response);
            }
            Err(error) => return Err(dead(error)),
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
    token: Secret,
    flow: Option<String>,
    user: User,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let token = wish.token.ok_or_else(Refusal::recovery_link)?;
        let user = people::look_at_recovery(visit.provider(), &visit.call, &token).await;
        Ok(Self {
            user: user.map_err(dead)?,
            token,
            flow: wish.flow,
        })
    }

    fn purpose(&self) -> String {
        format!("recover {}", self.token.expose())
    }

    /// The password is set: the person signs in with it, for what they came for if this is the browser that they came with.
    async fn done(self, visit: Visit) -> Result<Response, Refusal> {
        let interaction = forgot::pending(&visit, self.flow).await?;
        let flow = interaction.as_ref().map(|it| it.id.as_str());
        let next = forgot::address("/login", flow, &[("replaced", "1")]);
        Ok(visit.keep(see_other(next.as_str())))
    }

    async fn show(&self, visit: &Visit, first: Shown, status: StatusCode) -> Result<Response, Refusal> {
        let rules = people::password_rules_of(visit.provider(), &visit.call, self.user.id).await?;
        let token = [("token", self.token.expose())];
        let page = Page::Recover(Recover {
            action: forgot::address("/login/recover", self.flow.as_deref(), &token),
            account: shown::account(&self.user),
            least: rules.least,
            errors: first.errors,
            expired: first.expired,
            wait: first.wait,
        });
        let locale = visit.locale(&[], Some(&self.user));
        Ok(visit.show(visit.sheet(page, locale, &self.purpose()).status(status)))
    }
}

fn dead(error: Error) -> Refusal {
    match error {
        Error::NotFound => Refusal::recovery_link(),
        error => error.into(),
    }
}
