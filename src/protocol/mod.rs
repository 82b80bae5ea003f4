//! What the specifications say, one file per term. Pure: no I/O, no clock, no randomness; time and random values arrive as arguments.

pub mod claims_parameter;
pub mod oauth_error;
pub mod parameters;
pub mod pkce;

pub use oauth_error::{ErrorCode, OAuthError};
