//! Administration: what the flows of people do, and how the API speaks.

mod api_keys;
mod client_access;
mod clients;
mod conventions;
pub mod conversation;
mod delegation;
mod documents;
mod finding;
mod groups;
mod history;
mod layers;
mod least_data;
mod me;
mod my_account;
mod nested_groups;
mod object_rights;
mod people;
mod properties;
mod provider;
mod roles;
pub mod routes;
mod schema;
mod segments;
mod session_lists;
mod settings;
mod undone;
mod webhooks;
