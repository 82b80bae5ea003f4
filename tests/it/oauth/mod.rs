//! OAuth 2.0: what RFC 6749 and its companions ask for.

mod authorization;
mod browser_binding;
mod client_authentication;
mod client_endpoints;
mod client_keys;
mod client_secrets;
mod consent;
mod cors;
mod dynamic_registration;
mod prompts;
mod redirect_uri;
mod registration;
mod registration_endpoint;
pub mod steps;
