//! Everything there is of a kind: for `apply`, `export` and lists at a terminal. Read in pages.

use crate::flow::people;
use crate::flow::{Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{Client, DeclaredPermission, Group, Id, Resource, Role, User};

const PAGE: u32 = 500;

/// Every client with its secrets, oldest first.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn clients(provider: &Provider) -> Result<Vec<Client>, Error> {
    let mut store = provider.store.read().await?;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.list_clients(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = Some(last.id);
        for client in page {
            // a page comes without secrets
            all.extend(store.find_client(client.id).await?);
        }
    }
}

/// A client by its `client_id`, from the store.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn client(provider: &Provider, client_id: &str) -> Result<Client, Error> {
    let mut store = provider.store.read().await?;
    store.find_client_by_client_id(client_id).await?.ok_or(Error::NotFound)
}

/// Every resource.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn resources(provider: &Provider) -> Result<Vec<Resource>, Error> {
    Ok(provider.store.read().await?.list_resources().await?)
}

/// Every group.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn groups(provider: &Provider) -> Result<Vec<Group>, Error> {
    let mut store = provider.store.read().await?;
    let mut all: Vec<Group> = Vec::new();
    loop {
        let page = store.list_groups(all.last().map(|group| group.id), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The names of the groups that a group stands in directly.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn outer_groups(provider: &Provider, group: Id<Group>) -> Result<Vec<String>, Error> {
    let (above, _) = people::nesting_of(provider, group).await?;
    let direct = above.into_iter().filter(|group| group.distance == 1);
    Ok(direct.map(|group| group.name).collect())
}

/// Every role.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn roles(provider: &Provider) -> Result<Vec<Role>, Error> {
    let mut store = provider.store.read().await?;
    let mut all: Vec<Role> = Vec::new();
    loop {
        let page = store.list_roles(all.last().map(|role| role.id), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Every declared permission.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn permissions(provider: &Provider) -> Result<Vec<DeclaredPermission>, Error> {
    let mut store = provider.store.read().await?;
    let mut all: Vec<DeclaredPermission> = Vec::new();
    loop {
        let page = store.list_permissions(all.last().map(|known| known.id), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The groups a user is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Their names.
    pub groups: Vec<String>,
    /// The primary one's.
    pub primary: Option<String>,
}

impl Membership {
    /// Whether a group is among them, without regard to case.
    pub fn contains(&self, name: &str) -> bool {
        let key = comparison_key(name);
        self.groups.iter().any(|group| comparison_key(group) == key)
    }
}

/// The groups a user is in.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn membership(provider: &Provider, user: &User) -> Result<Membership, Error> {
    let mut store = provider.store.read().await?;
    Ok(Membership {
        groups: store.list_group_names_of(user.id).await?,
        primary: store.find_primary_group_of(user.id).await?,
    })
}

/// A page of users after this one, oldest first.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn users_after(provider: &Provider, after: Option<&User>) -> Result<Vec<User>, Error> {
    let mut store = provider.store.read().await?;
    Ok(store.list_users(after.map(|user| user.id), PAGE).await?)
}
