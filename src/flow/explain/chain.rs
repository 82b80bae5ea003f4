//! A trace id, or the beginning of one, led back to the chain of decisions, the setting to change, and the other requests of the
//! same journey.

use serde_json::{Value, json};
use uuid::Uuid;

use super::words::{self, Names};
use crate::flow::people::Page;
use crate::flow::trace::rules;
use crate::flow::{Error, Provider};
use crate::model::setting::{Declaration, Effective, Settings, Source};
use crate::model::{Client, Id, Timestamp, User};
use crate::store::{EventRow, TraceRow};

pub use crate::store::TraceSelection;

/// More decisions of one request, and more requests of one journey, are not told.
const MOST: u32 = 100;
/// So many ids are named where a beginning is not unique.
const NAMED: u32 = 5;

/// A chain of decisions.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The request: 32 hex digits.
    pub trace: String,
    /// When.
    pub at: Timestamp,
    /// What was asked for: the name of a part.
    pub part: Option<String>,
    /// How it ended: `passed`, `asked` or `refused`.
    pub verdict: String,
    /// The rule that decided in the end.
    pub rule: Option<String>,
    /// That in words.
    pub sentence: String,
    /// For which client.
    pub client: Option<Named>,
    /// About whom.
    pub user: Option<Named>,
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    /// What changes the outcome.
    pub change: Option<Change>,
    /// What was done or noted meanwhile.
    pub events: Vec<EventRow>,
    /// The other requests of the same journey, in order.
    pub related: Vec<Summary>,
}

/// Somebody or something with an id and the name it goes by.
#[derive(Clone, Debug)]
pub struct Named {
    /// The row.
    pub id: Uuid,
    /// `client_id` or username; none if it was deleted.
    pub name: Option<String>,
}

/// One decision in words.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The rule.
    pub rule: String,
    /// How it went.
    pub verdict: String,
    /// In words.
    pub sentence: String,
    /// What it rested on, by name.
    pub facts: Vec<(String, Value)>,
    /// The setting that decided, as it stood.
    pub setting: Option<Decided>,
}

/// A setting with its value and where that came from.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The key.
    pub key: String,
    /// The value in its written form.
    pub value: Value,
    /// Who said so: `built in`, `everyone`, `operator file`.
    pub source: String,
}

/// What changes the outcome.
#[derive(Clone, Debug)]
pub struct Change {
    /// What to do, in a sentence; empty if the setting says it all.
    pub remedy: String,
    /// The setting to change, as it stands now.
    pub setting: Option<Decided>,
    /// What the setting does, in a sentence.
    pub setting_sentence: Option<&'static str>,
    /// How the setting is changed.
    pub setting_change: Option<String>,
    /// The command that changes the outcome.
    pub command: Option<String>,
    /// The request of the administration API that changes the outcome.
    pub request: Option<String>,
}

/// A trace in a line.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The row.
    pub id: Id<crate::model::Trace>,
    /// The request: 32 hex digits.
    pub trace: String,
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub part: String,
    /// How it ended.
    pub verdict: String,
    /// The rule that decided in the end.
    pub rule: String,
    /// That in words.
    pub sentence: String,
    /// About whom.
    pub user: Option<Uuid>,
    /// For which client.
    pub client: Option<Uuid>,
}

/// What a beginning leads to.
#[derive(Clone, Debug)]
pub enum Found {
    /// One request.
    One(Box<Explanation>),
    /// Several; some of them.
    Several(Vec<String>),
}

/// Explains the one request whose trace id begins so.
///
/// # Errors
/// [`Error::Invalid`] for what no trace id begins with, [`Error::NotFound`] if nothing is known about it (any more).
pub async fn explain(provider: &Provider, beginning: &str) -> Result<Found, Error> {
    let beginning = beginning.trim().to_ascii_lowercase();
    let is_hex = beginning.bytes().all(|byte| byte.is_ascii_hexdigit());
    if beginning.is_empty() || beginning.len() > 32 || !is_hex {
        return Err(Error::field(
            "id",
            "malformed",
            "a trace id is 32 hex digits; a beginning of it is enough",
        ));
    }
    written(provider).await?;
    let mut store = provider.store.read().await?;
    let mut ids = store.list_trace_ids(&beginning, NAMED).await?;
    let (Some(trace), true) = (ids.pop(), ids.is_empty()) else {
        return if ids.is_empty() {
            Err(Error::NotFound)
        } else {
            Ok(Found::Several(store.list_trace_ids(&beginning, NAMED).await?))
        };
    };
    let mut rows = store.list_traces_of(&trace, MOST).await?;
    rows.sort_by_key(|row| (row.at, rank(row)));
    let events = store.list_events_of_trace(&trace, MOST).await?;
    let related = match rows.first() {
        Some(row) => store.list_traces_of_journey(&row.journey, MOST).await?,
        None => Vec::new(),
    };
    let client = rows
        .iter()
        .find_map(|row| row.client)
        .or(events.iter().find_map(|event| event.client));
    let user = rows
        .iter()
        .find_map(|row| row.user)
        .or(events.iter().find_map(|event| event.user));
    let client_row = match client {
        Some(id) => store.find_client(Id::<Client>::from_uuid(id)).await?,
        None => None,
    };
    let user_row = match user {
        Some(id) => store.find_user(Id::<User>::from_uuid(id)).await?,
        None => None,
    };
    drop(store);
    let client = client.map(|id| Named {
        id,
        name: client_row.map(|client| client.client_id),
    });
    let user = user.map(|id| Named {
        id,
        name: user_row.map(|user| user.username),
    });
    let settings = provider.settings().await?;
    Ok(Found::One(Box::new(tell(
        trace, &rows, events, &related, client, user, &settings,
    ))))
}

/// Traces, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(
    provider: &Provider,
    selection: &TraceSelection,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Summary>, Error> {
    let before = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    written(provider).await?;
    let mut store = provider.store.read().await?;
    let rows = store.list_traces(selection, before, limit.saturating_add(1)).await?;
    let summaries = rows.iter().map(summary).collect();
    Ok(Page::cut(summaries, limit, |summary: &Summary| summary.id.to_string()))
}

/// What waits here is written first, so that an id can be asked about as soon as it is shown.
async fn written(provider: &Provider) -> Result<(), Error> {
    provider.write_traces().await?;
    provider.write_noted_events().await
}

/// Decisions of one request were made at one moment; this is their order.
fn rank(row: &TraceRow) -> u8 {
    match (row.verdict.as_str(), row.part.as_str(), row.rule.as_str()) {
        ("refused", ..) => 3,
        (_, _, "authorization.scope_narrowed") => 0,
        (_, "sign_in", _) => 1,
        _ => 2,
    }
}

fn tell(
    trace: String,
    rows: &[TraceRow],
    events: Vec<EventRow>,
    related: &[TraceRow],
    client: Option<Named>,
    user: Option<Named>,
    settings: &Settings,
) -> Explanation {
    let decisions: Vec<Decision> = rows.iter().flat_map(|row| decisions(&row.steps)).collect();
    let decisive = decisions
        .iter()
        .rfind(|decision| decision.verdict == "refused")
        .or(decisions.last());
    let refused = events.iter().find(|event| event.outcome == "refused");
    let verdict = match (decisive, refused) {
        (Some(decision), _) => decision.verdict.clone(),
        (None, Some(_)) => "refused".to_owned(),
        (None, None) => "passed".to_owned(),
    };
    let rule = decisive
        .map(|decision| decision.rule.clone())
        .or(refused.and_then(|event| event.reason.clone()));
    let sentence = match (decisive, &rule) {
        (Some(decision), _) => decision.sentence.clone(),
        (None, Some(rule)) => words::sentence(rule, &[]),
        (None, None) => "Nothing was refused; the events tell what was done.".to_owned(),
    };
    let ids = (
        client.as_ref().map(|client| client.id.to_string()),
        user.as_ref().map(|user| user.id.to_string()),
    );
    let names = Names {
        client: ids.0.as_deref(),
        client_id: client.as_ref().and_then(|client| client.name.as_deref()),
        user: ids.1.as_deref(),
        username: user.as_ref().and_then(|user| user.name.as_deref()),
    };
    let at = rows.first().map(|row| row.at).or(events.first().map(|event| event.at));
    Explanation {
        at: at.unwrap_or_default(),
        part: rows.last().map(|row| row.part.clone()),
        change: rule
            .as_deref()
            .and_then(|rule| change(rule, &decisions, &names, settings)),
        related: related.iter().filter(|row| row.trace != trace).map(summary).collect(),
        trace,
        verdict,
        rule,
        sentence,
        client,
        user,
        decisions,
        events,
    }
}

fn decisions(steps: &Value) -> Vec<Decision> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    steps
        .iter()
        .map(|step| {
            let rule = text(step, "rule");
            let facts = facts(step);
            Decision {
                sentence: words::sentence(&rule, &facts),
                rule,
                verdict: text(step, "verdict"),
                facts,
                setting: step.get("setting").map(|setting| Decided {
                    key: text(setting, "key"),
                    value: setting.get("value").cloned().unwrap_or_default(),
                    source: text(setting, "source"),
                }),
            }
        })
        .collect()
}

fn facts(step: &Value) -> Vec<(String, Value)> {
    let pairs = step.get("facts").and_then(Value::as_array);
    let pairs = pairs.map(Vec::as_slice).unwrap_or_default();
    let pair = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone()));
    pairs.iter().filter_map(pair).collect()
}

/// What changes the outcome: the setting of the decisive rule, else the nearest that decided before it.
fn change(rule: &str, decisions: &[Decision], names: &Names<'_>, settings: &Settings) -> Option<Change> {
    let found = rules::find(rule);
    let ended = decisions.iter().rposition(|decision| decision.rule == rule);
    let refused = ended
        .and_then(|place| decisions.get(place))
        .is_some_and(|decision| decision.verdict != "passed");
    let before = decisions.get(..ended.map_or(0, |place| place + 1)).unwrap_or_default();
    let decided = before
        .iter()
        .rev()
        .find_map(|decision| decision.setting.as_ref())
        .map(|setting| setting.key.as_str());
    let key = found.and_then(|rule| rule.setting).or(decided.filter(|_| refused));
    let setting = key.and_then(|key| Some((Declaration::find(key)?, settings.effective(key)?)));
    if setting.is_none() && !found.is_some_and(words::tells_what_to_do) {
        return None;
    }
    let fill = |text: Option<&'static str>| text.map(|text| words::filled(text, names));
    Some(Change {
        remedy: found.map_or(String::new(), |rule| words::filled(rule.remedy, names)),
        setting_sentence: setting.map(|(declared, _)| declared.sentence),
        setting_change: setting.map(|(declared, effective)| how(declared, effective)),
        setting: setting.map(|(declared, effective)| Decided {
            key: declared.key.to_owned(),
            value: effective.value.to_json(),
            source: effective.source.as_str().to_owned(),
        }),
        command: fill(found.and_then(|rule| rule.command)),
        request: fill(found.and_then(|rule| rule.request)),
    })
}

/// How a setting is changed.
fn how(declared: &Declaration, effective: &Effective) -> String {
    if effective.source == Source::OperatorFile {
        return format!("{} in the table [settings] of the operator's file", declared.key);
    }
    let value = effective.value.to_json();
    let table = match declared.key.split_once('.') {
        Some((section, name)) => json!({ section: { name: value } }),
        None => json!({ declared.key: value }),
    };
    format!("PATCH /api/v1/settings {table}")
}

fn summary(row: &TraceRow) -> Summary {
    let last = decisions(&row.steps).pop();
    Summary {
        id: row.id,
        trace: row.trace.clone(),
        at: row.at,
        part: row.part.clone(),
        verdict: row.verdict.clone(),
        sentence: last.map_or_else(|| words::sentence(&row.rule, &[]), |decision| decision.sentence),
        rule: row.rule.clone(),
        user: row.user,
        client: row.client,
    }
}
