//! Groups in groups. What an outer group carries (permissions, what it says about settings, its name in the claim `groups`, terms
//! that its members have to accept) counts for the members of an inner one too. There are no circles, and the depth and the number
//! are bounded: whoever asks what counts for somebody reads rows that stand ready.

use super::ChangeSource;
use super::departure::HadAdministrator;
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Group, Id};
pub use crate::store::NestedGroup;
use crate::store::Write;

/// So many groups may lie in each other, like boxes.
pub const DEEPEST: u32 = 8;
/// So many groups stand above one at most.
pub const MOST_ABOVE: u32 = 100;
/// So many groups stand in one at most, by way of others too.
pub const MOST_BELOW: u32 = 500;

/// Puts a group into another. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for a permission of either that is not the caller's to confer, [`Error::Conflict`] for a
/// circle (`circle`), and for more than is taken (`too_deep`, `too_many_groups`).
pub async fn nest_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    outer: Id<Group>,
    inner: Id<Group>,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = nest_in(&mut tx, call, source, outer, inner).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn nest_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    outer: Id<Group>,
    inner: Id<Group>,
) -> Result<(), Error> {
    tx.hold_nesting().await?;
    may_move(tx, source, outer, inner).await?;
    if outer == inner || tx.is_group_above(inner, outer).await? {
        return Err(Error::Conflict("circle"));
    }
    let below = tx.list_groups_below(inner, MOST_BELOW.saturating_add(1)).await?;
    let above = tx.list_groups_above(outer, MOST_ABOVE.saturating_add(1)).await?;
    if deepest(&below).saturating_add(deepest(&above)).saturating_add(1) > DEEPEST {
        return Err(Error::Conflict("too_deep"));
    }
    if !tx.nest_group(inner, outer, call.now).await? {
        return Ok(());
    }
    let most = tx.climb(inner, &below).await?;
    let inside = tx.list_groups_below(outer, MOST_BELOW.saturating_add(1)).await?;
    if most > u64::from(MOST_ABOVE) || inside.len() > usize::try_from(MOST_BELOW).unwrap_or(usize::MAX) {
        return Err(Error::Conflict("too_many_groups"));
    }
    record(tx, call, source, outer, inner, "group_nested").await
}

/// Takes a group out of another.
///
/// # Errors
/// [`Error::NotFound`] also if it does not stand in it directly, [`Error::Forbidden`], [`Error::Conflict`] if nobody would be left to
/// administer the installation.
pub async fn unnest_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    outer: Id<Group>,
    inner: Id<Group>,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = unnest_in(&mut tx, call, source, outer, inner).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn unnest_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    outer: Id<Group>,
    inner: Id<Group>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    tx.hold_nesting().await?;
    may_move(tx, source, outer, inner).await?;
    take_out(tx, outer, inner).await?;
    administrator.must_stay_so(tx, call.now).await?;
    record(tx, call, source, outer, inner, "group_unnested").await
}

/// Takes every group out of one that is about to be deleted: what stands above it is not above them by way of it any more.
pub(super) async fn empty_out(tx: &mut Write, outer: Id<Group>) -> Result<(), Error> {
    tx.hold_nesting().await?;
    let inside = tx.list_groups_below(outer, MOST_BELOW).await?;
    for inner in inside.iter().filter(|inner| inner.distance == 1) {
        take_out(tx, outer, inner.id).await?;
    }
    Ok(())
}

async fn take_out(tx: &mut Write, outer: Id<Group>, inner: Id<Group>) -> Result<(), Error> {
    if !tx.unnest_group(inner, outer).await? {
        return Err(Error::NotFound);
    }
    let below = tx.list_groups_below(inner, MOST_BELOW).await?;
    tx.climb(inner, &below).await?;
    Ok(())
}

/// The groups that a group stands in, by way of others too, the nearest first; and those that stand in it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn nesting_of(provider: &Provider, group: Id<Group>) -> Result<(Vec<NestedGroup>, Vec<NestedGroup>), Error> {
    let mut store = provider.store.read().await?;
    if store.find_group(group).await?.is_none() {
        return Err(Error::NotFound);
    }
    let above = store.list_groups_above(group, MOST_ABOVE).await?;
    Ok((above, store.list_groups_below(group, MOST_BELOW).await?))
}

/// Whoever joins two groups, or takes them apart, must hold what the members of the inner one gain or lose, and what these hold: it
/// is acting on all of them.
async fn may_move(tx: &mut Write, source: &ChangeSource, outer: Id<Group>, inner: Id<Group>) -> Result<(), Error> {
    for id in [outer, inner] {
        if tx.find_group(id).await?.is_none() {
            return Err(Error::NotFound);
        }
        let carried = tx.list_permissions_by(id).await?;
        source.must_cover(carried.iter().map(String::as_str))?;
    }
    Ok(())
}

fn deepest(groups: &[NestedGroup]) -> u32 {
    groups.iter().map(|group| group.distance).max().unwrap_or(0)
}

async fn record(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    outer: Id<Group>,
    inner: Id<Group>,
    what: &'static str,
) -> Result<(), Error> {
    let event = call
        .event(EventKind::GroupChanged)
        .because(what)
        .fact("group", Fact::Id(outer.uuid()))
        .fact("inner", Fact::Id(inner.uuid()))
        .fact("source", source.fact());
    Ok(tx.add_event(&event).await?)
}
