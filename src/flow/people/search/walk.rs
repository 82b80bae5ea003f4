//! Going through those whom an index names. Which way that is done is chosen for each page; where a page begins is said in the same
//! words for every way, so that the next may go another.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ready, SearchBounds};
use crate::flow::{Error, Page};
use crate::model::search::{Candidate, SearchValue};
use crate::model::{ColumnOrder, Drive, Group, Id, SearchedKey, Span, User};
use crate::store::{Behind, Ordered, Read};

/// Accounts that are read at once.
const MOST_AT_ONCE: u32 = 1_000;
const FEWEST_AT_ONCE: u32 = 50;

/// Where a page begins: behind this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Position {
    /// What they are sorted by.
    keys: Vec<Option<SearchValue>>,
    user: Id<User>,
}

/// How it is gone.
enum Way {
    /// All of them are looked at and sorted.
    Whole(Drive),
    /// Those of an index in the order of their making.
    ByMaking(Drive),
    /// Those of an index in the order of a column.
    ByColumn(Drive, ColumnOrder),
    /// Everybody in the order of a column.
    Everybody(ColumnOrder, Option<Span<SearchedKey>>),
}

pub(super) struct Walk<'a> {
    ready: &'a Ready,
    way: Way,
    behind: Option<Position>,
    bounds: SearchBounds,
}

impl<'a> Walk<'a> {
    /// Chooses the way: by the index that names the fewest, if they are few.
    pub(super) async fn choose(
        store: &mut Read,
        ready: &'a Ready,
        after: Option<&str>,
        bounds: SearchBounds,
    ) -> Result<Self, Error> {
        let wrong = |_| Error::field("after", "malformed", "the cursor belongs to another list");
        let behind: Option<Position> = after.map(serde_json::from_str).transpose().map_err(wrong)?;
        let mut fewest: Option<(i64, &Drive)> = None;
        for drive in &ready.drives {
            let most = fewest.map_or(bounds.by_making.saturating_add(1), |(count, _)| {
                u32::try_from(count).unwrap_or(bounds.by_making)
            });
            let count = store.count_driven(drive, most).await?;
            if fewest.is_none_or(|(fewer, _)| count < fewer) {
                fewest = Some((count, drive));
            }
        }
        let way = way(ready, fewest, (behind.is_some(), bounds))?;
        Ok(Self {
            ready,
            way,
            behind,
            bounds,
        })
    }

    /// A page of so many.
    pub(super) async fn page(mut self, store: &mut Read, limit: u32) -> Result<Page<User>, Error> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Way::Whole(drive) = &self.way {
            let found = self.whole(store, &drive.clone()).await?;
            return self.cut(found, wanted);
        }
        let (mut found, mut looked_at): (Vec<(Position, User)>, u32) = (Vec::new(), 0);
        let mut at_once = limit.saturating_add(1).clamp(FEWEST_AT_ONCE, MOST_AT_ONCE);
        let mut is_in_gap = self.begins_in_gap();
        loop {
            let (users, is_last) = self.next(store, is_in_gap, at_once).await?;
            looked_at = looked_at.saturating_add(u32::try_from(users.len()).unwrap_or(u32::MAX));
            found.extend(self.judged(store, users).await?);
            if found.len() > wanted {
                return self.cut(found, wanted);
            }
            if is_last {
                if is_in_gap || !self.has_gap() {
                    return self.cut(found, wanted);
                }
                is_in_gap = true;
                self.behind = None;
            } else if looked_at >= self.bounds.looked_at {
                let next = self.behind.as_ref().map(write).transpose()?;
                let items = found.into_iter().map(|(_, user)| user).collect();
                return Ok(Page { items, next });
            }
            at_once = at_once.saturating_mul(2).min(MOST_AT_ONCE);
        }
    }

    fn cut(&self, mut found: Vec<(Position, User)>, wanted: usize) -> Result<Page<User>, Error> {
        let more = found.len() > wanted;
        found.truncate(wanted);
        let last = found.last().filter(|_| more);
        let next = last.map(|(position, _)| write(position)).transpose()?;
        let items = found.into_iter().map(|(_, user)| user).collect();
        Ok(Page { items, next })
    }

    /// Everybody whom the index names, judged, sorted, from where the page begins.
    async fn whole(&self, store: &mut Read, drive: &Drive) -> Result<Vec<(Position, User)>, Error> {
        // a page that goes on takes what has been added meanwhile
        let ids = store.list_driven(drive, self.bounds.whole.saturating_mul(2)).await?;
        let mut found = Vec::new();
        for ids in ids.chunks(usize::try_from(MOST_AT_ONCE).unwrap_or(usize::MAX)) {
            let users = store.list_users_of(ids).await?;
            found.extend(self.judge(store, users).await?);
        }
        found.sort_by(|(one, _), (two, _)| self.compare(one, two));
        if let Some(behind) = &self.behind {
            found.retain(|(position, _)| self.compare(position, behind).is_gt());
        }
        Ok(found)
    }

    fn compare(&self, one: &Position, two: &Position) -> Ordering {
        let keys = self.ready.sorts.iter().zip(one.keys.iter().zip(&two.keys));
        let mut orders = keys.map(|(sort, (one, two))| sort.compare(one.as_ref(), two.as_ref()));
        let by_keys = orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        let is_turned = self.ready.sorts.last().is_some_and(|sort| sort.descending);
        let by_making = one.user.uuid().cmp(&two.user.uuid());
        by_keys.then(if is_turned { by_making.reverse() } else { by_making })
    }

    /// Those that come next, and whether none come behind them.
    async fn next(&mut self, store: &mut Read, is_in_gap: bool, limit: u32) -> Result<(Vec<User>, bool), Error> {
        let ordered = self.ordered(is_in_gap);
        let users = match &self.way {
            Way::Whole(_) => Vec::new(),
            Way::ByMaking(drive) => {
                let ids = store
                    .list_driven_by_making(drive, self.bounds.by_making, &ordered, limit)
                    .await?;
                return self.of_ids(store, ids, limit).await;
            }
            Way::ByColumn(drive, _) => {
                store
                    .list_driven_by_column(drive, self.bounds.sorted, &ordered, limit)
                    .await?
            }
            Way::Everybody(_, span) => store.list_everybody_by(&ordered, span.as_ref(), limit).await?,
        };
        let is_last = users.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        Ok((users, is_last))
    }

    /// They were found in their order; one may be gone meanwhile.
    async fn of_ids(&mut self, store: &mut Read, ids: Vec<Id<User>>, limit: u32) -> Result<(Vec<User>, bool), Error> {
        let is_last = ids.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        let Some(last) = ids.last() else {
            return Ok((Vec::new(), true));
        };
        self.behind = Some(Position {
            keys: vec![Some(SearchValue::Text(last.to_string()))],
            user: *last,
        });
        let read = store.list_users_of(&ids).await?;
        let mut read: BTreeMap<uuid::Uuid, User> = read.into_iter().map(|user| (user.id.uuid(), user)).collect();
        let users = ids.iter().filter_map(|id| read.remove(&id.uuid())).collect();
        Ok((users, is_last))
    }

    /// Judges them, and remembers the last of them as the one behind whom it goes on.
    async fn judged(&mut self, store: &mut Read, users: Vec<User>) -> Result<Vec<(Position, User)>, Error> {
        if let Some(last) = users.last() {
            self.behind = Some(self.position(last));
        }
        self.judge(store, users).await
    }

    /// Those of whom the whole condition holds, each with its place.
    async fn judge(&self, store: &mut Read, users: Vec<User>) -> Result<Vec<(Position, User)>, Error> {
        let mut groups: BTreeMap<uuid::Uuid, Vec<(Id<Group>, bool)>> = BTreeMap::new();
        if self.ready.condition.asks_for_groups() && !users.is_empty() {
            let ids: Vec<Id<User>> = users.iter().map(|user| user.id).collect();
            for held in store.list_groups_held(&ids, self.ready.now).await? {
                let of = groups.entry(held.user.uuid()).or_default();
                of.push((held.group, held.is_primary));
            }
        }
        let none = Vec::new();
        let holds = |user: &User| {
            let candidate = Candidate {
                user,
                groups: groups.get(&user.id.uuid()).unwrap_or(&none),
                now: self.ready.now,
            };
            self.ready.condition.holds(&candidate)
        };
        let found = users.into_iter().filter(holds);
        Ok(found.map(|user| (self.position(&user), user)).collect())
    }

    fn position(&self, user: &User) -> Position {
        let candidate = Candidate {
            user,
            groups: &[],
            now: self.ready.now,
        };
        Position {
            keys: self.ready.sorts.iter().map(|sort| sort.key(&candidate)).collect(),
            user: user.id,
        }
    }

    fn ordered(&self, is_in_gap: bool) -> Ordered {
        let descending = self.ready.sorts.first().is_some_and(|sort| sort.descending);
        let order = match self.way {
            Way::Whole(_) | Way::ByMaking(_) => ColumnOrder::Making,
            Way::ByColumn(_, order) | Way::Everybody(order, _) => order,
        };
        let behind = match &self.behind {
            Some(position) => Some(Behind {
                key: position.keys.first().and_then(|key| searched(key.as_ref())),
                user: position.user,
            }),
            None if is_in_gap => Some(Behind {
                key: None,
                user: Id::from_uuid(if descending {
                    uuid::Uuid::max()
                } else {
                    uuid::Uuid::nil()
                }),
            }),
            None => None,
        };
        Ordered {
            order,
            descending,
            behind,
        }
    }

    /// Whether there are some without a value, behind all who have one.
    fn has_gap(&self) -> bool {
        match &self.way {
            Way::Whole(_) | Way::ByMaking(_) => false,
            Way::ByColumn(_, order) => order.has_gaps(),
            Way::Everybody(order, span) => order.has_gaps() && span.is_none(),
        }
    }

    fn begins_in_gap(&self) -> bool {
        let is_without = |position: &Position| position.keys.first().is_some_and(Option::is_none);
        self.has_gap() && self.behind.as_ref().is_some_and(is_without)
    }
}

fn searched(key: Option<&SearchValue>) -> Option<SearchedKey> {
    match key? {
        SearchValue::Text(text) => Some(SearchedKey::Text(text.clone())),
        SearchValue::Time(at) => Some(SearchedKey::Time(*at)),
        SearchValue::Number(_) | SearchValue::Flag(_) => None,
    }
}

fn write(position: &Position) -> Result<String, Error> {
    serde_json::to_string(position).map_err(|error| Error::Failed(Box::new(error)))
}

/// The way to those who are asked for.
fn way(ready: &Ready, fewest: Option<(i64, &Drive)>, (goes_on, bounds): (bool, SearchBounds)) -> Result<Way, Error> {
    let order = match ready.sorts.as_slice() {
        [only] => ColumnOrder::of(only),
        _ => None,
    };
    let whole = if goes_on {
        bounds.whole.saturating_mul(2)
    } else {
        bounds.whole
    };
    if order.is_none()
        && let Some((count, drive)) = fewest
        && count <= i64::from(whole)
    {
        return Ok(Way::Whole(drive.clone()));
    }
    let Some(order) = order else {
        let detail = format!(
            "more than {} people are sorted by created_at, username, email, signed_in_at or expires_at alone: ask for fewer by what is found \
             by an index, or for one of these orders",
            bounds.whole
        );
        return Err(Error::field("sort", "unsupported", detail));
    };
    let of_the_order = ready.drives.iter().find_map(|drive| match drive {
        Drive::Column(column, span) if *column == order => Some(span.clone()),
        _ => None,
    });
    if let Some(span) = of_the_order {
        return Ok(Way::Everybody(order, Some(span)));
    }
    let few = match order {
        ColumnOrder::Making => bounds.by_making,
        _ => bounds.sorted,
    };
    let few = fewest.filter(|(count, _)| *count <= i64::from(few));
    Ok(match (few, order) {
        (Some((_, drive)), ColumnOrder::Making) => Way::ByMaking(drive.clone()),
        (Some((_, drive)), column) => Way::ByColumn(drive.clone(), column),
        (None, ColumnOrder::Making) => match ready.drives.iter().find(|drive| drive.is_by_making()) {
            Some(drive) => Way::ByMaking(drive.clone()),
            None => Way::Everybody(order, None),
        },
        (None, column) => Way::Everybody(column, None),
    })
}
