//! Segments: what was asked about people, under a name: everybody's, or a view of one's own. Who is in one is who is found at the moment, by
//! the rights of whoever asks.

use super::search::{Counted, count_users, judge_search, list_users};
use super::{ChangeSource, Rights};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider};
use crate::model::search::Search;
use crate::model::{Event, EventKind, Fact, Id, Segment, User};
use crate::protocol::scim_filter;
use crate::store::{self, Write};

/// So many there are of everybody's, and so many of one owner's.
pub const MOST_SEGMENTS: u32 = 200;
const LONGEST_NAME: usize = 60;
const LONGEST_DESCRIPTION: usize = 500;
const MOST_SORTS: usize = 5;
/// No further is counted.
const MOST_COUNTED: u32 = 100_000;

/// A segment to make, or what it becomes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct SegmentChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether it is everybody's.
    pub shared: Option<bool>,
    /// Words.
    pub words: Option<Option<String>>,
    /// RFC 7644 section 3.4.2.2.
    pub filter: Option<Option<String>>,
    /// By what they are sorted.
    pub sort: Option<Vec<String>>,
    /// Whether those that were deactivated are in it although no status is asked for.
    pub inactive: Option<bool>,
}

impl SegmentChange {
    fn make(self, segment: &mut Segment, call: &Call) {
        if let Some(name) = self.name {
            segment.name = name;
        }
        if let Some(description) = self.description {
            segment.description = description;
        }
        if let Some(shared) = self.shared {
            segment.owner = if shared { None } else { owner(call) };
        }
        let search = &mut segment.search;
        search.words = self.words.unwrap_or_else(|| search.words.take());
        search.filter = self.filter.unwrap_or_else(|| search.filter.take());
        search.sort = self.sort.unwrap_or_else(|| std::mem::take(&mut search.sort));
        search.inactive = self.inactive.unwrap_or(search.inactive);
    }
}

/// Whose a segment is that somebody saves for themselves; somebody at a terminal has none of their own.
fn owner(call: &Call) -> Option<String> {
    call.actor.id().map(|id| format!("{}:{id}", call.actor.kind()))
}

/// Everybody's segments, then those of whoever asks, by name.
///
/// # Errors
/// The store's.
pub async fn list_segments(provider: &Provider, call: &Call) -> Result<Vec<Segment>, Error> {
    let mut store = provider.store.read().await?;
    let mut segments = store.list_segments(None, MOST_SEGMENTS).await?;
    if let Some(owner) = owner(call) {
        segments.extend(store.list_segments(Some(&owner), MOST_SEGMENTS).await?);
    }
    Ok(segments)
}

/// A segment of everybody's, or of whoever asks.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_segment(provider: &Provider, call: &Call, id: Id<Segment>) -> Result<Segment, Error> {
    let found = provider.store.read().await?.find_segment(id).await?;
    found
        .filter(|segment| segment.owner.is_none() || segment.owner == owner(call))
        .ok_or(Error::NotFound)
}

/// Everybody's segment of this name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_segment_by_name(provider: &Provider, name: &str) -> Result<Segment, Error> {
    let mut store = provider.store.read().await?;
    store.find_segment_by_name(None, name).await?.ok_or(Error::NotFound)
}

/// Makes a segment. Whoever does so may find people.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`], [`Error::Conflict`] if there are as many as there may be.
pub async fn create_segment(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    new: SegmentChange,
) -> Result<Segment, Error> {
    let mut segment = Segment {
        id: Id::new(call.now),
        name: String::new(),
        owner: owner(call),
        description: None,
        search: Search::default(),
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    new.make(&mut segment, call);
    judge(provider, call, source, &segment).await?;
    let mut tx = provider.store.write().await?;
    let done = add_in(&mut tx, call, &segment).await;
    settle(tx, done).await?;
    Ok(segment)
}

/// Changes a segment, if its version still is the expected one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`], [`Error::Forbidden`].
pub async fn change_segment(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<Segment>, Option<i64>),
    change: SegmentChange,
) -> Result<Segment, Error> {
    let mut segment = load(provider, call, id, expected).await?;
    change.make(&mut segment, call);
    segment.updated_at = call.now;
    judge(provider, call, source, &segment).await?;
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, call, &segment).await;
    settle(tx, done).await?;
    get_segment(provider, call, id).await
}

/// Deletes a segment; nobody who was in it is touched.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`].
pub async fn delete_segment(
    provider: &Provider,
    call: &Call,
    (id, expected): (Id<Segment>, Option<i64>),
) -> Result<(), Error> {
    let segment = load(provider, call, id, expected).await?;
    let mut tx = provider.store.write().await?;
    let done = delete_in(&mut tx, call, &segment).await;
    settle(tx, done).await
}

/// A page of those who are in it now.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] if what it asks can't be asked any more.
pub async fn list_segment_members(
    provider: &Provider,
    call: &Call,
    rights: &Rights,
    id: Id<Segment>,
    place: (Option<&str>, u32),
) -> Result<Page<User>, Error> {
    let segment = get_segment(provider, call, id).await?;
    list_users(provider, call, &of_reader(rights), &segment.search, place).await
}

/// How many are in it now.
///
/// # Errors
/// As [`list_segment_members`].
pub async fn count_segment_members(
    provider: &Provider,
    call: &Call,
    rights: &Rights,
    id: Id<Segment>,
) -> Result<Counted, Error> {
    let segment = get_segment(provider, call, id).await?;
    count_users(provider, call, &of_reader(rights), &segment.search, MOST_COUNTED).await
}

/// Whoever may read all segments is told of everybody in them: who they are and how they are reached, and nothing else of them.
fn of_reader(rights: &Rights) -> Rights {
    match rights {
        Rights::Held(held) if rights.allow("admin:segments.read") => {
            let mut held = held.clone();
            held.add("admin:users.read");
            Rights::Held(held)
        }
        other => other.clone(),
    }
}

async fn load(provider: &Provider, call: &Call, id: Id<Segment>, expected: Option<i64>) -> Result<Segment, Error> {
    let segment = get_segment(provider, call, id).await?;
    match expected {
        Some(expected) if expected != segment.version => Err(Error::Stale),
        _ => Ok(segment),
    }
}

async fn judge(provider: &Provider, call: &Call, source: &ChangeSource, segment: &Segment) -> Result<(), Error> {
    // a saved question tells no more than the question
    source.must_cover(["admin:users.read"])?;
    judge_form(segment)?;
    match judge_search(provider, call, &source.rights(), &segment.search).await {
        Err(Error::Invalid(mut fields)) => {
            for field in &mut fields {
                field.pointer.insert(0, '/');
            }
            Err(Error::Invalid(fields))
        }
        judged => judged,
    }
}

/// What can be said of it without looking anything up.
///
/// # Errors
/// [`Error::Invalid`].
pub(in crate::flow) fn judge_form(segment: &Segment) -> Result<(), Error> {
    let length = |text: &str| text.trim().chars().count();
    let wrong = |pointer: &str, code, detail: &str| Err(Error::field(pointer, code, detail));
    if !(1..=LONGEST_NAME).contains(&length(&segment.name)) || segment.name.chars().any(char::is_control) {
        return wrong("/name", "malformed", "expected 1 to 60 characters");
    }
    if let Some(description) = &segment.description
        && (length(description) > LONGEST_DESCRIPTION || description.contains('\0'))
    {
        return wrong("/description", "too_long", "expected at most 500 characters");
    }
    let search = &segment.search;
    if search.sort.len() > MOST_SORTS {
        return wrong("/sort", "too_many", "expected at most 5 fields");
    }
    if let Some(words) = &search.words
        && !(1..=150).contains(&length(words))
    {
        return wrong("/q", "malformed", "expected 1 to 150 characters");
    }
    let Some(filter) = &search.filter else { return Ok(()) };
    match scim_filter::read(filter) {
        Ok(filter) if filter.names("segment") => wrong("/filter", "unsupported", "a segment is not made of segments"),
        Ok(_) => Ok(()),
        Err(fault) => wrong("/filter", "malformed", &fault.to_string()),
    }
}

pub(in crate::flow) async fn add_in(tx: &mut Write, call: &Call, segment: &Segment) -> Result<(), Error> {
    let there = tx.list_segments(segment.owner.as_deref(), MOST_SEGMENTS).await?;
    if there.len() >= usize::try_from(MOST_SEGMENTS).unwrap_or(usize::MAX) {
        return Err(Error::Conflict("there are as many segments as there may be"));
    }
    taken(tx.add_segment(segment).await)?;
    Ok(tx.add_event(&changed(call, segment, "created")).await?)
}

pub(in crate::flow) async fn change_in(tx: &mut Write, call: &Call, segment: &Segment) -> Result<(), Error> {
    if !taken(tx.change_segment(segment).await)? {
        return Err(Error::Stale);
    }
    Ok(tx.add_event(&changed(call, segment, "changed")).await?)
}

pub(in crate::flow) async fn delete_in(tx: &mut Write, call: &Call, segment: &Segment) -> Result<(), Error> {
    if !tx.delete_segment(segment).await? {
        return Err(Error::Stale);
    }
    Ok(tx.add_event(&changed(call, segment, "deleted")).await?)
}

fn changed(call: &Call, segment: &Segment, what: &'static str) -> Event {
    let event = call.event(EventKind::SegmentChanged);
    event
        .fact("segment", Fact::Id(segment.id.uuid()))
        .fact("what", Fact::Word(what))
}

fn taken<T>(done: Result<T, store::Error>) -> Result<T, Error> {
    match done {
        Err(store::Error::Taken(_)) => Err(Error::field("/name", "taken", "there is a segment of this name")),
        other => Ok(other?),
    }
}
