//! Files of users: judged beforehand, made where nobody sees it, shown by one switch, taken back as one.

use std::task::Poll;
use std::time::Duration;

use ostiary::flow::Call;
use ostiary::flow::operations::imports;
use serde_json::{Value, json};

use super::{administrator, events, is_signed_in, links_to, mails_to, sign_in, with_commands};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};

/// `correct horse battery`, as Django keeps it.
const HASH: &str = "pbkdf2_sha256$1000$abcdefgh$BBAst6Q9ERT2t0mu0mZP5mo0Igt8eVsAijJGBPWCoqY=";
const PASSWORD: &str = "correct horse battery";

/// A moment later than that of the server, whose own timers find nothing to do before it comes.
pub fn later(server: &Server) -> Call {
    let call = server.call();
    Call {
        now: call.now.after(Duration::from_secs(2)),
        ..call
    }
}

/// Sends a file in parts of so many bytes; gives the path of its import.
pub async fn sent(caller: &Caller<'_>, options: Value, file: &[u8], size: usize) -> String {
    let begun = caller.post("/imports", options).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let path = format!("/imports/{}", begun.json()["id"].as_str().unwrap());
    for (number, part) in file.chunks(size).enumerate() {
        let put = caller.put_bytes(&format!("{path}/parts/{number}"), part.to_vec()).await;
        assert_eq!(put.status, 204, "{}", put.body);
    }
    path
}

/// Has an import go on until nobody is at it, and gives it as it is then.
pub async fn settled(server: &Server, caller: &Caller<'_>, path: &str) -> Value {
    loop {
        while imports::work(server.provider(), &later(server)).await.unwrap() {}
        let told = caller.get(path).await.json();
        if !["reading", "making", "showing", "undoing"].contains(&told["state"].as_str().unwrap()) {
            return told;
        }
        // a timer of the server is at it
        ostiary::clock::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes the next step, and gives the import as it is behind it.
pub async fn step(server: &Server, caller: &Caller<'_>, path: &str, word: &str) -> Value {
    let answer = caller.post(&format!("{path}/{word}"), json!({})).await;
    assert_eq!(answer.status, 202, "{word}: {}", answer.body);
    settled(server, caller, path).await
}

pub async fn rows(caller: &Caller<'_>, path: &str, filter: &str) -> Vec<Value> {
    let query = match filter {
        "" => String::new(),
        filter => format!("?filter={}", filter.replace(' ', "%20").replace('"', "%22")),
    };
    let listed = caller.get(&format!("{path}/rows{query}")).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    listed.json()["items"].as_array().unwrap().clone()
}

pub async fn found(caller: &Caller<'_>, username: &str) -> Option<Value> {
    let path = format!("/users?filter=username%20eq%20%22{username}%22");
    let found = caller.get(&path).await.json();
    found["items"].as_array().unwrap().first().cloned()
}

/// SEC-430, SEC-458: an import is rehearsed, made where nobody sees it, shown by one switch, and taken back as one; the rows of a file are judged as
/// users are, and nothing is granted that the caller does not hold.
#[tokio::test]
async fn import_transactional() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        server.group("staff", &["orders.read"], &[]).await;
        server.group("chiefs", &["admin"], &[]).await;
        server.user("taken").await;
        let file = format!(
            "\u{feff}Login;E-Mail;First name;Groups;password_hash;Notes\r\n\
             ada;ada@example.com;Ada;staff;{HASH};x\r\n\
             bob;bob@example.com;\"Bob; \"\"B\"\"\";;;\r\n\
             taken;other@example.com;;;;\r\n\
             ADA;ada2@example.com;;;;\r\n\
             carl;no address;;;;\r\n\
             dora;dora@example.com;;nobody;;\r\n\
             emil;emil@example.com;;;not-a-hash;\r\n"
        );
        let options = json!({"columns": {"Notes": null}, "groups": ["staff"]});
        let path = sent(&caller, options, file.as_bytes(), 50).await;
        let read = step(server, &caller, &path, "read").await;
        assert_eq!((&read["state"], &read["rows"]), (&json!("read"), &json!(7)), "{read}");
        assert_eq!((&read["creating"], &read["refused"]), (&json!(2), &json!(5)), "{read}");
        let refused = rows(&caller, &path, "plan eq \"refuse\"").await;
        let codes: Vec<_> = refused
            .iter()
            .map(|row| (row["row"].as_i64().unwrap(), row["code"].as_str().unwrap()))
            .collect();
        assert_eq!(
            codes,
            [
                (4, "exists"),
                (5, "twice"),
                (6, "malformed"),
                (7, "unknown"),
                (8, "unsupported")
            ]
        );
        assert!(found(&caller, "ada").await.is_none());

        let made = step(server, &caller, &path, "make").await;
        assert_eq!((&made["state"], &made["done"]), (&json!("made"), &json!(2)));
        let ada = rows(&caller, &path, "outcome eq \"done\"").await[0]["user"].clone();
        // there, and seen by nobody
        assert!(found(&caller, "ada").await.is_none());
        assert_eq!(
            caller.get(&format!("/users/{}", ada.as_str().unwrap())).await.status,
            404
        );
        let all = caller.get("/users?limit=200&count=true").await.json();
        assert!(!all["items"].to_string().contains("ada@example.com"));
        let browser = Browser::new();
        sign_in(server, &browser, "ada", PASSWORD).await;
        assert!(!is_signed_in(server, &browser).await);
        let taken = caller
            .post("/users", json!({"username": "x", "email": "ada@example.com"}))
            .await;
        assert_eq!(taken.status, 422, "{}", taken.body);

        let done = step(server, &caller, &path, "show").await;
        assert_eq!(done["state"], "done");
        let told = found(&caller, "ada").await.unwrap();
        assert_eq!(
            (&told["email"], &told["given_name"]),
            (&json!("ada@example.com"), &json!("Ada"))
        );
        assert_eq!(found(&caller, "bob").await.unwrap()["given_name"], "Bob; \"B\"");
        let groups = caller
            .get(&format!("/users/{}/groups", ada.as_str().unwrap()))
            .await
            .json();
        assert!(groups.to_string().contains("staff"), "{groups}");
        sign_in(server, &browser, "ada", PASSWORD).await;
        assert!(is_signed_in(server, &browser).await);
        assert!(events(server, &ada).await.contains(&"user.created".to_owned()));

        // once more there is nobody to be made
        let again = sent(
            &caller,
            json!({"columns": {"Notes": null}, "on_existing": "skip"}),
            file.as_bytes(),
            500_000,
        )
        .await;
        let read = step(server, &caller, &again, "read").await;
        assert_eq!((&read["creating"], &read["skipping"]), (&json!(0), &json!(3)), "{read}");

        let undone = step(server, &caller, &path, "undo").await;
        assert_eq!(
            (&undone["state"], &undone["done"]),
            (&json!("undone"), &json!(2)),
            "{undone}"
        );
        assert!(found(&caller, "ada").await.is_none());
        assert!(!is_signed_in(server, &browser).await);
        assert!(found(&caller, "taken").await.is_some());

        // who may not confer administration does not by a file
        let client = service(server, "admin:users").await;
        let helper = Caller::with_token(server, &client_token(server, &client).await).await;
        let file = "username,type,groups\nmallory,,chiefs\nmalek,admin,\nplain,,\n";
        let path = sent(&helper, json!({}), file.as_bytes(), 9).await;
        let read = step(server, &helper, &path, "read").await;
        assert_eq!((&read["creating"], &read["refused"]), (&json!(1), &json!(2)), "{read}");
        assert!(
            rows(&helper, &path, "plan eq \"refuse\"")
                .await
                .iter()
                .all(|row| row["code"] == "forbidden")
        );
        let made = step(server, &helper, &path, "make").await;
        assert_eq!(made["state"], "made");
        let undone = step(server, &helper, &path, "undo").await;
        assert_eq!((&undone["state"], &undone["done"]), (&json!("undone"), &json!(1)));
        assert!(
            server
                .provider()
                .store
                .read()
                .await
                .unwrap()
                .list_users_named(&["plain".to_owned()])
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

/// Who is there is changed after the switch, and back again when the import is undone, unless somebody else has changed them since.
#[tokio::test]
async fn who_is_there_is_changed_and_changed_back() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        server.group("staff", &["orders.read"], &[]).await;
        let property = json!({"name": "shoe_size", "type": "number"});
        assert_eq!(caller.post("/properties", property).await.status, 201);
        for name in ["ada", "bob"] {
            let made = json!({"username": name, "email": format!("{name}@example.com"), "given_name": "Old", "company": "Stays"});
            assert_eq!(caller.post("/users", made).await.status, 201);
        }
        let file = "email,given_name,properties.shoe_size,groups,company\n\
                    ADA@example.com,New,38,staff,\nbob@example.com,New,,,\nnew@example.com,Made,41.5,,\n";
        let options = json!({"on_existing": "update", "match_by": "email"});
        let path = sent(&caller, options.clone(), file.as_bytes(), 64).await;
        let read = step(server, &caller, &path, "read").await;
        assert_eq!((&read["updating"], &read["creating"]), (&json!(2), &json!(1)), "{read}");
        step(server, &caller, &path, "make").await;
        assert_eq!(found(&caller, "ada").await.unwrap()["given_name"], "Old");
        let done = step(server, &caller, &path, "show").await;
        assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(2)), "{done}");
        let ada = found(&caller, "ada").await.unwrap();
        assert_eq!((&ada["given_name"], &ada["company"]), (&json!("New"), &json!("Stays")));
        assert_eq!(ada["properties"], json!({"shoe_size": 38}));
        assert_eq!(found(&caller, "new@example.com").await.unwrap()["properties"], json!({"shoe_size": 41.5}));
        let groups = caller.get(&format!("/users/{}/groups", ada["id"].as_str().unwrap())).await.json();
        assert!(groups.to_string().contains("staff"));
        // a second time nothing changes
        let version = ada["updated_at"].clone();
        let again = sent(&caller, options, file.as_bytes(), 64).await;
        for word in ["read", "make", "show"] {
            step(server, &caller, &again, word).await;
        }
        assert_eq!(found(&caller, "ada").await.unwrap()["updated_at"], version);

        let bob = found(&caller, "bob").await.unwrap()["id"].as_str().unwrap().to_owned();
        caller.patch(&format!("/users/{bob}"), json!({"family_name": "Since"})).await;
        let undone = step(server, &caller, &path, "undo").await;
        assert_eq!(undone["state"], "undone");
        let ada = found(&caller, "ada").await.unwrap();
        assert_eq!((&ada["given_name"], &ada["properties"]), (&json!("Old"), &json!({})));
        let groups = caller.get(&format!("/users/{}/groups", ada["id"].as_str().unwrap())).await.json();
        assert!(!groups.to_string().contains("staff"));
        let bob = found(&caller, "bob").await.unwrap();
        assert_eq!((&bob["given_name"], &bob["family_name"]), (&json!("New"), &json!("Since")));
        assert!(found(&caller, "new@example.com").await.is_none());
        let kept = rows(&caller, &path, "outcome eq \"kept\"").await;
        assert_eq!((kept.len(), &kept[0]["code"]), (1, &json!("changed_since")));
    })
    .await;
}

/// Whoever is invited is mailed after the switch, and not before.
#[tokio::test]
async fn who_is_invited_is_mailed_once_the_import_is_visible() {
    let server = Server::start().await;
    let caller = administrator(&server).await;
    let file = "email;given_name\ngrace@example.com;Grace\nnobody;\n";
    let path = sent(&caller, json!({"invite": true}), file.as_bytes(), 1_000).await;
    let read = step(&server, &caller, &path, "read").await;
    assert_eq!((&read["creating"], &read["refused"]), (&json!(1), &json!(1)), "{read}");
    step(&server, &caller, &path, "make").await;
    assert!(mails_to(&server, "grace@example.com").await.is_empty());
    let done = step(&server, &caller, &path, "show").await;
    assert_eq!(done["state"], "done");
    assert_eq!(links_to(&server, "grace@example.com").await.len(), 1);
    assert_eq!(found(&caller, "grace@example.com").await.unwrap()["status"], "invited");
    server.stop().await;
}

/// What is no table in UTF-8 is refused with the reason, and so is what is longer than anybody needs.
#[tokio::test]
async fn files_that_are_none_are_refused_with_the_reason() {
    let server = Server::start().await;
    let caller = administrator(&server).await;
    let many_columns = vec!["x"; 251].join(",");
    let long_cell = format!("username,company\nada,{}\n", "a".repeat(33_000));
    let endless = format!("username,company\nada,\"{}", "a,\n".repeat(200_000));
    let shift_jis: &[u8] = b"username,name\nada,\x83\x41\x83\x8b\n";
    for (file, told) in [
        (shift_jis, "row 2 is not in UTF-8"),
        (b"\xff\xfeu\0s\0e\0r\0n\0a\0m\0e\0", "UTF-16"),
        (b"u\0s\0e\0r\0n\0a\0m\0e\0", "UTF-16"),
        (b"PK\x03\x04rest", "a ZIP archive or a workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"username,name\nada,\0\n", "row 2 holds a zero byte"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"colour,name\nred,x\n", "there is no field \"colour\""),
        (b"username,password\nada,x\n", "passwords are not imported"),
        (b"username,Login\nada,x\n", "two columns say username"),
        (b"name\nada\n", "expected a column username"),
        (many_columns.as_bytes(), "more than 250 columns"),
        (long_cell.as_bytes(), "more than 32767 characters"),
        (endless.as_bytes(), "longer than 256 KiB"),
    ] {
        let path = sent(&caller, json!({}), file, 300_000).await;
        let read = step(&server, &caller, &path, "read").await;
        let detail = read["detail"].as_str().unwrap_or_default();
        assert!(read["state"] == "failed" && detail.contains(told), "{told}: {read}");
    }
    let begun = caller.post("/imports", json!({})).await.json();
    let path = format!("/imports/{}", begun["id"].as_str().unwrap());
    assert_eq!(caller.post(&format!("{path}/read"), json!({})).await.status, 409);
    assert_eq!(
        caller.put_bytes(&format!("{path}/parts/1024"), vec![b'x']).await.status,
        422
    );
    assert_eq!(
        caller.put_bytes(&format!("{path}/parts/1"), vec![b'x']).await.status,
        204
    );
    assert_eq!(
        caller.post(&format!("{path}/read"), json!({})).await.status,
        409,
        "part 0 is missing"
    );
    assert_eq!(caller.post(&format!("{path}/cancel"), json!({})).await.status, 202);
    assert_eq!(
        caller.put_bytes(&format!("{path}/parts/0"), vec![b'x']).await.status,
        409
    );
    let template = caller.ask("GET", "/imports/template").await;
    assert!(template.body.starts_with("username,type,status,") && template.body.contains("password_hash"));
    server.stop().await;
}

/// SEC-711, SEC-755: what was exported comes back as it was, whatever stands in it.
#[tokio::test]
async fn prop_import_equiv() {
    let server = Server::start().await;
    let caller = administrator(&server).await;
    server.group("odd;name", &["orders.read"], &[]).await;
    let users = [
        json!({"username": "ada", "email": "ada@example.com", "given_name": "=1+1", "family_name": "'@x", "phone_number": "+33123456789",
            "address": {"street_address": "-x", "locality": "a\"b,c;d"}, "locale": "fr", "expires_at": "2099-01-31T17:00:00Z"}),
        json!({"username": "bob", "company": "+49 (0) 30", "nickname": "''=", "email": "bob@example.com", "email_verified": true}),
    ];
    for user in &users {
        let made = caller.post("/users", user.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let query = "/users/export?columns=username,subject,email,email_verified,given_name,family_name,nickname,company,phone_number,locale,address.street_address,address.locality,expires_at";
    let before = caller.ask("GET", query).await.body;
    for name in ["ada", "bob"] {
        let id = found(&caller, name).await.unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(
            caller
                .patch(
                    &format!("/users/{id}"),
                    json!({"username": format!("former-{name}"), "email": format!("former-{name}@example.com")})
                )
                .await
                .status,
            200
        );
    }
    let file: String = before
        .lines()
        .filter(|line| !line.contains("operator"))
        .map(|line| format!("{line}\n"))
        .collect();
    // the subject of a user is theirs alone: the copies get others
    let path = sent(&caller, json!({"columns": {"subject": null}}), file.as_bytes(), 111).await;
    let read = step(&server, &caller, &path, "read").await;
    assert_eq!(read["creating"], 2, "{read}");
    step(&server, &caller, &path, "make").await;
    step(&server, &caller, &path, "show").await;
    let after = caller.ask("GET", &query.replace("subject,", "")).await.body;
    let without_subject = |text: &str| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        reader
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect()
    };
    let mut expected: Vec<Vec<String>> = without_subject(&before);
    expected.iter_mut().for_each(|row| drop(row.remove(1)));
    let after = without_subject(&after);
    for row in expected.iter().filter(|row| ["ada", "bob"].contains(&row[0].as_str())) {
        assert!(after.contains(row), "{row:?} is not in {after:?}");
    }
    server.stop().await;
}

/// From a terminal all of it is one command; a rehearsal makes nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_from_a_terminal() {
    let server = with_commands().await;
    let caller = administrator(&server).await;
    let terminal = Terminal::at(server.folder());
    let file = server.folder().join("people.csv");
    let mut text = "username,given_name,Remark\n".to_owned();
    for number in 0..700 {
        text.push_str(&format!("crowd-{number},Name {number},{}\n", "x".repeat(600)));
    }
    text.push_str(",Nobody,\n");
    std::fs::write(&file, &text).unwrap();
    let file = file.to_str().unwrap();
    let rehearsal = terminal
        .run(&["import", "users", file, "--column", "Remark=", "--dry-run"])
        .await;
    assert_eq!(rehearsal.code, 1, "{rehearsal:?}");
    assert!(
        rehearsal.out.contains("700 make somebody") && rehearsal.out.contains("row 702, -: "),
        "{rehearsal:?}"
    );
    assert!(found(&caller, "crowd-1").await.is_none());
    let hidden = terminal
        .run(&["import", "users", file, "--column", "Remark=", "--hidden"])
        .await
        .ok();
    let id = hidden
        .split_whitespace()
        .nth(1)
        .unwrap()
        .trim_end_matches(':')
        .to_owned();
    assert!(found(&caller, "crowd-699").await.is_none());
    terminal.run(&["imports", "make-visible", &id]).await.ok();
    assert_eq!(found(&caller, "crowd-699").await.unwrap()["given_name"], "Name 699");
    settled(&server, &caller, &format!("/imports/{id}")).await;
    assert_eq!(
        terminal.run(&["imports", "show", &id, "--json"]).await.json()["state"],
        "done"
    );
    let refused = terminal
        .run(&["imports", "rows", &id, "--plan", "refuse", "--json"])
        .await
        .json();
    assert_eq!(refused.as_array().unwrap().len(), 1);
    terminal.run(&["imports", "undo", &id]).await.ok();
    assert!(found(&caller, "crowd-699").await.is_none());
    let unknown = terminal.run(&["import", "users", file]).await.refused();
    assert!(unknown.contains("there is no field \"Remark\""), "{unknown}");
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

/// SEC-458: whoever works on an import is gone at any moment of any step, and another goes on when the lease is over: every row is done once,
/// and none by half.
#[tokio::test]
async fn an_import_goes_on_wherever_whoever_was_at_it_was_gone() {
    each_backend(async |server| {
        server.group("staff", &["orders.read"], &[]).await;
        server.user("there").await;
        let file = "username,email,groups\nada,ada@example.com,staff\nbob,,staff\nthere,,staff\n";
        for turns in (1..).step_by(7) {
            let caller = administrator(server).await;
            let path = sent(&caller, json!({"on_existing": "update"}), file.as_bytes(), 20).await;
            let mut ends = Vec::new();
            for (word, done) in [("read", 0), ("make", 2), ("show", 1), ("undo", 3)] {
                server.advance(Duration::from_secs(40));
                let answer = caller.post(&format!("{path}/{word}"), json!({})).await;
                assert_eq!(answer.status, 202, "{word} after {turns}: {}", answer.body);
                let call = later(server);
                ends.push(dies_after(turns, imports::work(server.provider(), &call)).await);
                let now = call.now.after(Duration::from_secs(31));
                let lost = Call { now, ..call };
                while imports::work(server.provider(), &lost).await.unwrap() {}
                let told = settled(server, &caller, &path).await;
                assert_eq!(
                    (&told["done"], &told["failed"]),
                    (&json!(done), &json!(0)),
                    "{word} after {turns}: {told}"
                );
            }
            let listed = rows(&caller, &path, "outcome eq \"undone\"").await;
            assert_eq!(listed.len(), 3, "after {turns}");
            for name in ["ada", "bob"] {
                let left = server
                    .provider()
                    .store
                    .read()
                    .await
                    .unwrap()
                    .list_users_named(&[name.to_owned()])
                    .await
                    .unwrap();
                assert!(left.is_empty(), "{name} after {turns}");
            }
            if ends.iter().all(|ended| *ended) {
                break;
            }
        }
    })
    .await;
}
