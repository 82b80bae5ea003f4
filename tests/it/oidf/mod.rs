//! The public test modules of the OpenID Foundation for providers, one test for each, named after it.
//!
//! `docs/conformance.md` lists them by certification plan. Every test speaks HTTP with a server of its own, as the relying
//! party and the browser of the module would; what a module leaves to a person who looks at a screenshot is asserted here.

mod assertion;
mod basic;
mod config;
mod dynamic;
mod form_post;
mod logout_notifications;
mod module;
mod published_keys;
mod rp_initiated_logout;
mod run;
