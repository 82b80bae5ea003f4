//! How the installation stands, for administrators.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Check, Health, Said};
use crate::view::{Account, OwnPath};

/// What the doctor found, and what the request itself has brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Doctor {
    /// Who looks.
    pub account: Account,
    /// The worst of the findings.
    pub verdict: Health,
    /// One or more for each check, in their order.
    pub findings: Vec<DoctorFinding>,
    /// The request that asked for this page.
    pub seen: DoctorSeen,
    /// The server's time when it answered, in milliseconds since 1970: the script compares the browser's with it.
    pub server_millis: i64,
    /// Where to look again.
    pub again: OwnPath,
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoctorFinding {
    /// What it is about.
    pub check: Check,
    /// How it stands.
    pub verdict: Health,
    /// Which sentence.
    pub said: Said,
    /// What the sentence names.
    pub values: BTreeMap<String, String>,
    /// The line to change.
    pub line: Option<String>,
}

/// A request as it arrived; empty where there was nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoctorSeen {
    /// `https` or `http`, of the connection itself.
    pub scheme: String,
    /// The host that was asked for.
    pub host: String,
    /// Who had the other end of the connection.
    pub peer: String,
    /// Whether that is a trusted proxy.
    pub trusted: bool,
    /// Where the request came from, as far as trusted proxies tell.
    pub address: String,
    /// `X-Forwarded-For`
    pub forwarded_for: String,
    /// `X-Forwarded-Proto`
    pub forwarded_proto: String,
    /// The names of other forwarding headers.
    pub ignored: String,
    /// The names of its cookies.
    pub cookies: String,
}

impl Doctor {
    /// With every field filled.
    pub fn sample() -> Self {
        let finding =
            |check: Check, verdict: Health, said: Said, values: &[(&str, &str)], line: Option<&str>| DoctorFinding {
                check,
                verdict,
                said,
                values: values
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                line: line.map(str::to_owned),
            };
        Self {
            account: Account::sample(),
            verdict: Health::Wrong,
            findings: vec![
                finding(
                    Check::Configuration,
                    Health::Good,
                    Said::ConfigOk,
                    &[("url", "https://id.example")],
                    None,
                ),
                finding(Check::Clock, Health::Good, Said::ClockOk, &[("time", "3")], None),
                finding(
                    Check::Proxy,
                    Health::Wrong,
                    Said::ProxyUntrusted,
                    &[("peer", "10.0.0.7")],
                    Some("OSTIARY_TRUSTED_PROXIES=10.0.0.7"),
                ),
                finding(
                    Check::Mail,
                    Health::Warning,
                    Said::MailNone,
                    &[],
                    Some("OSTIARY_SMTP_URL=smtp://USER:PASSWORD@HOST:587"),
                ),
            ],
            seen: DoctorSeen {
                scheme: "http".to_owned(),
                host: "id.example".to_owned(),
                peer: "10.0.0.7".to_owned(),
                trusted: true,
                address: "192.0.2.9".to_owned(),
                forwarded_for: "192.0.2.9".to_owned(),
                forwarded_proto: "https".to_owned(),
                ignored: "x-real-ip".to_owned(),
                cookies: "__Host-ostiary_session".to_owned(),
            },
            server_millis: 1_795_327_200_000,
            again: OwnPath::or_home("/console/doctor"),
        }
    }
}
