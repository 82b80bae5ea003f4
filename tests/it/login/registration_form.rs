//! What an account may be made of: mail domains that may, the fields that are asked, and how many wishes there may be a day.

use ostiary::model::{FormField, MailDomain, mail_domain};
use serde_json::json;

use super::recovery::mails;
use super::registration::{NEW, ask, fill, links};
use super::{MINUTE, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::server::each_backend;

#[test]
fn domains_are_compared_in_the_form_that_mail_goes_by() {
    let covers = |rule: &str, domain: &str| {
        let rule = MailDomain::parse(rule).unwrap_or_else(|| panic!("{rule}"));
        rule.covers(&mail_domain::canonical(domain).unwrap_or_else(|| panic!("{domain}")))
    };
    for (rule, domain, is_covered) in [
        ("example.com", "example.com", true),
        ("example.com", "EXAMPLE.com", true),
        ("Example.COM.", "example.com", true),
        ("example.com", "mail.example.com", false),
        ("example.com", "notexample.com", false),
        ("example.com", "example.com.evil.test", false),
        (".example.com", "mail.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "notexample.com", false),
        ("m\u{fc}nchen.example", "xn--mnchen-3ya.example", true),
        ("xn--mnchen-3ya.example", "M\u{dc}NCHEN.example", true),
        ("*.m\u{fc}nchen.example", "mail.xn--mnchen-3ya.example", true),
    ] {
        assert_eq!(covers(rule, domain), is_covered, "{rule} {domain}");
    }
    for wrong in [
        "",
        ".",
        "*.",
        "*",
        "a b",
        "ada@example.com",
        "example..com",
        "-a.example",
        "10.0.0.1",
        "[::1]",
        "a_b.example",
    ] {
        assert!(MailDomain::parse(wrong).is_none(), "{wrong}");
    }
    assert_eq!(MailDomain::parse(".Example.com").unwrap().to_string(), "*.example.com");
}

#[test]
fn a_field_is_named_with_whether_it_is_required_and_what_counts_without_it() {
    for (written, read) in [
        ("given_name", "given_name"),
        (" family_name   required ", "family_name required"),
        ("zoneinfo = Europe/Paris", "zoneinfo = Europe/Paris"),
        ("country required=France", "country required = France"),
    ] {
        assert_eq!(FormField::parse(written).unwrap().to_string(), read);
    }
    for wrong in [
        "",
        "email",
        "given_name maybe",
        "given_name required twice",
        "locale =",
        "username = ada",
        "= x",
        "sub",
    ] {
        assert!(FormField::parse(wrong).is_none(), "{wrong}");
    }
}

#[tokio::test]
async fn an_address_of_a_domain_that_may_not_is_refused_by_a_sentence_and_mailed_nothing() {
    each_backend(async |server| {
        server
            .settings(json!({"registration.mode": "open",
                "registration.allowed_domains": "example.com, *.example.com",
                "registration.denied_domains": "evil.example.com"}))
            .await;
        let browser = Browser::new();
        for refused in [
            "ada@elsewhere.test",
            "ada@example.com.test",
            "ada@EVIL.example.com",
            "ada@notexample.com",
        ] {
            let page = ask(server, &browser, refused).await;
            assert_eq!(page.status, 422, "{refused}");
            assert!(
                unescape(&page.body).contains("Addresses of this domain are not taken here"),
                "{}",
                page.body
            );
        }
        assert_eq!(mails(server).await.len(), 0);
        for taken in ["grace@example.com", "grace@Mail.Example.com"] {
            assert_eq!(ask(server, &browser, taken).await.status, 303);
            assert_eq!(links(server, taken).await.len(), 1, "{taken}");
        }
        let api = Caller::client(server, "admin:users").await;
        let invited = api.post("/invitations", json!({"email": "ada@elsewhere.test"})).await;
        assert_eq!(invited.status, 422, "{}", invited.body);
        assert!(invited.body.contains("\"domain\""), "{}", invited.body);

        // a change of address is judged as well
        let ada = server
            .user_with("ada", |profile| {
                profile.email = Some("ada@old.test".to_owned());
                profile.email_verified = false;
            })
            .await;
        let own = Browser::new();
        sign_in(server, &own, &ada).await;
        let change = async |email: &str| {
            let page = own.get(&server.url("/account/email")).await;
            own.submit(&page, page.form_with("email"), &[("email", email)]).await
        };
        let page = change("ada@elsewhere.test").await;
        assert_eq!(page.status, 422);
        assert!(unescape(&page.body).contains("Addresses of this domain are not taken here"));
        assert_eq!(
            change("ada@old.test").await.status,
            303,
            "the one that she has may be confirmed"
        );
        assert_eq!(change("ada@example.com").await.status, 303);
    })
    .await;
}

/// SEC-305: wishes are bounded a day by network, by mail domain and altogether, and the next one after the last is refused.
#[tokio::test]
async fn registration_limits_of_a_day() {
    each_backend(async |server| {
        let browser = Browser::new();
        for (setting, name) in [
            ("registration.most_of_source", "source"),
            ("registration.most_of_domain", "domain"),
            ("registration.most_a_day", "day"),
        ] {
            server.settings(json!({"registration.mode": "open", setting: 3})).await;
            for number in 0..3 {
                let page = ask(server, &browser, &format!("{name}{number}@{name}.example")).await;
                assert_eq!(page.status, 303, "{name} {number}");
            }
            let refused = ask(server, &browser, &format!("late@{name}.example")).await;
            assert_eq!(refused.status, 429, "{name}");
            assert!(refused.headers.contains_key("retry-after"));
            let other = ask(server, &browser, "other@another.example").await;
            assert_eq!(other.status == 303, name == "domain", "{name}");
            server.advance(26 * 60 * MINUTE);
            let page = ask(server, &browser, &format!("next@{name}.example")).await;
            assert_eq!(page.status, 303, "another day: {name}");
            server.settings(json!({setting: null})).await;
            server.advance(26 * 60 * MINUTE);
        }
        // whoever asks for another address of their own is counted with them
        server.settings(json!({"registration.most_of_domain": 1})).await;
        assert_eq!(ask(server, &browser, "one@last.example").await.status, 303);
        let ada = server.user("ada").await;
        sign_in(server, &browser, &ada).await;
        let page = browser.get(&server.url("/account/email")).await;
        let asked = browser.submit(&page, page.form_with("email"), &[("email", "two@last.example")]);
        assert_eq!(asked.await.status, 429);
    })
    .await;
}

#[tokio::test]
async fn the_form_asks_what_the_setting_says() {
    each_backend(async |server| {
        server
            .settings(json!({"registration.mode": "open", "registration.fields":
                "family_name required, nickname, phone_number, birthdate, website, zoneinfo = Europe/Paris, locality required, country = France"}))
            .await;
        let browser = Browser::new();
        ask(server, &browser, "grace@example.com").await;
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let page = browser.get(&link).await;
        let form = page.form_with("password_again");
        let asked: Vec<&str> = form.names.iter().map(String::as_str).filter(|name| *name != "csrf").collect();
        assert_eq!(
            asked,
            ["family_name", "nickname", "phone_number", "birthdate", "website", "zoneinfo", "locality", "country",
             "password", "password_again"]
        );
        assert!(page.body.contains("value=\"Europe/Paris\""), "{}", page.body);
        let whole = [("family_name", "Hopper"), ("locality", "Arlington")];
        for (more, said) in [
            (vec![("family_name", "")], "Fill in this field"),
            (vec![("locality", " ")], "Fill in this field"),
            (vec![("phone_number", "12")], "a number with its country"),
            (vec![("birthdate", "yesterday")], "a date such as"),
            (vec![("website", "javascript:alert(1)")], "begins with https"),
            (vec![("zoneinfo", "nowhere land")], "a time zone such as"),
            (vec![("nickname", "a\u{200b}b")], "none that cannot be seen"),
        ] {
            let fields: Vec<(&str, &str)> = whole
                .iter()
                .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
                .chain(&more)
                .copied()
                .collect();
            let refused = fill(&browser, &page, &fields).await;
            assert_eq!(refused.status, 422, "{more:?}");
            assert!(unescape(&refused.body).contains(said), "{more:?}: {}", refused.body);
            assert!(refused.body.contains("value=\"Arlington\"") || more[0].0 == "locality", "what was typed stays");
        }
        // all that is wrong is told at once, in the order of the page
        let many = [("family_name", ""), ("locality", "Arlington"), ("password_again", "another one")];
        let refused = unescape(&fill(&browser, &page, &many).await.body);
        let summary: Vec<&str> = refused.split("href=\"#").skip(1).filter_map(|link| link.split('"').next()).collect();
        assert_eq!(summary, ["family_name", "password_again"], "{refused}");
        // what is not asked for is not taken, whoever adds it
        let fields = [whole[0], whole[1], ("zoneinfo", ""), ("gender", "x"), ("email_verified", "0"), ("username", "root")];
        assert_eq!(fill(&browser, &page, &fields).await.status, 303);
        let grace = server.account_of("grace@example.com").await;
        assert_eq!(grace.username, "grace@example.com");
        let profile = grace.profile;
        assert_eq!(profile.family_name.as_deref(), Some("Hopper"));
        assert_eq!(profile.zoneinfo.as_deref(), Some("Europe/Paris"));
        let address = profile.address.unwrap();
        assert_eq!(address.locality.as_deref(), Some("Arlington"));
        assert_eq!(address.country.as_deref(), Some("France"));
        assert_eq!((profile.gender, profile.nickname), (None, None));
        assert!(super::sign_in_with(server, &Browser::new(), "grace@example.com", NEW).await.status == 303);
    })
    .await;
}
