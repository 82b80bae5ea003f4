//! Keeping traces: best effort, bounded per minute, written behind. A flood of one kind or from one address takes a part of the
//! minute's places only, so that the refusal somebody asks about is found behind it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::rules;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{Settings, TRACE_PER_MINUTE};
use crate::model::{Part, Reason, Step, Timestamp, Trace, Verdict};
use crate::store::TraceRow;

/// How many traces may wait to be written. Past it they are dropped: nobody waits for an explanation to be kept.
const MOST_WAITING: usize = 5_000;
/// How many are written in one transaction.
const BATCH: usize = 200;
/// What part of a minute's places one rule, or one address, may take.
const SHARE: u32 = 4;
/// Before the settings were read.
const PER_MINUTE: u32 = 600;
const MINUTE_SECONDS: i64 = 60;

/// What a trace is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Something was refused.
    Refusal,
    /// Somebody signs in, or was signed in at an application.
    SignIn,
}

/// Traces that wait to be written, and how many more are kept this minute.
pub struct Traces {
    inner: Mutex<Inner>,
    turn: tokio::sync::Mutex<()>,
}

struct Inner {
    waiting: Vec<Trace>,
    per_minute: u32,
    minute: i64,
    refusals: u32,
    sign_ins: u32,
    by_rule: HashMap<&'static str, u32>,
    by_source: HashMap<Option<IpAddr>, u32>,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: Vec::new(),
                per_minute: PER_MINUTE,
                minute: 0,
                refusals: 0,
                sign_ins: 0,
                by_rule: HashMap::new(),
                by_source: HashMap::new(),
            }),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl Inner {
    /// Forgets what was counted in an earlier minute.
    fn turn(&mut self, now: Timestamp) {
        let minute = now.seconds().div_euclid(MINUTE_SECONDS);
        if minute != self.minute {
            self.minute = minute;
            self.refusals = 0;
            self.sign_ins = 0;
            self.by_rule.clear();
            self.by_source.clear();
        }
    }

    /// Whether there is a place for one more.
    fn has_place(&self, kept: Kept, source: Option<IpAddr>) -> bool {
        let share = self.per_minute.div_ceil(SHARE);
        let taken = match kept {
            Kept::Refusal => self.refusals,
            Kept::SignIn => self.sign_ins,
        };
        let of_source = self.by_source.get(&source).copied().unwrap_or(0);
        taken < self.per_minute && of_source < share && self.waiting.len() < MOST_WAITING
    }

    /// Takes a place. False if its kind has had its share.
    fn take(&mut self, kept: Kept, rule: &'static str, source: Option<IpAddr>) -> bool {
        let share = self.per_minute.div_ceil(SHARE);
        // both maps grow by one entry a place at most
        match kept {
            Kept::Refusal => {
                let of_rule = self.by_rule.entry(rule).or_default();
                if *of_rule >= share {
                    return false;
                }
                *of_rule += 1;
                self.refusals += 1;
            }
            Kept::SignIn => self.sign_ins += 1,
        }
        *self.by_source.entry(source).or_default() += 1;
        true
    }
}

impl Traces {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        match self.inner.lock() {
            Ok(mut inner) => act(&mut inner),
            Err(poisoned) => act(&mut poisoned.into_inner()),
        }
    }

    fn take(&self, most: usize) -> Taken<'_> {
        let traces = self.with(|inner| {
            let count = inner.waiting.len().min(most);
            inner.waiting.drain(..count).collect()
        });
        Taken { queue: self, traces }
    }
}

/// Traces that are being written. Those that were not wait again, also if whoever writes them goes away meanwhile.
struct Taken<'q> {
    queue: &'q Traces,
    traces: Vec<Trace>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let traces = std::mem::take(&mut self.traces);
        self.queue.with(|inner| {
            inner.waiting.splice(0..0, traces);
            inner.waiting.truncate(MOST_WAITING);
        });
    }
}

impl Provider {
    /// Whether a trace of this call would be kept: asked before facts are gathered that cost something.
    pub fn keeps_traces(&self, call: &Call, kept: Kept) -> bool {
        self.traces.with(|inner| {
            inner.turn(call.now);
            inner.has_place(kept, call.origin.address)
        })
    }

    /// Keeps what `trace` makes, if there is a place for it this minute.
    pub fn keep_trace(&self, call: &Call, kept: Kept, trace: impl FnOnce() -> Trace) {
        if !self.keeps_traces(call, kept) {
            return;
        }
        let trace = trace();
        let Some(last) = trace.steps.last().map(|step| step.rule) else {
            return;
        };
        self.traces.with(|inner| {
            if inner.take(kept, last, call.origin.address) {
                inner.waiting.push(trace);
            }
        });
    }

    /// Keeps a refusal, for whoever will ask about it.
    pub fn keep_refusal(&self, call: &Call, part: Part, reason: Reason) {
        self.keep_trace(call, Kept::Refusal, || call.trace(part).refused(reason, None));
    }

    /// Writes the traces that wait. A job calls this every 200 ms; at a kill, at most what came since is lost.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: what waits goes on waiting.
    pub async fn write_traces(&self) -> Result<(), Error> {
        let _turn = self.traces.turn.lock().await;
        loop {
            let mut batch = self.traces.take(BATCH);
            let settings = match self.settings().await {
                Ok(settings) => settings,
                // with nothing to write nobody is told that it can't be
                Err(_) if batch.traces.is_empty() => return Ok(()),
                Err(error) => return Err(error),
            };
            let per_minute = u32::try_from(settings.count(TRACE_PER_MINUTE)).unwrap_or(u32::MAX);
            self.traces.with(|inner| inner.per_minute = per_minute);
            if batch.traces.is_empty() {
                return Ok(());
            }
            self.write_trace_batch(&batch.traces, &settings).await?;
            batch.traces.clear();
        }
    }

    async fn write_trace_batch(&self, batch: &[Trace], settings: &Settings) -> Result<(), Error> {
        let mut store = self.store.write().await?;
        for trace in batch {
            store.add_trace(&row(trace, settings)).await?;
        }
        Ok(store.commit().await?)
    }
}

/// A trace with the settings that decided as they stand.
fn row(trace: &Trace, settings: &Settings) -> TraceRow {
    TraceRow {
        id: trace.id,
        trace: trace.trace.text(),
        journey: trace.journey.text(),
        at: trace.at,
        part: trace.part.as_str().to_owned(),
        verdict: trace.verdict().as_str().to_owned(),
        rule: trace.steps.last().map_or("", |step| step.rule).to_owned(),
        user: trace.user.map(crate::model::Id::uuid),
        client: trace.client.map(crate::model::Id::uuid),
        steps: trace.steps.iter().map(|step| written(step, settings)).collect(),
    }
}

fn written(step: &Step, settings: &Settings) -> Value {
    let facts: Vec<Value> = step
        .facts
        .iter()
        .map(|(name, fact)| json!([name, fact.to_json()]))
        .collect();
    let mut value = json!({ "rule": step.rule, "verdict": step.verdict.as_str(), "facts": facts });
    // a rule that hangs on a setting does so only where it refuses or asks
    let of_rule = || rules::find(step.rule).and_then(|rule| rule.setting);
    let key = step
        .setting
        .or_else(|| (step.verdict != Verdict::Passed).then(of_rule).flatten());
    if let (Some(members), Some(key)) = (value.as_object_mut(), key)
        && let Some(effective) = settings.effective(key)
    {
        let setting = json!({
            "key": key,
            "value": effective.value.to_json(),
            "source": effective.source.as_str(),
        });
        members.insert("setting".to_owned(), setting);
    }
    value
}
