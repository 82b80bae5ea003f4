//! What stands around every route.

mod edge;
mod forwarded;
mod headers;
mod host;
mod run;

pub use edge::edge;
pub use run::Running;
