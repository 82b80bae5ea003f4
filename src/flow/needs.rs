//! What somebody still has to do at a sign-in before they are in: what an administrator requires of them, and what the policy wants.
//!
//! It is asked where sessions begin, again after each answer: one thing after another, and none can be left out.

use serde::{Deserialize, Serialize};

use super::people::{PasswordRules, lacking_properties, missing_of};
use super::provider::Texts;
use super::session::Proof;
use crate::model::setting::{ACCOUNT_CONFIRMED_EMAIL, ACCOUNT_REQUIRED, MFA_ENROLMENT_ASKS_PHONE, MFA_REQUIRED};
use crate::model::{Channel, Layers, Property, RequiredAction, Terms, Timestamp, User, UserStatus};

/// Something that is to be done first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub action: Needed,
    /// Who wants it.
    pub because: Wanted,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// To say that the account is to stay, which its owner has deleted.
    Stay,
    /// To confirm a telephone number, beside the second factor that they have.
    ConfirmPhone,
    /// An action that can be required of anybody.
    Action(RequiredAction),
}

impl Needed {
    /// In a word, for the traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stay => "stay",
            Self::ConfirmPhone => "confirm_phone",
            Self::Action(action) => action.as_str(),
        }
    }
}

/// Who wants it, or why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Somebody who administers the account.
    Administrator,
    /// The settings that count for the person, or those of the client that is signed in to.
    Policy,
    /// The person, who has done something before.
    Person,
}

impl Wanted {
    /// In a word, for the traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Policy => "policy",
            Self::Person => "person",
        }
    }
}

/// The first of what is missing, for somebody who has given this proof and has these terms to accept, where these properties are defined.
pub fn missing(
    user: &User,
    layers: &Layers<'_>,
    proof: &Proof,
    has_factor: HasFactor,
    (terms, properties): (&[Terms], &[Property]),
    (texts, now): (Texts, Timestamp),
) -> Option<Missing> {
    // before anything else is changed about it
    if user.status == UserStatus::Leaving {
        return Some(Missing {
            action: Needed::Stay,
            because: Wanted::Person,
        });
    }
    let is_required = |action| user.required_actions.contains(&action);
    let wanted = |action, by_policy: bool| {
        let because = match (is_required(action), by_policy) {
            (true, _) => Wanted::Administrator,
            (false, true) => Wanted::Policy,
            (false, false) => return None,
        };
        Some(Missing {
            action: Needed::Action(action),
            because,
        })
    };
    // who came without it has nothing to replace here
    let change = user.password.as_ref().filter(|_| proof.is_by_password()).and_then(|_| {
        let is_too_old = PasswordRules::of(layers).have_expired(user, now);
        wanted(RequiredAction::ChangePassword, is_too_old)
    });
    let enrol = || match has_factor {
        HasFactor::Yes => None,
        HasFactor::No => wanted(RequiredAction::EnrolFactor, layers.flag(MFA_REQUIRED)),
        HasFactor::Lacks => wanted(RequiredAction::EnrolFactor, true),
    };
    // told by what there is, so that whoever goes away before is asked the next time
    let phone = || {
        let may_be = texts == Texts::Taken && has_factor == HasFactor::Yes;
        let is_missing = may_be && user.confirmed(Channel::Sms).is_none() && layers.flag(MFA_ENROLMENT_ASKS_PHONE);
        is_missing.then_some(Missing {
            action: Needed::ConfirmPhone,
            because: Wanted::Policy,
        })
    };
    let verify = || match user.profile.email_verified {
        true => None,
        false => wanted(RequiredAction::VerifyEmail, layers.flag(ACCOUNT_CONFIRMED_EMAIL)),
    };
    let update = || {
        let lacking = missing_of(user, &layers.words(ACCOUNT_REQUIRED));
        let is_lacking = !lacking.is_empty() || !lacking_properties(properties, user).is_empty();
        wanted(RequiredAction::UpdateProfile, is_lacking)
    };
    // where none count there is nothing to accept, whoever wants it
    let accept = || wanted(RequiredAction::AcceptTerms, !terms.is_empty()).filter(|_| !terms.is_empty());
    change
        .or_else(enrol)
        .or_else(phone)
        .or_else(verify)
        .or_else(update)
        .or_else(accept)
}

/// Whether somebody has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasFactor {
    /// At least one.
    Yes,
    /// None that counts.
    No,
    /// None, and the sign-in is so unusual for them that it takes one.
    Lacks,
}
