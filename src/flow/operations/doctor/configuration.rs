//! The configuration: that it is complete is known by having been read.

use super::{Doctor, Finding};
use crate::model::group::ADMIN;
use crate::model::{Check, Said, Timestamp};

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    let mut findings = vec![Finding::good(Check::Configuration, Said::ConfigOk).with("url", doctor.config.issuer())];
    if doctor.config.administrator.is_some() && has_administrator(doctor).await {
        findings
            .push(Finding::warning(Check::Configuration, Said::ConfigAdminLeft).line("unset OSTIARY_ADMIN_PASSWORD"));
    }
    findings
}

async fn has_administrator(doctor: &Doctor) -> bool {
    let Ok(Some(store)) = &doctor.store else {
        return false;
    };
    let Ok(mut store) = store.read().await else {
        return false;
    };
    store
        .find_longest_tenure(ADMIN, Timestamp::from_micros(doctor.clock.micros()))
        .await
        .is_ok_and(|tenure| tenure.is_some())
}
