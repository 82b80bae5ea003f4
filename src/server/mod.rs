//! The server: the only room that names concrete backends. It puts the parts together, listens, and ends in good order.

mod application;
mod backup;
mod control;
mod doctor;
mod error;
mod listener;
mod lock;
mod moving;
mod places;
mod signals;
mod timed_body;
mod tls;
mod wiring;

pub use crate::sql::Failpoints;
pub use application::{Application, Ended, Options};
pub use backup::{Place, Restored, Taken, Verified, back_up, restore, verify};
pub use control::{Answer, Commands, Request, ask};
pub use doctor::doctor;
pub use error::Error;
pub use lock::Lock;
pub use moving::{Outlook, look_at_move, move_store};
pub use signals::Signals;
pub use wiring::{Parts, is_embedded, open, outstanding, provide};
