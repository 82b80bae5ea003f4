//! Nobody is refused because of what never was: on SQLite a transaction reads what others are about to commit, and a refusal
//! that rests on it waits with them.

use std::pin::Pin;
use std::time::Duration;

use ostiary::flow::people::ChangeSource::Command;
use ostiary::flow::people::{
    GroupChange, NewGroup, NewPassword, NewUser, OfflineGrants, UserChange, WeakPasswords, add_member, change_group,
    change_user, create_group, create_user, deactivate_user, delete_group, delete_user, end_session, end_sessions,
    make_primary, reactivate_user, remove_member, set_password,
};
use ostiary::flow::session::{self, Proof};
use ostiary::flow::{Call, Error, Provider};
use ostiary::model::{Group, Id, Session, User};

use super::provider::Ground;

type Refused = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Flow = fn(Provider, Call, Ids) -> Refused;

/// A foreign key that does not hold, judged at the commit: the nearest thing to a disk that fails there.
const BROKEN_PROMISE: [&str; 2] = [
    "pragma defer_foreign_keys = 1",
    "insert into group_permissions (group_id, permission) values (x'00000000000000000000000000000000', 'none')",
];
/// What is taken away together with it.
const TAKEN_AWAY: [&str; 3] = ["delete from sessions", "delete from users", "delete from groups"];

/// Until whoever was started has come to where it waits: nothing tells from outside that it does.
async fn let_others_run() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_by_what_was_not_kept() {
    let ground = Ground::new().await;
    let group = ground.group("staff", &["orders.read"]).await.id;
    let ada = ground.user("ada", &["staff"]).await;
    let (id, call) = (ada.id, ground.call());
    let mut browser = session::recognize(&ground.provider, &call, None, None).await.unwrap();
    let begun = session::begin(&ground.provider, &call, &mut browser, &ada, Proof::password(false));
    let begun = begun.await.unwrap().session.id;

    let mut first = ground.provider.store.database().write().await.unwrap();
    for statement in BROKEN_PROMISE.iter().chain(&TAKEN_AWAY) {
        first.sql(statement).changed().await.unwrap();
    }
    let flows: Vec<(&str, Flow)> = vec![
        ("change_group", |provider, call, ids| {
            Box::pin(async move {
                let change = GroupChange::default();
                change_group(&provider, &call, &Command, ids.group, None, change)
                    .await
                    .map(drop)
            })
        }),
        ("delete_group", |provider, call, ids| {
            Box::pin(async move { delete_group(&provider, &call, &Command, ids.group, None, None).await })
        }),
        ("add_member", |provider, call, ids| {
            Box::pin(async move { add_member(&provider, &call, &Command, ids.group, ids.user).await })
        }),
        ("remove_member", |provider, call, ids| {
            Box::pin(async move { remove_member(&provider, &call, &Command, ids.group, ids.user, None).await })
        }),
        ("make_primary", |provider, call, ids| {
            Box::pin(async move { make_primary(&provider, &call, &Command, ids.group, ids.user).await })
        }),
        ("change_user", |provider, call, ids| {
            Box::pin(async move {
                let change = UserChange::default();
                change_user(&provider, &call, &Command, ids.user, None, change)
                    .await
                    .map(drop)
            })
        }),
        ("deactivate_user", |provider, call, ids| {
            Box::pin(async move {
                deactivate_user(&provider, &call, &Command, ids.user, None)
                    .await
                    .map(drop)
            })
        }),
        ("reactivate_user", |provider, call, ids| {
            Box::pin(async move {
                reactivate_user(&provider, &call, &Command, ids.user, None)
                    .await
                    .map(drop)
            })
        }),
        ("delete_user", |provider, call, ids| {
            Box::pin(async move { delete_user(&provider, &call, &Command, ids.user, None).await })
        }),
        ("set_password", |provider, call, ids| {
            Box::pin(async move {
                let (password, weak) = (NewPassword::Generated, WeakPasswords::Refuse);
                set_password(&provider, &call, &Command, ids.user, password, weak)
                    .await
                    .map(drop)
            })
        }),
        ("end_session", |provider, call, ids| {
            Box::pin(async move { end_session(&provider, &call, &Command, ids.session).await })
        }),
        ("end_sessions", |provider, call, ids| {
            Box::pin(async move {
                end_sessions(&provider, &call, &Command, ids.user, OfflineGrants::End)
                    .await
                    .map(drop)
            })
        }),
        ("create_user", |provider, call, _| {
            Box::pin(async move {
                let new = NewUser {
                    groups: vec!["staff".to_owned()],
                    ..NewUser::named("bob")
                };
                create_user(&provider, &call, &Command, new).await.map(drop)
            })
        }),
    ];
    let ids = Ids {
        group,
        user: id,
        session: begun,
    };
    let mut refused = Vec::new();
    for (name, flow) in flows {
        let flow = flow(ground.provider.clone(), call.clone(), ids);
        refused.push((name, tokio::spawn(flow)));
    }
    let_others_run().await;
    assert!(first.commit().await.is_err());
    for (name, refused) in refused {
        let refused = refused.await.unwrap();
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{name}: {refused:?}");
    }

    // the same of a name that is taken by what is not kept
    let mut first = ground.provider.store.database().write().await.unwrap();
    for statement in BROKEN_PROMISE {
        first.sql(statement).changed().await.unwrap();
    }
    first
        .sql("update groups set name_key = 'others' where name_key = 'staff'")
        .changed()
        .await
        .unwrap();
    let provider = ground.provider.clone();
    let made = tokio::spawn(async move {
        let new = NewGroup {
            name: "others".to_owned(),
            ..NewGroup::default()
        };
        create_group(&provider, &call, &Command, new).await.map(drop)
    });
    let_others_run().await;
    assert!(first.commit().await.is_err());
    let made = made.await.unwrap();
    assert!(matches!(made, Err(Error::Unavailable(_))), "{made:?}");
}

/// What is taken away.
#[derive(Clone, Copy)]
struct Ids {
    group: Id<Group>,
    user: Id<User>,
    session: Id<Session>,
}
