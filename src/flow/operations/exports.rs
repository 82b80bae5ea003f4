//! Workbooks of users: written after the answer, in constant memory, and kept for a day. A workbook is written from its beginning to its end
//! by one; whoever dies at it has another begin anew.

use std::io::Read;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::jobs::rights;
use crate::flow::again::again;
use crate::flow::people::{self, ChangeSource, ExportFormat, ExportWish, Rights, Search, UserExport};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider};
use crate::model::{Actor, Digest, EventKind, Export, Fact, Id, Job, JobState, Secret};
use crate::tabular::{MOST_ROWS, WorkbookWriter};

/// So many are there, or will be, at a time.
const MOST: u32 = 20;
/// Whoever has an export and does not come back loses it after so long.
const LEASE: Duration = Duration::from_secs(60);
/// A piece of a workbook has so many bytes.
const PIECE: usize = 512 * 1024;
/// For so long a workbook is there.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const NEEDED: [&str; 1] = ["admin:users.read"];

/// Whom a workbook holds, and which columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    search: Search,
    columns: Option<Vec<String>>,
}

/// Has a workbook written.
///
/// # Errors
/// [`Error::Invalid`] for a column that there is not; [`Error::Forbidden`]; [`Error::Conflict`] `too_many_exports`.
pub async fn begin(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (search, columns): (Search, Option<Vec<String>>),
) -> Result<Export, Error> {
    source.must_cover(NEEDED)?;
    let wish = ExportWish {
        search: search.clone(),
        format: ExportFormat::Csv,
        columns: columns.clone(),
    };
    UserExport::judge(provider, call, (source.rights(), wish)).await?;
    let task = Task { search, columns };
    let export = Export {
        id: Id::new(call.now),
        state: JobState::Waiting,
        task: serde_json::to_string(&task).map_err(|error| Error::Failed(Box::new(error)))?,
        actor: call.actor,
        rights: match source {
            ChangeSource::Api(Rights::Held(held)) => Some(held.clone()),
            _ => None,
        },
        rows: 0,
        bytes: 0,
        reason: None,
        created_at: call.now,
        ended_at: None,
    };
    let export = &export;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.count_exports(MOST).await? >= i64::from(MOST) {
                return Err(Error::Conflict("too_many_exports"));
            }
            tx.add_export(export).await?;
            let event = call.event(EventKind::UsersExported).fact("format", Fact::Word("xlsx"));
            Ok(tx.add_event(&event.fact("source", source.fact())).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    Ok(export.clone())
}

/// An export.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Export>) -> Result<Export, Error> {
    provider
        .store
        .read()
        .await?
        .find_export(id)
        .await?
        .ok_or(Error::NotFound)
}

/// A page of exports, the last begun first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<Export>, Error> {
    let before = people::users::position(after)?;
    let mut store = provider.store.read().await?;
    let exports = store.list_exports(before, limit.saturating_add(1)).await?;
    Ok(Page::cut(exports, limit, |export| export.id.to_string()))
}

/// A piece of a workbook that is done, counted from 0; none behind its end.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `not_done`.
pub async fn piece(provider: &Provider, id: Id<Export>, number: i64) -> Result<Option<Vec<u8>>, Error> {
    if get(provider, id).await?.state != JobState::Done {
        return Err(Error::Conflict("not_done"));
    }
    Ok(provider.store.read().await?.find_export_part(id, number).await?)
}

/// Forgets an export and its workbook; one that is being written is not written any more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn remove(provider: &Provider, source: &ChangeSource, id: Id<Export>) -> Result<(), Error> {
    source.must_cover(NEEDED)?;
    let mut tx = provider.store.write().await?;
    let is_gone = tx.remove_export(id).await?;
    tx.commit().await?;
    if is_gone { Ok(()) } else { Err(Error::NotFound) }
}

/// Writes the first workbook that nobody is at. Gives whether there may be more to do.
///
/// # Errors
/// [`Error::Unavailable`]: it begins anew later.
pub async fn work(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let Some(id) = provider.store.read().await?.find_due_export(call.now).await? else {
        return Ok(false);
    };
    let lease = Secret::generate().digest();
    let mut tx = provider.store.write().await?;
    let claimed = tx.claim_export(id, &lease, (call.now, call.now.after(LEASE))).await?;
    let export = tx.find_export(id).await?;
    tx.commit().await?;
    let Some(export) = export.filter(|_| claimed) else {
        return Ok(true);
    };
    let source = rights::now(provider, call, &as_job(&export)).await?;
    let (state, reason) = match source.must_cover(NEEDED) {
        Err(_) => (JobState::Failed, Some("rights")),
        Ok(()) => match write(provider, call, &source, (&export, &lease)).await? {
            Written::Whole => (JobState::Done, None),
            Written::TooLong => (JobState::Failed, Some("too_many_rows")),
            Written::NotOurs => return Ok(true),
        },
    };
    let now = Call::system(&provider.clock).now;
    let mut tx = provider.store.write().await?;
    tx.finish_export(id, &lease, (state, reason, now)).await?;
    tx.commit().await?;
    Ok(true)
}

/// What became of a workbook.
enum Written {
    Whole,
    /// More users than a workbook has rows.
    TooLong,
    /// Somebody has removed it, or is at it.
    NotOurs,
}

async fn write(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (export, lease): (&Export, &Digest),
) -> Result<Written, Error> {
    let task: Task = serde_json::from_str(&export.task).map_err(|error| Error::Failed(Box::new(error)))?;
    let wish = ExportWish {
        search: task.search,
        format: ExportFormat::Csv,
        columns: task.columns,
    };
    let mut users = UserExport::judge(provider, call, (source.rights(), wish)).await?;
    let failed = |error| Error::Failed(Box::new(error));
    let mut workbook = WorkbookWriter::new().map_err(failed)?;
    workbook
        .add(users.columns().iter().map(String::as_str))
        .map_err(failed)?;
    while let Some(rows) = users.next_rows(provider).await? {
        for row in rows {
            if workbook.rows() >= MOST_ROWS {
                return Ok(Written::TooLong);
            }
            workbook.add(row.iter().map(String::as_str)).map_err(failed)?;
        }
        let counted = (i64::from(workbook.rows().saturating_sub(1)), 0);
        if !go_on(provider, (export, lease), counted, None).await? {
            return Ok(Written::NotOurs);
        }
    }
    let rows = i64::from(workbook.rows().saturating_sub(1));
    let finished = tokio::task::spawn_blocking(move || workbook.finish());
    let finished = finished.await.map_err(|error| Error::Failed(Box::new(error)))?;
    let mut file = finished.map_err(failed)?;
    let mut bytes = 0_i64;
    for number in 0_i64.. {
        let mut piece = Vec::new();
        let piece_of = u64::try_from(PIECE).unwrap_or(u64::MAX);
        let read = (&mut file).take(piece_of).read_to_end(&mut piece);
        read.map_err(|error| Error::Failed(Box::new(error)))?;
        if piece.is_empty() {
            break;
        }
        bytes = bytes.saturating_add(i64::try_from(piece.len()).unwrap_or(i64::MAX));
        if !go_on(provider, (export, lease), (rows, bytes), Some((number, piece))).await? {
            return Ok(Written::NotOurs);
        }
    }
    Ok(Written::Whole)
}

/// Says how far it is, with a piece of the workbook. False if it is somebody else's.
async fn go_on(
    provider: &Provider,
    (export, lease): (&Export, &Digest),
    counted: (i64, i64),
    piece: Option<(i64, Vec<u8>)>,
) -> Result<bool, Error> {
    let now = Call::system(&provider.clock).now;
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx
            .go_on_with_export(export.id, lease, (counted, now.after(LEASE)))
            .await?
        {
            return Ok(false);
        }
        if let Some((number, piece)) = piece {
            tx.put_export_part(export.id, number, piece).await?;
        }
        Ok(true)
    }
    .await;
    settle(tx, done).await
}

/// The export as work that somebody has begun: what they may do by now is asked of it.
fn as_job(export: &Export) -> Job {
    Job {
        id: Id::from_uuid(export.id.uuid()),
        state: JobState::Running,
        kind: String::new(),
        task: String::new(),
        actor: match export.actor {
            Actor::System => Actor::Operator,
            other => other,
        },
        rights: export.rights.clone(),
        position: None,
        total: None,
        done: 0,
        refused: 0,
        reason: None,
        created_at: export.created_at,
        started_at: None,
        ended_at: None,
    }
}
