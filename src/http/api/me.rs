//! `/api/v1/me`: a person's own account, sessions and devices, for the person: by a token with the scope `account.read` or `account`, or
//! by the session cookie, for the first-party applications of the same site.
//!
//! A cookie is sent by whatever page the browser shows, so with it counts where the request was begun: on a page of this
//! server, or at an origin that a trusted client registered which this very session serves (SEC-525). Changes need a header
//! besides that no form can send, and whoever ends sessions has proved a moment ago who they are (SEC-175).

use axum::Extension;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::my_account::about;
use super::route::Method;
use super::terms::AcceptanceBody;
use super::{Answer, BASE, Problem, bearer, body};
use crate::flow::people::{self, DeviceAct, NotReplaced, OfflineGrants};
use crate::flow::session::{self, Asker, Browser, NotEnded, OwnEnd, OwnSession};
use crate::flow::token::verify;
use crate::flow::{Call, Error, terms};
use crate::http::{Http, Refusal};
use crate::model::{self, Id, Reason, Secret, Session, User};
use crate::view::Device;

const READ: &str = "account.read";
const WRITE: &str = "account";
/// What no form and no link can send.
const BY_SCRIPT: &str = "x-requested-with";

/// The routes of a person's own account.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(&format!("{BASE}/me"), get(show).options(preflight))
        .route(&format!("{BASE}/me/sessions"), get(list).options(preflight))
        .route(&format!("{BASE}/me/sessions/{{id}}"), delete(end).options(preflight))
        .route(&format!("{BASE}/me/password"), post(change_password).options(preflight))
        .route(&format!("{BASE}/me/terms"), get(list_terms).options(preflight))
        .route(&format!("{BASE}/me/devices"), get(list_devices).options(preflight))
        .route(
            &format!("{BASE}/me/devices/{{id}}/{{act}}"),
            post(change_device).options(preflight),
        )
}

/// The same for the OpenAPI document, as method, path, sentence and scope.
pub(super) const DESCRIBED: [(&str, &str, &str, &str); 17] = [
    ("get", "/me", "The person's own account.", READ),
    ("get", "/me/sessions", "The person's own sessions.", READ),
    (
        "delete",
        "/me/sessions/{id}",
        "Ends one of the person's own sessions.",
        WRITE,
    ),
    (
        "post",
        "/me/password",
        "Replaces the person's own password, shown the one until now.",
        WRITE,
    ),
    (
        "post",
        "/me/email",
        "Asks for a mail address to be the person's, or to be confirmed: links are mailed.",
        WRITE,
    ),
    (
        "post",
        "/me/email/confirm",
        "Answers a mailed link; `confirmed` is false while the one at the other address waits.",
        WRITE,
    ),
    (
        "post",
        "/me/phone",
        "Asks for a telephone number to be the person's: a code is sent there.",
        WRITE,
    ),
    (
        "post",
        "/me/phone/confirm",
        "Makes the number the person's that the code was sent to.",
        WRITE,
    ),
    (
        "delete",
        "/me/phone",
        "Takes the person's telephone number away.",
        WRITE,
    ),
    (
        "get",
        "/me/terms",
        "The terms of use that the person has accepted.",
        READ,
    ),
    ("get", "/me/factors", "The person's own second factors.", READ),
    (
        "post",
        "/me/factors",
        "Begins an authenticator, whose secret is told once, or a passkey; it counts when it is confirmed.",
        WRITE,
    ),
    (
        "post",
        "/me/factors/{id}/confirm",
        "Confirms an authenticator by a code of it, or a passkey by what the browser answered; the first one comes with recovery codes.",
        WRITE,
    ),
    ("patch", "/me/factors/{id}", "Renames a second factor.", WRITE),
    ("delete", "/me/factors/{id}", "Removes a second factor.", WRITE),
    (
        "post",
        "/me/factors/recovery-codes",
        "Makes new recovery codes in the place of all that there are.",
        WRITE,
    ),
    (
        "delete",
        "/me/factors/remembered-devices",
        "Has the second factor asked for on every device again.",
        WRITE,
    ),
];

/// GET /api/v1/me
async fn show(asking: Asking) -> Response {
    asking.answer(Act::Show).await
}

/// GET /api/v1/me/sessions
async fn list(asking: Asking) -> Response {
    asking.answer(Act::Sessions).await
}

/// DELETE /api/v1/me/sessions/{id}
async fn end(Path(id): Path<String>, asking: Asking) -> Response {
    asking.answer(Act::End(id)).await
}

/// What is sent to replace a password.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PasswordBody {
    /// The one until now.
    #[schemars(with = "Option<String>")]
    current_password: Option<Secret>,
    /// The new one.
    #[schemars(with = "Option<String>")]
    password: Option<Secret>,
    /// Whether the person is signed out everywhere else: so unless it is `false`.
    end_other_sessions: Option<bool>,
}

/// POST /api/v1/me/password
async fn change_password(asking: Asking, bytes: Bytes) -> Response {
    asking.answer(Act::Password(bytes)).await
}

async fn replace_password(
    http: &Http,
    call: &Call,
    asker: Asker,
    (headers, bytes): (&HeaderMap, &Bytes),
) -> Result<Answer, Problem> {
    let body: PasswordBody = body::read(&body::members(Method::Post, headers, bytes)?)?;
    let sessions = match body.end_other_sessions {
        Some(false) => people::Sessions::Keep,
        _ => people::Sessions::EndOthers(asker.session),
    };
    let given = |password: Option<Secret>| password.unwrap_or_else(|| Secret::new(""));
    let passwords = (given(body.current_password), given(body.password));
    match people::change_own_password(&http.provider, call, asker.user, passwords, sessions).await {
        Ok(()) => Ok(Answer::done()),
        Err(NotReplaced::Wrong) => {
            let detail = "this is not the person's password";
            Err(Error::field("/current_password", "wrong", detail).into())
        }
        Err(NotReplaced::Same) => {
            Err(Error::field("/password", "unchanged", "the new password is the one until now").into())
        }
        Err(NotReplaced::Weak(fields)) => Err(Error::Invalid(fields).into()),
        Err(NotReplaced::Failed(error)) => Err(error.into()),
    }
}

/// GET /api/v1/me/terms
async fn list_terms(asking: Asking) -> Response {
    asking.answer(Act::Terms).await
}

/// GET /api/v1/me/devices
async fn list_devices(asking: Asking) -> Response {
    asking.answer(Act::Devices).await
}

/// POST /api/v1/me/devices/{id}/block, `unblock` and `admit`
async fn change_device(Path((id, act)): Path<(String, String)>, asking: Asking) -> Response {
    asking.answer(Act::ChangeDevice { id, act }).await
}

/// What is asked for.
enum Act {
    Show,
    Sessions,
    End(String),
    /// The body.
    Password(Bytes),
    Terms,
    Devices,
    ChangeDevice {
        id: String,
        act: String,
    },
}

impl Act {
    const fn wish(&self) -> Wish {
        match self {
            Self::Show | Self::Sessions | Self::Terms | Self::Devices => Wish::Read,
            Self::End(_) | Self::Password(_) | Self::ChangeDevice { .. } => Wish::Change,
        }
    }
}

/// A request, whoever it comes from.
pub(super) struct Asking {
    http: Http,
    call: Call,
    headers: HeaderMap,
    browser: Browser,
}

impl FromRequestParts<Http> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        let browser = Browser::from_request_parts(parts, http).await?;
        let Ok(Extension(call)) = Extension::<Call>::from_request_parts(parts, http).await else {
            return Err(Refusal::failed());
        };
        Ok(Self {
            http: http.clone(),
            call,
            headers: parts.headers.clone(),
            browser,
        })
    }
}

/// A request of somebody who asks about themselves.
pub(super) struct Own {
    pub(super) http: Http,
    pub(super) call: Call,
    pub(super) headers: HeaderMap,
    pub(super) asker: Asker,
}

impl Asking {
    /// Asks who it is, does it, and answers.
    pub(super) async fn with<F>(self, wish: Wish, act: impl FnOnce(Own) -> F) -> Response
    where
        F: Future<Output = Result<Answer, Problem>>,
    {
        let Self {
            http,
            call,
            headers,
            browser,
        } = self;
        let answered = match Myself::of(&http, &call, &headers, &browser, wish).await {
            Ok(myself) => {
                let own = Own {
                    http,
                    call: call.clone(),
                    headers: headers.clone(),
                    asker: myself.asker,
                };
                let answer = act(own).await;
                Ok((myself, answer))
            }
            Err(problem) => Err(problem),
        };
        respond(&call, &headers, answered)
    }

    async fn answer(self, act: Act) -> Response {
        let (call, headers) = (&self.call, &self.headers);
        let answered = match Myself::of(&self.http, call, headers, &self.browser, act.wish()).await {
            Ok(myself) => {
                let answer = perform(&self.http, call, (&myself, headers), act).await;
                Ok((myself, answer))
            }
            Err(problem) => Err(problem),
        };
        respond(call, headers, answered)
    }
}

async fn perform(
    http: &Http,
    call: &Call,
    (myself, headers): (&Myself, &HeaderMap),
    act: Act,
) -> Result<Answer, Problem> {
    match act {
        Act::Show => Answer::of(&about(&http.provider.properties().await?, &myself.user)),
        Act::Sessions => {
            let sessions = session::own_sessions(&http.provider, call, myself.asker).await?;
            let items: Vec<Value> = sessions.into_iter().map(entry).collect();
            Answer::of(&json!({ "items": items }))
        }
        Act::End(id) => end_one(http, call, myself.asker, &id).await,
        Act::Password(bytes) => replace_password(http, call, myself.asker, (headers, &bytes)).await,
        Act::Terms => {
            let accepted = terms::accepted_by(&http.provider, myself.user.id).await?;
            let items: Vec<AcceptanceBody> = accepted.into_iter().map(AcceptanceBody::of).collect();
            Answer::of(&json!({ "items": items }))
        }
        Act::Devices => {
            let own = people::own_devices(&http.provider, call, myself.asker).await?;
            let items: Vec<Value> = own.devices.into_iter().map(|known| device(known, own.here)).collect();
            Answer::of(&json!({ "items": items }))
        }
        Act::ChangeDevice { id, act } => change_one(http, call, myself.asker, (&id, &act)).await,
    }
}

async fn change_one(http: &Http, call: &Call, asker: Asker, (id, act): (&str, &str)) -> Result<Answer, Problem> {
    let id: Id<model::Device> = id.parse().map_err(|_| Error::NotFound)?;
    let act = match act {
        "block" => DeviceAct::Block(OfflineGrants::End),
        "unblock" => DeviceAct::Unblock,
        "admit" => DeviceAct::Admit,
        _ => return Err(Error::NotFound.into()),
    };
    done(people::change_own_device(&http.provider, call, asker, id, act).await)
}

async fn end_one(http: &Http, call: &Call, asker: Asker, id: &str) -> Result<Answer, Problem> {
    let id: Id<Session> = id.parse().map_err(|_| Error::NotFound)?;
    if id == asker.session {
        return Err(Error::Conflict("this is the session that asks: it ends by signing out").into());
    }
    done(session::end_own(&http.provider, call, asker, OwnEnd::One(id)).await)
}

fn done(done: Result<(), NotEnded>) -> Result<Answer, Problem> {
    match done {
        Ok(()) => Ok(Answer::done()),
        Err(NotEnded::ProofTooOld) => Err(proof_too_old()),
        Err(NotEnded::Failed(error)) => Err(error.into()),
    }
}

/// RFC 9470 section 3: the person has to prove once more who they are.
pub(super) fn proof_too_old() -> Problem {
    Problem::proof_too_old()
}

/// Whether it changes anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Read,
    Change,
}

/// Who asks about themselves.
struct Myself {
    user: User,
    asker: Asker,
    /// Whose page may read the answer.
    reader: Option<HeaderValue>,
    /// Whether that page shows the person's cookie.
    by_cookie: bool,
}

impl Myself {
    async fn of(http: &Http, call: &Call, headers: &HeaderMap, browser: &Browser, wish: Wish) -> Result<Self, Problem> {
        if let Some(token) = bearer::token(headers)? {
            return Self::by_token(http, call, headers, &token, wish).await;
        }
        Self::by_cookie(http, headers, browser, wish).await
    }

    async fn by_token(
        http: &Http,
        call: &Call,
        headers: &HeaderMap,
        token: &Secret,
        wish: Wish,
    ) -> Result<Self, Problem> {
        let audience = http.provider.issuer.api();
        let verified = match verify::access_token(&http.provider, call, token, &audience).await {
            Ok(verified) => verified,
            Err(Error::OAuth(error)) => {
                let detail = "the token is unknown, expired, revoked or not meant for this API";
                let challenge = "Bearer error=\"invalid_token\"".to_owned();
                return Err(Problem::unauthenticated(detail, challenge, error.reason()));
            }
            Err(other) => return Err(other.into()),
        };
        let needed = match wish {
            Wish::Read => READ,
            Wish::Change => WRITE,
        };
        let scope = &verified.claims.scope;
        let (Some(person), Some(grant)) = (&verified.person, &verified.grant) else {
            return Err(Problem::forbidden(needed).permission(needed));
        };
        if !(scope.contains(WRITE) || wish == Wish::Read && scope.contains(READ)) {
            return Err(Problem::forbidden(needed).permission(needed));
        }
        let origin = headers.get(header::ORIGIN);
        let reader = origin.filter(|origin| {
            let registered = &verified.client.metadata.allowed_cors_origins;
            origin
                .to_str()
                .is_ok_and(|origin| registered.iter().any(|known| known == origin))
        });
        Ok(Self {
            user: person.user.clone(),
            asker: Asker {
                user: person.user.id,
                session: grant.session,
                proved: grant.terms.auth_time,
                is_multiple: session::is_multiple(&grant.terms.amr),
            },
            reader: reader.cloned(),
            by_cookie: false,
        })
    }

    async fn by_cookie(http: &Http, headers: &HeaderMap, browser: &Browser, wish: Wish) -> Result<Self, Problem> {
        let Some(account) = browser.accounts.first() else {
            let detail = "nobody is signed in in this browser, and there is no token";
            let reason = Reason::new("api.token_missing");
            return Err(Problem::unauthenticated(detail, "Bearer".to_owned(), reason));
        };
        let foreign = || Problem::from(Refusal::forgery().reason(Reason::new("api.foreign_page")));
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        if matches!(site, Some(site) if site == b"cross-site") {
            return Err(foreign());
        }
        let reader = match headers.get(header::ORIGIN) {
            // browsers name the origin of every request that changes something
            None if wish == Wish::Change => return Err(foreign()),
            // a page of another origin can ask without naming itself, but reads no answer then
            None if !matches!(site, None | Some(b"same-origin" | b"none")) => return Err(foreign()),
            None => None,
            Some(origin) if origin.as_bytes() == http.provider.issuer.as_str().as_bytes() => None,
            Some(origin) => {
                let text = origin.to_str().map_err(|_| foreign())?;
                if !session::serves_origin(&http.provider, account, text).await? {
                    return Err(foreign());
                }
                Some(origin.clone())
            }
        };
        if wish == Wish::Change && headers.get(BY_SCRIPT).is_none_or(|value| value.is_empty()) {
            return Err(foreign());
        }
        Ok(Self {
            user: account.user.clone(),
            asker: account.into(),
            reader,
            by_cookie: true,
        })
    }
}

fn respond(call: &Call, headers: &HeaderMap, answered: Result<(Myself, Result<Answer, Problem>), Problem>) -> Response {
    let (reader, by_cookie, answer) = match answered {
        Ok((myself, answer)) => (myself.reader, myself.by_cookie, answer),
        Err(problem) => (None, false, Err(problem)),
    };
    let mut response = match answer {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.respond(call),
    };
    let own = response.headers_mut();
    own.append(header::VARY, HeaderValue::from_static("Origin, Cookie, Authorization"));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = reader.filter(|_| headers.contains_key(header::ORIGIN)) {
        own.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if by_cookie {
            own.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            own.insert("cross-origin-resource-policy", HeaderValue::from_static("same-site"));
        }
    }
    response
}

/// May a page ask at all? Neither person nor client is known yet, so any web origin may; what it may do and read is decided
/// with the request itself.
pub(super) async fn preflight(headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    let web = headers.get(header::ORIGIN).filter(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| origin.starts_with("https://") || origin.starts_with("http://"))
    });
    if let Some(origin) = web {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, x-requested-with",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            answer.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

fn entry(session: OwnSession) -> Value {
    let device = session.user_agent.as_deref().map(Device::read).unwrap_or_default();
    json!({
        "id": session.id.to_string(),
        "current": session.is_here,
        "browser": device.browser,
        "system": device.system,
        "address": session.address,
        "place": session.place,
        "started_at": session.started_at.rfc3339(),
        "seen_at": session.seen_at.rfc3339(),
        "ends_at": session.ends_at.rfc3339(),
        "applications": session.applications,
    })
}

fn device(known: model::Device, here: Option<Id<model::Device>>) -> Value {
    let told = known.user_agent.as_deref().map(Device::read).unwrap_or_default();
    json!({
        "id": known.id.to_string(),
        "current": here == Some(known.id),
        "state": known.state,
        "browser": told.browser,
        "system": told.system,
        "address": known.address,
        "place": known.place,
        "first_at": known.first_at.rfc3339(),
        "last_at": known.last_at.rfc3339(),
    })
}
