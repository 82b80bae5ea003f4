//! Processes that meet a panic, or are short of memory or of file descriptors.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Steered;
use crate::support::backend::{Backend, backends, length};
use crate::support::browser::Browser;
use crate::support::ledger::Gauges;
use crate::support::process::{Installation, PATIENCE, until};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, request};

/// REL-09, SEC-619, SEC-614: a panic at any step of an exchange costs that request alone: no lock stays taken, no connection is lost. The log
/// says of each where it was, under the trace id that the answer shows.
#[tokio::test(flavor = "multi_thread")]
async fn panic_isolated() {
    for backend in backends() {
        let steered = Steered::on(backend).await;
        let address = steered.node().address;
        let exchange = async || {
            let code = steered.stage.code_at(address).await;
            Wire::to(address).exchange(&steered.stage.redeem(&code)).await.unwrap()
        };
        let steps = steered.steps(async || assert!(exchange().await.is_success())).await;
        join_all((0..32).map(|_| exchange())).await;
        let gauges = Gauges::of(steered.node());
        // a group's commit belongs to many requests
        for step in steps.iter().filter(|step| !step.ends_with("of a group")) {
            let code = steered.stage.code_at(address).await;
            steered.failpoints.arm("panic", step);
            let answer = Wire::to(address).exchange(&steered.stage.redeem(&code)).await.unwrap();
            if steered.failpoints.is_reached() {
                assert!(matches!(answer.status, 200 | 500 | 503), "{step}: {answer:?}");
                let log = steered.node().log();
                let told = log.lines().rfind(|line| line.contains("a panic"));
                let told: serde_json::Value = serde_json::from_str(told.unwrap_or_default()).unwrap();
                assert_eq!(told["level"], "ERROR", "{step}");
                assert!(told["location"].as_str().unwrap().contains("src/"), "{told}");
                assert_eq!(told["span"]["name"], "request", "{told}");
            }
            steered.failpoints.disarm();
            assert!(exchange().await.is_success(), "{step}");
        }
        let answers = join_all((0..64).map(|_| exchange())).await;
        assert!(answers.iter().all(|answer| answer.is_success()));
        gauges.come_back(steered.node(), 16).await;
        steered.end().await;
    }
}

/// REL-10: many sign-ins at once within two gigabytes of address space: some are told to come again, the process lives, and what
/// it holds in memory stays within its hashes and a bounded rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_sign_ins_stays_within_its_memory() {
    const AT_ONCE: usize = 150;
    let installation = Installation::make(Backend::Embedded).await;
    // they all come from one address
    let plan = installation
        .plan()
        .at(installation.front)
        .with("OSTIARY_SETTINGS__GUESS__SOURCE_BUDGET", "1000");
    // of addresses, that is: each thread reserves 64 MiB of them for what it may allocate, and uses little
    let mut node = plan.inside(&["prlimit", "--as=2147483648"]).start().await;
    let users = installation.users(AT_ONCE).await;
    let url = format!("{}/login", installation.issuer());
    let answers = join_all(users.iter().map(async |user| {
        let browser = Browser::new();
        let page = browser.get(&url).await;
        let values = [
            ("username", user.username.as_str()),
            ("password", user.password.as_str()),
        ];
        let answer = browser.submit(&page, page.form_with("password"), &values).await;
        (answer.status.as_u16(), answer.header("retry-after").to_owned())
    }))
    .await;
    assert!(node.runs(), "{}", node.log());
    let signed_in = answers.iter().filter(|(status, _)| *status == 303).count();
    assert!(signed_in > 0);
    for (status, retry_after) in &answers {
        assert!(
            *status == 303 || (*status == 503 && !retry_after.is_empty()),
            "{status}"
        );
    }
    let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let most = cores * 19 * 1024 + 192 * 1024;
    assert!(node.resident_kib() < most, "{} KiB", node.resident_kib());
    println!(
        "{signed_in} of {AT_ONCE} signed in, {} KiB resident",
        node.resident_kib()
    );
    drop(node);
    installation.remove().await;
}

/// REL-11: with every file descriptor taken by idle connections, those that were there are served, newcomers wait or are
/// refused, and five seconds after the release everything is as before. The log says so.
#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_those_who_are_connected_are_served() {
    for backend in backends() {
        let installation = Installation::make(backend).await;
        let plan = installation.plan().at(installation.front);
        let node = plan.inside(&["prlimit", "--nofile=256:256"]).start().await;
        let stage = Stage::set(&installation).await;
        let mut early = Wire::to(node.address);
        let code = stage.code(&mut early).await;
        let mut idle = Vec::new();
        for _ in 0..400 {
            match timeout(Duration::from_millis(200), TcpStream::connect(node.address)).await {
                Ok(Ok(stream)) => idle.push(stream),
                _ => break,
            }
        }
        until(PATIENCE, "the log says that it is full", async || {
            node.log().contains("every place for connections is taken")
        })
        .await;
        assert!(node.descriptors() <= 256);
        let tokens = early.exchange(&stage.redeem(&code)).await.unwrap();
        assert!(tokens.is_success(), "{backend:?}: {} {}", tokens.status, tokens.body);
        let next = early
            .exchange(&stage.refresh(&tokens.get("refresh_token")))
            .await
            .unwrap();
        assert!(next.is_success(), "{backend:?}: {} {}", next.status, next.body);
        let mut late = Wire::to(node.address);
        let health = request("GET", &stage.host, "/healthz", &[], "");
        if let Ok(Ok(told)) = timeout(Duration::from_secs(1), late.exchange(&health)).await {
            assert_eq!(told.status, 503, "a newcomer is served");
        }
        drop(idle);
        // five seconds are promised; three times that for a machine that has much else to do
        let within = Duration::from_secs(5) * length(3, 3, 1);
        until(within, "newcomers are served again", async || {
            let told = Wire::to(node.address).exchange(&health).await;
            told.is_ok_and(|told| told.status == 200)
        })
        .await;
        assert_eq!(node.readiness().await, Some(200));
        drop(node);
        installation.remove().await;
    }
}
