//! What mails say, in an administrator's words; and what became of each mail.

use std::sync::Arc;
use std::time::Duration;

use ostiary::flow::operations::outbox::{Post, send_due};
use ostiary::flow::operations::{apply, export, message_templates as templates};
use ostiary::flow::people::{ChangeSource, NewUser, Welcome, create_user};
use ostiary::mail::Mailer;
use ostiary::view::{Dress, Letterhead, Locale, Mail, MailPart, MailTemplate, Views, mail_values};
use serde_json::{Value, json};

use crate::api::conversation::{Caller, client_token, service};
use crate::page::document::read;
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};
use crate::support::smtp_sink::SmtpSink;

fn post(sink: &SmtpSink) -> Post {
    Post {
        mailer: Some(Mailer::new(&sink.url(), "Ostiary <no-reply@id.example.com>").unwrap()),
        gateway: None,
        views: Arc::new(Views::new().unwrap()),
    }
}

async fn welcome(server: &Server, username: &str) {
    let mut new = NewUser::named(username);
    new.profile.email = Some(format!("{username}@example.com"));
    new.welcome = Welcome::Mail;
    create_user(server.provider(), &server.call(), &ChangeSource::Command, new)
        .await
        .unwrap();
}

async fn caller<'a>(server: &'a Server, scope: &str) -> Caller<'a> {
    let client = service(server, scope).await;
    Caller::with_token(server, &client_token(server, &client).await).await
}

/// What the program says by itself is what an administrator finds, and could have written: it draws the same mail.
#[test]
fn the_words_that_are_shown_first_draw_the_programs_own_mails() {
    let views = Views::new().unwrap();
    for sample in Mail::samples() {
        for locale in Locale::ALL {
            let kind = sample.kind();
            let template = views.default_mail(kind, locale).unwrap();
            assert_eq!(views.examine_mail(kind, &template), Ok(()), "{kind}");
            let own = views.mail(&sample, locale).unwrap();
            let dress = Dress {
                brand: Letterhead::default(),
                template: Some(template),
            };
            let drawn = views.mail_in(&sample, locale, &dress).unwrap();
            assert_eq!((drawn.subject, drawn.text), (own.subject, own.text), "{kind}");
            assert_eq!(read(&drawn.html), read(&own.html), "{kind}");
        }
    }
    for kind in Mail::kinds() {
        for value in mail_values(kind) {
            assert!(!value.sentence.is_empty(), "{} of {kind} has no sentence", value.name);
        }
    }
}

/// SEC-452: what is refused when it is saved, with its line; and nothing that is taken can run for long.
#[test]
fn what_can_not_be_drawn_is_refused_with_its_line() {
    let views = Views::new().unwrap();
    let good = views.default_mail("recovery", Locale::English).unwrap();
    let fault = |part: MailPart, source: &str| {
        let mut template = good.clone();
        match part {
            MailPart::Subject => template.subject = source.to_owned(),
            MailPart::Text => template.text = source.to_owned(),
            MailPart::Html => template.html = source.to_owned(),
        }
        match views.examine_mail("recovery", &template) {
            Ok(()) => String::new(),
            Err(faults) => {
                assert_eq!((faults.len(), faults[0].part), (1, part), "{source}");
                faults[0].what.clone()
            }
        }
    };
    let told = [
        (
            "{{ mail.link }}\n{{ mail.nmae }}",
            "line 2: there is no value mail.nmae",
        ),
        ("{{ mail.link }} {{ mail }}", "there is no value mail in"),
        ("{{ mail.link }} {{ frame.user }}", "there is no value frame.user"),
        ("no link", "without {{ mail.link }} this mail is of no use"),
        ("{% if mail.name %}{{ mail.link }}{% endif %}", "under every condition"),
        (
            "{{ mail.link }}{% for one in mail.name %}{% endfor %}",
            "{% for %} is not known here",
        ),
        ("{{ mail.link }}{% set a = 1 %}", "{% set %} is not known here"),
        (
            "{{ mail.link }}{% include 'page/login.html' %}",
            "{% include %} is not known here",
        ),
        ("{{ mail.link }}{{ mail.name|upper }}", "| can't be used here"),
        ("{{ mail.link }}{{ 'x' * 1000000000 }}", "* can't be used here"),
        ("{{ mail.link }}{{ range(10) }}", "there is no function range"),
        (
            "{{ mail.link }}{{ mail.name.upper() }}",
            "there is no function mail.name.upper",
        ),
        ("{{ mail.link }}{{ part('login') }}", "the parts are:"),
        ("{{ mail.link }}{{ asset('x') }}", "there is no function asset"),
        ("{{ mail.link }}{{ t('nothing') }}", "no text nothing"),
        ("{{ mail.link }}{{ mail.name", "}} is missing"),
        ("{{ mail.link }}{{ 'mail", "a quoted text has no end"),
        ("{{ mail.link }}{% if mail.name %}", "line 1"),
        ("  ", "it is empty"),
    ];
    for (source, expected) in told {
        for part in [MailPart::Text, MailPart::Html] {
            let what = fault(part, source);
            assert!(what.contains(expected), "{source}: {what}");
        }
    }
    let long = format!("{{{{ mail.link }}}}{}", "x".repeat(70_000));
    assert!(fault(MailPart::Text, &long).contains("longer than 20000"));
    assert!(fault(MailPart::Subject, "two\nlines").contains("one line"));
    for source in ["New words for {{ mail.username }}", "{# a note #}{{ brand.name }}"] {
        assert_eq!(fault(MailPart::Subject, source), "");
    }
    let conditional = "{% if mail.name and not mail.address == 'x' %}Hello {{ mail.name }}{% elif true %}Hello{% else %}{% endif %} {{- mail.link -}} { {";
    assert_eq!(fault(MailPart::Html, conditional), "");
}

/// SEC-451, SEC-452: an address in a mail leads to the web or into a mailbox, whatever way another scheme is spelled, and nothing runs.
#[test]
fn an_address_in_a_mail_leads_to_the_web_or_into_a_mailbox() {
    let views = Views::new().unwrap();
    let good = views.default_mail("recovery", Locale::English).unwrap();
    let examined = |html: &str| {
        let html = format!("<p>{{{{ mail.link }}}}</p>\n{html}");
        views.examine_mail("recovery", &MailTemplate { html, ..good.clone() })
    };
    for taken in [
        r#"<a href="https://example.com/?q={{ mail.username }}">x</a>"#,
        r#"<a href='HTTP://example.com'>x</a>"#,
        r#"<A HREF = "mailto:help@example.com?subject={{ mail.username }}">x</A>"#,
        r#"<a href="{{ mail.link }}">x</a>"#,
        r#"<a title="{{ mail.name }}" href="{{- mail.link -}}">x</a>"#,
        r#"<img src="https://example.com/logo.png" alt='{{ t("mail_hello") }}'>"#,
        r#"{{ part("mail_button", link=mail.link, label="javascript: is fun") }}"#,
        r#"{{ part("mail_link", link="https://example.com") }}"#,
        r#"<p>javascript:alert(1) is no address, data:text/html neither, 1 < 2, href="javascript:x"</p>"#,
        r#"<a class="{% if mail.name %}a{% else %}b{% endif %}" name=plain href="https://example.com">x</a>"#,
    ] {
        assert_eq!(examined(taken), Ok(()), "{taken}");
    }
    let tab = "\t";
    for (refused, expected) in [
        (r#"<a href="javascript:alert(1)">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href="JaVaScRiPt:alert(1)">x</a>"#.to_owned(), "href= begins with"),
        (
            format!(r#"<a href="java{tab}script:alert(1)">x</a>"#),
            "href= begins with",
        ),
        (
            r#"<a href="&#106;avascript:alert(1)">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a href="javascript&colon;alert(1)">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a href=" javascript:alert(1)">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a href='data:text/html,<script>'>x</a>"#.to_owned(),
            "href= begins with",
        ),
        (r#"<a href="vbscript:x">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href="file:///etc/passwd">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href="//evil.example">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href="/login">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href="">x</a>"#.to_owned(), "href= begins with"),
        (r#"<a href=javascript:alert(1)>x</a>"#.to_owned(), "quotation marks"),
        (r#"<a/href="javascript:x">x</a>"#.to_owned(), "href= begins with"),
        (
            r#"<a title="x"href="javascript:x">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<svg><a xlink:href="javascript:x">x</a></svg>"#.to_owned(),
            "xlink:href= begins with",
        ),
        (
            r#"<form action="javascript:x"></form>"#.to_owned(),
            "action= begins with",
        ),
        (r#"<img src="data:image/svg+xml,x">"#.to_owned(), "src= begins with"),
        (
            r#"<!--[if mso]><a href="javascript:x">x</a><![endif]-->"#.to_owned(),
            "href= begins with",
        ),
        // what a person is called is no address, and neither is a choice among several
        (r#"<a href="{{ mail.name }}">x</a>"#.to_owned(), "href= begins with"),
        (
            r#"<a href="{{ mail.username }}:x">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a href="{{ mail.link if mail.name else "javascript:x" }}">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a href="{% if mail.name %}https:{% else %}javascript:{% endif %}//x">x</a>"#.to_owned(),
            "href= begins with",
        ),
        (
            r#"<a {% if mail.name %}href="javascript:x"{% endif %}>x</a>"#.to_owned(),
            "quotation marks",
        ),
        (
            r#"<a hr{% if true %}ef="javascript:x"{% endif %}>x</a>"#.to_owned(),
            "quotation marks",
        ),
        (r#"<{{ "a href=javascript:x" }}>x</a>"#.to_owned(), "can't be a value"),
        (r#"<a {{ "href=javascript:x" }}>x</a>"#.to_owned(), "quotation marks"),
        (
            r#"{{ part("mail_button", link="javascript:x", label="Go") }}"#.to_owned(),
            "link= begins with",
        ),
        (
            r#"{{ part("mail_link", link=mail.name) }}"#.to_owned(),
            "link= begins with",
        ),
        (
            r#"{{ part("mail_link", link=mail.link ~ "x") }}"#.to_owned(),
            "link= begins with",
        ),
        (
            r#"<script src="https://example.com/x.js"></script>"#.to_owned(),
            "<script> can't stand",
        ),
        (r#"<base href="https://example.com/">"#.to_owned(), "<base> can't stand"),
        (
            r#"<img src="https://example.com/x.png" onerror="alert(1)">"#.to_owned(),
            "onerror runs a script",
        ),
        ("<a\n\nhref='javascript:x'>".to_owned(), "line 4:"),
        (
            "{# a\nnote #}{{ mail.name\n}}<a href='javascript:x'>".to_owned(),
            "line 4:",
        ),
    ] {
        let faults = examined(&refused).unwrap_err();
        assert_eq!((faults.len(), faults[0].part), (1, MailPart::Html), "{refused}");
        assert!(faults[0].what.contains(expected), "{refused}: {}", faults[0].what);
    }
    // whoever changes a word of ours gets no complaint about the rest of it
    for kind in Mail::kinds() {
        for locale in Locale::ALL {
            let template = views.default_mail(kind, locale).unwrap();
            assert_eq!(views.examine_mail(kind, &template), Ok(()), "{kind}");
        }
    }
}

/// A template that does not fit its mail stops no mail.
#[tokio::test]
async fn a_template_that_does_not_fit_stops_no_mail() {
    let server = Server::start().await;
    let sink = SmtpSink::start().await;
    let post = post(&sink);
    // as another version of the program might have left it
    for broken in [
        r#"{"subject":"x","text":"{{ mail.gone }}","html":"x"}"#,
        r#""nothing""#,
        r#"{"subject":"{{","text":"x","html":"x"}"#,
    ] {
        server
            .behind(&format!(
                "insert into settings (key, value) values ('message_template.welcome.en', '{broken}') on conflict (key) do update set value = excluded.value"
            ))
            .await;
        let name = format!("ada{}", broken.len());
        welcome(&server, &name).await;
        assert_eq!(send_due(server.provider(), &server.call(), &post).await.unwrap(), 1);
        assert!(sink.next().await.part("text/plain").contains(&server.url("/login")));
    }
    server.stop().await;
}

/// By API: listed, shown, drawn with sample values, changed, sent so, and taken back; as revisions of the settings.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_changes_what_a_mail_says() {
    each_backend(async |server| {
        let sink = SmtpSink::start().await;
        let post = post(&sink);
        let caller = caller(server, "admin:settings").await;
        let all = caller.get("/message-templates").await.json();
        let rows = all["items"].as_array().unwrap();
        assert_eq!(rows.len(), Mail::kinds().len() * 3);
        assert!(rows.iter().all(|row| row["changed"] == false));
        let shown = caller.get("/message-templates/welcome/en").await.json();
        assert_eq!(shown["subject"], "Your account is ready");
        assert!(shown["values"].as_array().unwrap().iter().any(|value| value["name"] == "mail.username"));
        for unknown in ["/message-templates/welcome/xx", "/message-templates/nothing/en"] {
            assert_eq!(caller.get(unknown).await.status, 404);
        }

        let hostile = "<script>alert(1)</script>";
        let words = json!({"subject": "Come in, {{ mail.username }}", "html": "<p>Dear {{ mail.name }}, <b>come in</b>: {{ part(\"mail_link\", link=mail.sign_in) }}</p>"});
        let path = "/message-templates/welcome/en";
        let preview = caller.post(&format!("{path}/preview"), words.clone()).await;
        assert_eq!(preview.status, 200, "{:?}", preview.body);
        assert_eq!(preview.json()["subject"], "Come in, ada");
        assert!(preview.json()["html"].as_str().unwrap().contains("Dear Ada Lovelace, <b>come in</b>"));
        assert_eq!(caller.get(path).await.json()["changed"], false, "a preview changes nothing");
        let refused = caller.patch(path, json!({"text": "x {{ mail.nothing }}", "html": "{% for x in y %}"})).await;
        assert_eq!(refused.status, 422);
        let pointers: Vec<_> = refused.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
        assert_eq!(pointers, ["/text", "/html"]);

        let changed = caller.patch(path, words.clone()).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["changed"]), (200, &json!(true)), "{:?}", changed.body);
        server.settings(json!({"mail": {"brand": "Analytical Engines", "footer": "Engine Street 1 & Co"}})).await;
        let mut new = NewUser::named("ada");
        new.profile.email = Some("ada@example.com".to_owned());
        new.profile.given_name = Some(hostile.to_owned());
        new.welcome = Welcome::Mail;
        create_user(server.provider(), &server.call(), &ChangeSource::Command, new).await.unwrap();
        assert_eq!(send_due(server.provider(), &server.call(), &post).await.unwrap(), 1);
        let mail = sink.next().await;
        assert_eq!(mail.header("Subject").unwrap(), "Come in, ada");
        let html = mail.part("text/html");
        assert!(html.contains("Analytical Engines") && html.contains("Engine Street 1 &amp; Co"), "{html}");
        assert!(html.contains("<b>come in</b>") && !html.contains(hostile), "{html}");
        assert!(mail.part("text/plain").contains(&server.url("/login")), "the text is as it was");

        // a revision like any other
        let revisions = caller.get("/settings/revisions").await.json();
        let first = revisions["items"].as_array().unwrap().last().unwrap();
        assert!(first["after"].get("message_template.welcome.en").is_some(), "{first}");
        let back = caller.post("/settings/revisions/0/rollback", json!({})).await;
        assert_eq!(back.status, 200, "{:?}", back.body);
        assert_eq!(caller.get(path).await.json()["changed"], false);
        caller.patch(path, words).await;
        assert_eq!(caller.delete(path).await.status, 204);
        assert_eq!(caller.get(path).await.json()["subject"], "Your account is ready");
        // and it is no setting that could be set otherwise
        let other = caller.patch("/settings", json!({"message_template.welcome.en": {"subject": "x"}})).await;
        assert_eq!(other.status, 422);
    })
    .await;
}

#[tokio::test]
async fn a_file_says_what_mails_say_and_an_export_brings_it_along() {
    let server = Server::start().await;
    let (provider, call) = (server.provider(), server.call());
    let run = async |entries: Value| {
        let file = json!({"version": 1, "message_templates": entries});
        let document = apply::Document::read(&file, None)?;
        apply::apply(provider, &call, &document, apply::PruneUsers::No).await
    };
    let words = json!([{"kind": "recovery", "locale": "de", "subject": "Neu: {{ mail.username }}"}]);
    let done = run(words.clone()).await.unwrap();
    assert_eq!((done.changes.len(), done.changes[0].section), (1, "message_templates"));
    assert!(run(words).await.unwrap().is_empty(), "once is enough");
    let refused = run(json!([{"kind": "recovery", "locale": "de", "text": "no link"}]))
        .await
        .unwrap_err();
    assert!(
        format!("{refused:?}").contains("/message_templates/0/text"),
        "{refused:?}"
    );
    let refused = run(json!([{"kind": "nothing", "locale": "de"}])).await.unwrap_err();
    assert!(format!("{refused:?}").contains("/message_templates/0"), "{refused:?}");
    let file = export::export(provider, export::Secrets::Omitted).await.unwrap();
    assert_eq!(file["message_templates"][0]["subject"], "Neu: {{ mail.username }}");
    assert!(
        file["settings"].get("message_template").is_none(),
        "{}",
        file["settings"]
    );

    let elsewhere = Server::start().await;
    let document = apply::Document::read(&file, None).unwrap();
    apply::apply(
        elsewhere.provider(),
        &elsewhere.call(),
        &document,
        apply::PruneUsers::No,
    )
    .await
    .unwrap();
    let key = templates::TemplateKey::parse("recovery", "de").unwrap();
    let views = Views::new().unwrap();
    let there = templates::get(elsewhere.provider(), &views, key).await.unwrap();
    assert_eq!(there.template.subject, "Neu: {{ mail.username }}");
    let default: MailTemplate = views.default_mail("recovery", Locale::German).unwrap();
    assert_eq!(there.template.html, default.html);

    let back = run(json!([{"kind": "recovery", "locale": "de", "default": true}]))
        .await
        .unwrap();
    assert_eq!(back.changes.len(), 1);
    assert!(!templates::get(provider, &views, key).await.unwrap().is_changed);
    elsewhere.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_terminal_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let html = folder.path().join("new.html");
    std::fs::write(&html, "<p>Go to {{ part('mail_link', link=mail.link) }}</p>").unwrap();
    let html = html.to_str().unwrap();
    let preview = [
        "message-templates",
        "preview",
        "recovery",
        "fr",
        "--html",
        html,
        "--only",
        "html",
    ];
    assert!(terminal.run(&preview).await.ok().contains("<p>Go to <a "));
    terminal
        .run(&["message-templates", "set", "recovery", "fr", "--html", html])
        .await
        .ok();
    let list = terminal.run(&["message-templates", "list", "--json"]).await.json();
    let changed: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["changed"] == true)
        .collect();
    assert_eq!(changed.len(), 1);
    let shown = terminal
        .run(&["message-templates", "show", "recovery", "fr"])
        .await
        .ok();
    assert!(shown.contains("mail.link: ") && shown.contains("Required."), "{shown}");
    std::fs::write(html, "<p>{{ mail.lnk }}</p>").unwrap();
    let refused = terminal
        .run(&["message-templates", "set", "recovery", "fr", "--html", html])
        .await
        .refused();
    assert!(refused.contains("line 1: there is no value mail.lnk"), "{refused}");
    terminal
        .run(&["message-templates", "reset", "recovery", "fr"])
        .await
        .ok();
    assert!(
        terminal
            .run(&["message-templates", "show", "nothing", "fr"])
            .await
            .refused()
            .contains("there is no mail nothing")
    );

    terminal
        .run(&[
            "users",
            "create",
            "ada",
            "--email",
            "ada@example.com",
            "--welcome",
            "--password",
            "none",
        ])
        .await
        .ok();
    let mails = terminal
        .run(&["messages", "list", "--to", "ada@example.com", "--json"])
        .await
        .json();
    assert_eq!(
        (&mails[0]["kind"], &mails[0]["status"]),
        (&json!("welcome"), &json!("waiting"))
    );
    let id = mails[0]["id"].as_str().unwrap();
    assert!(
        terminal
            .run(&["messages", "send-again", id])
            .await
            .refused()
            .contains("was not given up")
    );
}

/// What became of mails, without what they say.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_mail_is_told_without_what_it_says() {
    each_backend(async |server| {
        let sink = SmtpSink::start().await;
        let post = post(&sink);
        let caller = caller(server, "admin:messages").await;
        for name in ["ada", "grace", "edsger"] {
            welcome(server, name).await;
        }
        sink.refuse("grace@example.com", 550);
        sink.refuse("edsger@example.com", 451);
        assert_eq!(send_due(server.provider(), &server.call(), &post).await.unwrap(), 1);
        let all = caller.get("/messages").await.json();
        let find = |name: &str| {
            let items = all["items"].as_array().unwrap();
            items
                .iter()
                .find(|item| item["recipient"] == format!("{name}@example.com"))
                .unwrap()
                .clone()
        };
        assert_eq!(
            (&find("ada")["status"], &find("ada")["attempts"]),
            (&json!("sent"), &json!(1))
        );
        assert!(find("ada").get("sent_at").is_some() && find("ada").get("next_at").is_none());
        let grace = find("grace");
        assert_eq!(
            (&grace["status"], &grace["kind"]),
            (&json!("failed"), &json!("welcome"))
        );
        assert!(grace["error"].as_str().unwrap().contains("550"), "{grace}");
        let edsger = find("edsger");
        assert_eq!(edsger["status"], "waiting");
        assert!(edsger["error"].as_str().unwrap().contains("451") && edsger.get("next_at").is_some());
        for item in all["items"].as_array().unwrap() {
            assert!(!item.to_string().contains("/login"), "{item}");
        }
        for (filter, count) in [
            ("status eq \"failed\"", 1),
            ("status eq \"waiting\"", 1),
            ("recipient eq \"ada@example.com\"", 1),
            ("recipient eq \"nobody@example.com\"", 0),
        ] {
            let path = format!("/messages?filter={}", filter.replace(' ', "%20").replace('"', "%22"));
            assert_eq!(
                caller.get(&path).await.json()["items"].as_array().unwrap().len(),
                count,
                "{filter}"
            );
        }
        let page = caller.get("/messages?limit=2").await.json();
        let after = page["next"].as_str().unwrap();
        assert_eq!(
            caller.get(&format!("/messages?limit=2&after={after}")).await.json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );

        let id = grace["id"].as_str().unwrap();
        sink.accept("grace@example.com");
        let again = caller.post(&format!("/messages/{id}/send-again"), json!({})).await;
        assert_eq!(
            (again.status.as_u16(), &again.json()["status"]),
            (200, &json!("waiting")),
            "{:?}",
            again.body
        );
        assert_eq!(send_due(server.provider(), &server.call(), &post).await.unwrap(), 1);
        assert_eq!(caller.get(&format!("/messages/{id}")).await.json()["status"], "sent");
        assert_eq!(
            caller
                .post(&format!("/messages/{id}/send-again"), json!({}))
                .await
                .status,
            409
        );
        server.advance(Duration::from_secs(1));
        let reader = service(server, "admin:users").await;
        let reader = Caller::with_token(server, &client_token(server, &reader).await).await;
        assert_eq!(reader.get("/messages").await.status, 403);
    })
    .await;
}
