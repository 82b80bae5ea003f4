//! How a budget is spent. What is spent comes back a period after it was, so that in no stretch as long as the period more goes
//! than the budget, wherever the stretch begins. The tally remembers how much was spent in each sixteenth of a period, not each
//! moment: a unit comes back when the period has gone by since the end of its sixteenth, never sooner.

use std::time::Duration;

use crate::model::Timestamp;

/// What an attempt to spend comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// There was something left.
    Allowed {
        /// How many more are left at this moment.
        remaining: u32,
    },
    /// The budget is used up.
    Refused {
        /// When to ask again.
        retry_after: Duration,
    },
}

impl Spent {
    /// Whether nothing of the budget was spent, as far as was looked.
    pub(super) fn is_untouched(self, budget: u32) -> bool {
        matches!(self, Self::Allowed { remaining } if remaining >= budget)
    }

    /// Whether this was the first of the budget to be spent.
    pub(super) fn is_first_of(self, budget: u32) -> bool {
        matches!(self, Self::Allowed { remaining } if remaining.saturating_add(1) >= budget)
    }
}

/// A budget, and the period in which it may be spent once; microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    budget: u32,
    period: i64,
}

/// What was spent: how much in the part of a period that ends at a moment, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Microseconds since 1970.
    end: i64,
    spent: u32,
}

/// A century: longer periods say "never again", and sums with a present stay exact in a double (Lua has no other number).
const LONGEST_PERIOD_MICROS: i64 = 1 << 51;
const PARTS: i64 = 16;

impl Allowance {
    /// `budget` units in every `period`.
    pub fn new(budget: u32, period: Duration) -> Self {
        let period = i64::try_from(period.as_micros())
            .unwrap_or(LONGEST_PERIOD_MICROS)
            .clamp(1, LONGEST_PERIOD_MICROS);
        Self { budget, period }
    }

    pub fn budget(self) -> u32 {
        self.budget
    }

    /// Microseconds.
    pub fn period(self) -> i64 {
        self.period
    }

    /// How long a part is, in microseconds.
    pub fn part(self) -> i64 {
        (self.period / PARTS).max(1)
    }

    /// Spends one unit, if one is left.
    pub fn spend(self, tally: &mut Tally, now: Timestamp) -> Spent {
        tally.0.retain(|part| self.holds(*part, now));
        if tally.spent() >= self.budget {
            return self.refused(tally, now);
        }
        let part = self.part();
        let end = now.micros().div_euclid(part).saturating_add(1).saturating_mul(part);
        match tally.0.last_mut() {
            // of nodes whose clocks differ, the one that is ahead says what time it is
            Some(newest) if newest.end >= end => newest.spent = newest.spent.saturating_add(1),
            _ => tally.0.push(Part { end, spent: 1 }),
        }
        self.allowed(tally, now)
    }

    /// When the whole budget will be back, in microseconds since 1970.
    pub fn whole_at(self, tally: &Tally) -> i64 {
        tally
            .0
            .last()
            .map_or(0, |newest| newest.end.saturating_add(self.period))
    }

    /// The answer to a spending that was counted, the tally standing so after it.
    pub fn allowed(self, tally: &Tally, now: Timestamp) -> Spent {
        Spent::Allowed {
            remaining: self.budget.saturating_sub(self.held(tally, now)),
        }
    }

    /// The answer to a spending that was not counted, the tally standing so.
    pub fn refused(self, tally: &Tally, now: Timestamp) -> Spent {
        let mut held = self.held(tally, now);
        let mut back = now.micros().saturating_add(self.period);
        for part in tally.0.iter().filter(|part| self.holds(**part, now)) {
            held = held.saturating_sub(part.spent);
            back = part.end.saturating_add(self.period);
            if held < self.budget {
                break;
            }
        }
        let wait = back.saturating_sub(now.micros());
        Spent::Refused {
            retry_after: Duration::from_micros(u64::try_from(wait).unwrap_or(0).max(1)),
        }
    }

    /// What spending would come to, the tally standing so; `remaining` counts the unit asked about.
    pub fn foretold(self, tally: &Tally, now: Timestamp) -> Spent {
        match self.allowed(tally, now) {
            Spent::Allowed { remaining: 0 } => self.refused(tally, now),
            answer => answer,
        }
    }

    /// Whether what was spent in it is not back yet.
    fn holds(self, part: Part, now: Timestamp) -> bool {
        part.end.saturating_add(self.period) > now.micros()
    }

    fn held(self, tally: &Tally, now: Timestamp) -> u32 {
        let held = tally.0.iter().filter(|part| self.holds(**part, now));
        held.fold(0, |sum, part| sum.saturating_add(part.spent))
    }
}

impl Tally {
    /// Gives back one unit that was spent at this moment, if it is held still.
    pub fn give_back(&mut self, at: Timestamp) {
        // a node whose clock was behind spent in a later part
        let part = self.0.iter_mut().find(|part| part.end > at.micros());
        if let Some(part) = part {
            part.spent = part.spent.saturating_sub(1);
        }
        self.0.retain(|part| part.spent > 0);
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is kept: `END:SPENT` for each part, with blanks between. What can't be read was never spent.
    pub fn read(text: &str) -> Self {
        let part = |word: &str| {
            let (end, spent) = word.split_once(':')?;
            Some(Part {
                end: end.parse().ok()?,
                spent: spent.parse().ok()?,
            })
        };
        Self(text.split_ascii_whitespace().filter_map(part).collect())
    }

    pub fn write(&self) -> String {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|part| format!("{}:{}", part.end, part.spent))
            .collect();
        words.join(" ")
    }

    fn spent(&self) -> u32 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.spent))
    }
}
