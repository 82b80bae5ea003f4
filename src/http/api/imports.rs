//! `/imports`: files of users brought in.

use std::collections::BTreeMap;

use axum::body::Bytes;
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::operations::imports::{self, FirebaseParameters, ImportRows, NewImport};
use crate::model::{Import, ImportFormat, ImportOptions, ImportRow, MatchBy, OnExisting, Timestamp, UnknownName};

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";

const LIST: ListRule = ListRule::plain();

const ROWS: ListRule = ListRule {
    sorts: &[],
    filters: &["plan", "outcome"],
    words: Words::Refused,
    count: Count::Refused,
};

/// A file to be brought in: what it is, and what is to become of it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewImportBody {
    /// `csv` (unless told) or `xlsx`.
    format: Option<String>,
    /// Headings that are no names of fields, and what they mean; `null` leaves the column out.
    columns: BTreeMap<String, Option<String>>,
    /// What stands between cells: `,`, `;`, a tab or `|`; found out unless told.
    delimiter: Option<String>,
    /// What becomes of rows whose user is there: `fail` (unless told), `skip` or `update`.
    on_existing: Option<String>,
    /// What they are recognised by: `username` (unless told) or `email`.
    match_by: Option<String>,
    /// Whether those who are made are mailed an invitation, once they are visible.
    invite: bool,
    /// Names of groups that all who are made or changed come into, after their own.
    groups: Vec<String>,
    /// Whether nothing is made if a row is refused.
    all_or_nothing: bool,
    /// What a Firebase project says of its hashes; their salts are in a column `firebase_salt`.
    firebase: Option<FirebaseBody>,
}

/// What a Firebase project says of its hashes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FirebaseParameters")]
struct FirebaseBody {
    /// The key.
    base64_signer_key: String,
    /// What stands behind each salt.
    #[serde(default)]
    base64_salt_separator: String,
    /// Rounds.
    rounds: u32,
    /// Memory cost.
    mem_cost: u32,
}

/// A file that is brought in, and how far it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Import")]
struct ImportBody {
    /// The id of this API.
    id: String,
    /// `receiving`, `reading`, `read`, `making`, `made`, `showing`, `done`, `undoing`, `undone`, `cancelled` or `failed`.
    state: String,
    /// `csv` or `xlsx`.
    format: String,
    /// What becomes of rows whose user is there.
    on_existing: String,
    /// What they are recognised by.
    match_by: String,
    /// Whether those who are made are mailed an invitation.
    invite: bool,
    /// Whether nothing is made if a row is refused.
    all_or_nothing: bool,
    /// In how many parts the file has come so far.
    parts: i64,
    /// How many bytes.
    bytes: i64,
    /// How many rows were read, without the heading.
    rows: i64,
    /// How many of them make somebody.
    creating: i64,
    /// How many change somebody.
    updating: i64,
    /// How many do nothing, because somebody is there.
    skipping: i64,
    /// How many are refused.
    refused: i64,
    /// With how many it is done, of what is being done in this state.
    done: i64,
    /// With how many it could not be done, although they had been judged.
    failed: i64,
    /// Why it went no further, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When it was begun.
    created_at: String,
    /// Since when those whom it made are seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_at: Option<String>,
    /// When it came to its end. For thirty days it can be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

/// A row of a file.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ImportRow")]
struct RowBody {
    /// Which, without empty lines; the heading is the first.
    row: i64,
    /// What it is to do: `create`, `update`, `skip`, or `refuse`.
    plan: String,
    /// What became of it: `planned`, `done`, `failed`, `undone`, or `kept`: it could not be taken back.
    outcome: String,
    /// Whom it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The user who is there, or is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Why it is refused, or could not be done, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    let act = |path, summary, handler| route(Method::Post, path, WRITE, summary, handler).or_later::<ImportBody>();
    vec![
        route(
            Method::Get,
            "/imports",
            READ,
            "Lists imports of users, the last begun first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<ImportBody>>(),
        route(
            Method::Post,
            "/imports",
            WRITE,
            "Begins an import of users: its file is to come, in parts.",
            handler!(begin),
        )
        .takes::<NewImportBody>()
        .creates::<ImportBody>(),
        route(
            Method::Get,
            "/imports/template",
            READ,
            "Gives a table to fill in: a heading with every field.",
            handler!(template),
        )
        .streams(&["text/csv"]),
        route(
            Method::Get,
            "/imports/{id}",
            READ,
            "Tells of an import and how far it is.",
            handler!(get),
        )
        .gives::<ImportBody>(),
        route(
            Method::Put,
            "/imports/{id}/parts/{number}",
            WRITE,
            "Takes a part of the file, of at most 512 KiB; the first is 0. Once more replaces it.",
            handler!(put_part),
        )
        .takes_bytes(),
        route(
            Method::Get,
            "/imports/{id}/rows",
            READ,
            "Lists the rows of an import: what each is to do, what became of it, and why not.",
            handler!(rows),
        )
        .listed(&ROWS)
        .gives::<PageBody<RowBody>>(),
        act(
            "/imports/{id}/read",
            "Has the file read and every row judged: a rehearsal, nothing is made.",
            handler!(read),
        ),
        act(
            "/imports/{id}/make",
            "Has those made who are new. Nobody sees them, and they can't sign in.",
            handler!(make),
        ),
        act(
            "/imports/{id}/show",
            "Shows all who were made, at this moment. Whoever is there already is changed from now on, and who is invited is mailed.",
            handler!(show),
        ),
        act(
            "/imports/{id}/undo",
            "Takes an import back, within thirty days of its end: nobody sees whom it made from this moment on, and they go; who was changed becomes as before.",
            handler!(undo),
        ),
        act(
            "/imports/{id}/cancel",
            "Ends an import of which nothing was made yet; one that is being made is taken back.",
            handler!(cancel),
        ),
    ]
}

async fn begin(asked: Asked) -> Result<Answer, Problem> {
    let body: NewImportBody = asked.read()?;
    let new = body.into_new()?;
    let import = imports::begin(asked.provider(), asked.call(), &asked.source(), new).await?;
    let location = format!("{BASE}/imports/{}", import.id);
    Answer::created(location, &ImportBody::of(import))
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = imports::list(asked.provider(), listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, ImportBody::of)
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&ImportBody::of(imports::get(asked.provider(), asked.id("id")?).await?))
}

async fn template(asked: Asked) -> Result<Answer, Problem> {
    let template = imports::template(asked.provider()).await?;
    let piece = stream::iter([Ok::<_, Error>(Bytes::from(template))]);
    Ok(Answer::file("text/csv; charset=utf-8", "users.csv".to_owned(), piece))
}

async fn put_part(asked: Asked) -> Result<Answer, Problem> {
    let number = asked.parameter("number").parse().map_err(|_| Error::NotFound)?;
    imports::put_part(
        asked.provider(),
        &asked.source(),
        asked.id("id")?,
        (number, &asked.bytes),
    )
    .await?;
    Ok(Answer::done())
}

async fn rows(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let which = match &listed.filter {
        None => ImportRows::All,
        Some((member, word)) => imports::rows_of(member, word).ok_or_else(|| {
            let detail = "expected plan eq \"create\", \"update\", \"skip\" or \"refuse\", or outcome eq \"planned\", \"done\", \"failed\", \"undone\" or \"kept\"";
            Error::field("filter", "unsupported", detail)
        })?,
    };
    let place = (listed.after.as_deref(), listed.limit);
    let page = imports::list_rows(asked.provider(), asked.id("id")?, which, place).await?;
    listed.answer(&asked, page, None, RowBody::of)
}

/// Its next state, which it is in from now on.
fn accepted(import: Import) -> Result<Answer, Problem> {
    let location = format!("{BASE}/imports/{}", import.id);
    Answer::accepted(location, &ImportBody::of(import))
}

async fn read(asked: Asked) -> Result<Answer, Problem> {
    accepted(imports::read(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?)
}

async fn make(asked: Asked) -> Result<Answer, Problem> {
    accepted(imports::make(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?)
}

async fn show(asked: Asked) -> Result<Answer, Problem> {
    accepted(imports::show(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?)
}

async fn undo(asked: Asked) -> Result<Answer, Problem> {
    accepted(imports::undo(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?)
}

async fn cancel(asked: Asked) -> Result<Answer, Problem> {
    accepted(imports::cancel(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?)
}

impl NewImportBody {
    fn into_new(self) -> Result<NewImport, Error> {
        fn word<T: std::str::FromStr<Err = UnknownName>>(
            pointer: &str,
            word: Option<&str>,
            usual: T,
        ) -> Result<T, Error> {
            match word {
                None => Ok(usual),
                Some(word) => word
                    .parse()
                    .map_err(|error: UnknownName| Error::field(pointer, "unsupported", error.to_string())),
            }
        }
        let delimiter = self.delimiter.as_deref().map(|text| {
            let mut characters = text.chars();
            let first = characters.next().filter(|_| characters.next().is_none());
            first.ok_or_else(|| Error::field("/delimiter", "unsupported", "expected one character"))
        });
        Ok(NewImport {
            format: word("/format", self.format.as_deref(), ImportFormat::Csv)?,
            options: ImportOptions {
                columns: self.columns,
                delimiter: delimiter.transpose()?,
                on_existing: word("/on_existing", self.on_existing.as_deref(), OnExisting::Fail)?,
                match_by: word("/match_by", self.match_by.as_deref(), MatchBy::Username)?,
                invite: self.invite,
                groups: self.groups,
                all_or_nothing: self.all_or_nothing,
                firebase: None,
            },
            firebase: self.firebase.map(|body| FirebaseParameters {
                base64_signer_key: body.base64_signer_key,
                base64_salt_separator: body.base64_salt_separator,
                rounds: body.rounds,
                mem_cost: body.mem_cost,
            }),
        })
    }
}

impl ImportBody {
    fn of(import: Import) -> Self {
        Self {
            id: import.id.to_string(),
            state: import.state.to_string(),
            format: import.format.to_string(),
            on_existing: import.options.on_existing.to_string(),
            match_by: import.options.match_by.to_string(),
            invite: import.options.invite,
            all_or_nothing: import.options.all_or_nothing,
            parts: import.parts,
            bytes: import.bytes,
            rows: import.row_number.saturating_sub(1).max(0),
            creating: import.creating,
            updating: import.changing,
            skipping: import.skipping,
            refused: import.refused,
            done: import.done,
            failed: import.failed,
            reason: import.reason,
            detail: import.detail,
            created_at: import.created_at.rfc3339(),
            visible_at: import.visible_at.map(Timestamp::rfc3339),
            ended_at: import.ended_at.map(Timestamp::rfc3339),
        }
    }
}

impl RowBody {
    fn of(row: ImportRow) -> Self {
        Self {
            row: row.number,
            plan: row.plan.to_string(),
            outcome: row.outcome.to_string(),
            username: row.username,
            user: row.user.map(|user| user.to_string()),
            code: row.code,
            detail: row.detail,
        }
    }
}
