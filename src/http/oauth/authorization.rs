//! The authorization endpoint: RFC 6749 section 3.1, OpenID Connect Core section 3.1.2.

use axum::response::Response;

use super::parameters::Raw;
use crate::flow::authorization::{self, Begun};
use crate::http::answer::next;
use crate::http::answer::next::see_other;
use crate::http::extract::Visit;
use crate::http::{Http, Refusal};
use crate::model::Reason;
use crate::protocol::authorization_request::Untrusted;
use crate::view::Trouble;
use axum::extract::State;

/// The longest request that is sent on as the address of a GET.
const LONGEST_ADDRESS: usize = 8 * 1024;

/// GET.
pub async fn by_get(State(http): State<Http>, visit: Visit, raw: Raw) -> Result<Response, Refusal> {
    begin(&http, &visit, &raw).await
}

/// POST. From another site it comes without our Lax cookies: a GET of our own brings them along.
pub async fn by_post(State(http): State<Http>, visit: Visit, raw: Raw) -> Result<Response, Refusal> {
    let joined = [raw.query.as_slice(), &raw.form].join(&b'&');
    // what an address can't hold is judged as it came
    let fits = joined.len() <= LONGEST_ADDRESS && joined.iter().all(u8::is_ascii_graphic);
    if visit.browser.is_new && fits {
        let request = String::from_utf8_lossy(&joined);
        return Ok(see_other(&format!("/oauth2/authorize?{}", request.trim_matches('&'))));
    }
    begin(&http, &visit, &raw).await
}

async fn begin(http: &Http, visit: &Visit, raw: &Raw) -> Result<Response, Refusal> {
    let parameters = raw.all().map_err(crate::flow::Error::from)?;
    let response = match authorization::begin(&http.provider, &visit.call, &visit.browser, &parameters).await? {
        Begun::Next(to) => {
            let wished: Vec<String> = parameters.words("ui_locales").into_iter().map(str::to_owned).collect();
            next(http, &visit.call, visit.locale(&wished, None), to)
        }
        Begun::Untrusted(untrusted) => return Err(refusal(untrusted).reason(Reason::new(untrusted.rule())).kept()),
    };
    Ok(visit.keep(response))
}

/// A page of ours, never a redirect (RFC 6749 section 4.1.2.1).
fn refusal(untrusted: Untrusted) -> Refusal {
    match untrusted {
        Untrusted::ClientMissing => {
            Refusal::bad_request("client_id is missing or repeated").trouble(Trouble::UnknownClient)
        }
        Untrusted::ClientUnknown => Refusal::bad_request("client_id is not known here").trouble(Trouble::UnknownClient),
        Untrusted::RedirectUriMissing => {
            Refusal::bad_request("redirect_uri is missing or repeated").trouble(Trouble::UnknownRedirect)
        }
        Untrusted::RedirectUriUnregistered => {
            Refusal::bad_request("redirect_uri is not registered for this client").trouble(Trouble::UnknownRedirect)
        }
    }
}
