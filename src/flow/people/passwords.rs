//! Setting passwords. They are hashed before the transaction begins; a new one ends what the old one let in.

use super::departure::{self, Departure};
use super::{ChangeSource, NewUser};
use crate::credential::{self, Policy, Weakness};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::setting::{PASSWORD_MINIMUM_LENGTH, Settings};
use crate::model::{EventKind, Id, PasswordHash, Profile, Secret, User};
use crate::store::Write;

/// What a user's password becomes.
#[derive(Clone, Debug, Default)]
pub enum NewPassword {
    /// None: the account can't be signed in to by password.
    #[default]
    None,
    /// This one.
    Given(Secret),
    /// One that is made up here and told once.
    Generated,
    /// The one this hash was made of, for moving in.
    Hash(PasswordHash),
}

/// Whether passwords are taken that the policy calls weak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeakPasswords {
    /// They are refused.
    #[default]
    Refuse,
    /// They are taken: whoever says so knows why.
    Accept,
}

/// A password ready to be stored.
pub(super) struct Prepared {
    /// What is stored.
    pub hash: Option<PasswordHash>,
    /// What is told once.
    pub told: Option<Secret>,
}

/// Sets the password of a user and ends the user's sessions and grants. Gives a generated password, to be told once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the user holds rights of administration that the caller lacks,
/// [`Error::Invalid`] for a weak password or an unusable hash, [`Error::Busy`].
pub async fn set_password(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    password: NewPassword,
    weak: WeakPasswords,
) -> Result<Option<Secret>, Error> {
    let user = super::get_user(provider, id).await?;
    source.must_outrank(&provider.store.read().await?.list_permissions_of(id).await?)?;
    let settings = provider.settings().await?;
    let prepared = prepare(provider, &settings, &user.username, &user.profile, (password, weak)).await?;
    let Some(hash) = prepared.hash else {
        return Err(Error::field("/password", "required", "expected a password"));
    };
    let mut tx = provider.store.write().await?;
    let done = set_in(&mut tx, call, source, id, &hash).await;
    settle(tx, done).await?;
    departure::end_browsers(provider, call, id).await;
    Ok(prepared.told)
}

async fn set_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    hash: &PasswordHash,
) -> Result<(), Error> {
    // rights may have changed while the hash was made
    source.must_outrank(&tx.list_permissions_of(id).await?)?;
    if tx.find_user(id).await?.is_none() {
        return Err(Error::NotFound);
    }
    tx.set_password(id, hash, call.now).await?;
    departure::end_everything(tx, call, id, Departure::PasswordChanged).await?;
    let event = call.event(EventKind::PasswordChanged).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(())
}

/// Judges a password and makes its hash.
pub(super) async fn prepare(
    provider: &Provider,
    settings: &Settings,
    username: &str,
    profile: &Profile,
    (password, weak): (NewPassword, WeakPasswords),
) -> Result<Prepared, Error> {
    let (secret, told) = match password {
        NewPassword::None => return Ok(Prepared { hash: None, told: None }),
        NewPassword::Hash(hash) => {
            // what can't be verified would lock the person out without a word
            judge_hash(&hash)?;
            return Ok(Prepared {
                hash: Some(hash),
                told: None,
            });
        }
        NewPassword::Given(secret) => {
            judge(provider, settings, username, profile, (&secret, weak))?;
            (secret, None)
        }
        NewPassword::Generated => {
            let secret = credential::generate_password();
            (secret.clone(), Some(secret))
        }
    };
    let hash = match provider.passwords.hash(secret).await {
        Ok(hash) => hash,
        Err(credential::Error::Length) => return Err(weakness(Weakness::TooLong)),
        Err(error) => return Err(error.into()),
    };
    Ok(Prepared {
        hash: Some(PasswordHash::new(hash.expose())),
        told,
    })
}

/// Judges the password of a user to be, without the work of hashing it.
pub(super) fn judge_new(provider: &Provider, settings: &Settings, new: &NewUser) -> Result<(), Error> {
    match &new.password {
        NewPassword::None | NewPassword::Generated => Ok(()),
        NewPassword::Hash(hash) => judge_hash(hash),
        NewPassword::Given(secret) => judge(provider, settings, &new.username, &new.profile, (secret, new.weak)),
    }
}

fn judge_hash(hash: &PasswordHash) -> Result<(), Error> {
    match credential::PasswordHash::parse(hash.expose()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::field(
            "/password_hash",
            "unsupported",
            "expected an Argon2id hash as a PHC string, within this server's bounds",
        )),
    }
}

fn judge(
    provider: &Provider,
    settings: &Settings,
    username: &str,
    profile: &Profile,
    (secret, weak): (&Secret, WeakPasswords),
) -> Result<(), Error> {
    if secret.expose().is_empty() {
        return Err(Error::field("/password", "required", "expected a password"));
    }
    if weak == WeakPasswords::Accept {
        return Ok(());
    }
    let minimum = settings.count(PASSWORD_MINIMUM_LENGTH);
    let policy = Policy {
        minimum_length: usize::try_from(minimum).unwrap_or(usize::MAX),
        ..Policy::default()
    };
    let host = provider.issuer.url().host_str().unwrap_or_default();
    let mut personal = vec![username, host];
    let names = [
        &profile.email,
        &profile.given_name,
        &profile.family_name,
        &profile.nickname,
    ];
    personal.extend(names.into_iter().filter_map(|name| name.as_deref()));
    credential::judge(secret.expose(), &policy, &personal).map_err(weakness)
}

fn weakness(weakness: Weakness) -> Error {
    let code = match weakness {
        Weakness::TooShort => "too_short",
        Weakness::TooLong => "too_long",
        Weakness::Personal => "personal",
        Weakness::Sequence => "sequence",
        Weakness::Common => "common",
    };
    Error::Invalid(vec![FieldError {
        pointer: "/password".to_owned(),
        code,
        detail: weakness.to_string(),
    }])
}
