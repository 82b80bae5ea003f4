//! Somebody as flows remember them.

use super::Error;
use crate::model::{GroupLayer, Id, Layer, LayerOwner, Timestamp, User};
use crate::store::{LimitedPermission, Read};

/// Somebody, with what claims and permissions need beside the account.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub user: User,
    /// The names of the person's groups, and of those that these stand in.
    pub groups: Vec<String>,
    /// What the person may do, by any group.
    pub permissions: Vec<String>,
    /// What the person may do over something alone.
    pub limited: Vec<LimitedPermission>,
    /// What the person's own record says about settings.
    pub settings: Layer,
    /// What the groups say about settings.
    pub group_settings: Vec<GroupLayer>,
    /// When a membership begins or ends next: from then on some of this may be otherwise.
    pub changes_at: Option<Timestamp>,
}

impl Person {
    /// Until when what is said here can be relied on, and no longer than until `longest`.
    pub fn holds_until(&self, longest: Timestamp) -> Timestamp {
        self.changes_at.map_or(longest, |at| at.min(longest))
    }

    /// As the store knows them.
    pub(crate) async fn read(store: &mut Read, id: Id<User>, now: Timestamp) -> Result<Option<Self>, Error> {
        let Some(user) = store.find_user(id).await? else {
            return Ok(None);
        };
        let (group_settings, changes_at) = store.list_group_layers_of(id, now).await?;
        Ok(Some(Self {
            user,
            groups: group_settings.iter().map(|group| group.name.clone()).collect(),
            permissions: store.list_permissions_at(id, now).await?,
            limited: store.list_limited_permissions_at(id, now).await?,
            settings: store.get_layer(LayerOwner::User(id)).await?,
            group_settings,
            changes_at,
        }))
    }
}
