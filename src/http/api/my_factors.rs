//! `/api/v1/me/factors`: a person's own second factors. Whoever changes them has proved a moment ago who they are, and once there
//! is a factor, with it: a client sends the person to sign in once more where the answer says so (RFC 9470).

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::factor_body::{FactorBody, NewFactorBody, NewKind};
use super::me::{Asking, Own, Wish, preflight};
use super::route::Method;
use super::{Answer, BASE, Problem, body};
use crate::flow::factor::{self, NotChanged};
use crate::flow::{Error, people, session};
use crate::http::Http;
use crate::model::{Channel, Factor, Id, Reason, Secret};
use crate::protocol::acr;

/// The routes of a person's own second factors.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(&format!("{BASE}/me/factors"), get(list).post(begin).options(preflight))
        .route(
            &format!("{BASE}/me/factors/recovery-codes"),
            post(renew).options(preflight),
        )
        .route(
            &format!("{BASE}/me/factors/remembered-devices"),
            delete(ask_everywhere).options(preflight),
        )
        .route(
            &format!("{BASE}/me/factors/{{id}}"),
            patch(rename).delete(remove).options(preflight),
        )
        .route(
            &format!("{BASE}/me/factors/{{id}}/confirm"),
            post(confirm).options(preflight),
        )
}

/// What a change brings.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Proving {
    /// Of an authenticator.
    code: Option<Secret>,
    /// What the browser answered, for a passkey.
    credential: Option<Value>,
}

/// GET /api/v1/me/factors
async fn list(asking: Asking) -> Response {
    asking
        .with(Wish::Read, |own| async move {
            let found = factor::own_factors(&own.http.provider, own.asker.user).await?;
            let items: Vec<FactorBody> = found.factors.into_iter().map(FactorBody::of).collect();
            Answer::of(&json!({
                "items": items,
                "recovery_codes": found.recovery_codes,
                "phone_wanted": is_phone_wanted(&own).await,
            }))
        })
        .await
}

/// POST /api/v1/me/factors
async fn begin(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move { begin_one(&own, &bytes).await })
        .await
}

async fn begin_one(own: &Own, bytes: &[u8]) -> Result<Answer, Problem> {
    let new: NewFactorBody = body::read(&body::members(Method::Post, &own.headers, bytes)?)?;
    let new = match new.into_new()? {
        NewKind::Totp(new) => new,
        NewKind::Passkey(name) => return begin_passkey(own, &name).await,
        NewKind::Sent(channel, name) => return add_sent(own, (channel, &name)).await,
    };
    let begun = factor::begin(&own.http.provider, &own.call, own.asker, new).await;
    let begun = begun.map_err(refused)?;
    let shown = json!({
        "id": begun.id.to_string(),
        "name": begun.name,
        "secret": begun.secret.expose(),
        "address": begun.address.expose(),
        "algorithm": begun.shape.algorithm,
        "digits": begun.shape.digits,
        "period": begun.shape.period,
        "expires_at": begun.until.rfc3339(),
    });
    Answer::created(format!("{BASE}/me/factors/{}", begun.id), &shown)
}

/// It counts at once: where the codes go to is confirmed already.
async fn add_sent(own: &Own, (channel, name): (Channel, &str)) -> Result<Answer, Problem> {
    let added = factor::add_sent(&own.http.provider, &own.call, own.asker, (channel, name)).await;
    let added = added.map_err(refused)?;
    let shown = json!({
        "id": added.id.to_string(),
        "name": name.trim(),
        "recovery_codes": added.recovery_codes.as_deref().map(plain),
        "phone_wanted": is_phone_wanted(own).await,
    });
    Answer::created(format!("{BASE}/me/factors/{}", added.id), &shown)
}

async fn begin_passkey(own: &Own, name: &str) -> Result<Answer, Problem> {
    let begun = factor::begin_passkey(&own.http.provider, &own.call, own.asker, name).await;
    let begun = begun.map_err(refused)?;
    let shown = json!({
        "id": begun.id.to_string(),
        "name": begun.name,
        "public_key": begun.options,
        "expires_at": begun.until.rfc3339(),
    });
    Answer::created(format!("{BASE}/me/factors/{}", begun.id), &shown)
}

/// POST /api/v1/me/factors/{id}/confirm
async fn confirm(Path(id): Path<String>, asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move { confirm_one(&own, &id, &bytes).await })
        .await
}

async fn confirm_one(own: &Own, id: &str, bytes: &[u8]) -> Result<Answer, Problem> {
    let id = named(id)?;
    let proving: Proving = body::read(&body::members(Method::Post, &own.headers, bytes)?)?;
    let (provider, call) = (&own.http.provider, &own.call);
    let confirmed = match (proving.credential, proving.code) {
        (Some(credential), _) => {
            let answer = Secret::new(credential.to_string());
            factor::confirm_passkey(provider, call, own.asker, id, &answer).await
        }
        (None, Some(code)) => factor::confirm(provider, call, own.asker, id, &code).await,
        (None, None) => {
            let detail = "expected the code that the authenticator shows; for a passkey its credential";
            return Err(Error::field("/code", "required", detail).into());
        }
    };
    let confirmed = confirmed.map_err(refused)?;
    Answer::of(&json!({
        "id": confirmed.id.to_string(),
        "recovery_codes": confirmed.recovery_codes.as_deref().map(plain),
        "phone_wanted": is_phone_wanted(own).await,
    }))
}

/// PATCH /api/v1/me/factors/{id}
async fn rename(Path(id): Path<String>, asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let id = named(&id)?;
            let change: Named = body::read(&body::members(Method::Patch, &own.headers, &bytes)?)?;
            done(factor::rename(&own.http.provider, &own.call, own.asker, id, &change.name).await)
        })
        .await
}

/// DELETE /api/v1/me/factors/{id}
async fn remove(Path(id): Path<String>, asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            done(factor::remove(&own.http.provider, &own.call, own.asker, named(&id)?).await)
        })
        .await
}

/// DELETE /api/v1/me/factors/remembered-devices
async fn ask_everywhere(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            factor::ask_everywhere(&own.http.provider, &own.call, own.asker).await?;
            Ok(Answer::done())
        })
        .await
}

/// POST /api/v1/me/factors/recovery-codes
async fn renew(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let codes = factor::renew_recovery_codes(&own.http.provider, &own.call, own.asker).await;
            let codes = codes.map_err(refused)?;
            Answer::of(&json!({ "recovery_codes": plain(&codes) }))
        })
        .await
}

/// Whether a number goes with what the person has. The factor counts and its codes are told this once, whether or not that can be said.
async fn is_phone_wanted(own: &Own) -> bool {
    let wanted = people::is_phone_wanted(&own.http.provider, &own.call, own.asker.user).await;
    wanted.unwrap_or_default()
}

fn named(id: &str) -> Result<Id<Factor>, Problem> {
    id.parse().map_err(|_| Error::NotFound.into())
}

fn plain(codes: &[Secret]) -> Vec<&str> {
    codes.iter().map(Secret::expose).collect()
}

fn done(done: Result<(), NotChanged>) -> Result<Answer, Problem> {
    done.map(|()| Answer::done()).map_err(refused)
}

/// RFC 9470 section 3: how the person has to prove themselves, in the challenge.
fn refused(not_changed: NotChanged) -> Problem {
    let seconds = session::PROOF_GOOD_FOR.as_secs();
    let (detail, demand, rule) = match not_changed {
        NotChanged::ProofTooOld => (
            "the person has to prove once more who they are",
            format!("max_age=\"{seconds}\""),
            "api.proof_too_old",
        ),
        NotChanged::ProofTooWeak => (
            "the person has to prove once more who they are, with a second factor",
            format!("acr_values=\"{}\", max_age=\"{seconds}\"", acr::MULTIPLE),
            "api.proof_too_weak",
        ),
        NotChanged::Wrong => {
            return Error::field(
                "/code",
                "wrong",
                "this is not the code that the authenticator shows now",
            )
            .into();
        }
        NotChanged::Passkey(fault) => return Error::field("/credential", "wrong", fault.to_string()).into(),
        NotChanged::Failed(error) => return error.into(),
    };
    let challenge = format!("Bearer error=\"insufficient_user_authentication\", {demand}");
    Problem::unauthenticated(detail, challenge, Reason::new(rule))
}
