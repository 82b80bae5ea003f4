//! What several test files use.

// what serves one room of tests is not used by the others
#![allow(dead_code)]

pub mod authenticator;
pub mod backend;
pub mod balancer;
pub mod browser;
pub mod captcha;
pub mod certificates;
pub mod cli;
pub mod disk;
pub mod documents;
pub mod failpoints;
pub mod gate;
pub mod html;
pub mod http;
pub mod ledger;
pub mod logout_receiver;
pub mod otp;
pub mod own_postgres;
pub mod pictures;
pub mod places;
pub mod process;
pub mod proxy;
pub mod redis_kinds;
pub mod relying_party;
pub mod rooms;
pub mod seed;
pub mod server;
pub mod services;
pub mod smtp_sink;
pub mod sources;
pub mod stage;
pub mod text_sink;
pub mod webdriver;
pub mod webhook_receiver;
pub mod wire;
pub mod wrong_clock;
