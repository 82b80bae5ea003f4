//! Many at once, and one thing twice: on one node with the embedded store, on three nodes with Postgres and Redis.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ostiary::clock;
use ostiary::flow::clients;
use ostiary::flow::people::{self, ChangeSource, NewPassword, WeakPasswords};
use ostiary::model::{AccessTokenFormat, ConsentMode, Digest};
use tokio::sync::watch;

use super::scene::{MINUTE, SECOND, Scene, Tokens, active, assert_invalid_grant, count_events, service};
use crate::support::backend::{Backend, backends};
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Server, each_backend};

const TOGETHER: usize = 64;

/// Runs a test on one node with the embedded store, and on three with Postgres and Redis.
async fn on_nodes(test: impl AsyncFn(&[&Server])) {
    for backend in backends() {
        let first = Server::start_with(backend).await;
        let mut others = Vec::new();
        if backend == Backend::PostgresRedis {
            others.push(first.node().await);
            others.push(first.node().await);
        }
        let nodes: Vec<&Server> = [&first].into_iter().chain(&others).collect();
        test(&nodes).await;
        for node in others {
            node.stop().await;
        }
        first.stop().await;
    }
}

/// The same relying party at every node.
fn everywhere<'a>(nodes: &[&'a Server], scene: &'a Scene<'a>, party: &RelyingParty<'_>) -> Vec<RelyingParty<'a>> {
    let at = |node: &&'a Server| {
        let mut copy = RelyingParty::new(node, &scene.client);
        copy.code_verifier.clone_from(&party.code_verifier);
        copy
    };
    nodes.iter().map(at).collect()
}

fn successes(answers: &[Answer]) -> Vec<Tokens> {
    let all = answers.iter().filter(|answer| answer.status.is_success());
    all.map(Tokens::of).collect()
}

/// SEC-041
#[tokio::test(flavor = "multi_thread")]
async fn code_single_use_race() {
    on_nodes(async |nodes| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(nodes[0], |client| client.policy.access_token_format = format).await;
            for _ in 0..3 {
                let party = scene.party();
                let code = scene.code(&party).await;
                let parties = everywhere(nodes, &scene, &party);
                let answers = join_all((0..TOGETHER).map(|at| parties[at % parties.len()].redeem(&code))).await;
                let won = successes(&answers);
                assert_eq!(won.len(), 1);
                for lost in answers.iter().filter(|answer| !answer.status.is_success()) {
                    assert_invalid_grant(lost);
                }
                // the others were replays: what the first one got is over
                assert!(!scene.counts(&won[0].access).await && !scene.counts(&won[0].refresh).await);
            }
            assert_eq!(count_events(nodes[0], &scene.client, "code.redeemed").await, 3);
        }
    })
    .await;
}

/// SEC-048
#[tokio::test(flavor = "multi_thread")]
async fn refresh_race_single_successor() {
    on_nodes(async |nodes| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(nodes[0], |client| client.policy.access_token_format = format).await;
            let parties = everywhere(nodes, &scene, &scene.party());
            let mut newest = scene.tokens().await.refresh;
            for _ in 0..3 {
                let answers = join_all((0..TOGETHER).map(|at| parties[at % parties.len()].refresh(&newest))).await;
                let won = successes(&answers);
                let successors: BTreeSet<&String> = won.iter().map(|tokens| &tokens.refresh).collect();
                assert_eq!(successors.len(), 1);
                // a lost answer is given again; who was too slow for that is told to come back, and harms nothing
                for lost in answers.iter().filter(|answer| !answer.status.is_success()) {
                    assert_eq!(lost.status, 503, "{}", lost.body);
                }
                newest = won[0].refresh.clone();
                assert!(scene.counts(&newest).await);
            }
            // one rotation each was written down
            assert_eq!(count_events(nodes[0], &scene.client, "token.refreshed").await, 3);
            assert_eq!(count_events(nodes[0], &scene.client, "refresh.replayed").await, 0);
        }
    })
    .await;
}

/// What ends on one node holds on the others within a second; machines that run tests get three.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// Whether an access token is refused at every endpoint of a node.
async fn is_dead(party: &RelyingParty<'_>, access_token: &str) -> bool {
    !active(&party.introspect(access_token).await) && !party.userinfo(access_token).await.status.is_success()
}

/// Fails if one of these tokens still counts anywhere: at once on the node that acknowledged their end, soon on the others.
async fn assert_all_dead(nodes: &[&Server], acknowledged: usize, scene: &Scene<'_>, ended: &[Tokens]) {
    let acknowledged = acknowledged % nodes.len();
    for tokens in ended {
        let party = RelyingParty::new(nodes[acknowledged], &scene.client);
        assert!(
            is_dead(&party, &tokens.access).await,
            "still counts where its end was acknowledged"
        );
    }
    for tokens in ended {
        for node in nodes {
            let party = RelyingParty::new(node, &scene.client);
            assert!(!active(&party.introspect(&tokens.refresh).await));
            let began = Instant::now();
            while !is_dead(&party, &tokens.access).await {
                assert!(began.elapsed() < KNOWN_WITHIN);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        assert_invalid_grant(&scene.party().refresh(&tokens.refresh).await);
    }
}

/// Counts the answers of a race, so that another request can wait until so many are there.
struct Finish {
    answered: watch::Sender<usize>,
}

impl Finish {
    fn new() -> Self {
        let (answered, _) = watch::channel(0);
        Self { answered }
    }

    async fn of(&self, asked: impl Future<Output = Answer>) -> Answer {
        let answer = asked.await;
        self.answered.send_modify(|answered| *answered += 1);
        answer
    }

    async fn reached(&self, count: usize) {
        let mut answered = self.answered.subscribe();
        answered.wait_for(|answered| *answered >= count).await.unwrap();
    }
}

/// SEC-052: at once, and when one, two and three of the refreshes are through.
#[tokio::test(flavor = "multi_thread")]
async fn revoke_vs_refresh_race() {
    on_nodes(async |nodes| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(nodes[0], |client| client.policy.access_token_format = format).await;
            let parties = everywhere(nodes, &scene, &scene.party());
            let at = |index: usize| &parties[index % parties.len()];
            let mut refreshed = 0;
            for round in 0..4 {
                let tokens = scene.tokens().await;
                let finish = Finish::new();
                let refreshes = join_all((0..8).map(|index| finish.of(at(index + round).refresh(&tokens.refresh))));
                let revoked = async {
                    finish.reached(round).await;
                    at(round + 1).revoke(&tokens.refresh).await.ok();
                };
                let (answers, ()) = tokio::join!(refreshes, revoked);
                let mut ended = successes(&answers);
                refreshed += usize::from(!ended.is_empty());
                ended.push(tokens);
                assert_all_dead(nodes, round + 1, &scene, &ended).await;
            }
            assert!(refreshed >= 3, "only {refreshed} of 4 races let a refresh through");
        }
    })
    .await;
}

/// SEC-052
#[tokio::test(flavor = "multi_thread")]
async fn revoke_vs_refresh_race_of_a_new_password_and_a_code() {
    on_nodes(async |nodes| {
        let scene = Scene::on(nodes[0]).await;
        let mut won = 0;
        for round in 0..4 {
            let party = scene.party();
            let before = scene.tokens().await;
            let codes = [
                scene.code(&party).await,
                scene.code(&party).await,
                scene.code(&party).await,
            ];
            let parties = everywhere(nodes, &scene, &party);
            let finish = Finish::new();
            let redeemed = join_all(
                codes
                    .iter()
                    .enumerate()
                    .map(|(index, code)| finish.of(parties[(index + round) % parties.len()].redeem(code))),
            );
            let provider = nodes[round % nodes.len()].provider();
            let call = nodes[0].call();
            let password = async {
                finish.reached(round.min(codes.len())).await;
                people::set_password(
                    provider,
                    &call,
                    &ChangeSource::Command,
                    scene.user.id,
                    NewPassword::Generated,
                    WeakPasswords::Refuse,
                )
                .await
            };
            let (answers, changed) = tokio::join!(redeemed, password);
            changed.unwrap();
            let mut ended = successes(&answers);
            won += usize::from(!ended.is_empty());
            ended.push(before);
            // they asked for offline access, which outlives sessions, but not this
            assert_all_dead(nodes, round, &scene, &ended).await;
        }
        assert!(won >= 3, "only {won} of 4 races let a code through");
    })
    .await;
}

/// SEC-754
#[tokio::test(flavor = "multi_thread")]
async fn prop_revocation_monotone() {
    on_nodes(async |nodes| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(nodes[0], |client| client.policy.access_token_format = format).await;
            let parties = everywhere(nodes, &scene, &scene.party());
            let last = parties.last().unwrap();
            // a family: at once on the node that was told and on every other
            let tokens = scene.tokens().await;
            let next = Tokens::of(&parties[0].refresh(&tokens.refresh).await);
            last.revoke(&next.refresh).await.ok();
            for round in 0..3 {
                for party in &parties {
                    for dead in [&tokens, &next] {
                        assert_invalid_grant(&party.refresh(&dead.refresh).await);
                        assert!(!party.userinfo(&dead.access).await.status.is_success());
                        assert!(!active(&party.introspect(&dead.access).await));
                    }
                    // neither another sign-on of the same person nor a revocation again brings it back
                    scene.tokens().await;
                    party.revoke(&next.access).await.ok();
                }
                nodes[0].advance([SECOND, 40 * SECOND, 2 * MINUTE][round]);
            }
            // an access token alone
            let tokens = scene.tokens().await;
            last.revoke(&tokens.access).await.ok();
            let next = Tokens::of(&parties[0].refresh(&tokens.refresh).await);
            for party in &parties {
                assert!(!active(&party.introspect(&tokens.access).await));
                assert!(active(&party.introspect(&next.access).await));
            }
        }
        // a client: at once where it was disabled, within a second everywhere
        let client = nodes[0].client(service("admin")).await;
        let grant = [("grant_type", "client_credentials")];
        for node in nodes {
            RelyingParty::new(node, &client).token(&grant).await.ok();
        }
        let last = nodes.last().unwrap();
        clients::disable(
            last.provider(),
            &last.call(),
            &clients::Authority::Operator,
            client.id,
            None,
        )
        .await
        .unwrap();
        assert_eq!(RelyingParty::new(last, &client).token(&grant).await.status, 401);
        let begun = clock::monotonic();
        for node in nodes {
            let party = RelyingParty::new(node, &client);
            while party.token(&grant).await.status.is_success() {
                // twice the second, for machines that have other things to do
                assert!(begun.elapsed() < Duration::from_secs(2), "still a client");
            }
            assert_eq!(party.token(&grant).await.status, 401);
        }
    })
    .await;
}

/// SEC-758
#[tokio::test(flavor = "multi_thread")]
async fn prop_ambiguous_retry() {
    on_nodes(async |nodes| {
        let scene = Scene::on(nodes[0]).await;
        let party = scene.party();
        let parties = everywhere(nodes, &scene, &party);
        // whoever did not hear the answer asks another node
        let (first, other) = (&parties[0], parties.last().unwrap());
        let tokens = scene.tokens().await;
        let refreshed = Tokens::of(&first.refresh(&tokens.refresh).await);
        let again = Tokens::of(&other.refresh(&tokens.refresh).await);
        assert_eq!(refreshed.refresh, again.refresh);
        assert_eq!(count_events(nodes[0], &scene.client, "token.refreshed").await, 1);
        // both answers are good, and go together
        assert!(scene.counts(&refreshed.access).await && scene.counts(&again.access).await);
        for party in [first, other, first] {
            let answer = party.revoke(&again.refresh).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
        }
        for token in [&refreshed.access, &again.access, &again.refresh] {
            assert!(!scene.counts(token).await);
        }
        // a code is refused the second time, and there is one family, which is over
        let code = scene.code(&party).await;
        let won = Tokens::of(&first.redeem(&code).await);
        assert_invalid_grant(&other.redeem(&code).await);
        assert_invalid_grant(&first.redeem(&code).await);
        assert!(!scene.counts(&won.refresh).await);
        // the pages behind an authorization request repeat their answer: the browser's tests show it
        let digest = ostiary::model::Secret::new(code.as_str()).digest();
        let mut store = nodes[0].provider().store.read().await.unwrap();
        assert!(
            store
                .find_grant_by_code(&digest)
                .await
                .unwrap()
                .unwrap()
                .ended_at
                .is_some()
        );
    })
    .await;
}

/// SEC-045: what was allowed is taken back while a code is on its way into the store: nothing comes of the code.
#[tokio::test(flavor = "multi_thread")]
async fn consent_that_is_taken_back_overtakes_a_code() {
    each_backend(async |server| {
        let scene = Scene::with(server, |client| client.policy.consent = ConsentMode::Ask).await;
        let party = scene.party();
        let code = scene.code(&party).await;
        let (user, client, now) = (scene.user.id, scene.client.id, server.call().now);
        let mut withdrawing = server.provider().store.write().await.unwrap();
        assert!(withdrawing.withdraw_consent(user, client).await.unwrap());
        let ended = withdrawing.end_grants_of_user_and_client(user, client, now, "test");
        assert_eq!(ended.await.unwrap(), 0);
        let redeem = async {
            let answer = party.redeem(&code).await;
            answer.error()
        };
        let withdraw = async {
            // until the code has been judged by what still stands, and waits
            tokio::time::sleep(Duration::from_millis(400)).await;
            withdrawing.commit().await.unwrap();
        };
        let (error, ()) = tokio::join!(redeem, withdraw);
        assert_eq!(error, "invalid_grant");
        let mut store = server.provider().store.read().await.unwrap();
        assert!(
            store
                .find_grant_by_code(&Digest::of(code.as_bytes()))
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}
