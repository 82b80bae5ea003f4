//! `/api/v1/me`, the rest of it: a person's own data and picture, what happened, everything that is held about them, and what they do
//! with the whole of their account. Who asks, and how, is judged as for all of `/me`.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery};
use axum::http::header;
use axum::response::Response;
use axum::routing::{get, patch, post, put};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::body::present;
use super::me::{Asking, Own, Wish, preflight, proof_too_old};
use super::route::Method;
use super::user_body::AddressBody;
use super::{Answer, BASE, Problem, body, cursor};
use crate::flow::Error;
use crate::flow::authorization::consents;
use crate::flow::people::{
    self, NotEdited, NotExported, NotLeaving, OwnEvent, PictureNotTaken, PropertiesChange, UserChange,
};
use crate::flow::session::NotEnded;
use crate::http::{Http, Refusal};
use crate::model::{Client, Consent, Id, Property, User};
use crate::view::Device;

const READ: &str = "account.read";
const WRITE: &str = "account";
/// The list that cursors are bound to.
const EVENTS: &str = "/me/events";
const PICTURE_BYTES: usize = 1024 * 1024;
const LIMIT: u32 = 50;
const GREATEST_LIMIT: u32 = 200;

/// The routes.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(&format!("{BASE}/me"), patch(change).delete(delete))
        .route(
            &format!("{BASE}/me/picture"),
            put(set_picture)
                .delete(remove_picture)
                .options(preflight)
                .layer(DefaultBodyLimit::max(PICTURE_BYTES)),
        )
        .route(&format!("{BASE}/me/events"), get(events).options(preflight))
        .route(&format!("{BASE}/me/export"), post(export).options(preflight))
        .route(&format!("{BASE}/me/lock"), post(lock).options(preflight))
        .route(&format!("{BASE}/me/consents"), get(list_consents).options(preflight))
        .route(
            &format!("{BASE}/me/consents/{{id}}"),
            patch(narrow).delete(withdraw).options(preflight),
        )
}

/// The same for the OpenAPI document, as method, path, sentence and scope.
pub(super) const DESCRIBED: [(&str, &str, &str, &str); 10] = [
    (
        "patch",
        "/me",
        "Changes the person's own data, as far as `account.editable` lets them.",
        WRITE,
    ),
    (
        "delete",
        "/me",
        "Deletes the person's own account when the grace is over, and ends everything of it at once.",
        WRITE,
    ),
    (
        "put",
        "/me/picture",
        "Takes a PNG, JPEG or WebP as the person's picture.",
        WRITE,
    ),
    ("delete", "/me/picture", "Removes the person's picture.", WRITE),
    (
        "get",
        "/me/events",
        "What happened to the person's account, the last first.",
        READ,
    ),
    ("post", "/me/export", "Everything that is held about the person.", WRITE),
    (
        "post",
        "/me/lock",
        "Locks the person's own account and ends everything of it at once.",
        WRITE,
    ),
    (
        "get",
        "/me/consents",
        "What the person has allowed which applications.",
        READ,
    ),
    (
        "patch",
        "/me/consents/{id}",
        "Narrows what the person has allowed an application: `scope` and `claims` are what is left.",
        WRITE,
    ),
    (
        "delete",
        "/me/consents/{id}",
        "Takes everything back from an application.",
        WRITE,
    ),
];

macro_rules! profile_body {
    ($($(#[doc = $doc:literal])+ $field:ident;)+) => {
        /// A change of a person's own data: what is absent stays, `null` clears.
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct OwnProfileBody {
            /// What they sign in with, where people change that themselves.
            username: Option<String>,
            $($(#[doc = $doc])+ #[serde(deserialize_with = "present")] $field: Option<Option<String>>,)+
            /// Postal address, as a whole.
            #[serde(deserialize_with = "present")]
            address: Option<Option<AddressBody>>,
            /// What an administrator has defined beside, as far as it is theirs to change: what is not named stays, `null` clears.
            properties: BTreeMap<String, Option<Value>>,
        }

        impl OwnProfileBody {
            fn into_change(self) -> UserChange {
                UserChange {
                    username: self.username,
                    $($field: self.$field,)+
                    address: self.address.map(|address| address.map(Into::into)),
                    properties: (!self.properties.is_empty()).then(|| PropertiesChange::Patch(self.properties)),
                    ..UserChange::default()
                }
            }
        }
    };
}

profile_body! {
    /// Full name.
    name;
    /// Given name.
    given_name;
    /// Family name.
    family_name;
    /// Middle name.
    middle_name;
    /// Nickname.
    nickname;
    /// Address of a profile page, https or http.
    profile;
    /// Address of a website, https or http.
    website;
    /// Gender.
    gender;
    /// Birthday: `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.
    birthdate;
    /// Time zone: `Europe/Paris`.
    zoneinfo;
    /// Language: `en-US`.
    locale;
    /// The company that the person works for.
    company;
}

/// A person, as they are told of themselves.
pub(super) fn about(properties: &[Property], user: &User) -> Value {
    let profile = &user.profile;
    json!({
        "id": user.id.to_string(),
        "username": user.username,
        "name": user.full_name(),
        "email": user.profile.email,
        "email_verified": user.profile.email_verified,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "middle_name": profile.middle_name,
        "nickname": profile.nickname,
        "profile": profile.profile,
        "website": profile.website,
        "gender": profile.gender,
        "birthdate": profile.birthdate,
        "zoneinfo": profile.zoneinfo,
        "locale": profile.locale,
        "company": profile.company,
        "address": profile.address,
        "phone_number": profile.phone_number,
        "phone_number_verified": profile.phone_number_verified,
        "picture": profile.picture,
        "properties": people::seen_by_the_person(properties, profile),
        "expires_at": user.expires_at.map(|at| at.rfc3339()),
    })
}

/// PATCH /api/v1/me
async fn change(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let body: OwnProfileBody = body::read(&body::members(Method::Patch, &own.headers, &bytes)?)?;
            let change = body.into_change();
            match people::change_own_profile(&own.http.provider, &own.call, own.asker, change).await {
                Ok(user) => Answer::of(&about(&own.http.provider.properties().await?, &user)),
                Err(NotEdited::ProofTooOld) => Err(proof_too_old()),
                Err(NotEdited::Failed(error)) => Err(error.into()),
            }
        })
        .await
}

/// DELETE /api/v1/me
async fn delete(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            match people::delete_own_account(&own.http.provider, &own.call, own.asker).await {
                Ok(at) => Answer::of(&json!({ "deletion_at": at.rfc3339() })),
                Err(NotLeaving::ProofTooOld) => Err(proof_too_old()),
                Err(NotLeaving::NotOffered) => Err(Refusal::forbidden().into()),
                Err(NotLeaving::LastAdministrator) => Err(Error::Conflict("last_administrator").into()),
                Err(NotLeaving::Failed(error)) => Err(error.into()),
            }
        })
        .await
}

/// PUT /api/v1/me/picture
async fn set_picture(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let told = own
                .headers
                .get(header::CONTENT_TYPE)
                .and_then(|told| told.to_str().ok());
            // what it is, its own bytes say; a form of another page says something else
            if !told.is_some_and(|told| told.starts_with("image/")) {
                return Err(Refusal::media_type().into());
            }
            match people::set_own_picture(&own.http.provider, &own.call, own.asker.user, &bytes).await {
                Ok(user) => Answer::of(&json!({ "picture": user.profile.picture })),
                Err(PictureNotTaken::Fault(fault)) => Err(Error::field("", fault.as_str(), fault.to_string()).into()),
                Err(PictureNotTaken::Failed(error)) => Err(error.into()),
            }
        })
        .await
}

/// DELETE /api/v1/me/picture
async fn remove_picture(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            people::remove_own_picture(&own.http.provider, &own.call, own.asker.user).await?;
            Ok(Answer::done())
        })
        .await
}

/// GET /api/v1/me/events
async fn events(asking: Asking, RawQuery(query): RawQuery) -> Response {
    asking
        .with(Wish::Read, |own| async move {
            let (mut limit, mut after) = (LIMIT, None);
            for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
                match name.as_ref() {
                    "limit" => {
                        let read = value.parse().ok().filter(|limit| (1..=GREATEST_LIMIT).contains(limit));
                        limit = read.ok_or_else(|| Problem::bad_request("limit", "expected a number from 1 to 200"))?;
                    }
                    "after" => after = Some(cursor::read(&own.http.provider, &own.call, &own.list(EVENTS), &value)?),
                    other => {
                        let detail = format!("this list has no parameter {other}");
                        return Err(Problem::unsupported(other, detail));
                    }
                }
            }
            let page = people::own_events(&own.http.provider, own.asker.user, after.as_deref(), limit).await?;
            let next = page
                .next
                .map(|at| cursor::write(&own.http.provider, &own.call, &own.list(EVENTS), &at));
            let items: Vec<Value> = page.items.iter().map(event).collect();
            Answer::of(&json!({ "items": items, "next": next }))
        })
        .await
}

fn event(event: &OwnEvent) -> Value {
    let device = event.user_agent.as_deref().map(Device::read).unwrap_or_default();
    let mut told = event.to_json();
    if let Value::Object(members) = &mut told {
        members.remove("user_agent");
        members.insert("browser".to_owned(), json!(device.browser));
        members.insert("system".to_owned(), json!(device.system));
    }
    told
}

/// POST /api/v1/me/export
async fn export(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let _place = own.http.administration.take().await?;
            match people::export_own_data(&own.http.provider, &own.call, own.asker).await {
                Ok(held) => Answer::of(&held),
                Err(NotExported::ProofTooOld) => Err(proof_too_old()),
                Err(NotExported::Failed(error)) => Err(error.into()),
            }
        })
        .await
}

/// POST /api/v1/me/lock
async fn lock(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            people::lock_own_account(&own.http.provider, &own.call, own.asker.user).await?;
            Ok(Answer::done())
        })
        .await
}

/// GET /api/v1/me/consents
async fn list_consents(asking: Asking) -> Response {
    asking
        .with(Wish::Read, |own| async move {
            let allowed = consents::list_with_clients(&own.http.provider, own.asker.user).await?;
            let items: Vec<Value> = allowed.iter().map(consent).collect();
            Answer::of(&json!({ "items": items }))
        })
        .await
}

fn consent((consent, client): &(Consent, Client)) -> Value {
    json!({
        "id": client.id.to_string(),
        "client_id": client.client_id,
        "name": client.name(),
        "scope": consent.scope.to_string(),
        "claims": consent.claims,
        "given_at": consent.given_at.rfc3339(),
    })
}

/// What is left of what an application was allowed.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NarrowBody {
    /// Scopes, separated by blanks; all of them if absent.
    scope: Option<String>,
    /// Single claims; all of them if absent.
    claims: Option<Vec<String>>,
}

/// PATCH /api/v1/me/consents/{id}
async fn narrow(Path(id): Path<String>, asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let id = client(&id)?;
            let left: NarrowBody = body::read(&body::members(Method::Patch, &own.headers, &bytes)?)?;
            let allowed = consents::list_with_clients(&own.http.provider, own.asker.user).await?;
            let (consent, _) = allowed
                .into_iter()
                .find(|(_, client)| client.id == id)
                .ok_or(Error::NotFound)?;
            let stays = |scope: &str| {
                left.scope
                    .as_ref()
                    .is_none_or(|left| left.split_whitespace().any(|one| one == scope))
            };
            let claim_stays = |claim: &String| left.claims.as_ref().is_none_or(|left| left.contains(claim));
            let scopes = consent.scope.iter().filter(|scope| !stays(scope)).map(str::to_owned);
            let claims = consent.claims.iter().filter(|claim| !claim_stays(claim)).cloned();
            let less: Vec<String> = scopes.chain(claims).collect();
            ended(consents::narrow(&own.http.provider, &own.call, own.asker, (id, &less)).await)
        })
        .await
}

/// DELETE /api/v1/me/consents/{id}
async fn withdraw(Path(id): Path<String>, asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let id = client(&id)?;
            ended(consents::withdraw(&own.http.provider, &own.call, own.asker, id).await)
        })
        .await
}

fn client(id: &str) -> Result<Id<Client>, Problem> {
    id.parse().map_err(|_| Error::NotFound.into())
}

fn ended(ended: Result<(), NotEnded>) -> Result<Answer, Problem> {
    match ended {
        Ok(()) => Ok(Answer::done()),
        Err(NotEnded::ProofTooOld) => Err(proof_too_old()),
        Err(NotEnded::Failed(error)) => Err(error.into()),
    }
}

impl Own {
    /// A list of this person's: a cursor of somebody else's leads nowhere.
    fn list(&self, path: &str) -> String {
        format!("{path} of {}", self.asker.user)
    }
}
