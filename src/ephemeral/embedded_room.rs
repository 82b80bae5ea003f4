//! Making room when entries are written: for an owner who has too many, and where there are too many of a kind altogether.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use super::embedded::Entry;
use super::kind::SHARE_WHEN_FULL;
use super::write_behind::Change;
use crate::sql::{Error, Transaction};

/// How many entries of a kind the file may have: at least as many as it has, counted anew only where that is too much.
#[derive(Default)]
pub(super) struct Totals(Mutex<HashMap<&'static str, u64>>);

impl Totals {
    fn add(&self, kind: &'static str, rows: u64) -> Option<u64> {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // what the file had before is not known
        let total = totals.get_mut(kind)?;
        *total = total.saturating_add(rows);
        Some(*total)
    }

    fn set(&self, kind: &'static str, total: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, total);
    }
}

/// The last entry of an owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Last {
    version: u64,
    key: [u8; 32],
    most: u32,
}

/// Pushes out what is too much after these were written, but of no owner what was put last.
pub(super) async fn make(transaction: &mut Transaction, totals: &Totals, kept: &[&Change<Entry>]) -> Result<(), Error> {
    let mut owners = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for ((kind, key), entry, version) in kept {
        let Some(owned) = entry.as_ref().and_then(|entry| entry.owned) else {
            continue;
        };
        let last = Last {
            version: *version,
            key: *key,
            most: owned.most,
        };
        let known = owners.entry((*kind, owned.owner)).or_insert(last);
        *known = (*known).max(last);
        if let Some(altogether) = owned.altogether {
            kinds.entry(*kind).or_insert((altogether, 0_u64)).1 += 1;
        }
    }
    for ((kind, owner), last) in &owners {
        push_out(transaction, kind, owner, *last, last.most);
    }
    for (kind, (altogether, rows)) in kinds {
        let most = u64::from(altogether);
        if totals.add(kind, rows).is_some_and(|total| total <= most) {
            continue;
        }
        let mut total = count(transaction, kind).await?;
        if total > most {
            // whoever has much makes room first, and only then whatever ends soonest
            for ((_, owner), last) in owners.iter().filter(|((of, _), _)| *of == kind) {
                push_out(transaction, kind, owner, *last, SHARE_WHEN_FULL);
            }
            total = count(transaction, kind).await?;
        }
        if total > most {
            total -= push_out_soonest(transaction, kind, total - most).await?;
        }
        totals.set(kind, total);
    }
    Ok(())
}

/// Pushes out what an owner has too much of.
fn push_out(transaction: &mut Transaction, kind: &str, owner: &[u8; 32], last: Last, most: u32) {
    // those that end soonest make room, and what has ended already goes before them
    const PUSH_OUT: &str = "
        delete from entry
        where rowid in (
            select rowid
            from entry
            where kind = $1 and owner = $2 and key <> $3
            order by expires desc
            limit -1 offset $4
        )";
    let push_out = transaction.sql(PUSH_OUT).bind(kind).bind(owner).bind(last.key);
    push_out.bind(most.saturating_sub(1)).later();
}

async fn push_out_soonest(transaction: &mut Transaction, kind: &str, number: u64) -> Result<u64, Error> {
    const PUSH_OUT: &str = "
        delete from entry
        where rowid in (select rowid from entry where kind = $1 order by expires limit $2)";
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    transaction.sql(PUSH_OUT).bind(kind).bind(number).changed().await
}

async fn count(transaction: &mut Transaction, kind: &str) -> Result<u64, Error> {
    const COUNT: &str = "
        select count(*)
        from entry
        where kind = $1";
    let number: i64 = transaction.sql(COUNT).bind(kind).one().await?;
    Ok(number.unsigned_abs())
}
