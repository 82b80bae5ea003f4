//! What every handler works with.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::FromRef;
use ipnet::IpNet;
use serde_json::Value;

use super::layer::{Door, Places, Running};
use crate::flow::Provider;
use crate::flow::operations::doctor::Doctor;
use crate::model::Secret;
use crate::telemetry::Tracing;
use crate::view::{Locale, Views};

/// What every handler works with. Clones share it: a request makes several.
#[derive(Clone)]
pub struct Http(Arc<Parts>);

/// What it is made of.
pub struct Parts {
    /// What flows work with.
    pub provider: Provider,
    /// The pages.
    pub views: Arc<Views>,
    /// What a request may take.
    pub limits: Limits,
    /// Networks whose forwarding headers count.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Whether the listener itself speaks TLS.
    pub tls: bool,
    /// Administration has so many places at the store, and no more.
    pub administration: Places,
    /// What looks at the installation.
    pub doctor: Arc<Doctor>,
    /// What has begun to change something and is not finished: the server waits for it before it stops.
    pub running: Running,
    /// What the listener and the routes know of each other.
    pub door: Door,
    /// Who may see the numbers.
    pub metrics: MetricsAccess,
    /// Where spans of requests go, if anywhere.
    pub tracing: Option<Tracing>,
    /// What is made once, when somebody first asks for it.
    pub made: Made,
}

/// What is the same for everybody, and made when somebody first asks for it.
#[derive(Default)]
pub struct Made {
    /// The OpenAPI document.
    pub(super) description: OnceLock<Value>,
    /// What somebody is shown whose password is not looked at, in each language.
    pub(super) busy: OnceLock<Vec<(Locale, Bytes)>>,
}

impl Http {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Http {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Who may see the numbers of the process.
#[derive(Clone, Debug, Default)]
pub struct MetricsAccess {
    /// Whether they have a listener of their own: then the public one does not show them.
    pub separate: bool,
    /// What whoever wants to see them shows; on the public listener, a token of the administration API will do as well.
    pub token: Option<Secret>,
}

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body in bytes, where a route sets no smaller limit.
    pub body_bytes: usize,
    /// How long a request may take.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            time: Duration::from_secs(30),
        }
    }
}

impl FromRef<Http> for Provider {
    fn from_ref(http: &Http) -> Self {
        http.provider.clone()
    }
}
