//! The group of whoever has none: new users for whom none is named are put into it, and where a group is mandatory, whoever has just
//! left their last one.
//!
//! It is a setting, so nobody confers it by making a user: whoever names it must hold what it carries. One that carries a right of
//! administration is none, however it came to that.

use super::permissions::is_of_administration;
use super::{ChangeSource, members};
use crate::flow::{Call, Error};
use crate::model::setting::{GROUPS_DEFAULT, GROUPS_MANDATORY, SettingValue, Settings};
use crate::model::user::comparison_key;
use crate::model::{Group, Id, User};
use crate::store::Write;

/// What is said about having a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRules {
    /// The name of the group of whoever has none.
    pub default: Option<String>,
    /// Whether everybody has to have one.
    pub mandatory: bool,
}

impl GroupRules {
    /// Those in force.
    pub fn of(settings: &Settings) -> Self {
        let value = |key| settings.effective(key).map(|effective| &effective.value);
        let default = match value(GROUPS_DEFAULT) {
            Some(SettingValue::Line(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        };
        Self {
            default,
            mandatory: value(GROUPS_MANDATORY) == Some(&SettingValue::Flag(true)),
        }
    }

    /// The groups that a new user will be in, of those that were named.
    pub fn or_default(&self, named: &[String]) -> Vec<String> {
        match (named, &self.default) {
            ([], Some(default)) => vec![default.clone()],
            _ => named.to_vec(),
        }
    }

    /// Whether a group is the default one.
    pub fn is_default(&self, group: &Group) -> bool {
        let default = self.default.as_deref().map(comparison_key);
        default.is_some_and(|key| key == comparison_key(&group.name))
    }
}

/// Puts somebody who is in no group into the default one, as their primary one. False if there is none.
///
/// # Errors
/// [`Error::Conflict`] (`last_group`) if there is none and everybody has to be in one.
pub(super) async fn enter(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    rules: &GroupRules,
    left: Option<Id<Group>>,
) -> Result<bool, Error> {
    let group = find(tx, rules).await?.filter(|group| Some(group.id) != left);
    let Some(group) = group else {
        return if rules.mandatory {
            Err(Error::Conflict("last_group"))
        } else {
            Ok(false)
        };
    };
    tx.add_member(group.id, user, call.now).await?;
    tx.make_primary(group.id, user).await?;
    members::record(tx, call, source, &group, user, "default_group").await?;
    Ok(true)
}

async fn find(tx: &mut Write, rules: &GroupRules) -> Result<Option<Group>, Error> {
    let Some(name) = &rules.default else {
        return Ok(None);
    };
    let Some(group) = tx.find_group_by_name(name).await? else {
        tracing::warn!("there is no group of the name that groups.default says");
        return Ok(None);
    };
    let carried = tx.list_permissions_by(group.id).await?;
    if carried.iter().any(|permission| is_of_administration(permission)) {
        tracing::warn!(group = %group.id, "groups.default names a group that carries a right of administration: nobody is put into it");
        return Ok(None);
    }
    Ok(Some(group))
}
