//! Authorization requests: from the first look to the code.

pub mod answer;
mod challenge;
mod code;
pub mod consents;
mod decisions;
pub mod error_redirect;
pub mod first_party;
pub mod hint;
pub mod interaction;
pub mod logins;

use super::session::Browser;
use super::token::Audiences;
use super::{Call, Error, Provider};
use crate::model::EventKind;
use crate::protocol::audience;
use crate::protocol::authorization_request::{self, Untrusted};
use crate::protocol::parameters::Parameters;

pub use answer::{Consenting, Next};
pub use interaction::Interaction;

use error_redirect::{Refused, refuse};

/// How an authorization request goes on.
pub enum Begun {
    /// To a page of ours, or back to the client.
    Next(Next),
    /// Nowhere: who asks, or where the answer goes, is not certain. The person is told.
    Untrusted(Untrusted),
}

/// Takes an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2).
pub async fn begin(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    parameters: &Parameters,
) -> Result<Begun, Error> {
    let client = match parameters.get("client_id") {
        Some(client_id) => provider.client(client_id).await?,
        None => None,
    };
    let answerable = match authorization_request::trust(parameters, client.as_deref()) {
        Ok(answerable) => answerable,
        Err(untrusted) => {
            let event = call.event(EventKind::Authorization).refused(untrusted.rule());
            provider.note_strangers_refusal(call, event, untrusted.rule()).await;
            decisions::keep_untrusted(provider, call, parameters, client.as_deref(), untrusted);
            return Ok(Begun::Untrusted(untrusted));
        }
    };
    let Some(client) = client else {
        return Ok(Begun::Untrusted(Untrusted::ClientUnknown));
    };
    let audiences = Audiences::load(provider).await?;
    let surroundings = audiences.surroundings();
    let grantable = audience::grantable(&client, &surroundings);
    let judged =
        authorization_request::validate(parameters, &client, answerable.clone(), &grantable).and_then(|request| {
            // the resources are settled at the token endpoint; an unknown one is better refused here
            audience::settle(&client, &request.scope, &request.resources, &surroundings).map(|_| request)
        });
    let mut request = match judged {
        Ok(request) => request,
        Err(error) => {
            decisions::keep_refused(provider, call, &client, &error);
            let refused = Refused::at_once(&client, answerable, parameters);
            return refuse(provider, call, browser, refused, &error).await.map(Begun::Next);
        }
    };
    decisions::keep_narrowed(provider, call, &client, parameters, &request);
    match hint::subject(provider, &client, parameters).await? {
        Ok(subject) => request.hinted_subject = subject,
        Err(error) => {
            decisions::keep_refused(provider, call, &client, &error);
            let refused = Refused::at_once(&client, answerable, parameters);
            return refuse(provider, call, browser, refused, &error).await.map(Begun::Next);
        }
    }
    let interaction = Interaction::new(provider, call, browser, client, request);
    answer::advance(provider, call, browser, interaction)
        .await
        .map(Begun::Next)
}
