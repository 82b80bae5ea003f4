//! What stands around every route.

mod client_certificate;
mod door;
mod edge;
mod forwarded;
mod headers;
mod host;
mod places;
mod run;

pub use client_certificate::ClientCertificate;
pub use door::Door;
pub use edge::edge;
pub(super) use edge::pass;
pub use headers::MayBeFramed;
pub(super) use headers::add as add_headers;
pub use places::{Place, Places};
pub use run::Running;
