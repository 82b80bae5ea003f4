//! An account of one's own by the interface, and the moment of work that may be asked for before a mail is sent.

use std::time::Duration;

use ostiary::crypto;
use serde_json::{Value, json};

use super::recovery::mails;
use super::registration::{self, NEW};
use super::sign_in_with;
use super::terms::publish_simply;
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, each_backend};

const MINUTE: Duration = Duration::from_secs(60);

/// The secret of the newest link that an address was mailed.
async fn token(server: &Server, email: &str) -> String {
    let link = registration::links(server, email).await.remove(0);
    let (_, token) = link.split_once("token=").unwrap();
    token.split('&').next().unwrap().to_owned()
}

/// Does the work.
fn solved(question: &str, bits: u32) -> String {
    let fits = |number: &u64| {
        let digest = crypto::sha256(format!("{question}:{number}").as_bytes());
        let head = u32::from_be_bytes(digest[..4].try_into().unwrap());
        head.leading_zeros() >= bits
    };
    (0..u64::MAX).find(fits).unwrap().to_string()
}

#[tokio::test]
async fn an_account_is_made_by_interface_as_by_the_pages() {
    each_backend(async |server| {
        let nobody = Caller::with_token(server, "").await;
        assert_eq!(nobody.get("/registration").await.status, 404);
        let off = nobody.post("/registration", json!({"email": "grace@example.com"})).await;
        assert_eq!(off.status, 404, "{}", off.body);
        server
            .settings(json!({"registration.mode": "open", "registration.fields": "given_name required, country = France",
                "registration.denied_domains": "evil.test"}))
            .await;
        let document = publish_simply(server, "terms", "1").await;
        let told = nobody.get("/registration").await.ok().json();
        assert_eq!(told["mode"], "open");
        assert_eq!(
            told["fields"],
            json!([{"name": "given_name", "required": true}, {"name": "country", "required": false, "default": "France"}])
        );
        assert_eq!(told["terms"][0]["id"], document.id.to_string());
        assert_eq!(told["minimum_password_length"], 10);
        assert!(told.get("work").is_none());

        for wrong in ["", "grace", "grace@evil.test"] {
            let refused = nobody.post("/registration", json!({"email": wrong})).await;
            assert_eq!(refused.status, 422, "{wrong}: {}", refused.body);
        }
        let ada = server.user("ada").await;
        // nobody finds out who has an account, and nobody's answers are kept
        let key = [("idempotency-key", "one")];
        for email in ["grace@example.com", ada.email.as_str(), "grace@example.com"] {
            let body = Some(json!({"email": email, "locale": "de"}));
            let sent = nobody.send("POST", "/registration", body, &key).await;
            assert_eq!((sent.status.as_u16(), sent.body.as_str()), (204, ""), "{email}");
        }
        let token = token(server, "grace@example.com").await;
        let whole = json!({"token": token, "password": NEW, "fields": {"given_name": "Grace"},
            "accepted_terms": [document.id.to_string()]});
        for (member, value, pointer) in [
            ("password", json!("short"), "/password"),
            ("fields", json!({}), "/given_name"),
            ("fields", json!({"given_name": "Grace", "gender": "x"}), "/gender"),
            ("fields", json!({"given_name": "Grace", "nonsense": "x"}), "/fields/nonsense"),
            ("accepted_terms", json!([]), "/accepted_terms"),
        ] {
            let mut body = whole.clone();
            body[member] = value;
            let refused = nobody.post("/registration/account", body).await;
            assert_eq!(refused.status, 422, "{member}: {}", refused.body);
            assert!(refused.body.contains(pointer), "{member}: {}", refused.body);
        }
        let made = nobody.post("/registration/account", whole.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.json()["email"], "grace@example.com");
        assert_eq!(nobody.post("/registration/account", whole).await.status, 404, "once");
        let grace = server.account_of("grace@example.com").await;
        assert_eq!(grace.profile.locale.as_deref(), Some("en"));
        assert_eq!(grace.profile.address.unwrap().country.as_deref(), Some("France"));
        let page = sign_in_with(server, &Browser::new(), "grace@example.com", NEW).await;
        assert_eq!(page.status, 303);
        assert_eq!(page.location().unwrap().path(), "/", "nothing is left to be accepted");
    })
    .await;
}

#[tokio::test]
async fn a_request_is_made_by_interface() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "request"})).await;
        let nobody = Caller::with_token(server, "").await;
        assert_eq!(nobody.get("/registration").await.ok().json()["mode"], "request");
        assert_eq!(
            nobody
                .post("/registration", json!({"email": "grace@example.com"}))
                .await
                .status,
            204
        );
        let (_, text) = mails(server).await.remove(0);
        let (_, token) = text.split_once("/request-access/new?token=").unwrap();
        let token = token.split_whitespace().next().unwrap();
        let body = json!({"token": token, "name": "Grace", "reason": "compilers"});
        assert_eq!(
            nobody
                .post("/registration/account", json!({"token": token, "password": NEW}))
                .await
                .status,
            404
        );
        assert_eq!(nobody.post("/registration/request", body.clone()).await.status, 204);
        assert_eq!(nobody.post("/registration/request", body).await.status, 404, "once");
        let api = Caller::client(server, "admin:users.read").await;
        assert_eq!(
            api.get("/access-requests").await.ok().json()["items"][0]["name"],
            "Grace"
        );
    })
    .await;
}

/// The question of a form, and how many bits it asks for.
fn question(page: &Page) -> (String, u32) {
    let form = page.form_with("email");
    let asked = form
        .inputs
        .iter()
        .find(|(name, _)| name == "work_question")
        .unwrap()
        .1
        .clone();
    let (_, bits) = page.body.split_once("data-bits=\"").unwrap();
    (asked, bits.split('"').next().unwrap().parse().unwrap())
}

async fn send(browser: &Browser, page: &Page, email: &str, (question, answer): (&str, &str)) -> Page {
    let fields = [("email", email), ("work_question", question), ("work_answer", answer)];
    browser.submit(page, page.form_with("email"), &fields).await
}

#[tokio::test]
async fn a_moment_of_work_is_done_once_for_this_form_and_in_time() {
    each_backend(async |server| {
        server
            .settings(
                json!({"registration.mode": "open", "registration.challenge": "proof_of_work",
                "registration.work": 8, "registration.contact": "mailto:door@example.com"}),
            )
            .await;
        let browser = Browser::new();
        let open = async |browser: &Browser| browser.get(&server.url("/register")).await;
        let page = open(&browser).await;
        assert!(
            page.body.contains("<noscript>") && page.body.contains("mailto:door@example.com"),
            "{}",
            page.body
        );
        let (asked, bits) = question(&page);
        assert_eq!(bits, 8);
        let answer = solved(&asked, bits);
        let wrong = (0_u64..).map(|number| number.to_string()).find(|number| {
            let digest = crypto::sha256(format!("{asked}:{number}").as_bytes());
            digest[0] != 0
        });
        let wrong = wrong.unwrap();
        let long = format!("{}{answer}", "0".repeat(30));
        let forged = asked.replacen(".8.", ".0.", 1);
        for (question, answer) in [
            ("", ""),
            (asked.as_str(), ""),
            (asked.as_str(), wrong.as_str()),
            (asked.as_str(), long.as_str()),
            (asked.as_str(), "-1"),
            ("x", answer.as_str()),
            (forged.as_str(), "0"),
        ] {
            let refused = send(&browser, &page, "grace@example.com", (question, answer)).await;
            assert_eq!(refused.status, 422, "{question} {answer}");
            assert!(
                unescape(&refused.body).contains("The calculation is missing or too old"),
                "{}",
                refused.body
            );
        }
        assert!(mails(server).await.is_empty());
        // a question of another browser is none of this one
        let stranger = Browser::new();
        let theirs = open(&stranger).await;
        let (foreign, _) = question(&theirs);
        let foreign_answer = solved(&foreign, 8);
        assert_eq!(
            send(&browser, &page, "grace@example.com", (&foreign, &foreign_answer))
                .await
                .status,
            422
        );
        // rightly, and then not once more
        assert_eq!(
            send(&browser, &page, "grace@example.com", (&asked, &answer))
                .await
                .status,
            303
        );
        assert_eq!(registration::links(server, "grace@example.com").await.len(), 1);
        assert_eq!(
            send(&browser, &page, "eve@example.com", (&asked, &answer)).await.status,
            422,
            "used"
        );
        // too late
        let page = open(&browser).await;
        let (asked, bits) = question(&page);
        let answer = solved(&asked, bits);
        server.advance(31 * MINUTE);
        assert_eq!(
            send(&browser, &page, "eve@example.com", (&asked, &answer)).await.status,
            422,
            "too old"
        );
        // less than is asked for by now
        let page = open(&browser).await;
        let (asked, bits) = question(&page);
        let answer = solved(&asked, bits);
        server.settings(json!({"registration.work": 10})).await;
        assert_eq!(
            send(&browser, &page, "eve@example.com", (&asked, &answer)).await.status,
            422,
            "too little"
        );

        // by interface the same
        let nobody = Caller::with_token(server, "").await;
        let refused = nobody.post("/registration", json!({"email": "eve@example.com"})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        let work: Value = nobody.get("/registration").await.ok().json()["work"].clone();
        let asked = work["question"].as_str().unwrap();
        let answer = solved(asked, 10);
        let body = json!({"email": "eve@example.com", "work_question": asked, "work_answer": answer});
        assert_eq!(nobody.post("/registration", body.clone()).await.status, 204);
        assert_eq!(nobody.post("/registration", body).await.status, 422, "once");
        // an invitation needs none
        let api = Caller::client(server, "admin:users").await;
        assert_eq!(
            api.post("/invitations", json!({"email": "ada@example.com"}))
                .await
                .status,
            204
        );
    })
    .await;
}
