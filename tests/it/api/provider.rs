//! People and groups on a provider without a server.

use std::ops::Deref;

use ostiary::flow::people::{ChangeSource, NewGroup, NewUser, Rights, create_group, create_user};
use ostiary::flow::{Call, Error};
use ostiary::model::{Group, Scopes, User};

use crate::support::rooms::Rooms;

/// A provider without a server.
pub struct Ground(Rooms);

impl Deref for Ground {
    type Target = Rooms;
    fn deref(&self) -> &Rooms {
        &self.0
    }
}

impl Ground {
    pub async fn new() -> Self {
        Self(Rooms::open().await)
    }

    /// A call by the operator, now.
    pub fn call(&self) -> Call {
        self.operator()
    }

    /// Makes a user of this name in these groups.
    pub async fn user(&self, username: &str, groups: &[&str]) -> User {
        let new = NewUser {
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            ..NewUser::named(username)
        };
        create_user(&self.provider, &self.call(), &ChangeSource::Command, new)
            .await
            .unwrap()
            .user
    }

    /// Makes a group with these permissions.
    pub async fn group(&self, name: &str, permissions: &[&str]) -> Group {
        let new = NewGroup {
            name: name.to_owned(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
            ..NewGroup::default()
        };
        create_group(&self.provider, &self.call(), &ChangeSource::Command, new)
            .await
            .unwrap()
    }

    /// The kinds of the events so far, the newest first.
    pub async fn events(&self) -> Vec<String> {
        let mut store = self.provider.store.read().await.unwrap();
        let events = store.list_events(None, 200).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

/// A caller of the API who holds these permissions.
pub fn holder(permissions: &str) -> ChangeSource {
    ChangeSource::Api(Rights::Held(Scopes::parse(permissions).unwrap()))
}

/// The pointers and codes of the fields that were refused.
pub fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<(String, &'static str)> {
    match answer {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| (error.pointer, error.code)).collect(),
        other => panic!("expected refused fields, got {other:?}"),
    }
}
