//! Reading a file, piece by piece: no more of it is in memory than a window. What was read is kept with how far it is.

use serde::{Deserialize, Serialize};

use super::open;
use super::unpack;
use super::work::{Held, PIECE};
use crate::flow::again::again;
use crate::flow::people::ImportJudge;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Import, ImportFormat, ImportPlan, ImportState};
use crate::store::{ImportReading, NewImportRow};
use crate::tabular::{self, Defect, LONGEST_ROW};

/// A file has no more rows.
const MOST_ROWS: i64 = 1_000_000;
/// So much of a file is looked at.
const WINDOW: usize = 2 * LONGEST_ROW;

/// How a file is laid out: known once its heading was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// What each column says; nothing: a workbook was unpacked, and its heading comes next.
    pub(super) heading: Option<Vec<Option<String>>>,
}

/// Why a file goes no further: a word and a sentence.
type Fault = (&'static str, String);

/// Reads the next rows.
pub(super) async fn step(provider: &Provider, call: &Call, held: &Held) -> Result<(), Error> {
    let import = &held.import;
    if import.format == ImportFormat::Xlsx && import.layout.is_none() {
        return unpack::step(provider, held).await;
    }
    let firebase = open(provider, &import.options);
    let mut judge = ImportJudge::new(provider, call, &held.source, (&import.options, firebase)).await?;
    let (window, is_last) = window(provider, import.id, import.position).await?;
    let read = match cut(&judge, import, (&window, is_last)) {
        Ok(read) => read,
        Err((code, detail)) => {
            return held
                .end(provider, call, (ImportState::Failed, Some((code, &detail))))
                .await;
        }
    };
    let first = read.row_number.saturating_add(1);
    let rows = judge.judge(import.id, &read.heading, (first, &read.rows)).await?;
    let many = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let row_number = read.row_number.saturating_add(many);
    if row_number > MOST_ROWS {
        let why = ("too_many_rows", "a file has at most 1000000 rows");
        return held.end(provider, call, (ImportState::Failed, Some(why))).await;
    }
    let is_end = is_last && read.at >= window.len();
    let at = i64::try_from(read.at).unwrap_or(i64::MAX);
    let reading = &ImportReading {
        position: import.position.saturating_add(at),
        row_number,
        layout: Some(
            serde_json::to_string(&Layout {
                delimiter: read.delimiter,
                heading: Some(read.heading),
            })
            .map_err(|error| Error::Failed(Box::new(error)))?,
        ),
        counts: counts(&rows),
    };
    let rows = &rows;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let going = (reading, Held::until(call));
            if !tx.go_on_reading_import(import.id, &held.lease, going).await? {
                return Ok(());
            }
            tx.add_import_rows(import.id, rows).await?;
            if is_end {
                tx.forget_import_parts(import.id).await?;
                if import.options.firebase.is_some() {
                    let mut options = import.options.clone();
                    options.firebase = None;
                    tx.forget_import_secrets(import.id, &options).await?;
                }
                held.end_in(&mut tx, call, (ImportState::Read, None)).await?;
            }
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Rows of a window.
struct Cut {
    delimiter: u8,
    heading: Vec<Option<String>>,
    rows: Vec<Vec<String>>,
    /// The number of the row before them.
    row_number: i64,
    /// Where in the window the next begins.
    at: usize,
}

fn cut(judge: &ImportJudge<'_>, import: &Import, (window, is_last): (&[u8], bool)) -> Result<Cut, Fault> {
    let kept = import.layout.as_deref().map(serde_json::from_str::<Layout>);
    let (delimiter, known, begins_at) = match kept {
        Some(Ok(layout)) => (layout.delimiter, layout.heading, 0),
        Some(Err(_)) => return Err(("unreadable", "a newer program has begun it".to_owned())),
        None => {
            let found = tabular::detect(window).map_err(fault)?;
            let given = import
                .options
                .delimiter
                .and_then(|delimiter| u8::try_from(delimiter).ok());
            (given.unwrap_or(found.delimiter), None, found.begins_at)
        }
    };
    let (heading, mut at, row_number) = match known {
        Some(heading) => (heading, 0, import.row_number),
        None => {
            let rest = window.get(begins_at..).unwrap_or_default();
            let first = tabular::read(rest, delimiter, (1, 1), is_last).map_err(fault)?;
            let cells = first.rows.first().ok_or(Defect::Empty).map_err(fault)?;
            (judge.heading(cells)?, begins_at + first.consumed, 1)
        }
    };
    let rest = window.get(at..).unwrap_or_default();
    let most = usize::try_from(PIECE).unwrap_or(usize::MAX);
    let next = u64::try_from(row_number).unwrap_or(0).saturating_add(1);
    // behind the heading a window may be short of a whole row
    let piece = match tabular::read(rest, delimiter, (next, most), is_last) {
        Err(Defect::LongRow { .. }) if at > 0 && !is_last => tabular::Piece::default(),
        read => read.map_err(fault)?,
    };
    at += piece.consumed;
    Ok(Cut {
        delimiter,
        heading,
        rows: piece.rows,
        row_number,
        at,
    })
}

fn fault(defect: Defect) -> Fault {
    ("file", defect.to_string())
}

/// The file from a byte on, and whether it ends there.
async fn window(provider: &Provider, id: Id<Import>, position: i64) -> Result<(Vec<u8>, bool), Error> {
    let mut store = provider.store.read().await?;
    let parts = store.list_import_parts(id).await?;
    let mut window: Vec<u8> = Vec::new();
    let mut begins = 0_i64;
    for part in parts {
        let ends = begins.saturating_add(part.size);
        if ends > position {
            if window.len() >= WINDOW {
                return Ok((window, false));
            }
            let content = store.find_import_part(id, part.number).await?.unwrap_or_default();
            let skipped = usize::try_from(position.saturating_sub(begins).max(0)).unwrap_or(usize::MAX);
            window.extend(content.get(skipped..).unwrap_or_default());
        }
        begins = ends;
    }
    Ok((window, true))
}

/// How many rows make somebody, change somebody, do nothing, are refused.
fn counts(rows: &[NewImportRow]) -> [i64; 4] {
    let plans = [
        ImportPlan::Create,
        ImportPlan::Update,
        ImportPlan::Skip,
        ImportPlan::Refuse,
    ];
    plans.map(|plan| {
        let many = rows.iter().filter(|new| new.row.plan == plan).count();
        i64::try_from(many).unwrap_or(i64::MAX)
    })
}
