//! What a browser holds of a session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::model::{Digest, Id, User};
use crate::random;

const USER_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// What a browser holds of a session: 64 characters of base64url over the user's id, which says where the session is kept,
/// and 256 random bits. Prints as `***`.
#[derive(Clone)]
pub struct SessionToken {
    user: Id<User>,
    text: Zeroizing<String>,
}

impl SessionToken {
    /// A new token of this user.
    pub fn generate(user: Id<User>) -> Self {
        Self::of(user, &Zeroizing::new(random::bytes()))
    }

    /// The token of this user with this secret, which nobody can guess.
    pub(super) fn of(user: Id<User>, secret: &[u8; SECRET_BYTES]) -> Self {
        let mut bytes = Zeroizing::new(user.uuid().as_bytes().to_vec());
        bytes.extend_from_slice(secret);
        Self {
            user,
            text: Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())),
        }
    }

    /// Reads what a browser sent. `None`: it is no token.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != (USER_BYTES + SECRET_BYTES) / 3 * 4 {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let user = Uuid::from_slice(bytes.get(..USER_BYTES)?).ok()?;
        Some(Self {
            user: Id::from_uuid(user),
            text: Zeroizing::new(text.to_owned()),
        })
    }

    /// Whose session it says to be.
    pub fn user(&self) -> Id<User> {
        self.user
    }

    /// For the cookie.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the session is kept under.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}
