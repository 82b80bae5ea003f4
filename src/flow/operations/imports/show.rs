//! After the switch: who is there already is changed, and who is invited is mailed, one by one.

use super::open;
use super::work::Held;
use crate::flow::again::again;
use crate::flow::people::{ImportJudge, invite_imported, row_refusal};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{ImportOutcome, ImportPlan, ImportRow, ImportState};
use crate::store::{ImportProgress, ImportRows};

/// So many are one piece.
const PIECE: u32 = 50;

/// Does it with the next of them.
pub(super) async fn step(provider: &Provider, call: &Call, held: &Held) -> Result<(), Error> {
    let import = &held.import;
    let which = match import.options.invite {
        true => ImportRows::All,
        false => ImportRows::Planned(ImportPlan::Update),
    };
    let rows = {
        let mut store = provider.store.read().await?;
        store.list_import_rows(import.id, which, import.position, PIECE).await?
    };
    if rows.is_empty() {
        return held.end(provider, call, (ImportState::Done, None)).await;
    }
    let firebase = open(provider, &import.options);
    let judge = ImportJudge::new(provider, call, &held.source, (&import.options, firebase)).await?;
    for row in &rows {
        let goes_on = match (row.plan, row.outcome) {
            (ImportPlan::Update, ImportOutcome::Planned) => change(provider, call, held, (&judge, row)).await?,
            (ImportPlan::Create, ImportOutcome::Done) => send(provider, call, held, row).await?,
            _ => pass(provider, call, held, (row, None)).await?,
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

async fn change(
    provider: &Provider,
    call: &Call,
    held: &Held,
    (judge, row): (&ImportJudge<'_>, &ImportRow),
) -> Result<bool, Error> {
    let import = held.import.id;
    let changed = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: row.number,
                done: 1,
                failed: 0,
            };
            let going = (&progress, Held::until(call));
            if !tx.go_on_with_import(import, &held.lease, going).await? {
                return Ok(false);
            }
            let former = judge.change_in(&mut tx, row).await?;
            let former = serde_json::to_string(&former).map_err(|error| Error::Failed(Box::new(error)))?;
            tx.import_row_ended(import, (row.number, ImportOutcome::Done), (Some(former), None))
                .await?;
            Ok(true)
        }
        .await;
        settle(tx, done).await
    })
    .await;
    match changed {
        Err(error) => match row_refusal(&error) {
            Some(why) => pass(provider, call, held, (row, Some(why))).await,
            None => Err(error),
        },
        changed => changed,
    }
}

/// Whoever could not be mailed is invited by hand.
async fn send(provider: &Provider, call: &Call, held: &Held, row: &ImportRow) -> Result<bool, Error> {
    let Some(user) = row.user else { return Ok(true) };
    if let Err(error) = invite_imported(provider, call, &held.source, user).await {
        let (code, _) = row_refusal(&error).ok_or(error)?;
        tracing::info!(%user, code, "somebody who was imported could not be invited");
    }
    pass(provider, call, held, (row, None)).await
}

/// Goes on behind a row; with why it could not be done, if it could not.
async fn pass(
    provider: &Provider,
    call: &Call,
    held: &Held,
    (row, why): (&ImportRow, Option<(String, String)>),
) -> Result<bool, Error> {
    let why = &why;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let progress = ImportProgress {
                position: row.number,
                done: 0,
                failed: i64::from(why.is_some()),
            };
            let going = (&progress, Held::until(call));
            if !tx.go_on_with_import(held.import.id, &held.lease, going).await? {
                return Ok(false);
            }
            if let Some(why) = why {
                let ended = (row.number, ImportOutcome::Failed);
                tx.import_row_ended(held.import.id, ended, (None, Some(why.clone())))
                    .await?;
            }
            Ok(true)
        }
        .await;
        settle(tx, done).await
    })
    .await
}
