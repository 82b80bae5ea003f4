//! One thing done with many users: with each by itself, told of each, as a job where there are many; whoever dies at it leaves nothing half
//! done and nothing is done twice.

use std::task::Poll;
use std::time::Duration;

use ostiary::flow::Call;
use ostiary::flow::operations::jobs;
use ostiary::flow::people;
use serde_json::{Value, json};

use super::{administrator, is_signed_in, links_to, sign_in, with_commands};
use crate::api::conversation::{Caller, client_token, service, user_token};
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::server::{Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment later than that of the server, whose own timers find nothing to do before it comes.
fn later(server: &Server) -> Call {
    let call = server.call();
    Call {
        now: call.now.after(Duration::from_secs(2)),
        ..call
    }
}

/// Has a job come to its end, by whoever is at it, and gives it as it is then.
async fn ended(server: &Server, caller: &Caller<'_>, path: &str) -> Value {
    loop {
        let call = later(server);
        while jobs::work(server.provider(), &call).await.unwrap() {}
        let told = caller.get(path).await.json();
        if told["ended_at"].is_string() {
            return told;
        }
        // a timer of the server is at it
        ostiary::clock::sleep(Duration::from_millis(50)).await;
    }
}

/// People of these names.
async fn crowd(server: &Server, many: usize) -> Vec<TestUser> {
    let mut all = Vec::new();
    for number in 0..many {
        all.push(server.user(&format!("temp-{number:03}")).await);
    }
    all
}

async fn job(caller: &Caller<'_>, body: Value) -> (String, Value) {
    let begun = caller.post("/users/bulk", body).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let begun = begun.json();
    (format!("/jobs/{}", begun["id"].as_str().unwrap()), begun)
}

async fn statuses(server: &Server, users: &[TestUser]) -> Vec<String> {
    let mut all = Vec::new();
    for user in users {
        all.push(server.account(user).await.status.to_string());
    }
    all
}

/// SEC-423: a few are done at once, each by itself, and the answer says what became of each.
#[tokio::test]
async fn a_few_are_done_at_once_and_each_has_its_answer() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let browser = Browser::new();
        sign_in(server, &browser, "ada", &ada.password).await;
        let caller = administrator(server).await;
        let unknown = ostiary::model::Id::<ostiary::model::User>::new(server.call().now).to_string();
        let ids = json!([ada.id.to_string(), unknown, bob.id.to_string(), ada.id.to_string()]);
        let done = caller.post("/users/bulk", json!({"action": "deactivate", "ids": ids})).await;
        assert_eq!(done.status, 200, "{}", done.body);
        let items = done.json()["items"].as_array().unwrap().clone();
        let told: Vec<_> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
        assert_eq!(told, ["done", "refused", "done"]);
        assert_eq!(items[1]["code"], "not_found");
        assert!(!is_signed_in(server, &browser).await);
        let group = server.group("staff", &["orders.read"], &[]).await.to_string();
        let both = json!([ada.id.to_string(), bob.id.to_string()]);
        let all_done = async |body: Value| {
            let answer = caller.post("/users/bulk", body.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            for item in answer.json()["items"].as_array().unwrap() {
                assert_eq!(item["outcome"], "done", "{body}: {item}");
            }
        };
        for body in [
            json!({"action": "reactivate", "ids": both}),
            json!({"action": "set", "ids": both, "fields": {"locale": "fr", "zoneinfo": "Europe/Paris", "gender": null}}),
            json!({"action": "require-action", "ids": both, "required_action": "update_profile"}),
            json!({"action": "require-action", "ids": both, "required_action": "change_password"}),
            json!({"action": "add-to-group", "ids": both, "group": group}),
            json!({"action": "add-to-group", "ids": both, "group": group}),
            json!({"action": "unlock", "ids": both}),
            json!({"action": "end-sessions", "ids": both}),
            json!({"action": "reset-password", "ids": both}),
        ] {
            all_done(body).await;
        }
        let account = server.account(&ada).await;
        assert_eq!(account.profile.locale.as_deref(), Some("fr"));
        assert_eq!(account.required_actions.len(), 2);
        assert!(account.password_expired_at.is_some());
        assert_eq!(links_to(server, &bob.email).await.len(), 1);
        let groups = caller.get(&format!("/users/{}/groups", bob.id)).await.json();
        assert_eq!(groups["items"][0]["name"], "staff");
        all_done(json!({"action": "remove-from-group", "ids": both, "group": group})).await;
        all_done(json!({"action": "remove-from-group", "ids": both, "group": group})).await;
        all_done(json!({"action": "delete", "ids": both})).await;
        assert_eq!(statuses(server, std::slice::from_ref(&ada)).await, ["deleted"]);
        all_done(json!({"action": "restore", "ids": both})).await;
        all_done(json!({"action": "deactivate", "ids": both})).await;
        all_done(json!({"action": "send-invitation", "ids": both})).await;
        assert_eq!(statuses(server, &[ada]).await, ["invited"]);
    })
    .await;
}

#[tokio::test]
async fn a_wish_about_many_that_says_too_little_or_too_much_is_refused() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        let ids = json!([ostiary::model::Id::<ostiary::model::User>::new(server.call().now).to_string()]);
        for (body, pointer) in [
            (json!({"action": "deactivate"}), "/ids"),
            (json!({"action": "deactivate", "ids": []}), "/ids"),
            (json!({"action": "deactivate", "ids": ["x"]}), "/ids/0"),
            (json!({"action": "deactivate", "ids": ids, "all": true}), "/ids"),
            (json!({"action": "nonsense", "ids": ids}), "/action"),
            (json!({"action": "set", "ids": ids}), "/fields"),
            (json!({"action": "set", "ids": ids, "fields": {}}), "/fields"),
            (
                json!({"action": "set", "ids": ids, "fields": {"email": "x@example.com"}}),
                "/fields/email",
            ),
            (json!({"action": "require-action", "ids": ids}), "/required_action"),
            (json!({"action": "add-to-group", "ids": ids}), "/group"),
            (json!({"action": "unlock", "ids": ids, "group": "x"}), "/group"),
        ] {
            let refused = caller.post("/users/bulk", body.clone()).await;
            assert_eq!(refused.status, 422, "{body}: {}", refused.body);
            assert_eq!(
                refused.json()["errors"][0]["pointer"],
                pointer,
                "{body}: {}",
                refused.body
            );
        }
        let odd = json!({"action": "deactivate", "filter": "shoe_size eq \"x\""});
        let refused = caller.post("/users/bulk", odd).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/filter");
    })
    .await;
}

/// SEC-423: many are done by a job, in parts, with a report; whoever is refused holds up nobody, and whoever came later is not meant.
#[tokio::test]
async fn a_job_does_many_and_tells_what_became_of_each() {
    each_backend(async |server| {
        let people = crowd(server, 120).await;
        server.user("other").await;
        server.advance(Duration::from_millis(10));
        let caller = administrator(server).await;
        let deactivate = json!({"action": "deactivate", "q": "temp-"});
        let (path, begun) = job(&caller, deactivate).await;
        assert_eq!((&begun["state"], &begun["done"]), (&json!("waiting"), &json!(0)));
        server.advance(Duration::from_millis(10));
        let late = server.user("temp-late").await;
        assert!(jobs::work(server.provider(), &later(server)).await.unwrap());
        let half = caller.get(&path).await.json();
        assert!(half["done"].as_i64().unwrap() >= 50, "{half}");
        // one of them is gone meanwhile
        people::delete_user(
            server.provider(),
            &server.call(),
            &people::ChangeSource::Command,
            people[119].id,
            None,
        )
        .await
        .unwrap();
        let done = ended(server, &caller, &path).await;
        assert_eq!(
            (&done["state"], &done["done"], &done["refused"]),
            (&json!("done"), &json!(119), &json!(0))
        );
        assert!(done["ended_at"].is_string());
        assert!(
            statuses(server, &people[..119])
                .await
                .iter()
                .all(|status| status == "inactive")
        );
        let others = [late, server_user(server, "other").await];
        assert_eq!(statuses(server, &others).await, ["active", "active"]);

        // those that are named, one of whom is not there
        let mut ids: Vec<String> = people.iter().map(|user| user.id.to_string()).collect();
        ids.push(others[1].id.to_string());
        let (path, begun) = job(&caller, json!({"action": "reactivate", "ids": ids})).await;
        assert_eq!(begun["total"], 121);
        let done = ended(server, &caller, &path).await;
        assert_eq!(
            (&done["state"], &done["done"], &done["refused"]),
            (&json!("done"), &json!(120), &json!(1))
        );
        let refused = caller
            .get(&format!("{path}/items?filter=outcome%20eq%20%22refused%22"))
            .await
            .json();
        assert_eq!(refused["items"].as_array().unwrap().len(), 1);
        assert_eq!(refused["items"][0]["user"], people[119].id.to_string());
        assert_eq!(refused["items"][0]["code"], "not_found");
        // page by page, everybody once
        let mut seen = std::collections::BTreeSet::new();
        let mut next = format!("{path}/items?limit=50");
        loop {
            let page = caller.get(&next).await.json();
            for item in page["items"].as_array().unwrap() {
                assert!(seen.insert(item["user"].as_str().unwrap().to_owned()));
            }
            match page["next"].as_str() {
                Some(cursor) => next = format!("{path}/items?limit=50&after={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 121);
        assert_eq!(caller.get("/jobs").await.json()["items"].as_array().unwrap().len(), 2);

        // it is told for a while
        server.advance(DAY * 8);
        let call = server.call();
        while ostiary::flow::operations::cleaning::sweep(server.provider(), &call)
            .await
            .unwrap()
            > 0
        {}
        assert_eq!(administrator(server).await.get(&path).await.status, 404);
    })
    .await;
}

async fn server_user(server: &Server, username: &str) -> TestUser {
    let mut store = server.provider().store.read().await.unwrap();
    let user = store.find_user_by_username(username).await.unwrap().unwrap();
    TestUser {
        id: user.id,
        username: user.username,
        subject: user.subject,
        email: user.profile.email.unwrap_or_default(),
        password: String::new(),
    }
}

/// What was cancelled goes no further; what was done stays.
#[tokio::test]
async fn a_job_is_cancelled() {
    each_backend(async |server| {
        let people = crowd(server, 180).await;
        server.advance(Duration::from_millis(10));
        let caller = administrator(server).await;
        let (path, _) = job(&caller, json!({"action": "deactivate", "q": "temp-"})).await;
        jobs::work(server.provider(), &later(server)).await.unwrap();
        let cancelled = caller.post(&format!("{path}/cancel"), json!({})).await.ok().json();
        assert_eq!(cancelled["state"], "cancelled");
        assert!(!jobs::work(server.provider(), &later(server)).await.unwrap());
        let inactive = statuses(server, &people)
            .await
            .iter()
            .filter(|status| *status == "inactive")
            .count();
        assert_eq!(cancelled["done"], inactive);
        let again = caller.post(&format!("{path}/cancel"), json!({})).await.ok().json();
        assert_eq!(again["state"], "cancelled");
    })
    .await;
}

/// SEC-414, SEC-419, SEC-422: what a job does is judged as done by whoever began it, at each of them: who holds more is spared, and whoever
/// has lost the right stops doing it.
#[tokio::test]
async fn a_job_does_what_whoever_began_it_may_do_at_that_moment() {
    each_backend(async |server| {
        let people = crowd(server, 120).await;
        let boss = server.user("temp-boss").await;
        let last = server.user("temp-last").await;
        server.group("settings", &["admin:settings"], &[&boss]).await;
        server.group("administrators", &["admin"], &[&last]).await;
        let helper = server.user("helper").await;
        let help = server.group("help", &["admin:users"], &[&helper]).await;
        server.advance(Duration::from_millis(10));
        let token = user_token(server, &helper, "openid admin:users").await;
        let caller = Caller::with_token(server, &token).await;
        let outside = json!({"action": "add-to-group", "q": "temp-", "group": help.to_string()});
        assert_eq!(caller.post("/users/bulk", outside).await.status, 403);
        let (path, _) = job(&caller, json!({"action": "deactivate", "q": "temp-"})).await;
        jobs::work(server.provider(), &later(server)).await.unwrap();
        // the helper is one no more
        let admin = administrator(server).await;
        let member = format!("/groups/{help}/members/{}", helper.id);
        assert_eq!(admin.delete(&member).await.status, 204);
        server.provider().refresh_memory().await.unwrap();
        let told = ended(server, &admin, &path).await;
        assert_eq!((&told["state"], &told["reason"]), (&json!("failed"), &json!("rights")));
        let inactive = statuses(server, &people)
            .await
            .iter()
            .filter(|status| *status == "inactive")
            .count();
        assert_eq!(told["done"], inactive);

        let client = service(server, "admin:users").await;
        let some = Caller::with_token(server, &client_token(server, &client).await).await;
        let (path, _) = job(&some, json!({"action": "delete", "q": "temp-"})).await;
        let told = ended(server, &admin, &path).await;
        assert_eq!((&told["state"], &told["refused"]), (&json!("done"), &json!(2)));
        assert_eq!(statuses(server, &[boss, last]).await, ["active", "active"]);
    })
    .await;
}

/// SEC-423: whoever dies at a job leaves nothing half done, and whoever comes next does nothing twice: of two who are at it at once, and of
/// one whose lease is over, each thing is done once.
#[tokio::test]
async fn of_several_who_are_at_a_job_each_thing_is_done_once() {
    each_backend(async |server| {
        let people = crowd(server, 60).await;
        server.advance(Duration::from_millis(10));
        let caller = administrator(server).await;
        let (path, _) = job(&caller, json!({"action": "deactivate", "q": "temp-"})).await;
        let call = later(server);
        let (one, two) = tokio::join!(
            jobs::work(server.provider(), &call),
            jobs::work(server.provider(), &call)
        );
        one.unwrap();
        two.unwrap();
        let told = ended(server, &caller, &path).await;
        assert_eq!((&told["state"], &told["done"]), (&json!("done"), &json!(60)));
        let events = {
            server.provider().write_events(server.call().now).await.unwrap();
            let mut store = server.provider().store.read().await.unwrap();
            let mut many = 0;
            for user in &people {
                let rows = store.list_events_told_to(user.id, None, 100).await.unwrap();
                many += rows.iter().filter(|row| row.kind == "user.deactivated").count();
            }
            many
        };
        assert_eq!(events, 60);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_worked_on_from_a_terminal() {
    let server = with_commands().await;
    crowd(&server, 3).await;
    let terminal = Terminal::at(server.folder());
    let done = terminal
        .run(&[
            "users",
            "bulk",
            "deactivate",
            "--user",
            "temp-000",
            "--user",
            "temp-001",
            "--json",
        ])
        .await
        .json();
    assert_eq!(done[1]["outcome"], "done");
    server.advance(Duration::from_millis(10));
    let begun = terminal
        .run(&[
            "users",
            "bulk",
            "deactivate",
            "--beginning",
            "temp-",
            "--inactive",
            "--json",
        ])
        .await
        .json();
    let id = begun["id"].as_str().unwrap();
    let caller = administrator(&server).await;
    ended(&server, &caller, &format!("/jobs/{id}")).await;
    let shown = terminal.run(&["jobs", "show", id, "--json"]).await.json();
    assert_eq!((&shown["done"], &shown["action"]), (&json!(3), &json!("deactivate")));
    let items = terminal.run(&["jobs", "items", id, "--json"]).await.json();
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_eq!(terminal.run(&["jobs", "list", "--json"]).await.json()[0]["id"], id);
    terminal.run(&["jobs", "cancel", id]).await.ok();
    terminal.run(&["users", "bulk", "nonsense", "--all"]).await;
    server.stop().await;
}

/// Lets a future go on so many times, and drops it then, as whoever dies does. Whether it came to its end.
async fn dies_after(turns: usize, future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    let mut taken = 0;
    std::future::poll_fn(|context| {
        if future.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        taken += 1;
        match taken >= turns {
            true => Poll::Ready(false),
            false => Poll::Pending,
        }
    })
    .await
}

/// SEC-423: whoever works at a job is gone at any moment of it, and another comes when the lease is over: every user is changed and written
/// down together, once.
#[tokio::test]
async fn a_job_goes_on_wherever_whoever_was_at_it_was_gone() {
    each_backend(async |server| {
        let people = crowd(server, 3).await;
        let caller = administrator(server).await;
        let mut actions = ["deactivate", "reactivate"].into_iter().cycle();
        let mut wanted = 0;
        for turns in (1..).step_by(2) {
            server.advance(Duration::from_millis(10));
            let (path, _) = job(
                &caller,
                json!({"action": actions.next().unwrap(), "q": "temp-", "inactive": true}),
            )
            .await;
            let call = later(server);
            let came_to_its_end = dies_after(turns, jobs::work(server.provider(), &call)).await;
            let lost = Call {
                now: call.now.after(Duration::from_secs(31)),
                ..call
            };
            while jobs::work(server.provider(), &lost).await.unwrap() {}
            let told = ended(server, &caller, &path).await;
            assert_eq!(
                (&told["state"], &told["done"]),
                (&json!("done"), &json!(3)),
                "after {turns}"
            );
            let items = caller.get(&format!("{path}/items")).await.json();
            assert_eq!(items["items"].as_array().unwrap().len(), 3, "after {turns}");
            wanted += 1;
            if came_to_its_end {
                break;
            }
        }
        assert!(wanted > 5, "{wanted}");
        for user in &people {
            let kinds = super::events(server, &json!(user.id.to_string())).await;
            let changes = kinds
                .iter()
                .filter(|kind| ["user.deactivated", "user.reactivated"].contains(&kind.as_str()));
            assert_eq!(changes.count(), wanted, "each once");
        }
    })
    .await;
}
