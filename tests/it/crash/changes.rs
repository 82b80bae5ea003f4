//! A node is killed between any two steps of what an administrator changes: it happened, or it did not.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Steered;
use crate::support::backend::Backend;
use crate::support::cli::Ran;
use crate::support::process::{PATIENCE, until};
use crate::support::wire::{Wire, request};

/// Whether the client's secret works, whether the keys sign, and what is published.
async fn works(steered: &Steered) {
    let address = steered.node().address;
    let code = steered.stage.code_at(address).await;
    let answer = Wire::to(address).exchange(&steered.stage.redeem(&code)).await.unwrap();
    assert!(answer.is_success(), "{} {}", answer.status, answer.body);
    let jwks = request("GET", &steered.stage.host, "/oauth2/jwks", &[], "");
    let keys = Wire::to(address).exchange(&jwks).await.unwrap();
    let header = crate::support::relying_party::jwt_header(&answer.get("id_token"));
    assert!(
        keys.body.contains(header["kid"].as_str().unwrap()),
        "signed with a key that is not published"
    );
}

async fn command(steered: &Steered, arguments: &[&str]) -> Ran {
    steered.installation.command(arguments).await
}

/// REL-05: killed between any two steps of a secret's rotation, a key's rotation or a change of a group, the change is whole
/// or absent, and there is always a secret that works and a key that signs.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_whole_or_absent_wherever_the_node_is_killed() {
    let mut steered = Steered::on(Backend::Embedded).await;
    let (client, user) = (
        steered.stage.client.client_id.clone(),
        steered.stage.user.username.clone(),
    );
    assert_eq!(command(&steered, &["groups", "create", "crew"]).await.code, 0);
    let changes: [&[&str]; 4] = [
        &["clients", "rotate-secret", &client],
        &["keys", "rotate", "--now"],
        &["groups", "add", "crew", &user],
        &["groups", "remove", "crew", &user],
    ];
    for change in changes {
        let mut steps = steered
            .steps(async || {
                let ran = command(&steered, change).await;
                assert_eq!(ran.code, 0, "{change:?} {ran:?}");
            })
            .await;
        if change[0] == "groups" {
            // the one undoes the other
            let undo = if change[1] == "add" { "remove" } else { "add" };
            assert_eq!(command(&steered, &["groups", undo, "crew", &user]).await.code, 0);
        }
        if !super::full_length() {
            // the same places of the three kinds: around the commit, and between the changes
            steps.retain(|step| step.contains("commit") || step.starts_with("after"));
        }
        for step in steps {
            steered.failpoints.arm("pause", &step);
            let installation = &steered.installation;
            let done = AtomicBool::new(false);
            let cut = async {
                installation.command(change).await;
                done.store(true, Ordering::Relaxed);
            };
            let kill = async {
                until(PATIENCE, &step, async || {
                    steered.failpoints.is_reached() || done.load(Ordering::Relaxed)
                })
                .await;
                // the command waits for an answer that does not come
                std::process::Command::new("kill")
                    .args(["-KILL", &steered.node().pid().to_string()])
                    .status()
                    .unwrap();
            };
            tokio::join!(cut, kill);
            steered.kill().await;
            // the secret of before is within its overlap, whatever became of the change
            works(&steered).await;
            if change[0] == "clients" {
                let rotated = command(&steered, &["clients", "rotate-secret", &client, "--json"])
                    .await
                    .json();
                rotated["client_secret"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut steered.stage.client.secret);
                works(&steered).await;
            }
            let shown = command(&steered, &["users", "show", &user, "--json"]).await.ok();
            assert!(shown.contains(&user));
        }
    }
    steered.end().await;
}
