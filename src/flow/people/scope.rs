//! Whom somebody may see. Every list, search and piece of work on many people asks here, and nowhere else.

use super::{Reach, Rights};
use crate::flow::Error;
use crate::model::search::Condition;
use crate::model::{Group, Id};
use crate::store::Read;

/// A group counts with so many that stand in it.
const MOST_BELOW: u32 = 500;
/// So many groups are looked in at once: whoever holds a right over more sees the people of so many.
const MOST_GROUPS: usize = 2_000;

/// What holds of everybody whom a caller with these rights may see.
pub async fn visible_to(store: &mut Read, rights: &Rights) -> Result<Condition, Error> {
    match rights.reach("admin:users.read") {
        Reach::Everywhere => Ok(Condition::everybody()),
        Reach::Nowhere => Ok(Condition::nobody()),
        Reach::Within(places) => {
            let groups = groups_within(store, &places.groups).await?;
            Ok(match groups.is_empty() {
                true => Condition::nobody(),
                false => Condition::InGroups(groups),
            })
        }
    }
}

/// These groups and those that stand in them, each once, in the order of their ids.
pub async fn groups_within(store: &mut Read, outermost: &[Id<Group>]) -> Result<Vec<Id<Group>>, Error> {
    let mut groups = Vec::new();
    for group in outermost {
        groups.push(*group);
        let below = store.list_groups_below(*group, MOST_BELOW).await?;
        groups.extend(below.into_iter().map(|below| below.id));
        if groups.len() >= MOST_GROUPS {
            break;
        }
    }
    groups.sort_unstable_by_key(|group| group.uuid());
    groups.dedup();
    groups.truncate(MOST_GROUPS);
    Ok(groups)
}
