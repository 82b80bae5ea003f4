//! The process that applies a file is killed in the middle of it: the former state is back, and the same file works afterwards.

use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::{Value, json};

use super::{Steered, full_length, is_change};
use crate::support::backend::{Backend, backends, length};
use crate::support::failpoints::Failpoints;
use crate::support::process::{Installation, PATIENCE, until};

fn file(installation: &Installation, name: &str, content: &Value) -> PathBuf {
    let path = installation.folder().join(format!("{name}.json"));
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

fn former() -> Value {
    json!({
        "version": 1,
        "clients": [{"client_id": "leaving", "redirect_uris": ["https://leaving.example/callback"],
            "token_endpoint_auth_method": "none"}],
        "groups": [{"name": "staff", "permissions": []}],
        "users": [{"username": "emmy", "groups": ["staff"]}],
    })
}

/// A file that adds, changes, deactivates and prunes.
fn next() -> Value {
    json!({
        "version": 1,
        "settings": {"session": {"idle_timeout": "31m"}},
        "resources": [{"identifier": "https://api.example", "scopes": ["read"]}],
        "clients": [{"client_id": "shop", "redirect_uris": ["https://shop.example/callback"],
            "client_secret": "a-client-secret-of-forty-characters-and-3"}],
        "groups": [{"name": "staff", "permissions": ["orders.read"]}],
        "users": [
            {"username": "ada", "password": "Correct-Horse-Battery-1729", "groups": ["staff"]},
            {"username": "emmy", "status": "inactive"},
        ],
        "prune": ["clients"],
    })
}

async fn exported(installation: &Installation) -> Value {
    installation.command(&["export"]).await.json()
}

async fn applied(installation: &Installation, path: &Path) {
    installation.command(&["apply", path.to_str().unwrap()]).await.ok();
}

/// Every step of the transaction, as a command on an installation like these passes them.
async fn steps(backend: Backend) -> Vec<String> {
    let installation = Installation::make(backend).await;
    let failpoints = Failpoints::at(installation.folder());
    applied(&installation, &file(&installation, "former", &former())).await;
    let path = file(&installation, "next", &next());
    failpoints.record();
    let command = failpoints
        .steer(installation.plan())
        .start_command(&["apply", path.to_str().unwrap()]);
    let done = ended(command).await;
    assert!(done.status.success(), "{done:?}");
    let mut steps = failpoints.recorded();
    let commits = steps
        .iter()
        .filter(|step| step.starts_with("before commit of") && step.contains("insert into users"));
    assert_eq!(commits.count(), 1, "{steps:?}");
    let begins = steps
        .iter()
        .position(|step| step.contains("update generations"))
        .unwrap();
    steps.drain(..begins);
    steps.retain(|step| is_change(step));
    installation.remove().await;
    steps
}

async fn ended(command: Child) -> std::process::Output {
    tokio::task::spawn_blocking(move || command.wait_with_output().unwrap())
        .await
        .unwrap()
}

/// An installation in its former state, and the file that is to be applied.
struct Place {
    installation: Installation,
    failpoints: Failpoints,
    path: PathBuf,
    before: Value,
}

impl Place {
    async fn make(backend: Backend) -> Self {
        let installation = Installation::make(backend).await;
        applied(&installation, &file(&installation, "former", &former())).await;
        Self {
            failpoints: Failpoints::at(installation.folder()),
            path: file(&installation, "next", &next()),
            before: exported(&installation).await,
            installation,
        }
    }

    /// Kills the command that applies the file, at this step.
    async fn kill_at(&self, step: &str) {
        self.failpoints.arm("pause", step);
        let plan = self.failpoints.steer(self.installation.plan());
        let command = plan.start_command(&["apply", self.path.to_str().unwrap()]);
        let pid = command.id().to_string();
        let task = tokio::spawn(ended(command));
        until(PATIENCE, step, async || {
            self.failpoints.is_reached() || task.is_finished()
        })
        .await;
        assert!(self.failpoints.is_reached(), "{step} is not passed");
        let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
        assert!(killed.unwrap().success());
        drop(task.await);
    }

    /// The same file works, and says everything there is to say.
    async fn end(self) {
        applied(&self.installation, &self.path).await;
        assert!(exported(&self.installation).await != self.before);
        let again = self
            .installation
            .command(&["apply", self.path.to_str().unwrap(), "--json"])
            .await;
        assert_eq!(again.json()["changes"], json!([]));
        self.installation.remove().await;
    }
}

/// SEC-755: the command that applies a file is killed before or after its changes and its commit, on both databases: until the
/// commit has happened the installation is what it was, to the letter; and the same file works afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_leaves_the_former_state() {
    for backend in backends() {
        let steps = steps(backend).await;
        let rest = length(7, 3, 1);
        let mut others = (0..rest).cycle();
        let chosen = steps
            .iter()
            .filter(|step| full_length() || step.contains("commit") || others.next() == Some(0));
        let mut place = Place::make(backend).await;
        let (mut absent, mut whole) = (0, 0);
        for step in chosen {
            place.kill_at(step).await;
            let is_former = exported(&place.installation).await == place.before;
            if step.starts_with("after commit") {
                assert!(!is_former, "{backend:?}: nothing is done after {step}");
                whole += 1;
                place.end().await;
                place = Place::make(backend).await;
            } else {
                assert!(is_former, "{backend:?}: half of it is done at {step}");
                absent += 1;
            }
        }
        println!("{backend:?}: killed at {absent} places before the commit and {whole} after it");
        assert!(absent > 3 && whole > 0, "{absent} {whole}");
        place.end().await;
    }
}

/// SEC-755: the same where a running server applies the file and is killed: it comes back with the former state, and nobody was
/// signed out.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_imports_has_the_former_state() {
    let mut steered = Steered::on(Backend::Embedded).await;
    let first = file(&steered.installation, "former", &former());
    applied(&steered.installation, &first).await;
    let mut content = next();
    let person = json!({"username": steered.stage.user.username, "status": "inactive"});
    content["users"].as_array_mut().unwrap().push(person);
    let path = file(&steered.installation, "next", &content);
    let before = exported(&steered.installation).await;
    let steps = steps(Backend::Embedded).await;
    let added = steps.iter().find(|step| step.starts_with("after insert into users"));
    for step in [added.unwrap(), "before commit of a group"] {
        steered.failpoints.arm("pause", step);
        let cut = steered
            .installation
            .plan()
            .start_command(&["apply", path.to_str().unwrap()]);
        until(PATIENCE, step, async || steered.failpoints.is_reached()).await;
        steered.kill().await;
        assert!(!ended(cut).await.status.success());
        assert_eq!(exported(&steered.installation).await, before, "{step}");
        let address = steered.node().address;
        assert!(!steered.stage.code_at(address).await.is_empty());
    }
    applied(&steered.installation, &path).await;
    assert!(exported(&steered.installation).await != before);
    steered.end().await;
}
