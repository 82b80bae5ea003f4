//! What was verified, read or computed once is not verified, read or computed again while nothing has changed: by the numbers that
//! `/metrics` shows.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::clock;
use ostiary::model::{AccessTokenFormat, GrantType, Scopes, Secret};

use super::scene::{Scene, active};
use crate::support::backend::{Backend, backends};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

const TOKEN: &str = "a-token-of-the-configuration";
/// How often each thing is asked for.
const TIMES: usize = 150;
/// Timers make no more statements and calls in a second.
const BY_TIMERS: f64 = 60.0;

async fn numbered(backend: Backend) -> Server {
    Server::start_configured(backend, |config| config.metrics.token = Some(Secret::new(TOKEN))).await
}

/// What a server has done by now.
#[derive(Clone, Copy, Debug)]
struct Done {
    signatures: f64,
    assertions: f64,
    hashes: f64,
    statements: f64,
    calls_of_redis: f64,
}

impl Done {
    async fn by(server: &Server) -> Self {
        let bearer = format!("Bearer {TOKEN}");
        let page = Browser::new()
            .get_with(&server.url("/metrics"), &[("authorization", &bearer)])
            .await;
        let lines = page.body.lines().filter(|line| !line.starts_with('#'));
        let numbers: BTreeMap<&str, f64> = lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        let sum = |beginning: &str| {
            let of = numbers.iter().filter(|(name, _)| name.starts_with(beginning));
            of.map(|(_, value)| value).sum()
        };
        Self {
            signatures: sum("ostiary_signatures_verified_total{of=\"own\"}"),
            assertions: sum("ostiary_signatures_verified_total{of=\"client\"}"),
            hashes: sum("ostiary_password_hash_seconds_count"),
            statements: sum("ostiary_sql_statement_seconds_count"),
            calls_of_redis: sum("ostiary_redis_call_seconds_count"),
        }
    }
}

/// Does something that was done before, many times, and fails if the server has to verify, hash or read for it.
async fn costs_nothing(server: &Server, what: &str, act: impl AsyncFn()) {
    let (before, begun) = (Done::by(server).await, clock::monotonic());
    for _ in 0..TIMES {
        act().await;
    }
    let after = Done::by(server).await;
    assert_eq!(
        after.signatures, before.signatures,
        "{what}: own tokens were verified again"
    );
    assert_eq!(after.assertions, before.assertions, "{what}");
    assert_eq!(after.hashes, before.hashes, "{what}: passwords were hashed");
    let timers = 20.0 + BY_TIMERS * begun.elapsed().as_secs_f64();
    for (kind, done) in [
        ("statements", after.statements - before.statements),
        ("calls of Redis", after.calls_of_redis - before.calls_of_redis),
    ] {
        let most = timers + TIMES as f64 / 4.0;
        assert!(
            done < most,
            "{what}: {done} {kind} for {TIMES}, and no more than {timers} by timers"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_once_is_not_computed_again() {
    for backend in backends() {
        let server = numbered(backend).await;
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(&server, |client| client.policy.access_token_format = format).await;
            let party = scene.party();
            let tokens = scene.tokens().await;
            let of_jwt = f64::from(u8::from(format == AccessTokenFormat::Jwt));
            let new = Done::by(&server).await;
            assert!(active(&party.introspect(&tokens.access).await));
            party.userinfo(&tokens.access).await.ok();
            let known = Done::by(&server).await;
            assert_eq!(known.signatures - new.signatures, of_jwt, "once for both");
            let introspect = async || assert!(active(&party.introspect(&tokens.access).await));
            costs_nothing(&server, "introspection", introspect).await;
            let userinfo = async || drop(party.userinfo(&tokens.access).await.ok());
            costs_nothing(&server, "userinfo", userinfo).await;
            // nobody is trusted for longer than a minute: then it is verified once more, and once only
            server.advance(Duration::from_secs(61));
            let later = Done::by(&server).await;
            party.userinfo(&tokens.access).await.ok();
            party.userinfo(&tokens.access).await.ok();
            let again = Done::by(&server).await;
            assert_eq!(again.signatures - later.signatures, of_jwt);
            costs_nothing(&server, "userinfo", userinfo).await;
        }
        // a client shows who it is, for a token that does not exist and is refused for nothing else
        let scope = Scopes::parse("admin:users.read").unwrap();
        let client = server
            .client(|client| {
                client.metadata.grant_types = vec![GrantType::ClientCredentials];
                client.metadata.redirect_uris.clear();
                client.metadata.scope = scope;
            })
            .await;
        let service = RelyingParty::new(&server, &client);
        let asked = [("grant_type", "client_credentials"), ("scope", "no:such")];
        let authenticate = async || assert_eq!(service.token(&asked).await.error(), "invalid_scope");
        authenticate().await;
        let before = Done::by(&server).await;
        for _ in 0..TIMES {
            authenticate().await;
        }
        let after = Done::by(&server).await;
        assert_eq!((after.hashes, after.signatures), (before.hashes, before.signatures));
        server.stop().await;
    }
}
