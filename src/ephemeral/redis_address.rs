//! Where Redis is: one server, the master that Sentinels name, or a Cluster.

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsCertificates, TlsMode};
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
    /// With `s` the servers' certificates are checked, against the public authorities or those in the PEM file that the
    /// parameter `ca` names.
    ///
    /// # Errors
    /// [`Error::Address`]: the reason, without the address, because an address may hold a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (text, authorities) = authorities(text)?;
        let (scheme, rest) = text.split_once("://").ok_or(Error::Address("it has no scheme"))?;
        if authorities.is_some() && !scheme.starts_with("rediss") {
            return Err(Error::Address("it names authorities, and its scheme is without TLS"));
        }
        match scheme {
            "redis" | "rediss" => match authorities {
                Some(certificates) => Client::build_with_tls(text.as_str(), certificates),
                None => Client::open(text.as_str()),
            }
            .map(|client| Self::Server(Box::new(client)))
            .map_err(|_| Error::Address("it is not host, port and database number")),
            "redis+sentinel" => sentinel("redis", rest, None),
            "rediss+sentinel" => sentinel("rediss", rest, authorities),
            "redis+cluster" => cluster("redis", rest, None),
            "rediss+cluster" => cluster("rediss", rest, authorities),
            _ => Err(Error::Address(
                "its scheme is none of redis, rediss, redis+sentinel and redis+cluster",
            )),
        }
    }
}

/// The address without its parameter `ca`, and what is in the file that it names.
fn authorities(text: &str) -> Result<(String, Option<TlsCertificates>), Error> {
    let Some((location, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), None));
    };
    let (ours, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("ca="));
    let mut found = None;
    for (_, path) in ours
        .iter()
        .flat_map(|pair| url::form_urlencoded::parse(pair.as_bytes()))
    {
        let pem = std::fs::read(path.as_ref()).map_err(|_| Error::Address("the file that ca names can't be read"))?;
        found = Some(TlsCertificates {
            client_tls: None,
            root_cert: Some(pem),
        });
    }
    let text = if others.is_empty() {
        location.to_owned()
    } else {
        format!("{location}?{}", others.join("&"))
    };
    Ok((text, found))
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

fn cluster(scheme: &str, rest: &str, authorities: Option<TlsCertificates>) -> Result<Address, Error> {
    let authority = rest.trim_end_matches('/');
    if authority.contains(['/', '?']) {
        return Err(Error::Address("a Cluster has no database numbers and no parameters"));
    }
    let mut builder = ClusterClient::builder(nodes(scheme, authority, "")?)
        .connection_timeout(ANSWER_TIMEOUT)
        .response_timeout(ANSWER_TIMEOUT);
    if let Some(certificates) = authorities {
        builder = builder.certs(certificates);
    }
    builder
        .build()
        .map(|client| Address::Cluster(Box::new(client)))
        .map_err(|_| Error::Address("the nodes of a Cluster share one user, password and TLS mode"))
}

fn sentinel(scheme: &str, rest: &str, authorities: Option<TlsCertificates>) -> Result<Address, Error> {
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
    if let Some(certificates) = authorities {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
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
