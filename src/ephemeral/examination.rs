//! What Redis says of itself, for whoever judges a setup.

use std::collections::HashMap;
use std::time::Duration;

use super::redis_connection::{self, Repeat};
use super::{Backend, Ephemeral, Error, RedisConnection};
use crate::clock;

/// What Redis says of itself.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Its version, as in `7.0.15`.
    pub version: String,
    /// How long a short question took.
    pub latency: Duration,
    /// What is thrown away when the memory is full; none if it does not say, or has no limit.
    pub evicts: Option<String>,
    /// Whether it keeps something when it is started anew; none if it does not say.
    pub persists: Option<bool>,
}

impl Ephemeral {
    /// Asks Redis about itself; none of the embedded file.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Redis`]
    pub async fn examine(&self) -> Result<Option<Examination>, Error> {
        match &self.backend {
            Backend::Redis(redis) => Ok(Some(ask(redis.connection()).await?)),
            Backend::Embedded(_) => Ok(None),
        }
    }
}

async fn ask(connection: &RedisConnection) -> Result<Examination, redis_connection::Error> {
    connection.ping().await?;
    let asked = clock::monotonic();
    connection.ping().await?;
    let latency = asked.elapsed();
    let text: String = connection.command(&redis::cmd("INFO"), Repeat::Safe).await?;
    let told: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let is = |name: &str, value: &str| told.get(name).is_some_and(|said| *said == value);
    // a limit of 0 is none
    let evicts = told
        .get("maxmemory_policy")
        .filter(|policy| **policy != "noeviction" && !is("maxmemory", "0"))
        .map(|policy| (*policy).to_owned());
    // hosted servers forbid the question about snapshots; INFO tells of the log alone
    let mut question = redis::cmd("CONFIG");
    question.arg("GET").arg("save");
    let snapshots: Option<Vec<String>> = connection.command(&question, Repeat::Safe).await.ok();
    let persists = match (is("aof_enabled", "1"), snapshots) {
        (true, _) => Some(true),
        (false, Some(told)) => Some(told.get(1).is_some_and(|when| !when.is_empty())),
        (false, None) => None,
    };
    Ok(Examination {
        version: told.get("redis_version").copied().unwrap_or_default().to_owned(),
        latency,
        evicts,
        persists,
    })
}
