//! Groups and permissions: nobody confers a right he does not hold.

use ostiary::flow::Error;
use ostiary::flow::people::ChangeSource::Command;
use ostiary::flow::people::{
    ChangeSource, GroupChange, NewGroup, NewUser, Rights, add_member, change_group, create_group, create_user,
    delete_group, get_group, list_members, make_primary, remove_member,
};
use ostiary::model::{Id, Scopes, User};

use super::provider::{Ground, fields, holder};

fn forbidden<T: std::fmt::Debug>(answer: Result<T, Error>, permission: &str) {
    match answer {
        Err(Error::Forbidden(missing)) => assert_eq!(missing, permission),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn admin_is_everything_and_the_whole_reads_its_part() {
    let held = |text: &str| Rights::Held(Scopes::parse(text).unwrap());
    assert!(held("admin").allow("admin:users") && held("admin").allow("orders.read"));
    assert!(held("admin:users").allow("admin:users.read"));
    assert!(!held("admin:users.read").allow("admin:users"));
    assert!(!held("admin:users").allow("admin:groups.read"));
    assert!(!held("admin:users").allow("admin"));
    // an application's names imply nothing here
    assert!(!held("orders").allow("orders.read"));
}

/// SEC-413: neither a group's permissions nor its membership give what the caller does not hold.
#[tokio::test]
async fn group_no_escalation() {
    let ground = Ground::new().await;
    let administrators = ground.group("administrators", &["admin"]).await;
    let staff = ground.group("staff", &["orders.read"]).await;
    let empty = ground.group("empty", &[]).await;
    let ada = ground.user("ada", &["administrators"]).await;
    let bob = ground.user("bob", &[]).await;
    let (provider, call) = (&ground.provider, ground.call());
    let limited = holder("admin:users admin:groups");

    let new = |permission: &str| NewGroup {
        name: "mine".to_owned(),
        permissions: vec![permission.to_owned()],
        ..NewGroup::default()
    };
    forbidden(create_group(provider, &call, &limited, new("admin")).await, "admin");
    forbidden(
        create_group(provider, &call, &limited, new("admin:keys")).await,
        "admin:keys",
    );
    forbidden(
        create_group(provider, &call, &limited, new("orders.read")).await,
        "orders.read",
    );
    let grant = |permission: &str| GroupChange {
        permissions: Some(vec![permission.to_owned()]),
        ..GroupChange::default()
    };
    forbidden(
        change_group(provider, &call, &limited, empty.id, None, grant("admin")).await,
        "admin",
    );
    let renamed = GroupChange {
        name: Some("Administrators of old".to_owned()),
        ..GroupChange::default()
    };
    forbidden(
        change_group(provider, &call, &limited, administrators.id, None, renamed).await,
        "admin",
    );
    forbidden(
        add_member(provider, &call, &limited, administrators.id, bob.id).await,
        "admin",
    );
    forbidden(
        add_member(provider, &call, &limited, staff.id, bob.id).await,
        "orders.read",
    );
    forbidden(
        remove_member(provider, &call, &limited, administrators.id, ada.id, None).await,
        "admin",
    );
    forbidden(
        delete_group(provider, &call, &limited, administrators.id, None, None).await,
        "admin",
    );
    let inside = NewUser {
        groups: vec!["Administrators".to_owned()],
        ..NewUser::named("eve")
    };
    forbidden(create_user(provider, &call, &limited, inside).await, "admin");

    // what he holds he may confer
    let own = NewGroup {
        name: "helpers".to_owned(),
        permissions: vec!["admin:users.read".to_owned()],
        ..NewGroup::default()
    };
    let helpers = create_group(provider, &call, &limited, own).await.unwrap();
    add_member(provider, &call, &limited, helpers.id, bob.id).await.unwrap();
    add_member(provider, &call, &holder("admin"), staff.id, bob.id)
        .await
        .unwrap();
    let mut store = provider.store.read().await.unwrap();
    assert_eq!(
        store.list_permissions_of(bob.id).await.unwrap(),
        ["admin:users.read", "orders.read"]
    );
}

#[tokio::test]
async fn permissions_are_scope_tokens_and_those_of_administration_are_known_ones() {
    let ground = Ground::new().await;
    let new = NewGroup {
        name: "staff".to_owned(),
        permissions: ["two words", "", "admin:everything", "admin:users.write", "orders.read"]
            .map(str::to_owned)
            .to_vec(),
        ..NewGroup::default()
    };
    let refused = fields(create_group(&ground.provider, &ground.call(), &Command, new).await);
    let codes: Vec<&str> = refused.iter().map(|(_, code)| *code).collect();
    assert_eq!(
        codes,
        ["malformed", "unknown", "unknown", "malformed"],
        "in order of name"
    );
    let again = NewGroup {
        name: "STAFF".to_owned(),
        ..NewGroup::default()
    };
    ground.group("staff", &["b", "a", "b"]).await;
    let refused = create_group(&ground.provider, &ground.call(), &Command, again).await;
    assert_eq!(fields(refused), [("/name".to_owned(), "taken")]);
}

#[tokio::test]
async fn a_group_changes_by_version_and_keeps_what_is_not_named() {
    let ground = Ground::new().await;
    let staff = ground.group("staff", &["orders.read"]).await;
    let call = ground.call();
    let change = |expected, change| change_group(&ground.provider, &call, &Command, staff.id, expected, change);
    let described = GroupChange {
        description: Some(Some("Everybody".to_owned())),
        ..GroupChange::default()
    };
    let changed = change(Some(1), described.clone()).await.unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!(changed.permissions, ["orders.read"]);
    assert!(matches!(
        change(Some(1), GroupChange::default()).await,
        Err(Error::Stale)
    ));
    assert_eq!(change(None, described).await.unwrap().version, 2, "nothing changed");
    let read = get_group(&ground.provider, staff.id).await.unwrap();
    assert_eq!((read.version, read.permissions), (2, vec!["orders.read".to_owned()]));
}

#[tokio::test]
async fn the_first_group_is_the_primary_one_until_another_is_made_so_or_it_is_left() {
    let ground = Ground::new().await;
    let (staff, office) = (ground.group("staff", &[]).await, ground.group("office", &[]).await);
    let ada = ground.user("ada", &[]).await;
    let (provider, call) = (&ground.provider, ground.call());
    let primary = async |user: Id<User>| {
        let mut store = provider.store.read().await.unwrap();
        store.find_primary_group_of(user).await.unwrap()
    };
    add_member(provider, &call, &Command, staff.id, ada.id).await.unwrap();
    add_member(provider, &call, &Command, office.id, ada.id).await.unwrap();
    add_member(provider, &call, &Command, office.id, ada.id).await.unwrap();
    assert_eq!(primary(ada.id).await.as_deref(), Some("staff"));
    make_primary(provider, &call, &Command, office.id, ada.id)
        .await
        .unwrap();
    assert_eq!(primary(ada.id).await.as_deref(), Some("office"));
    remove_member(provider, &call, &Command, office.id, ada.id, None)
        .await
        .unwrap();
    assert_eq!(primary(ada.id).await.as_deref(), Some("staff"));
    let again = remove_member(provider, &call, &Command, office.id, ada.id, None).await;
    assert!(matches!(again, Err(Error::NotFound)));
    let outside = make_primary(provider, &call, &Command, office.id, ada.id).await;
    assert!(matches!(outside, Err(Error::NotFound)));
    assert_eq!(
        primary(ada.id).await.as_deref(),
        Some("staff"),
        "the refusal changed nothing"
    );
    let members = list_members(provider, staff.id, None, 10).await.unwrap();
    assert_eq!(members.items.len(), 1);
    let source: ChangeSource = holder("admin:groups");
    let refused = delete_group(provider, &call, &source, staff.id, Some(1), None).await;
    assert!(matches!(refused, Err(Error::Conflict("primary_group"))), "{refused:?}");
    delete_group(provider, &call, &source, staff.id, Some(1), Some(office.id))
        .await
        .unwrap();
    assert_eq!(primary(ada.id).await.as_deref(), Some("office"));
}
