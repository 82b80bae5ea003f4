//! An account of one's own: what the mailed link does. Whoever holds it can read the mail of the address, so the address counts as
//! confirmed. Nobody is signed in by the link: the person signs in with the password that they chose, through the same gates as
//! everybody.

use super::registration_wish::{RegistrationMode, registration_mode};
use super::users::{self, CreatedUser, FirstLink, NewUser};
use super::{ChangeSource, NewPassword};
use crate::flow::{Call, Error, Provider, guess};
use crate::model::{Profile, Secret};
use crate::store::RegistrationLink;

/// What somebody tells of themselves for an account.
#[derive(Clone, Debug)]
pub struct Registrant {
    /// What to sign in with besides the mail address; the address itself if empty.
    pub username: String,
    /// Given name, or empty.
    pub given_name: String,
    /// Family name, or empty.
    pub family_name: String,
    /// The language of the page, `en`.
    pub locale: String,
    /// The password.
    pub password: Secret,
}

/// Looks at a link. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, void or too old, or nobody may have an account; [`Error::Throttled`].
pub async fn look_at_registration(provider: &Provider, call: &Call, token: &Secret) -> Result<RegistrationLink, Error> {
    if registration_mode(provider).await? == RegistrationMode::Off {
        return Err(Error::NotFound);
    }
    guess::look(provider, call, guess::Account::RegistrationLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        store.find_registration_link(&token.digest(), call.now).await?
    };
    let Some(link) = found else {
        guess::wrong(provider, call, guess::Account::RegistrationLink).await?;
        return Err(Error::NotFound);
    };
    guess::right(provider, call, guess::Account::RegistrationLink).await?;
    Ok(link)
}

/// Makes the account. Of several who follow the link at once one has it, the others [`Error::NotFound`].
///
/// # Errors
/// As [`look_at_registration`]; [`Error::Invalid`] naming every field that can't be taken, [`Error::Busy`]: the link still counts then.
pub async fn register(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    registrant: Registrant,
) -> Result<CreatedUser, Error> {
    let link = look_at_registration(provider, call, token).await?;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let username = given(registrant.username).unwrap_or_else(|| link.email.clone());
    let new = NewUser {
        profile: Profile {
            email: Some(link.email),
            email_verified: true,
            given_name: given(registrant.given_name),
            family_name: given(registrant.family_name),
            locale: given(registrant.locale),
            ..Profile::default()
        },
        password: NewPassword::Given(registrant.password),
        link: Some(FirstLink::Registration(token.digest())),
        ..NewUser::named(username)
    };
    users::create_user(provider, call, &ChangeSource::Person, new).await
}
