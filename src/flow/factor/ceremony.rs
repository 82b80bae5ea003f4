//! The server's half of what a browser is asked for a signature: kept for five minutes, for this browser alone, once.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::credential::{
    PASSKEY_CEREMONY, PasskeyCeremony, PasskeyDefect, PasskeyOwner, RelyingParty, TrustedAuthenticators,
    UserVerification, Wanted,
};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{PASSKEY_ATTESTATION, PASSKEY_HINTS, PASSKEY_USER_VERIFICATION};
use crate::model::{Factor, Id, Layers, User};

const WAITING: Waiting = Waiting {
    kind: Kind::Passkey,
    sealed_for: "passkey ceremony",
};

/// What a signature is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Occasion<'a> {
    /// To sign in, whoever it is.
    SignIn,
    /// As the second factor of a sign-in that waits under this handle.
    SecondFactor(&'a str),
    /// To add a key, for the sign-in that waits for a factor under this handle.
    Enrolment(&'a str),
}

/// What a browser is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the answer has to name: worth nothing in another browser, and nothing after the first answer.
    pub id: String,
    /// What the authenticator is asked, as `parseRequestOptionsFromJSON` reads it.
    pub options: Value,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    /// The handle of the sign-in that waits, if it is its second factor.
    second_of: Option<String>,
    /// The same if it is a key that is added on the way in.
    #[serde(default)]
    enrolment_of: Option<String>,
}

impl Occasion<'_> {
    fn is(self, kept: &Kept) -> bool {
        match (self, &kept.second_of, &kept.enrolment_of) {
            (Self::SignIn, None, None) => true,
            (Self::SecondFactor(id), Some(kept), None) | (Self::Enrolment(id), None, Some(kept)) => id == kept,
            _ => false,
        }
    }
}

/// Keeps the half that is not for the browser.
pub(in crate::flow) async fn keep(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    occasion: Occasion<'_>,
    ceremony: PasskeyCeremony,
) -> Result<Question, Error> {
    let handle = Handle::new(provider, call, browser);
    let kept = Kept {
        state: ceremony.state,
        second_of: match occasion {
            Occasion::SecondFactor(id) => Some(id.to_owned()),
            Occasion::SignIn | Occasion::Enrolment(_) => None,
        },
        enrolment_of: match occasion {
            Occasion::Enrolment(id) => Some(id.to_owned()),
            Occasion::SignIn | Occasion::SecondFactor(_) => None,
        },
    };
    let until = call.now.after(PASSKEY_CEREMONY);
    pending::keep(provider, call, WAITING, &handle, kept, until).await?;
    Ok(Question {
        id: handle.id,
        options: ceremony.options,
    })
}

/// Takes it: whoever comes with the same answer later finds nothing. None if it is too old, was answered, belongs to another
/// browser, or was asked on another occasion.
pub(in crate::flow) async fn take(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    occasion: Occasion<'_>,
    id: &str,
) -> Result<Option<String>, Error> {
    let kept: Kept = match pending::get(provider, call, WAITING, browser, id).await {
        Ok((kept, _)) => kept,
        Err(Error::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !occasion.is(&kept) {
        return Ok(None);
    }
    let taken = provider.ephemeral.take(WAITING.kind, id, call.now).await?;
    Ok(taken.map(|_| kept.state))
}

/// Who asks: this installation, by its public address. None if that names no domain, which browsers have no passkeys for.
pub fn relying_party(provider: &Provider) -> Option<RelyingParty> {
    RelyingParty::of(provider.issuer.url())
}

/// What authenticators know a person by: derived, so that it says nothing of them.
pub(in crate::flow) fn handle_of(provider: &Provider, user: Id<User>) -> Uuid {
    let key = provider.master.derive("passkey user handle");
    let digest = crypto::mac(&key, &[user.uuid().as_bytes()]);
    let (handle, _) = digest.split_at(16);
    Uuid::from_slice(handle).unwrap_or_default()
}

/// Whether this person's authenticators have to verify them.
pub(super) async fn verification_of(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
) -> Result<UserVerification, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    Ok(verification_in(&person.layers(&settings, None)))
}

/// Asks for a new passkey of somebody, on none of the authenticators that hold one already.
///
/// # Errors
/// [`Error::Conflict`] `no_domain` where browsers have no passkeys for this installation, `no_makers` where listed authenticators alone are
/// taken and none are listed.
pub(super) async fn enrolment(
    provider: &Provider,
    call: &Call,
    user: &User,
    known: &[Factor],
) -> Result<PasskeyCeremony, Error> {
    let place = relying_party(provider).ok_or(Error::Conflict("no_domain"))?;
    let account = user.profile.email.as_deref().unwrap_or(&user.username);
    let full_name = user.full_name();
    let owner = PasskeyOwner {
        handle: handle_of(provider, user.id),
        name: account,
        display_name: full_name.as_deref().unwrap_or(account),
    };
    let passkeys: Vec<_> = known.iter().filter_map(Factor::passkey).collect();
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    let wanted = Wanted {
        verification: verification_in(&layers),
        makers: makers_in(provider, &layers)?,
        hints: &layers.words(PASSKEY_HINTS),
    };
    Ok(place.begin_enrolment(owner, &passkeys, &wanted)?)
}

/// What the authenticators are called that this person may have a passkey in, where they may not in all.
///
/// # Errors
/// [`Error::NotFound`] if there is no such person.
pub async fn taken_authenticators(provider: &Provider, call: &Call, user: Id<User>) -> Result<Vec<String>, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    Ok(match makers_in(provider, &layers) {
        Ok(Some(makers)) => makers.names().to_vec(),
        Ok(None) | Err(_) => Vec::new(),
    })
}

fn verification_in(layers: &Layers<'_>) -> UserVerification {
    match layers.word(PASSKEY_USER_VERIFICATION) {
        "required" => UserVerification::Required,
        _ => UserVerification::Preferred,
    }
}

/// Whose authenticators are taken, where not everybody's are: nobody's, as long as none are listed.
fn makers_in<'p>(provider: &'p Provider, layers: &Layers<'_>) -> Result<Option<&'p TrustedAuthenticators>, Error> {
    match layers.word(PASSKEY_ATTESTATION) {
        "listed" if provider.authenticators.names().is_empty() => Err(Error::Conflict("no_makers")),
        "listed" => Ok(Some(&provider.authenticators)),
        _ => Ok(None),
    }
}

impl From<PasskeyDefect> for Error {
    fn from(defect: PasskeyDefect) -> Self {
        Self::Failed(Box::new(defect))
    }
}
