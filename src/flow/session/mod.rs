//! Sessions of browsers: who is recognised, how a session begins, how it ends.
//!
//! A session is live if the session store holds it *and* the store does not say that it ended. A browser's session cookie
//! holds the tokens of up to eight sessions, one a person; its other cookie holds a key that binds forms and pending
//! interactions to it.

mod account;
pub(in crate::flow) mod at_client;
mod begin;
mod browser;
pub mod choice;
pub mod demand;
mod device;
pub mod duty;
mod end;
pub(in crate::flow) mod first_factor;
pub(in crate::flow) mod kept;
pub(in crate::flow) mod landing;
mod lapse;
pub(in crate::flow) mod logins;
pub(in crate::flow) mod news;
mod onward;
mod own;
pub(in crate::flow) mod pushed_out;
pub(in crate::flow) mod remains;
mod risk;
mod state;
pub(in crate::flow) mod term;
mod token;
mod waiting;
mod walk;

pub use account::{Account, Ending, OnDevice, Proof, SecondProof, SessionFacts, is_multiple};
pub use begin::{Full, NotBegun, begin, begin_for};
pub use browser::{Browser, Lapse, Lapsed, glance, recognize};
pub use choice::{Choice, Chosen};
pub use demand::Demand;
pub use device::{DeviceRefused, LIMITS as DEVICE_LIMITS, MOST as MOST_DEVICES, judge_network, known_device};
pub use duty::{Duty, Task};
pub use end::end;
pub use kept::{Uses, write_uses};
pub use lapse::end_lapsed;
pub use logins::KnownLogin;
pub use onward::Answered;
pub use own::{
    Asker, NotEnded, OwnEnd, OwnSession, PROOF_GOOD_FOR, end_own, is_freshly_proved, own_sessions, own_times,
    serves_origin,
};
pub use risk::Risk;
pub use state::{BrowserMark, browser_state, session_state};
pub use token::SessionToken;
pub use waiting::Purpose;
pub use walk::Walk;
