//! A request after the questions that every request is asked: who calls, what it names, what it brings.

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::bearer::Caller;
use super::list::{ListRule, Listed};
use super::{Problem, body, entity_tag};
use crate::flow::people::{ChangeSource, Rights};
use crate::flow::session;
use crate::flow::{Call, Error, Provider};
use crate::http::Http;
use crate::model::Id;

/// A request of the API.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) http: Http,
    pub(super) caller: Caller,
    pub(super) path: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// The members of its body; none of a request without one.
    pub(super) body: Map<String, Value>,
    /// Its body as it is, where that is what the route takes.
    pub(super) bytes: Bytes,
    /// The route's path, with parameters in braces.
    pub(super) template: &'static str,
    /// What the list it asks for may be asked.
    pub(super) rule: Option<&'static ListRule>,
}

impl Asked {
    pub(super) fn provider(&self) -> &Provider {
        &self.http.provider
    }

    pub(super) const fn call(&self) -> &Call {
        &self.caller.call
    }

    pub(super) const fn rights(&self) -> &Rights {
        &self.caller.rights
    }

    /// The source of a change, for the flows of people.
    pub(super) fn source(&self) -> ChangeSource {
        ChangeSource::Api(self.caller.rights.clone())
    }

    /// Refuses a person whose proof of who they are is not of a moment ago: for what a stolen session would do first.
    ///
    /// # Errors
    /// 401 (RFC 9470 section 3).
    pub(super) async fn must_be_fresh(&self) -> Result<(), Problem> {
        match self.caller.proof {
            Some(asker) if !session::is_freshly_proved(self.provider(), self.call(), asker).await? => {
                Err(Problem::proof_too_old())
            }
            _ => Ok(()),
        }
    }

    /// A parameter of the path.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub(super) fn wish(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// An id of the path. What is no id names nothing.
    pub(super) fn id<T>(&self, name: &str) -> Result<Id<T>, Problem> {
        self.parameter(name).parse().map_err(|_| Error::NotFound.into())
    }

    /// An id that the query may name. What is no id is refused.
    pub(super) fn named<T>(&self, name: &str) -> Result<Option<Id<T>>, Problem> {
        let id = |text: &str| text.parse().map_err(|_| Problem::bad_request(name, "expected an id"));
        self.wish(name).map(id).transpose()
    }

    /// The version that the caller expects to change, if it says so.
    pub(super) fn expected(&self) -> Result<Option<i64>, Problem> {
        entity_tag::expected(&self.headers)
    }

    /// The body as a `T`, whose every member has a default.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::read(&self.body)
    }

    /// What the list is asked.
    pub(super) fn listed(&self) -> Result<Listed, Problem> {
        Listed::read(self)
    }
}
