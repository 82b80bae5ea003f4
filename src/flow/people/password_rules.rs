//! What a password of somebody has to be, from everything that is said about the person.

use std::time::Duration;

use super::nesting::MOST_ABOVE;
use super::permissions::is_of_administration;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{
    PASSWORD_EXPIRES_AFTER, PASSWORD_EXPIRY_WARNING, PASSWORD_GENERATED_ONLY, PASSWORD_HISTORY,
    PASSWORD_INITIAL_EXPIRES_AFTER, PASSWORD_MAXIMUM_LENGTH, PASSWORD_MINIMUM_LENGTH, PASSWORD_MINIMUM_STRENGTH,
    PASSWORD_REPLACE_INITIAL, Settings,
};
use crate::model::user::comparison_key;
use crate::model::{GroupLayer, Id, Layer, LayerOwner, Layers, Timestamp, User};

/// What a password has to be, and how long it may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// At least so many characters.
    pub least: u32,
    /// At most so many; never fewer than `least`.
    pub most: u32,
    /// At least this score of zxcvbn, from 0 to 4.
    pub strength: u8,
    /// Whether nobody but the person sets or sees one.
    pub generated_only: bool,
    /// So many former ones can't be taken again.
    pub history: u32,
    /// How long one that the person set is enough to sign in; for ever if none.
    pub expires_after: Option<Duration>,
    /// The same of one that somebody else set; that of the others counts too.
    pub initial_expires_after: Option<Duration>,
    /// Whether one that somebody else set has to be replaced at once.
    pub replace_initial: bool,
    /// So long before its end the person is told; never if none.
    pub warning: Option<Duration>,
}

impl PasswordRules {
    /// Those that these layers make.
    pub fn of(layers: &Layers<'_>) -> Self {
        let count = |key| u32::try_from(layers.count(key)).unwrap_or(u32::MAX);
        let time = |key| Some(layers.duration(key)).filter(|length| !length.is_zero());
        let least = count(PASSWORD_MINIMUM_LENGTH);
        Self {
            least,
            most: count(PASSWORD_MAXIMUM_LENGTH).max(least),
            strength: u8::try_from(count(PASSWORD_MINIMUM_STRENGTH)).unwrap_or(u8::MAX),
            generated_only: layers.flag(PASSWORD_GENERATED_ONLY),
            history: count(PASSWORD_HISTORY),
            expires_after: time(PASSWORD_EXPIRES_AFTER),
            initial_expires_after: time(PASSWORD_INITIAL_EXPIRES_AFTER),
            replace_initial: layers.flag(PASSWORD_REPLACE_INITIAL),
            warning: time(PASSWORD_EXPIRY_WARNING),
        }
    }

    /// Those that count for everyone.
    pub fn of_everyone(settings: &Settings) -> Self {
        Self::of(&Layers {
            everyone: settings,
            user: &Layer::new(),
            groups: &[],
            client: None,
            administrator: false,
        })
    }

    /// Those of administrators, as far as they are everyone's.
    pub fn of_administrators(settings: &Settings) -> Self {
        Self::of(&Layers {
            everyone: settings,
            user: &Layer::new(),
            groups: &[],
            client: None,
            administrator: true,
        })
    }

    /// Those of somebody who will be in these groups, as far as they are there.
    pub(super) async fn of_groups(
        provider: &Provider,
        settings: &Settings,
        (names, primary): (&[String], Option<&str>),
    ) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(Self::of_everyone(settings));
        }
        let primary = primary.or(names.first().map(String::as_str)).map(comparison_key);
        let mut groups = Vec::new();
        let mut administrator = false;
        let mut store = provider.store.read().await?;
        for name in names {
            let Some(group) = store.find_group_by_name(name).await? else {
                continue;
            };
            let carried = store.list_permissions_by(group.id).await?;
            administrator |= carried.iter().any(|held| is_of_administration(held));
            groups.push(GroupLayer {
                primary: primary.as_ref() == Some(&comparison_key(&group.name)),
                distance: 0,
                layer: store.get_layer(LayerOwner::Group(group.id)).await?,
                name: group.name,
            });
            for above in store.list_groups_above(group.id, MOST_ABOVE).await? {
                groups.push(GroupLayer {
                    primary: false,
                    distance: above.distance,
                    layer: store.get_layer(LayerOwner::Group(above.id)).await?,
                    name: above.name,
                });
            }
        }
        drop(store);
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self::of(&Layers {
            everyone: settings,
            user: &Layer::new(),
            groups: &groups,
            client: None,
            administrator,
        }))
    }

    /// When somebody's password has to be replaced for its age; never if none.
    pub fn end_of(&self, user: &User) -> Option<Timestamp> {
        let set = user.password_changed_at?;
        let initial = self.initial_expires_after.filter(|_| user.password_initial);
        let length = self.expires_after.into_iter().chain(initial).min()?;
        Some(set.after(length))
    }

    /// Whether somebody's password has to be replaced: for its age, or because somebody else set it.
    pub fn have_expired(&self, user: &User, now: Timestamp) -> bool {
        let is_anothers = user.password.is_some() && user.password_initial && self.replace_initial;
        is_anothers || self.end_of(user).is_some_and(|end| now >= end)
    }
}

/// The rules that count for this person.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unavailable`].
pub async fn password_rules_of(provider: &Provider, call: &Call, id: Id<User>) -> Result<PasswordRules, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(id, call.now).await?.ok_or(Error::NotFound)?;
    Ok(PasswordRules::of(&person.layers(&settings, None)))
}
