//! Whether a form was sent from a page of ours in this browser (SEC-525): by a token in the form, bound to the browser's
//! key, the form's purpose and a time; and by what the browser says about the origin.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto;
use crate::flow::Call;
use crate::flow::session::Browser;
use crate::http::{Http, Refusal};
use crate::model::Timestamp;

/// How long a form may stay open.
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// Clocks of several nodes differ by so much.
const SKEW: Duration = Duration::from_secs(60);

/// Where the browser says that a request was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// On a page of ours, or the browser does not say: then the token alone decides.
    Own,
    /// On somebody else's page.
    Foreign,
}

/// Why a form is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// It was sent from somebody else's page.
    Foreign,
    /// The browser did not send the key it was given.
    NoCookies,
    /// The token is missing, wrong or too old.
    Token,
}

impl Provenance {
    /// Reads `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (RFC 6454 section 7).
    ///
    /// `Origin: null` says nothing here: browsers send it with the forms of pages that, like ours, hide their address.
    pub fn of(http: &Http, headers: &HeaderMap) -> Self {
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes());
        let site_fits = matches!(site, None | Some(b"same-origin" | b"none"));
        let origin_fits =
            origin.is_none_or(|origin| origin == b"null" || origin == http.provider.issuer.as_str().as_bytes());
        if site_fits && origin_fits {
            Self::Own
        } else {
            Self::Foreign
        }
    }
}

/// The token for forms of this purpose in this browser. `purpose` names the form and what it is about, an interaction's id
/// for one.
pub fn token(http: &Http, call: &Call, browser: &Browser, purpose: &str) -> String {
    let issued = call.now.seconds().to_be_bytes();
    let mac = mac(http, browser, purpose, &issued);
    URL_SAFE_NO_PAD.encode([&issued[..], &mac[..]].concat())
}

/// Whether a form of this purpose was sent from a page of ours in this browser.
///
/// # Errors
/// [`Forgery`]: why it is not believed.
pub fn check(
    http: &Http,
    call: &Call,
    browser: &Browser,
    provenance: Provenance,
    purpose: &str,
    token: &str,
) -> Result<(), Forgery> {
    if provenance == Provenance::Foreign {
        return Err(Forgery::Foreign);
    }
    if browser.is_new {
        return Err(Forgery::NoCookies);
    }
    let presented = URL_SAFE_NO_PAD.decode(token).map_err(|_| Forgery::Token)?;
    let (issued, presented) = presented.split_first_chunk::<8>().ok_or(Forgery::Token)?;
    let at = Timestamp::from_seconds(i64::from_be_bytes(*issued));
    let timely = at <= call.now.after(SKEW) && call.now <= at.after(LIFETIME);
    if timely && crypto::equal(&mac(http, browser, purpose, issued), presented) {
        Ok(())
    } else {
        Err(Forgery::Token)
    }
}

impl From<Forgery> for Refusal {
    fn from(forgery: Forgery) -> Self {
        match forgery {
            Forgery::Foreign | Forgery::Token => Self::forgery(),
            Forgery::NoCookies => Self::no_cookies(),
        }
    }
}

fn mac(http: &Http, browser: &Browser, purpose: &str, issued: &[u8; 8]) -> [u8; 32] {
    let key = http.provider.master.derive("form");
    crypto::mac(&key, &[browser.key.expose().as_bytes(), purpose.as_bytes(), issued])
}
