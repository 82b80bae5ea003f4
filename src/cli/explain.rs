//! `explain`: why something was refused, how somebody signed in, where a token's claims come from.

use serde_json::{Map, Value, json};

use super::arguments::{Explain, Explained};
use super::failure::Failure;
use super::input;
use super::output::{Output, Shape};
use crate::flow::explain::chain::{self, Change, Decided, Decision, Explanation, Found, Named, Summary};
use crate::flow::explain::token::{self, Absent, Claim, TokenExplanation};
use crate::flow::operations::events::EventRow;
use crate::flow::{Call, Error, Provider};
use crate::model::Secret;

/// What error pages show of a trace id.
const SHOWN: usize = 10;

/// The token, where one is to be explained.
pub(super) fn read_input(arguments: &Explain) -> Result<Option<Secret>, Failure> {
    match &arguments.what {
        None => Ok(None),
        Some(Explained::Token { token, .. }) if token.as_str() == "-" => input::line().map(Some),
        Some(Explained::Token { token, .. }) => Ok(Some(Secret::new(token.clone()))),
    }
}

/// The words of the command as they travel: without the token.
pub(super) fn words(arguments: &Explain) -> Option<Vec<String>> {
    let Some(Explained::Token { json, .. }) = &arguments.what else {
        return None;
    };
    let mut words = vec!["explain".to_owned(), "token".to_owned()];
    words.extend((json.shape() == Shape::Json).then(|| "--json".to_owned()));
    Some(words)
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    arguments: Explain,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    if let Some(Explained::Token { json, .. }) = arguments.what {
        let token = input.ok_or_else(|| Failure::usage("the token is missing"))?;
        let explained = token::explain(provider, call, &token).await?;
        return Ok(Output::either(json.shape(), &token_value(&explained), || {
            token_text(&explained)
        }));
    }
    let id = arguments.id.unwrap_or_default();
    match chain::explain(provider, &id).await {
        Ok(Found::One(explanation)) => Ok(Output::either(arguments.json.shape(), &value(&explanation), || {
            text(&explanation)
        })),
        Ok(Found::Several(ids)) => Err(Failure::refused(format!(
            "several trace ids begin with {id}: {}",
            ids.join(", ")
        ))),
        Err(Error::NotFound) => Err(Failure::refused(format!(
            "nothing is known about {id}: it never was, or is no longer kept (trace.kept_for, trace.most, trace.per_minute)"
        ))),
        Err(error) => Err(error.into()),
    }
}

fn value(explanation: &Explanation) -> Value {
    let mut value = json!({
        "trace_id": explanation.trace,
        "at": explanation.at.rfc3339(),
        "verdict": explanation.verdict,
        "sentence": explanation.sentence,
        "decisions": explanation.decisions.iter().map(decision).collect::<Vec<_>>(),
        "events": explanation.events.iter().map(event).collect::<Vec<_>>(),
        "related": explanation.related.iter().map(summary).collect::<Vec<_>>(),
    });
    add(&mut value, "part", explanation.part.clone().map(Value::from));
    add(&mut value, "rule", explanation.rule.clone().map(Value::from));
    add(&mut value, "client", explanation.client.as_ref().map(named));
    add(&mut value, "user", explanation.user.as_ref().map(named));
    add(&mut value, "change", explanation.change.as_ref().map(change));
    value
}

fn add(value: &mut Value, name: &str, member: Option<Value>) {
    if let (Some(members), Some(member)) = (value.as_object_mut(), member) {
        members.insert(name.to_owned(), member);
    }
}

fn named(named: &Named) -> Value {
    let mut value = json!({ "id": named.id.to_string() });
    add(&mut value, "name", named.name.clone().map(Value::from));
    value
}

fn decision(decision: &Decision) -> Value {
    let facts = decision.facts.iter();
    let mut value = json!({
        "rule": decision.rule,
        "verdict": decision.verdict,
        "sentence": decision.sentence,
        "facts": facts.map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
    });
    add(&mut value, "setting", decision.setting.as_ref().map(decided));
    value
}

fn decided(setting: &Decided) -> Value {
    json!({ "key": setting.key, "value": setting.value, "source": setting.source })
}

fn change(change: &Change) -> Value {
    let mut value = Value::Object(Map::new());
    let remedy = (!change.remedy.is_empty()).then(|| Value::from(change.remedy.as_str()));
    add(&mut value, "remedy", remedy);
    add(&mut value, "setting", change.setting.as_ref().map(decided));
    add(
        &mut value,
        "setting_change",
        change.setting_change.clone().map(Value::from),
    );
    add(&mut value, "command", change.command.clone().map(Value::from));
    add(&mut value, "request", change.request.clone().map(Value::from));
    value
}

fn event(event: &EventRow) -> Value {
    json!({
        "at": event.at.rfc3339(),
        "kind": event.kind,
        "outcome": event.outcome,
        "reason": event.reason,
        "facts": event.facts,
    })
}

fn summary(summary: &Summary) -> Value {
    json!({
        "trace_id": summary.trace,
        "at": summary.at.rfc3339(),
        "part": summary.part,
        "verdict": summary.verdict,
        "rule": summary.rule,
        "sentence": summary.sentence,
    })
}

fn text(explanation: &Explanation) -> String {
    let mut text = Text::default();
    let part = explanation.part.as_deref().unwrap_or_default();
    text.line(&format!(
        "{}  {part}  {}  {}",
        explanation.trace,
        explanation.verdict,
        explanation.at.rfc3339()
    ));
    text.line(&explanation.sentence);
    text.party("client", explanation.client.as_ref());
    text.party("user", explanation.user.as_ref());
    text.heading("What was decided", !explanation.decisions.is_empty());
    for decision in &explanation.decisions {
        text.line(&format!("  {:8} {}", decision.verdict, decision.sentence));
        text.line(&format!("           rule {}", decision.rule));
        for (name, value) in &decision.facts {
            text.line(&format!("           {name}: {}", shown(value)));
        }
        if let Some(setting) = &decision.setting {
            text.line(&format!("           setting {}", setting_text(setting)));
        }
    }
    if let Some(change) = &explanation.change {
        text.heading("What changes it", true);
        text.more(&change.remedy);
        if let Some(setting) = &change.setting {
            text.line(&format!("  the setting {}", setting_text(setting)));
            text.more(change.setting_sentence.unwrap_or_default());
        }
        let ways = [&change.setting_change, &change.command, &change.request];
        for way in ways.into_iter().flatten() {
            text.line(&format!("      {way}"));
        }
    }
    text.heading("What else happened in this request", !explanation.events.is_empty());
    for event in &explanation.events {
        let reason = event.reason.as_deref().unwrap_or_default();
        text.line(&format!("  {:8} {} {reason}", event.outcome, event.kind));
    }
    text.heading("The same journey", !explanation.related.is_empty());
    for other in &explanation.related {
        let id = other.trace.get(..SHOWN).unwrap_or(&other.trace);
        text.line(&format!(
            "  {id}  {}  {:8} {}",
            other.at.rfc3339(),
            other.verdict,
            other.sentence
        ));
    }
    text.0
}

fn token_value(explained: &TokenExplanation) -> Value {
    let claims = |claims: &[Claim]| claims.iter().map(claim).collect::<Vec<_>>();
    let absent = |Absent { name, reason }: &Absent| json!({ "name": name, "reason": reason });
    let mut value = json!({
        "kind": explained.kind,
        "format": explained.format,
        "counts": explained.counts,
        "rule": explained.rule,
        "sentence": explained.sentence,
        "as_of": explained.as_of.rfc3339(),
        "issued_at": explained.issued_at.rfc3339(),
        "expires_at": explained.expires_at.rfc3339(),
        "claims": claims(&explained.claims),
        "userinfo": claims(&explained.userinfo),
        "absent": explained.absent.iter().map(absent).collect::<Vec<_>>(),
    });
    add(&mut value, "lifetime", explained.lifetime.as_ref().map(decided));
    add(&mut value, "client", explained.client.as_ref().map(named));
    add(&mut value, "user", explained.user.as_ref().map(named));
    add(&mut value, "journey", explained.journey.clone().map(Value::from));
    value
}

fn claim(claim: &Claim) -> Value {
    let mut value = json!({ "name": claim.name, "value": claim.value, "source": claim.source });
    add(&mut value, "now", claim.now.clone());
    value
}

fn token_text(explained: &TokenExplanation) -> String {
    let mut text = Text::default();
    let kind = explained.kind.replace('_', " ");
    text.line(&format!(
        "{kind}, {}, as of {}",
        explained.format,
        explained.as_of.rfc3339()
    ));
    text.line(&explained.sentence);
    text.line(&format!(
        "  made {}, ends {}",
        explained.issued_at.rfc3339(),
        explained.expires_at.rfc3339()
    ));
    if let Some(lifetime) = &explained.lifetime {
        text.line(&format!("  the setting {}", setting_text(lifetime)));
    }
    text.party("client", explained.client.as_ref());
    text.party("user", explained.user.as_ref());
    if let Some(journey) = &explained.journey {
        text.line(&format!("  from the authorization request {journey}"));
    }
    text.claims("Where its claims come from", &explained.claims);
    text.claims("What userinfo tells for it now", &explained.userinfo);
    text.heading("What is not there", !explained.absent.is_empty());
    for absent in &explained.absent {
        text.line(&format!("  {}: {}", absent.name, absent.reason));
    }
    text.0
}

fn setting_text(setting: &Decided) -> String {
    format!("{} = {} ({})", setting.key, shown(&setting.value), setting.source)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Lines for people. Control characters of stored text never reach the terminal.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line.replace(char::is_control, " ").trim_end());
        self.0.push('\n');
    }

    fn more(&mut self, sentence: &str) {
        if !sentence.is_empty() {
            self.line(&format!("  {sentence}"));
        }
    }

    fn heading(&mut self, heading: &str, is_wanted: bool) {
        if is_wanted {
            self.0.push('\n');
            self.line(heading);
        }
    }

    fn party(&mut self, kind: &str, party: Option<&Named>) {
        if let Some(party) = party {
            let name = party.name.as_deref().unwrap_or("(deleted)");
            self.line(&format!("  {kind} {name} ({})", party.id));
        }
    }

    fn claims(&mut self, heading: &str, claims: &[Claim]) {
        self.heading(heading, !claims.is_empty());
        for claim in claims {
            self.line(&format!("  {} = {}", claim.name, shown(&claim.value)));
            self.line(&format!("      {}", claim.source));
            if let Some(now) = &claim.now {
                self.line(&format!("      now it would be {}", shown(now)));
            }
        }
    }
}
