//! The configuration: that it is complete is known by having been read.

use super::{Doctor, Finding};
use crate::model::group::ADMIN;
use crate::model::setting::REGISTRATION_CHALLENGE;
use crate::model::{Check, Said, Timestamp};

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    let mut findings = vec![Finding::good(Check::Configuration, Said::ConfigOk).with("url", doctor.config.issuer())];
    if doctor.config.administrator.is_some() && has_administrator(doctor).await {
        findings
            .push(Finding::warning(Check::Configuration, Said::ConfigAdminLeft).line("unset OSTIARY_ADMIN_PASSWORD"));
    }
    if doctor.config.captcha.is_none() && asks_a_service(doctor).await {
        findings.push(
            Finding::warning(Check::Configuration, Said::ConfigCaptcha).line("OSTIARY_CAPTCHA__PROVIDER=turnstile"),
        );
    }
    findings
}

/// Whether strangers are to be told from programs by a service.
async fn asks_a_service(doctor: &Doctor) -> bool {
    let settings = doctor.settings().await;
    settings.is_some_and(|settings| settings.word(REGISTRATION_CHALLENGE) == "captcha")
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
