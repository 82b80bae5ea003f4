//! OAuth 2.0: what RFC 6749 and its companions ask for.

mod client_authentication;
mod client_endpoints;
mod client_keys;
mod client_secrets;
mod dynamic_registration;
mod redirect_uri;
mod registration;
mod registration_endpoint;
