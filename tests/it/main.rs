//! The only test binary: every file beside it is a room of tests.

// a test that can't go on says so by panicking, in its helpers too
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// the server's time moves by its clock; what is waited for here is another process
#![allow(clippy::disallowed_methods)]

mod api;
mod architecture;
mod boundaries;
mod bounds;
mod breached;
mod browser;
mod config;
mod cost;
mod crash;
mod credential;
mod cryptography;
mod demo;
mod dependencies;
mod egress;
mod ephemeral;
mod explain;
mod faults;
mod fuzz;
mod geo;
mod jose;
mod lifecycle;
mod login;
mod mail;
mod nodes;
mod oauth;
mod oidc;
mod oidf;
mod once_only;
mod one_time_codes;
mod operations;
mod page;
mod protocol;
mod sessions;
mod simulation;
mod sql;
mod store;
mod support;
mod text_messages;
