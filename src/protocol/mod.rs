//! What the specifications say, one file per term. Pure: no I/O, no clock, no randomness; time and random values arrive as arguments.

pub mod claims_parameter;
pub mod client_authentication;
pub mod client_registration;
pub mod oauth_error;
pub mod parameters;
pub mod pkce;
pub mod redirect_uri;
pub mod sector;

pub use oauth_error::{ErrorCode, OAuthError};
