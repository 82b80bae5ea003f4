//! Where a node is with looking at every session. After limits have changed for many it walks through all that are live, one time,
//! and once when it starts: they may have changed while nobody looked.

use std::sync::{Arc, Mutex, PoisonError};

use crate::flow::{Error, Provider};
use crate::model::setting::{self, Settings};
use crate::store::SessionMark;

/// The settings that say how long sessions go on.
const LENGTHS: [&str; 6] = [
    setting::SESSION_IDLE_TIMEOUT,
    setting::SESSION_LIFETIME,
    setting::SESSION_REMEMBER_IDLE_TIMEOUT,
    setting::SESSION_REMEMBER_LIFETIME,
    setting::SESSION_ADMIN_IDLE_TIMEOUT,
    setting::SESSION_ADMIN_LIFETIME,
];

/// What the limits of sessions come from, beside people's own records.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    settings: Arc<Settings>,
    /// When the groups changed.
    groups: u64,
}

impl Limits {
    /// As they are now.
    pub(super) async fn of(provider: &Provider) -> Result<Self, Error> {
        Ok(Self {
            settings: provider.settings().await?,
            groups: provider.since().await?.groups,
        })
    }

    /// Whether sessions may end at other times by them.
    fn differ_from(&self, other: &Self) -> bool {
        let is_other = |key| self.settings.effective(key) != other.settings.effective(key);
        self.groups != other.groups || LENGTHS.into_iter().any(is_other)
    }
}

/// A walk of this node through all live sessions, after limits have changed for many.
#[derive(Debug, Default)]
pub struct Walk(Mutex<Walked>);

#[derive(Clone, Debug, Default)]
struct Walked {
    /// What said the limits when the last walk began; nothing: none has begun.
    limits: Option<Limits>,
    /// Where it goes on; nothing: it has come to its end.
    mark: Option<SessionMark>,
}

impl Walk {
    /// Where to go on, if there is anything to walk through.
    pub(super) fn next(&self, limits: Limits) -> Option<SessionMark> {
        let mut walked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if walked.limits.as_ref().is_none_or(|before| before.differ_from(&limits)) {
            walked.mark = Some(SessionMark::start());
        }
        walked.limits = Some(limits);
        walked.mark
    }

    /// Goes on from there.
    pub(super) fn go_on(&self, from: SessionMark, to: Option<SessionMark>) {
        let mut walked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // it may have begun anew meanwhile
        if walked.mark == Some(from) {
            walked.mark = to;
        }
    }
}
