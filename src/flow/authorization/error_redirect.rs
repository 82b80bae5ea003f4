//! Errors on their way to the client. For a client that nobody vouches for the person sees first where the browser would go, and
//! may stay: else whoever registers a client makes this server send people anywhere (RFC 9700 section 4.11.2). Never where nobody
//! is to be asked (`prompt=none`).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Next;
use super::interaction::Interaction;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Fact, TraceId, setting};
use crate::protocol::authorization_request::{Answerable, Prompt};
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};

/// How long people may take.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
const WAITING: Waiting = Waiting {
    kind: Kind::ErrorRedirect,
    sealed_for: "error redirect",
};

/// What went wrong, as far as a person has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The person did not allow it.
    Denied,
    /// The person did not sign in.
    Cancelled,
    /// The client asked for what it can't have.
    Beyond,
    /// The client's request does not work.
    Faulty,
}

impl Cause {
    fn of(error: &OAuthError) -> Self {
        match error.code {
            ErrorCode::AccessDenied if ["login.cancelled", "login.limit"].contains(&error.rule) => Self::Cancelled,
            ErrorCode::AccessDenied => Self::Denied,
            ErrorCode::InvalidScope | ErrorCode::InvalidTarget => Self::Beyond,
            _ => Self::Faulty,
        }
    }
}

/// Whether anybody is to be asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Interactive,
    Silent,
}

/// A request that is refused.
pub(super) struct Refused<'a> {
    client: &'a Client,
    answerable: Answerable,
    manner: Manner,
    ui_locales: Vec<String>,
}

impl<'a> Refused<'a> {
    /// One that was refused before it was understood: what it says about `prompt` counts as it stands there.
    pub(super) fn at_once(client: &'a Client, answerable: Answerable, parameters: &Parameters) -> Self {
        let silent = parameters.words("prompt").contains(&Prompt::None.as_str());
        let ui_locales = parameters.words("ui_locales").into_iter().take(10);
        Self {
            client,
            answerable,
            manner: if silent { Manner::Silent } else { Manner::Interactive },
            ui_locales: ui_locales.map(str::to_owned).collect(),
        }
    }

    /// One that was refused later.
    pub(super) fn of(interaction: &'a Interaction) -> Self {
        let request = &interaction.request;
        let silent = request.prompt.contains(&Prompt::None);
        Self {
            client: &interaction.client,
            answerable: request.answerable.clone(),
            manner: if silent { Manner::Silent } else { Manner::Interactive },
            ui_locales: request.ui_locales.clone(),
        }
    }
}

/// An error that waits until the person goes along with it.
#[derive(Clone, Debug)]
pub struct ErrorRedirect {
    /// Its handle in our pages' addresses.
    pub id: String,
    /// Who would get it.
    pub client: Arc<Client>,
    /// What went wrong.
    pub cause: Cause,
    /// The error.
    pub response: AuthorizationResponse,
    /// The languages that the request asks for.
    pub ui_locales: Vec<String>,
    /// The call that was refused: under its id it is told why.
    pub trace: TraceId,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    client_id: String,
    cause: Cause,
    answerable: Answerable,
    parameters: Vec<(String, String)>,
    ui_locales: Vec<String>,
    trace: TraceId,
}

/// A refusal on its way to the client, noted.
pub(super) async fn refuse(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    refused: Refused<'_>,
    error: &OAuthError,
) -> Result<Next, Error> {
    let Refused {
        client,
        answerable,
        manner,
        ui_locales,
    } = refused;
    let event = call
        .event(EventKind::Authorization)
        .refused(error.rule)
        .client(client.id)
        .fact("error", Fact::Word(error.code.as_str()));
    provider.note_strangers_refusal(call, event, error.rule).await;
    let response = AuthorizationResponse::refusal(client, answerable.clone(), provider.issuer.as_str(), error);
    let at_once = client.trusted || manner == Manner::Silent;
    if at_once || !provider.settings().await?.flag(setting::CONFIRM_ERROR_REDIRECTS) {
        return Ok(Next::Respond(response));
    }
    let stored = Stored {
        client_id: client.client_id.clone(),
        cause: Cause::of(error),
        answerable,
        parameters: response.kept(),
        ui_locales,
        trace: call.trace,
    };
    let handle = Handle::new(provider, call, browser);
    pending::keep(provider, call, WAITING, &handle, stored, call.now.after(LIFETIME)).await?;
    Ok(Next::ConfirmError(handle.id))
}

/// Opens one in the browser that it waits in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, belongs to another browser, or its client is not there any more.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<ErrorRedirect, Error> {
    let (stored, handle): (Stored, Handle) = pending::get(provider, call, WAITING, browser, id).await?;
    let client = provider.client(&stored.client_id).await?;
    let client = client
        .filter(|client| client.disabled_at.is_none())
        .ok_or(Error::NotFound)?;
    Ok(ErrorRedirect {
        id: handle.id,
        cause: stored.cause,
        response: AuthorizationResponse::again(&client, stored.answerable, &stored.parameters),
        ui_locales: stored.ui_locales,
        trace: stored.trace,
        client,
    })
}

/// The person goes along.
pub fn follow(redirect: ErrorRedirect) -> Next {
    Next::Respond(redirect.response)
}

/// The person stays.
pub async fn stay(provider: &Provider, redirect: ErrorRedirect) -> Result<(), Error> {
    Ok(provider.ephemeral.forget(WAITING.kind, &redirect.id).await?)
}
