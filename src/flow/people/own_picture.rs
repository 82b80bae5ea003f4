//! A person's own picture: written anew of its parts, kept here, and told in the claim `picture` by an address that nobody guesses.

use super::{ChangeSource, UserChange, user_change};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Id, Picture, Timestamp, User};
use crate::picture::{self, Fault};
use crate::random;

/// Below which path pictures are.
const PATH: &str = "/picture/";
/// No name that is looked for is longer.
const LONGEST_NAME: usize = 64;
/// The word of `account.editable`.
const WORD: &str = "picture";

/// Why a picture was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The file is none that can be shown.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It could not be done. [`Error::Invalid`]: people have no pictures of their own here.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Takes a file as a person's picture, in the place of the one until now.
///
/// # Errors
/// [`NotTaken`]
pub async fn set_own_picture(provider: &Provider, call: &Call, user: Id<User>, file: &[u8]) -> Result<User, NotTaken> {
    must_be_editable(provider, call, user).await?;
    let clean = picture::clean(file)?;
    let picture = Picture {
        user,
        name: random::token(),
        format: clean.format,
        bytes: clean.bytes,
        created_at: call.now,
    };
    Ok(write(provider, call, user, Some(&picture)).await?)
}

/// Removes it. Without one nothing changes.
///
/// # Errors
/// [`Error::NotFound`] if the person is gone, [`Error::Invalid`] if it is not theirs to change.
pub async fn remove_own_picture(provider: &Provider, call: &Call, user: Id<User>) -> Result<User, Error> {
    must_be_editable(provider, call, user).await?;
    write(provider, call, user, None).await
}

async fn write(provider: &Provider, call: &Call, user: Id<User>, picture: Option<&Picture>) -> Result<User, Error> {
    let call = &call.by(Actor::User(user));
    let change = UserChange {
        picture: Some(picture.map(|picture| provider.issuer.path(&format!("{PATH}{}", picture.name)))),
        ..UserChange::default()
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            // what was there before goes with its address
            let changed =
                user_change::change_in(&mut tx, call, &ChangeSource::Person, user, None, change.clone()).await?;
            if !changed.is_active(call.now) {
                return Err(Error::NotFound);
            }
            if let Some(picture) = picture {
                tx.put_picture(picture).await?;
            }
            Ok(changed)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

async fn must_be_editable(provider: &Provider, call: &Call, user: Id<User>) -> Result<(), Error> {
    let rules = super::profile_rules_of(provider, call, user).await?;
    match rules.editable.contains(&WORD) {
        true => Ok(()),
        false => Err(Error::field("/picture", "not_editable", "this is not changed here")),
    }
}

/// The picture of this name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn find_picture(provider: &Provider, name: &str) -> Result<Picture, Error> {
    if name.len() > LONGEST_NAME {
        return Err(Error::NotFound);
    }
    let now = Timestamp::from_micros(provider.clock.micros());
    let mut store = provider.store.read().await?;
    store.find_picture(name, now).await?.ok_or(Error::NotFound)
}

/// The path of somebody's picture, if it is one that is kept here.
pub fn picture_path(provider: &Provider, user: &User) -> Option<String> {
    let address = user.profile.picture.as_deref()?;
    let name = address.strip_prefix(&provider.issuer.path(PATH))?;
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_name.then(|| format!("{PATH}{name}"))
}
