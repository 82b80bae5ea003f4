//! The first administrator of an installation: by a one-time link that is shown at the server's machine.

use std::time::Duration;

use crate::flow::{Call, Error, Provider};
use crate::model::group::ADMIN;
use crate::model::{EventKind, Secret, Timestamp};

/// How long a setup link may be followed.
const LINK_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A link to follow once.
pub struct SetupLink {
    /// The whole address, with the secret in it.
    pub url: Secret,
    /// From when on it leads nowhere.
    pub expires_at: Timestamp,
}

/// Whether nobody administers this installation yet.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn is_needed(provider: &Provider) -> Result<bool, Error> {
    let administrators = provider.store.read().await?.list_some_with_permission(ADMIN).await?;
    Ok(administrators.is_empty())
}

/// A new link; earlier ones no longer count.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn new_link(provider: &Provider, call: &Call) -> Result<SetupLink, Error> {
    let token = Secret::generate();
    let expires_at = call.now.after(LINK_LIFETIME);
    let mut tx = provider.store.write().await?;
    tx.add_setup_link(&token.digest(), call.now, expires_at).await?;
    tx.add_event(&call.event(EventKind::Setup).because("link_made")).await?;
    tx.commit().await?;
    Ok(SetupLink {
        url: Secret::new(provider.issuer.path(&format!("/setup?token={}", token.expose()))),
        expires_at,
    })
}
