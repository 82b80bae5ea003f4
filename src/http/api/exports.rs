//! `/exports`: users as a workbook, written after the answer.

use axum::body::Bytes;
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::operations::exports;
use crate::flow::people::Search;
use crate::flow::{Error, Provider};
use crate::model::{Export, Id, Timestamp};

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

const LIST: ListRule = ListRule::plain();

/// Whom a workbook holds: all but those in the bin, unless told.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewExportBody {
    /// Only those of whom this filter of the list of users holds.
    filter: Option<String>,
    /// Only those whose username or mail address begins like this.
    q: Option<String>,
    /// With those of a filter or of words also if they were deactivated.
    inactive: bool,
    /// The columns; all unless told.
    columns: Option<Vec<String>>,
}

/// A workbook of users.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Export")]
struct ExportBody {
    /// The id of this API.
    id: String,
    /// `waiting`, `running`, `done`, or `failed`.
    state: String,
    /// How many users are in it so far.
    rows: i64,
    /// How large the file is.
    bytes: i64,
    /// Why there is none: `rights`, if whoever wanted it may not have it any more, or `too_many_rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was asked for.
    created_at: String,
    /// When it came to its end. The file is there for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/exports",
            READ,
            "Lists workbooks of users, the last wanted first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<ExportBody>>(),
        route(
            Method::Post,
            "/exports",
            WRITE,
            "Has users written into a workbook (XLSX), after the answer.",
            handler!(begin),
        )
        .takes::<NewExportBody>()
        .or_later::<ExportBody>(),
        route(
            Method::Get,
            "/exports/{id}",
            READ,
            "Tells of a workbook and how far it is.",
            handler!(get),
        )
        .gives::<ExportBody>(),
        route(
            Method::Get,
            "/exports/{id}/file",
            READ,
            "Gives the workbook.",
            handler!(file),
        )
        .streams(&[XLSX]),
        route(
            Method::Delete,
            "/exports/{id}",
            WRITE,
            "Forgets a workbook.",
            handler!(remove),
        ),
    ]
}

async fn begin(asked: Asked) -> Result<Answer, Problem> {
    let body: NewExportBody = asked.read()?;
    let is_everybody = body.filter.is_none() && body.q.is_none();
    let search = Search {
        words: body.q,
        filter: body.filter,
        sort: Vec::new(),
        inactive: body.inactive || is_everybody,
    };
    let wish = (search, body.columns);
    let export = exports::begin(asked.provider(), asked.call(), &asked.source(), wish).await?;
    Answer::accepted(format!("{BASE}/exports/{}", export.id), &ExportBody::of(export))
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = exports::list(asked.provider(), listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, ExportBody::of)
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&ExportBody::of(exports::get(asked.provider(), asked.id("id")?).await?))
}

async fn file(asked: Asked) -> Result<Answer, Problem> {
    let id = asked.id("id")?;
    let first = exports::piece(asked.provider(), id, 0).await?;
    let first = stream::iter(first.map(|piece| Ok(Bytes::from(piece))));
    let rest = stream::try_unfold((asked.provider().clone(), id, 1), next);
    let pieces = futures_util::StreamExt::chain(first, rest);
    Ok(Answer::file(XLSX, "users.xlsx".to_owned(), pieces))
}

type Place = (Provider, Id<Export>, i64);

async fn next((provider, id, number): Place) -> Result<Option<(Bytes, Place)>, Error> {
    let piece = exports::piece(&provider, id, number).await?;
    Ok(piece.map(|piece| (Bytes::from(piece), (provider, id, number.saturating_add(1)))))
}

async fn remove(asked: Asked) -> Result<Answer, Problem> {
    exports::remove(asked.provider(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

impl ExportBody {
    fn of(export: Export) -> Self {
        Self {
            id: export.id.to_string(),
            state: export.state.to_string(),
            rows: export.rows,
            bytes: export.bytes,
            reason: export.reason,
            created_at: export.created_at.rfc3339(),
            ended_at: export.ended_at.map(Timestamp::rfc3339),
        }
    }
}
