//! Where Redis is: one server, the master that Sentinels name, or a Cluster.

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsMode};
use tokio::sync::Mutex;

use super::redis_connection::{ANSWER_TIMEOUT, Error};

/// A parsed address: what knows how to connect.
pub(super) enum Address {
    /// `redis://` and `rediss://`: one server.
    Server(Box<Client>),
    /// `redis+sentinel://`: whichever server the Sentinels call master.
    Sentinel(Box<Mutex<SentinelClient>>),
    /// `redis+cluster://`: a Cluster, found through any of its nodes.
    Cluster(Box<ClusterClient>),
}

impl Address {
    /// Reads an address.
    ///
    /// - `redis[s]://[user:password@]host[:port][/database]`
    /// - `redis[s]+sentinel://[user:password@]host[:port],host[:port].../service[/database][?sentinel_user=..&sentinel_password=..]`
    /// - `redis[s]+cluster://[user:password@]host[:port],host[:port]...`
    ///
    /// # Errors
    /// [`Error::Address`]: the reason, without the address, because an address may hold a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").ok_or(Error::Address("it has no scheme"))?;
        match scheme {
            "redis" | "rediss" => Client::open(text)
                .map(|client| Self::Server(Box::new(client)))
                .map_err(|_| Error::Address("it is not host, port and database number")),
            "redis+sentinel" => sentinel("redis", rest),
            "rediss+sentinel" => sentinel("rediss", rest),
            "redis+cluster" => cluster("redis", rest),
            "rediss+cluster" => cluster("rediss", rest),
            _ => Err(Error::Address(
                "its scheme is none of redis, rediss, redis+sentinel and redis+cluster",
            )),
        }
    }
}

/// `user:password@host,host` as one address a host.
fn nodes(scheme: &str, authority: &str, database: &str) -> Result<Vec<redis::ConnectionInfo>, Error> {
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    hosts
        .split(',')
        .map(|host| {
            format!("{scheme}://{user}{host}/{database}")
                .into_connection_info()
                .map_err(|_| Error::Address("one of its hosts is not host:port"))
        })
        .collect()
}

fn cluster(scheme: &str, rest: &str) -> Result<Address, Error> {
    let authority = rest.trim_end_matches('/');
    if authority.contains(['/', '?']) {
        return Err(Error::Address("a Cluster has no database numbers and no parameters"));
    }
    ClusterClient::builder(nodes(scheme, authority, "")?)
        .connection_timeout(ANSWER_TIMEOUT)
        .response_timeout(ANSWER_TIMEOUT)
        .build()
        .map(|client| Address::Cluster(Box::new(client)))
        .map_err(|_| Error::Address("the nodes of a Cluster share one user, password and TLS mode"))
}

fn sentinel(scheme: &str, rest: &str) -> Result<Address, Error> {
    const PATH: Error = Error::Address("a Sentinel's address ends in /service or /service/database");
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = location.split_once('/').ok_or(PATH)?;
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(PATH);
    }
    let nodes = nodes(scheme, authority, database)?;
    let sentinels: Vec<ConnectionAddr> = nodes.iter().map(|node| node.addr().clone()).collect();
    let settings = nodes
        .first()
        .ok_or(Error::Address("it names no host"))?
        .redis_settings()
        .clone();
    let mut builder = SentinelClientBuilder::new(sentinels, service, SentinelServerType::Master)
        .map_err(|_| PATH)?
        .set_client_to_redis_db(settings.db());
    if scheme == "rediss" {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        builder = match name.as_ref() {
            "sentinel_user" => builder.set_client_to_sentinel_username(value),
            "sentinel_password" => builder.set_client_to_sentinel_password(value),
            _ => {
                return Err(Error::Address("its parameters are sentinel_user and sentinel_password"));
            }
        };
    }
    builder
        .build()
        .map(|client| Address::Sentinel(Box::new(Mutex::new(client))))
        .map_err(|_| Error::Address("the Sentinels share one TLS mode"))
}
