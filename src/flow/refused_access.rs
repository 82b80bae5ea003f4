//! What may be refused again and again, on record without filling it (SEC-613): the first of a source in a minute as it comes, the
//! rest of that minute as one number.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::{Call, Error, Provider};
use crate::model::{Client, Event, EventKind, Fact, Id, Timestamp, User};

/// How long refusals are put together.
const WINDOW: Duration = Duration::from_secs(60);
/// So many of what a stranger may ask for stand for themselves, of one source in a window.
const EACH: u32 = 10;
/// So many beyond the first of a source do, of all sources in a minute.
const ALL: u32 = 600;
/// How many sources are told apart at a time; whatever comes from more of them is one source.
const MOST_SOURCES: usize = 1000;

/// Who is refused, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source {
    /// Where there are not too many.
    who: Option<Who>,
    kind: EventKind,
    rule: &'static str,
}

/// The network, the caller, the person and the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Who {
    network: Vec<u8>,
    actor: Option<uuid::Uuid>,
    user: Option<Id<User>>,
    client: Option<Id<Client>>,
}

/// What came from one source since its window began.
struct Tally {
    first: Event,
    until: Timestamp,
    /// How many have come as they were.
    told: u32,
    more: i64,
}

/// How many of a window come as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The first.
    First,
    /// Some, as long as there are not too many of all.
    Some,
}

/// The windows that are open.
#[derive(Default)]
pub struct Tallies(Mutex<Windows>);

#[derive(Default)]
struct Windows {
    open: HashMap<Source, Tally>,
    /// When the first of them is over.
    first_end: Option<Timestamp>,
    /// A minute, and how many came as they were in it beyond the first of a source.
    minute: i64,
    told: u32,
}

impl Tallies {
    fn lock(&self) -> MutexGuard<'_, Windows> {
        match self.0.lock() {
            Ok(tallies) => tallies,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Counts a refusal. Gives its event if it comes as it is.
    fn count(&self, event: Event, network: Vec<u8>, rule: &'static str, told: Told) -> Option<Event> {
        let mut windows = self.lock();
        let tallies = &mut *windows;
        let mut source = Source {
            who: Some(Who {
                network,
                actor: event.actor.id(),
                user: event.user,
                client: event.client,
            }),
            kind: event.kind,
            rule,
        };
        if tallies.open.len() >= MOST_SOURCES && !tallies.open.contains_key(&source) {
            source.who = None;
        }
        if let Some(tally) = tallies.open.get_mut(&source) {
            let minute = event.at.seconds().div_euclid(60);
            if tallies.minute != minute {
                (tallies.minute, tallies.told) = (minute, 0);
            }
            if told == Told::Some && tally.told < EACH && tallies.told < ALL {
                tally.told += 1;
                tallies.told += 1;
                return Some(event);
            }
            tally.more = tally.more.saturating_add(1);
            return None;
        }
        let tally = Tally {
            first: event.clone(),
            until: event.at.after(WINDOW),
            told: 1,
            more: 0,
        };
        tallies.first_end = tallies
            .first_end
            .map_or(Some(tally.until), |end| Some(end.min(tally.until)));
        tallies.open.insert(source, tally);
        Some(event)
    }

    /// Closes the windows that are over at this moment. Gives what came in them beside the first.
    fn close(&self, now: Timestamp, over: Timestamp) -> Vec<Event> {
        let mut rest = Vec::new();
        let mut windows = self.lock();
        if windows.first_end.is_none_or(|first_end| over < first_end) {
            return rest;
        }
        windows.open.retain(|_, tally| {
            if over < tally.until {
                return true;
            }
            if tally.more > 0 {
                let event = Event {
                    id: Id::new(now),
                    at: now,
                    ..tally.first.clone()
                };
                rest.push(event.fact("more", Fact::Number(tally.more)));
            }
            false
        });
        windows.first_end = windows.open.values().map(|tally| tally.until).min();
        rest
    }
}

impl Provider {
    /// Records that the API refused a caller, by this rule.
    pub async fn note_refused_access(&self, call: &Call, rule: &'static str) {
        self.note_refusals(call, call.event(EventKind::ApiRefused).refused(rule), rule)
            .await;
    }

    /// Records a refusal by this rule of something that a stranger may ask for, at next to no cost: the first ten of a source in a
    /// minute, as long as there are no more than 600 of all, and the rest as one number (SEC-643).
    pub async fn note_strangers_refusal(&self, call: &Call, event: Event, rule: &'static str) {
        self.note_told(call, event, rule, Told::Some).await;
    }

    /// Records a refusal by this rule that may come in floods: of a guess that was not looked at any more.
    pub async fn note_refusals(&self, call: &Call, event: Event, rule: &'static str) {
        self.note_told(call, event, rule, Told::First).await;
    }

    async fn note_told(&self, call: &Call, event: Event, rule: &'static str, told: Told) {
        self.note_closed_windows(call.now, call.now).await;
        self.count_refusal(&event);
        if let Some(first) = self
            .events
            .refused_access
            .count(event, call.origin.network(), rule, told)
        {
            self.hand_over(first).await;
        }
    }

    /// Hands over what came in the windows that are over, and writes the events that wait.
    ///
    /// # Errors
    /// As [`Provider::write_noted_events`].
    pub async fn write_events(&self, now: Timestamp) -> Result<(), Error> {
        self.note_closed_windows(now, now).await;
        self.write_noted_events().await
    }

    /// The same at the end, when no window stays open.
    ///
    /// # Errors
    /// As [`Provider::write_noted_events`].
    pub async fn write_last_events(&self, now: Timestamp) -> Result<(), Error> {
        self.note_closed_windows(now, now.after(WINDOW)).await;
        self.write_noted_events().await
    }

    async fn note_closed_windows(&self, now: Timestamp, over: Timestamp) {
        for event in self.events.refused_access.close(now, over) {
            self.hand_over(event).await;
        }
    }
}
