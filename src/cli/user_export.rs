//! `users export`: users as a table or as JSON on standard output, piece by piece.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::user_arguments::Which;
use crate::flow::people::{ChangeSource, ExportFormat, ExportWish, Rights, Search, UserExport, export_users};
use crate::flow::{Call, Provider};
use crate::model::Secret;
use crate::server::Answer;

/// So much is handed over at a time.
const PIECE: usize = 1024 * 1024;

#[derive(Clone, Debug, Args)]
pub(super) struct ExportUsers {
    /// In which form.
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    pub(super) format: Form,
    #[command(flatten)]
    pub(super) which: Which,
    /// The columns of a table, separated by commas; all unless told.
    #[arg(long, value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    Csv,
    Json,
}

/// The next of it. `after` is where the last step ended.
pub(super) async fn step(
    provider: &Provider,
    call: &Call,
    arguments: &ExportUsers,
    after: Option<Secret>,
) -> Result<Answer, Failure> {
    let wish = ExportWish {
        search: match arguments.which.is_named() {
            true => arguments.which.search(),
            false => Search::everybody(),
        },
        format: match arguments.format {
            Form::Csv => ExportFormat::Csv,
            Form::Json => ExportFormat::Json,
        },
        columns: arguments.columns.clone(),
    };
    let mut export = match after {
        None => export_users(provider, call, &ChangeSource::Command, wish).await?,
        Some(after) => UserExport::go_on(provider, call, (Rights::All, wish), after.expose()).await?,
    };
    let mut output = Vec::new();
    while let Some(piece) = export.next(provider).await? {
        output.extend(piece);
        if output.len() > PIECE {
            break;
        }
    }
    let next = export.place().map(Secret::new);
    Ok(Answer {
        output: Secret::new(String::from_utf8_lossy(&output).into_owned()),
        complaint: String::new(),
        code: 0,
        unfinished: next.is_some(),
        next,
    })
}
