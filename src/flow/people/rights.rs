//! Rights: what a caller may do, and over whom, and therefore confer. Nobody confers a right he does not hold.
//!
//! A permission counts everywhere, or over a group or an API alone; it is written as [`RolePlace::spell`] writes it then, so that a set of
//! permissions says both.

use crate::flow::{Error, Provider};
use crate::model::group::ADMIN;
use crate::model::role::{OVER_GROUP, OVER_RESOURCE};
use crate::model::{Group, Id, Resource, Scopes, Timestamp, User};

/// What a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything: somebody at a terminal of the server's machine, or the server itself.
    All,
    /// These permissions and what they imply.
    Held(Scopes),
}

/// Over what somebody holds a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over everything.
    Everywhere,
    /// Over these alone, and what stands in them. There is at least one.
    Within(Places),
    /// Over nothing: they do not hold it.
    Nowhere,
}

/// Groups and APIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Groups; those that stand in them too.
    pub groups: Vec<Id<Group>>,
    /// APIs.
    pub resources: Vec<Id<Resource>>,
}

impl Rights {
    /// Whether they include a permission: everywhere, unless it is one over something alone.
    pub fn allow(&self, permission: &str) -> bool {
        match self {
            Self::All => true,
            Self::Held(held) => held.iter().any(|held| implies(held, permission)),
        }
    }

    /// Refuses with the first of these permissions that they do not include.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_cover<'a>(&self, permissions: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        match permissions.into_iter().find(|permission| !self.allow(permission)) {
            None => Ok(()),
            Some(missing) => Err(Error::Forbidden(missing.to_owned())),
        }
    }

    /// Over what they include a permission.
    pub fn reach(&self, permission: &str) -> Reach {
        let Self::Held(held) = self else {
            return Reach::Everywhere;
        };
        if self.allow(permission) {
            return Reach::Everywhere;
        }
        let mut places = Places::default();
        for held in held.iter() {
            let Some((_, place)) = over(held).filter(|(name, _)| covers(name, permission)) else {
                continue;
            };
            match place {
                Place::Groups(ids) => places
                    .groups
                    .extend(ids.split(',').take(1).flat_map(str::parse::<Id<Group>>)),
                Place::Resource(id) => places.resources.extend(id.parse::<Id<Resource>>()),
            }
        }
        if places == Places::default() {
            return Reach::Nowhere;
        }
        Reach::Within(places)
    }

    /// Refuses whoever does not hold a permission over one of these groups: the ones that somebody, or a group, is in.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whoever holds it nowhere, [`Error::NotFound`] where it is out of their reach.
    pub fn must_reach(&self, permission: &str, groups: &[Id<Group>]) -> Result<(), Error> {
        match self.reach(permission) {
            Reach::Everywhere => Ok(()),
            Reach::Within(places) if groups.iter().any(|group| places.groups.contains(group)) => Ok(()),
            Reach::Within(_) => Err(Error::NotFound),
            Reach::Nowhere => Err(Error::Forbidden(permission.to_owned())),
        }
    }

    /// What they include over groups alone.
    pub fn over_groups(&self) -> Vec<(&str, Id<Group>)> {
        let Self::Held(held) = self else {
            return Vec::new();
        };
        let of_group = |(name, place): (_, Place<'_>)| match place {
            Place::Groups(ids) => ids.split(',').next()?.parse().ok().map(|id| (name, id)),
            Place::Resource(_) => None,
        };
        held.iter().filter_map(over).filter_map(of_group).collect()
    }

    /// What they include that counts over something alone, in one line: the same for the same rights.
    pub fn limits(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Held(held) => {
                let mut limited: Vec<&str> = held.iter().filter(|held| over(held).is_some()).collect();
                limited.sort_unstable();
                limited.join(" ")
            }
        }
    }
}

impl Reach {
    /// Whether what lies in these groups is within it.
    pub fn includes(&self, groups: &[Id<Group>]) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within(places) => groups.iter().any(|group| places.groups.contains(group)),
            Self::Nowhere => false,
        }
    }

    /// The groups that it is limited to; none if it is not limited.
    pub fn groups(&self) -> Option<&[Id<Group>]> {
        match self {
            Self::Everywhere => None,
            Self::Within(places) => Some(&places.groups),
            Self::Nowhere => Some(&[]),
        }
    }
}

/// What a person may do, by the groups they are in.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn rights_of(provider: &Provider, user: Id<User>, now: Timestamp) -> Result<Rights, Error> {
    let held = provider.store.read().await?.list_permissions_at(user, now).await?;
    Ok(Rights::Held(Scopes::from_tokens(held.iter().map(String::as_str))))
}

/// Whether who holds one permission holds the other too: `admin` is everything, `admin:users` reads users, and what counts everywhere
/// counts over a group.
pub fn implies(held: &str, wanted: &str) -> bool {
    match (over(held), over(wanted)) {
        (None, None) => covers(held, wanted),
        (None, Some((wanted, _))) => covers(held, wanted),
        (Some(_), None) => false,
        (Some((held, holds)), Some((wanted, wants))) => covers(held, wanted) && holds.includes(wants),
    }
}

/// What two sets of permissions both include.
pub fn both<'a>(some: impl IntoIterator<Item = &'a str>, others: impl IntoIterator<Item = &'a str>) -> Scopes {
    let others: Vec<&str> = others.into_iter().collect();
    let mut shared = Scopes::default();
    for one in some {
        for other in others.iter().copied() {
            if implies(one, other) {
                shared.add(other);
            } else if implies(other, one) {
                shared.add(one);
            } else if let Some(meeting) = meeting(one, other) {
                shared.add(&meeting);
            }
        }
    }
    shared
}

/// The narrower permission over the narrower place, where one of them says the one and the other the other.
fn meeting(one: &str, other: &str) -> Option<String> {
    let (one_name, one_place) = over(one).map_or((one, None), |(name, place)| (name, Some(place)));
    let (other_name, other_place) = over(other).map_or((other, None), |(name, place)| (name, Some(place)));
    let name = match (covers(one_name, other_name), covers(other_name, one_name)) {
        (true, _) => other_name,
        (_, true) => one_name,
        _ => return None,
    };
    let place = match (one_place, other_place) {
        (Some(place), None) | (None, Some(place)) => place,
        (Some(one), Some(other)) if one == other => one,
        _ => return None,
    };
    Some(match place {
        Place::Groups(ids) => format!("{name}{OVER_GROUP}{ids}"),
        Place::Resource(id) => format!("{name}{OVER_RESOURCE}{id}"),
    })
}

fn covers(held: &str, wanted: &str) -> bool {
    held == wanted
        || held == ADMIN
        || (held.starts_with("admin:") && wanted.strip_prefix(held).is_some_and(|part| part.starts_with('.')))
}

/// What a permission counts over, as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    /// A group, and behind it those that it stands in, if that is said.
    Groups(&'a str),
    Resource(&'a str),
}

impl Place<'_> {
    /// Whether the other lies in it.
    fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Groups(held), Self::Groups(wanted)) => {
                let held = held.split(',').next();
                wanted.split(',').any(|id| Some(id) == held)
            }
            (Self::Resource(held), Self::Resource(wanted)) => held == wanted,
            _ => false,
        }
    }
}

/// A permission of this server's that counts over something alone: its name, and over what.
fn over(permission: &str) -> Option<(&str, Place<'_>)> {
    if !permission.starts_with("admin:") {
        return None;
    }
    let of_group = permission
        .split_once(OVER_GROUP)
        .map(|(name, ids)| (name, Place::Groups(ids)));
    of_group.or_else(|| {
        permission
            .split_once(OVER_RESOURCE)
            .map(|(name, id)| (name, Place::Resource(id)))
    })
}
