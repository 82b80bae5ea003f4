//! Second factors: judged at a sign-in, looked after by the person, taken away by an administrator where a device is lost.

mod administer;
mod at_sign_in;
mod ceremony;
mod check;
mod guessed;
mod kept_codes;
mod news;
mod own;
mod own_passkey;
mod own_sent;
mod passkey;
mod remembered;
mod sent;

use std::time::Duration;

pub use administer::{NewImport, ask_everywhere_of, import, list, list_as_administrator, remove_all_of, remove_of};
pub(in crate::flow) use at_sign_in::{Shown, enrol, judge_new, step_of};
pub use at_sign_in::{ToSetUp, ask_for_new, to_set_up};
pub(in crate::flow) use ceremony::Occasion;
pub use ceremony::{Question, relying_party, taken_authenticators};
pub use check::{Signature, Typed};
pub(in crate::flow) use check::{accept, judge};
pub(in crate::flow) use guessed::notice_guesses;
pub use kept_codes::{codes_that_came_with, forget_codes, keep_codes, kept_codes};
pub use own::{
    Begun, Confirmed, NewFactor, NotChanged, OwnFactors, ask_everywhere, begin, confirm, confirm_in, look_at_begun,
    own_factors, remove, rename, renew_recovery_codes,
};
pub use own_passkey::{BegunPasskey, begin_passkey, confirm_passkey, confirm_passkey_in, look_at_begun_passkey};
pub use own_sent::add_sent;
pub(in crate::flow) use passkey::{accept as accept_signature, judge as judge_signature};
pub use passkey::{ask_anybody, ask_for_second};
pub use remembered::{remembered_devices, remembers_for};
pub use sent::{SentWay, may_be_sent, send_code, sent_code, sent_ways};

/// What the secrets of factors are sealed for.
pub const SEALED_FOR: &str = "second factor";
/// So many factors one person may have.
const MOST: usize = 10;
/// How long somebody may take to set up an authenticator.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
