//! Memberships that begin and end by themselves. Whoever asks what somebody may do sees it at the very moment; here it is put on
//! record, the primary group passes on, and what others remember is forgotten. Of several nodes one does it.

use super::ChangeSource;
use super::default_group::GroupRules;
use super::members::{record, succeed};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::store::{DueMembership, Write};

/// So many in one turn of the job.
const BATCH: u32 = 100;

/// Puts on record what has begun and ended. Gives whether there may be more.
///
/// # Errors
/// [`Error`] if one could not be done, after the others were; it is tried again.
pub async fn turn_memberships(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider
        .store
        .read()
        .await?
        .list_due_memberships(call.now, BATCH)
        .await?;
    let may_be_more = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    if due.is_empty() {
        return Ok(false);
    }
    let rules = GroupRules::of(&*provider.settings().await?);
    let mut failed = None;
    for due in due {
        let turned = again(|| async {
            let mut tx = provider.store.write().await?;
            let done = turn_in(&mut tx, call, &due, &rules).await;
            settle(tx, done).await
        });
        if let Err(error) = turned.await {
            let user = due.membership.user;
            tracing::warn!(user = %user, %error, "a membership that has begun or ended is not on record yet");
            failed = Some(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(may_be_more),
    }
}

async fn turn_in(tx: &mut Write, call: &Call, due: &DueMembership, rules: &GroupRules) -> Result<(), Error> {
    let membership = &due.membership;
    let user = membership.user;
    let Some(group) = tx.find_group(membership.group).await? else {
        return Ok(());
    };
    let source = &ChangeSource::Term;
    tx.hold_memberships_of(user).await?;
    if membership.term.counts(call.now) {
        if !tx.begin_membership(due).await? {
            return Ok(());
        }
        succeed(tx, call, source, user, (group.id, &GroupRules::default())).await?;
        return record(tx, call, source, &group, user, "membership_began").await;
    }
    if !tx.end_membership(due).await? {
        return Ok(());
    }
    match succeed(tx, call, source, user, (group.id, rules)).await {
        // a right that has come to its end ends, whatever is said about having a group
        Err(Error::Conflict("last_group")) => {
            tracing::warn!(user = %user, "somebody is in no group: there is no default group to put them into");
        }
        succeeded => succeeded?,
    }
    record(tx, call, source, &group, user, "membership_ended").await
}
