//! Backup and restore of the embedded store: taken beside a running server, sealed, whole or not at all, and harmless for
//! what was ended since.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::backend::{Backend, length};
use crate::support::browser::Browser;
use crate::support::cli::{Ran, Terminal};
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

const PASSPHRASE: &str = "a sentence that nobody else says";

async fn server_with_socket() -> Server {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    Server::start_fully(Backend::Embedded, |_| (), commands).await
}

/// `backup` or `restore` with the passphrase on standard input.
async fn sealed(terminal: &Terminal, words: &[&str]) -> Ran {
    let mut words = words.to_vec();
    words.extend(["--passphrase-file", "-"]);
    terminal.run_with(&words, PASSPHRASE).await
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// SEC-591, REL-64: what was open when the backup was made, and ended, used or made since, counts for nothing after the
/// restore; people, passwords, clients, consents and keys are back.
#[tokio::test(flavor = "multi_thread")]
async fn backup_restore_safe() {
    let server = server_with_socket().await;
    let terminal = Terminal::at(server.folder());
    let ada = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, &ada).await;
    let tokens = party.redeem(arrival.code()).await.ok();
    let keys = browser.get(&server.url("/oauth2/jwks")).await.json();
    let link = terminal.run(&["setup", "--json"]).await.json();
    let file = path(server.folder(), "backup");
    let told = sealed(&terminal, &["backup", &file, "--json"]).await.json();
    assert_eq!(told["beside_server"], true);
    assert_eq!(told["keys"], 1);

    // afterwards: a token is used, a person comes, another code is on its way
    let after = party.refresh(&tokens.get("refresh_token")).await.ok();
    server.user("eve").await;
    let late = party.sign_in(&browser, &ada).await;
    let late_code = late.code().to_owned();
    assert!(
        sealed(&terminal, &["restore", &file, "--replace"])
            .await
            .refused()
            .contains("another process uses")
    );
    let client = client.clone();
    let server = server
        .restart_after(async |_| {
            let refused = sealed(&terminal, &["restore", &file]).await.refused();
            assert!(refused.contains("with --replace"), "{refused}");
            let told = sealed(&terminal, &["restore", &file, "--replace", "--json"])
                .await
                .json();
            assert_eq!(told["sessions_ended"], 1);
            assert_eq!(told["grants_ended"], 1);
            let aside = PathBuf::from(told["kept_aside"][0].as_str().unwrap());
            assert!(aside.join("ostiary.db").exists(), "{aside:?}");
        })
        .await;
    let party = RelyingParty::new(&server, &client);
    assert_eq!(browser.get(&server.url("/oauth2/jwks")).await.json(), keys);
    for refresh_token in [tokens.get("refresh_token"), after.get("refresh_token")] {
        assert_eq!(party.refresh(&refresh_token).await.error(), "invalid_grant");
    }
    assert_eq!(party.redeem(&late_code).await.error(), "invalid_grant");
    assert_eq!(party.redeem(arrival.code()).await.error(), "invalid_grant");
    for access_token in [tokens.get("access_token"), after.get("access_token")] {
        assert_eq!(party.userinfo(&access_token).await.status, 401);
    }
    let old_link = link["url"].as_str().unwrap();
    assert_ne!(Browser::new().open(old_link).await.status, 200);
    let page = browser.open(&party.authorization_url()).await;
    assert!(
        page.body.contains("name=\"password\""),
        "the session lives: {}",
        page.body
    );
    assert!(
        terminal
            .run(&["users", "show", "eve"])
            .await
            .refused()
            .contains("no user eve")
    );
    // a person signs in as ever, and was asked for consent before
    let again = party.sign_in(&browser, &ada).await;
    party.redeem(again.code()).await.ok();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_and_restored_where_no_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::create_dir_all(&old).unwrap();
    std::fs::create_dir_all(&new).unwrap();
    let terminal = Terminal::at(&old);
    let file = path(folder.path(), "backup");
    let nothing = sealed(&terminal, &["backup", &file]).await.refused();
    assert!(nothing.contains("there is no store at"), "{nothing}");
    assert!(!old.join("data").exists(), "asking made a store");
    terminal.run(&["users", "create", "ada"]).await.ok();
    let told = sealed(&terminal, &["backup", &file, "--json"]).await.json();
    assert_eq!(told["beside_server"], false);
    let checked = sealed(&terminal, &["restore", &file, "--check", "--json"]).await.json();
    assert_eq!(checked["restored"], false);
    let elsewhere = Terminal::at(&new);
    sealed(&elsewhere, &["restore", &file]).await.ok();
    assert_eq!(
        elsewhere.run(&["users", "list", "--json"]).await.json()[0]["username"],
        "ada"
    );
    let key = |folder: &Path| std::fs::read_to_string(folder.join("keys/master.key")).unwrap();
    assert_eq!(key(&old), key(&new));
    for name in ["keys/master.key", "data/ostiary.db"] {
        let mode = std::fs::metadata(new.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // a store alone may be lost while its key is kept
    std::fs::remove_dir_all(new.join("data")).unwrap();
    sealed(&elsewhere, &["restore", &file]).await.ok();
    elsewhere.run(&["users", "show", "ada"]).await.ok();
    // other keys are not written over
    std::fs::remove_dir_all(new.join("data")).unwrap();
    std::fs::write(new.join("keys/master.key"), "another").unwrap();
    let refused = sealed(&elsewhere, &["restore", &file]).await.refused();
    assert!(refused.contains("with --replace"), "{refused}");
    sealed(&elsewhere, &["restore", &file, "--replace"]).await.ok();
    elsewhere.run(&["users", "show", "ada"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_says_nothing_without_its_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["users", "create", "adalovelace"]).await.ok();
    let file = path(folder.path(), "backup");
    let short = terminal
        .run_with(&["backup", &file, "--passphrase-file", "-"], "short")
        .await
        .refused();
    assert!(short.contains("shorter than 12 characters"), "{short}");
    sealed(&terminal, &["backup", &file]).await.ok();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(&file).unwrap();
    let key = std::fs::read_to_string(folder.path().join("keys/master.key")).unwrap();
    for canary in ["adalovelace", key.trim(), "SQLite format 3", "signing_keys", PASSPHRASE] {
        assert!(
            !bytes.windows(canary.len()).any(|window| window == canary.as_bytes()),
            "{canary}"
        );
    }
    let other = terminal
        .run_with(
            &["restore", &file, "--check", "--passphrase-file", "-"],
            "another sentence",
        )
        .await
        .refused();
    assert!(other.contains("does not open with this passphrase"), "{other}");
    // nothing of the copy stays behind
    let left: Vec<String> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_whole_backup_is_refused_by_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["users", "create", "ada"]).await.ok();
    let file = path(folder.path(), "backup");
    sealed(&terminal, &["backup", &file]).await.ok();
    let whole = std::fs::read(&file).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let summed = |mut bytes: Vec<u8>| {
        let end = bytes.len() - 32;
        let sum = ostiary::crypto::sha256(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum);
        bytes
    };
    let replaced = |from: &str, to: &str| {
        let at = whole
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes.splice(at..at + from.len(), to.bytes());
        summed(bytes)
    };
    let middle = whole.len() / 2;
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("empty", Vec::new(), "is not a backup of Ostiary"),
        (
            "foreign",
            b"SQLite format 3\0 and more\n".to_vec(),
            "is not a backup of Ostiary",
        ),
        ("cut", whole[..middle].to_vec(), "checksum does not hold"),
        ("head alone", whole[..40].to_vec(), "cut short"),
        ("longer", changed(&|bytes| bytes.push(0)), "checksum does not hold"),
        ("a bit", changed(&|bytes| bytes[middle] ^= 1), "checksum does not hold"),
        (
            "a bit, summed anew",
            summed(changed(&|bytes| bytes[middle] ^= 1)),
            "does not open with this passphrase",
        ),
        (
            "newer format",
            replaced("ostiary-backup 1", "ostiary-backup 2"),
            "its format is 2",
        ),
        (
            "newer schema",
            replaced("\"0001_ground\"", "\"9999_beyond\""),
            "has the migration 9999_beyond, which this program does not know",
        ),
        (
            "another head",
            replaced("\"issuer\":\"http://localhost", "\"issuer\":\"http://elsewhere"),
            "its parts are not those that were packed",
        ),
    ];
    let before = std::fs::read(folder.path().join("data/ostiary.db")).unwrap();
    for (name, bytes, complaint) in cases {
        std::fs::write(&file, bytes).unwrap();
        for words in [
            &["restore", file.as_str(), "--check"][..],
            &["restore", &file, "--replace"],
        ] {
            let refused = sealed(&terminal, words).await.refused();
            assert!(refused.contains(complaint), "{name}: {refused}");
        }
    }
    assert_eq!(std::fs::read(folder.path().join("data/ostiary.db")).unwrap(), before);
    // and what is no backup is not written over
    std::fs::write(&file, "letters to a friend\n").unwrap();
    let refused = sealed(&terminal, &["backup", &file]).await.refused();
    assert!(refused.contains("is no backup"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "letters to a friend\n");
}

/// Runs a command and kills it after `time`; whether it had ended by itself.
async fn killed_after(terminal: &Terminal, words: &[&str], time: Duration) -> bool {
    let mut words = words.to_vec();
    let file = "passphrase";
    words.extend(["--passphrase-file", file]);
    let mut child = terminal
        .command(&words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        while began.elapsed() < time {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    })
    .await
    .unwrap()
}

/// How many times each is killed.
fn kills() -> u32 {
    length(4, 10, 30)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    std::fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
    terminal.run(&["users", "create", "ada"]).await.ok();
    let file = path(folder.path(), "backup");
    let began = Instant::now();
    sealed(&terminal, &["backup", &file]).await.ok();
    let whole = began.elapsed();
    for round in 0..kills() {
        killed_after(&terminal, &["backup", &file], whole * round / kills()).await;
        sealed(&terminal, &["restore", &file, "--check"]).await.ok();
        terminal.run(&["users", "show", "ada"]).await.ok();
    }
    sealed(&terminal, &["backup", &file]).await.ok();
    let drafts = |folder: PathBuf| {
        let names = std::fs::read_dir(folder).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("draft") || name.contains("snapshot"))
            .collect::<Vec<String>>()
    };
    assert_eq!(drafts(folder.path().to_owned()), Vec::<String>::new());
    assert_eq!(drafts(folder.path().join("data")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_leaves_the_old_store_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    std::fs::create_dir_all(&one).unwrap();
    std::fs::create_dir_all(&two).unwrap();
    let terminals = [(Terminal::at(&one), "ada"), (Terminal::at(&two), "bob")];
    let mut files = Vec::new();
    for (terminal, name) in &terminals {
        terminal.run(&["users", "create", name]).await.ok();
        files.push(path(folder.path(), name));
        sealed(terminal, &["backup", files.last().unwrap()]).await.ok();
    }
    let terminal = &terminals[0].0;
    std::fs::write(one.join("passphrase"), PASSPHRASE).unwrap();
    let began = Instant::now();
    sealed(terminal, &["restore", &files[1], "--replace"]).await.ok();
    let whole = began.elapsed();
    let mut seen = Vec::new();
    for round in 0..kills() {
        let to = usize::try_from(round % 2).unwrap();
        // near the end is where places change
        let time = whole / 2 + whole * round / kills() / 2;
        let ended = killed_after(terminal, &["restore", &files[to], "--replace"], time).await;
        // the next command finds a store that its keys open
        let users = terminal.run(&["users", "list", "--json"]).await.json();
        assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
        let name = users[0]["username"].as_str().unwrap().to_owned();
        assert!(["ada", "bob"].contains(&name.as_str()), "{name}");
        if ended {
            assert_eq!(name, terminals[to].1);
        }
        seen.push(name);
        assert!(!one.join("data/restore.plan").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_decided_is_brought_to_its_end_by_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["users", "create", "ada"]).await.ok();
    let (data, keys) = (folder.path().join("data"), folder.path().join("keys"));
    let store = data.join("ostiary.db");
    let whole = (
        std::fs::read(&store).unwrap(),
        std::fs::read(keys.join("master.key")).unwrap(),
    );
    for cut in 0..=4 {
        std::fs::create_dir_all(keys.join(".restore-x")).unwrap();
        drop(std::fs::remove_dir_all(data.join("replaced")));
        drop(std::fs::remove_dir_all(keys.join("replaced")));
        std::fs::write(data.join(".restore-x"), &whole.0).unwrap();
        std::fs::write(keys.join(".restore-x/master.key"), &whole.1).unwrap();
        std::fs::write(&store, "the old store").unwrap();
        std::fs::write(keys.join("master.key"), "the old key").unwrap();
        let moves = [
            (store.clone(), data.join("replaced/ostiary.db")),
            (keys.join("master.key"), keys.join("replaced/master.key")),
            (keys.join(".restore-x/master.key"), keys.join("master.key")),
            (data.join(".restore-x"), store.clone()),
        ];
        let plan = json!({ "moves": moves, "emptied": [keys.join(".restore-x")] });
        std::fs::write(data.join("restore.plan"), plan.to_string()).unwrap();
        // the process died after so many of them
        for (from, to) in &moves[..cut] {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::rename(from, to).unwrap();
        }
        terminal.run(&["users", "show", "ada"]).await.ok();
        assert!(!data.join("restore.plan").exists(), "{cut}");
        assert_eq!(std::fs::read(keys.join("master.key")).unwrap(), whole.1, "{cut}");
        assert_eq!(
            std::fs::read(data.join("replaced/ostiary.db")).unwrap(),
            b"the old store",
            "{cut}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_of_the_embedded_store_alone() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path()).with("OSTIARY_DATABASE_URL", "postgres://127.0.0.1:1/none");
    for words in [["backup", "x"], ["restore", "x"]] {
        let refused = sealed(&terminal, &words).await.refused();
        assert!(refused.contains("pg_dump"), "{refused}");
    }
}
