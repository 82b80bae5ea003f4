//! Invited to an account that was made for them: one link, one address, active with the first session; nobody else gets in by it.

use std::time::Duration;

use ostiary::flow::operations::apply::{Difference, Document, PruneUsers, apply};
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::model::Timestamp;
use serde_json::{Value, json};

use super::{administrator, choose, events, is_signed_in, links_to, mails_to, sign_in, with_commands};
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};

const PASSWORD: &str = "a long walk by the river at noon";
const OTHER: &str = "eleven boats below the old bridge";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GRACE: &str = "grace@example.com";

fn grace() -> Value {
    json!({"username": "grace", "email": GRACE, "status": "invited"})
}

/// Makes somebody, and gives the path of their account.
async fn made(server: &Server, body: Value) -> (String, Value) {
    let told = administrator(server).await.post("/users", body).await;
    assert_eq!(told.status, 201, "{}", told.body);
    let told = told.json();
    (format!("/users/{}", told["id"].as_str().unwrap()), told)
}

async fn status(server: &Server, path: &str) -> String {
    let told = administrator(server).await.get(path).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.json()["status"].as_str().unwrap().to_owned()
}

/// SEC-298: the link of an invitation is looked at without being spent, works once, and says that the address is its owner's;
/// the account is active with the first session and not before.
#[tokio::test]
async fn whoever_is_invited_chooses_a_password_and_the_first_sign_in_makes_the_account_active() {
    each_backend(async |server| {
        let (path, told) = made(server, grace()).await;
        assert_eq!(
            (&told["status"], &told["state"]),
            (&json!("invited"), &json!("invited"))
        );
        assert_eq!(
            (&told["email_verified"], &told["has_password"]),
            (&json!(false), &json!(false))
        );
        assert!(told["invited_at"].is_string() && told["signed_in_at"].is_null());
        let [link] = links_to(server, GRACE).await.try_into().unwrap();
        let mailbox = Browser::new();
        for _ in 0..2 {
            assert_eq!(Browser::new().get(&link).await.status, 200);
        }
        let done = choose(&mailbox, &link, PASSWORD).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(mailbox.get(&link).await.status, 404, "once");
        let caller = administrator(server).await;
        let told = caller.get(&path).await.json();
        assert_eq!(
            (&told["status"], &told["email_verified"]),
            (&json!("invited"), &json!(true))
        );
        assert!(!is_signed_in(server, &mailbox).await, "nobody is signed in by a link");
        assert_eq!(sign_in(server, &mailbox, "grace", OTHER).await.status, 422);
        assert_eq!(status(server, &path).await, "invited");

        server.advance(Duration::from_secs(60));
        assert_eq!(sign_in(server, &mailbox, "grace", PASSWORD).await.status, 303);
        assert!(is_signed_in(server, &mailbox).await);
        let caller = administrator(server).await;
        let told = caller.get(&path).await.json();
        assert_eq!(told["status"], "active");
        let signed_in = Timestamp::parse(told["signed_in_at"].as_str().unwrap()).unwrap();
        let now = server.call().now;
        assert!(now.before(Duration::from_secs(50)) < signed_in && signed_in <= now);
        assert_eq!(sign_in(server, &Browser::new(), "grace", PASSWORD).await.status, 303);
        let kinds = events(server, &told["id"]).await;
        let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
        assert_eq!((count("user.invited"), count("user.activated")), (1, 1), "{kinds:?}");
        let refused = caller.post(&format!("{path}/send-invitation"), json!({})).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
    })
    .await;
}

/// Two first sign-ins at the same moment: both are in, and the account was made active once.
#[tokio::test]
async fn of_two_first_sign_ins_at_once_one_makes_the_account_active() {
    each_backend(async |server| {
        let (path, told) = made(server, grace()).await;
        let link = links_to(server, GRACE).await.remove(0);
        choose(&Browser::new(), &link, PASSWORD).await;
        let (one, two) = (Browser::new(), Browser::new());
        let (first, second) = tokio::join!(
            sign_in(server, &one, "grace", PASSWORD),
            sign_in(server, &two, "grace", PASSWORD)
        );
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
        assert!(is_signed_in(server, &one).await && is_signed_in(server, &two).await);
        assert_eq!(status(server, &path).await, "active");
        let kinds = events(server, &told["id"]).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "user.activated").count(), 1);
    })
    .await;
}

/// SEC-298, SEC-304: an invitation counts for the account, the address and the moment that it was made for, and for no other.
#[tokio::test]
async fn an_invitation_leads_nowhere_once_anything_about_it_has_changed() {
    each_backend(async |server| {
        let (path, _) = made(server, grace()).await;
        let dead = async |link: &str, why: &str| {
            assert_eq!(Browser::new().get(link).await.status, 404, "{why}");
        };
        let first = links_to(server, GRACE).await.remove(0);
        let caller = administrator(server).await;
        let again = caller.post(&format!("{path}/send-invitation"), json!({})).await;
        assert_eq!(again.status, 200, "{}", again.body);
        dead(&first, "a newer one was mailed").await;
        let second = links_to(server, GRACE).await.remove(0);
        assert_eq!(Browser::new().get(&second).await.status, 200);
        caller.patch(&path, json!({"email": "hopper@example.com"})).await.ok();
        dead(&second, "the person is reached elsewhere").await;
        caller.post(&format!("{path}/send-invitation"), json!({})).await.ok();
        let third = links_to(server, "hopper@example.com").await.remove(0);
        caller.post(&format!("{path}/deactivate"), json!({})).await.ok();
        dead(&third, "the account was deactivated").await;
        // whoever never came in is invited again, by the next mail
        let back = caller.post(&format!("{path}/reactivate"), json!({})).await.ok().json();
        assert_eq!(back["status"], "invited");
        dead(&third, "what has ended stays ended").await;
        caller.post(&format!("{path}/send-invitation"), json!({})).await.ok();
        let fourth = links_to(server, "hopper@example.com").await.remove(0);
        server.advance(DAY * 7 - Duration::from_secs(1));
        assert_eq!(Browser::new().get(&fourth).await.status, 200);
        server.advance(Duration::from_secs(1));
        dead(&fourth, "it is too old").await;
        // a password that somebody sets takes the place of an invitation
        let caller = administrator(server).await;
        caller.post(&format!("{path}/send-invitation"), json!({})).await.ok();
        let fifth = links_to(server, "hopper@example.com").await.remove(0);
        let reset = json!({"password": OTHER});
        caller.post(&format!("{path}/reset-password"), reset).await.ok();
        dead(&fifth, "there is a password").await;
        assert_eq!(sign_in(server, &Browser::new(), "grace", OTHER).await.status, 303);
        assert_eq!(status(server, &path).await, "active");
    })
    .await;
}

/// SEC-221, SEC-297: neither registering with the address nor a forgotten password leads a stranger, or the person, around the invitation.
#[tokio::test]
async fn nobody_comes_to_an_invited_account_by_another_link() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let (path, _) = made(server, grace()).await;
        let before = mails_to(server, GRACE).await.len();
        let stranger = Browser::new();
        let page = stranger.get(&server.url("/register")).await;
        let form = page.form_with("email");
        let sent = stranger.submit(&page, form, &[("email", GRACE)]).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let page = stranger.get(&server.url("/login/forgot")).await;
        let form = page.form_with("username");
        stranger.submit(&page, form, &[("username", "grace")]).await;
        assert_eq!(mails_to(server, GRACE).await.len(), before, "nothing more was mailed");
        let caller = administrator(server).await;
        let taken = caller.post("/invitations", json!({"email": GRACE})).await;
        assert_eq!(taken.status, 422, "the address has an account: {}", taken.body);

        // whoever has chosen a password helps themselves from then on
        let link = links_to(server, GRACE).await.remove(0);
        choose(&Browser::new(), &link, PASSWORD).await;
        let page = stranger.get(&server.url("/login/forgot")).await;
        let form = page.form_with("username");
        stranger.submit(&page, form, &[("username", "grace")]).await;
        let recovery = links_to(server, GRACE).await.remove(0);
        assert_ne!(recovery, link);
        choose(&Browser::new(), &recovery, OTHER).await;
        assert_eq!(status(server, &path).await, "invited");
        assert_eq!(sign_in(server, &Browser::new(), "grace", OTHER).await.status, 303);
        assert_eq!(status(server, &path).await, "active");
    })
    .await;
}

/// Made for a later day: nothing is mailed and nobody comes in until the invitation is sent.
#[tokio::test]
async fn an_account_made_inactive_waits_for_its_invitation() {
    each_backend(async |server| {
        let later = json!({"username": "grace", "email": GRACE, "status": "inactive"});
        let (path, told) = made(server, later).await;
        assert_eq!(told["status"], "inactive");
        assert!(mails_to(server, GRACE).await.is_empty());
        let caller = administrator(server).await;
        let stale = caller
            .send(
                "POST",
                &format!("{path}/send-invitation"),
                None,
                &[("if-match", "\"7\"")],
            )
            .await;
        assert_eq!(stale.status, 412, "{}", stale.body);
        let told = caller
            .post(&format!("{path}/send-invitation"), json!({}))
            .await
            .ok()
            .json();
        assert_eq!(told["status"], "invited");
        let link = links_to(server, GRACE).await.remove(0);
        choose(&Browser::new(), &link, PASSWORD).await;
        assert_eq!(sign_in(server, &Browser::new(), "grace", PASSWORD).await.status, 303);
        // whoever was deactivated and had signed in may be invited anew
        caller.post(&format!("{path}/deactivate"), json!({})).await.ok();
        let told = caller
            .post(&format!("{path}/send-invitation"), json!({}))
            .await
            .ok()
            .json();
        assert_eq!(told["status"], "invited");

        for (body, pointer) in [
            (json!({"username": "x", "status": "invited"}), "/email"),
            (
                json!({"username": "x", "email": "x@example.com", "status": "invited", "password": PASSWORD}),
                "/password",
            ),
            (
                json!({"username": "x", "email": "x@example.com", "status": "inactive", "send_password_link": true}),
                "/status",
            ),
            (json!({"username": "x", "status": "locked"}), "/status"),
        ] {
            let refused = caller.post("/users", body.clone()).await;
            assert_eq!(refused.status, 422, "{body}: {}", refused.body);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.body);
        }
    })
    .await;
}

/// SEC-414, SEC-422: nobody invites somebody who holds more, and the last administrator stays one.
#[tokio::test]
async fn an_invitation_takes_nothing_from_whoever_holds_more() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        server.group("administrators", &["admin"], &[&ada]).await;
        let path = format!("/users/{}/send-invitation", ada.id);
        let some = crate::api::conversation::Caller::client(server, "admin:users").await;
        assert_eq!(some.post(&path, json!({})).await.status, 403);
        let caller = administrator(server).await;
        let last = caller.post(&path, json!({})).await;
        assert_eq!(last.status, 409, "{}", last.body);
        assert!(last.body.contains("nobody would be left"), "{}", last.body);
    })
    .await;
}

/// A file says who is invited; applied again it changes nothing, and it undoes nobody's coming in.
#[tokio::test]
async fn a_file_invites_and_takes_nothing_back() {
    each_backend(async |server| {
        let file = json!({"version": 1, "users": [{"username": "grace", "email": GRACE, "status": "invited"}]});
        let said = async || -> Difference {
            let document = Document::read(&file, None).unwrap();
            let (provider, call) = (server.provider(), server.call());
            apply(provider, &call, &document, PruneUsers::No).await.unwrap()
        };
        assert!(!said().await.is_empty());
        let link = links_to(server, GRACE).await.remove(0);
        assert!(said().await.is_empty());
        assert_eq!(links_to(server, GRACE).await.len(), 1);
        let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
        let users = exported["users"].as_array().unwrap();
        let grace = users.iter().find(|user| user["username"] == "grace").unwrap();
        assert_eq!(grace["status"], "invited");
        choose(&Browser::new(), &link, PASSWORD).await;
        assert_eq!(sign_in(server, &Browser::new(), "grace", PASSWORD).await.status, 303);
        assert!(
            said().await.is_empty(),
            "whether somebody has come in is not for a file to undo"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_from_a_terminal() {
    let server = with_commands().await;
    let terminal = Terminal::at(server.folder());
    let made = terminal
        .run(&["users", "create", "grace", "--email", GRACE, "--invite"])
        .await
        .ok();
    assert!(made.contains("mailed an invitation"), "{made}");
    let shown = terminal.run(&["users", "show", "grace", "--json"]).await.json();
    assert_eq!(shown["status"], "invited");
    let first = links_to(&server, GRACE).await.remove(0);
    terminal.run(&["users", "send-invitation", "grace"]).await.ok();
    assert_ne!(links_to(&server, GRACE).await.remove(0), first);
    let made = terminal.run(&["users", "create", "later", "--inactive"]).await.ok();
    assert!(made.contains("later is made"), "{made}");
    let shown = terminal.run(&["users", "show", "later", "--json"]).await.json();
    assert_eq!(shown["status"], "inactive");
    terminal.run(&["users", "send-invitation", "later"]).await.refused();
}
