//! What the simulation knows: what was given out, what was ended and when that was acknowledged, and what must therefore be
//! refused where.

use std::collections::BTreeMap;

use ostiary::model::Timestamp;

use super::nodes::Party;
use crate::support::seed::{TestClient, TestUser};

/// A node that has heard nothing for so long reads again before it trusts what it remembers.
pub const HEARD_WITHIN_MICROS: i64 = 2_000_000;

/// When something happened: how many things had happened before, and at what time.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub step: usize,
    pub at: Timestamp,
}

/// What was ended: everything that rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Person(usize),
    Client(usize),
    Session(usize),
    Family(usize),
    Access(usize),
}

/// An end that was begun at a node, and acknowledged unless the answer was lost.
pub struct End {
    pub what: Ended,
    pub node: usize,
    pub acknowledged: Option<When>,
}

/// A reading of what ended, at a node.
pub struct Reading {
    pub node: usize,
    pub begun: When,
    pub ended: When,
}

pub struct Session {
    pub person: usize,
    pub cookies: String,
    pub id: ostiary::model::Id<ostiary::model::Session>,
}

pub struct Code {
    pub code: String,
    pub session: usize,
    pub client: usize,
    pub born: Timestamp,
    /// The family it became.
    pub family: Option<usize>,
    /// Whether somebody tried to redeem it and was not told what became of that.
    pub unsure: bool,
}

pub struct Family {
    pub session: usize,
    pub client: usize,
    /// The refresh tokens that are known, in order.
    pub chain: Vec<String>,
    /// When the last of them was given out; a lost successor may exist since.
    pub unsure_since: Option<Timestamp>,
}

pub struct Access {
    pub token: String,
    pub family: usize,
    pub born: Timestamp,
}

/// Everything that is known.
#[derive(Default)]
pub struct Model {
    pub people: Vec<TestUser>,
    pub clients: Vec<(TestClient, Party)>,
    pub sessions: Vec<Session>,
    pub codes: Vec<Code>,
    pub families: Vec<Family>,
    pub access: Vec<Access>,
    pub ends: Vec<End>,
    pub readings: Vec<Reading>,
    /// What each refresh token became.
    pub successors: BTreeMap<String, String>,
}

impl Model {
    /// What something rests on, itself included.
    pub fn rests_on(&self, what: Ended) -> Vec<Ended> {
        let mut all = vec![what];
        match what {
            Ended::Person(_) | Ended::Client(_) => (),
            Ended::Session(at) => all.push(Ended::Person(self.sessions[at].person)),
            Ended::Family(at) => {
                let family = &self.families[at];
                all.push(Ended::Client(family.client));
                all.extend(self.rests_on(Ended::Session(family.session)));
            }
            Ended::Access(at) => all.extend(self.rests_on(Ended::Family(self.access[at].family))),
        }
        all
    }

    /// Whether anything that it rests on may have ended: from the moment somebody began to end it.
    pub fn may_have_ended(&self, what: &[Ended]) -> bool {
        self.ends.iter().any(|end| what.contains(&end.what))
    }

    /// Whether nothing else may have ended what this one ends.
    pub fn is_the_only_end(&self, end: usize) -> bool {
        let what = self.rests_on(self.ends[end].what);
        let mut others = self.ends.iter().enumerate().filter(|(other, _)| *other != end);
        others.all(|(_, other)| !what.contains(&other.what))
    }

    /// Why what was begun at a node then can't be allowed any more, if it can't.
    pub fn must_be_refused(&self, what: &[Ended], node: usize, begun: When) -> Option<String> {
        let of_it = self.ends.iter().filter(|end| what.contains(&end.what));
        of_it
            .filter_map(|end| Some((end, end.acknowledged?)))
            .find_map(|(end, known)| {
                let at_once = end.node == node && known.step < begun.step;
                let in_time = begun.at.micros() >= known.at.micros() + HEARD_WITHIN_MICROS;
                let read = self.readings.iter().any(|reading| {
                    reading.node == node && reading.begun.step > known.step && reading.ended.step < begun.step
                });
                (at_once || in_time || read)
                    .then(|| format!("{:?} ended in step {} at node {}", end.what, known.step, end.node))
            })
    }

    /// The newest code that nobody has redeemed or tried to.
    pub fn open_code(&self) -> Option<usize> {
        self.codes
            .iter()
            .rposition(|code| code.family.is_none() && !code.unsure)
    }

    /// The newest access token that rests on something.
    pub fn some_access_on(&self, what: Ended) -> Option<usize> {
        (0..self.access.len()).rfind(|at| self.rests_on(Ended::Access(*at)).contains(&what))
    }

    /// Notes that an end was begun; its number.
    pub fn begin_to_end(&mut self, what: Ended, node: usize) -> usize {
        self.ends.push(End {
            what,
            node,
            acknowledged: None,
        });
        self.ends.len() - 1
    }
}
