//! The end-session endpoint: RP-Initiated Logout 1.0 section 2.

use axum::extract::State;
use axum::response::Response;

use super::parameters::Raw;
use crate::flow::sign_out::{self, LogoutStep};
use crate::http::answer::farewell;
use crate::http::answer::next::see_other;
use crate::http::extract::Visit;
use crate::http::{Http, Refusal};

/// The longest request that is sent on as the address of a GET.
const LONGEST_ADDRESS: usize = 8 * 1024;

/// GET.
pub async fn by_get(State(http): State<Http>, visit: Visit, raw: Raw) -> Result<Response, Refusal> {
    end(&http, visit, &raw).await
}

/// POST. From another site it comes without our Lax cookies: a GET of our own brings them along.
pub async fn by_post(State(http): State<Http>, visit: Visit, raw: Raw) -> Result<Response, Refusal> {
    let joined = [raw.query.as_slice(), &raw.form].join(&b'&');
    // what an address can't hold is judged as it came
    let fits = joined.len() <= LONGEST_ADDRESS && joined.iter().all(u8::is_ascii_graphic);
    if visit.browser.is_new && fits {
        let request = String::from_utf8_lossy(&joined);
        return Ok(see_other(&format!("/oauth2/end_session?{}", request.trim_matches('&'))));
    }
    end(&http, visit, &raw).await
}

async fn end(http: &Http, mut visit: Visit, raw: &Raw) -> Result<Response, Refusal> {
    let parameters = raw.all().map_err(crate::flow::Error::from)?;
    let step = sign_out::request(&http.provider, &visit.call, &mut visit.browser, &parameters).await?;
    let response = match step {
        LogoutStep::Ask(id) => visit.keep(see_other(&format!("/logout?flow={id}"))),
        LogoutStep::Done(done) => farewell(&visit, &done),
    };
    Ok(response)
}
