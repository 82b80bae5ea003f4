//! What the specifications say, one file per term. Pure: no I/O, no clock, no randomness; time and random values arrive as arguments.

pub mod access_token;
pub mod acr;
pub mod audience;
pub mod authorization_request;
pub mod authorization_response;
pub mod claims;
pub mod claims_parameter;
pub mod client_authentication;
pub mod client_registration;
pub mod code_exchange;
pub mod discovery;
pub mod front_channel;
pub mod id_token;
pub mod introspection;
pub mod logout;
pub mod logout_token;
pub mod oauth_error;
pub mod parameters;
pub mod pkce;
pub mod prompt;
pub mod redirect_uri;
pub mod refresh;
pub mod scim_filter;
pub mod sector;
pub mod session_state;
pub mod subject;

pub use oauth_error::{ErrorCode, OAuthError};
