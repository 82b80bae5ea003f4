//! Mail: connecting, TLS and signing in at the mail server, without sending anything unless it is asked for.

use super::{Doctor, Finding};
use crate::mail::{Error, Message};
use crate::model::{Check, Said};
use crate::random;

const LINE: &str = "OSTIARY_SMTP_URL=smtp://USER:PASSWORD@HOST:587";

pub(super) async fn check(doctor: &Doctor, send_to: Option<&str>) -> Vec<Finding> {
    let Some(mailer) = &doctor.mailer else {
        return vec![Finding::warning(Check::Mail, Said::MailNone).line(LINE)];
    };
    if let Err(error) = mailer.check().await {
        // RFC 4954 section 6
        return vec![match error {
            Error::Unavailable {
                code: Some(code @ (530 | 534 | 535 | 538)),
            } => Finding::wrong(Check::Mail, Said::MailCredentials)
                .with("code", code)
                .line(LINE),
            other => Finding::wrong(Check::Mail, Said::MailUnreachable)
                .with("reason", other)
                .line(LINE),
        }];
    }
    let mut findings = vec![Finding::good(Check::Mail, Said::MailOk).with("from", &doctor.config.mail_from)];
    if let Some(address) = send_to {
        let host = doctor.issuer.url().host_str().unwrap_or("localhost").to_owned();
        let text = format!("{} can send mail.", doctor.issuer.as_str());
        let message = Message {
            to: address.to_owned(),
            subject: format!("Ostiary at {host}"),
            html: format!("<!doctype html><p>{text}"),
            text,
            message_id: format!("{}@{host}", random::hex_id()),
        };
        findings.push(match mailer.send(message).await {
            Ok(()) => Finding::good(Check::Mail, Said::MailSent).with("address", address),
            Err(error) => Finding::wrong(Check::Mail, Said::MailNotSent)
                .with("reason", error)
                .line(format!("OSTIARY_MAIL_FROM={}", doctor.config.mail_from)),
        });
    }
    findings
}
