//! A call: who asks, from where, when, under which trace id. Made once per request, job or command.

use std::net::IpAddr;

use crate::clock::Clock;
use crate::model::{Actor, Client, Event, EventKind, Fact, Id, Outcome, Part, Timestamp, Trace, TraceId, User};
use crate::random;

/// One request, job or command.
#[derive(Clone, Debug)]
pub struct Call {
    /// The moment that counts for the whole of it.
    pub now: Timestamp,
    /// Who acts.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What names this call.
    pub trace: TraceId,
    /// The call that the whole journey began with, where there was one before: an authorization request, for the pages after it.
    pub journey: Option<TraceId>,
    /// The key to the administration API that it came with.
    pub api_key: Option<uuid::Uuid>,
}

/// Where a call comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The network address, as trusted proxies tell it.
    pub address: Option<IpAddr>,
    /// The browser's description of itself, cut to 300 characters.
    pub user_agent: Option<String>,
}

impl Origin {
    /// What counts as one source: an IPv4 address, or the /64 that an IPv6 network hands to one customer; empty if unknown.
    pub fn network(&self) -> Vec<u8> {
        match self.address.map(|address| address.to_canonical()) {
            None => Vec::new(),
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().into_iter().take(8).collect(),
        }
    }
}

impl Call {
    /// A call of nobody known.
    pub fn new(clock: &Clock, origin: Origin) -> Self {
        Self {
            now: Timestamp::from_micros(clock.micros()),
            actor: Actor::Anonymous,
            origin,
            trace: TraceId::from_bytes(random::bytes()),
            journey: None,
            api_key: None,
        }
    }

    /// A call by somebody at a terminal of the server's machine.
    pub fn operator(clock: &Clock) -> Self {
        Self {
            actor: Actor::Operator,
            ..Self::new(clock, Origin::default())
        }
    }

    /// A call by the server itself.
    pub fn system(clock: &Clock) -> Self {
        Self {
            actor: Actor::System,
            ..Self::new(clock, Origin::default())
        }
    }

    /// The same call, now known to be by `actor`.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// The same call as a step of a journey that an earlier one began.
    #[must_use]
    pub fn within(&self, journey: Option<TraceId>) -> Self {
        Self {
            journey: journey.or(self.journey),
            ..self.clone()
        }
    }

    /// A trace of this call, without any decision yet.
    pub fn trace(&self, part: Part) -> Trace {
        Trace {
            id: Id::new(self.now),
            trace: self.trace,
            journey: self.journey.unwrap_or(self.trace),
            at: self.now,
            part,
            user: None,
            client: None,
            steps: Vec::new(),
        }
        .actor(self.actor)
    }

    /// An event of this call that succeeded; refine it with the methods of [`Event`].
    pub fn event(&self, kind: EventKind) -> Event {
        Event {
            id: Id::new(self.now),
            at: self.now,
            kind,
            outcome: Outcome::Success,
            reason: None,
            actor: self.actor,
            user: None,
            client: None,
            address: self.origin.address,
            trace: self.trace,
            facts: self
                .api_key
                .map(|key| ("by_api_key", Fact::Id(key)))
                .into_iter()
                .collect(),
            values: None,
        }
    }
}

impl Event {
    /// Done to this user.
    #[must_use]
    pub fn user(mut self, user: Id<User>) -> Self {
        self.user = Some(user);
        self
    }

    /// For this client.
    #[must_use]
    pub fn client(mut self, client: Id<Client>) -> Self {
        self.client = Some(client);
        self
    }

    /// Refused by this rule.
    #[must_use]
    pub fn refused(mut self, rule: &'static str) -> Self {
        self.outcome = Outcome::Refused;
        self.reason = Some(rule);
        self
    }

    /// Done for this reason.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// With this on the side.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }
}
