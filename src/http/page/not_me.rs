//! `/login/not-me`: the link in the mail about a new device. Looking at it changes nothing; its button does, once.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::account_door::{self, After};
use super::mailed::{MailedLink, MailedPage, Wish, try_again};
use super::{forgot, shown};
use crate::flow::Error;
use crate::flow::people::{self, Alert, NotReplaced, Stage};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Form, Query, Visit};
use crate::model::Secret;
use crate::view::{Device, NotMe, NotMeError, NotMeField, NotMeProblem, NotMeStage, OwnPath, Page, SetupProblem};

const HERE: MailedPage = MailedPage {
    path: "/login/not-me",
    purpose: "not me",
    gone: Refusal::alert_link,
};

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    intent: Option<String>,
    old_password: Option<Secret>,
    password: Option<Secret>,
    password_again: Option<Secret>,
}

/// GET /login/not-me
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let link = Followed::open(&visit, wish).await?;
    Ok(link.show(&visit, Vec::new(), StatusCode::OK))
}

/// POST /login/not-me
pub(super) async fn act(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let mut link = Followed::open(&visit, wish).await?;
    if !link.mailed.believes(&visit, &fields.csrf)? {
        link.expired = true;
        return Ok(link.show(&visit, Vec::new(), StatusCode::FORBIDDEN));
    }
    let (provider, call) = (visit.provider(), &visit.call);
    if fields.intent.as_deref() == Some("not_me") {
        people::disown_device(provider, call, &link.mailed.token)
            .await
            .map_err(|error| link.mailed.dead(error))?;
        return Ok(visit.keep(see_other(link.mailed.address().as_str())));
    }
    if fields.intent.as_deref() == Some("lock") && link.alert.user.is_active(visit.call.now) {
        people::lock_by_alert(provider, call, &link.mailed.token)
            .await
            .map_err(|error| link.mailed.dead(error))?;
        return Ok(account_door::said(&visit, &link.alert.user, After::Locked));
    }
    if link.alert.stage != Stage::Replace {
        return Ok(visit.keep(see_other(link.mailed.address().as_str())));
    }
    let given = |password: Option<Secret>| password.unwrap_or_else(|| Secret::new(""));
    let (old, new) = (given(fields.old_password), given(fields.password));
    let errors = shown::gaps_with_old(&old, &new, fields.password_again.as_ref());
    if !errors.is_empty() {
        return Ok(link.show(&visit, errors, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let error = |field, problem| vec![NotMeError { field, problem }];
    let errors = match people::replace_password(provider, call, &link.mailed.token, (old, new)).await {
        Ok(()) => return Ok(visit.keep(see_other(link.mailed.address().as_str()))),
        Err(NotReplaced::Wrong) => error(NotMeField::OldPassword, NotMeProblem::Wrong),
        Err(NotReplaced::Same) => error(NotMeField::Password, NotMeProblem::Same),
        Err(NotReplaced::Weak(fields)) => {
            let problem = fields.first().map_or(SetupProblem::TooCommon, shown::weakness);
            error(NotMeField::Password, NotMeProblem::Password(problem))
        }
        Err(NotReplaced::Failed(Error::Throttled { retry_after, .. })) => {
            let seconds = retry_after.as_secs().max(1);
            link.wait = Some(seconds);
            let response = link.show(&visit, Vec::new(), StatusCode::TOO_MANY_REQUESTS);
            return Ok(try_again(response, seconds));
        }
        Err(NotReplaced::Failed(error)) => return Err(link.mailed.dead(error)),
    };
    Ok(link.show(&visit, errors, StatusCode::UNPROCESSABLE_ENTITY))
}

/// A link that was followed.
struct Followed {
    mailed: MailedLink,
    alert: Alert,
    /// The shortest password that this person may have.
    least: u32,
    expired: bool,
    wait: Option<u64>,
}

impl Followed {
    async fn open(visit: &Visit, wish: Wish) -> Result<Self, Refusal> {
        let mailed = HERE.followed(wish)?;
        let alert = people::look_at_alert(visit.provider(), &visit.call, &mailed.token).await;
        let alert = alert.map_err(|error| mailed.dead(error))?;
        let rules = people::password_rules_of(visit.provider(), &visit.call, alert.user.id).await?;
        Ok(Self {
            alert,
            least: rules.least,
            mailed,
            expired: false,
            wait: None,
        })
    }

    fn show(&self, visit: &Visit, errors: Vec<NotMeError>, status: StatusCode) -> Response {
        let (alert, device) = (&self.alert, self.alert.device.as_ref());
        let page = Page::NotMe(NotMe {
            action: self.mailed.address(),
            account: shown::account(&alert.user),
            device: device
                .and_then(|device| device.user_agent.as_deref())
                .map(Device::read)
                .unwrap_or_default(),
            place: device.and_then(|device| shown::whereabouts(device.place.clone(), device.address.clone())),
            at: alert.at.micros(),
            stage: match alert.stage {
                Stage::Open => NotMeStage::Open,
                Stage::Replace => NotMeStage::Replace,
                Stage::Done => NotMeStage::Done,
            },
            least: self.least,
            errors,
            wait: self.wait,
            expired: self.expired,
            sign_in: OwnPath::or_home("/login"),
            forgot: forgot::link(visit, None),
        });
        let locale = visit.locale(&[], Some(&alert.user));
        self.mailed.show(visit, (page, locale), status)
    }
}
