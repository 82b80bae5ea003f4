//! What was ended, as this node knows it: so that nothing counts that rests on it and was read before.

use std::collections::{HashMap, HashSet};

use crate::model::{Digest, Grant, Id, Session, User};
use crate::store::{Ended, EndedRow};

/// So many entries are kept apart; past it everything that was read before is forgotten.
const MOST_ENDED: usize = 20_000;
/// How many entries of the list are read at once; a node that is so far behind forgets everything.
pub(super) const MOST_READ: u32 = 5_000;

/// What something that is remembered rests on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RestsOn {
    pub(crate) user: Option<Id<User>>,
    pub(crate) session: Option<Id<Session>>,
    pub(crate) grant: Option<Id<Grant>>,
    /// What the token is revoked under.
    pub(crate) token: Option<Digest>,
}

impl RestsOn {
    /// On somebody alone.
    pub(crate) fn user(id: Id<User>) -> Self {
        Self {
            user: Some(id),
            ..Self::default()
        }
    }
}

#[derive(Default)]
pub(super) struct Forgetting {
    /// Counts what came to be known.
    number: u64,
    /// When everything was forgotten.
    everything: u64,
    /// When the groups changed.
    groups: u64,
    ended: HashMap<Ended, u64>,
    /// Where the next reading of the list goes on.
    mark: Option<i64>,
    /// What was read from there on already.
    seen: HashSet<EndedRow>,
}

impl Forgetting {
    /// The number that is asked for before something is read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn mark(&self) -> Option<i64> {
        self.mark
    }

    /// When the groups changed for the last time, or may have.
    pub(super) fn groups(&self) -> u64 {
        self.groups.max(self.everything)
    }

    /// Takes note of what was ended.
    pub(super) fn note(&mut self, ended: impl IntoIterator<Item = Ended>) {
        self.number += 1;
        for ended in ended {
            match ended {
                Ended::Groups => self.groups = self.number,
                // rare, and nearly everything that is remembered rests on a session
                Ended::Sessions => self.everything = self.number,
                other => drop(self.ended.insert(other, self.number)),
            }
        }
        if self.ended.len() > MOST_ENDED {
            self.forget_everything();
        }
    }

    /// Nothing that was read before counts any more.
    pub(super) fn forget_everything(&mut self) {
        self.number += 1;
        self.everything = self.number;
        self.ended = HashMap::new();
    }

    /// The list is another one from now on: its marks may come again for other entries.
    pub(super) fn begin_epoch(&mut self) {
        self.forget_everything();
        self.mark = None;
        self.seen = HashSet::new();
    }

    /// Takes note of a reading of the list that went on from `from` and says to go on from `next`.
    pub(super) fn read(&mut self, from: Option<i64>, next: i64, rows: &[EndedRow]) {
        if from.is_some_and(|from| next < from) || rows.len() >= usize::try_from(MOST_READ).unwrap_or(usize::MAX) {
            // another database than before, or too much at once
            self.forget_everything();
        }
        self.mark = match self.mark {
            // readings may overtake each other: one that began before this place covers what lies between
            Some(mark) if from.is_some_and(|from| from < mark) => Some(mark.max(next)),
            // one that began elsewhere leaves a gap: the next goes on from here
            Some(mark) if from != Some(mark) => Some(mark),
            _ => Some(next),
        };
        let new: Vec<EndedRow> = rows.iter().copied().filter(|row| !self.seen.contains(row)).collect();
        if !new.is_empty() {
            self.note(new.iter().filter_map(|row| row.ended));
        }
        let mark = self.mark;
        self.seen.extend(new);
        self.seen.retain(|row| Some(row.mark) >= mark);
    }

    /// Whether what was read when the number was `since` still counts.
    pub(super) fn counts(&self, since: u64, rests_on: &RestsOn) -> bool {
        let ended = |ended: Ended| self.ended.get(&ended).is_some_and(|at| *at > since);
        since >= self.everything
            && rests_on
                .user
                .is_none_or(|id| since >= self.groups && !ended(Ended::User(id)))
            && rests_on.session.is_none_or(|id| !ended(Ended::Session(id)))
            && rests_on.grant.is_none_or(|id| !ended(Ended::Grant(id)))
            && rests_on.token.is_none_or(|digest| !ended(Ended::Token(digest)))
    }
}
