//! Mail over SMTP against a server that really speaks it: what arrives, what is refused, and what can't be smuggled in.

use ostiary::mail::{Error, Mailer, Message};

use crate::support::smtp_sink::SmtpSink;

const FROM: &str = "Ostiary <no-reply@id.example.com>";

fn message() -> Message {
    Message {
        to: "ada@example.com".to_owned(),
        subject: "Willkommen, Zoë".to_owned(),
        text: "Hello Ada,\n\nfollow https://id.example.com/invitation?code=abc=def&x=1\n".to_owned(),
        html: "<p>Hello Ada, <b>grüße</b></p>".to_owned(),
        message_id: "0197-abc@id.example.com".to_owned(),
    }
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let sink = SmtpSink::start().await;
    Mailer::new(&sink.url(), FROM).unwrap().send(message()).await.unwrap();
    let mail = sink.next().await;
    assert_eq!(mail.from, "no-reply@id.example.com");
    assert_eq!(mail.to, ["ada@example.com"]);
    assert_eq!(mail.header("From").unwrap(), "Ostiary <no-reply@id.example.com>");
    assert_eq!(mail.header("To").unwrap(), "ada@example.com");
    assert_eq!(mail.header("Message-ID").unwrap(), "<0197-abc@id.example.com>");
    assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
    assert!(mail.header("Date").is_some());
    assert!(
        mail.part("text/plain")
            .contains("https://id.example.com/invitation?code=abc=def&x=1")
    );
    assert!(mail.part("text/html").contains("<b>grüße</b>"));
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn the_mailer_signs_in_with_decoded_credentials() {
    let sink = SmtpSink::start_asking("post@office", "p:/ä?").await;
    let url = |password: &str| format!("smtp://post%40office:{password}@{}", sink.address());
    let right = Mailer::new(&url("p%3A%2F%C3%A4%3F"), FROM).unwrap();
    right.check().await.unwrap();
    right.send(message()).await.unwrap();
    sink.next().await;

    let wrong = Mailer::new(&url("wrong"), FROM).unwrap();
    let unavailable = Err(Error::Unavailable { code: Some(535) });
    assert_eq!(wrong.send(message()).await, unavailable);
    assert_eq!(wrong.check().await, unavailable);
    // not signed in at all: our configuration's fault, not the mail's
    let nobody = Mailer::new(&sink.url(), FROM).unwrap();
    assert_eq!(
        nobody.send(message()).await,
        Err(Error::Unavailable { code: Some(530) })
    );
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn a_permanent_refusal_is_told_from_a_passing_one() {
    let sink = SmtpSink::start().await;
    let mailer = Mailer::new(&sink.url(), FROM).unwrap();
    sink.refuse("ada@example.com", 550);
    assert_eq!(mailer.send(message()).await, Err(Error::Refused { code: Some(550) }));
    sink.refuse("ada@example.com", 451);
    assert_eq!(
        mailer.send(message()).await,
        Err(Error::Unavailable { code: Some(451) })
    );
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let nowhere = Mailer::new(&format!("smtp://{closed}"), FROM).unwrap();
    assert_eq!(nowhere.send(message()).await, Err(Error::Unavailable { code: None }));
    let not_tls = Mailer::new(&sink.url().replace("smtp:", "smtps:"), FROM).unwrap();
    assert_eq!(not_tls.send(message()).await, Err(Error::Unavailable { code: None }));
    assert!(sink.mails().is_empty());
}

/// SEC-302: addresses, names and subjects inject neither headers nor protocol commands.
#[tokio::test]
async fn smtp_injection() {
    let sink = SmtpSink::start().await;
    let mailer = Mailer::new(&sink.url(), FROM).unwrap();
    let recipients = [
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com\nBcc: eve@example.com",
        "ada@example.com\0",
        "ada@example.com, eve@example.com",
        "ada@example.com eve@example.com",
        "ada@example.com>,<eve@example.com",
        "Ada <ada@example.com>",
        "\"a\r\nb\"@example.com",
        "ada@exam\u{85}ple.com",
        "ada",
        "",
    ];
    for to in recipients {
        let mail = Message {
            to: to.to_owned(),
            ..message()
        };
        assert_eq!(mailer.send(mail).await, Err(Error::Refused { code: None }), "{to:?}");
    }
    for line in ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\u{b}b", "a\u{85}b"] {
        let mail = Message {
            subject: line.to_owned(),
            ..message()
        };
        assert_eq!(mailer.send(mail).await, Err(Error::Refused { code: None }), "{line:?}");
    }
    for id in ["a", "a@", "<a@b>", "a@b\r\nX: y", "a b@c", "a@b@c"] {
        let mail = Message {
            message_id: id.to_owned(),
            ..message()
        };
        assert_eq!(mailer.send(mail).await, Err(Error::Refused { code: None }), "{id:?}");
    }
    assert!(sink.mails().is_empty());
    assert_eq!(
        Mailer::new(&sink.url(), "a@b.example\r\nBcc: c@d.example").unwrap_err(),
        Error::From
    );

    // what looks like an end of the mail, in every spelling of a line's end, stays text
    mailer.send(message()).await.unwrap();
    let plain_headers = sink.next().await.headers().len();
    for end in ["\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n"] {
        let smuggled = format!("before{end}MAIL FROM:<eve@example.com>{end}after");
        let mail = Message {
            subject: "Bcc: eve@example.com =?utf-8?Q?=0D=0ABcc:_eve@example.com?=".to_owned(),
            text: smuggled.clone(),
            html: smuggled,
            ..message()
        };
        mailer.send(mail).await.unwrap();
        let mail = sink.next().await;
        assert_eq!(mail.to, ["ada@example.com"]);
        assert_eq!(mail.headers().len(), plain_headers, "{end:?}");
        assert!(mail.header("Bcc").is_none());
        assert!(mail.part("text/plain").contains("after"), "{end:?}");
        assert!(sink.mails().is_empty(), "{end:?}");
    }
}

#[test]
fn a_server_elsewhere_must_encrypt_and_credentials_never_print() {
    let debug = |url: &str| format!("{:?}", Mailer::new(url, FROM).unwrap());
    let elsewhere = debug("smtp://user:hunter2@mail.example.com");
    assert!(
        elsewhere.contains("port: 587") && elsewhere.contains("security: Upgraded,"),
        "{elsewhere}"
    );
    assert!(
        !elsewhere.contains("hunter2") && !elsewhere.contains("user"),
        "{elsewhere}"
    );
    assert!(debug("smtp://10.0.0.1:25").contains("security: Upgraded,"));
    assert!(debug("smtp://localhost.example.com").contains("security: Upgraded,"));
    assert!(debug("smtps://mail.example.com").contains("port: 465, security: Wrapped"));
    for here in ["smtp://localhost:1025", "smtp://127.0.0.1:1025", "smtp://[::1]:1025"] {
        assert!(
            debug(here).contains("port: 1025, security: UpgradedIfOffered"),
            "{here}"
        );
    }
    let mail = format!("{:?}", message());
    assert!(!mail.contains("code=abc") && !mail.contains("ada"), "{mail}");
}

#[test]
fn an_unusable_url_is_refused() {
    let urls = [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp:///",
        "smtp://mail.example.com/path",
        "smtp://mail.example.com?tls=none",
        "smtp://user@mail.example.com",
        "smtp://:password@mail.example.com",
        "smtp://user:%ff@mail.example.com",
    ];
    for url in urls {
        assert!(matches!(Mailer::new(url, FROM), Err(Error::Url(_))), "{url}");
    }
    assert_eq!(Mailer::new("smtp://localhost", "nobody").unwrap_err(), Error::From);
}
