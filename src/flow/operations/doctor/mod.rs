//! The doctor: looks at everything around an installation, and says of each thing whether it is well, what it was measured
//! by, and which line would put it right. One file a check. It changes nothing.

mod clock;
mod configuration;
mod cookies;
mod database;
mod disk;
mod keys;
mod mail;
mod probe;
mod proxy;
mod public_url;
mod redis;
mod sms;
mod tls;

use std::time::Duration;

use ipnet::IpNet;

pub use probe::is_ours;
pub use proxy::Seen;

use super::super::provider::Issuer;
use crate::clock::Clock;
use crate::config::Config;
use crate::egress::Egress;
use crate::ephemeral::Ephemeral;
use crate::mail::Mailer;
use crate::model::setting::{self, Declaration, Settings};
use crate::model::{Check, Health, Said, Timestamp};
use crate::sms::Gateway;
use crate::store::Store;
use crate::vault::Vault;

/// What does not answer within this time does not answer.
const WITHIN: Duration = Duration::from_secs(5);

/// One thing that was found. The sentence for it is the text `doctor_` + [`Finding::said`] of the locales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub check: Check,
    /// How it stands.
    pub verdict: Health,
    /// Which sentence.
    pub said: Said,
    /// What the sentence names.
    pub values: Vec<(&'static str, String)>,
    /// The very line to change, or the command to run; none where all is well or a line would not help.
    pub line: Option<String>,
}

impl Finding {
    const fn new(check: Check, verdict: Health, said: Said) -> Self {
        Self {
            check,
            verdict,
            said,
            values: Vec::new(),
            line: None,
        }
    }

    const fn good(check: Check, said: Said) -> Self {
        Self::new(check, Health::Good, said)
    }

    const fn warning(check: Check, said: Said) -> Self {
        Self::new(check, Health::Warning, said)
    }

    const fn wrong(check: Check, said: Said) -> Self {
        Self::new(check, Health::Wrong, said)
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    fn line(self, line: impl Into<String>) -> Self {
        Self {
            line: Some(line.into()),
            ..self
        }
    }

    /// The configuration could not be read: what the command says when there is nothing else to look at.
    pub fn refused_configuration(problem: impl ToString) -> Self {
        Self::wrong(Check::Configuration, Said::ConfigRefused).with("problem", problem)
    }
}

/// All findings, in the order of the checks.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One or more for each check.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst that was found.
    pub fn verdict(&self) -> Health {
        self.findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Health::Good)
    }
}

/// What the doctor looks at. Nothing of it has to work.
pub struct Doctor {
    /// The configuration of this process.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The public address.
    pub issuer: Issuer,
    /// The store, or why it can't be opened; none where the embedded one is not made yet.
    pub store: Result<Option<Store>, String>,
    /// Redis, or the embedded file, or why neither.
    pub ephemeral: Option<Ephemeral>,
    /// The mail server, if one is named.
    pub mailer: Option<Mailer>,
    /// Who takes text messages, if anybody.
    pub gateway: Option<Gateway>,
    /// The master keys, if they could be opened.
    pub master: Option<Vault>,
}

impl Doctor {
    /// A way to the public address, wherever it leads: it is the operator's own.
    fn way_out() -> Egress {
        Egress::new(vec![
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ])
    }

    /// What counts for everyone; none if the store does not tell.
    async fn settings(&self) -> Option<Settings> {
        let Ok(Some(store)) = &self.store else { return None };
        let stored = store.read().await.ok()?.list_settings().await.ok()?;
        let known = stored.into_iter().filter_map(|(key, value)| {
            let declared = Declaration::find(&key)?;
            Some((declared.key, declared.read(&value).ok()?))
        });
        let of_file = setting::read_table(&self.config.settings).unwrap_or_default();
        Some(Settings::resolve(&known.collect(), &of_file))
    }

    /// The system's time, without what a sandbox adds.
    fn system_time(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.system_micros())
    }
}

/// What is asked for beside the checks.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// What the request that asks has brought: the page's own, for the checks of the proxy.
    pub seen: Option<Seen>,
    /// A mail is sent to this address.
    pub send_to: Option<String>,
    /// A text message is sent to this number.
    pub text_to: Option<String>,
}

/// Looks at everything.
pub async fn examine(doctor: &Doctor, wish: &Wish) -> Report {
    let (url, clock, database, redis, mail, sms, disk, tls) = tokio::join!(
        public_url::check(doctor),
        clock::check(doctor),
        database::check(doctor),
        redis::check(doctor),
        mail::check(doctor, wish.send_to.as_deref()),
        sms::check(doctor, wish.text_to.as_deref()),
        disk::check(doctor),
        tls::check(doctor),
    );
    let (url, seen_there) = url;
    let mut findings = configuration::check(doctor).await;
    findings.extend(url);
    let seen = wish.seen.as_ref().or(seen_there.as_ref().map(|there| &there.seen));
    findings.extend(seen.map(|seen| proxy::judge(doctor, seen)).unwrap_or_default());
    findings.push(cookies::check(doctor));
    findings.extend(clock);
    findings.extend(seen_there.as_ref().and_then(clock::of_node));
    findings.extend(database);
    findings.extend(redis);
    findings.extend(mail);
    findings.extend(sms);
    findings.extend(disk);
    findings.extend(keys::check(doctor).await);
    findings.extend(tls);
    Report { findings }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let step = STEPS.iter().find(|(_, step)| bytes >= *step);
    step.map_or_else(
        || format!("{bytes} B"),
        |(name, step)| format!("{} {name}", bytes / step),
    )
}
