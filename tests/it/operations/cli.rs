//! Commands: beside a running server and without one, for people and for programs, with their exit codes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::server::Server;

async fn server_with_socket() -> Server {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    Server::start_fully(Backend::Embedded, |_| (), commands).await
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_2_refusal_is_1_and_help_is_0() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    assert_eq!(terminal.run(&["--help"]).await.code, 0);
    assert_eq!(terminal.run(&["--version"]).await.code, 0);
    assert_eq!(terminal.run(&["dance"]).await.code, 2);
    assert_eq!(terminal.run(&[]).await.code, 2);
    assert_eq!(terminal.run(&["users", "show", "nobody"]).await.code, 1);
    assert_eq!(terminal.run(&["apply", "there-is-none.json"]).await.code, 1);
    assert_eq!(terminal.run(&["apply", "/dev/null"]).await.code, 2);
    assert_eq!(
        terminal
            .clone()
            .with("OSTIARY_LISTN", "1")
            .run(&["keys", "list"])
            .await
            .code,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn help_names_nothing_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let help = Terminal::at(folder.path()).run(&["--help"]).await.ok();
    assert!(!help.contains("snapshot"), "{help}");
    for present in [
        "serve", "demo", "setup", "apply", "export", "import", "users", "groups", "clients", "keys", "sessions",
        "settings", "backup", "restore", "explain", "doctor",
    ] {
        assert!(help.contains(present), "{help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_where_no_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let made = terminal
        .run(&["users", "create", "ada", "--email", "ada@example.com", "--json"])
        .await
        .json();
    assert_eq!(made["username"], "ada");
    assert!(made["password"].as_str().unwrap().len() >= 20);
    terminal
        .run(&["groups", "create", "staff", "--permission", "orders.read"])
        .await
        .ok();
    terminal.run(&["groups", "add", "staff", "ada"]).await.ok();
    let shown = terminal
        .run(&["users", "show", "ada@example.com", "--json"])
        .await
        .json();
    assert_eq!(shown["groups"], json!(["staff"]));
    assert!(shown.get("password").is_none());
    let required = async || {
        let shown = terminal.run(&["users", "show", "ada", "--json"]).await;
        shown.json()["required_actions"].clone()
    };
    terminal
        .run(&["users", "require", "ada", "enrol_factor", "change_password"])
        .await
        .ok();
    assert_eq!(required().await, json!(["change_password", "enrol_factor"]));
    assert_eq!(terminal.run(&["users", "require", "ada"]).await.code, 2);
    assert_eq!(terminal.run(&["users", "require", "ada", "dance"]).await.code, 2);
    terminal.run(&["users", "require", "ada", "--nothing"]).await.ok();
    assert_eq!(required().await, json!([]));
    let keys = terminal.run(&["keys", "list", "--json"]).await.json();
    assert_eq!(keys.as_array().unwrap().len(), 3);
    terminal.run(&["users", "deactivate", "ada"]).await.ok();
    assert_eq!(
        terminal.run(&["users", "show", "ada", "--json"]).await.json()["status"],
        "inactive"
    );
    terminal.run(&["users", "reactivate", "ada"]).await.ok();
    terminal.run(&["users", "delete", "ada"]).await.ok();
    let binned = terminal.run(&["users", "list", "--bin", "--json"]).await.json();
    assert_eq!(binned[0]["status"], "deleted");
    terminal.run(&["users", "restore", "ada"]).await.ok();
    terminal.run(&["users", "delete", "ada", "--erase"]).await.ok();
    assert!(
        terminal
            .run(&["users", "show", "ada"])
            .await
            .refused()
            .contains("no user ada")
    );
    terminal.run(&["migrate", "--check"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_beside_a_server_is_run_by_the_server() {
    let server = server_with_socket().await;
    let terminal = Terminal::at(server.folder());
    let made = terminal
        .run(&[
            "clients",
            "create",
            "--client-id",
            "shop",
            "--redirect-uri",
            "https://shop.example/cb",
            "--json",
        ])
        .await
        .json();
    assert_eq!(made["issuer"], server.issuer());
    let discovery = Browser::new().get(made["discovery"].as_str().unwrap()).await;
    assert_eq!(discovery.json()["issuer"], server.issuer());
    // the server knows it at once, without reading its store again
    assert!(server.provider().client("shop").await.unwrap().is_some());
    terminal.run(&["clients", "disable", "shop"]).await.ok();
    let client = server.provider().client("shop").await.unwrap().unwrap();
    assert!(client.disabled_at.is_some());
    // what is refused there is refused here
    let again = [
        "clients",
        "create",
        "--client-id",
        "shop",
        "--redirect-uri",
        "https://shop.example/cb",
    ];
    assert!(terminal.run(&again).await.refused().contains("client_id"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_silent_server_holds_is_not_opened() {
    // a server without the socket: an older one, or one that is just starting
    let server = Server::start().await;
    let complaint = Terminal::at(server.folder()).run(&["users", "list"]).await.refused();
    assert!(complaint.contains("another process"), "{complaint}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_socket_belongs_to_one_account() {
    use std::os::unix::fs::PermissionsExt;
    let server = server_with_socket().await;
    let socket = server.folder().join("data/control.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop().await;
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_created_can_be_connected_by_copying() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path()).with("OSTIARY_PUBLIC_URL", "https://id.example.com");
    let told = terminal
        .run(&[
            "clients",
            "create",
            "--name",
            "Shop",
            "--redirect-uri",
            "https://shop.example/cb",
        ])
        .await
        .ok();
    for line in [
        "client_id ",
        "client_secret ",
        "discovery      https://id.example.com/.well-known/openid-configuration",
        "OIDC_ISSUER=https://id.example.com\n",
        "OIDC_REDIRECT_URI=https://shop.example/cb\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let public = [
        "clients",
        "create",
        "--public",
        "--redirect-uri",
        "https://spa.example/cb",
    ];
    assert!(!terminal.run(&public).await.ok().contains("client_secret"));
    let wrong = ["clients", "create", "--redirect-uri", "http://shop.example/cb"];
    assert!(terminal.run(&wrong).await.refused().contains("/redirect_uris/0"));
    let unknown = ["clients", "create", "--grant", "magic"];
    assert_eq!(terminal.run(&unknown).await.code, 2);
}

/// SEC-588: passwords and secrets come by standard input or a file; no argument takes one, no log or list shows one.
#[tokio::test(flavor = "multi_thread")]
async fn secret_handling() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path()).with("OSTIARY_LOG", "trace");
    let password = "Correct-Horse-Battery-1729";
    let secret = "a-client-secret-of-forty-characters-and-3";
    let create = ["users", "create", "ada", "--password", "stdin"];
    let made = terminal.run_with(&create, &format!("{password}\n")).await;
    assert_eq!(made.code, 0, "{made:?}");
    std::fs::write(folder.path().join("secret"), secret).unwrap();
    let client = [
        "clients",
        "create",
        "--client-id",
        "shop",
        "--redirect-uri",
        "https://shop.example/cb",
        "--secret-file",
        "secret",
    ];
    let told = terminal.run(&client).await;
    let mut seen = format!("{}{}{}", made.out, made.err, told.err);
    for command in [
        &["users", "list", "--json"][..],
        &["users", "show", "ada", "--json"],
        &["clients", "show", "shop", "--json"],
        &["clients", "list", "--json"],
        &["keys", "list", "--json"],
        &["settings", "show", "--json"],
        &["export"],
    ] {
        let ran = terminal.run(command).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        seen.push_str(&ran.out);
        seen.push_str(&ran.err);
    }
    let key = std::fs::read_to_string(folder.path().join("keys/master.key")).unwrap();
    for canary in [password, secret, key.trim(), "$argon2id$"] {
        assert!(!seen.contains(canary), "{canary}");
        assert!(
            !in_files(&folder.path().join("data"), canary) || canary == "$argon2id$",
            "{canary}"
        );
    }
    // the help of no command offers an argument for one
    for command in [
        &["users", "create", "--help"][..],
        &["users", "set-password", "--help"],
        &["clients", "create", "--help"],
    ] {
        let help = terminal.run(command).await.ok();
        assert!(!help.contains("<SECRET>") && !help.contains("<PASSWORD>"), "{help}");
    }
    // a password as a word of the command line is not taken
    assert_eq!(
        terminal
            .run(&["users", "set-password", "ada", "--password", password])
            .await
            .code,
        2
    );
}

fn in_files(folder: &std::path::Path, canary: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_tells_a_setup_link_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let mut child = terminal
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let url = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(stdout).lines().map(Result::unwrap);
        lines
            .map(|line| line.trim().to_owned())
            .find(|line| line.contains("/setup?token="))
            .unwrap()
    })
    .await
    .unwrap();
    let page = Browser::new().open(&url).await;
    assert_eq!(page.status, 200, "{}", page.body);
    // a second server is refused, a command is not
    assert!(terminal.run(&["serve"]).await.refused().contains("another process"));
    let link = terminal.run(&["setup", "--json"]).await.json();
    assert_ne!(link["url"], url.as_str());
    // the first link counts no more
    assert_ne!(Browser::new().open(&url).await.status, 200);
    let asked = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert!(asked.unwrap().success());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!folder.path().join("data/control.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_comes_from_the_configuration_once() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path())
        .with("OSTIARY_ADMIN_EMAIL", "root@example.com")
        .with("OSTIARY_ADMIN_PASSWORD", "Correct-Horse-Battery-1729");
    let mut child = terminal
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let line = tokio::task::spawn_blocking(move || BufReader::new(stdout).lines().next().unwrap().unwrap());
    assert!(line.await.unwrap().contains("first administrator"));
    let shown = Terminal::at(folder.path())
        .run(&["users", "show", "root@example.com", "--json"])
        .await
        .json();
    assert_eq!(shown["groups"], json!(["administrators"]));
    let asked = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert!(asked.unwrap().success());
    tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_told_and_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let file = folder.path().join("file.toml");
    std::fs::write(&file, "version = 1\n[settings.session]\nidle_timeout = \"30m\"\n").unwrap();
    let path = file.to_str().unwrap();
    terminal.run(&["apply", path]).await.ok();
    std::fs::write(&file, "version = 1\n[settings.session]\nidle_timeout = \"1h\"\n").unwrap();
    terminal.run(&["apply", path]).await.ok();
    let idle = |rows: serde_json::Value| {
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter()
            .find(|row| row["key"] == "session.idle_timeout")
            .unwrap()
    };
    let shown = idle(terminal.run(&["settings", "show", "--json"]).await.json());
    assert_eq!((&shown["value"], &shown["source"]), (&json!("1h"), &json!("everyone")));
    let history = terminal.run(&["settings", "history", "--json"]).await.json();
    assert_eq!(history[0]["number"], 2);
    assert_eq!(history[0]["changed"], json!(["session.idle_timeout"]));
    terminal.run(&["settings", "rollback", "1"]).await.ok();
    assert_eq!(
        idle(terminal.run(&["settings", "show", "--json"]).await.json())["value"],
        "30m"
    );
    terminal.run(&["settings", "rollback", "0"]).await.ok();
    assert_eq!(
        idle(terminal.run(&["settings", "show", "--json"]).await.json())["source"],
        "built in"
    );
    assert!(
        terminal
            .run(&["settings", "rollback", "99"])
            .await
            .refused()
            .contains("no revision 99")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_off_says_so() {
    let server = server_with_socket().await;
    let terminal = Terminal::at(server.folder());
    for name in ["ada", "bob", "grace"] {
        server.user(name).await;
    }
    let whole = terminal.run(&["users", "list", "--limit", "3"]).await;
    assert_eq!((whole.code, whole.err.as_str()), (0, ""));
    for more in [&["--json"][..], &[], &["--beginning", "example"]] {
        let cut = terminal.run(&[&["users", "list", "--limit", "2"], more].concat()).await;
        assert_eq!(cut.code, 0);
        assert!(
            cut.err.contains("these are the first 2; there are more"),
            "{more:?}: {}",
            cut.err
        );
        assert!(cut.err.contains("--limit"), "{}", cut.err);
        assert!(!cut.out.contains("there are more"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_with_what_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let sentence = "How long a session lives without being used.";
    let text = terminal.run(&["settings", "show"]).await.ok();
    assert!(text.contains(sentence), "{text}");
    let json = terminal.run(&["settings", "show", "--json"]).await.json();
    let rows = json.as_array().unwrap();
    let found = rows.iter().find(|row| row["key"] == "session.idle_timeout").unwrap();
    assert_eq!(found["description"], sentence);
    assert!(rows.iter().all(|row| !row["description"].as_str().unwrap().is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_would_do_is_told_beside_a_running_server() {
    let server = server_with_socket().await;
    let terminal = Terminal::at(server.folder());
    let told = terminal.run(&["migrate", "--check"]).await.ok();
    assert!(told.contains("has this program's schema"), "{told}");
    let refused = terminal.run(&["migrate"]).await.refused();
    assert!(refused.contains("another process uses"), "{refused}");
    server.stop().await;
    // and it makes nothing where nothing is
    let folder = tempfile::tempdir().unwrap();
    let told = Terminal::at(folder.path())
        .run(&["migrate", "--check", "--json"])
        .await
        .json();
    assert_eq!(
        (&told["done"], told["steps"].as_array().unwrap().is_empty()),
        (&json!(false), false)
    );
    assert!(!folder.path().join("data").exists());
}
