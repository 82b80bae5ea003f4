//! The database: that it answers, as what, how fast, with which schema, and whether it keeps what it acknowledges.

use std::time::Duration;

use tokio::time::timeout;

use super::{Doctor, Finding, WITHIN, size};
use crate::flow::error::causes;
use crate::machine;
use crate::model::{Check, Said};
use crate::store::{self, Store};

const SLOW: Duration = Duration::from_millis(50);
const POSTGRES: &str = "OSTIARY_DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE";

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    let store = match &doctor.store {
        Ok(Some(store)) => store,
        Ok(None) => {
            let file = store::file(doctor.config.database_url.expose()).unwrap_or_default();
            return vec![Finding::warning(Check::Database, Said::DbMissing).with("file", file.display())];
        }
        Err(reason) => return vec![unreachable(doctor, reason)],
    };
    let mut findings = match timeout(WITHIN, answers(doctor, store)).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![unreachable(doctor, &causes(&error))],
        Err(_) => vec![unreachable(doctor, "it does not answer in time")],
    };
    findings.extend(readable(doctor));
    findings
}

async fn answers(doctor: &Doctor, store: &Store) -> Result<Vec<Finding>, store::Error> {
    let told = store.examine().await?;
    let engine = if store.is_embedded() { "SQLite" } else { "Postgres" };
    let time = told.latency.as_micros() as f64 / 1000.0;
    let mut findings = vec![
        Finding::good(Check::Database, Said::DbOk)
            .with("engine", engine)
            .with("version", &told.version)
            .with("time", format!("{time:.1}"))
            .with("size", size(told.bytes)),
    ];
    if told.is_standby {
        findings.push(Finding::wrong(Check::Database, Said::DbStandby).line(POSTGRES));
    }
    for setting in &told.unsafe_settings {
        let finding = Finding::wrong(Check::Database, Said::DbUnsafe).with("setting", setting);
        findings.push(finding.line(format!("alter system set {setting} = on;")));
    }
    if told.latency >= SLOW {
        let slow = Finding::warning(Check::Database, Said::DbSlow).with("time", format!("{time:.0}"));
        findings.push(slow.line(line(doctor)));
    }
    let behind = store.pending_migrations().await?.len();
    if behind > 0 {
        let finding = Finding::warning(Check::Database, Said::DbBehind).with("count", behind);
        findings.push(finding.line("ostiary migrate"));
    }
    Ok(findings)
}

fn unreachable(doctor: &Doctor, reason: &str) -> Finding {
    Finding::wrong(Check::Database, Said::DbUnreachable)
        .with("reason", reason)
        .line(line(doctor))
}

/// The line that says where the database is.
fn line(doctor: &Doctor) -> String {
    match store::file(doctor.config.database_url.expose()) {
        Some(file) => format!("OSTIARY_DATABASE_URL=sqlite:{}", file.display()),
        None => POSTGRES.to_owned(),
    }
}

/// The embedded store holds digests and sealed values, and names and addresses in clear.
fn readable(doctor: &Doctor) -> Option<Finding> {
    let file = store::file(doctor.config.database_url.expose())?;
    machine::is_open_to_others(&file).ok().filter(|open| *open).map(|_| {
        Finding::wrong(Check::Database, Said::DbReadable)
            .with("file", file.display())
            .line(format!("chmod 600 {}", file.display()))
    })
}
