//! A node is killed while it tells applications that a session has ended: the person stays signed out, each application is told in the
//! end, and knows what it is told once more by its id.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::clock;
use ostiary::model::{Client, ConsentMode, Id, Session};

use super::Steered;
use crate::support::backend::{Backend, length, quick};
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::logout_receiver::{LogoutReceiver, Manner};
use crate::support::process::{Installation, PATIENCE, until};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::seed::TestClient;

/// Whoever was not told by a node that died is told within this time of its death; three times that on a machine that has other things
/// to do.
const TOLD_WITHIN: Duration = Duration::from_secs(3 * 30);

/// A client whose person allows everything, and who is told at this address.
async fn listening(installation: &Installation, receiver: &LogoutReceiver) -> TestClient {
    let change = |client: &mut Client| {
        client.policy.consent = ConsentMode::Skip;
        client.metadata.backchannel_logout_uri = Some(receiver.uri.clone());
    };
    installation.client(change).await
}

/// Signs on to a client in this browser. Gives the session, as the client knows it.
async fn signs_on(installation: &Installation, client: &TestClient, browser: &Browser) -> (Id<Session>, String) {
    let mut party = RelyingParty::at(&installation.issuer(), &installation.host(), client);
    party.scope = "openid profile".to_owned();
    let arrival = browser.open(&party.authorization_url()).await;
    let url = arrival
        .location()
        .unwrap_or_else(|| panic!("{} {}", arrival.status, arrival.body));
    let (_, code) = url.query_pairs().find(|(name, _)| name == "code").unwrap();
    let answer = party.redeem(&code).await.ok();
    let session = claims(&answer.get("id_token"))["sid"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    (session, answer.get("refresh_token"))
}

/// The person signs out on the server's own page.
async fn sign_out(installation: &Installation, browser: &Browser) {
    let page = browser.get(&format!("{}/logout", installation.issuer())).await;
    let form = page.form_with_button("decision", "sign_out");
    let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert_eq!(done.status, 303, "{}", done.body);
}

async fn is_signed_in(installation: &Installation, browser: &Browser) -> bool {
    let page = browser.get(&format!("{}/", installation.issuer())).await;
    assert!(page.status.is_success(), "{} {}", page.status, page.body);
    unescape(&page.body).contains("href=\"/logout\"")
}

/// How many applications have still to be told.
async fn waiting(installation: &Installation) -> i64 {
    let store = installation.store().await;
    let number = store.read().await.unwrap().waiting_logouts(1_000).await.unwrap().number;
    store.close().await;
    number
}

/// The ids of what was told.
fn ids(receiver: &LogoutReceiver) -> BTreeSet<String> {
    let tokens = receiver.tokens();
    tokens
        .iter()
        .map(|token| claims(token)["jti"].as_str().unwrap().to_owned())
        .collect()
}

async fn killed_while_telling(backend: Backend) {
    let installation = Installation::make(backend).await;
    let node = installation.only_node().await;
    let user = installation.user("ada").await;
    let browser = Browser::new();
    let (mut receivers, mut clients, mut refresh_tokens) = (Vec::new(), Vec::new(), Vec::new());
    let mut session = None;
    for number in 0..length(24, 50, 50) {
        let receiver = LogoutReceiver::start().await;
        // the first ones take what they are told and do not come to say so before the node is gone
        receiver.answer(Manner::Keeps);
        let client = listening(&installation, &receiver).await;
        if number == 0 {
            let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
            party.sign_in(&browser, &user).await;
        }
        let (served, refresh_token) = signs_on(&installation, &client, &browser).await;
        assert_eq!(*session.get_or_insert(served), served, "one session serves them all");
        receivers.push(receiver);
        clients.push(client);
        refresh_tokens.push(refresh_token);
    }
    sign_out(&installation, &browser).await;
    let reached = || {
        receivers
            .iter()
            .filter(|receiver| !receiver.tokens().is_empty())
            .count()
    };
    until(PATIENCE, "some are being told", async || reached() >= 8).await;
    let plan = node.kill();
    let killed = clock::monotonic();
    let before: Vec<usize> = receivers.iter().map(|receiver| receiver.tokens().len()).collect();
    assert!(before.contains(&0), "everybody was told before the node was killed");
    for receiver in &receivers {
        receiver.answer(Manner::Takes);
    }
    let node = plan.start().await;
    assert!(!is_signed_in(&installation, &browser).await, "signed out is signed out");
    until(TOLD_WITHIN, "everybody is told", async || reached() == receivers.len()).await;
    let told = killed.elapsed();
    until(TOLD_WITHIN, "it is written down", async || {
        waiting(&installation).await == 0
    })
    .await;
    let mut all = BTreeSet::new();
    for (number, receiver) in receivers.iter().enumerate() {
        let tokens = receiver.tokens();
        assert_eq!(tokens.len(), 1 + before[number], "{number}");
        for token in &tokens {
            let told = claims(token);
            assert_eq!(told["sid"], session.unwrap().to_string());
            assert_eq!(told["aud"], clients[number].client_id);
        }
        let ids = ids(receiver);
        assert_eq!(ids.len(), 1, "told once more it is known again: {ids:?}");
        all.extend(ids);
        let party = RelyingParty::at(&installation.issuer(), &installation.host(), &clients[number]);
        assert_eq!(party.refresh(&refresh_tokens[number]).await.error(), "invalid_grant");
    }
    assert_eq!(all.len(), receivers.len(), "each is told something of its own");
    println!(
        "REL-06 on {backend:?}: {} of {} were being told when the node was killed; all were told {told:?} later",
        before.iter().filter(|times| **times > 0).count(),
        receivers.len()
    );
    drop(node);
    installation.remove().await;
}

/// REL-06: fifty applications are told of the end of a session, and the node is killed after the first of them.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_not_told_when_the_node_was_killed_is_told_later() {
    killed_while_telling(Backend::Embedded).await;
}

/// REL-06 on Postgres and Redis.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_not_told_when_the_node_was_killed_is_told_later_on_postgres() {
    if !quick() {
        killed_while_telling(Backend::PostgresRedis).await;
    }
}

/// REL-06: killed between any two steps of a sign-out and of what follows it, the application is told; twice at most, under one id.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_told_wherever_the_node_is_killed() {
    let mut steered = Steered::on(Backend::Embedded).await;
    let receiver = LogoutReceiver::start().await;
    let client = listening(&steered.installation, &receiver).await;
    let user = steered.stage.user.clone();
    let signed_in = async |steered: &Steered| {
        let browser = Browser::new();
        let party = RelyingParty::at(&steered.installation.issuer(), &steered.installation.host(), &client);
        party.sign_in(&browser, &user).await;
        let (session, _) = signs_on(&steered.installation, &client, &browser).await;
        (browser, session)
    };
    let of = |session: Id<Session>| {
        let tokens = receiver.tokens().into_iter();
        let of_it = tokens.filter(|token| claims(token)["sid"] == session.to_string());
        of_it.collect::<Vec<_>>()
    };
    let (browser, session) = signed_in(&steered).await;
    let steps = steered
        .steps(async || {
            sign_out(&steered.installation, &browser).await;
            until(PATIENCE, "it is written down", async || {
                !of(session).is_empty() && waiting(&steered.installation).await == 0
            })
            .await;
        })
        .await;
    assert!(steps.iter().any(|step| step.contains("logouts")), "{steps:?}");
    let (mut twice, mut hits) = (0, 0);
    for step in steps {
        let (browser, session) = signed_in(&steered).await;
        steered.failpoints.arm("pause", &step);
        let installation = &steered.installation;
        let stands = until(PATIENCE, &step, async || {
            steered.failpoints.is_reached() || (!of(session).is_empty() && waiting(installation).await == 0)
        });
        tokio::select! {
            // the person may wait for an answer that does not come
            () = async {
                sign_out(installation, &browser).await;
                std::future::pending().await
            } => {}
            _ = stands => {}
        }
        hits += usize::from(steered.failpoints.is_reached());
        steered.kill().await;
        let installation = &steered.installation;
        if is_signed_in(installation, &browser).await {
            sign_out(installation, &browser).await;
        }
        // who had taken it to tell is gone: its time is made to be over
        let store = installation.store().await;
        let mut tx = store.database().write().await.unwrap();
        tx.sql("update logouts set next_at = created_at where next_at is not null")
            .changed()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        until(PATIENCE, &step, async || {
            !of(session).is_empty() && waiting(installation).await == 0
        })
        .await;
        let tokens = of(session);
        let ids: BTreeSet<String> = tokens.iter().map(|token| claims(token)["jti"].to_string()).collect();
        assert!(
            tokens.len() <= 2 && ids.len() == 1,
            "{step}: {} times, {ids:?}",
            tokens.len()
        );
        twice += usize::from(tokens.len() == 2);
    }
    println!("REL-06: {hits} kills hit; {twice} times the application was told twice, under one id");
    assert!(hits > 4 && twice > 0, "{hits} hit, {twice} twice");
    steered.end().await;
}
