//! Finding people: words, a filter, an order. One index names those of whom it may hold, and each of them is judged by the whole of what
//! was asked; a page costs the same wherever it begins, and looks at a bounded number of accounts.

mod bind;
mod walk;

use std::collections::BTreeMap;

use self::bind::{Names, is_group, is_segment, named};
use self::walk::Walk;
use super::scope::visible_to;
use super::{Reach, Rights};
use crate::flow::{Call, Error, Page, Provider};
pub use crate::model::search::Search;
use crate::model::search::{Condition, Field, Operator, SHOWN, Sort, Standard};
use crate::model::{Drive, Group, Id, Timestamp, User, UserStatus, searched_words};
use crate::protocol::scim_filter::{self, Filter};
use crate::store::Read;

/// A group counts with so many that stand in it.
const MOST_BELOW: u32 = 500;
/// So many are looked at to count what no index counts.
const MOST_COUNTED_BY_LOOKING: u32 = 20_000;

/// How much a page looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchBounds {
    /// So many are looked at whole, and sorted in any order.
    pub whole: u32,
    /// So many of an index are sorted in the order of a column.
    pub sorted: u32,
    /// So many of an index are sorted in the order of their making.
    pub by_making: u32,
    /// So many accounts are looked at for a page.
    pub looked_at: u32,
}

impl SearchBounds {
    /// Those that hold, but for tests.
    pub const USUAL: Self = Self {
        whole: 2_000,
        sorted: 10_000,
        by_making: 50_000,
        looked_at: 5_000,
    };
}

/// How many were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// So many.
    pub count: i64,
    /// Whether there may be more: nobody looked further.
    pub at_least: bool,
}

/// What is asked, as it can be looked for.
struct Ready {
    condition: Condition,
    drives: Vec<Drive>,
    sorts: Vec<Sort>,
    now: Timestamp,
    /// Whether nothing is asked but what is told to everybody.
    is_everybody: bool,
}

/// A page of those of whom it holds and whom a caller with these rights may see, behind a position that an earlier page gave. A page may
/// have fewer than asked for, or nobody, where so many others had to be looked at: while there is a next one it goes on.
///
/// # Errors
/// [`Error::Invalid`]: `filter`, `sort` or `after` can't be taken.
pub async fn list_users(
    provider: &Provider,
    call: &Call,
    rights: &Rights,
    search: &Search,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<User>, Error> {
    list_users_within(
        provider,
        (call.now, rights),
        search,
        (after, limit),
        SearchBounds::USUAL,
    )
    .await
}

/// The same, looking at so much.
///
/// # Errors
/// The same.
pub async fn list_users_within(
    provider: &Provider,
    (now, rights): (Timestamp, &Rights),
    search: &Search,
    (after, limit): (Option<&str>, u32),
    bounds: SearchBounds,
) -> Result<Page<User>, Error> {
    let properties = provider.properties().await?;
    let mut store = provider.store.read().await?;
    let ready = Ready::of(&mut store, &properties, (now, rights), search).await?;
    let walk = Walk::choose(&mut store, &ready, after, bounds).await?;
    walk.page(&mut store, limit).await
}

/// How many there are of whom it holds, counted no further than `most`.
///
/// # Errors
/// [`Error::Invalid`]: `filter` can't be taken.
pub async fn count_users(
    provider: &Provider,
    call: &Call,
    rights: &Rights,
    search: &Search,
    most: u32,
) -> Result<Counted, Error> {
    let properties = provider.properties().await?;
    let mut store = provider.store.read().await?;
    let search = Search {
        sort: Vec::new(),
        ..search.clone()
    };
    let ready = Ready::of(&mut store, &properties, (call.now, rights), &search).await?;
    let counted = |count: i64, most: u32| Counted {
        count,
        at_least: count >= i64::from(most),
    };
    if ready.is_everybody {
        let statuses = shown(search.inactive);
        let mut words = [UserStatus::Active.as_str(); 5];
        for (word, status) in words.iter_mut().zip(&statuses) {
            *word = status.as_str();
        }
        return Ok(counted(store.count_users_of(&words, most).await?, most));
    }
    let bounds = SearchBounds {
        looked_at: MOST_COUNTED_BY_LOOKING,
        ..SearchBounds::USUAL
    };
    let walk = Walk::choose(&mut store, &ready, None, bounds).await?;
    let page = walk.page(&mut store, most).await?;
    Ok(Counted {
        count: i64::try_from(page.items.len()).unwrap_or(i64::MAX),
        at_least: page.next.is_some(),
    })
}

/// Judges what is asked without asking it.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn judge_search(provider: &Provider, call: &Call, rights: &Rights, search: &Search) -> Result<(), Error> {
    let properties = provider.properties().await?;
    let mut store = provider.store.read().await?;
    Ready::of(&mut store, &properties, (call.now, rights), search)
        .await
        .map(drop)
}

fn shown(inactive: bool) -> Vec<UserStatus> {
    let mut statuses = SHOWN.to_vec();
    if inactive {
        statuses.push(UserStatus::Inactive);
    }
    statuses
}

impl Ready {
    async fn of(
        store: &mut Read,
        properties: &[crate::model::Property],
        (now, rights): (Timestamp, &Rights),
        search: &Search,
    ) -> Result<Self, Error> {
        let read = search.filter.as_deref().map(scim_filter::read).transpose();
        let filter = read.map_err(|fault| malformed(&fault))?;
        let mut names = Names {
            properties,
            groups: BTreeMap::new(),
            segments: BTreeMap::new(),
            rights,
            now,
        };
        if let Some(filter) = &filter {
            names.groups = find_groups(store, rights, filter).await?;
            for (name, search) in find_segments(store, rights, filter).await? {
                let condition = condition_of(store, &mut names, &search).await?;
                names.segments.insert(name, condition);
            }
        }
        let asked = match &filter {
            Some(filter) => names.bind(filter).map_err(|fault| malformed(&fault))?,
            None => Condition::everybody(),
        };
        let sorts = names
            .sorts(&search.sort)
            .map_err(|detail| Error::field("sort", "unsupported", detail))?;
        let asked = match &search.words {
            Some(words) if words.contains('\0') => asked.and(Condition::nobody()),
            Some(words) => asked.and(worded(words)),
            None => asked,
        };
        let visible = visible_to(store, rights).await?;
        let is_everybody = asked == Condition::everybody() && visible == Condition::everybody();
        let asked = asked.and(visible);
        let shown = if names_one(&asked) || asked.asks_for_status() {
            let is_meant = asked.names_deleted();
            let deleted = Condition::status_in(&[UserStatus::Deleted]);
            if is_meant {
                Condition::everybody()
            } else {
                Condition::Not(Box::new(deleted))
            }
        } else {
            Condition::status_in(&shown(search.inactive))
        };
        let mut drives = Drive::of(&asked);
        if asked.names_deleted() {
            // who is in the bin is not looked at when values are made findable
            drives.retain(|drive| !asks_properties(drive));
        }
        if search.words.is_some() && store.find_word_sweep().await?.is_some() {
            drives.retain(|drive| !matches!(drive, Drive::Word(_)));
        }
        Ok(Self {
            condition: asked.and(shown),
            drives,
            sorts,
            now,
            is_everybody,
        })
    }
}

fn malformed(fault: &scim_filter::FilterFault) -> Error {
    Error::field("filter", "malformed", fault.to_string())
}

/// Whether it names an account by what nobody else has: whoever does so looks for that one, also if it was deactivated.
fn names_one(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().any(names_one),
        Condition::Compared(Field::Standard(standard), Operator::Equal, _) => matches!(
            standard,
            Standard::Id | Standard::Subject | Standard::Username | Standard::Email
        ),
        _ => false,
    }
}

fn asks_properties(drive: &Drive) -> bool {
    match drive {
        Drive::Property(..) => true,
        Drive::AnyOf(drives) => drives.iter().any(asks_properties),
        _ => false,
    }
}

/// Whoever has, for each of these words, one that begins like it.
fn worded(words: &str) -> Condition {
    let words = searched_words(words);
    match words.is_empty() {
        true => Condition::nobody(),
        false => Condition::All(words.into_iter().map(Condition::Word).collect()),
    }
}

/// The segments of everybody's that a filter names.
async fn find_segments(store: &mut Read, rights: &Rights, filter: &Filter) -> Result<Vec<(String, Search)>, Error> {
    let mut found = Vec::new();
    // what one asks may be about what is out of the reach of whoever holds rights over groups alone
    if is_limited(rights) {
        return Ok(found);
    }
    for name in named(filter, is_segment) {
        let segment = match name.parse() {
            _ if name.contains('\0') => None,
            Ok(id) => store.find_segment(id).await?,
            Err(_) => store.find_segment_by_name(None, &name).await?,
        };
        let of_everybody = segment.filter(|segment| segment.owner.is_none());
        found.extend(of_everybody.map(|segment| (name, segment.search)));
    }
    Ok(found)
}

/// What a segment asks, as a part of another question.
async fn condition_of(store: &mut Read, names: &mut Names<'_>, search: &Search) -> Result<Condition, Error> {
    let mut condition = search.words.as_deref().map_or_else(Condition::everybody, worded);
    if let Some(filter) = &search.filter {
        let filter = scim_filter::read(filter).map_err(|fault| malformed(&fault))?;
        names.groups.extend(find_groups(store, names.rights, &filter).await?);
        condition = condition.and(names.bind(&filter).map_err(|fault| malformed(&fault))?);
    }
    Ok(condition)
}

fn is_limited(rights: &Rights) -> bool {
    matches!(rights.reach("admin:users.read"), Reach::Within(_))
}

/// The groups that a filter names, with those that stand in them. What names none is left out.
async fn find_groups(
    store: &mut Read,
    rights: &Rights,
    filter: &Filter,
) -> Result<BTreeMap<String, Vec<Id<Group>>>, Error> {
    let mut found = BTreeMap::new();
    for name in named(filter, is_group) {
        if name.contains('\0') {
            continue;
        }
        let group = match name.parse() {
            Ok(id) => store.find_group(id).await?,
            Err(_) => store.find_group_by_name(&name).await?,
        };
        let Some(group) = group else { continue };
        // whose rights count over groups alone asks by those
        let reach = rights.reach("admin:groups.read");
        if is_limited(rights) && !reach.includes(&store.list_groups_around_group(group.id).await?) {
            continue;
        }
        let below = store.list_groups_below(group.id, MOST_BELOW).await?;
        let mut ids = vec![group.id];
        ids.extend(below.into_iter().map(|below| below.id));
        found.insert(name, ids);
    }
    Ok(found)
}
