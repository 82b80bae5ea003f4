//! Clients, resources, keys, settings, events and mail; and what a transaction is.

use std::net::IpAddr;

use ostiary::clock::Clock;
use ostiary::flow::Call;
use ostiary::model::{
    AccessTokenFormat, Actor, Channel, Client, Event, EventKind, Fact, Id, Outcome, Resource, Scopes, SigningAlgorithm,
    SigningKey, SigningKeyState,
};
use ostiary::store::{Error, OutboxMail, RegistrationToken, Store};
use serde_json::json;

use super::{
    Ground, MINUTE, NOW, digest, each_store, sample_access, sample_client, sample_refresh, sample_secret, sample_user,
    write,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_migrated_once() {
    each_store(async |store| {
        assert!(store.pending_migrations().await.unwrap().is_empty());
        assert!(store.migrate().await.unwrap().is_empty());
        store.read().await.unwrap().ping().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_committed_never_was() {
    each_store(async |store| {
        let (dropped, abandoned, kept) = (sample_user("dropped"), sample_user("abandoned"), sample_user("kept"));
        let mut tx = store.write().await.unwrap();
        tx.add_user(&dropped).await.unwrap();
        // a transaction reads what it has written, nobody else does
        assert!(tx.find_user(dropped.id).await.unwrap().is_some());
        assert!(
            store
                .read()
                .await
                .unwrap()
                .find_user(dropped.id)
                .await
                .unwrap()
                .is_none()
        );
        drop(tx);
        let mut tx = store.write().await.unwrap();
        tx.add_user(&abandoned).await.unwrap();
        tx.abandon().await.unwrap();
        write!(store, tx => tx.add_user(&kept).await.unwrap());
        let mut read = store.read().await.unwrap();
        for (user, there) in [(&dropped, false), (&abandoned, false), (&kept, true)] {
            assert_eq!(
                read.find_user(user.id).await.unwrap().is_some(),
                there,
                "{}",
                user.username
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_back_as_they_went_in() {
    each_store(async |store| {
        let mut client = sample_client("shop");
        client.registration_token = Some(digest("registration"));
        client.policy.serves = vec!["https://orders.example".to_owned()];
        client.secrets = vec![sample_secret("second", NOW.after(MINUTE)), sample_secret("first", NOW)];
        let other = Client { id: Id::new(NOW.after(MINUTE)), ..sample_client("Shop") };
        write!(store, tx => {
            tx.add_client(&client).await.unwrap();
            // a client_id is case sensitive
            tx.add_client(&other).await.unwrap();
        });
        let mut tx = store.write().await.unwrap();
        assert!(matches!(tx.add_client(&sample_client("shop")).await, Err(Error::Taken(name)) if name == "clients_client_id"));
        drop(tx);
        let mut read = store.read().await.unwrap();
        for found in [read.find_client(client.id).await.unwrap(), read.find_client_by_client_id("shop").await.unwrap()] {
            let found = found.unwrap();
            assert_eq!((found.id, found.client_id.as_str(), found.version), (client.id, "shop", 1));
            assert_eq!((&found.metadata, &found.policy), (&client.metadata, &client.policy));
            assert_eq!(found.registration_token, client.registration_token);
            assert_eq!((found.origin, found.disabled_at), (client.origin, None));
            // newest first
            let digests: Vec<_> = found.secrets.iter().map(|secret| secret.digest).collect();
            assert_eq!(digests, [digest("second"), digest("first")]);
        }
        assert!(read.find_client(Id::new(NOW)).await.unwrap().is_none());
        assert!(read.find_client_by_client_id("SHOP").await.unwrap().is_none());
        let ids = |page: Vec<Client>| page.into_iter().map(|client| client.id).collect::<Vec<_>>();
        assert_eq!(ids(read.list_clients(None, 10).await.unwrap()), [client.id, other.id]);
        assert_eq!(ids(read.list_clients(Some(client.id), 10).await.unwrap()), [other.id]);
        assert_eq!(ids(read.list_newest_clients(None, 1).await.unwrap()), [other.id]);
        assert_eq!(ids(read.list_newest_clients(Some(other.id), 10).await.unwrap()), [client.id]);
        drop(read);

        client.disabled_at = Some(NOW.after(MINUTE));
        client.metadata.client_name = Some("Shop \u{1f6d2}".to_owned());
        client.registration_token = None;
        assert!(write!(store, tx => tx.change_client(&client).await.unwrap()));
        assert!(!write!(store, tx => tx.change_client(&client).await.unwrap()), "the version has moved on");
        let stored = store.read().await.unwrap().find_client(client.id).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.disabled_at), (2, Some(NOW.after(MINUTE))));
        assert_eq!((stored.metadata, stored.registration_token), (client.metadata.clone(), None));
        assert_eq!(stored.secrets.len(), 2);

        let first = client.secrets[1].id;
        write!(store, tx => {
            tx.expire_client_secrets(client.id, NOW.after(2 * MINUTE)).await.unwrap();
            // what ends sooner stays so
            tx.expire_client_secrets(client.id, NOW.after(3 * MINUTE)).await.unwrap();
            tx.add_client_secret(client.id, &sample_secret("third", NOW.after(2 * MINUTE))).await.unwrap();
            assert!(!tx.delete_client_secret(other.id, first).await.unwrap(), "another client's");
            assert!(tx.delete_client_secret(client.id, first).await.unwrap());
            assert!(!tx.delete_client_secret(client.id, first).await.unwrap());
            tx.mark_client_applied(client.id).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        let secrets = read.find_client(client.id).await.unwrap().unwrap().secrets;
        let ends: Vec<_> = secrets.iter().map(|secret| secret.expires_at).collect();
        assert_eq!(ends, [None, Some(NOW.after(2 * MINUTE))]);
        assert_eq!(read.list_applied_clients().await.unwrap(), ["shop"]);
        drop(read);
        write!(store, tx => tx.delete_client_secrets(client.id).await.unwrap());
        assert!(store.read().await.unwrap().find_client(client.id).await.unwrap().unwrap().secrets.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_user_or_client_goes_with_it() {
    each_store(async |store| {
        for leaves in ["user", "client"] {
            let ground = write!(store, tx => Ground::laid(&mut tx, &format!("{leaves}-goes")).await);
            let grant = ground.grant(&format!("code-{leaves}"), "openid offline_access");
            write!(store, tx => {
                assert!(tx.redeem_code(&grant, 1).await.unwrap());
                tx.add_refresh_token(&sample_refresh(grant.id, leaves)).await.unwrap();
                tx.add_access_token(&sample_access(ground.client.id, Some(grant.id), leaves)).await.unwrap();
            });
            match leaves {
                "user" => assert!(write!(store, tx => tx.delete_user(ground.user.id).await.unwrap())),
                _ => {
                    assert!(
                        !write!(store, tx => tx.delete_client(ground.client.id, 99).await.unwrap()),
                        "another version"
                    );
                    assert!(
                        write!(store, tx => tx.delete_client(ground.client.id, ground.client.version).await.unwrap())
                    );
                    assert!(
                        !write!(store, tx => tx.delete_client(ground.client.id, ground.client.version).await.unwrap())
                    );
                }
            }
            let mut read = store.read().await.unwrap();
            assert!(read.find_grant(grant.id).await.unwrap().is_none());
            assert!(read.find_refresh_token(&digest(leaves)).await.unwrap().is_none());
            assert!(read.find_access_token(&digest(leaves)).await.unwrap().is_none());
            assert_eq!(
                read.find_session(ground.session.id).await.unwrap().is_some(),
                leaves == "client"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_changed_under_their_version_only() {
    each_store(async |store| {
        let mut orders = Resource {
            id: Id::new(NOW),
            identifier: "https://orders.example".to_owned(),
            name: Some("Orders".to_owned()),
            scopes: Scopes::from_tokens(["orders.read", "orders.write"]),
            access_token_format: Some(AccessTokenFormat::Opaque),
            access_token_lifetime: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let apples = Resource {
            id: Id::new(NOW),
            identifier: "https://apples.example".to_owned(),
            name: None,
            scopes: Scopes::default(),
            access_token_format: None,
            ..orders.clone()
        };
        write!(store, tx => {
            tx.add_resource(&orders).await.unwrap();
            tx.add_resource(&apples).await.unwrap();
            tx.mark_resource_applied(apples.id).await.unwrap();
        });
        let mut tx = store.write().await.unwrap();
        let again = Resource {
            id: Id::new(NOW),
            ..orders.clone()
        };
        assert!(matches!(tx.add_resource(&again).await, Err(Error::Taken(name)) if name == "resources_identifier"));
        drop(tx);
        let listed = store.read().await.unwrap().list_resources().await.unwrap();
        let identifiers: Vec<_> = listed.iter().map(|resource| resource.identifier.as_str()).collect();
        assert_eq!(identifiers, ["https://apples.example", "https://orders.example"]);
        assert_eq!(
            (&listed[1].scopes, listed[1].access_token_format),
            (&orders.scopes, Some(AccessTokenFormat::Opaque))
        );
        assert_eq!((listed[0].name.as_deref(), listed[0].access_token_format), (None, None));
        assert!(listed[0].scopes.is_empty());
        orders.name = None;
        orders.access_token_format = None;
        assert!(write!(store, tx => tx.change_resource(&orders).await.unwrap()));
        assert!(!write!(store, tx => tx.change_resource(&orders).await.unwrap()));
        assert_eq!(
            store.read().await.unwrap().list_applied_resources().await.unwrap(),
            ["https://apples.example"]
        );
        assert!(write!(store, tx => tx.delete_resource(apples.id).await.unwrap()));
        assert!(!write!(store, tx => tx.delete_resource(apples.id).await.unwrap()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_moves_forward_only() {
    each_store(async |store| {
        let key = |kid: &str, state| SigningKey {
            id: Id::new(NOW),
            kid: kid.to_owned(),
            algorithm: SigningAlgorithm::Es256,
            state,
            sealed: vec![0, 255, 7],
            created_at: NOW,
            activated_at: None,
            retiring_at: None,
            retired_at: None,
        };
        let first = key("first", SigningKeyState::Next);
        write!(store, tx => tx.add_signing_key(&first).await.unwrap());
        let mut tx = store.write().await.unwrap();
        let again = tx.add_signing_key(&key("first", SigningKeyState::Next)).await;
        assert!(matches!(again, Err(Error::Taken(name)) if name == "signing_keys_kid"));
        drop(tx);
        use SigningKeyState::{Active, Next, Retired, Retiring};
        let mut standing = Next;
        for (at, (wanted, moves)) in [
            (Next, false),
            (Retiring, false),
            (Active, true),
            (Active, false),
            (Next, false),
            (Retiring, true),
            (Active, false),
            (Retired, true),
            (Retired, false),
            (Active, false),
        ]
        .into_iter()
        .enumerate()
        {
            let moment = NOW.after(MINUTE * u32::try_from(at).unwrap());
            let moved = write!(store, tx => tx.move_signing_key(first.id, wanted, moment).await.unwrap());
            assert_eq!(moved, moves, "{standing:?} to {wanted:?}");
            if moves {
                standing = wanted;
            }
        }
        let stored = &store.read().await.unwrap().list_signing_keys().await.unwrap()[0];
        assert_eq!((stored.state, stored.kid.as_str()), (Retired, "first"));
        let moments = (stored.activated_at, stored.retiring_at, stored.retired_at);
        let at = |minutes: u32| Some(NOW.after(MINUTE * minutes));
        assert_eq!(moments, (at(2), at(5), at(7)));
        assert!(stored.sealed.is_empty(), "a retired key's private half is gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_rises_with_its_kind_alone() {
    each_store(async |store| {
        let read = async || store.read().await.unwrap().get_generations().await.unwrap();
        let before = read().await;
        write!(store, tx => {
            tx.raise_client_generation().await.unwrap();
            tx.raise_key_generation().await.unwrap();
            // once in a transaction is as good as often
            tx.raise_client_generation().await.unwrap();
        });
        let after = read().await;
        assert_eq!((after.client, after.key), (before.client + 1, before.key + 1));
        assert_eq!((after.setting, after.resource), (before.setting, before.resource));
        write!(store, tx => {
            tx.raise_setting_generation().await.unwrap();
            tx.raise_resource_generation().await.unwrap();
        });
        let last = read().await;
        assert_eq!((last.setting, last.resource), (before.setting + 1, before.resource + 1));
        assert!(before.client > 0 && before.key > 0 && before.setting > 0 && before.resource > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_replaced_and_every_revision_is_kept() {
    each_store(async |store| {
        let [first, second] = [json!({"a": "1h", "b": 3}), json!({"b": [true, null], "c": "\u{e9}"})];
        let actor = Actor::User(sample_user("ada").id);
        for (table, at) in [(&first, NOW), (&second, NOW.after(MINUTE))] {
            let table = table.as_object().unwrap();
            write!(store, tx => tx.replace_settings(table, actor, "api", at).await.unwrap());
        }
        let mut read = store.read().await.unwrap();
        assert_eq!(json!(read.list_settings().await.unwrap()), second);
        let revisions = read.list_revisions(10).await.unwrap();
        let numbers: Vec<_> = revisions.iter().map(|revision| revision.number).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(
            (json!(revisions[0].before), json!(revisions[0].after)),
            (first.clone(), second)
        );
        assert_eq!(
            (json!(revisions[1].before), json!(revisions[1].after)),
            (json!({}), first)
        );
        assert_eq!(
            (revisions[0].actor_kind.as_str(), revisions[0].actor_id),
            ("user", actor.id())
        );
        assert_eq!(
            (revisions[0].source.as_str(), revisions[0].at),
            ("api", NOW.after(MINUTE))
        );
        assert_eq!(read.list_revisions(1).await.unwrap().len(), 1);
        assert_eq!(read.find_revision(1).await.unwrap().unwrap().at, NOW);
        assert!(read.find_revision(3).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_back_newest_first() {
    each_store(async |store| {
        let user = sample_user("ada");
        write!(store, tx => tx.add_user(&user).await.unwrap());
        let call = Call::operator(&Clock::default());
        let address: IpAddr = "2001:db8::7".parse().unwrap();
        let event = |kind, seconds: u32| Event {
            id: Id::new(NOW.after(MINUTE * seconds)),
            at: NOW.after(MINUTE * seconds),
            address: Some(address),
            ..call.event(kind)
        };
        let first = event(EventKind::SignIn, 1)
            .user(user.id)
            .fact("proof", Fact::Word("first"))
            .fact("count", Fact::Number(-3));
        let second = event(EventKind::ClientAuthentication, 2).refused("client_secret");
        write!(store, tx => {
            tx.add_event(&first).await.unwrap();
            tx.add_event(&second).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        let events = read.list_events(None, 10).await.unwrap();
        assert_eq!(
            events.iter().map(|event| event.id).collect::<Vec<_>>(),
            [second.id, first.id]
        );
        assert_eq!(
            (events[0].kind.as_str(), events[0].outcome.as_str()),
            ("client.authentication", Outcome::Refused.as_str())
        );
        assert_eq!(
            (events[0].reason.as_deref(), events[0].user),
            (Some("client_secret"), None)
        );
        assert_eq!((events[1].actor_kind.as_str(), events[1].actor_id), ("operator", None));
        assert_eq!(
            (events[1].address.as_deref(), events[1].trace.clone()),
            (Some("2001:db8::7"), call.trace.text())
        );
        assert_eq!(events[1].facts, json!({"proof": "first", "count": -3}));
        assert_eq!(read.list_events(Some(second.id), 10).await.unwrap().len(), 1);
        assert_eq!(read.list_events(None, 1).await.unwrap()[0].id, second.id);
        let of_user = read.list_events_of_user(user.id, 10).await.unwrap();
        assert_eq!(of_user.iter().map(|event| event.id).collect::<Vec<_>>(), [first.id]);
    })
    .await;
}

async fn due(store: &Store, minutes: u32) -> Vec<String> {
    let mut read = store.read().await.unwrap();
    let mails = read
        .list_due_mails(Channel::Mail, NOW.after(MINUTE * minutes), 10)
        .await
        .unwrap();
    mails.into_iter().map(|mail| mail.recipient).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_due_until_it_is_sent_or_given_up() {
    each_store(async |store| {
        let mail = |recipient: &str| OutboxMail {
            channel: Channel::Mail,
            ends_at: None,
            kind: "welcome",
            recipient: recipient.to_owned(),
            locale: "de".to_owned(),
            sealed: vec![1, 0, 255],
        };
        write!(store, tx => tx.add_mail(&mail("a@example.com"), NOW).await.unwrap());
        write!(store, tx => tx.add_mail(&mail("b@example.com"), NOW.after(MINUTE)).await.unwrap());
        assert_eq!(due(store, 0).await, ["a@example.com"]);
        assert_eq!(due(store, 1).await, ["a@example.com", "b@example.com"]);
        let listed = store.read().await.unwrap().list_outbox(10).await.unwrap();
        let [b, a] = [&listed[0], &listed[1]];
        assert_eq!(
            (a.kind.as_str(), a.locale.as_str(), a.attempts, a.sent_at),
            ("welcome", "de", 0, None)
        );
        assert_eq!((a.sealed.as_slice(), a.created_at), (&[1, 0, 255][..], NOW));
        let until = NOW.after(5 * MINUTE);
        assert!(write!(store, tx => tx.claim_mail(a.id, NOW.after(MINUTE), until).await.unwrap()));
        assert!(
            !write!(store, tx => tx.claim_mail(a.id, NOW.after(MINUTE), until).await.unwrap()),
            "another has it"
        );
        assert_eq!(due(store, 2).await, ["b@example.com"]);
        // whoever had it is gone: it is due again
        assert_eq!(due(store, 5).await, ["b@example.com", "a@example.com"]);
        write!(store, tx => {
            tx.mark_mail_sent(a.id, NOW.after(2 * MINUTE)).await.unwrap();
            tx.mark_mail_failed(b.id, "no such mailbox", Some(NOW.after(7 * MINUTE))).await.unwrap();
        });
        assert!(due(store, 6).await.is_empty());
        assert_eq!(due(store, 7).await, ["b@example.com"]);
        write!(store, tx => tx.mark_mail_failed(b.id, "given up", None).await.unwrap());
        assert!(due(store, 1_000).await.is_empty());
        let listed = store.read().await.unwrap().list_outbox(10).await.unwrap();
        assert_eq!(
            (listed[1].sent_at, listed[1].attempts),
            (Some(NOW.after(2 * MINUTE)), 1)
        );
        assert_eq!(
            (listed[0].error.as_deref(), listed[0].sent_at),
            (Some("given up"), None)
        );
        assert_eq!(store.read().await.unwrap().list_outbox(1).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn initial_access_tokens_are_listed_whether_they_count_or_not() {
    each_store(async |store| {
        let token = |name: &str, at| RegistrationToken {
            id: Id::new(at),
            digest: digest(name),
            name: name.to_owned(),
            uses_left: None,
            created_at: at,
            expires_at: NOW.after(10 * MINUTE),
            revoked_at: None,
        };
        let (first, second) = (token("first", NOW), token("second", NOW.after(MINUTE)));
        write!(store, tx => {
            tx.add_registration_token(&first).await.unwrap();
            tx.add_registration_token(&second).await.unwrap();
            assert!(tx.revoke_registration_token(first.id, NOW.after(MINUTE)).await.unwrap());
            assert!(!tx.revoke_registration_token(first.id, NOW.after(MINUTE)).await.unwrap());
        });
        let mut read = store.read().await.unwrap();
        let listed = read.list_registration_tokens(10).await.unwrap();
        assert_eq!(
            listed.iter().map(|token| token.id).collect::<Vec<_>>(),
            [second.id, first.id]
        );
        let found = read.find_registration_token(&digest("first")).await.unwrap().unwrap();
        assert_eq!((found.revoked_at, found.uses_left), (Some(NOW.after(MINUTE)), None));
        assert!(read.find_registration_token(&digest("third")).await.unwrap().is_none());
    })
    .await;
}
