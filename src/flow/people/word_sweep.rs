//! Going through whoever was there before words were kept, so that they are found by theirs: one bounded batch a transaction, and a
//! server that dies goes on where it was.

use crate::flow::settle::settle;
use crate::flow::{Error, Provider};
use crate::store::Write;

/// People of one transaction.
const BATCH: u32 = 100;

/// Goes through one batch. False if there is nothing (more) to do.
///
/// # Errors
/// [`Error::Unavailable`]; the next turn goes on.
pub async fn sweep_words(provider: &Provider) -> Result<bool, Error> {
    if provider.store.read().await?.find_word_sweep().await?.is_none() {
        return Ok(false);
    }
    let mut tx = provider.store.write().await?;
    let done = step(&mut tx).await;
    settle(tx, done).await
}

async fn step(tx: &mut Write) -> Result<bool, Error> {
    let Some(sweep) = tx.find_word_sweep().await? else {
        return Ok(false);
    };
    let users = tx.list_every_user(sweep.swept_to, BATCH).await?;
    for user in &users {
        tx.fill_words(user).await?;
    }
    tx.advance_word_sweep(users.last().map(|user| user.id)).await?;
    Ok(!users.is_empty())
}
