//! What the token endpoint does, a file per grant.

pub mod client_authentication;
