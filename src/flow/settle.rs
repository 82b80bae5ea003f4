//! How a transaction ends, once it is known whether what it was for may be done.

use super::Error;
use crate::store::Write;

/// Keeps what was done. A refusal waits until what it was read from lasts: on SQLite that may be what others are only about to
/// commit, and nobody is told what never was.
///
/// # Errors
/// The refusal; [`Error::Unavailable`] if what it rests on, or what was done, is not kept.
pub async fn settle<T>(tx: Write, done: Result<T, Error>) -> Result<T, Error> {
    match done {
        Ok(done) => {
            tx.commit().await?;
            Ok(done)
        }
        Err(refusal) => refuse(tx, refusal).await,
    }
}

/// Refuses what was begun in a transaction, as [`settle`] does.
///
/// # Errors
/// As [`settle`].
pub async fn refuse<T>(tx: Write, refusal: Error) -> Result<T, Error> {
    // a failure rests on nothing, and a store that does not answer is not asked once more
    if !matches!(refusal, Error::Unavailable(_) | Error::Failed(_)) {
        tx.abandon().await?;
    }
    Err(refusal)
}
