//! A node is killed between any two steps of an exchange: of a code, of a refresh token, of a password.

use std::sync::Arc;
use std::time::Duration;

use ostiary::model::Secret;

use super::{READY_AGAIN, Steered};
use crate::support::backend::{Backend, length, quick};
use crate::support::browser::Browser;
use crate::support::ledger::{Kind, Ledger, Outcome};
use crate::support::process::{Installation, PATIENCE, until};
use crate::support::relying_party::RelyingParty;
use crate::support::seed::TestUser;
use crate::support::wire::{Wire, WireAnswer};

/// Sends a request that a kill will cut off, in the background.
fn send(
    ledger: &Arc<Ledger>,
    steered: &Steered,
    kind: Kind,
    artifact: &str,
    request: Vec<u8>,
) -> tokio::task::JoinHandle<Outcome> {
    let (ledger, address) = (ledger.clone(), steered.node().address);
    let (artifact, subject) = (artifact.to_owned(), steered.stage.user.subject.clone());
    tokio::spawn(async move {
        let mut wire = Wire::to(address);
        ledger.ask(&mut wire, kind, &artifact, &subject, &request).await
    })
}

fn answered(outcome: &Outcome) -> &WireAnswer {
    match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::Lost(error) => panic!("no answer: {error}"),
    }
}

/// Whether a token counts, as the client's introspection says.
async fn counts(steered: &Steered, token: &str) -> bool {
    let request = steered.stage.introspect(token);
    let answer = Wire::to(steered.node().address).exchange(&request).await.unwrap();
    answer.json()["active"].as_bool().unwrap()
}

async fn codes_survive(backend: Backend) {
    let mut steered = Steered::on(backend).await;
    let ledger = Arc::new(Ledger::default());
    let steps = steered
        .steps(async || {
            let code = steered.stage.code_at(steered.node().address).await;
            let request = steered.stage.redeem(&code);
            let task = send(&ledger, &steered, Kind::Code, &code, request);
            assert!(answered(&task.await.unwrap()).is_success());
        })
        .await;
    for step in &steps {
        let code = steered.stage.code_at(steered.node().address).await;
        let request = steered.stage.redeem(&code);
        steered.failpoints.arm("pause", step);
        let task = send(&ledger, &steered, Kind::Code, &code, request.clone());
        steered.reached(&task).await;
        let ready = steered.kill().await;
        assert!(ready < READY_AGAIN, "ready again after {ready:?}");
        let first = task.await.unwrap();
        let again = send(&ledger, &steered, Kind::Code, &code, request.clone())
            .await
            .unwrap();
        let last = send(&ledger, &steered, Kind::Code, &code, request).await.unwrap();
        assert!(answered(&last).get("error") == "invalid_grant", "{step}: {last:?}");
        // whoever was told no holds no token, and nothing that was made and never told counts
        let delivered = [&first, &again].into_iter().find_map(|outcome| match outcome {
            Outcome::Answered(answer) if answer.is_success() => Some(answer.clone()),
            _ => None,
        });
        if let Some(delivered) = delivered {
            for name in ["access_token", "refresh_token"] {
                assert!(
                    !counts(&steered, &delivered.get(name)).await,
                    "{step}: {name} of a replayed code"
                );
            }
        } else {
            assert_eq!(answered(&again).get("error"), "invalid_grant", "{step}");
        }
        let store = steered.installation.store().await;
        let digest = Secret::new(code.as_str()).digest();
        let grant = store.read().await.unwrap().find_grant_by_code(&digest).await.unwrap();
        assert!(
            grant.is_none_or(|grant| grant.ended_at.is_some()),
            "{step}: a family goes on"
        );
        store.close().await;
    }
    ledger.assert_once();
    ledger.assert_identity();
    ledger.assert_stored(&steered.installation).await;
    ledger.assert_verified(steered.node(), &steered.stage.host).await;
    steered.end().await;
}

/// REL-02, SQLite: killed between any two steps of the exchange, a code is accepted once or never; its answer lost, it is
/// refused, and what was made of it does not count.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_accepted_once_or_never_wherever_the_node_is_killed() {
    codes_survive(Backend::Embedded).await;
}

/// REL-02, Postgres.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_accepted_once_or_never_wherever_the_node_is_killed_on_postgres() {
    if !quick() {
        codes_survive(Backend::PostgresRedis).await;
    }
}

async fn families_survive(backend: Backend) {
    let mut steered = Steered::on(backend).await;
    let ledger = Arc::new(Ledger::default());
    let code = steered.stage.code_at(steered.node().address).await;
    let request = steered.stage.redeem(&code);
    let first = send(&ledger, &steered, Kind::Code, &code, request).await.unwrap();
    let mut newest = answered(&first).get("refresh_token");
    let rotate = async |steered: &Steered, token: &str| {
        let task = send(&ledger, steered, Kind::Refresh, token, steered.stage.refresh(token));
        answered(&task.await.unwrap()).get("refresh_token")
    };
    let before = newest.clone();
    let steps = steered
        .steps(async || {
            rotate(&steered, &before).await;
        })
        .await;
    newest = rotate(&steered, &newest).await;
    for step in &steps {
        steered.failpoints.arm("pause", step);
        let request = steered.stage.refresh(&newest);
        let task = send(&ledger, &steered, Kind::Refresh, &newest, request);
        steered.reached(&task).await;
        steered.kill().await;
        let lost = task.await.unwrap();
        // nobody has to sign in again: a client that asks again gets its successor, the same each time
        let next = rotate(&steered, &newest).await;
        assert!(!next.is_empty(), "{step}: a forced sign-in after {lost:?}");
        assert_eq!(rotate(&steered, &newest).await, next, "{step}");
        newest = next;
    }
    ledger.assert_once();
    ledger.assert_identity();
    ledger.assert_scope_never_grows();
    ledger.assert_stored(&steered.installation).await;
    steered.end().await;
}

/// REL-03, SQLite: killed between any two steps of a rotation, the client goes on with the old token or its one successor.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_goes_on_wherever_the_node_is_killed() {
    families_survive(Backend::Embedded).await;
}

/// REL-03, Postgres.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_goes_on_wherever_the_node_is_killed_on_postgres() {
    if !quick() {
        families_survive(Backend::PostgresRedis).await;
    }
}

async fn sign_ins_survive(backend: Backend) {
    let mut steered = Steered::on(backend).await;
    let client = steered.installation.client(|_| ()).await;
    let sign_in = |steered: &Steered| {
        let (issuer, host) = (steered.installation.issuer(), steered.installation.host());
        let (client, user) = (client.clone(), steered.stage.user.clone());
        tokio::spawn(async move {
            let party = RelyingParty::at(&issuer, &host, &client);
            let arrival = party.sign_in(&Browser::new(), &user).await;
            party.redeem(arrival.code()).await.ok().get("id_token")
        })
    };
    let steps = steered
        .steps(async || {
            assert!(!sign_in(&steered).await.unwrap().is_empty());
        })
        .await;
    let sessions = async |steered: &Steered| {
        let store = steered.installation.store().await;
        let now = crate::support::process::now();
        let mut read = store.read().await.unwrap();
        let live = read
            .list_live_sessions_of(steered.stage.user.id, now, 1_000)
            .await
            .unwrap();
        drop(read);
        store.close().await;
        live.len()
    };
    for step in &steps {
        let before = sessions(&steered).await;
        steered.failpoints.arm("pause", step);
        let cut = sign_in(&steered);
        steered.reached(&cut).await;
        let ready = steered.kill().await;
        assert!(ready < READY_AGAIN, "ready again after {ready:?}");
        drop(cut.await);
        // at most the one session that was begun with the right password, and the next sign-in goes through
        assert!(sessions(&steered).await <= before + 1, "{step}");
        let token = tokio::time::timeout(Duration::from_secs(60), sign_in(&steered))
            .await
            .unwrap();
        assert!(!token.unwrap().is_empty(), "{step}");
    }
    steered.end().await;
}

/// REL-01, SQLite: killed anywhere in a sign-in, nobody is signed in without a password that was right, and the person can
/// begin again.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_can_be_begun_again_wherever_the_node_is_killed() {
    sign_ins_survive(Backend::Embedded).await;
}

/// Signs in on the page: what that is answered with.
async fn enter(login: String, user: TestUser) -> u16 {
    let browser = Browser::new();
    let page = browser.get(&login).await;
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let answer = browser.submit(&page, page.form_with("password"), &values).await;
    answer.status.as_u16()
}

/// REL-01 with two hundred sign-ins in flight (forty in the quick part): whoever has a session has proved who they are, on record;
/// the others begin again.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_signs_in_while_the_node_is_killed() {
    let crowd = length(40, 200, 200);
    let installation = Installation::make(Backend::Embedded).await;
    // they all come from one address
    let plan = installation
        .plan()
        .at(installation.front)
        .with("OSTIARY_SETTINGS__GUESS__SOURCE_BUDGET", "10000");
    let node = plan.start().await;
    let users = installation.users(crowd).await;
    let login = format!("{}/login", installation.issuer());
    let cut: Vec<_> = users
        .iter()
        .map(|user| tokio::spawn(enter(login.clone(), user.clone())))
        .collect();
    until(PATIENCE, "some are in, others are not", async || {
        cut.iter().any(tokio::task::JoinHandle::is_finished)
    })
    .await;
    let killed = ostiary::clock::monotonic();
    let node = node.kill().start().await;
    let ready = killed.elapsed();
    assert!(ready < READY_AGAIN, "ready again after {ready:?}");
    let mut told = 0;
    for cut in cut {
        told += usize::from(cut.await.is_ok_and(|status| status == 303));
    }
    assert!(told < crowd, "the kill came too late");
    let store = installation.store().await;
    let mut read = store.database().read().await.unwrap();
    let unproven = "
        select count(*)
        from sessions
        where not exists (
            select 1
            from events
            where events.kind = 'sign_in' and events.outcome = 'success' and events.user_id = sessions.user_id
        )";
    let unproven: i64 = read.sql(unproven).one().await.unwrap();
    let sessions: i64 = read.sql("select count(*) from sessions").one().await.unwrap();
    drop(read);
    store.close().await;
    assert_eq!(unproven, 0, "a session of nobody who proved anything");
    assert!(
        sessions >= i64::try_from(told).unwrap(),
        "{told} were told, {sessions} are there"
    );
    for user in users.iter().rev().take(5) {
        assert_eq!(enter(login.clone(), user.clone()).await, 303);
    }
    println!("{sessions} of {crowd} in at the kill, {told} told so; ready again within {ready:?}");
    drop(node);
    installation.remove().await;
}

/// REL-01, Postgres.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_can_be_begun_again_wherever_the_node_is_killed_on_postgres() {
    if !quick() {
        sign_ins_survive(Backend::PostgresRedis).await;
    }
}
