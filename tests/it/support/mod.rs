//! What several test files use.

<<<<<<< HEAD
pub mod documents;
pub mod rooms;
=======
// a helper of one room of tests is not used by the others
#![allow(dead_code)]

pub mod backend;
pub mod browser;
pub mod html;
pub mod relying_party;
pub mod server;
>>>>>>> 0c82df4 (server: it starts from nothing, listens within limits, stops in good order)
pub mod smtp_sink;
