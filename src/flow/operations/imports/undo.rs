//! Taking an import back. Whom it has made nobody sees any more from the moment on at which this was asked for; here they go: all of a piece
//! at once where nobody has ever seen them, else one by one with everything that they have begun.

use super::work::{Held, PIECE};
use crate::flow::again::again;
use crate::flow::people::departure::end_browsers;
use crate::flow::people::{Former, GroupRules, row_refusal, take_back_in, unmake_in};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, ImportOutcome, ImportPlan, ImportRow, ImportState, User};
use crate::store::{ImportProgress, ImportRows, Write};

/// Takes the next of them back.
pub(super) async fn step(provider: &Provider, call: &Call, held: &Held) -> Result<(), Error> {
    let import = &held.import;
    let which = ImportRows::Outcome(ImportOutcome::Done);
    let rows = {
        let mut store = provider.store.read().await?;
        store.list_import_rows(import.id, which, import.position, PIECE).await?
    };
    if rows.is_empty() {
        return held.end(provider, call, (ImportState::Undone, None)).await;
    }
    let is_unseen = import.visible_at.is_none() && rows.iter().all(|row| row.plan == ImportPlan::Create);
    if is_unseen {
        return remove(provider, call, held, &rows).await;
    }
    let rules = GroupRules::of(&*provider.settings().await?);
    for row in &rows {
        if !take_back(provider, call, held, (row, &rules)).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whom nobody has ever seen.
async fn remove(provider: &Provider, call: &Call, held: &Held, rows: &[ImportRow]) -> Result<(), Error> {
    let import = held.import.id;
    let users: Vec<Id<User>> = rows.iter().filter_map(|row| row.user).collect();
    let (first, last) = (
        rows.first().map_or(0, |row| row.number),
        rows.last().map_or(0, |row| row.number),
    );
    let events: Vec<_> = users
        .iter()
        .map(|user| {
            let event = call.event(EventKind::UserDeleted).user(*user);
            let event = event.fact("source", held.source.fact());
            event.fact("import", Fact::Id(import.uuid()))
        })
        .collect();
    let (users, events) = (&users, &events);
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: last,
                done: i64::try_from(users.len()).unwrap_or(i64::MAX),
                failed: 0,
            };
            let going = (&progress, Held::until(call));
            if !tx.go_on_with_import(import, &held.lease, going).await? {
                return Ok(());
            }
            tx.remove_imported_users(import, users).await?;
            tx.import_rows_are_undone(import, first.saturating_sub(1), last).await?;
            Ok(tx.add_events(events).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

async fn take_back(
    provider: &Provider,
    call: &Call,
    held: &Held,
    (row, rules): (&ImportRow, &GroupRules),
) -> Result<bool, Error> {
    let Some(user) = row.user else { return Ok(true) };
    let done = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = take_back_one_in(&mut tx, call, held, (row, user, rules)).await;
        settle(tx, done).await
    })
    .await;
    let goes_on = match done {
        Ok(goes_on) => goes_on,
        Err(error) => match row_refusal(&error) {
            Some(why) => keep(provider, call, held, (row, user, why)).await?,
            None => return Err(error),
        },
    };
    if row.plan == ImportPlan::Create {
        end_browsers(provider, call, user).await;
    }
    Ok(goes_on)
}

async fn take_back_one_in(
    tx: &mut Write,
    call: &Call,
    held: &Held,
    (row, user, rules): (&ImportRow, Id<User>, &GroupRules),
) -> Result<bool, Error> {
    let import = held.import.id;
    let progress = ImportProgress {
        position: row.number,
        done: 1,
        failed: 0,
    };
    if !tx
        .go_on_with_import(import, &held.lease, (&progress, Held::until(call)))
        .await?
    {
        return Ok(false);
    }
    let is_back = match (row.plan, row.former.as_deref()) {
        (ImportPlan::Create, _) => {
            unmake_in(tx, call, &held.source, (import, user)).await?;
            true
        }
        (_, Some(former)) => {
            let former: Former = serde_json::from_str(former).map_err(|error| Error::Failed(Box::new(error)))?;
            take_back_in(tx, call, &held.source, (user, former), rules).await?
        }
        (_, None) => false,
    };
    let (outcome, why) = match is_back {
        true => (ImportOutcome::Undone, None),
        false => {
            let detail = "somebody has changed the user since".to_owned();
            (ImportOutcome::Kept, Some(("changed_since".to_owned(), detail)))
        }
    };
    tx.import_row_ended(import, (row.number, outcome), (None, why)).await?;
    Ok(true)
}

/// One that can't be taken back stays, and is seen.
async fn keep(
    provider: &Provider,
    call: &Call,
    held: &Held,
    (row, user, why): (&ImportRow, Id<User>, (String, String)),
) -> Result<bool, Error> {
    let (import, why) = (held.import.id, &why);
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: row.number,
                done: 0,
                failed: 1,
            };
            let going = (&progress, Held::until(call));
            if !tx.go_on_with_import(import, &held.lease, going).await? {
                return Ok(false);
            }
            tx.show_imported_user(import, user).await?;
            let ended = (row.number, ImportOutcome::Kept);
            tx.import_row_ended(import, ended, (None, Some(why.clone()))).await?;
            Ok(true)
        }
        .await;
        settle(tx, done).await
    })
    .await
}
