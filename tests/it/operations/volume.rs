//! What has come to be more than one statement may delete is deleted and swept all the same, a bounded number at a time; and
//! what can't be deleted holds up nothing else.

use std::time::Duration;

use ostiary::flow::clients::{self, Authority};
use ostiary::flow::operations::cleaning;
use ostiary::model::{
    AccessToken, ClaimsRequest, Client, ConsentMode, Digest, Grant, GrantTerms, Id, RefreshToken, Scopes, Timestamp,
    User,
};
use ostiary::random;

use crate::oauth::scene::Scene;
use crate::support::server::{Server, each_backend};

/// More than any statement deletes here.
const MANY: usize = 2_500;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A family with so many tokens of both kinds, all of which end at `end`.
async fn add_family(server: &Server, client: Id<Client>, user: Id<User>, end: Timestamp) -> Id<Grant> {
    let now = server.call().now;
    let digest = || Digest::of(random::token().as_bytes());
    let scope = Scopes::parse("openid").unwrap();
    let grant = Grant {
        id: Id::new(now),
        client,
        user,
        session: Id::new(now),
        code: digest(),
        created_at: now,
        expires_at: end,
        ended_at: None,
        terms: GrantTerms {
            scope: scope.clone(),
            resources: Vec::new(),
            claims: ClaimsRequest::default(),
            nonce: None,
            auth_time: Timestamp::default(),
            acr: String::new(),
            amr: Vec::new(),
            journey: None,
        },
    };
    let mut tx = server.provider().store.write().await.unwrap();
    assert!(tx.redeem_code(&grant, 1).await.unwrap());
    for _ in 0..MANY {
        let token = AccessToken {
            digest: digest(),
            grant: Some(grant.id),
            client,
            scope: scope.clone(),
            audience: Vec::new(),
            issued_at: now,
            expires_at: end,
        };
        tx.add_access_token(&token).await.unwrap();
        let token = RefreshToken {
            digest: digest(),
            grant: grant.id,
            nonce: random::bytes(),
            issued_at: now,
            expires_at: end,
            spent_at: None,
        };
        tx.add_refresh_token(&token).await.unwrap();
    }
    tx.commit().await.unwrap();
    grant.id
}

/// Postgres ends a statement after a time; here, after so many rows.
async fn bound_statements(server: &Server) {
    if server.provider().store.is_embedded() {
        return;
    }
    server
        .behind(
            "create function too_many() returns trigger language plpgsql as $$ begin \
             if (select count(*) from gone) > 2000 then raise exception 'canceling' using errcode = '57014'; end if; \
             return null; end $$",
        )
        .await;
    for table in ["access_tokens", "refresh_tokens", "grants", "proofs"] {
        let trigger = format!(
            "create trigger too_many after delete on {table} referencing old table as gone \
             for each statement execute function too_many()"
        );
        server.behind(&trigger).await;
    }
}

/// Nothing of a table can be deleted.
async fn keep(server: &Server, table: &str) {
    if server.provider().store.is_embedded() {
        let trigger = format!("create trigger kept before delete on {table} begin select raise(abort, 'kept'); end");
        server.behind(&trigger).await;
        return;
    }
    server
        .behind(
            "create function keep() returns trigger language plpgsql as $$ begin \
             raise exception 'canceling' using errcode = '57014'; end $$",
        )
        .await;
    let trigger = format!("create trigger kept before delete on {table} for each row execute function keep()");
    server.behind(&trigger).await;
}

async fn let_go(server: &Server, table: &str) {
    let of_table = if server.provider().store.is_embedded() {
        String::new()
    } else {
        format!(" on {table}")
    };
    server.behind(&format!("drop trigger kept{of_table}")).await;
}

async fn count(server: &Server, table: &str) -> i64 {
    let mut connection = server.provider().store.database().read().await.unwrap();
    let counting = connection.sql_built(format!("select count(*) from {table}"));
    counting.one().await.unwrap()
}

fn asks(client: &mut Client) {
    client.policy.consent = ConsentMode::Ask;
}

/// A client is disabled although its tokens can't be deleted now; before it is enabled again they are.
#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_client_waits_for_none_of_its_tokens() {
    each_backend(async |server| {
        let provider = server.provider();
        let scene = Scene::on(server).await;
        let tokens = scene.tokens().await;
        let (id, call) = (scene.client.id, server.call());
        add_family(server, id, scene.user.id, server.call().now.after(DAY)).await;
        keep(server, "access_tokens").await;
        let disabled = clients::disable(provider, &call, &Authority::Operator, id, None);
        assert!(disabled.await.unwrap().disabled_at.is_some());
        assert_eq!(scene.party().introspect(&tokens.access).await.status, 401);
        assert!(count(server, "access_tokens").await >= MANY as i64);
        let enabled = clients::enable(provider, &call, &Authority::Operator, id, None);
        enabled.await.unwrap_err();
        assert_eq!(scene.party().introspect(&tokens.access).await.status, 401);
        let_go(server, "access_tokens").await;
        bound_statements(server).await;
        let enabled = clients::enable(provider, &call, &Authority::Operator, id, None);
        assert!(enabled.await.unwrap().disabled_at.is_none());
        assert_eq!(count(server, "access_tokens").await, 0);
        scene.party().refresh(&tokens.refresh).await.ok();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_more_than_one_statement_deletes_is_deleted() {
    each_backend(async |server| {
        let provider = server.provider();
        let scene = Scene::with(server, asks).await;
        scene.tokens().await;
        let (id, call) = (scene.client.id, server.call());
        add_family(server, id, scene.user.id, server.call().now.after(DAY)).await;
        let other = Scene::with(server, asks).await;
        let tokens = other.tokens().await;
        bound_statements(server).await;
        // one whose deletion does not come to its end is disabled, and deleted the next time
        keep(server, "grants").await;
        let deleted = clients::delete(provider, &call, &Authority::Operator, id, None);
        deleted.await.unwrap_err();
        let left = provider.store.read().await.unwrap().find_client(id).await.unwrap();
        assert!(left.unwrap().disabled_at.is_some());
        let_go(server, "grants").await;
        let deleted = clients::delete(provider, &call, &Authority::Operator, id, None);
        deleted.await.unwrap();
        let left = provider.store.read().await.unwrap().find_client(id).await.unwrap();
        assert!(left.is_none());
        for (table, of_others) in [("grants", 1), ("refresh_tokens", 1), ("consents", 1)] {
            assert_eq!(count(server, table).await, of_others, "{table}");
        }
        other.party().refresh(&tokens.refresh).await.ok();
    })
    .await;
}

/// A family that was used every minute goes with all its tokens, and one that goes on keeps those that its replay is known by.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_with_more_tokens_than_one_statement_deletes_is_swept() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let now = server.call().now;
        add_family(server, client.id, user.id, now.before(100 * DAY)).await;
        let goes_on = add_family(server, client.id, user.id, now.after(DAY)).await;
        let ended_lately = add_family(server, client.id, user.id, now.before(8 * DAY)).await;
        let mut tx = server.provider().store.write().await.unwrap();
        for number in 0..MANY {
            let digest = Digest::of(&number.to_be_bytes());
            assert!(tx.spend_proof("kind", &digest, now.before(2 * DAY)).await.unwrap());
        }
        tx.commit().await.unwrap();
        bound_statements(server).await;
        cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        let many = MANY as i64;
        let left = [
            ("grants", 2),
            ("refresh_tokens", many),
            ("access_tokens", many),
            ("proofs", 0),
        ];
        for (table, number) in left {
            assert_eq!(count(server, table).await, number, "{table}");
        }
        let mut store = server.provider().store.read().await.unwrap();
        for grant in [goes_on, ended_lately] {
            assert!(store.find_grant(grant).await.unwrap().is_some());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_can_not_be_swept_holds_up_no_other() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let now = server.call().now;
        add_family(server, client.id, user.id, now.before(100 * DAY)).await;
        let mut tx = server.provider().store.write().await.unwrap();
        let digest = Digest::of(b"proof");
        assert!(tx.spend_proof("kind", &digest, now.before(2 * DAY)).await.unwrap());
        tx.commit().await.unwrap();
        keep(server, "access_tokens").await;
        cleaning::sweep(server.provider(), &server.call()).await.unwrap_err();
        assert_eq!(count(server, "refresh_tokens").await, 0);
        assert_eq!(count(server, "proofs").await, 0);
        let_go(server, "access_tokens").await;
        cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        assert_eq!(count(server, "grants").await, 0);
    })
    .await;
}
