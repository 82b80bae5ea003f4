//! Redis: that it answers, how fast, and that it throws nothing away that was promised.

use std::time::Duration;

use tokio::time::timeout;

use super::{Doctor, Finding, WITHIN};
use crate::model::{Check, Said};

const SLOW: Duration = Duration::from_millis(20);
const LINE: &str = "OSTIARY_REDIS_URL=redis://:PASSWORD@HOST:6379";

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    if doctor.config.redis_url.is_none() {
        let is_embedded = doctor.config.database_url.expose().starts_with("sqlite:");
        return vec![if is_embedded {
            Finding::good(Check::Redis, Said::RedisEmbedded)
        } else {
            Finding::warning(Check::Redis, Said::RedisMissing).line(LINE)
        }];
    }
    let unreachable = || vec![Finding::wrong(Check::Redis, Said::RedisUnreachable).line(LINE)];
    let Some(ephemeral) = &doctor.ephemeral else {
        return unreachable();
    };
    let told = match timeout(WITHIN, ephemeral.examine()).await {
        Ok(Ok(Some(told))) => told,
        Ok(Ok(None)) => return vec![Finding::good(Check::Redis, Said::RedisEmbedded)],
        Ok(Err(_)) | Err(_) => return unreachable(),
    };
    let time = told.latency.as_micros() as f64 / 1000.0;
    let mut findings = vec![
        Finding::good(Check::Redis, Said::RedisOk)
            .with("version", &told.version)
            .with("time", format!("{time:.1}")),
    ];
    if let Some(policy) = &told.evicts {
        let finding = Finding::wrong(Check::Redis, Said::RedisEvicts).with("policy", policy);
        findings.push(finding.line("maxmemory-policy noeviction"));
    }
    if told.persists == Some(false) {
        findings.push(Finding::warning(Check::Redis, Said::RedisForgets).line("appendonly yes"));
    }
    if told.latency >= SLOW {
        let slow = Finding::warning(Check::Redis, Said::RedisSlow).with("time", format!("{time:.0}"));
        findings.push(slow.line(LINE));
    }
    findings
}
