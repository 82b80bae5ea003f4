//! The sandbox: a server on a store that is thrown away, sample people, and a sample application that signs them in.

mod error;
mod folder;
mod pages;
mod people;
mod sample;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

pub use error::Error;
pub use people::SamplePerson;

use crate::clock::Clock;
use crate::config::{Config, Sms, SmsProvider};
use crate::flow::clients::{self, Authority, NewClient};
use crate::flow::operations::settings::{self, ChangedBy};
use crate::flow::{Call, Provider};
use crate::model::scope::STANDARD;
use crate::model::setting::{MFA_MAIL_CODES, MFA_TEXT_CODES, REGISTRATION_MODE, SIGN_IN_MAIL_CODES};
use crate::model::{
    AccessTokenFormat, ClientMetadata, ClientPolicy, EventKind, Fact, GrantType, Id, Resource, Scopes, Secret,
};
use crate::server::{Application, Options, Signals};
use folder::Folder;
use sample::{Registration, SampleApplication};

/// The scope of the sample application's own API.
const MESSAGES: &str = "messages.read";

/// Where the sandbox listens.
pub struct Place {
    /// The address; only a loopback one is taken.
    pub listen: IpAddr,
    /// The server's port; 0 is a free one.
    pub port: u16,
    /// The sample application's; 0 is a free one.
    pub application_port: u16,
}

/// A running sandbox.
pub struct Demo {
    /// The server's public address.
    pub issuer: String,
    /// The sample application's.
    pub application: String,
    /// Who can sign in.
    pub people: Vec<SamplePerson>,
    server: Application,
    sample: SampleApplication,
    folder: Folder,
}

impl Demo {
    /// Starts everything.
    ///
    /// # Errors
    /// [`Error`], in words for whoever typed the command.
    pub async fn start(place: &Place) -> Result<Self, Error> {
        if !place.listen.is_loopback() {
            return Err(Error::NotLoopback(place.listen));
        }
        let address = SocketAddr::new(place.listen, place.application_port);
        let socket = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        let port = socket
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?
            .port();
        let folder = Folder::make()?;
        let clock = Clock::default();
        let options = Options {
            routes: pages::routes(),
            ..Options::default()
        };
        let server = Application::start(configuration(place, &folder)?, clock, options).await?;
        let application = home(place.listen, port);
        let prepared = prepare(&server.provider, &application, socket).await;
        let (people, sample) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                server.stop().await;
                return Err(error);
            }
        };
        Ok(Self {
            issuer: server.provider.issuer.as_str().to_owned(),
            application,
            people,
            server,
            sample,
            folder,
        })
    }

    /// Serves until the process is told to end; then everything is thrown away.
    pub async fn run(self, signals: Signals) {
        let Self {
            server, sample, folder, ..
        } = self;
        // whatever became of the server, its folder is thrown away
        let _ended = server.run(signals).await;
        sample.stop().await;
        folder.remove();
    }

    /// Stops, and throws everything away.
    pub async fn stop(self) {
        let Self {
            server, sample, folder, ..
        } = self;
        server.stop().await;
        sample.stop().await;
        folder.remove();
    }

    /// The time of the server.
    pub fn clock(&self) -> &Clock {
        &self.server.provider.clock
    }
}

/// Addresses are told by name where people's browsers take it for this machine.
fn home(listen: IpAddr, port: u16) -> String {
    match listen {
        IpAddr::V6(address) => format!("http://[{address}]:{port}"),
        IpAddr::V4(_) => format!("http://localhost:{port}"),
    }
}

fn configuration(place: &Place, folder: &Folder) -> Result<Config, Error> {
    let mut config = Config::read(None, Vec::<(String, String)>::new())?;
    config.listen = SocketAddr::new(place.listen, place.port);
    config.public_url = Url::parse(&home(place.listen, place.port)).map_err(|_| Error::NotLoopback(place.listen))?;
    config.data_dir = folder.path().join("data");
    config.keys_dir = folder.path().join("keys");
    config.database_url = Secret::new(format!("sqlite:{}", config.data_dir.join("ostiary.db").display()));
    // text messages are shown where mails are
    config.sms = Some(Sms {
        provider: SmsProvider::Outbox,
        account: String::new(),
        secret: None,
        sender: String::new(),
    });
    // no load balancer has to be told
    config.http.drain_delay = Duration::ZERO;
    // the sample application listens at a loopback address, and is told there when somebody signs out
    config.egress.networks = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), place.listen]
        .map(IpNet::from)
        .to_vec();
    Ok(config)
}

async fn prepare(
    provider: &Provider,
    application: &str,
    socket: TcpListener,
) -> Result<(Vec<SamplePerson>, SampleApplication), Error> {
    let call = Call::system(&provider.clock);
    let people = people::make(provider, &call).await?;
    // what a visitor may try is on
    let table = [
        (REGISTRATION_MODE.to_owned(), Value::from("open")),
        (MFA_MAIL_CODES.to_owned(), Value::from(true)),
        (MFA_TEXT_CODES.to_owned(), Value::from(true)),
        (SIGN_IN_MAIL_CODES.to_owned(), Value::from(true)),
    ]
    .into_iter()
    .collect();
    settings::change(provider, &call, &table, ChangedBy::Command).await?;
    let api = format!("{application}/api");
    add_api(provider, &call, &api).await?;
    let registration = register(provider, &call, application, &api).await?;
    let sample = SampleApplication::start(socket, registration)?;
    Ok((people, sample))
}

/// The API that the sample application calls: it is served by the same program, as small ones are.
async fn add_api(provider: &Provider, call: &Call, identifier: &str) -> Result<(), Error> {
    let resource = Resource {
        access_token_lifetime: None,
        id: Id::new(call.now),
        identifier: identifier.to_owned(),
        name: Some("Sample messages".to_owned()),
        scopes: Scopes::from_tokens([MESSAGES]),
        access_token_format: Some(AccessTokenFormat::Jwt),
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    let mut tx = provider.store.write().await?;
    tx.raise_resource_generation().await?;
    tx.add_resource(&resource).await?;
    let event = call
        .event(EventKind::ResourceChanged)
        .fact("resource", Fact::Id(resource.id.uuid()))
        .fact("action", Fact::Word("created"));
    tx.add_event(&event).await?;
    tx.commit().await?;
    Ok(provider.refresh_memory().await?)
}

async fn register(provider: &Provider, call: &Call, application: &str, api: &str) -> Result<Registration, Error> {
    let mut scope = Scopes::from_tokens(STANDARD.iter().copied());
    scope.add(MESSAGES);
    let new = NewClient {
        metadata: ClientMetadata {
            client_name: Some("Sample application".to_owned()),
            client_uri: Some(application.to_owned()),
            redirect_uris: vec![format!("{application}/callback")],
            post_logout_redirect_uris: vec![format!("{application}/")],
            backchannel_logout_uri: Some(format!("{application}/backchannel-logout")),
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope,
            ..ClientMetadata::default()
        },
        policy: ClientPolicy {
            serves: vec![api.to_owned()],
            ..ClientPolicy::default()
        },
        client_id: Some("sample".to_owned()),
        secret: None,
        trusted: true,
        authority: Authority::Operator,
    };
    let created = clients::create(provider, call, new).await?;
    Ok(Registration {
        issuer: provider.issuer.as_str().to_owned(),
        home: application.to_owned(),
        api: api.to_owned(),
        client_id: created.client.client_id,
        client_secret: created.secret.unwrap_or_else(Secret::generate),
    })
}
