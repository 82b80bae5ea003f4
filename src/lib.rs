//! Ostiary: an OpenID Connect and OAuth 2 identity provider.
//!
//! The map of the house, floor by floor; ARCHITECTURE.md walks through it. A room imports only from floors below its own.

// 6: what a person starts
pub mod cli;
// 5: the only rooms that name concrete backends
pub mod demo;
pub mod server;
// 4: requests and timers
pub mod http;
pub mod jobs;
// 3: what happens
pub mod flow;
// 2: what the specifications say (pure), and the tools, one outside package each
pub mod captcha;
pub mod credential;
pub mod egress;
pub mod ephemeral;
pub mod geo;
pub mod jose;
pub mod mail;
pub mod picture;
pub mod protocol;
pub mod sessions;
pub mod sms;
pub mod store;
pub mod tabular;
pub mod vault;
pub mod view;
// 1: what exists
pub mod model;
// 0: the ground
pub mod clock;
pub mod config;
pub mod crypto;
pub mod machine;
pub mod metrics;
pub mod random;
pub mod sql;
pub mod telemetry;
