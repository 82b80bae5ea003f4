//! Process configuration: what is needed before the store opens. Everything else is a setting in the store.
//!
//! One TOML file (`--config`, else `OSTIARY_CONFIG`, else `ostiary.toml` in the working directory if it is there), each
//! key overridable by the environment: `OSTIARY_LISTEN`, and for a key inside a section both names joined by two
//! underscores, `OSTIARY_TLS__CERT`. Every variable has a twin that ends in `_FILE` and names a file with the value.
//! Nothing is guessed: unknown keys and values that make the server unsafe stop the start, all of them told at once.

mod address;
mod administrator;
mod backends;
mod captcha;
mod duration;
mod egress;
mod entries;
mod hashing;
mod http;
mod keys;
mod log;
mod metrics;
mod nearest;
mod problem;
mod public_url;
mod sms;
mod telemetry;
mod tls;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use url::Url;

use crate::model::Secret;

pub use administrator::Administrator;
pub use backends::Unencrypted;
pub use captcha::{Captcha, CaptchaAddress, CaptchaSources};
pub use egress::Egress;
pub use entries::File;
pub use hashing::Hashing;
pub use http::Http;
pub use keys::{KEYS, Key};
pub use log::LogFormat;
pub use metrics::Metrics;
pub use problem::{Problem, Problems, Reason};
pub use sms::{Sms, SmsFormat, SmsProvider};
pub use telemetry::Telemetry;
pub use tls::Tls;

use entries::Entries;

/// The file that is read when nothing names another, if it is there.
pub const DEFAULT_FILE: &str = "ostiary.toml";

/// The configuration of this process, complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port the server listens on.
    pub listen: std::net::SocketAddr,
    /// Where people and applications reach the server: scheme, host and port alone. See [`Config::issuer`].
    pub public_url: Url,
    /// Folder of the embedded store.
    pub data_dir: PathBuf,
    /// Folder of the master key.
    pub keys_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://...`; may hold a password.
    pub database_url: Secret,
    /// The account that changes the schema, if it is another than the server's (environment only).
    pub migration_database_url: Option<Secret>,
    /// `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`; without it the embedded stores serve.
    pub redis_url: Option<Secret>,
    /// What every key in Redis begins with: installations that share one Redis differ in it.
    pub redis_prefix: String,
    /// The hosts of database and Redis that may be reached without TLS.
    pub unencrypted: Unencrypted,
    /// `smtp://` or `smtps://`; without it mails wait in the outbox.
    pub smtp_url: Option<Secret>,
    /// Sender of the mails, `name@host` or `Name <name@host>`.
    pub mail_from: String,
    /// The way to whoever takes text messages; without it there are none.
    pub sms: Option<Sms>,
    /// The service that tells people from programs; without it none is asked.
    pub captcha: Option<Captcha>,
    /// The first administrator, made on an empty store.
    pub administrator: Option<Administrator>,
    /// Networks whose forwarding headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// File that tells roughly where network addresses are.
    pub geoip_database: Option<PathBuf>,
    /// The list of authenticators that are taken where the setting says so.
    pub passkeys_authenticators: Option<PathBuf>,
    /// List of passwords that others have lost.
    pub breached_passwords: Option<PathBuf>,
    /// Filter of the log, as `info,ostiary::flow=debug`.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The listener's own TLS; without it plain http.
    pub tls: Option<Tls>,
    /// Private networks that outgoing requests may reach.
    pub egress: Egress,
    /// Limits of the listener.
    pub http: Http,
    /// Where the numbers of the process are shown, and to whom.
    pub metrics: Metrics,
    /// Where spans of requests go, if anywhere.
    pub telemetry: Option<Telemetry>,
    /// Cost of password hashes.
    pub hashing: Hashing,
    /// The locked layer of settings, shown with the source "operator file". Names and values are checked where settings are.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Config {
    /// Reads the configuration of a process.
    ///
    /// `file` is what `--config` named; `environment` holds the process's variables, those of other programs included.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first.
    pub fn load<I, K, V>(file: Option<&Path>, environment: I) -> Result<Self, Problems>
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = entries::variables(environment)?;
        let named = file
            .map(Path::to_path_buf)
            .or_else(|| variables.get("OSTIARY_CONFIG").map(PathBuf::from));
        let file = match named {
            Some(path) => Some(File::open(&path)?),
            None if Path::new(DEFAULT_FILE).exists() => Some(File::open(Path::new(DEFAULT_FILE))?),
            None => None,
        };
        Self::assemble(file, variables)
    }

    /// The same from a file's text already read (none: defaults and environment alone); looks at no default file.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first.
    pub fn read<I, K, V>(file: Option<File>, environment: I) -> Result<Self, Problems>
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::assemble(file, entries::variables(environment)?)
    }

    /// The address of another database as it is connected to: beyond this machine with TLS and a checked certificate.
    ///
    /// # Errors
    /// [`Reason::UnverifiedDatabase`] if it says that the certificate is not to be checked.
    pub fn checked_database(&self, address: crate::model::Secret) -> Result<crate::model::Secret, Reason> {
        backends::verified(address, &self.unencrypted)
    }

    /// The issuer: scheme, host and port without a closing slash, the port left out when it is the scheme's own.
    pub fn issuer(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    fn assemble(file: Option<File>, variables: std::collections::BTreeMap<String, String>) -> Result<Self, Problems> {
        let mut entries = Entries::new(file, variables)?;
        let listen = entries
            .take("listen", address::socket)
            .unwrap_or_else(|| std::net::SocketAddr::from(([127, 0, 0, 1], 8080)));
        let public_url = public_url::read(&mut entries);
        let data_dir = entries
            .take("data_dir", entries::path)
            .unwrap_or_else(|| PathBuf::from("./data"));
        let unencrypted = backends::Unencrypted::read(&mut entries);
        let database_url = backends::database(&mut entries, "database_url", address::database, &unencrypted)
            .unwrap_or_else(|| Secret::new(format!("sqlite:{}", data_dir.join("ostiary.db").display())));
        let config = Self {
            listen,
            keys_dir: entries
                .take("keys_dir", entries::path)
                .unwrap_or_else(|| PathBuf::from("./keys")),
            migration_database_url: backends::database(
                &mut entries,
                keys::MIGRATION_DATABASE_URL,
                address::database,
                &unencrypted,
            ),
            redis_url: backends::redis(&mut entries, address::redis, &unencrypted),
            redis_prefix: entries
                .take("redis_prefix", address::redis_prefix)
                .unwrap_or_else(|| "ostiary:".to_owned()),
            unencrypted,
            smtp_url: entries.take("smtp_url", address::smtp),
            mail_from: entries
                .take("mail_from", address::sender)
                .unwrap_or_else(|| format!("no-reply@{}", public_url.host_str().unwrap_or("localhost"))),
            sms: Sms::read(&mut entries),
            captcha: Captcha::read(&mut entries),
            administrator: Administrator::read(&mut entries),
            trusted_proxies: entries.take("trusted_proxies", address::networks).unwrap_or_default(),
            geoip_database: entries.take("geoip_database", entries::path),
            passkeys_authenticators: entries.take("passkeys.authenticators", entries::path),
            breached_passwords: entries.take("breached_passwords", entries::path),
            log: entries.take("log", entries::text).unwrap_or_else(|| "info".to_owned()),
            log_format: entries.take("log_format", LogFormat::parse).unwrap_or(LogFormat::Text),
            tls: Tls::read(&mut entries),
            egress: Egress::read(&mut entries),
            http: Http::read(&mut entries),
            metrics: Metrics::read(&mut entries),
            telemetry: Telemetry::read(&mut entries),
            hashing: Hashing::read(&mut entries),
            settings: entries.settings(),
            public_url,
            data_dir,
            database_url,
        };
        entries.finish(config)
    }
}
