//! What happens, by subject. A flow authenticates, loads, asks protocol what the rules are, changes, writes the event, commits.

pub mod again;
pub mod audit;
pub mod authorization;
pub mod call;
pub mod clients;
pub mod counts;
pub mod effective;
pub mod error;
pub mod explain;
pub mod factor;
pub mod first_party;
mod forgetting;
pub mod guess;
pub mod letter;
pub mod memory;
pub mod needs;
pub mod operations;
pub mod pending;
pub mod people;
mod person;
pub mod provider;
pub mod refused_access;
mod remembered;
pub mod session;
mod settle;
pub mod short_code;
pub mod sign_in;
pub mod sign_in_link;
pub mod sign_out;
pub mod terms;
pub mod token;
pub mod trace;
pub mod watch;

pub use call::{Call, Origin};
pub use error::{Error, FieldError};
pub use provider::Provider;
