//! What somebody may do, and by which ways: the groups from the one they are in to the one that carries it, and the role.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::flow::{Call, Error, Provider};
use crate::model::{Group, Id, User};
use crate::store::GroupStep;

/// So many ways are told of each permission.
const MOST_WAYS: usize = 50;

/// A permission that somebody holds, and how it came to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePermission {
    /// Its name.
    pub permission: String,
    /// What it allows, if that is declared.
    pub description: Option<String>,
    /// By which ways.
    pub ways: Vec<Way>,
}

/// One way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// From the group that the person is in to the one that carries it; none for a role of the person's own.
    pub groups: Vec<String>,
    /// The role that it is a part of, if of one.
    pub role: Option<String>,
}

/// What a person may do now, by name, with every way by which each came.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn effective_permissions(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
) -> Result<Vec<EffectivePermission>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    let steps = Steps::of(store.list_group_steps_of(user, call.now).await?);
    let mut held: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    let mut known: HashMap<Id<Group>, Vec<Vec<String>>> = HashMap::new();
    for way in store.list_permission_ways_of(user, call.now).await? {
        let ways = held.entry(way.permission).or_default();
        let Some(group) = way.group else {
            ways.push(Way {
                groups: Vec::new(),
                role: way.role,
            });
            continue;
        };
        let chains = known.entry(group).or_insert_with(|| steps.to(group));
        ways.extend(chains.iter().map(|groups| Way {
            groups: groups.clone(),
            role: way.role.clone(),
        }));
    }
    let mut all = Vec::with_capacity(held.len());
    for (permission, mut ways) in held {
        ways.truncate(MOST_WAYS);
        let declared = store.find_permission_by_name(&permission).await?;
        all.push(EffectivePermission {
            permission,
            description: declared.and_then(|declared| declared.description),
            ways,
        });
    }
    Ok(all)
}

/// How somebody's groups stand in others.
struct Steps {
    names: HashMap<Id<Group>, String>,
    direct: Vec<Id<Group>>,
    outer: HashMap<Id<Group>, Vec<Id<Group>>>,
}

impl Steps {
    fn of(steps: Vec<GroupStep>) -> Self {
        let mut all = Self {
            names: HashMap::new(),
            direct: Vec::new(),
            outer: HashMap::new(),
        };
        for step in steps {
            let is_new = all.names.insert(step.group, step.name).is_none();
            if step.direct && is_new {
                all.direct.push(step.group);
            }
            if let Some(outer) = step.outer {
                all.outer.entry(step.group).or_default().push(outer);
            }
        }
        all
    }

    /// The shortest way from each group that the person is in to this one.
    fn to(&self, group: Id<Group>) -> Vec<Vec<String>> {
        let from = |start: &Id<Group>| self.between(*start, group);
        self.direct.iter().filter_map(from).collect()
    }

    fn between(&self, start: Id<Group>, end: Id<Group>) -> Option<Vec<String>> {
        let mut waiting = VecDeque::from([vec![start]]);
        let mut seen = HashSet::from([start]);
        while let Some(chain) = waiting.pop_front() {
            let last = *chain.last()?;
            if last == end {
                return chain.iter().map(|id| self.names.get(id).cloned()).collect();
            }
            for outer in self.outer.get(&last).into_iter().flatten() {
                if seen.insert(*outer) {
                    let mut longer = chain.clone();
                    longer.push(*outer);
                    waiting.push_back(longer);
                }
            }
        }
        None
    }
}
