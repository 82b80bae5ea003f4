//! Users, groups, sessions and consents.

use std::time::Duration;

use ostiary::model::{Consent, Id, PasswordHash, PasswordSetter, Scopes, User, UserStatus};
use ostiary::store::{Error, Tenure};

use super::{Ground, MINUTE, NOW, each_store, sample_client, sample_group, sample_session, sample_user, write};

fn taken<T>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Taken(constraint)) => constraint,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was added"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_whatever_names_them() {
    each_store(async |store| {
        let ada = sample_user("Ada");
        write!(store, tx => tx.add_user(&ada).await.unwrap());
        let mut read = store.read().await.unwrap();
        let found = [
            read.find_user(ada.id).await.unwrap(),
            read.find_user_by_subject("subject-Ada").await.unwrap(),
            read.find_user_by_username(" aDA ").await.unwrap(),
            read.find_user_by_email("ADA@example.COM").await.unwrap(),
            read.find_user_by_identifier("ada").await.unwrap(),
            read.find_user_by_identifier("ada@EXAMPLE.com").await.unwrap(),
        ];
        for user in found {
            let user = user.unwrap();
            assert_eq!((user.id, user.version, user.status), (ada.id, 1, UserStatus::Active));
            assert_eq!((user.username.as_str(), &user.profile), ("Ada", &ada.profile));
            assert_eq!((user.created_at, user.password_changed_at), (NOW, Some(NOW)));
            assert_eq!(user.password.unwrap().expose(), "$argon2id$one");
        }
        assert!(read.find_user(Id::new(NOW)).await.unwrap().is_none());
        // a subject is case sensitive
        assert!(read.find_user_by_subject("SUBJECT-ADA").await.unwrap().is_none());
        assert!(read.find_user_by_username("ad").await.unwrap().is_none());
        assert!(read.find_user_by_email("").await.unwrap().is_none());
        drop(read);

        // each of the three names belongs to one
        let mut same = sample_user("ADA");
        same.profile.email = None;
        let mut tx = store.write().await.unwrap();
        assert_eq!(taken(tx.add_user(&same).await), "users_username_key");
        drop(tx);
        let mut same = sample_user("bob");
        same.profile.email = Some("Ada@Example.com".to_owned());
        let mut tx = store.write().await.unwrap();
        assert_eq!(taken(tx.add_user(&same).await), "users_email_key");
        drop(tx);
        let mut same = sample_user("bob");
        same.subject = ada.subject.clone();
        let mut tx = store.write().await.unwrap();
        assert_eq!(taken(tx.add_user(&same).await), "users_subject");
        drop(tx);
        // a username wins over another's address
        let mut odd = sample_user("ada@example.com");
        odd.profile.email = None;
        write!(store, tx => tx.add_user(&odd).await.unwrap());
        let mut read = store.read().await.unwrap();
        assert_eq!(
            read.find_user_by_identifier("ada@example.com")
                .await
                .unwrap()
                .unwrap()
                .id,
            odd.id
        );
        assert!(
            read.find_user_by_subject(&odd.subject)
                .await
                .unwrap()
                .unwrap()
                .profile
                .email
                .is_none()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_changed_under_its_version_only() {
    each_store(async |store| {
        let mut ada = sample_user("ada");
        let old = PasswordHash::new("$argon2id$one");
        write!(store, tx => tx.add_user(&ada).await.unwrap());
        ada.username = "augusta".to_owned();
        ada.status = UserStatus::Inactive;
        ada.profile.email = None;
        ada.updated_at = NOW.after(MINUTE);
        assert!(write!(store, tx => tx.change_user(&ada).await.unwrap()));
        assert!(
            !write!(store, tx => tx.change_user(&ada).await.unwrap()),
            "the version has moved on"
        );
        let read = async || store.read().await.unwrap().find_user(ada.id).await.unwrap().unwrap();
        let stored = read().await;
        assert_eq!(
            (stored.version, stored.username.as_str(), stored.status),
            (2, "augusta", UserStatus::Inactive)
        );
        assert_eq!((stored.created_at, stored.updated_at), (NOW, NOW.after(MINUTE)));
        assert!(stored.profile.email.is_none() && stored.password.is_some());

        let (new, newer) = (PasswordHash::new("$argon2id$two"), PasswordHash::new("$argon2id$three"));
        write!(store, tx => tx.set_password(ada.id, &new, PasswordSetter::Other, NOW.after(2 * MINUTE)).await.unwrap());
        // a rehash of what is no longer the password changes nothing
        write!(store, tx => tx.rehash_password(ada.id, &old, &newer).await.unwrap());
        assert_eq!(read().await.password.unwrap().expose(), "$argon2id$two");
        write!(store, tx => tx.rehash_password(ada.id, &new, &newer).await.unwrap());
        let stored = read().await;
        assert_eq!(stored.password.unwrap().expose(), "$argon2id$three");
        assert_eq!(
            (stored.password_changed_at, stored.version),
            (Some(NOW.after(2 * MINUTE)), 2)
        );

        write!(store, tx => tx.mark_user_applied(ada.id).await.unwrap());
        let applied = store.read().await.unwrap().list_applied_users().await.unwrap();
        assert_eq!(applied, ["augusta"]);
        assert!(write!(store, tx => tx.delete_user(ada.id).await.unwrap()));
        assert!(!write!(store, tx => tx.delete_user(ada.id).await.unwrap()));

        assert!(
            !store
                .read()
                .await
                .unwrap()
                .is_subject_departed("subject-ada")
                .await
                .unwrap()
        );
        write!(store, tx => tx.remember_departed_subject("subject-ada", NOW).await.unwrap());
        assert!(
            store
                .read()
                .await
                .unwrap()
                .is_subject_departed("subject-ada")
                .await
                .unwrap()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_in_order_and_in_pages() {
    each_store(async |store| {
        let names = ["ada", "adam", "Bob", "bo\u{308}b", "carol", "%", "_x"];
        let mut users: Vec<User> = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let mut user = sample_user(name);
            user.id = Id::new(NOW.after(Duration::from_secs(u64::try_from(at).unwrap())));
            users.push(user);
        }
        write!(store, tx => for user in &users {
            tx.add_user(user).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        let ids = |page: Vec<User>| page.into_iter().map(|user| user.id).collect::<Vec<_>>();
        let all: Vec<_> = users.iter().map(|user| user.id).collect();
        assert_eq!(ids(read.list_users(None, 100).await.unwrap()), all);
        assert_eq!(ids(read.list_users(None, 3).await.unwrap()), all[..3]);
        assert_eq!(ids(read.list_users(Some(all[2]), 3).await.unwrap()), all[3..6]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_hold_permissions_and_members() {
    each_store(async |store| {
        let (ada, bob) = (sample_user("ada"), sample_user("bob"));
        let mut staff = sample_group("Staff", &["users.read", "orders"]);
        let other = sample_group("other", &["orders"]);
        write!(store, tx => {
            tx.add_user(&ada).await.unwrap();
            tx.add_user(&bob).await.unwrap();
            tx.add_group(&staff).await.unwrap();
            tx.add_group(&other).await.unwrap();
            assert!(tx.add_member(staff.id, ada.id, NOW).await.unwrap());
            assert!(!tx.add_member(staff.id, ada.id, NOW).await.unwrap());
            assert!(tx.add_member(other.id, ada.id, NOW).await.unwrap());
            assert!(tx.add_member(other.id, bob.id, NOW).await.unwrap());
        });
        let mut tx = store.write().await.unwrap();
        assert_eq!(
            taken(tx.add_group(&sample_group("STAFF", &[])).await),
            "groups_name_key"
        );
        drop(tx);
        let mut same = sample_group("third", &[]);
        same.external_id.clone_from(&staff.external_id);
        let mut tx = store.write().await.unwrap();
        assert_eq!(taken(tx.add_group(&same).await), "groups_external_id");
        drop(tx);

        let mut read = store.read().await.unwrap();
        let found = read.find_group_by_name(" staff").await.unwrap().unwrap();
        assert_eq!((found.id, found.external_id.as_deref()), (staff.id, Some("ou=Staff")));
        assert_eq!(found.permissions, ["orders", "users.read"]);
        assert_eq!(read.find_group(other.id).await.unwrap().unwrap().name, "other");
        assert!(read.find_group(Id::new(NOW)).await.unwrap().is_none());
        assert_eq!(read.list_groups(None, 10).await.unwrap().len(), 2);
        let first = read.list_groups(None, 1).await.unwrap()[0].id;
        assert_eq!(read.list_groups(Some(first), 10).await.unwrap().len(), 1);
        assert_eq!(read.list_group_names_of(ada.id).await.unwrap(), ["other", "Staff"]);
        assert_eq!(
            read.list_permissions_of(ada.id).await.unwrap(),
            ["orders", "users.read"]
        );
        assert_eq!(read.list_permissions_of(bob.id).await.unwrap(), ["orders"]);
        let members = read.list_members(other.id, None, 10).await.unwrap();
        assert_eq!(members.len(), 2);
        assert_eq!(
            read.list_members(other.id, Some(members[0]), 10).await.unwrap(),
            members[1..]
        );
        let lasting = Some(Tenure::Lasting);
        assert_eq!(read.find_longest_tenure("orders", NOW).await.unwrap(), lasting);
        assert_eq!(read.find_longest_tenure("users.read", NOW).await.unwrap(), lasting);
        assert_eq!(read.find_longest_tenure("users", NOW).await.unwrap(), None);
        assert_eq!(read.find_primary_group_of(ada.id).await.unwrap(), None);
        drop(read);

        write!(store, tx => {
            tx.hold_groups_with_permission("orders").await.unwrap();
            assert!(tx.make_primary(staff.id, ada.id).await.unwrap());
            assert!(tx.make_primary(other.id, ada.id).await.unwrap());
            assert!(!tx.make_primary(staff.id, bob.id).await.unwrap());
            tx.mark_group_applied(other.id).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        assert_eq!(
            read.find_primary_group_of(ada.id).await.unwrap().as_deref(),
            Some("other")
        );
        assert_eq!(read.list_applied_groups().await.unwrap(), ["other"]);
        drop(read);

        staff.name = "Team".to_owned();
        staff.permissions = vec!["orders".to_owned()];
        assert!(write!(store, tx => tx.change_group(&staff).await.unwrap()));
        staff.permissions.clear();
        assert!(
            !write!(store, tx => tx.change_group(&staff).await.unwrap()),
            "the version has moved on"
        );
        let stored = store.read().await.unwrap().find_group(staff.id).await.unwrap().unwrap();
        assert_eq!((stored.name.as_str(), stored.version), ("Team", 2));
        assert_eq!(stored.permissions, ["orders"]);
        write!(store, tx => {
            assert!(tx.remove_member(staff.id, ada.id).await.unwrap());
            assert!(!tx.remove_member(staff.id, ada.id).await.unwrap());
            assert!(tx.delete_group(other.id).await.unwrap());
            assert!(!tx.delete_group(other.id).await.unwrap());
        });
        let mut read = store.read().await.unwrap();
        assert!(read.list_permissions_of(ada.id).await.unwrap().is_empty());
        assert!(read.find_user(ada.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_once() {
    each_store(async |store| {
        let (ada, bob) = (sample_user("ada"), sample_user("bob"));
        let [first, second, foreign] = [ada.id, ada.id, bob.id].map(sample_session);
        write!(store, tx => {
            tx.add_user(&ada).await.unwrap();
            tx.add_user(&bob).await.unwrap();
            for session in [&first, &second, &foreign] {
                tx.add_session(session).await.unwrap();
            }
        });
        let mut read = store.read().await.unwrap();
        let found = read.find_session(first.id).await.unwrap().unwrap();
        assert_eq!(
            (found.user, found.started_at, found.expires_at),
            (ada.id, NOW, first.expires_at)
        );
        assert_eq!(
            (found.address.as_deref(), found.user_agent.as_deref()),
            (Some("2001:db8::1"), Some("Browser"))
        );
        assert!(found.remember && found.is_live(NOW) && !found.is_live(found.expires_at));
        assert!(read.find_session(Id::new(NOW)).await.unwrap().is_none());
        assert_eq!(read.list_live_sessions_of(ada.id, NOW, 10).await.unwrap().len(), 2);
        assert_eq!(read.list_live_sessions_of(ada.id, NOW, 1).await.unwrap().len(), 1);
        assert!(
            read.list_live_sessions_of(ada.id, first.expires_at, 10)
                .await
                .unwrap()
                .is_empty()
        );
        drop(read);
        assert!(write!(store, tx => tx.hold_session(first.id, NOW).await.unwrap()));
        assert!(!write!(store, tx => tx.hold_session(first.id, first.expires_at).await.unwrap()));
        assert!(write!(store, tx => tx.end_session(first.id, NOW.after(MINUTE), "test").await.unwrap()));
        assert!(!write!(store, tx => tx.end_session(first.id, NOW.after(2 * MINUTE), "test").await.unwrap()));
        assert!(!write!(store, tx => tx.hold_session(first.id, NOW).await.unwrap()));
        assert!(!write!(store, tx => tx.hold_session(Id::new(NOW), NOW).await.unwrap()));
        assert_eq!(
            write!(store, tx => tx.end_sessions_of_user(ada.id, NOW.after(MINUTE), "test").await.unwrap()),
            1
        );
        let mut read = store.read().await.unwrap();
        let ended = read.find_session(first.id).await.unwrap().unwrap();
        assert_eq!(ended.ended_at, Some(NOW.after(MINUTE)));
        assert!(!ended.is_live(NOW));
        assert!(read.find_session(foreign.id).await.unwrap().unwrap().is_live(NOW));
        drop(read);
        assert_eq!(
            write!(store, tx => tx.sweep_sessions(first.expires_at, 10).await.unwrap()),
            0
        );
        let later = first.expires_at.after(MINUTE);
        assert_eq!(write!(store, tx => tx.sweep_sessions(later, 2).await.unwrap()), 2);
        assert_eq!(write!(store, tx => tx.sweep_sessions(later, 2).await.unwrap()), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_stands_in_place_of_the_one_before() {
    each_store(async |store| {
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        let other = sample_client("other");
        write!(store, tx => tx.add_client(&other).await.unwrap());
        let consent = |client, scope: &str, at| Consent {
            user: ground.user.id,
            client,
            scope: Scopes::parse(scope).unwrap(),
            claims: vec!["email".to_owned()],
            given_at: at,
        };
        write!(store, tx => {
            tx.give_consent(&consent(ground.client.id, "openid email", NOW)).await.unwrap();
            tx.give_consent(&consent(ground.client.id, "openid", NOW.after(MINUTE))).await.unwrap();
            tx.give_consent(&consent(other.id, "", NOW)).await.unwrap();
        });
        let mut read = store.read().await.unwrap();
        let found = read
            .find_consent(ground.user.id, ground.client.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.scope.to_string().as_str(), found.given_at),
            ("openid", NOW.after(MINUTE))
        );
        assert_eq!(found.claims, ["email"]);
        assert!(
            read.find_consent(ground.user.id, other.id)
                .await
                .unwrap()
                .unwrap()
                .scope
                .is_empty()
        );
        let all = read.list_consents_of(ground.user.id, 10).await.unwrap();
        assert_eq!(
            all.iter().map(|one| one.client).collect::<Vec<_>>(),
            [ground.client.id, other.id]
        );
        drop(read);
        assert!(write!(store, tx => tx.withdraw_consent(ground.user.id, other.id).await.unwrap()));
        assert!(!write!(store, tx => tx.withdraw_consent(ground.user.id, other.id).await.unwrap()));
        assert_eq!(
            store
                .read()
                .await
                .unwrap()
                .list_consents_of(ground.user.id, 10)
                .await
                .unwrap()
                .len(),
            1
        );
        let unknown = sample_client("unknown");
        let mut tx = store.write().await.unwrap();
        let answer = tx.give_consent(&consent(unknown.id, "openid", NOW)).await;
        assert!(answer.is_err() || tx.commit().await.is_err(), "a consent for nobody");
    })
    .await;
}
