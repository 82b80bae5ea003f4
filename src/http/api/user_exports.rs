//! `/users/export`: users as a table or as JSON, streamed.

use axum::body::Bytes;
use futures_util::stream;

use super::route::{Method, Route, handler};
use super::sessions::flag;
use super::{Answer, Asked, Problem};
use crate::flow::Error;
use crate::flow::Provider;
use crate::flow::people::{ExportFormat, ExportWish, Search, UserExport, export_users};

const READ: &str = "admin:users.read";

const ASKS: &[(&str, &str)] = &[
    ("format", "`csv` (unless told) or `json`."),
    ("filter", "Only those of whom this filter of the list of users holds."),
    ("q", "Only those whose username or mail address begins like this."),
    (
        "inactive",
        "With those of a filter or of words also if they were deactivated.",
    ),
    (
        "columns",
        "The columns of a table, separated by commas; all unless told.",
    ),
];

pub(super) fn table() -> Vec<Route> {
    vec![
        Route::new(
            Method::Get,
            "/users/export",
            READ,
            "Gives users as a file: all but those in the bin, or those of a filter. However many there are, it is made while it is taken.",
            handler!(export),
        )
        .asks(ASKS)
        .streams(&["text/csv", "application/json"]),
    ]
}

async fn export(asked: Asked) -> Result<Answer, Problem> {
    let format: ExportFormat = asked.wish("format").unwrap_or("csv").parse()?;
    let columns = asked.wish("columns");
    let wish = ExportWish {
        search: chosen(&asked)?,
        format,
        columns: columns.map(|columns| columns.split(',').map(|column| column.trim().to_owned()).collect()),
    };
    let provider = asked.provider().clone();
    let export = export_users(&provider, asked.call(), &asked.source(), wish).await;
    let export = export.map_err(Problem::of_query)?;
    let (media_type, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "users.csv"),
        ExportFormat::Json => ("application/json", "users.json"),
    };
    let pieces = stream::try_unfold((provider, export), next);
    Ok(Answer::file(media_type, name.to_owned(), pieces))
}

async fn next(
    (provider, mut export): (Provider, UserExport),
) -> Result<Option<(Bytes, (Provider, UserExport))>, Error> {
    let piece = export.next(&provider).await?;
    Ok(piece.map(|piece| (Bytes::from(piece), (provider, export))))
}

/// Whom the query names: everybody but those in the bin, unless told.
fn chosen(asked: &Asked) -> Result<Search, Problem> {
    let (filter, words) = (asked.wish("filter"), asked.wish("q"));
    let is_everybody = filter.is_none() && words.is_none();
    Ok(Search {
        words: words.map(str::to_owned),
        filter: filter.map(str::to_owned),
        sort: Vec::new(),
        inactive: flag(asked, "inactive")? || is_everybody,
    })
}
