//! What stands around every route.

mod edge;
mod forwarded;
mod headers;
mod host;
mod places;
mod run;

pub use edge::edge;
pub use places::Places;
pub use run::Running;
