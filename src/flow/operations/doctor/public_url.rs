//! The public address: whether it answers, with our issuer, and whether it is this installation that answers there.

use serde_json::Value;
use url::Url;

use super::{Doctor, Finding, Seen, WITHIN, probe};
use crate::clock;
use crate::egress::{Document, Error, Limits, Reason};
use crate::model::{Check, Said, Timestamp};

/// What the node that answers at the public address has seen of our question.
pub(super) struct SeenThere {
    pub(super) seen: Seen,
    /// When it was asked, and when its answer was there.
    pub(super) between: (Timestamp, Timestamp),
}

pub(super) async fn check(doctor: &Doctor) -> (Vec<Finding>, Option<SeenThere>) {
    let url = doctor.issuer.as_str();
    let line = format!("OSTIARY_PUBLIC_URL={url}");
    let asked = clock::monotonic();
    let document = match get(doctor, "/.well-known/openid-configuration").await {
        Ok(document) => document,
        Err(error) => {
            let finding = Finding::wrong(Check::PublicUrl, Said::UrlUnreachable).with("url", url);
            return (vec![finding.with("reason", error.reason()).line(line)], None);
        }
    };
    let time = asked.elapsed().as_millis();
    let said: Option<Value> = serde_json::from_slice(&document.bytes).ok();
    let issuer = said.as_ref().and_then(|document| document.get("issuer")?.as_str());
    match issuer {
        None => {
            let finding = Finding::wrong(Check::PublicUrl, Said::UrlForeign).with("url", url);
            return (vec![finding.line(line)], None);
        }
        Some(other) if other != url => {
            let finding = Finding::wrong(Check::PublicUrl, Said::UrlOtherIssuer).with("url", url);
            let found: String = other.chars().filter(|letter| !letter.is_control()).take(200).collect();
            let line = format!("OSTIARY_PUBLIC_URL={found}");
            return (vec![finding.with("found", found).line(line)], None);
        }
        Some(_) => {}
    }
    let mut findings = vec![
        Finding::good(Check::PublicUrl, Said::UrlOk)
            .with("url", url)
            .with("time", time),
    ];
    let Some(master) = &doctor.master else {
        return (findings, None);
    };
    let asked = doctor.system_time();
    let question = probe::question(master, asked);
    let seen: Option<Seen> = match get(doctor, &format!("{}?probe={question}", probe::PATH)).await {
        Ok(answer) => serde_json::from_slice(&answer.bytes).ok(),
        Err(error) => {
            if error.reason() == Reason::Status(404) {
                let finding = Finding::wrong(Check::PublicUrl, Said::UrlStranger).with("url", url);
                findings.push(finding.line(format!("OSTIARY_KEYS_DIR={}", doctor.config.keys_dir.display())));
            }
            None
        }
    };
    let between = (asked, doctor.system_time());
    (findings, seen.map(|seen| SeenThere { seen, between }))
}

async fn get(doctor: &Doctor, path: &str) -> Result<Document, Error> {
    let way = Doctor::way_out();
    let url = doctor.issuer.path(path);
    let limits = Limits {
        time: WITHIN,
        ..Limits::default()
    };
    match Url::parse(&url) {
        Ok(url) => way.get_json(&url, limits).await,
        // the issuer was a URL, and so is a path below it
        Err(_) => way.get_json(doctor.issuer.url(), limits).await,
    }
}
