//! Another Postgres takes over, and a newer schema comes while the program runs.

use std::time::Duration;

use ostiary::clock;

use super::ledger::{report, statuses};
use super::site::{Families, Site, bound, length};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::process::{PATIENCE, until};
use crate::support::proxy::{Mode, Proxy};
use crate::support::relying_party::RelyingParty;
use crate::support::services::Postgres;

async fn streams(primary: &Postgres) {
    until(PATIENCE, "the replica streams", async || {
        primary
            .number("select count(*) from pg_stat_replication where state = 'streaming'")
            .await
            == 1
    })
    .await;
}

/// REL-20: a replica that missed the last moment is promoted. What the lost moment had used up can't be used again: its codes
/// and pending sign-ins are void. Who was signed in before it stays so; who signed in within it signs in again.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_moment_had_used_up_stays_used() {
    if quick() {
        return;
    }
    let mut site = Site::start().await;
    let wire = Proxy::start(site.postgres.address).await;
    let replica = site.postgres.replica(wire.address, &[]).await;
    streams(&site.postgres).await;
    let party = site.party();
    let before = Browser::new();
    party.sign_in(&before, &site.user).await;
    let tokens = party.redeem(party.sign_in(&before, &site.user).await.code()).await.ok();
    let used = party.sign_in(&before, &site.user).await;
    let unused = party.sign_in(&before, &site.user).await;
    let visitor = Browser::new();
    let pending = visitor.open(&party.authorization_url()).await;
    assert!(!pending.forms().is_empty(), "{}", pending.body);
    let epoch = site.postgres.number("select epoch from installation").await;
    let written = site
        .postgres
        .number("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        .await;
    until(PATIENCE, "the replica has everything of before", async || {
        replica
            .number("select pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint")
            .await
            >= written
    })
    .await;

    // the lost moment
    wire.set(Mode::BlackHole);
    party.redeem(used.code()).await.ok();
    let rotated = party.refresh(&tokens.get("refresh_token")).await.ok();
    let within = Browser::new();
    party.sign_in(&within, &site.user).await;
    // and its changes, of which the node hears
    site.postgres.run("update generations set number = number + 5").await;
    site.setting("token.access_lifetime", "\"77s\"").await;
    let lifetime = async |party: &RelyingParty<'_>, refresh_token: &str| {
        let answer = party.refresh(refresh_token).await.ok();
        (
            answer.json()["expires_in"].as_i64().unwrap(),
            answer.get("refresh_token"),
        )
    };
    let (changed, rotated_again) = lifetime(&party, &rotated.get("refresh_token")).await;
    assert_eq!(changed, 77);

    let verifier = party.code_verifier.clone();
    let client = site.client.clone();
    let (issuer, host) = (site.installation.issuer(), site.installation.host());
    site.postgres.kill().await;
    let lost = clock::monotonic();
    replica.promote().await;
    site.database.lead_to(replica.address);
    let mut party = RelyingParty::at(&issuer, &host, &client);
    party.code_verifier = verifier;
    let recovered = site.recovers(lost).await;
    assert!(replica.number("select epoch from installation").await > epoch);

    // I2: the replica does not know that this code was used; it is void all the same, and so is the one that was not
    for code in [used.code(), unused.code()] {
        assert_eq!(party.redeem(code).await.error(), "invalid_grant");
    }
    // a sign-in that was on its way begins anew
    let form = pending.form_with("password");
    let values = [
        ("username", site.user.username.as_str()),
        ("password", site.user.password.as_str()),
    ];
    let answer = visitor.submit(&pending, form, &values).await;
    assert!(
        !answer.status.is_redirection() && answer.status != 200,
        "{} {}",
        answer.status,
        answer.body
    );
    // signed in before: still so. Signed in within: not known
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    let arrival = before.sign_in(&silent, &site.user).await;
    party.redeem(arrival.code()).await.ok();
    assert_eq!(within.sign_in(&silent, &site.user).await.get("error"), "login_required");
    // the rotation was lost with its moment: its token is unknown, and its predecessor is the newest again
    for lost in [rotated.get("refresh_token"), rotated_again] {
        assert_eq!(party.refresh(&lost).await.error(), "invalid_grant");
    }
    // so were its changes, and with them numbers that the node has seen: it believes what it reads now, and what comes next
    let (restored, _) = lifetime(&party, &tokens.get("refresh_token")).await;
    assert_ne!(restored, 77);
    replica
        .run("update clients set disabled_at = 1, version = version + 1")
        .await;
    replica
        .run("update generations set number = number + 1 where kind = 'client'")
        .await;
    until(PATIENCE, "the client is disabled", async || {
        party.refresh(&tokens.get("refresh_token")).await.status == 401
    })
    .await;
    report(
        "REL-20",
        format!("everything works {recovered:?} after the primary was lost; codes and pending sign-ins are void"),
    );
}

/// REL-21: a replica that acknowledges every commit takes over: nothing is lost, and the gap is short.
#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_replica_takes_over_without_loss() {
    if quick() {
        return;
    }
    let mut site = Site::start().await;
    site.retry_window().await;
    let replica = site.postgres.replica(site.postgres.address, &[]).await;
    streams(&site.postgres).await;
    site.postgres
        .run("alter system set synchronous_standby_names = 'replica'")
        .await;
    site.postgres.run("select pg_reload_conf()").await;
    until(PATIENCE, "the replica is synchronous", async || {
        site.postgres
            .number("select count(*) from pg_stat_replication where sync_state = 'sync'")
            .await
            == 1
    })
    .await;
    let families = Families::start(&site, 4, Duration::from_millis(5)).await;
    clock::sleep(length(Duration::from_secs(1), Duration::from_secs(20))).await;
    site.postgres.kill().await;
    let lost = clock::monotonic();
    replica.promote().await;
    site.database.lead_to(replica.address);
    let recovered = site.recovers(lost).await;
    assert!(recovered < Duration::from_secs(30), "{recovered:?}");
    let promoted = clock::monotonic();
    clock::sleep(Duration::from_millis(500)).await;
    // I1: a family that was told of its next token gets the one after it
    let told = families.end().await;
    report(
        "REL-21",
        format!(
            "everything works {recovered:?} after the primary was lost; families {:?}, none lost ({:?})",
            statuses(&told),
            promoted.elapsed()
        ),
    );
}

/// REL-22: columns and tables of a newer version come while this one serves: nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_served_beside_the_newer_version() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let families = Families::start(&site, 4, Duration::from_millis(5)).await;
    let party = site.party();
    for step in [
        "alter table users add column nickname_key text",
        "alter table sessions add column device uuid",
        "alter table grants add column assurance bigint not null default 0",
        "alter table refresh_tokens add column bound bytea",
        "alter table events add column chained bytea",
        "alter table clients add column contact text not null default ''",
        "alter table settings add column note text",
        "alter table signing_keys add column place text not null default 'store'",
        "create table gadgets (id uuid not null, user_id uuid not null references users (id) on delete cascade)",
        "create index gadgets_user on gadgets (user_id)",
    ] {
        site.postgres.run(step).await;
        party.sign_in(&Browser::new(), &site.user).await;
    }
    let told = families.end().await;
    let counted = statuses(&told);
    assert_eq!(counted.keys().copied().collect::<Vec<_>>(), [200], "{counted:?}");
    let slowest = told.iter().map(|told| told.took).max().unwrap();
    assert!(slowest < bound(), "{slowest:?}");
    report(
        "REL-22",
        format!(
            "10 steps of a newer schema: {} refreshes, all served, slowest {slowest:?}",
            told.len()
        ),
    );
}
