//! When signing keys are made, begin to sign, stop, and go: a pure function of the keys, the rules and the time.
//!
//! For each algorithm: `next` is published ahead of its use, so that verifiers with a cached set know it before it signs;
//! `active` signs; `retiring` is published until the last token it signed has ended; `retired` is gone.

use std::time::Duration;

use crate::model::setting::{self, Settings};
use crate::model::{Id, SigningAlgorithm, SigningKey, SigningKeyState, Timestamp};

/// One key a kind: an RSA key made for RS256 serves PS256 too.
pub const KINDS: [SigningAlgorithm; 3] = [
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Es256,
    SigningAlgorithm::EdDsa,
];

/// No token of ours lives longer: the greatest value that the lifetimes' settings take, whatever they are now.
const LONGEST_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// For clocks that differ and nodes that still signed with the old key.
const SLACK: Duration = Duration::from_secs(60 * 60);

/// The times of rotation.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a key signs.
    pub interval: Duration,
    /// How long a key is published before it signs.
    pub ahead: Duration,
}

impl Rules {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            interval: settings.duration(setting::KEY_ROTATION_INTERVAL),
            ahead: settings.duration(setting::KEY_PUBLISH_AHEAD),
        }
    }
}

/// How long a key stays published after it stopped signing.
pub const fn kept() -> Duration {
    LONGEST_TOKEN.saturating_add(SLACK)
}

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key is made, to sign later.
    Create(SigningAlgorithm),
    /// A key is made that signs at once: there is none.
    CreateActive(SigningAlgorithm),
    /// A key begins to sign.
    Activate(Id<SigningKey>, SigningAlgorithm),
    /// A key stops signing.
    StopSigning(Id<SigningKey>, SigningAlgorithm),
    /// A key leaves the published set.
    Retire(Id<SigningKey>, SigningAlgorithm),
}

/// Everything that is due at `now`.
pub fn due(keys: &[SigningKey], rules: Rules, now: Timestamp) -> Vec<Step> {
    KINDS
        .into_iter()
        .flat_map(|algorithm| {
            let kind: Vec<&SigningKey> = keys.iter().filter(|key| kind_of(key) == algorithm).collect();
            due_of_kind(&kind, algorithm, rules, now)
        })
        .collect()
}

/// The kind that a key belongs to.
pub fn kind_of(key: &SigningKey) -> SigningAlgorithm {
    match key.algorithm {
        SigningAlgorithm::Ps256 => SigningAlgorithm::Rs256,
        other => other,
    }
}

fn due_of_kind(keys: &[&SigningKey], algorithm: SigningAlgorithm, rules: Rules, now: Timestamp) -> Vec<Step> {
    let in_state = |state| keys.iter().copied().filter(move |key| key.state == state);
    let mut steps: Vec<Step> = in_state(SigningKeyState::Retiring)
        .filter(|key| key.retiring_at.is_none_or(|since| since.after(kept()) <= now))
        .map(|key| Step::Retire(key.id, algorithm))
        .collect();
    let active = in_state(SigningKeyState::Active).max_by_key(|key| (key.activated_at, key.id));
    let next = in_state(SigningKeyState::Next).min_by_key(|key| (key.created_at, key.id));
    match (active, next) {
        (None, None) => steps.push(Step::CreateActive(algorithm)),
        // nothing signs: waiting for caches would be worse
        (None, Some(next)) => steps.push(Step::Activate(next.id, algorithm)),
        (Some(_), Some(next)) if next.created_at.after(rules.ahead) <= now => {
            steps.extend(in_state(SigningKeyState::Active).map(|key| Step::StopSigning(key.id, algorithm)));
            steps.push(Step::Activate(next.id, algorithm));
        }
        (Some(_), Some(_)) => (),
        (Some(active), None) => {
            let since = active.activated_at.unwrap_or(active.created_at);
            if since.after(rules.interval) <= now.after(rules.ahead) {
                steps.push(Step::Create(algorithm));
            }
        }
    }
    steps
}
