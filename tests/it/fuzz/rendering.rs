//! Pages and mails with values of a stranger's choosing.

use ostiary::mail::{Error, Mailer, Message};
use ostiary::view::{Locale, Mail, Views};
use serde_json::Value;

use super::{Inputs, holds, pieces};
use crate::page::document::{Node, read};
use crate::page::escaping::Fields;
use crate::support::smtp_sink::SmtpSink;

const MARKUP: &[&str] = &[
    "<",
    ">",
    "\"",
    "'",
    "&",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "&amp;",
    "&#x3c;",
    "\r\n",
    "\u{2028}",
    "javascript:",
    "</title>",
    "`",
    "$",
    "\\",
    "onload=",
    " ",
    "a",
    "\u{202e}",
    "<svg",
    "/>",
    "{app}",
];

/// SEC-718: a page drawn with any values has the structure of its template, and so has a mail.
#[test]
fn fuzz_template_values() {
    let fields = Fields::of_every_page();
    holds(8, pieces(MARKUP, 14), |text| {
        assert!(fields.stay_inert(&format!("q{text}")) > 50);
    });
    let views = Views::new().unwrap();
    let tags = |mail: &Mail| -> Vec<String> {
        read(&views.mail(mail, Locale::English).unwrap().html)
            .into_iter()
            .filter_map(|node| match node {
                Node::Start(name, attributes) => {
                    let names: Vec<String> = attributes.into_iter().map(|(name, _)| name).collect();
                    Some(format!("{name} {}", names.join(" ")))
                }
                Node::End(name) => Some(format!("/{name}")),
                Node::Text(_) => None,
            })
            .collect()
    };
    let mut varied = 0;
    for sample in Mail::samples() {
        let value = serde_json::to_value(&sample).unwrap();
        let fields: Vec<(String, String)> = value
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(kind, fields)| {
                fields
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|field| (kind.clone(), field.clone()))
            })
            .collect();
        for (kind, field) in fields {
            let with = |text: &str| -> Option<Mail> {
                let mut value = value.clone();
                let place = &mut value[&kind][&field];
                if !place.is_string() {
                    return None;
                }
                *place = Value::String(text.to_owned());
                serde_json::from_value(value).ok()
            };
            let Some(plain) = with("qzwqzw") else {
                continue;
            };
            let structure = tags(&plain);
            varied += 1;
            holds(100, pieces(MARKUP, 10), |text| {
                let Some(mail) = with(&format!("q{text}")) else {
                    return;
                };
                assert_eq!(tags(&mail), structure, "{field} with {text:?}");
                let rendered = views.mail(&mail, Locale::English).unwrap();
                assert!(!rendered.subject.contains(['\r', '\n']), "{field} with {text:?}");
            });
        }
    }
    assert!(varied > 0, "no mail has a text");
}

const LINES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n.\r\n",
    ".\r\n",
    "Bcc: eve@example.com",
    "RCPT TO:<eve@example.com>",
    "\0",
    "\u{b}",
    "\u{85}",
    "\u{2028}",
    "=?utf-8?Q?=0D=0ABcc:_eve@example.com?=",
    "grüße",
    "a",
    " ",
    "--",
    "Content-Type: text/html",
    "\t",
];

const ADDRESSES: &[&str] = &[
    "ada",
    "@",
    "example.com",
    ",",
    " ",
    "<",
    ">",
    ";",
    "eve@example.com",
    "\r\n",
    "\"",
    "(",
    ")",
    ".",
    "ä",
    "\0",
    "%0a",
    "\\",
    "[127.0.0.1]",
];

/// SEC-717: one recipient, the one that was meant, and as many headers as a plain mail has, whatever the fields hold.
#[tokio::test]
async fn fuzz_mail_builder() {
    let sink = SmtpSink::start().await;
    let mailer = Mailer::new(&sink.url(), "Ostiary <no-reply@id.example.com>").unwrap();
    let plain = Message {
        to: "ada@example.com".to_owned(),
        subject: "Welcome".to_owned(),
        text: "Hello".to_owned(),
        html: "<p>Hello</p>".to_owned(),
        message_id: "0197-abc@id.example.com".to_owned(),
    };
    let names = |headers: Vec<String>| -> Vec<String> {
        headers
            .iter()
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect()
    };
    mailer.send(plain.clone()).await.unwrap();
    let usual = names(sink.next().await.headers());
    let mut inputs = Inputs::new();
    let (mut sent, mut refused) = (0, 0);
    for turn in 0..100 {
        let mut message = Message {
            text: inputs.draw(&pieces(LINES, 8)),
            html: inputs.draw(&pieces(LINES, 8)),
            ..plain.clone()
        };
        match turn % 4 {
            0 => message.to = inputs.draw(&pieces(ADDRESSES, 4)),
            1 => message.subject = inputs.draw(&pieces(LINES, 4)),
            2 => message.message_id = inputs.draw(&pieces(ADDRESSES, 4)),
            _ => (),
        }
        match mailer.send(message.clone()).await {
            Ok(()) => {
                sent += 1;
                let mail = sink.next().await;
                assert_eq!(mail.to, [message.to.as_str()]);
                assert_eq!(names(mail.headers()), usual, "{:?} {:?}", message.to, message.subject);
                assert_eq!(mail.header("To").as_deref(), Some(message.to.as_str()));
            }
            Err(Error::Refused { .. }) => refused += 1,
            Err(other) => panic!("{:?} {:?}: {other}", message.to, message.subject),
        }
        assert!(sink.mails().is_empty(), "one mail became two");
    }
    assert!(sent > 20 && refused > 20, "{sent} sent, {refused} refused");
}
