//! Rights: what a caller may do, and therefore confer. Nobody confers a right he does not hold.

use crate::flow::{Error, Provider};
use crate::model::group::ADMIN;
use crate::model::{Id, Scopes, Timestamp, User};

/// What a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything: somebody at a terminal of the server's machine, or the server itself.
    All,
    /// These permissions and what they imply.
    Held(Scopes),
}

impl Rights {
    /// Whether they include a permission.
    pub fn allow(&self, permission: &str) -> bool {
        match self {
            Self::All => true,
            Self::Held(held) => held.iter().any(|held| implies(held, permission)),
        }
    }

    /// Refuses with the first of these permissions that they do not include.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_cover<'a>(&self, permissions: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        match permissions.into_iter().find(|permission| !self.allow(permission)) {
            None => Ok(()),
            Some(missing) => Err(Error::Forbidden(missing.to_owned())),
        }
    }
}

/// What a person may do, by the groups they are in.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn rights_of(provider: &Provider, user: Id<User>, now: Timestamp) -> Result<Rights, Error> {
    let held = provider.store.read().await?.list_permissions_at(user, now).await?;
    Ok(Rights::Held(Scopes::from_tokens(held.iter().map(String::as_str))))
}

/// Whether who holds one permission holds the other too: `admin` is everything, `admin:users` reads users.
pub fn implies(held: &str, wanted: &str) -> bool {
    held == wanted
        || held == ADMIN
        || (held.starts_with("admin:") && wanted.strip_suffix(".read").is_some_and(|whole| whole == held))
}
