//! Moving the embedded store into Postgres.

use url::Url;

use super::{Error, is_embedded, wiring};
use crate::config::Config;
use crate::model::Secret;
use crate::store::{self, MoveError, Moved, Store};

/// What a move would do.
#[derive(Debug)]
pub struct Outlook {
    /// How many rows each table has.
    pub rows: Vec<(&'static str, u64)>,
    /// The first table of the target that has rows already; a target without its schema has none.
    pub in_the_way: Option<&'static str>,
}

/// Moves the embedded store of this configuration into the empty Postgres database at `target`, and marks the old one. No
/// server may run on it. `progress` is told the table, how many of its rows have moved, and how many there are.
///
/// # Errors
/// [`Error`], in words for the operator: nothing is moved then.
pub async fn move_store(
    config: &Config,
    target: &Secret,
    progress: &mut (dyn FnMut(&'static str, u64, u64) + Send),
) -> Result<Moved, Error> {
    let named = without_credentials(target)?;
    let (from, _lock) = open_source(config).await?;
    let to = Store::open(target.expose()).await?;
    let moved = async {
        to.migrate().await?;
        Ok(from.move_to(&to, &named, progress).await?)
    };
    let moved = moved.await;
    to.close().await;
    from.close().await;
    moved
}

/// Tells what a move would do, and does nothing.
///
/// # Errors
/// [`Error`], in words for the operator.
pub async fn look_at_move(config: &Config, target: &Secret) -> Result<Outlook, Error> {
    without_credentials(target)?;
    let (from, _lock) = open_source(config).await?;
    let to = Store::open(target.expose()).await?;
    let looked = async {
        let has_schema = !to.applied_migrations().await?.is_empty();
        Ok(Outlook {
            rows: from.count_rows().await?,
            in_the_way: if has_schema {
                to.first_filled_table().await?
            } else {
                None
            },
        })
    };
    let looked = looked.await;
    to.close().await;
    from.close().await;
    looked
}

async fn open_source(config: &Config) -> Result<(Store, Option<super::Lock>), Error> {
    if !is_embedded(config) {
        return Err(Error::Moving(MoveError::Engines));
    }
    match store::file(config.database_url.expose()) {
        Some(file) if !file.exists() => return Err(Error::NoStore(file)),
        _ => {}
    }
    let (store, lock) = wiring::open(config).await?;
    match store.pending_migrations().await {
        Ok(pending) if pending.is_empty() => Ok((store, lock)),
        Ok(pending) => {
            store.close().await;
            Err(Error::OldSchema(pending.len()))
        }
        Err(error) => {
            store.close().await;
            Err(error.into())
        }
    }
}

/// What the mark of the old store says, and error messages may.
fn without_credentials(target: &Secret) -> Result<String, Error> {
    let url = Url::parse(target.expose()).map_err(|_| Error::Moving(MoveError::Engines))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(Error::Moving(MoveError::Engines));
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!(
        "postgres://{}{port}{}",
        url.host_str().unwrap_or("localhost"),
        url.path()
    ))
}
