//! What handlers take from a request.

mod browser;
pub mod cookie;
pub mod csrf;
mod form;
mod language;
mod multipart;
mod seen;
mod visit;

pub use csrf::{Forgery, Provenance};
pub use form::{Form, Query};
pub use language::{Chosen, Native};
pub use multipart::Multipart;
pub use visit::{Glance, Visit, ending_page, staying};
