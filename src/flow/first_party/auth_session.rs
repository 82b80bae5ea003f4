//! `auth_session`: where a first-party application is with a sign-in, and which device it is. It is sealed, so nothing is kept for it;
//! what it leads to is kept as for a browser's pages, and counts once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::flow::session::{self, Browser};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, Secret, Timestamp};

const SEALED_FOR: &str = "auth session";
/// How long one is worth something: a device is known for as long as that.
const LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// None of ours is longer.
const LONGEST: usize = 4_096;

/// Which step comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Nothing: only the device is known.
    Nothing,
    /// Identifier and password, for this request.
    Password(String),
    /// The code that was sent, for this request and the sign-in that waits for it.
    Code(String, String),
    /// The second factor, for the proof that waits under this handle.
    Factor(String),
    /// Something that is required, for the proof that waits under this handle.
    Action(String),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    client_id: String,
    key: String,
    device: Option<String>,
    /// The session that has begun, where more is asked for it.
    #[serde(default)]
    tokens: Option<String>,
    step: Step,
    expires: Timestamp,
}

/// An application on a device, and where it is.
pub(super) struct AuthSession {
    /// What stands for the browser, wherever a page would have one.
    pub(super) browser: Browser,
    pub(super) step: Step,
}

impl AuthSession {
    /// A new one: whatever it was is over.
    pub(super) async fn new(provider: &Provider, call: &Call) -> Result<Self, Error> {
        Ok(Self {
            browser: session::recognize(provider, call, None, None).await?,
            step: Step::Nothing,
        })
    }

    /// The one that an application brings.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is none of ours, too old, or another application's.
    pub(super) async fn open(provider: &Provider, call: &Call, client: &Client, text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::NotFound);
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::NotFound)?;
        let plain = provider.master.open(SEALED_FOR, &sealed).map_err(|_| Error::NotFound)?;
        let stored: Stored = serde_json::from_slice(&plain).map_err(|_| Error::NotFound)?;
        if stored.client_id != client.client_id || stored.expires <= call.now {
            return Err(Error::NotFound);
        }
        let mut browser = session::recognize(provider, call, stored.tokens.as_deref(), Some(&stored.key)).await?;
        browser.device = stored.device.map(Secret::new);
        Ok(Self {
            browser,
            step: stored.step,
        })
    }

    /// What the application is given, to come back with at this step.
    pub(super) fn seal(&self, provider: &Provider, call: &Call, client: &Client, step: Step) -> Result<Secret, Error> {
        let stored = Stored {
            client_id: client.client_id.clone(),
            key: self.browser.key.expose().to_owned(),
            device: self.browser.device.as_ref().map(|device| device.expose().to_owned()),
            tokens: (step != Step::Nothing && !self.browser.accounts.is_empty()).then(|| self.browser.cookie_value()),
            step,
            expires: call.now.after(LIFETIME),
        };
        let plain = serde_json::to_vec(&stored).map_err(|error| Error::Failed(Box::new(error)))?;
        let sealed = provider.master.seal(SEALED_FOR, &plain);
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(sealed)))
    }
}
