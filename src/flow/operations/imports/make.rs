//! Making those who are new: the rows of a piece in one transaction; where one of them can't be made any more, each by itself.

use super::open;
use super::work::{Held, PIECE};
use crate::flow::again::again;
use crate::flow::people::{ImportJudge, row_refusal};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{ImportOutcome, ImportPlan, ImportRow, ImportState};
use crate::store::{ImportProgress, ImportRows};

/// Makes the next of them.
pub(super) async fn step(provider: &Provider, call: &Call, held: &Held) -> Result<(), Error> {
    let import = &held.import;
    let which = ImportRows::Planned(ImportPlan::Create);
    let rows = {
        let mut store = provider.store.read().await?;
        store.list_import_rows(import.id, which, import.position, PIECE).await?
    };
    if rows.is_empty() {
        return held.end(provider, call, (ImportState::Made, None)).await;
    }
    let firebase = open(provider, &import.options);
    let mut judge = ImportJudge::new(provider, call, &held.source, (&import.options, firebase)).await?;
    match make(provider, call, held, &mut judge, &rows).await {
        Ok(()) => return Ok(()),
        Err(error) if row_refusal(&error).is_none() => return Err(error),
        Err(_) => {}
    }
    for row in &rows {
        let one = std::slice::from_ref(row);
        match make(provider, call, held, &mut judge, one).await {
            Ok(()) => {}
            Err(error) => match row_refusal(&error) {
                Some(why) => note(provider, call, held, (row, why)).await?,
                None => return Err(error),
            },
        }
    }
    Ok(())
}

async fn make(
    provider: &Provider,
    call: &Call,
    held: &Held,
    judge: &mut ImportJudge<'_>,
    rows: &[ImportRow],
) -> Result<(), Error> {
    let import = held.import.id;
    let ready = &judge.ready(import, rows).await?;
    let (first, last) = (
        rows.first().map_or(0, |row| row.number),
        rows.last().map_or(0, |row| row.number),
    );
    let judge = &*judge;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: last,
                done: i64::try_from(rows.len()).unwrap_or(i64::MAX),
                failed: 0,
            };
            let going = (&progress, Held::until(call));
            if !tx.go_on_with_import(import, &held.lease, going).await? {
                return Ok(());
            }
            judge.make_in(&mut tx, import, ready).await?;
            tx.import_rows_are_done(import, first.saturating_sub(1), last).await?;
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// That one could not be made.
async fn note(
    provider: &Provider,
    call: &Call,
    held: &Held,
    (row, why): (&ImportRow, (String, String)),
) -> Result<(), Error> {
    let why = &why;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: row.number,
                done: 0,
                failed: 1,
            };
            let going = (&progress, Held::until(call));
            if tx.go_on_with_import(held.import.id, &held.lease, going).await? {
                let ended = (row.number, ImportOutcome::Failed);
                tx.import_row_ended(held.import.id, ended, (None, Some(why.clone())))
                    .await?;
            }
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}
