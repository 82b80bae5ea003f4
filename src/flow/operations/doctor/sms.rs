//! Text messages: who takes them, and whether one is taken where that is asked for. Nobody is asked anything otherwise: there is no way
//! to sign in at a provider without sending.

use super::{Doctor, Finding};
use crate::model::setting::MFA_ENROLMENT_ASKS_PHONE;
use crate::model::{Check, Said};
use crate::sms::Text;

pub(super) async fn check(doctor: &Doctor, text_to: Option<&str>) -> Vec<Finding> {
    let Some(gateway) = &doctor.gateway else {
        let settings = doctor.settings().await;
        let is_wanted = settings.is_some_and(|settings| settings.flag(MFA_ENROLMENT_ASKS_PHONE));
        return vec![match is_wanted {
            true => Finding::warning(Check::Sms, Said::SmsWanted).line("OSTIARY_SMS__PROVIDER=twilio"),
            false => Finding::good(Check::Sms, Said::SmsNone),
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
