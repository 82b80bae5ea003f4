//! Certificates: dates, names, and whether the chain is complete; of the listener's own file, and of what the public address
//! presents.

use std::path::Path;

use super::{Doctor, Finding, WITHIN};
use crate::egress::{Certificate, presented, read_pem};
use crate::model::{Check, Said};

const DAY: i64 = 24 * 60 * 60;
/// Certificates that renew themselves are new long before.
const SOON: i64 = 14 * DAY;

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    let host = doctor.issuer.url().host_str().unwrap_or_default().to_owned();
    let now = doctor.system_time().seconds();
    let mut findings = Vec::new();
    let line = match &doctor.config.tls {
        Some(tls) => format!("OSTIARY_TLS__CERT={}", tls.cert.display()),
        None => "ssl_certificate /etc/ssl/fullchain.pem;".to_owned(),
    };
    if let Some(tls) = &doctor.config.tls {
        findings.extend(own(&tls.cert, &host, now));
    }
    if doctor.issuer.is_https() {
        let port = doctor.issuer.url().port_or_known_default().unwrap_or(443);
        let asked = host.clone();
        let looked = tokio::task::spawn_blocking(move || presented(&asked, port, WITHIN)).await;
        match looked {
            Ok(Ok(chain)) => findings.extend(judge(&chain, &host, now, &line)),
            Ok(Err(error)) => findings.push(
                Finding::wrong(Check::Tls, Said::TlsUnreachable)
                    .with("host", &host)
                    .with("reason", error)
                    .line(line),
            ),
            Err(_) => {}
        }
    } else if doctor.config.tls.is_none() {
        findings.push(Finding::good(Check::Tls, Said::TlsNone));
    }
    findings.dedup();
    findings
}

fn own(file: &Path, host: &str, now: i64) -> Vec<Finding> {
    let line = format!("OSTIARY_TLS__CERT={}", file.display());
    match std::fs::read_to_string(file) {
        Ok(text) => judge(&read_pem(&text), host, now, &line),
        Err(error) => vec![
            Finding::wrong(Check::Tls, Said::TlsUnreadable)
                .with("file", file.display())
                .with("reason", error)
                .line(line),
        ],
    }
}

/// Judges a chain, leaf first.
fn judge(chain: &[Certificate], host: &str, now: i64, line: &str) -> Vec<Finding> {
    let Some(leaf) = chain.first() else {
        return vec![Finding::wrong(Check::Tls, Said::TlsEmpty).line(line)];
    };
    let mut findings = Vec::new();
    if !leaf.covers(host) {
        let names = leaf.names.join(", ");
        let finding = Finding::wrong(Check::Tls, Said::TlsNames).with("host", host);
        findings.push(finding.with("names", names).line(line));
    }
    let until = chain.iter().map(|certificate| certificate.not_after).min().unwrap_or(0);
    let from = chain
        .iter()
        .map(|certificate| certificate.not_before)
        .max()
        .unwrap_or(0);
    let days = (until - now).div_euclid(DAY);
    if until < now {
        let finding = Finding::wrong(Check::Tls, Said::TlsOver).with("days", -days);
        findings.push(finding.line(line));
    } else if from > now {
        findings.push(Finding::wrong(Check::Tls, Said::TlsEarly).line(line));
    } else if until - now < SOON {
        let finding = Finding::warning(Check::Tls, Said::TlsSoon).with("days", days);
        findings.push(finding.line(line));
    }
    let pairs = chain.iter().zip(chain.iter().skip(1));
    let is_broken = pairs.clone().any(|(one, next)| !one.is_followed_by(next));
    if is_broken {
        findings.push(Finding::wrong(Check::Tls, Said::TlsOrder).line(line));
    } else if chain.len() == 1 && !leaf.is_own_issuer() {
        // an authority of one's own may sign without an intermediate; a public one never does
        findings.push(Finding::warning(Check::Tls, Said::TlsAlone).line(line));
    } else if leaf.is_own_issuer() {
        findings.push(Finding::warning(Check::Tls, Said::TlsSelf).line(line));
    }
    if findings.is_empty() {
        findings.push(
            Finding::good(Check::Tls, Said::TlsOk)
                .with("host", host)
                .with("days", days),
        );
    }
    findings
}
