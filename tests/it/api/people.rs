//! Users: made, changed, deactivated, deleted, by the one flow that everybody uses.

use std::time::Duration;

use ostiary::flow::Error;
use ostiary::flow::people::ChangeSource::Command;
use ostiary::flow::people::{
    NewPassword, NewUser, OfflineGrants, Rights, Search, UserChange, UserKey, WeakPasswords, Welcome, change_user,
    create_user, deactivate_user, delete_user, end_session, end_sessions, find_user, get_user, list_sessions,
    list_users, reactivate_user, set_password,
};
use ostiary::model::{Digest, Grant, GrantTerms, Id, PasswordHash, Profile, Scopes, Secret, Session, Timestamp, User};
use ostiary::sessions::{AtLimit, Limit};
use ostiary::store::SessionRow;

use super::provider::{Ground, fields, holder};

fn profile(email: &str) -> Profile {
    Profile {
        email: Some(email.to_owned()),
        ..Profile::default()
    }
}

#[tokio::test]
async fn a_user_is_made_with_groups_a_random_subject_and_an_event() {
    let ground = Ground::new().await;
    ground.group("staff", &["orders.read"]).await;
    ground.group("office", &[]).await;
    let ada = ground.user("Ada", &["office", "staff"]).await;
    let bob = ground.user("bob", &["office", "staff"]).await;
    assert_eq!(ada.subject.len(), 43, "256 random bits");
    assert_ne!(ada.subject, bob.subject);
    let mut store = ground.provider.store.read().await.unwrap();
    assert_eq!(store.list_group_names_of(ada.id).await.unwrap(), ["office", "staff"]);
    assert_eq!(
        store.find_primary_group_of(ada.id).await.unwrap().as_deref(),
        Some("office")
    );
    drop(store);
    assert_eq!(ground.events().await[..2], ["user.created", "user.created"]);
    let key = UserKey::Username("ADA".to_owned());
    assert_eq!(find_user(&ground.provider, &key).await.unwrap().unwrap().id, ada.id);
}

#[tokio::test]
async fn every_field_that_cannot_be_taken_is_named_at_once() {
    let ground = Ground::new().await;
    let text = |text: &str| Some(text.to_owned());
    let new = NewUser {
        profile: Profile {
            given_name: text(" "),
            picture: text("javascript:alert(1)"),
            website: text("https://user:secret@site.example/"),
            email: text("ada@@example.com"),
            birthdate: text("2023-02-29"),
            zoneinfo: text("../../etc/passwd"),
            locale: text("en_US"),
            phone_number: text("0123"),
            phone_number_verified: true,
            ..Profile::default()
        },
        subject: text("two words"),
        ..NewUser::named(" ada")
    };
    let refused = fields(create_user(&ground.provider, &ground.call(), &Command, new).await);
    let pointers: Vec<&str> = refused.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/username",
            "/given_name",
            "/picture",
            "/website",
            "/email",
            "/birthdate",
            "/zoneinfo",
            "/locale",
            "/phone_number",
            "/subject"
        ]
    );
    assert!(ground.events().await.is_empty(), "nothing was changed");
}

#[tokio::test]
async fn fields_in_their_usual_shapes_are_taken() {
    let ground = Ground::new().await;
    let text = |text: &str| Some(text.to_owned());
    for (place, (birthdate, zoneinfo, locale)) in [
        ("1815-12-10", "Europe/London", "en-GB"),
        ("1815", "UTC", "de"),
        ("0000-02-29", "America/Argentina/Buenos_Aires", "zh-Hant-TW"),
    ]
    .into_iter()
    .enumerate()
    {
        let new = NewUser {
            profile: Profile {
                given_name: text("Élodie 王"),
                birthdate: text(birthdate),
                zoneinfo: text(zoneinfo),
                locale: text(locale),
                phone_number: text("+33123456789"),
                email: Some(format!("a.b+c{place}@mail.example.com")),
                website: text("https://site.example/~ada?x=1"),
                ..Profile::default()
            },
            ..NewUser::named(format!("user {place}"))
        };
        create_user(&ground.provider, &ground.call(), &Command, new)
            .await
            .unwrap();
    }
}

/// SEC-230: one word signs in one person: names and addresses are compared without regard to case and to how Unicode writes them, also
/// with each other; what pads them or can't be seen is refused.
#[tokio::test]
async fn identifier_uniqueness() {
    let ground = Ground::new().await;
    let add = async |username: &str, email: Option<&str>| {
        let new = NewUser {
            profile: email.map(profile).unwrap_or_default(),
            ..NewUser::named(username)
        };
        create_user(&ground.provider, &ground.call(), &Command, new).await
    };
    add("ada", Some("ada@example.com")).await.unwrap();
    // with an accent, put together
    let zoe = add("zo\u{eb}", None).await.unwrap().user;
    add("bob@example.com", None).await.unwrap();
    for (username, email, pointer, code) in [
        ("ADA", None, "/username", "taken"),
        ("\u{ff41}\u{ff44}\u{ff21}", None, "/username", "taken"),
        ("Zo\u{65}\u{308}", None, "/username", "taken"),
        ("ada@example.com", None, "/username", "taken"),
        ("Ada@EXAMPLE.com", None, "/username", "taken"),
        ("eve", Some("ADA@example.com"), "/email", "taken"),
        ("eve", Some("Bob@Example.com"), "/email", "taken"),
        (" ada", None, "/username", "malformed"),
        ("ada ", None, "/username", "malformed"),
        ("ada\u{a0}", None, "/username", "malformed"),
        ("a\u{200b}da", None, "/username", "malformed"),
        ("a\u{ad}da", None, "/username", "malformed"),
        ("a\u{202e}da", None, "/username", "malformed"),
        ("ada\0", None, "/username", "malformed"),
        ("eve", Some("ada@ex\u{430}mple.com"), "/email", "malformed"),
    ] {
        let refused = fields(add(username, email).await);
        assert_eq!(refused, [(pointer.to_owned(), code)], "{username:?} {email:?}");
    }
    // nobody gets there by a change either
    let eve = add("eve", None).await.unwrap().user;
    for change in [
        UserChange {
            username: Some("A\u{ff24}A".to_owned()),
            ..UserChange::default()
        },
        UserChange {
            username: Some("Ada@example.com".to_owned()),
            ..UserChange::default()
        },
    ] {
        let refused = change_user(&ground.provider, &ground.call(), &Command, eve.id, None, change).await;
        assert_eq!(fields(refused), [("/username".to_owned(), "taken")]);
    }
    for spelled in ["ZO\u{cb}", "zo\u{65}\u{308}"] {
        let key = UserKey::Username(spelled.to_owned());
        assert_eq!(find_user(&ground.provider, &key).await.unwrap().unwrap().id, zoe.id);
    }
}

#[tokio::test]
async fn a_name_or_address_that_somebody_has_is_a_field_error() {
    let ground = Ground::new().await;
    ground.user("ada", &[]).await;
    let new = NewUser {
        profile: profile("bob@example.com"),
        subject: Some("bob-1".to_owned()),
        ..NewUser::named("bob")
    };
    create_user(&ground.provider, &ground.call(), &Command, new.clone())
        .await
        .unwrap();
    let call = ground.call();
    let again = |new: NewUser| create_user(&ground.provider, &call, &Command, new);
    assert_eq!(
        fields(again(NewUser::named("ADA")).await),
        [("/username".to_owned(), "taken")]
    );
    let same_email = NewUser {
        profile: profile("Bob@Example.com"),
        ..NewUser::named("other")
    };
    assert_eq!(fields(again(same_email).await), [("/email".to_owned(), "taken")]);
    let same_subject = NewUser {
        subject: new.subject.clone(),
        ..NewUser::named("other")
    };
    assert_eq!(fields(again(same_subject).await), [("/subject".to_owned(), "taken")]);
    // what one person signs in with is never another's address
    let name_is_address = NewUser::named("bob@example.com");
    assert_eq!(
        fields(again(name_is_address).await),
        [("/username".to_owned(), "taken")]
    );
    let unknown_group = NewUser {
        groups: vec!["nowhere".to_owned()],
        ..NewUser::named("other")
    };
    assert_eq!(
        fields(again(unknown_group).await),
        [("/groups/0".to_owned(), "unknown")]
    );
    let key = UserKey::Username("other".to_owned());
    assert!(find_user(&ground.provider, &key).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_of_an_old_version_is_stale_and_an_empty_one_leaves_no_trace() {
    let ground = Ground::new().await;
    let ada = ground.user("ada", &[]).await;
    let named = |name: &str| UserChange {
        given_name: Some(Some(name.to_owned())),
        ..UserChange::default()
    };
    let call = ground.call();
    let change = |expected, change| change_user(&ground.provider, &call, &Command, ada.id, expected, change);
    let changed = change(Some(1), named("Ada")).await.unwrap();
    assert_eq!(
        (changed.version, changed.profile.given_name.as_deref()),
        (2, Some("Ada"))
    );
    assert!(matches!(change(Some(1), named("Eve")).await, Err(Error::Stale)));
    let events = ground.events().await.len();
    assert_eq!(change(Some(2), named("Ada")).await.unwrap().version, 2);
    assert_eq!(ground.events().await.len(), events);
    let cleared = UserChange {
        given_name: Some(None),
        ..UserChange::default()
    };
    assert_eq!(change(None, cleared).await.unwrap().profile.given_name, None);
    let read = get_user(&ground.provider, ada.id).await.unwrap();
    assert_eq!((read.version, read.profile), (3, Profile::default()));
}

#[tokio::test]
async fn a_new_address_is_not_verified_because_the_old_one_was() {
    let ground = Ground::new().await;
    let new = NewUser {
        profile: Profile {
            email_verified: true,
            ..profile("ada@example.com")
        },
        ..NewUser::named("ada")
    };
    let ada = create_user(&ground.provider, &ground.call(), &Command, new)
        .await
        .unwrap()
        .user;
    let change = UserChange {
        email: Some(Some("eve@example.com".to_owned())),
        ..UserChange::default()
    };
    let changed = change_user(&ground.provider, &ground.call(), &Command, ada.id, None, change)
        .await
        .unwrap();
    assert!(!changed.profile.email_verified);
    let cleared = UserChange {
        email: Some(None),
        email_verified: Some(true),
        ..UserChange::default()
    };
    let refused = change_user(&ground.provider, &ground.call(), &Command, ada.id, None, cleared).await;
    assert_eq!(fields(refused), [("/email_verified".to_owned(), "contradiction")]);
}

/// SEC-101: a deleted and recreated username is another person: a new subject, and none of the old one's grants.
#[tokio::test]
async fn subject_never_reassigned() {
    let ground = Ground::new().await;
    ground.group("administrators", &["admin"]).await;
    let ada = ground.user("ada", &["administrators"]).await;
    ground.user("root", &["administrators"]).await;
    let client = client(&ground).await;
    let grant = grant(&ground, &ada, client).await;
    delete_user(&ground.provider, &ground.call(), &Command, ada.id, None)
        .await
        .unwrap();
    let again = ground.user("ada", &[]).await;
    assert_ne!(again.subject, ada.subject);
    assert_ne!(again.id, ada.id);
    let mut store = ground.provider.store.read().await.unwrap();
    assert!(store.find_grant(grant).await.unwrap().is_none());
    assert!(store.list_group_names_of(again.id).await.unwrap().is_empty());
    drop(store);
    // not even on purpose
    let new = NewUser {
        subject: Some(ada.subject.clone()),
        ..NewUser::named("eve")
    };
    let refused = create_user(&ground.provider, &ground.call(), &Command, new).await;
    assert_eq!(fields(refused), [("/subject".to_owned(), "taken")]);
    let longest = NewUser {
        subject: Some("s".repeat(255)),
        ..NewUser::named("long")
    };
    create_user(&ground.provider, &ground.call(), &Command, longest)
        .await
        .unwrap();
    let too_long = NewUser {
        subject: Some("s".repeat(256)),
        ..NewUser::named("longer")
    };
    let refused = create_user(&ground.provider, &ground.call(), &Command, too_long).await;
    assert_eq!(fields(refused), [("/subject".to_owned(), "malformed")]);
}

/// SEC-174, the flows' part: what was let in ends with the account and with the password.
#[tokio::test]
async fn user_disable_ends_everything_of_the_user_and_nothing_of_others() {
    let ground = Ground::new().await;
    let (ada, bob) = (ground.user("ada", &[]).await, ground.user("bob", &[]).await);
    let client = client(&ground).await;
    for act in ["deactivate", "password", "sessions", "delete"] {
        let sessions = [sign_in(&ground, &ada).await, sign_in(&ground, &bob).await];
        let grants = [grant(&ground, &ada, client).await, grant(&ground, &bob, client).await];
        let call = ground.call();
        match act {
            "deactivate" => {
                let user = deactivate_user(&ground.provider, &call, &Command, ada.id, None)
                    .await
                    .unwrap();
                assert!(!user.is_active(call.now));
            }
            "password" => {
                let password = NewPassword::Generated;
                let weak = WeakPasswords::Refuse;
                let told = set_password(&ground.provider, &call, &Command, ada.id, password, weak)
                    .await
                    .unwrap();
                assert!(told.is_some());
            }
            "sessions" => {
                assert_eq!(
                    end_sessions(&ground.provider, &call, &Command, ada.id, OfflineGrants::End)
                        .await
                        .unwrap(),
                    1
                );
            }
            _ => delete_user(&ground.provider, &call, &Command, ada.id, None)
                .await
                .unwrap(),
        }
        assert!(
            ground
                .provider
                .sessions
                .list(ada.id, call.now)
                .await
                .unwrap()
                .is_empty(),
            "{act}"
        );
        assert!(
            !ground
                .provider
                .sessions
                .list(bob.id, call.now)
                .await
                .unwrap()
                .is_empty(),
            "{act}"
        );
        let mut store = ground.provider.store.read().await.unwrap();
        assert!(
            store
                .list_live_sessions_of(ada.id, call.now, 9)
                .await
                .unwrap()
                .is_empty(),
            "{act}"
        );
        assert!(
            store
                .find_session(sessions[1])
                .await
                .unwrap()
                .unwrap()
                .ended_at
                .is_none(),
            "{act}"
        );
        let ended = store.find_grant(grants[0]).await.unwrap();
        assert!(ended.is_none_or(|grant| grant.ended_at.is_some()), "{act}");
        assert!(
            store.find_grant(grants[1]).await.unwrap().unwrap().ended_at.is_none(),
            "{act}"
        );
        drop(store);
        if act == "deactivate" {
            let user = reactivate_user(&ground.provider, &ground.call(), &Command, ada.id, None)
                .await
                .unwrap();
            assert!(user.is_active(ground.call().now));
        }
    }
}

#[tokio::test]
async fn one_session_is_ended_with_its_grants_and_is_not_there_the_second_time() {
    let ground = Ground::new().await;
    let ada = ground.user("ada", &[]).await;
    let (kept, ended) = (sign_in(&ground, &ada).await, sign_in(&ground, &ada).await);
    assert_eq!(
        list_sessions(&ground.provider, &ground.call(), ada.id)
            .await
            .unwrap()
            .len(),
        2
    );
    end_session(&ground.provider, &ground.call(), &Command, ended)
        .await
        .unwrap();
    let left = list_sessions(&ground.provider, &ground.call(), ada.id).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [kept]);
    let again = end_session(&ground.provider, &ground.call(), &Command, ended).await;
    assert!(matches!(again, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_weak_password_is_refused_unless_it_is_accepted_and_a_generated_one_is_told_once() {
    let ground = Ground::new().await;
    let ada = ground.user("adalovelace", &[]).await;
    let call = ground.call();
    let set = |password: &str, weak| {
        let password = NewPassword::Given(Secret::new(password));
        set_password(&ground.provider, &call, &Command, ada.id, password, weak)
    };
    for (password, code) in [
        ("short", "too_short"),
        ("adalovelace1", "personal"),
        ("aaaaaaaaaaaaa", "sequence"),
        ("", "required"),
    ] {
        let refused = fields(set(password, WeakPasswords::Refuse).await);
        assert_eq!(refused, [("/password".to_owned(), code)], "{password}");
    }
    assert!(set("short", WeakPasswords::Accept).await.unwrap().is_none());
    let hash = NewPassword::Hash(PasswordHash::new("$2b$10$abcdefghijklmnopqrstuv"));
    let refused = set_password(
        &ground.provider,
        &ground.call(),
        &Command,
        ada.id,
        hash,
        WeakPasswords::Refuse,
    )
    .await;
    assert_eq!(fields(refused), [("/password_hash".to_owned(), "unsupported")]);
    let stored = get_user(&ground.provider, ada.id).await.unwrap();
    assert!(stored.password.unwrap().expose().starts_with("$argon2id$"));
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let ground = Ground::new().await;
    let group = ground.group("administrators", &["admin"]).await;
    let ada = ground.user("ada", &["administrators"]).await;
    let (provider, call) = (&ground.provider, ground.call());
    let refused = |answer: Result<(), Error>| assert!(matches!(answer, Err(Error::Conflict("last_administrator"))));
    refused(deactivate_user(provider, &call, &Command, ada.id, None).await.map(drop));
    refused(delete_user(provider, &call, &Command, ada.id, None).await);
    refused(ostiary::flow::people::remove_member(provider, &call, &Command, group.id, ada.id, None).await);
    let staff = Some(ground.group("staff", &[]).await.id);
    refused(ostiary::flow::people::delete_group(provider, &call, &Command, group.id, None, staff).await);
    let demotion = ostiary::flow::people::GroupChange {
        permissions: Some(Vec::new()),
        ..Default::default()
    };
    refused(
        ostiary::flow::people::change_group(provider, &call, &Command, group.id, None, demotion)
            .await
            .map(drop),
    );
    let bob = ground.user("bob", &["administrators"]).await;
    deactivate_user(provider, &call, &Command, ada.id, None).await.unwrap();
    refused(delete_user(provider, &call, &Command, bob.id, None).await);
}

/// SEC-422: two administrators who remove each other at once leave one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_admin_protected() {
    let ground = Ground::new().await;
    ground.group("administrators", &["admin"]).await;
    let ada = ground.user("ada", &["administrators"]).await;
    let bob = ground.user("bob", &["administrators"]).await;
    let call = ground.call();
    let (one, other) = tokio::join!(
        deactivate_user(&ground.provider, &call, &Command, ada.id, None),
        delete_user(&ground.provider, &call, &Command, bob.id, None),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

/// SEC-414: who administers people can't act on those who administer more.
#[tokio::test]
async fn delegated_admin_ceiling() {
    let ground = Ground::new().await;
    ground.group("administrators", &["admin"]).await;
    let boss = ground.user("boss", &["administrators"]).await;
    ground.user("second", &["administrators"]).await;
    let session = sign_in(&ground, &boss).await;
    let (provider, call, helper) = (&ground.provider, ground.call(), holder("admin:users"));
    let forbidden = |answer: Result<(), Error>| assert!(matches!(answer, Err(Error::Forbidden(_))), "{answer:?}");
    let change = UserChange {
        email: Some(Some("eve@example.com".to_owned())),
        ..UserChange::default()
    };
    forbidden(
        change_user(provider, &call, &helper, boss.id, None, change)
            .await
            .map(drop),
    );
    let (password, weak) = (NewPassword::Generated, WeakPasswords::Refuse);
    forbidden(
        set_password(provider, &call, &helper, boss.id, password, weak)
            .await
            .map(drop),
    );
    forbidden(deactivate_user(provider, &call, &helper, boss.id, None).await.map(drop));
    forbidden(reactivate_user(provider, &call, &helper, boss.id, None).await.map(drop));
    forbidden(delete_user(provider, &call, &helper, boss.id, None).await);
    forbidden(end_session(provider, &call, &helper, session).await);
    forbidden(
        end_sessions(provider, &call, &helper, boss.id, OfflineGrants::Stay)
            .await
            .map(drop),
    );
    // an application's permission makes nobody stronger here
    ground.group("staff", &["orders.read"]).await;
    let ada = ground.user("ada", &["staff"]).await;
    deactivate_user(provider, &call, &helper, ada.id, None).await.unwrap();
}

#[tokio::test]
async fn a_welcome_mail_waits_in_the_outbox_sealed_and_only_when_asked_for() {
    let ground = Ground::new().await;
    let new = NewUser {
        profile: profile("ada@example.com"),
        welcome: Welcome::Mail,
        ..NewUser::named("ada")
    };
    create_user(&ground.provider, &ground.call(), &Command, new)
        .await
        .unwrap();
    ground.user("bob", &[]).await;
    let mails = ground
        .provider
        .store
        .read()
        .await
        .unwrap()
        .list_outbox(9)
        .await
        .unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].kind.as_str(), mails[0].recipient.as_str()),
        ("welcome", "ada@example.com")
    );
    let opened = ground.provider.master.open("outbox", &mails[0].sealed).unwrap();
    let mail: ostiary::view::Mail = serde_json::from_slice(&opened).unwrap();
    let ostiary::view::Mail::Welcome(welcome) = mail else {
        panic!("another mail")
    };
    assert_eq!(welcome.username, "ada");
    let without = NewUser {
        welcome: Welcome::Mail,
        ..NewUser::named("eve")
    };
    let refused = create_user(&ground.provider, &ground.call(), &Command, without).await;
    assert_eq!(fields(refused), [("/email".to_owned(), "required")]);
}

#[tokio::test]
async fn pages_tell_every_user_once_in_every_order() {
    let ground = Ground::new().await;
    for number in 0..25 {
        let new = NewUser {
            profile: profile(&format!(
                "{}{number:02}@example.com",
                if number % 2 == 0 { "x" } else { "user" }
            )),
            ..NewUser::named(format!("{}{number:02}", if number % 3 == 0 { "user" } else { "p" }))
        };
        create_user(&ground.provider, &ground.call(), &Command, new)
            .await
            .unwrap();
        ground.clock.advance(Duration::from_millis(2));
    }
    let oldest = walk(&ground, &Search::default(), 7).await;
    let by = |sort: &str| Search {
        sort: vec![sort.to_owned()],
        ..Search::default()
    };
    let mut newest = walk(&ground, &by("-created_at"), 10).await;
    newest.reverse();
    assert_eq!(oldest.len(), 25);
    assert_eq!(oldest, newest);
    for limit in [1, 2, 3, 9, 10, 50] {
        let words = Search {
            words: Some("USER".to_owned()),
            ..Search::default()
        };
        let beginning = walk(&ground, &words, limit).await;
        let mut sorted = beginning.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), beginning.len(), "told twice with limit {limit}");
        // by name: every third; by address: every other
        assert_eq!(
            beginning.len(),
            (0..25).filter(|n| n % 3 == 0 || n % 2 == 1).count(),
            "limit {limit}"
        );
    }
}

async fn walk(ground: &Ground, search: &Search, limit: u32) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let place = (after.as_deref(), limit);
        let page = list_users(&ground.provider, &ground.call(), &Rights::All, search, place)
            .await
            .unwrap();
        assert!(page.items.len() <= limit as usize);
        names.extend(page.items.into_iter().map(|user| user.username));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

async fn sign_in(ground: &Ground, user: &User) -> Id<Session> {
    let now = ground.call().now;
    let expires = now.after(Duration::from_secs(3600));
    let session = Session {
        id: Id::new(now),
        user: user.id,
        started: now,
        seen: now,
        expires,
        idle_timeout: Duration::from_secs(600),
        data: br#"{"auth_time": 0, "amr": ["pwd"], "acr": "urn:ostiary:password", "remember": false}"#.to_vec(),
    };
    let limit = Limit {
        max: None,
        at_limit: AtLimit::Refuse,
    };
    let token = Secret::generate().digest();
    ground
        .provider
        .sessions
        .admit(&token, &session, limit, now)
        .await
        .unwrap();
    let mut tx = ground.provider.store.write().await.unwrap();
    tx.add_session(&SessionRow {
        id: session.id,
        user: user.id,
        started_at: now,
        expires_at: expires,
        address: None,
        user_agent: None,
        device: None,
        place: None,
        remember: false,
        ended_at: None,
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    session.id
}

async fn client(ground: &Ground) -> Id<ostiary::model::Client> {
    let now = ground.call().now;
    let client = ostiary::model::Client {
        id: Id::new(now),
        client_id: "shop".to_owned(),
        version: 1,
        created_at: now,
        updated_at: now,
        disabled_at: None,
        trusted: true,
        origin: ostiary::model::ClientOrigin::Operator,
        metadata: ostiary::model::ClientMetadata::default(),
        policy: ostiary::model::ClientPolicy::default(),
        settings: ostiary::model::Layer::new(),
        secrets: Vec::new(),
        registration_token: None,
        unused_until: None,
    };
    let mut tx = ground.provider.store.write().await.unwrap();
    tx.add_client(&client).await.unwrap();
    tx.commit().await.unwrap();
    client.id
}

async fn grant(ground: &Ground, user: &User, client: Id<ostiary::model::Client>) -> Id<Grant> {
    let now = ground.call().now;
    let grant = Grant {
        id: Id::new(now),
        client,
        user: user.id,
        session: Id::new(now),
        code: Digest::of(Secret::generate().expose().as_bytes()),
        created_at: now,
        expires_at: now.after(Duration::from_secs(3600)),
        ended_at: None,
        terms: GrantTerms {
            scope: Scopes::parse("openid").unwrap(),
            resources: Vec::new(),
            claims: ostiary::model::ClaimsRequest::default(),
            nonce: None,
            auth_time: Timestamp::default(),
            acr: String::new(),
            amr: Vec::new(),
            journey: None,
        },
    };
    let mut tx = ground.provider.store.write().await.unwrap();
    assert!(tx.redeem_code(&grant, 1).await.unwrap());
    tx.commit().await.unwrap();
    grant.id
}
