//! Who may give a client power over this server. Nobody confers a right he does not hold.

use crate::flow::Error;
use crate::model::{ClientMetadata, Scopes};
use crate::protocol::client_registration::privileged;

/// What whoever makes or changes a client may confer.
#[derive(Clone, Debug)]
pub enum Authority {
    /// The operator, at a terminal or by a file: everything.
    Operator,
    /// A caller of the API: what its own scopes hold.
    Holder(Scopes),
    /// A client that describes itself: nothing privileged.
    Registration,
}

impl Authority {
    /// Refuses what goes beyond this authority: a client with privileged scopes may be made, changed or given a secret only by
    /// those who hold them, because whoever has its secret has its scopes.
    pub fn require(&self, metadata: &ClientMetadata) -> Result<(), Error> {
        let beyond = metadata
            .scope
            .iter()
            .find(|scope| privileged(scope) && !self.holds(scope));
        match beyond {
            None => Ok(()),
            Some(scope) => Err(Error::Forbidden(scope.to_owned())),
        }
    }

    fn holds(&self, scope: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::Registration => false,
            Self::Holder(held) => {
                let whole = scope.strip_suffix(".read").unwrap_or(scope);
                let of_administration = scope == "admin" || scope.starts_with("admin:");
                held.contains(scope) || held.contains(whole) || (of_administration && held.contains("admin"))
            }
        }
    }
}
