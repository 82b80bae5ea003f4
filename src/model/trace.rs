//! Traces: what was decided under one trace id, so that whoever holds the id can be told why.
//!
//! A trace is made of words of ours and of [`Fact`]s; no text of a request fits in.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::fact::Facts;
use super::named::named;
use super::{Actor, Client, Id, Timestamp, User};

/// What names one request, job or command: 128 random bits, shown as 32 hex digits. Pages show the first ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(Uuid);

impl TraceId {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// From the fact that [`TraceId::uuid`] was put into.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// For a fact.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The 32 digits.
    pub fn text(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(formatter)
    }
}

/// A text that is no trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trace id is 32 hex digits")]
pub struct NoTraceId;

impl FromStr for TraceId {
    type Err = NoTraceId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 32 {
            return Err(NoTraceId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NoTraceId)
    }
}

impl serde::Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

named! {
    /// What was asked for when something was decided.
    Part {
        /// An authorization request.
        Authorization = "authorization",
        /// A sign-in.
        SignIn = "sign_in",
        /// A sign-out.
        SignOut = "sign_out",
        /// The token endpoint.
        Token = "token",
        /// Userinfo.
        UserInfo = "userinfo",
        /// Introspection.
        Introspection = "introspection",
        /// Revocation.
        Revocation = "revocation",
        /// A client that registers itself, or manages its registration.
        Registration = "registration",
        /// The administration API.
        Api = "api",
        /// Any other page or document.
        Page = "page",
    }
}

named! {
    /// How a decision went.
    Verdict {
        /// It may go on.
        Passed = "passed",
        /// Somebody has to be asked first.
        Asked = "asked",
        /// It ends here.
        Refused = "refused",
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The rule that decided; `flow::explain` has a sentence for each.
    pub rule: &'static str,
    /// How.
    pub verdict: Verdict,
    /// What it rested on.
    pub facts: Facts,
    /// The key of the setting that decided, if one did.
    pub setting: Option<&'static str>,
}

impl Step {
    /// A decision without more.
    pub const fn new(rule: &'static str, verdict: Verdict) -> Self {
        Self {
            rule,
            verdict,
            facts: Vec::new(),
            setting: None,
        }
    }

    /// It may go on.
    pub const fn passed(rule: &'static str) -> Self {
        Self::new(rule, Verdict::Passed)
    }

    /// It rested on this.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: super::Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// This setting decided.
    #[must_use]
    pub fn setting(mut self, key: &'static str) -> Self {
        self.setting = Some(key);
        self
    }
}

/// Why something was refused, on its way from where it was decided to where it is kept: a rule, and what it rested on.
///
/// The facts `client`, `user` and `journey` say for whom, and to which earlier request it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule.
    pub rule: &'static str,
    /// What it rested on.
    pub facts: Facts,
}

impl Reason {
    /// A rule, and nothing to add.
    pub const fn new(rule: &'static str) -> Self {
        Self {
            rule,
            facts: Vec::new(),
        }
    }

    /// It rested on this.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: super::Fact) -> Self {
        self.facts.push((name, fact));
        self
    }
}

/// The decisions of one request about one thing.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The row.
    pub id: Id<Trace>,
    /// The request.
    pub trace: TraceId,
    /// The request that the whole journey began with: an authorization request, for the sign-in, consent and code after it.
    pub journey: TraceId,
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub part: Part,
    /// About whom.
    pub user: Option<Id<User>>,
    /// For which client.
    pub client: Option<Id<Client>>,
    /// What was decided, in order. The last one says how it ended.
    pub steps: Vec<Step>,
}

impl Trace {
    /// About this user.
    #[must_use]
    pub const fn user(mut self, user: Id<User>) -> Self {
        self.user = Some(user);
        self
    }

    /// For this client.
    #[must_use]
    pub const fn client(mut self, client: Id<Client>) -> Self {
        self.client = Some(client);
        self
    }

    /// The next decision.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// More decisions.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// The refusal that ends it. What a reason says about client, user and journey goes where those stand.
    #[must_use]
    pub fn refused(mut self, reason: Reason, setting: Option<&'static str>) -> Self {
        let mut facts = reason.facts;
        facts.retain(|(name, fact)| match (*name, fact) {
            ("client", super::Fact::Id(id)) => {
                self.client = Some(Id::from_uuid(*id));
                false
            }
            ("user", super::Fact::Id(id)) => {
                self.user = Some(Id::from_uuid(*id));
                false
            }
            ("journey", super::Fact::Id(id)) => {
                self.journey = TraceId::from_uuid(*id);
                false
            }
            _ => true,
        });
        self.steps.push(Step {
            rule: reason.rule,
            verdict: Verdict::Refused,
            facts,
            setting,
        });
        self
    }

    /// By this actor, who is the one concerned.
    #[must_use]
    pub const fn actor(self, actor: Actor) -> Self {
        match actor {
            Actor::User(user) => self.user(user),
            Actor::Client(client) => self.client(client),
            Actor::Anonymous | Actor::Operator | Actor::System => self,
        }
    }

    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        self.steps.last().map_or(Verdict::Passed, |step| step.verdict)
    }
}
