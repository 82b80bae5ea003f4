//! A service that tells people from programs, before an account: what its widget brought is shown to it once, by page and interface; where
//! it does not answer nobody goes on.

use serde_json::{Value, json};

use super::recovery::mails;
use crate::api::conversation::Caller;
use crate::support::backend::{Backend, backends};
use crate::support::browser::{Browser, Page};
use crate::support::captcha::{CaptchaService, FIELD, Mood, SECRET, SITE_KEY};
use crate::support::html::unescape;
use crate::support::server::Server;

async fn guarded(service: &CaptchaService, backend: Backend) -> Server {
    let captcha = service.configuration();
    let server = Server::start_configured(backend, |config| config.captcha = Some(captcha)).await;
    server.settings(open("captcha")).await;
    server
}

fn open(challenge: &str) -> Value {
    json!({"registration.mode": "open", "registration.challenge": challenge, "registration.contact": "mailto:door@example.com"})
}

/// Sends the form with what a widget would have brought.
async fn send(browser: &Browser, page: &Page, email: &str, response: &str) -> Page {
    let form = page.form_with("email").filled(&[("email", email)]);
    let mut fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.push((FIELD, response));
    let action = page.url.join(&form.action).unwrap();
    browser.post(action.as_str(), &fields).await
}

async fn mailed(server: &Server, email: &str) -> usize {
    let all = mails(server).await;
    all.iter().filter(|(to, _)| to == email).count()
}

/// SEC-305: who is no person has no mail sent, by page or interface, and what was brought counts once.
#[tokio::test]
async fn a_mail_is_sent_to_whom_the_service_takes_for_a_person() {
    for backend in backends() {
        let service = CaptchaService::start().await;
        let server = guarded(&service, backend).await;
        let browser = Browser::new();
        let page = browser.get(&server.url("/register")).await;
        let shown = unescape(&page.body);
        assert!(
            shown.contains(&format!("class=\"h-captcha widget\" data-sitekey=\"{SITE_KEY}\"")),
            "{shown}"
        );
        assert!(
            shown.contains(&format!("src=\"{}/1/api.js\"", service.origin)),
            "{shown}"
        );
        assert!(shown.contains("mailto:door@example.com"), "whoever has no scripts");
        assert!(!shown.contains(SECRET));
        for wrong in ["", "program", "person with blanks"] {
            let refused = send(&browser, &page, "grace@example.com", wrong).await;
            assert_eq!(refused.status, 422, "{wrong}: {}", refused.body);
            assert!(
                unescape(&refused.body).contains("Try the check below once more"),
                "{}",
                refused.body
            );
        }
        assert_eq!(mailed(&server, "grace@example.com").await, 0);
        let sent = send(&browser, &page, "grace@example.com", "person-1").await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        assert_eq!(mailed(&server, "grace@example.com").await, 1);
        let replayed = send(&browser, &page, "eve@example.com", "person-1").await;
        assert_eq!(replayed.status, 422, "{}", replayed.body);

        let nobody = Caller::with_token(&server, "").await;
        let told = nobody.get("/registration").await.ok().json();
        assert_eq!(told["captcha"]["site_key"], SITE_KEY);
        assert_eq!(told["captcha"]["script"], format!("{}/1/api.js", service.origin));
        assert!(told.get("work").is_none());
        let by_interface = async |captcha: Value| {
            let body = json!({"email": "eve@example.com", "captcha": captcha});
            nobody.post("/registration", body).await
        };
        for wrong in [Value::Null, json!(""), json!("program"), json!("person-1")] {
            let refused = by_interface(wrong).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
            assert_eq!(refused.json()["errors"][0]["code"], "captcha");
        }
        assert_eq!(by_interface(json!("person-2")).await.status, 204);
        assert_eq!(mailed(&server, "eve@example.com").await, 1);
        // what can be seen to be nothing was shown to nobody; what the contract says was said
        let asked = service.asked();
        assert!(
            asked
                .iter()
                .all(|form| form["response"].starts_with('p') && !form["response"].contains(' '))
        );
        assert_eq!(asked[0]["secret"], SECRET);
        assert_eq!(asked[0]["remoteip"], "127.0.0.1");
        server.stop().await;
    }
}

/// Whatever the service does but answer as agreed: nobody goes on, nothing is mailed, and the answer says that it is worth trying again.
#[tokio::test]
async fn a_service_that_is_away_is_told_as_such() {
    let service = CaptchaService::start().await;
    let server = guarded(&service, Backend::Embedded).await;
    let browser = Browser::new();
    let page = browser.get(&server.url("/register")).await;
    let nobody = Caller::with_token(&server, "").await;
    for (number, mood) in [Some(Mood::Confused), Some(Mood::Failing), None]
        .into_iter()
        .enumerate()
    {
        match mood {
            Some(mood) => service.be(mood),
            None => service.stop(),
        }
        let away = send(&browser, &page, "grace@example.com", &format!("person-{number}")).await;
        assert_eq!(away.status, 503, "{mood:?}: {}", away.body);
        assert!(!away.header("retry-after").is_empty());
        assert!(unescape(&away.body).contains("Try again in a moment"), "{}", away.body);
        let body = json!({"email": "grace@example.com", "captcha": format!("person-{number}")});
        let refused = nobody.post("/registration", body).await;
        assert_eq!(refused.status, 503, "{mood:?}: {}", refused.body);
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(mailed(&server, "grace@example.com").await, 0);
    server.stop().await;
}

/// A secret that the service does not know is the operator's to put right: nobody is told that they are a program.
#[tokio::test]
async fn a_secret_that_the_service_does_not_take_lets_nobody_through() {
    let service = CaptchaService::start().await;
    let mut captcha = service.configuration();
    captcha.secret = ostiary::model::Secret::new("another");
    let server = Server::start_configured(Backend::Embedded, |config| config.captcha = Some(captcha)).await;
    server.settings(open("captcha")).await;
    let browser = Browser::new();
    let page = browser.get(&server.url("/register")).await;
    let away = send(&browser, &page, "grace@example.com", "person-1").await;
    assert_eq!(away.status, 503, "{}", away.body);
    server.stop().await;
    // and where none is configured, none is asked and nobody goes on
    let server = Server::start().await;
    server.settings(open("captcha")).await;
    assert_eq!(Browser::new().get(&server.url("/register")).await.status, 503);
    let nobody = Caller::with_token(&server, "").await;
    let refused = nobody
        .post("/registration", json!({"email": "grace@example.com"}))
        .await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    server.stop().await;
}

/// SEC-521: the policy of the one page with the widget names the service's origin where it has to, and no other page names it.
#[tokio::test]
async fn the_policy_names_the_service_on_its_page_alone() {
    let service = CaptchaService::start().await;
    let server = guarded(&service, Backend::Embedded).await;
    let policy = async |path: &str| {
        let page = Browser::new().get(&server.url(path)).await;
        page.header("content-security-policy").to_owned()
    };
    let named = policy("/register").await;
    let directive = |name: &str| {
        let found = named
            .split(';')
            .map(str::trim)
            .find(|part| part.split(' ').next() == Some(name));
        found.unwrap_or_default().to_owned()
    };
    assert!(directive("script-src").starts_with("script-src 'nonce-"), "{named}");
    assert!(directive("script-src").ends_with(&service.origin), "{named}");
    assert_eq!(directive("frame-src"), format!("frame-src {}", service.origin));
    assert_eq!(directive("style-src"), "style-src 'self'");
    assert_eq!(directive("connect-src"), "");
    assert_eq!(named.matches(&service.origin).count(), 2, "{named}");
    for path in ["/login", "/register?sent=1", "/login/forgot", "/", "/nothing"] {
        let other = policy(path).await;
        assert!(
            !other.contains(&service.origin) && !other.contains("frame-src"),
            "{path}: {other}"
        );
    }
    server.settings(open("none")).await;
    assert!(!policy("/register").await.contains(&service.origin));
    server.stop().await;
}
