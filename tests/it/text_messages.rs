//! Text messages: each provider is asked byte for byte as its documentation says, what it answers is understood, and the outbox sends each
//! once, again where that helps, and never too late.

use std::sync::Arc;
use std::time::Duration;

use ostiary::config::{Config, File, Sms};
use ostiary::egress::Egress;
use ostiary::flow::operations::outbox::{Post, send_due_texts};
use ostiary::model::{Channel, Timestamp};
use ostiary::sms::{Error, Gateway, Text};
use ostiary::store::OutboxMail;
use ostiary::view::{CodeText, CodeUse, Locale, Text as Content, Views};

use crate::support::server::{Server, each_backend};
use crate::support::text_sink::TextSink;

const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn configured(table: &str) -> Sms {
    let file = File {
        name: "ostiary.toml".to_owned(),
        text: format!("[sms]\n{table}"),
    };
    let config = Config::read(Some(file), Vec::<(String, String)>::new());
    config.unwrap_or_else(|problems| panic!("{problems}")).sms.unwrap()
}

fn gateway(table: &str) -> Gateway {
    let here = vec!["127.0.0.0/8".parse().unwrap()];
    Gateway::new(&configured(table), Egress::new(here)).unwrap()
}

fn twilio(sink: &TextSink) -> Gateway {
    gateway(&format!(
        "provider = 'twilio'\naccount = '{ACCOUNT}'\nsecret = 'auth:token'\nsender = '+14155550100'\nurl = '{}'",
        sink.url()
    ))
}

fn vonage(sink: &TextSink) -> Gateway {
    gateway(&format!(
        "provider = 'vonage'\naccount = 'abcd1234'\nsecret = 'abcdef0123456789'\nsender = 'AcmeInc'\nurl = '{}'",
        sink.url()
    ))
}

fn text(text: &str) -> Text {
    Text {
        to: "+33612345678".to_owned(),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn twilio_is_asked_as_its_documentation_says() {
    let sink = TextSink::start(201, r#"{"sid": "SM1", "status": "queued", "error_code": null}"#).await;
    twilio(&sink).send(&text("413207 & 1=1 +ü")).await.unwrap();
    let request = sink.only();
    assert_eq!(
        request.line(),
        format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    );
    assert_eq!(
        request.header("content-type").unwrap(),
        "application/x-www-form-urlencoded"
    );
    // RFC 7617 section 2: the password may hold colons
    let credentials = "QUNhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYTphdXRoOnRva2Vu";
    assert_eq!(request.header("authorization").unwrap(), format!("Basic {credentials}"));
    assert_eq!(
        request.body(),
        "To=%2B33612345678&From=%2B14155550100&Body=413207+%26+1%3D1+%2B%C3%BC"
    );
    // a pool of senders is another field
    let pool = gateway(&format!(
        "provider = 'twilio'\naccount = '{ACCOUNT}'\nsecret = 'auth'\nsender = 'MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\nurl = '{}'",
        sink.url()
    ));
    pool.send(&text("a")).await.unwrap();
    assert!(
        sink.only()
            .body()
            .contains("&MessagingServiceSid=MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&")
    );
}

#[tokio::test]
async fn what_twilio_refuses_is_told_apart() {
    let sink = TextSink::start(
        400,
        r#"{"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}"#,
    )
    .await;
    let twilio = twilio(&sink);
    assert_eq!(twilio.send(&text("a")).await, Err(Error::Refused { code: 21211 }));
    for (status, body, code) in [
        (401, r#"{"code": 20003, "status": 401}"#, 20003),
        (429, r#"{"code": 20429, "status": 429}"#, 20429),
        (503, "", 503),
    ] {
        sink.answer(status, body);
        let expected = Err(Error::Unavailable { code: Some(code) });
        assert_eq!(twilio.send(&text("a")).await, expected, "{status}");
    }
}

#[tokio::test]
async fn vonage_is_asked_as_its_documentation_says() {
    let taken = r#"{"message-count": "1", "messages": [{"to": "33612345678", "message-id": "0A", "status": "0"}]}"#;
    let sink = TextSink::start(200, taken).await;
    let vonage = vonage(&sink);
    vonage.send(&text("413207 is your code")).await.unwrap();
    let request = sink.only();
    assert_eq!(request.line(), "POST /sms/json");
    assert_eq!(
        request.header("content-type").unwrap(),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        request.header("authorization").unwrap(),
        "Basic YWJjZDEyMzQ6YWJjZGVmMDEyMzQ1Njc4OQ=="
    );
    assert_eq!(
        request.body(),
        "from=AcmeInc&to=33612345678&text=413207+is+your+code&type=text"
    );
    // what is not in the GSM alphabet needs another encoding, and umlauts are in it
    vonage.send(&text("Ihr Code für Zoë")).await.unwrap();
    assert!(sink.only().body().ends_with("&type=unicode"));
    vonage.send(&text("Ihr Code für Österreich €")).await.unwrap();
    assert!(sink.only().body().ends_with("&type=text"));
}

#[tokio::test]
async fn vonage_says_in_its_body_what_was_not_taken() {
    let sink = TextSink::start(200, "").await;
    let vonage = vonage(&sink);
    let status = |status: &str| {
        format!(r#"{{"message-count": "1", "messages": [{{"status": "{status}", "error-text": "x"}}]}}"#)
    };
    for (answer, expected) in [
        (status("1"), Error::Unavailable { code: Some(1) }),
        (status("4"), Error::Unavailable { code: Some(4) }),
        (status("9"), Error::Unavailable { code: Some(9) }),
        (status("7"), Error::Refused { code: 7 }),
        (status("29"), Error::Refused { code: 29 }),
        (status("many"), Error::Unavailable { code: None }),
        (r#"{"messages": []}"#.to_owned(), Error::Unavailable { code: None }),
        ("<html>".to_owned(), Error::Unavailable { code: None }),
    ] {
        sink.answer(200, &answer);
        assert_eq!(vonage.send(&text("a")).await, Err(expected), "{answer}");
    }
}

#[tokio::test]
async fn a_request_of_ones_own_is_filled_with_escaped_values() {
    let sink = TextSink::start(200, r#"{"ok": true}"#).await;
    let own = gateway(&format!(
        r#"
provider = "http"
url = "{}/send/{{account}}?to={{digits}}"
method = "PUT"
account = "a/b?c"
secret = "s3cret word"
sender = "Ac\"me"
headers = ["Authorization: Bearer {{secret}}", "X-Kind: {{unknown}} {{sender}}"]
body = '{{"to": "{{number}}", "from": "{{sender}}", "text": "{{text}}", "more": {{"a": 1}}}}'
delivered = '"ok": true'
"#,
        sink.url()
    ));
    own.send(&text("say \"hi\"\n{number} \\")).await.unwrap();
    let request = sink.only();
    assert_eq!(request.line(), "PUT /send/a%2Fb%3Fc?to=33612345678");
    assert_eq!(request.header("content-type").unwrap(), "application/json");
    assert_eq!(request.header("authorization").unwrap(), "Bearer s3cret word");
    assert_eq!(request.header("x-kind").unwrap(), "{unknown} Ac\"me");
    // what stands in a value is no place, and nothing of a value ends the text that it stands in
    let body: serde_json::Value = serde_json::from_str(request.body()).unwrap();
    assert_eq!(body["to"], "+33612345678");
    assert_eq!(body["from"], "Ac\"me");
    assert_eq!(body["text"], "say \"hi\"\n{number} \\");
    assert_eq!(body["more"]["a"], 1);
    // an answer of success that says otherwise
    sink.answer(200, r#"{"ok": false}"#);
    let not_taken = Err(Error::Unavailable { code: Some(200) });
    assert_eq!(own.send(&text("a")).await, not_taken);
    // neither are answers that lead elsewhere followed
    sink.answer(302, "");
    assert_eq!(own.send(&text("a")).await, Err(Error::Unavailable { code: None }));

    let form = gateway(&format!(
        "provider = 'http'\nurl = '{}/x'\nformat = 'form'\nbody = 'to={{number}}&text={{text}}'",
        sink.url()
    ));
    sink.answer(204, "");
    sink.clear();
    form.send(&text("a&b=c d")).await.unwrap();
    let request = sink.only();
    assert_eq!(request.body(), "to=%2B33612345678&text=a%26b%3Dc+d");
    let asked = gateway(&format!(
        "provider = 'http'\nmethod = 'GET'\nurl = '{}/x?to={{number}}&text={{text}}&key={{secret}}'\nsecret = 'k=1&b'",
        sink.url()
    ));
    asked.send(&text("ü #1")).await.unwrap();
    let request = sink.only();
    assert_eq!(
        request.line(),
        "GET /x?to=%2B33612345678&text=%C3%BC%20%231&key=k%3D1%26b"
    );
    assert_eq!(request.body(), "");
}

#[test]
fn nothing_of_a_gateway_prints_its_secrets() {
    let own = configured(
        "provider = 'http'\nurl = 'https://sms.example/?key=hidden1'\nsecret = 'hidden2'\nheaders = ['X-Key: hidden3']\nbody = 'hidden4'",
    );
    let printed = format!("{own:?} {:?}", text("hidden5"));
    assert!(!printed.contains("hidden"), "{printed}");
}

#[tokio::test]
async fn a_place_that_may_not_be_reached_is_known_beforehand() {
    let table = "provider = 'http'\nurl = 'http://10.1.2.3/sms'";
    let refused = Gateway::new(&configured(table), Egress::new(Vec::new())).unwrap();
    assert!(!refused.is_reachable());
    assert_eq!(refused.send(&text("a")).await, Err(Error::Unavailable { code: None }));
    let usual = "provider = 'vonage'\naccount = 'abcd1234'\nsecret = 'abcdef'\nsender = 'A'";
    assert!(
        Gateway::new(&configured(usual), Egress::new(Vec::new()))
            .unwrap()
            .is_reachable()
    );
}

#[test]
fn a_text_message_ends_with_the_site_that_its_code_is_for() {
    let views = Views::new().unwrap();
    for (locale, word) in [
        (Locale::English, "code"),
        (Locale::German, "Code"),
        (Locale::French, "code"),
    ] {
        for content in Content::samples() {
            let text = views.text(&content, locale);
            assert!(text.contains("413207"), "{text}");
            assert!(
                text.to_lowercase().contains(&word.to_lowercase())
                    || text.contains("confirm")
                    || text.contains("bestätigt")
            );
            assert!(text.ends_with("\n\n@login.example.com #413207"), "{text}");
            assert!(text.chars().count() <= 160, "more than one message: {text}");
        }
    }
}

fn post(gateway: Gateway) -> Post {
    Post {
        mailer: None,
        gateway: Some(gateway),
        views: Arc::new(Views::new().unwrap()),
    }
}

async fn write(server: &Server, ends_at: Option<Timestamp>) {
    let content = Content::Code(CodeText {
        code: "413207".to_owned(),
        used_for: CodeUse::SignIn,
        host: "localhost".to_owned(),
    });
    let json = serde_json::to_vec(&content).unwrap();
    let provider = server.provider();
    let message = OutboxMail {
        channel: Channel::Sms,
        kind: "code",
        recipient: "+33612345678".to_owned(),
        locale: "de".to_owned(),
        sealed: provider.master.seal("outbox", &json),
        ends_at,
    };
    let mut tx = provider.store.write().await.unwrap();
    tx.add_mail(&message, server.call().now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn send(server: &Server, post: &Post) -> usize {
    send_due_texts(server.provider(), &server.call(), post).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_goes_out_once_and_is_tried_again_while_it_is_of_use() {
    each_backend(async |server| {
        let sink = TextSink::start(201, "{}").await;
        let post = post(twilio(&sink));
        write(server, None).await;
        let nodes = (0..4).map(|_| send(server, &post));
        let sent: usize = futures_util::future::join_all(nodes).await.into_iter().sum();
        assert_eq!(sent, 1);
        assert!(sink.only().body().contains("413207+ist+Ihr+Code"));

        // not at once, and after a pause again
        sink.answer(503, "");
        write(server, Some(server.call().now.after(Duration::from_secs(600)))).await;
        assert_eq!(send(server, &post).await, 0);
        assert_eq!(send(server, &post).await, 0);
        assert_eq!(sink.requests().len(), 1);
        sink.answer(201, "{}");
        server.advance(Duration::from_secs(31));
        assert_eq!(send(server, &post).await, 1);

        // too late: it is not even tried
        let before = sink.requests().len();
        write(server, Some(server.call().now.after(Duration::from_secs(600)))).await;
        server.advance(Duration::from_secs(601));
        assert_eq!(send(server, &post).await, 0);
        assert_eq!(sink.requests().len(), before);
        let rows = server
            .provider()
            .store
            .read()
            .await
            .unwrap()
            .list_outbox(1)
            .await
            .unwrap();
        assert!(
            rows[0].error.as_deref().unwrap().contains("its time was over"),
            "{rows:?}"
        );
        server.advance(Duration::from_secs(86_400));
        assert_eq!(send(server, &post).await, 0);
        assert_eq!(sink.requests().len(), before, "given up");

        // a number that nobody has is given up at once
        sink.answer(400, r#"{"code": 21211}"#);
        write(server, None).await;
        assert_eq!(send(server, &post).await, 0);
        server.advance(Duration::from_secs(86_400));
        assert_eq!(send(server, &post).await, 0);
        assert_eq!(sink.requests().len(), before + 1);
    })
    .await;
}
