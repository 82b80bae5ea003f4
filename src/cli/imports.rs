//! `import` and `imports`: files of users brought in from a terminal. The file is read where the command was typed, and handed over piece by
//! piece to whoever has the store.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::clock;
use crate::flow::operations::imports::{self, ImportRows, NewImport};
use crate::flow::people::ChangeSource;
use crate::flow::{Call, Provider};
use crate::model::{
    Id, Import, ImportFormat, ImportOptions, ImportOutcome, ImportPlan, ImportRow, ImportState, Secret, Timestamp,
    UnknownName,
};
use crate::server::Answer;

const SOURCE: ChangeSource = ChangeSource::Command;
/// So much of a file is handed over at a time.
const PIECE: u64 = 384 * 1024;
/// Whoever watches is told how far it is after so long.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// So many refused rows are shown.
const MOST_SHOWN: u32 = 20;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Bring users in from a table: CSV in UTF-8, or XLSX.
    Users(Box<ImportUsers>),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ImportUsers {
    /// The file.
    pub(super) file: PathBuf,
    /// Only tell what would become of each row.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// What a heading means: `Login=username`; `Notes=` leaves the column out. Repeatable.
    #[arg(long = "column", value_name = "HEADING=FIELD")]
    pub(super) columns: Vec<String>,
    /// What stands between cells, if it is not to be found out.
    #[arg(long)]
    pub(super) delimiter: Option<char>,
    /// What becomes of rows whose user is there: `fail`, `skip` or `update`.
    #[arg(long, default_value = "fail")]
    pub(super) on_existing: String,
    /// What they are recognised by: `username` or `email`.
    #[arg(long, default_value = "username")]
    pub(super) match_by: String,
    /// Mail those who are made an invitation.
    #[arg(long)]
    pub(super) invite: bool,
    /// A group that all come into, after their own. Repeatable.
    #[arg(long = "group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,
    /// Make nobody if a row is refused.
    #[arg(long)]
    pub(super) all_or_nothing: bool,
    /// Make them, and leave them hidden until `imports make-visible`.
    #[arg(long)]
    pub(super) hidden: bool,
    /// A JSON file with what a Firebase project says of its hashes.
    #[arg(long, value_name = "FILE")]
    pub(super) firebase: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Imports {
    /// List imports, the last begun first.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Show an import and how far it is.
    Show {
        import: String,
        #[command(flatten)]
        json: Json,
    },
    /// List the rows of an import: what each is to do, what became of it, and why not.
    Rows {
        import: String,
        /// Only those that are to do this: `create`, `update`, `skip`, `refuse`.
        #[arg(long)]
        plan: Option<String>,
        /// Only those of which this became: `planned`, `done`, `failed`, `undone`, `kept`.
        #[arg(long, conflicts_with = "plan")]
        outcome: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Make those who are new, of an import that was read; nobody sees them.
    Make { import: String },
    /// Show all who were made, at this moment, and change those who were there.
    MakeVisible { import: String },
    /// Take an import back: nobody sees whom it made from this moment on.
    Undo { import: String },
    /// End an import of which nothing was made yet.
    Cancel { import: String },
    /// Write a table to fill in.
    Template,
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Imports) -> Result<Output, Failure> {
    let moved = |import: Import| Output::line(format!("the import is {}", import.state));
    match command {
        Imports::List { limit, json } => {
            let page = imports::list(provider, None, limit).await?;
            let rows: Vec<Value> = page.items.iter().map(row).collect();
            let columns = ["id", "state", "rows", "creating", "updating", "refused", "created_at"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Imports::Show { import, json } => Ok(Output::thing(
            json.shape(),
            &row(&imports::get(provider, id(&import)?).await?),
        )),
        Imports::Rows {
            import,
            plan,
            outcome,
            limit,
            json,
        } => {
            let which = which(plan.as_deref(), outcome.as_deref())?;
            let page = imports::list_rows(provider, id(&import)?, which, (None, limit)).await?;
            let rows: Vec<Value> = page.items.iter().map(row_of).collect();
            let columns = ["row", "username", "plan", "outcome", "code", "detail"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Imports::Make { import } => Ok(moved(imports::make(provider, call, &SOURCE, id(&import)?).await?)),
        Imports::MakeVisible { import } => Ok(moved(imports::show(provider, call, &SOURCE, id(&import)?).await?)),
        Imports::Undo { import } => Ok(moved(imports::undo(provider, call, &SOURCE, id(&import)?).await?)),
        Imports::Cancel { import } => Ok(moved(imports::cancel(provider, call, &SOURCE, id(&import)?).await?)),
        Imports::Template => {
            let template = imports::template(provider).await?;
            Ok(Output::text(String::from_utf8_lossy(&template).into_owned()))
        }
    }
}

fn which(plan: Option<&str>, outcome: Option<&str>) -> Result<ImportRows, Failure> {
    let unknown = |error: UnknownName| Failure::usage(error.to_string());
    match (plan, outcome) {
        (Some(plan), _) => Ok(ImportRows::Planned(plan.parse::<ImportPlan>().map_err(unknown)?)),
        (None, Some(outcome)) => Ok(ImportRows::Outcome(outcome.parse::<ImportOutcome>().map_err(unknown)?)),
        (None, None) => Ok(ImportRows::All),
    }
}

/// What is handed over first.
pub(super) fn first_piece(command: &ImportCommand) -> Result<Secret, Failure> {
    let ImportCommand::Users(arguments) = command;
    // whether it can be read is known before anything is begun
    std::fs::File::open(&arguments.file).map_err(|error| unreadable(arguments, &error))?;
    let firebase = match &arguments.firebase {
        None => String::new(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::refused(format!("{} can't be read: {error}", file.display())))?,
    };
    Ok(Secret::new(format!("begin {firebase}")))
}

fn unreadable(arguments: &ImportUsers, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{} can't be read: {error}", arguments.file.display()))
}

/// What is handed over next.
pub(super) fn next_piece(command: &ImportCommand, wanted: Secret) -> Result<Secret, Failure> {
    let ImportCommand::Users(arguments) = command;
    let mut words = wanted.expose().split(' ');
    let (Some("part"), Some(id), Some(number)) = (words.next(), words.next(), words.next()) else {
        return Ok(wanted);
    };
    let number: u64 = number
        .parse()
        .map_err(|_| Failure::refused("the server asks for nothing known".to_owned()))?;
    let told = |error: std::io::Error| unreadable(arguments, &error);
    let mut file = std::fs::File::open(&arguments.file).map_err(told)?;
    file.seek(SeekFrom::Start(number.saturating_mul(PIECE))).map_err(told)?;
    let mut piece = Vec::new();
    file.take(PIECE).read_to_end(&mut piece).map_err(told)?;
    Ok(Secret::new(match piece.is_empty() {
        true => format!("read {id}"),
        false => format!("put {id} {number} {}", STANDARD.encode(&piece)),
    }))
}

/// One step of it.
pub(super) async fn step(
    provider: &Provider,
    call: &Call,
    command: &ImportCommand,
    input: Option<Secret>,
) -> Result<Answer, Failure> {
    let ImportCommand::Users(arguments) = command;
    let input = input.unwrap_or_else(|| Secret::new("begin "));
    let (word, rest) = input.expose().split_once(' ').unwrap_or((input.expose(), ""));
    let mut words = rest.split(' ');
    match word {
        "begin" => {
            let import = imports::begin(provider, call, &SOURCE, new_import(arguments, rest)?).await?;
            Ok(going_on("", format!("part {} 0", import.id)))
        }
        "put" => {
            let (import, number) = (id(words.next().unwrap_or_default())?, words.next().unwrap_or_default());
            let number: i64 = number.parse().unwrap_or(-1);
            let content = STANDARD.decode(words.next().unwrap_or_default()).unwrap_or_default();
            imports::put_part(provider, &SOURCE, import, (number, &content)).await?;
            Ok(going_on("", format!("part {import} {}", number.saturating_add(1))))
        }
        "read" => {
            let import = imports::read(provider, call, &SOURCE, id(rest)?).await?;
            Ok(going_on("", format!("wait {}", import.id)))
        }
        _ => wait(provider, call, arguments, id(rest)?).await,
    }
}

/// Does what is next; the server beside which it runs does so too.
async fn wait(provider: &Provider, call: &Call, arguments: &ImportUsers, id: Id<Import>) -> Result<Answer, Failure> {
    let began = clock::monotonic();
    loop {
        let import = imports::get(provider, id).await?;
        match import.state {
            ImportState::Read if arguments.dry_run => {
                let report = report(provider, &import).await?;
                imports::cancel(provider, call, &SOURCE, id).await?;
                return Ok(done(report, u8::from(import.refused > 0)));
            }
            ImportState::Read if import.refused > 0 && arguments.all_or_nothing => {
                let report = report(provider, &import).await?;
                imports::cancel(provider, call, &SOURCE, id).await?;
                return Ok(done(report, 1));
            }
            ImportState::Read => drop(imports::make(provider, call, &SOURCE, id).await?),
            ImportState::Made if arguments.hidden => return Ok(done(report(provider, &import).await?, 0)),
            ImportState::Made => drop(imports::show(provider, call, &SOURCE, id).await?),
            ImportState::Done => return Ok(done(report(provider, &import).await?, 0)),
            ImportState::Failed | ImportState::Cancelled | ImportState::Undone | ImportState::Undoing => {
                let why = import
                    .detail
                    .unwrap_or_else(|| format!("the import is {}", import.state));
                return Err(Failure::refused(why));
            }
            ImportState::Receiving | ImportState::Reading | ImportState::Making | ImportState::Showing => {}
        }
        if !imports::work(provider, &Call::operator(&provider.clock)).await? {
            clock::sleep(Duration::from_millis(100)).await;
        }
        if began.elapsed() >= TOLD_EVERY {
            let told = match import.state {
                ImportState::Reading => format!("{} rows read", import.row_number),
                state => format!("{state}: {} of {}", import.done, import.creating.max(import.changing)),
            };
            return Ok(going_on(&told, format!("wait {id}")));
        }
    }
}

fn new_import(arguments: &ImportUsers, firebase: &str) -> Result<NewImport, Failure> {
    let mut columns = BTreeMap::new();
    for column in &arguments.columns {
        let Some((heading, field)) = column.rsplit_once('=') else {
            return Err(Failure::usage(format!("expected HEADING=FIELD, not {column}")));
        };
        columns.insert(heading.to_owned(), (!field.is_empty()).then(|| field.to_owned()));
    }
    let is_workbook = arguments
        .file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"));
    let unknown = |error: UnknownName| Failure::usage(error.to_string());
    let firebase = match firebase {
        "" => None,
        text => Some(
            serde_json::from_str(text)
                .map_err(|error| Failure::refused(format!("the parameters of Firebase can't be read: {error}")))?,
        ),
    };
    Ok(NewImport {
        format: if is_workbook {
            ImportFormat::Xlsx
        } else {
            ImportFormat::Csv
        },
        options: ImportOptions {
            columns,
            delimiter: arguments.delimiter,
            on_existing: arguments.on_existing.parse().map_err(unknown)?,
            match_by: arguments.match_by.parse().map_err(unknown)?,
            invite: arguments.invite,
            groups: arguments.groups.clone(),
            all_or_nothing: arguments.all_or_nothing,
            firebase: None,
        },
        firebase,
    })
}

fn going_on(told: &str, next: String) -> Answer {
    Answer {
        output: Secret::new(""),
        complaint: told.to_owned(),
        code: 0,
        unfinished: true,
        next: Some(Secret::new(next)),
    }
}

fn done(report: String, code: u8) -> Answer {
    Answer {
        output: Secret::new(report),
        complaint: String::new(),
        code,
        unfinished: false,
        next: None,
    }
}

/// What became of it, and why of the first rows that were refused.
async fn report(provider: &Provider, import: &Import) -> Result<String, Failure> {
    let mut text = format!(
        "import {}: {}\n{} rows: {} make somebody, {} change somebody, {} are skipped, {} are refused",
        import.id,
        import.state,
        import.row_number.saturating_sub(1).max(0),
        import.creating,
        import.changing,
        import.skipping,
        import.refused
    );
    if import.failed > 0 {
        text.push_str(&format!(", {} could not be done", import.failed));
    }
    text.push('\n');
    for which in [
        ImportRows::Planned(ImportPlan::Refuse),
        ImportRows::Outcome(ImportOutcome::Failed),
    ] {
        let page = imports::list_rows(provider, import.id, which, (None, MOST_SHOWN)).await?;
        for row in &page.items {
            let (name, why) = (
                row.username.as_deref().unwrap_or("-"),
                row.detail.as_deref().unwrap_or_default(),
            );
            text.push_str(&format!("row {}, {name}: {why}\n", row.number));
        }
        if page.next.is_some() {
            text.push_str(&format!("and more: ostiary imports rows {}\n", import.id));
        }
    }
    Ok(text)
}

fn id(text: &str) -> Result<Id<Import>, Failure> {
    text.parse()
        .map_err(|_| Failure::usage(format!("{text} is no id of an import, as `imports list` shows it")))
}

fn row(import: &Import) -> Value {
    json!({
        "id": import.id.to_string(),
        "state": import.state.as_str(),
        "format": import.format.as_str(),
        "rows": import.row_number.saturating_sub(1).max(0),
        "creating": import.creating,
        "updating": import.changing,
        "skipping": import.skipping,
        "refused": import.refused,
        "done": import.done,
        "failed": import.failed,
        "reason": import.reason,
        "detail": import.detail,
        "created_at": import.created_at.rfc3339(),
        "visible_at": import.visible_at.map(Timestamp::rfc3339),
        "ended_at": import.ended_at.map(Timestamp::rfc3339),
    })
}

fn row_of(row: &ImportRow) -> Value {
    json!({
        "row": row.number,
        "username": row.username,
        "plan": row.plan.as_str(),
        "outcome": row.outcome.as_str(),
        "user": row.user.map(|user| user.to_string()),
        "code": row.code,
        "detail": row.detail,
    })
}
