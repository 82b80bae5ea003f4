//! Requests for an account, where an administrator decides who has one (`registration.mode = request`): the person confirms their mail
//! address and says who they are; an administrator approves, and the person is mailed the way to the account, or refuses, and they are
//! told. What nobody decides about goes after thirty days.

use std::time::Duration;

use super::fields;
use super::registration::look;
use super::registration_limits;
use super::registration_wish::{RegistrationMode, mailed_link, registration_mode};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider, letter};
use crate::model::setting::{REGISTRATION_LINK_LIFETIME, REGISTRATION_MOST_REQUESTS};
use crate::model::{AccessRequest, AccessRequestStatus, Digest, EventKind, Fact, Id, Secret, Timestamp};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail};
use crate::view::{self, AccessStep, Locale};

/// How long a request is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What somebody says with their request; nothing where it is empty.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// What they call themselves.
    pub name: String,
    /// What they want an account for.
    pub reason: String,
    /// The language of the page.
    pub locale: String,
}

/// Looks at the link that confirms the address of a request. It changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if it leads nowhere, or nobody may ask; [`Error::Throttled`].
pub async fn look_at_access_request(provider: &Provider, call: &Call, token: &Secret) -> Result<String, Error> {
    if registration_mode(provider).await? != RegistrationMode::Request {
        return Err(Error::NotFound);
    }
    look(provider, call, token, ActionLinkKind::AccessRequest).await
}

/// Asks for an account. A newer request of the same address takes the place of the one that waits.
///
/// # Errors
/// As [`look_at_access_request`]; [`Error::Invalid`] naming what can't be taken; [`Error::Throttled`] if too many wait: the link still
/// counts then.
pub async fn request_access(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    applicant: Applicant,
) -> Result<(), Error> {
    let email = look_at_access_request(provider, call, token).await?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (name, reason) = (given(&applicant.name), given(&applicant.reason));
    let errors = fields::check_applicant(name.as_deref(), reason.as_deref());
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let most = provider.settings().await?.count(REGISTRATION_MOST_REQUESTS);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let waiting = {
        let mut store = provider.store.read().await?;
        store.count_waiting_access_requests(since(call.now), most).await?
    };
    if waiting >= i64::from(most) {
        let rule = "registration.requests_full";
        let event = call.event(EventKind::AccessRequested).refused(rule);
        provider.note_strangers_refusal(call, event, rule).await;
        let retry_after = Duration::from_secs(24 * 60 * 60);
        return Err(Error::Throttled { retry_after, rule });
    }
    let request = AccessRequest {
        id: Id::new(call.now),
        email,
        name,
        reason,
        locale: applicant.locale,
        status: AccessRequestStatus::Waiting,
        created_at: call.now,
        decided_at: None,
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx
                .use_action_link(ActionLinkKind::AccessRequest, &token.digest(), call.now)
                .await?
            {
                return Err(Error::NotFound);
            }
            tx.add_access_request(&request).await?;
            let event = call.event(EventKind::AccessRequested);
            tx.add_event(&event.fact("request", Fact::Id(request.id.uuid())))
                .await?;
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Requests with this status, the first made first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_access_requests(
    provider: &Provider,
    status: AccessRequestStatus,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<AccessRequest>, Error> {
    let mut store = provider.store.read().await?;
    let after = super::users::position(after)?;
    let found = store
        .list_access_requests(status, after, limit.saturating_add(1))
        .await?;
    Ok(Page::cut(found, limit, |request: &AccessRequest| {
        request.id.to_string()
    }))
}

/// The request of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_access_request(provider: &Provider, id: Id<AccessRequest>) -> Result<AccessRequest, Error> {
    let mut store = provider.store.read().await?;
    store.find_access_request(id).await?.ok_or(Error::NotFound)
}

/// Approves a request: the person is mailed a link to an account of their own.
///
/// # Errors
/// [`Error::NotFound`] if it does not wait any more; [`Error::Conflict`] `taken` if somebody has an account with the address by now;
/// [`Error::Invalid`] if its mail domain may not any more.
pub async fn approve_access(provider: &Provider, call: &Call, id: Id<AccessRequest>) -> Result<(), Error> {
    let request = waiting(provider, id).await?;
    registration_limits::judge_address(&*provider.settings().await?, &request.email)?;
    let found = {
        let mut store = provider.store.read().await?;
        store.find_user_by_identifier(&request.email).await?
    };
    if found.is_some() {
        return Err(Error::Conflict("taken"));
    }
    let token = Secret::generate();
    let lifetime = provider.settings().await?.duration(REGISTRATION_LINK_LIFETIME);
    let link = mailed_link(provider, "/register/new", (&token, None))?;
    let mail = told(provider, &request, AccessStep::Approved, Some((lifetime, link)))?;
    let digest = token.digest();
    let decision = Decision {
        status: AccessRequestStatus::Approved,
        link: Some((digest, call.now.after(lifetime))),
        mail,
    };
    decide(provider, call, &request, &decision).await
}

/// Refuses a request: the person is told so by mail.
///
/// # Errors
/// [`Error::NotFound`] if it does not wait any more.
pub async fn refuse_access(provider: &Provider, call: &Call, id: Id<AccessRequest>) -> Result<(), Error> {
    let request = waiting(provider, id).await?;
    let mail = told(provider, &request, AccessStep::Refused, None)?;
    let decision = Decision {
        status: AccessRequestStatus::Refused,
        link: None,
        mail,
    };
    decide(provider, call, &request, &decision).await
}

async fn waiting(provider: &Provider, id: Id<AccessRequest>) -> Result<AccessRequest, Error> {
    let request = get_access_request(provider, id).await?;
    let waits = request.status == AccessRequestStatus::Waiting;
    if waits { Ok(request) } else { Err(Error::NotFound) }
}

/// What becomes of a request.
struct Decision {
    status: AccessRequestStatus,
    /// The link to an account, and when it ends.
    link: Option<(Digest, Timestamp)>,
    mail: OutboxMail,
}

async fn decide(provider: &Provider, call: &Call, request: &AccessRequest, decision: &Decision) -> Result<(), Error> {
    let status = decision.status;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let times = (call.now, since(call.now));
            if !tx.decide_access_request(request.id, status, times).await? {
                return Err(Error::NotFound);
            }
            if let Some((digest, ends)) = &decision.link {
                tx.add_action_link(NewActionLink {
                    kind: ActionLinkKind::Registration,
                    digest,
                    user: None,
                    email: &request.email,
                    term: (call.now, *ends),
                })
                .await?;
            }
            tx.add_mail(&decision.mail, call.now).await?;
            let event = call
                .event(EventKind::AccessRequestDecided)
                .fact("request", Fact::Id(request.id.uuid()))
                .fact("status", Fact::Word(status.as_str()));
            tx.add_event(&event).await?;
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

fn told(
    provider: &Provider,
    request: &AccessRequest,
    step: AccessStep,
    link: Option<(Duration, view::Link)>,
) -> Result<OutboxMail, Error> {
    let (lifetime, link) = link.map_or((Duration::ZERO, None), |(lifetime, link)| (lifetime, Some(link)));
    let mail = view::Mail::Access(view::AccessMail {
        step,
        seconds: lifetime.as_secs(),
        address: None,
        link,
    });
    let locale = Locale::from_tag(&request.locale).unwrap_or_default();
    letter::to_stranger(provider, request.email.clone(), locale, ("access", &mail))
}

/// Requests of before count no more.
fn since(now: Timestamp) -> Timestamp {
    now.before(KEPT_FOR)
}
