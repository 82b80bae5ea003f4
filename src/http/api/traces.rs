//! `/traces`: why something was refused, how somebody signed in, where a token's claims come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::EventBody;
use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::Error;
use crate::flow::explain::chain::{self, Decided, Decision, Explanation, Found, Named, Summary, TraceSelection};
use crate::flow::explain::token::{self, Absent, Claim, TokenExplanation};
use crate::model::Secret;

const READ: &str = "admin:traces.read";
const WRITE: &str = "admin:traces";

const LIST: ListRule = ListRule {
    sorts: &[],
    filters: &["rule", "user", "client"],
    words: Words::Refused,
    count: Count::Refused,
};

/// What was decided under one trace id.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Trace")]
struct TraceBody {
    /// The request's trace id.
    trace_id: String,
    /// When.
    at: String,
    /// What was asked for: `authorization`, `sign_in`, `sign_out`, `token`, `userinfo`, `introspection`, `revocation`,
    /// `registration`, `api` or `page`.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    /// How it ended: `passed`, `asked` or `refused`.
    verdict: String,
    /// The rule that decided in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// That in words.
    sentence: String,
    /// For which client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<NamedBody>,
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<NamedBody>,
    /// What was decided, in order.
    decisions: Vec<DecisionBody>,
    /// What changes the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeBody>,
    /// What was done or noted meanwhile.
    events: Vec<EventBody>,
    /// The other requests of the same journey, in order.
    related: Vec<SummaryBody>,
}

/// Somebody or something by id and name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TraceParty")]
struct NamedBody {
    /// The id of this API.
    id: String,
    /// `client_id` or username; absent if it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// One decision.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Decision")]
struct DecisionBody {
    /// The rule.
    rule: String,
    /// `passed`, `asked` or `refused`.
    verdict: String,
    /// In words.
    sentence: String,
    /// What it rested on, by name. A name may come several times.
    facts: Vec<FactBody>,
    /// The setting that decided, as it stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<DecidedBody>,
}

/// One input of a decision.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DecisionFact")]
struct FactBody {
    /// Its name.
    name: String,
    /// Its value.
    value: Value,
}

/// A setting with its value and where that came from.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DecidingSetting")]
struct DecidedBody {
    /// Its key.
    key: String,
    /// Its value.
    value: Value,
    /// `built in`, `everyone` or `operator file`.
    source: String,
}

/// What changes the outcome.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplainedChange")]
struct ChangeBody {
    /// What to do, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    remedy: String,
    /// The setting to change, as it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<DecidedBody>,
    /// How the setting is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting_change: Option<String>,
    /// The command that changes the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// The request of this API that changes the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// A trace in a line.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TraceSummary")]
struct SummaryBody {
    /// The request's trace id.
    trace_id: String,
    /// When.
    at: String,
    /// What was asked for.
    part: String,
    /// How it ended.
    verdict: String,
    /// The rule that decided in the end.
    rule: String,
    /// That in words.
    sentence: String,
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// For which client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

/// A token to explain.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TokenBody {
    /// An access token, signed or opaque, or an ID token of this server.
    #[schemars(with = "String")]
    token: Secret,
}

impl Default for TokenBody {
    fn default() -> Self {
        Self { token: Secret::new("") }
    }
}

/// A token, claim by claim.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplainedToken")]
struct ExplainedTokenBody {
    /// `access_token` or `id_token`.
    kind: String,
    /// `jwt` or `opaque`.
    format: String,
    /// Whether it counts.
    counts: bool,
    /// The rule that says so.
    rule: String,
    /// That in words.
    sentence: String,
    /// When this was found out: the sources are as of now.
    as_of: String,
    /// When it was made.
    issued_at: String,
    /// When it ends.
    expires_at: String,
    /// The setting that says how long such tokens live, as it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<DecidedBody>,
    /// Who got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<NamedBody>,
    /// On whose behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<NamedBody>,
    /// The trace id of the authorization request that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    journey: Option<String>,
    /// The claims it has, or of an opaque one what introspection would tell.
    claims: Vec<ClaimBody>,
    /// What userinfo would tell now for an access token.
    userinfo: Vec<ClaimBody>,
    /// Claims that are not there (of an access token: not in the userinfo answer), and why.
    absent: Vec<AbsentBody>,
}

/// A claim and where it comes from.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplainedClaim")]
struct ClaimBody {
    /// Its name.
    name: String,
    /// Its value.
    value: Value,
    /// Where it comes from, in words.
    source: String,
    /// The value it would have now, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Value>,
}

/// A claim that is not there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AbsentClaim")]
struct AbsentBody {
    /// Its name.
    name: String,
    /// Why, in words.
    reason: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/traces",
            READ,
            "Lists what was refused and how people signed in, the newest first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<SummaryBody>>(),
        route(
            Method::Get,
            "/traces/{id}",
            READ,
            "Tells what was decided under a trace id, or a unique beginning of one, and what changes it.",
            handler!(explain),
        )
        .gives::<TraceBody>(),
        route(
            Method::Post,
            "/traces/token",
            WRITE,
            "Tells where each claim of a token comes from, and why a wanted one is absent.",
            handler!(explain_token),
        )
        .takes::<TokenBody>()
        .gives::<ExplainedTokenBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let id = |value: &str| {
        value
            .parse()
            .map_err(|_| Problem::bad_request("filter", "expected the id of a user or client"))
    };
    let selection = match &listed.filter {
        Some(("rule", rule)) => TraceSelection::Rule(rule.clone()),
        Some(("user", user)) => TraceSelection::User(id(user)?),
        Some((_, client)) => TraceSelection::Client(id(client)?),
        None => TraceSelection::All,
    };
    let page = chain::list(asked.provider(), &selection, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, SummaryBody::of)
}

async fn explain(asked: Asked) -> Result<Answer, Problem> {
    let found = chain::explain(asked.provider(), asked.parameter("id")).await;
    match found {
        Ok(Found::One(explanation)) => Answer::of(&TraceBody::of(*explanation)),
        Ok(Found::Several(_)) => Err(Error::Conflict("several trace ids begin like this: name more digits").into()),
        // what is no trace id names nothing
        Err(Error::Invalid(_)) => Err(Error::NotFound.into()),
        Err(error) => Err(error.into()),
    }
}

async fn explain_token(asked: Asked) -> Result<Answer, Problem> {
    let body: TokenBody = asked.read()?;
    let explained = token::explain(asked.provider(), asked.call(), &body.token).await?;
    Answer::of(&ExplainedTokenBody::of(explained))
}

impl TraceBody {
    fn of(explanation: Explanation) -> Self {
        Self {
            trace_id: explanation.trace,
            at: explanation.at.rfc3339(),
            part: explanation.part,
            verdict: explanation.verdict,
            rule: explanation.rule,
            sentence: explanation.sentence,
            client: explanation.client.map(NamedBody::of),
            user: explanation.user.map(NamedBody::of),
            decisions: explanation.decisions.into_iter().map(DecisionBody::of).collect(),
            change: explanation.change.map(|change| ChangeBody {
                remedy: change.remedy,
                setting: change.setting.map(DecidedBody::of),
                setting_change: change.setting_change,
                command: change.command,
                request: change.request,
            }),
            events: explanation.events.into_iter().map(EventBody::of).collect(),
            related: explanation.related.into_iter().map(SummaryBody::of).collect(),
        }
    }
}

impl NamedBody {
    fn of(named: Named) -> Self {
        Self {
            id: named.id.to_string(),
            name: named.name,
        }
    }
}

impl DecisionBody {
    fn of(decision: Decision) -> Self {
        let fact = |(name, value)| FactBody { name, value };
        Self {
            rule: decision.rule,
            verdict: decision.verdict,
            sentence: decision.sentence,
            facts: decision.facts.into_iter().map(fact).collect(),
            setting: decision.setting.map(DecidedBody::of),
        }
    }
}

impl DecidedBody {
    fn of(decided: Decided) -> Self {
        Self {
            key: decided.key,
            value: decided.value,
            source: decided.source,
        }
    }
}

impl SummaryBody {
    fn of(summary: Summary) -> Self {
        Self {
            trace_id: summary.trace,
            at: summary.at.rfc3339(),
            part: summary.part,
            verdict: summary.verdict,
            rule: summary.rule,
            sentence: summary.sentence,
            user: summary.user.map(|id| id.to_string()),
            client: summary.client.map(|id| id.to_string()),
        }
    }
}

impl ExplainedTokenBody {
    fn of(explained: TokenExplanation) -> Self {
        let claims = |claims: Vec<Claim>| claims.into_iter().map(ClaimBody::of).collect();
        Self {
            kind: explained.kind.to_owned(),
            format: explained.format.to_owned(),
            counts: explained.counts,
            rule: explained.rule.to_owned(),
            sentence: explained.sentence,
            as_of: explained.as_of.rfc3339(),
            issued_at: explained.issued_at.rfc3339(),
            expires_at: explained.expires_at.rfc3339(),
            lifetime: explained.lifetime.map(DecidedBody::of),
            client: explained.client.map(NamedBody::of),
            user: explained.user.map(NamedBody::of),
            journey: explained.journey,
            claims: claims(explained.claims),
            userinfo: claims(explained.userinfo),
            absent: explained
                .absent
                .into_iter()
                .map(|Absent { name, reason }| AbsentBody { name, reason })
                .collect(),
        }
    }
}

impl ClaimBody {
    fn of(claim: Claim) -> Self {
        Self {
            name: claim.name,
            value: claim.value,
            source: claim.source,
            now: claim.now,
        }
    }
}
