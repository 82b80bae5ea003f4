//! Somebody as flows remember them.

use super::Error;
use crate::model::{GroupLayer, Id, Layer, LayerOwner, User};
use crate::store::Read;

/// Somebody, with what claims and permissions need beside the account.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub user: User,
    /// The names of the person's groups.
    pub groups: Vec<String>,
    /// What the person may do, by any group.
    pub permissions: Vec<String>,
    /// What the person's own record says about settings.
    pub settings: Layer,
    /// What the groups say about settings.
    pub group_settings: Vec<GroupLayer>,
}

impl Person {
    /// As the store knows them.
    pub(crate) async fn read(store: &mut Read, id: Id<User>) -> Result<Option<Self>, Error> {
        let Some(user) = store.find_user(id).await? else {
            return Ok(None);
        };
        let group_settings = store.list_group_layers_of(id).await?;
        Ok(Some(Self {
            user,
            groups: group_settings.iter().map(|group| group.name.clone()).collect(),
            permissions: store.list_permissions_of(id).await?,
            settings: store.get_layer(LayerOwner::User(id)).await?,
            group_settings,
        }))
    }
}
