//! OAuth 2.0: what RFC 6749 and its companions ask for.

mod access_tokens;
mod authorization;
mod authorization_request;
mod browser_binding;
mod caps;
mod client_authentication;
mod client_endpoints;
mod client_keys;
mod client_secrets;
mod codes;
mod consent;
mod cors;
mod dynamic_registration;
mod forgetting;
mod introspection;
mod jwt;
mod models;
mod prompts;
mod races;
mod redirect_uri;
mod refresh;
mod registration;
mod registration_endpoint;
mod revocation;
pub mod scene;
pub mod steps;
mod userinfo;
