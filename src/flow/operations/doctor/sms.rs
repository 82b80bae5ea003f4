//! Text messages: who takes them, and whether one is taken where that is asked for. Nobody is asked anything otherwise: there is no way
//! to sign in at a provider without sending.

use super::{Doctor, Finding};
use crate::model::setting::{MFA_ENROLMENT_ASKS_PHONE, MFA_LOST_BY_TEXT, MFA_TEXT_CODES, SIGN_IN_TEXT_CODES};
use crate::model::{Check, Said};
use crate::sms::Text;

/// What does nothing where nobody takes text messages.
const WANTING: [&str; 4] = [
    SIGN_IN_TEXT_CODES,
    MFA_TEXT_CODES,
    MFA_LOST_BY_TEXT,
    MFA_ENROLMENT_ASKS_PHONE,
];

pub(super) async fn check(doctor: &Doctor, text_to: Option<&str>) -> Vec<Finding> {
    let Some(gateway) = &doctor.gateway else {
        let wanting = wanting(doctor).await;
        return vec![match wanting.is_empty() {
            true => Finding::good(Check::Sms, Said::SmsNone),
            false => Finding::warning(Check::Sms, Said::SmsWanted)
                .with("settings", wanting.join(", "))
                .line("OSTIARY_SMS__PROVIDER=twilio"),
        }];
    };
    if !gateway.is_reachable() {
        let line = "OSTIARY_EGRESS__NETWORKS=10.0.0.0/8";
        return vec![Finding::wrong(Check::Sms, Said::SmsUnreachable).line(line)];
    }
    let mut findings = vec![Finding::good(Check::Sms, Said::SmsOk).with("from", gateway.sender())];
    if let Some(number) = text_to {
        let text = Text {
            to: number.to_owned(),
            text: format!("{} can send text messages.", doctor.issuer.as_str()),
        };
        findings.push(match gateway.send(&text).await {
            Ok(()) => Finding::good(Check::Sms, Said::SmsSent).with("number", number),
            Err(error) => Finding::wrong(Check::Sms, Said::SmsNotSent)
                .with("reason", error)
                .line("OSTIARY_SMS__SENDER, OSTIARY_SMS__ACCOUNT and OSTIARY_SMS__SECRET"),
        });
    }
    findings
}

/// The settings that want text messages, said for everyone, a group or a person.
async fn wanting(doctor: &Doctor) -> Vec<&'static str> {
    let settings = doctor.settings().await;
    let nearer = match &doctor.store {
        Ok(Some(store)) => match store.read().await {
            Ok(mut store) => store.list_flags_set(&WANTING).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    let is_set = |key: &&str| {
        settings.as_ref().is_some_and(|settings| settings.flag(key)) || nearer.iter().any(|near| near == key)
    };
    WANTING.into_iter().filter(is_set).collect()
}
