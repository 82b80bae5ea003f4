//! What must happen once: each is one statement whose answer is the decision, also when many ask at the same time.

use std::sync::Arc;

use ostiary::model::{Channel, Digest, Id};
use ostiary::store::{Error, OutboxMail, RegistrationToken, Store};
use tokio::task::JoinSet;

use super::{Ground, MINUTE, NOW, digest, each_store, sample_access, sample_refresh, write};

const TOGETHER: usize = 16;

/// How many of many at once were told that they were the one.
async fn winners<F>(store: &Store, act: impl Fn(Store) -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut all = JoinSet::new();
    for _ in 0..TOGETHER {
        all.spawn(act(store.clone()));
    }
    all.join_all().await.into_iter().filter(|won| *won).count()
}

/// Uses a refresh token up, if the commit says so.
async fn spends(store: &Store, token: &Digest) -> bool {
    let mut tx = store.write().await.unwrap();
    tx.spend_refresh_token(token, NOW);
    match tx.commit().await {
        Ok(()) => true,
        Err(Error::Missing) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// SEC-069, SEC-041
#[tokio::test(flavor = "multi_thread")]
async fn storage_contract_single_use() {
    each_store(async |store| {
        let ground = Arc::new(write!(store, tx => Ground::laid(&mut tx, "ada").await));
        let grant = ground.grant("kept", "openid offline_access");
        assert!(write!(store, tx => tx.redeem_code(&grant, 1).await.unwrap()));
        let one_time = RegistrationToken {
            id: Id::new(NOW),
            digest: digest("registration"),
            name: "once".to_owned(),
            uses_left: Some(1),
            created_at: NOW,
            expires_at: NOW.after(MINUTE),
            revoked_at: None,
        };
        write!(store, tx => {
            tx.add_refresh_token(&sample_refresh(grant.id, "refresh")).await.unwrap();
            tx.add_access_token(&sample_access(ground.client.id, Some(grant.id), "access")).await.unwrap();
            tx.add_setup_link(&digest("link"), NOW, NOW.after(MINUTE)).await.unwrap();
            tx.add_registration_token(&one_time).await.unwrap();
            let mail = OutboxMail { channel: Channel::Mail, ends_at: None, kind: "welcome", recipient: "a@b.c".to_owned(), locale: "en".to_owned(), sealed: vec![] };
            tx.add_mail(&mail, NOW).await.unwrap();
        });
        let mail = store.read().await.unwrap().list_outbox(1).await.unwrap()[0].id;

        // a code: the first grant under its digest, whatever else the grants say
        let won = winners(store, |store| {
            let ground = ground.clone();
            async move { write!(store, tx => tx.redeem_code(&ground.grant("code", "openid"), 1).await.unwrap()) }
        });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move { spends(&store, &digest("refresh")).await });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move {
            write!(store, tx => tx.spend_proof("client_assertion", &digest("jti"), NOW.after(MINUTE)).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move {
            write!(store, tx => tx.use_setup_link(&digest("link"), NOW).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move {
            write!(store, tx => tx.use_registration_token(&digest("registration"), NOW).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move {
            write!(store, tx => tx.claim_idempotency_key("caller", &digest("key"), &digest("body"), NOW).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let won = winners(store, move |store| async move {
            write!(store, tx => tx.claim_mail(mail, NOW, NOW.after(MINUTE)).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let won = winners(store, |store| async move {
            write!(store, tx => tx.delete_access_token(&digest("access")).await.unwrap())
        });
        assert_eq!(won.await, 1);
        let id = grant.id;
        let won = winners(store, move |store| async move { write!(store, tx => tx.end_grant(id, NOW, "test").await.unwrap()) });
        assert_eq!(won.await, 1);
        let id = ground.session.id;
        let won = winners(store, move |store| async move { write!(store, tx => tx.end_session(id, NOW, "test").await.unwrap()) });
        assert_eq!(won.await, 1);
    })
    .await;
}

/// SEC-069
#[tokio::test(flavor = "multi_thread")]
async fn storage_contract_single_use_is_undone_with_its_transaction() {
    each_store(async |store| {
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        let grant = ground.grant("code", "openid");
        let mut tx = store.write().await.unwrap();
        assert!(tx.redeem_code(&grant, 1).await.unwrap());
        assert!(tx.spend_proof("kind", &digest("jti"), NOW).await.unwrap());
        drop(tx);
        write!(store, tx => {
            assert!(tx.redeem_code(&grant, 1).await.unwrap());
            assert!(!tx.redeem_code(&ground.grant("code", "openid"), 1).await.unwrap());
            assert!(tx.spend_proof("kind", &digest("jti"), NOW).await.unwrap());
            assert!(!tx.spend_proof("kind", &digest("jti"), NOW).await.unwrap());
        });
    })
    .await;
}

/// SEC-070
#[tokio::test(flavor = "multi_thread")]
async fn single_use_namespace_isolation_in_the_store() {
    each_store(async |store| {
        let same: Digest = digest("same");
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        let mut grant = ground.grant("same", "openid");
        grant.code = same;
        write!(store, tx => {
            assert!(tx.spend_proof("client_assertion", &same, NOW.after(MINUTE)).await.unwrap());
            assert!(tx.spend_proof("dpop", &same, NOW.after(MINUTE)).await.unwrap());
            assert!(tx.redeem_code(&grant, 1).await.unwrap());
            tx.add_refresh_token(&sample_refresh(grant.id, "same")).await.unwrap();
            tx.add_access_token(&sample_access(ground.client.id, Some(grant.id), "same")).await.unwrap();
            tx.add_setup_link(&same, NOW, NOW.after(MINUTE)).await.unwrap();
            tx.revoke_token(&same, NOW.after(MINUTE)).await.unwrap();
            assert!(tx.claim_idempotency_key("one", &same, &same, NOW).await.unwrap());
            assert!(tx.claim_idempotency_key("two", &same, &same, NOW).await.unwrap());
        });
        // using one up leaves the others
        write!(store, tx => {
            assert!(tx.delete_access_token(&same).await.unwrap());
            assert!(tx.use_setup_link(&same, NOW).await.unwrap());
            tx.spend_refresh_token(&same, NOW);
            tx.sweep_proofs(NOW.after(2 * MINUTE), 10).await.unwrap();
            tx.release_idempotency_key("one", &same).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        assert!(read.find_grant_by_code(&same).await.unwrap().is_some());
        assert!(read.find_refresh_token(&same).await.unwrap().is_some());
        assert!(read.is_token_revoked(&same).await.unwrap());
        assert!(
            read.find_idempotency_key("two", &same, NOW.before(MINUTE))
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            read.find_idempotency_key("one", &same, NOW.before(MINUTE))
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_their_tokens_end_together() {
    each_store(async |store| {
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        let other = write!(store, tx => Ground::laid(&mut tx, "bob").await);
        let online = ground.grant("online", "openid");
        let offline = ground.grant("offline", "openid offline_access");
        let foreign = other.grant("foreign", "openid");
        write!(store, tx => {
            for (grant, name) in [(&online, "online"), (&offline, "offline"), (&foreign, "foreign")] {
                assert!(tx.redeem_code(grant, 1).await.unwrap());
                tx.add_refresh_token(&sample_refresh(grant.id, name)).await.unwrap();
                tx.add_access_token(&sample_access(grant.client, Some(grant.id), name)).await.unwrap();
            }
            tx.add_access_token(&sample_access(ground.client.id, None, "own")).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        let found = read.find_grant(offline.id).await.unwrap().unwrap();
        assert_eq!(
            (found.client, found.user, found.session),
            (offline.client, offline.user, offline.session)
        );
        assert_eq!(
            (found.terms, found.expires_at, found.ended_at),
            (offline.terms.clone(), offline.expires_at, None)
        );
        assert_eq!(
            read.find_grant_by_code(&online.code).await.unwrap().unwrap().id,
            online.id
        );
        assert!(read.find_grant_by_code(&digest("never")).await.unwrap().is_none());
        let refresh = read.find_refresh_token(&digest("online")).await.unwrap().unwrap();
        assert_eq!(
            (refresh.grant, refresh.nonce, refresh.spent_at),
            (online.id, [7; 32], None)
        );
        let access = read.find_access_token(&digest("own")).await.unwrap().unwrap();
        assert_eq!(
            (access.grant, access.audience.len(), access.scope.to_string().as_str()),
            (None, 2, "openid")
        );
        drop(read);

        let ended = async |id| {
            store
                .read()
                .await
                .unwrap()
                .find_grant(id)
                .await
                .unwrap()
                .unwrap()
                .ended_at
        };
        // with the session end those that were bound to it
        let at = NOW.after(MINUTE);
        assert_eq!(
            write!(store, tx => tx.end_grants_of_session(ground.session.id, at, "test").await.unwrap()),
            1
        );
        assert_eq!(
            (ended(online.id).await, ended(offline.id).await, ended(foreign.id).await),
            (Some(at), None, None)
        );
        // an ended family's token is not used any more, and ended stays ended
        assert!(!spends(store, &digest("online")).await);
        assert!(!write!(store, tx => tx.end_grant(online.id, NOW.after(2 * MINUTE), "test").await.unwrap()));
        assert_eq!(ended(online.id).await, Some(at));
        let (user, client) = (ground.user.id, ground.client.id);
        assert_eq!(
            write!(store, tx => tx.end_grants_of_user_and_client(user, other.client.id, at, "test").await.unwrap()),
            0
        );
        assert_eq!(
            write!(store, tx => tx.end_grants_of_user_and_client(user, client, at, "test").await.unwrap()),
            1
        );
        assert_eq!(
            write!(store, tx => tx.end_grants_of_user(other.user.id, at, "test").await.unwrap()),
            1
        );
        assert_eq!(
            write!(store, tx => tx.end_grants_of_user(other.user.id, at, "test").await.unwrap()),
            0
        );

        assert_eq!(
            write!(store, tx => tx.delete_access_tokens_of_grant(online.id).await.unwrap()),
            1
        );
        assert_eq!(
            write!(store, tx => tx.delete_access_tokens_of_client(client, 10).await.unwrap()),
            2
        );
        assert!(
            store
                .read()
                .await
                .unwrap()
                .find_access_token(&digest("foreign"))
                .await
                .unwrap()
                .is_some()
        );

        // what has ended by itself is swept in bounded numbers, a family after its tokens
        assert_eq!(
            write!(store, tx => tx.sweep_grants(online.expires_at, 10).await.unwrap()),
            0
        );
        let later = online.expires_at.after(MINUTE);
        assert_eq!(write!(store, tx => tx.sweep_grants(later, 10).await.unwrap()), 0);
        assert_eq!(write!(store, tx => tx.sweep_refresh_tokens(later, 2).await.unwrap()), 2);
        assert_eq!(write!(store, tx => tx.sweep_refresh_tokens(later, 2).await.unwrap()), 1);
        assert!(write!(store, tx => tx.sweep_tokens(later, 10).await.unwrap()) > 0);
        assert_eq!(write!(store, tx => tx.sweep_grants(later, 2).await.unwrap()), 2);
        assert_eq!(write!(store, tx => tx.sweep_grants(later, 2).await.unwrap()), 1);
        let mut read = store.read().await.unwrap();
        for name in ["online", "offline", "foreign"] {
            assert!(read.find_refresh_token(&digest(name)).await.unwrap().is_none());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_expired_tokens_are_forgotten_after_their_end() {
    each_store(async |store| {
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        write!(store, tx => {
            tx.revoke_token(&digest("jwt"), NOW.after(MINUTE)).await.unwrap();
            tx.revoke_token(&digest("jwt"), NOW.after(MINUTE)).await.unwrap();
            tx.add_access_token(&sample_access(ground.client.id, None, "access")).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        assert!(read.is_token_revoked(&digest("jwt")).await.unwrap());
        assert!(!read.is_token_revoked(&digest("access")).await.unwrap());
        drop(read);
        assert_eq!(
            write!(store, tx => tx.sweep_tokens(NOW.after(MINUTE), 10).await.unwrap()),
            0
        );
        assert_eq!(
            write!(store, tx => tx.sweep_tokens(NOW.after(2 * MINUTE), 10).await.unwrap()),
            1
        );
        assert_eq!(
            write!(store, tx => tx.sweep_tokens(NOW.after(11 * MINUTE), 10).await.unwrap()),
            1
        );
        assert!(
            !store
                .read()
                .await
                .unwrap()
                .is_token_revoked(&digest("jwt"))
                .await
                .unwrap()
        );

        write!(store, tx => {
            assert!(tx.spend_proof("kind", &digest("jti"), NOW.after(MINUTE)).await.unwrap());
            assert_eq!(tx.sweep_proofs(NOW.after(MINUTE), 10).await.unwrap(), 0);
            assert!(!tx.spend_proof("kind", &digest("jti"), NOW.after(MINUTE)).await.unwrap());
            assert_eq!(tx.sweep_proofs(NOW.after(2 * MINUTE), 10).await.unwrap(), 1);
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_links_and_registration_tokens_count_within_their_time_and_number() {
    each_store(async |store| {
        let end = NOW.after(MINUTE);
        let open = async |name: &str, at| {
            store
                .read()
                .await
                .unwrap()
                .is_setup_link_open(&digest(name), at)
                .await
                .unwrap()
        };
        write!(store, tx => tx.add_setup_link(&digest("one"), NOW, end).await.unwrap());
        assert!(open("one", NOW).await && !open("one", end).await && !open("two", NOW).await);
        assert!(
            !write!(store, tx => tx.use_setup_link(&digest("one"), end).await.unwrap()),
            "at its end"
        );
        // a newer one closes the older
        write!(store, tx => tx.add_setup_link(&digest("two"), NOW, end).await.unwrap());
        assert!(!open("one", NOW).await && open("two", NOW).await);
        assert!(!write!(store, tx => tx.use_setup_link(&digest("one"), NOW).await.unwrap()));
        assert!(write!(store, tx => tx.use_setup_link(&digest("two"), NOW).await.unwrap()));
        assert!(!open("two", NOW).await);

        let token = |name: &str, uses_left| RegistrationToken {
            id: Id::new(NOW),
            digest: digest(name),
            name: name.to_owned(),
            uses_left,
            created_at: NOW,
            expires_at: end,
            revoked_at: None,
        };
        let unbounded = token("unbounded", None);
        write!(store, tx => {
            tx.add_registration_token(&token("twice", Some(2))).await.unwrap();
            tx.add_registration_token(&unbounded).await.unwrap();
        });
        let used =
            async |name: &str, at| write!(store, tx => tx.use_registration_token(&digest(name), at).await.unwrap());
        assert!(!used("twice", end).await && !used("never", NOW).await);
        assert!(used("twice", NOW).await && used("twice", NOW).await && !used("twice", NOW).await);
        assert!(used("unbounded", NOW).await && used("unbounded", NOW).await);
        assert!(write!(store, tx => tx.revoke_registration_token(unbounded.id, NOW).await.unwrap()));
        assert!(!used("unbounded", NOW).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_belongs_to_one_caller_and_one_day() {
    each_store(async |store| {
        let key = digest("key");
        let find = async |caller: &str, since| {
            store.read().await.unwrap().find_idempotency_key(caller, &key, since).await.unwrap()
        };
        assert!(write!(store, tx => tx.claim_idempotency_key("one", &key, &digest("body"), NOW).await.unwrap()));
        let claimed = find("one", NOW.before(MINUTE)).await.unwrap();
        assert_eq!((claimed.body, claimed.sealed_answer), (digest("body"), None));
        assert!(find("one", NOW).await.is_none() && find("two", NOW.before(MINUTE)).await.is_none());
        write!(store, tx => tx.answer_idempotency_key("one", &key, &[0, 1, 255]).await.unwrap());
        // an answered one is not given back
        write!(store, tx => tx.release_idempotency_key("one", &key).await.unwrap());
        assert_eq!(find("one", NOW.before(MINUTE)).await.unwrap().sealed_answer.unwrap(), [0, 1, 255]);
        assert!(write!(store, tx => tx.claim_idempotency_key("two", &key, &digest("body"), NOW).await.unwrap()));
        write!(store, tx => tx.release_idempotency_key("two", &key).await.unwrap());
        assert!(write!(store, tx => tx.claim_idempotency_key("two", &key, &digest("body"), NOW.after(MINUTE)).await.unwrap()));
        assert_eq!(write!(store, tx => tx.sweep_idempotency_keys(NOW.after(MINUTE), 10).await.unwrap()), 1);
        assert!(find("two", NOW).await.is_some());
    })
    .await;
}

/// SEC-052: whoever signs a person out everywhere and whoever redeems a code of that session wait for one another: no family
/// is begun behind the back of the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_not_begun_while_its_session_ends() {
    each_store(async |store| {
        let ground = Arc::new(write!(store, tx => Ground::laid(&mut tx, "ada").await));
        let grant = ground.grant("first", "openid offline_access");
        // the redemption holds the session: the end comes after it, and finds the family
        let mut redeeming = store.write().await.unwrap();
        assert!(redeeming.hold_session(ground.session.id, NOW).await.unwrap());
        let ending = tokio::spawn({
            let (store, ground) = (store.clone(), ground.clone());
            async move {
                write!(store, tx => {
                    tx.end_sessions_of_user(ground.user.id, NOW, "test").await.unwrap();
                    tx.end_grants_of_user(ground.user.id, NOW, "test").await.unwrap()
                })
            }
        });
        tokio::task::yield_now().await;
        assert!(redeeming.redeem_code(&grant, 1).await.unwrap());
        redeeming.commit().await.unwrap();
        assert_eq!(ending.await.unwrap(), 1);
        // the end was first: the redemption sees it, however early it asked
        let other = write!(store, tx => Ground::laid(&mut tx, "bob").await);
        let mut ending = store.write().await.unwrap();
        ending.end_sessions_of_user(other.user.id, NOW, "test").await.unwrap();
        let redeeming = tokio::spawn({
            let (store, session) = (store.clone(), other.session.id);
            async move { write!(store, tx => tx.hold_session(session, NOW).await.unwrap()) }
        });
        tokio::task::yield_now().await;
        ending.end_grants_of_user(other.user.id, NOW, "test").await.unwrap();
        ending.commit().await.unwrap();
        assert!(!redeeming.await.unwrap());
    })
    .await;
}
