//! The pages in Chromium: what a person does, what the browser holds against policies and cookies, what it keeps.
//!
//! Chromium comes from the test command; the quick run has none of these.

mod captcha;
mod check_session;
mod client_site;
mod clocks;
mod cross_origin;
mod ending;
mod keyboard;
mod passkeys;
mod proof_of_work;
mod sample_application;
mod traces;
