//! The sample application: a relying party like any other. It knows the server by its public addresses alone.

mod api;
mod application;
mod logout;
mod page;
mod relying_party;
mod session;

pub(super) use application::SampleApplication;

use crate::model::Secret;

/// What the application was told when it was registered.
#[derive(Clone)]
pub(super) struct Registration {
    /// The issuer.
    pub(super) issuer: String,
    /// The application's own address.
    pub(super) home: String,
    /// The identifier of its API.
    pub(super) api: String,
    /// Its name in the protocol.
    pub(super) client_id: String,
    /// Its secret.
    pub(super) client_secret: Secret,
}
