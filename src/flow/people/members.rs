//! Membership: who is in a group, and which group is a user's primary one. Joining confers what the group carries.

use super::default_group::{self, GroupRules};
use super::departure::HadAdministrator;
use super::users::position;
use super::{ChangeSource, Page, reach};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::user::comparison_key;
use crate::model::{EventKind, Fact, Group, Id, MembershipTerm, Timestamp, User};
pub use crate::store::Membership;
use crate::store::Write;

/// How somebody is to be in a group. What is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MembershipChange {
    /// From when on it counts; `Some(None)`: from now on.
    pub starts_at: Option<Option<Timestamp>>,
    /// Until when it counts; `Some(None)`: for good.
    pub ends_at: Option<Option<Timestamp>>,
    /// Whether the group becomes the primary one.
    pub primary: bool,
}

impl MembershipChange {
    fn onto(self, term: MembershipTerm) -> MembershipTerm {
        MembershipTerm {
            starts_at: self.starts_at.unwrap_or(term.starts_at),
            ends_at: self.ends_at.unwrap_or(term.ends_at),
        }
    }

    fn judge(self, now: Timestamp) -> Result<(), Error> {
        let (starts_at, ends_at) = (self.starts_at.flatten(), self.ends_at.flatten());
        let wrong = |pointer, detail| Err(Error::field(pointer, "contradiction", detail));
        if ends_at.is_some_and(|end| end <= now) {
            return wrong(
                "/ends_at",
                "a membership ends later than now: take the user out of the group",
            );
        }
        if starts_at.zip(ends_at).is_some_and(|(start, end)| end <= start) {
            return wrong("/ends_at", "a membership ends after it begins");
        }
        if self.primary && starts_at.is_some_and(|start| start > now) {
            return wrong(
                "/primary",
                "a group that somebody is in later is not their primary one yet",
            );
        }
        Ok(())
    }
}

/// Puts a user into a group; the first group becomes the primary one. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for a permission of the group that is not the caller's to confer.
pub async fn add_member(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    put_member(provider, call, source, group, user, MembershipChange::default()).await
}

/// Puts a user into a group, or changes from when until when the user is in it.
///
/// # Errors
/// As [`add_member`], and [`Error::Invalid`] for a time that contradicts another, [`Error::Conflict`] for an end of the last
/// administrator's.
pub async fn put_member(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
    change: MembershipChange,
) -> Result<(), Error> {
    change.judge(call.now)?;
    let mut tx = provider.store.write().await?;
    let done = put_in(&mut tx, call, source, group, user, change).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn add_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    put_in(tx, call, source, group, user, MembershipChange::default()).await
}

/// The same with all that may be said of a membership.
pub(in crate::flow) async fn put_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
    change: MembershipChange,
) -> Result<(), Error> {
    let administrator = match (change.starts_at, change.ends_at) {
        (None, None) => None,
        _ => Some(HadAdministrator::ask(tx, call.now).await?),
    };
    let group = load(tx, source, group, user).await?;
    let before = tx.find_membership(group.id, user).await?;
    let (term, what) = match &before {
        None => {
            let term = change.onto(MembershipTerm::default());
            reach::must_gain_nothing(tx, (source, call.now), group.id, user).await?;
            let added = tx.add_membership(group.id, user, call.now, term).await?;
            (term, added.then_some("member_added"))
        }
        Some(membership) => {
            let term = change.onto(membership.term);
            if membership.term.counts(call.now) && !term.counts(call.now) {
                let detail = "the user is in the group already: take them out of it first";
                return Err(Error::field("/starts_at", "contradiction", detail));
            }
            let changes = term != membership.term;
            let set = changes && tx.set_membership_term(group.id, user, call.now, term).await?;
            (term, set.then_some("membership_term"))
        }
    };
    if let Some(administrator) = administrator {
        administrator.must_stay_so(tx, call.now).await?;
    }
    if what.is_some() && term.counts(call.now) && tx.find_primary_group_id_of(user).await?.is_none() {
        tx.make_primary(group.id, user).await?;
    }
    if let Some(what) = what {
        record(tx, call, source, &group, user, what).await?;
    }
    if change.primary {
        make_primary_in(tx, call, source, group.id, user).await?;
    }
    Ok(())
}

/// Takes a user out of a group; if it was the primary one, `successor` takes its place, which is another of the user's groups, and
/// else the first of the others by name.
///
/// # Errors
/// [`Error::NotFound`] also if the user is not in it, [`Error::Forbidden`] for a permission of the group that the caller does
/// not hold, [`Error::Conflict`] for the last administrator, and for the last group where everybody has to be in one.
pub async fn remove_member(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
    successor: Option<Id<Group>>,
) -> Result<(), Error> {
    let rules = GroupRules::of(&*provider.settings().await?);
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = remove_in(&mut tx, call, source, (group, successor), user, &rules).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn remove_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (group, successor): (Id<Group>, Option<Id<Group>>),
    user: Id<User>,
    rules: &GroupRules,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let group = load(tx, source, group, user).await?;
    tx.hold_memberships_of(user).await?;
    if !tx.remove_member(group.id, user).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    if let Some(successor) = successor {
        make_primary_in(tx, call, source, successor, user).await?;
    }
    succeed(tx, call, source, user, (group.id, rules)).await?;
    record(tx, call, source, &group, user, "member_removed").await
}

/// Sees to it that whoever has just left a group has a primary one, if they are in any, and is in one, if that is mandatory.
pub(super) async fn succeed(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    (left, rules): (Id<Group>, &GroupRules),
) -> Result<(), Error> {
    if tx.find_primary_group_id_of(user).await?.is_some() {
        return Ok(());
    }
    match tx.find_next_primary_of(user, call.now).await? {
        Some(next) => drop(tx.make_primary(next, user).await?),
        None if rules.mandatory => drop(default_group::enter(tx, call, source, user, rules, Some(left)).await?),
        None => {}
    }
    Ok(())
}

/// Makes one of a user's groups the primary one.
///
/// # Errors
/// [`Error::NotFound`] also if the user is not in it, or not yet, [`Error::Forbidden`].
pub async fn make_primary(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = make_primary_in(&mut tx, call, source, group, user).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn make_primary_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let group = load(tx, source, group, user).await?;
    tx.hold_memberships_of(user).await?;
    let membership = tx.find_membership(group.id, user).await?.ok_or(Error::NotFound)?;
    if membership.primary {
        return Ok(());
    }
    if !membership.term.counts(call.now) || !tx.make_primary(group.id, user).await? {
        return Err(Error::NotFound);
    }
    record(tx, call, source, &group, user, "primary_group").await
}

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub user: User,
    /// Since when, until when, and whether it is their primary group.
    pub membership: Membership,
}

/// A page of a group's members.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn list_members(
    provider: &Provider,
    group: Id<Group>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Member>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_group(group).await?.is_none() {
        return Err(Error::NotFound);
    }
    let memberships = store
        .list_memberships_in(group, position(after)?, limit.saturating_add(1))
        .await?;
    let page = Page::cut(memberships, limit, |membership| membership.user.to_string());
    let mut items = Vec::with_capacity(page.items.len());
    for membership in page.items {
        let user = store.find_user(membership.user).await?;
        items.extend(user.map(|user| Member { user, membership }));
    }
    Ok(Page { items, next: page.next })
}

/// Somebody's membership in a group.
///
/// # Errors
/// [`Error::NotFound`] also if the user is not in it.
pub async fn get_member(provider: &Provider, group: Id<Group>, user: Id<User>) -> Result<Member, Error> {
    let mut store = provider.store.read().await?;
    let membership = store.find_membership(group, user).await?.ok_or(Error::NotFound)?;
    let user = store.find_user(user).await?.ok_or(Error::NotFound)?;
    Ok(Member { user, membership })
}

/// The groups a user is in, by name: directly, and whether or not that counts already.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_groups_of(provider: &Provider, user: Id<User>) -> Result<Vec<Membership>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    Ok(store.list_memberships_of(user).await?)
}

/// Puts a new user into groups, by name.
pub(super) async fn join(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    user: &User,
    (names, primary): (&[String], Option<&str>),
    rules: &GroupRules,
) -> Result<(), Error> {
    if names.is_empty() {
        return default_group::enter(tx, call, source, user.id, rules, None)
            .await
            .map(drop);
    }
    let primary = primary.or(names.first().map(String::as_str)).map(comparison_key);
    for (place, name) in names.iter().enumerate() {
        let Some(group) = tx.find_group_by_name(name).await? else {
            return Err(Error::Invalid(vec![FieldError {
                pointer: format!("/groups/{place}"),
                code: "unknown",
                detail: "there is no group of this name".to_owned(),
            }]));
        };
        must_cover(tx, source, group.id).await?;
        tx.add_member(group.id, user.id, call.now).await?;
        if primary.as_deref() == Some(comparison_key(name).as_str()) {
            tx.make_primary(group.id, user.id).await?;
        }
    }
    Ok(())
}

pub(super) async fn load(
    tx: &mut Write,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<Group, Error> {
    let group = tx.find_group(group).await?.ok_or(Error::NotFound)?;
    if tx.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    must_cover(tx, source, group.id).await?;
    Ok(group)
}

/// Whoever puts somebody into a group confers what it carries, and what those carry that it stands in.
async fn must_cover(tx: &mut Write, source: &ChangeSource, group: Id<Group>) -> Result<(), Error> {
    let carried = tx.list_permissions_by(group).await?;
    source.must_cover(carried.iter().map(String::as_str))
}

pub(super) async fn record(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: &Group,
    user: Id<User>,
    what: &'static str,
) -> Result<(), Error> {
    let event = call
        .event(EventKind::GroupChanged)
        .user(user)
        .because(what)
        .fact("group", Fact::Id(group.id.uuid()))
        .fact("source", source.fact());
    Ok(tx.add_event(&event).await?)
}
