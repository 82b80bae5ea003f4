//! Files of users brought in. The file comes in parts and is read into rows, each judged as it would be by itself: that is the rehearsal,
//! and nothing has changed by then. Then those who are new are made, many in one transaction, and nobody sees them; one row is the switch
//! that shows them all. Who is there already is changed afterwards, one by one. All of it is taken back as one: the same switch hides those
//! who were made, before they go.
//!
//! Whoever works on an import holds a lease of it, and says how far it is in the transaction that does it: whoever dies at it leaves no half
//! of anything, and whoever comes next goes on from there.

mod make;
mod read;
mod show;
mod undo;
mod unpack;
mod work;

pub use work::work;

use std::time::Duration;

pub use crate::credential::FirebaseParameters;
use crate::flow::again::again;
use crate::flow::people::{self, ChangeSource, Rights, import_fields};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider};
use crate::model::{
    Event, EventKind, Fact, Id, Import, ImportFormat, ImportOptions, ImportOutcome, ImportPlan, ImportRow, ImportState,
    Timestamp,
};
pub use crate::store::ImportRows;
use crate::tabular;

/// A part of a file has no more bytes.
pub const LARGEST_PART: usize = 512 * 1024;
/// A file has no more parts.
pub const MOST_PARTS: i64 = 1_024;
/// So many are not at their end at a time.
const MOST_OPEN: u32 = 20;
/// For so long what was done can be taken back.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What the parameters of Firebase are sealed for.
const SEALED_FOR: &str = "firebase parameters of an import";

/// What whoever brings users in has to hold beside what each row asks for.
const NEEDED: [&str; 1] = ["admin:users"];

/// A file to be brought in.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// What it is.
    pub format: ImportFormat,
    /// What is to become of it.
    pub options: ImportOptions,
    /// With what hashes of Firebase are read.
    pub firebase: Option<FirebaseParameters>,
}

/// Begins an import: its file is to come.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`]; [`Error::Conflict`] `too_many_imports`.
pub async fn begin(provider: &Provider, call: &Call, source: &ChangeSource, new: NewImport) -> Result<Import, Error> {
    source.must_cover(NEEDED)?;
    let mut options = new.options;
    let is_delimiter = |delimiter: char| matches!(delimiter, ',' | ';' | '\t' | '|');
    if !options.delimiter.is_none_or(is_delimiter) {
        let detail = "expected a comma, a semicolon, a tab or a bar";
        return Err(Error::field("/delimiter", "unsupported", detail));
    }
    if options.columns.len() > tabular::MOST_COLUMNS || options.groups.len() > 100 {
        return Err(Error::field(
            "/columns",
            "too_many",
            "expected at most 250 columns and 100 groups",
        ));
    }
    options.firebase = new.firebase.as_ref().map(|parameters| seal(provider, parameters));
    let import = Import {
        id: Id::new(call.now),
        state: ImportState::Receiving,
        format: new.format,
        options,
        layout: None,
        actor: call.actor,
        rights: match source {
            ChangeSource::Api(Rights::Held(held)) => Some(held.clone()),
            _ => None,
        },
        parts: 0,
        bytes: 0,
        position: 0,
        row_number: 0,
        creating: 0,
        changing: 0,
        skipping: 0,
        refused: 0,
        done: 0,
        failed: 0,
        reason: None,
        detail: None,
        created_at: call.now,
        visible_at: None,
        ended_at: None,
    };
    let import = &import;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.count_open_imports(MOST_OPEN).await? >= i64::from(MOST_OPEN) {
                return Err(Error::Conflict("too_many_imports"));
            }
            tx.add_import(import).await?;
            let event = call
                .event(EventKind::ImportBegan)
                .fact("import", Fact::Id(import.id.uuid()));
            Ok(tx.add_event(&event.fact("source", source.fact())).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    Ok(import.clone())
}

/// Puts a part of the file into its place, counted from 0; once more replaces it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Forbidden`]; [`Error::Conflict`] `not_receiving` once the file is read.
pub async fn put_part(
    provider: &Provider,
    source: &ChangeSource,
    id: Id<Import>,
    (number, content): (i64, &[u8]),
) -> Result<(), Error> {
    source.must_cover(NEEDED)?;
    if !(0..MOST_PARTS).contains(&number) {
        return Err(Error::field("number", "out_of_range", "a file has the parts 0 to 1023"));
    }
    if content.is_empty() || content.len() > LARGEST_PART {
        return Err(Error::field("", "too_long", "a part has 1 to 524288 bytes"));
    }
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.find_import(id).await?.is_none() {
                return Err(Error::NotFound);
            }
            match tx.put_import_part(id, number, content.to_vec()).await? {
                true => Ok(()),
                false => Err(Error::Conflict("not_receiving")),
            }
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Has the file read and its rows judged.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `no_file`, `not_receiving`.
pub async fn read(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Import>) -> Result<Import, Error> {
    let import = get(provider, id).await?;
    if import.parts == 0 {
        return Err(Error::Conflict("no_file"));
    }
    let parts = provider.store.read().await?.list_import_parts(id).await?;
    let in_order = parts.iter().zip(0_i64..).all(|(part, number)| part.number == number);
    if !in_order {
        return Err(Error::Conflict("part_missing"));
    }
    let way = (ImportState::Receiving, ImportState::Reading, "not_receiving");
    move_on(provider, call, source, id, way, EventKind::ImportRead).await
}

/// Has those made who are new; nobody sees them yet.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `not_read`, and `rows_refused` where all or nothing was wished.
pub async fn make(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Import>) -> Result<Import, Error> {
    let import = get(provider, id).await?;
    if import.options.all_or_nothing && import.refused > 0 {
        return Err(Error::Conflict("rows_refused"));
    }
    let way = (ImportState::Read, ImportState::Making, "not_read");
    move_on(provider, call, source, id, way, EventKind::ImportMade).await
}

/// Shows all who were made, at this moment; who is there already is changed from now on, and who is invited is mailed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `not_made`.
pub async fn show(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Import>) -> Result<Import, Error> {
    let way = (ImportState::Made, ImportState::Showing, "not_made");
    move_on(provider, call, source, id, way, EventKind::ImportShown).await
}

/// Takes an import back: nobody sees whom it has made from this moment on, and they go; who was changed becomes as before, unless somebody
/// has changed them since.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `nothing_made`, `too_late` after [`KEPT`].
pub async fn undo(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Import>) -> Result<Import, Error> {
    let import = get(provider, id).await?;
    if import.ended_at.is_some_and(|ended| ended.after(KEPT) <= call.now) {
        return Err(Error::Conflict("too_late"));
    }
    let from = match import.state {
        ImportState::Making | ImportState::Made | ImportState::Showing | ImportState::Done => import.state,
        _ => return Err(Error::Conflict("nothing_made")),
    };
    let way = (from, ImportState::Undoing, "nothing_made");
    move_on(provider, call, source, id, way, EventKind::ImportUndone).await
}

/// Ends an import of which nothing was made yet; one that is being made is taken back.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `made_already`.
pub async fn cancel(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Import>) -> Result<Import, Error> {
    let import = get(provider, id).await?;
    match import.state {
        ImportState::Making => undo(provider, call, source, id).await,
        state @ (ImportState::Receiving | ImportState::Reading | ImportState::Read) => {
            let way = (state, ImportState::Cancelled, "made_already");
            move_on(provider, call, source, id, way, EventKind::ImportCancelled).await
        }
        ImportState::Cancelled | ImportState::Failed | ImportState::Undone => Ok(import),
        _ => Err(Error::Conflict("made_already")),
    }
}

/// From one state into the next, by one guarded row.
async fn move_on(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Import>,
    (from, to, otherwise): (ImportState, ImportState, &'static str),
    kind: EventKind,
) -> Result<Import, Error> {
    source.must_cover(NEEDED)?;
    let rights = match source {
        ChangeSource::Api(Rights::Held(held)) => Some(held),
        _ => None,
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let before = tx.find_import(id).await?.ok_or(Error::NotFound)?;
            if !tx.move_import(id, (from, to), (call.actor, rights), call.now).await? {
                return Err(Error::Conflict(otherwise));
            }
            if to == ImportState::Cancelled {
                tx.forget_import_parts(id).await?;
            }
            let event = told(call.event(kind), &before).fact("source", source.fact());
            tx.add_event(&event).await?;
            if matches!(to, ImportState::Showing | ImportState::Undoing) {
                tx.forget_everybody().await?;
            }
            tx.find_import(id).await?.ok_or(Error::NotFound)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

fn told(event: Event, import: &Import) -> Event {
    event
        .fact("import", Fact::Id(import.id.uuid()))
        .fact("creating", Fact::Number(import.creating))
        .fact("changing", Fact::Number(import.changing))
        .fact("refused", Fact::Number(import.refused))
}

/// An import.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Import>) -> Result<Import, Error> {
    provider
        .store
        .read()
        .await?
        .find_import(id)
        .await?
        .ok_or(Error::NotFound)
}

/// A page of imports, the last begun first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<Import>, Error> {
    let before = people::users::position(after)?;
    let mut store = provider.store.read().await?;
    let imports = store.list_imports(before, limit.saturating_add(1)).await?;
    Ok(Page::cut(imports, limit, |import| import.id.to_string()))
}

/// A page of rows, in their order: what each is to do, what became of it, and why not.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn list_rows(
    provider: &Provider,
    id: Id<Import>,
    which: ImportRows,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<ImportRow>, Error> {
    let number = after.map(str::parse).transpose();
    let number: Option<i64> =
        number.map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let mut store = provider.store.read().await?;
    if store.find_import(id).await?.is_none() {
        return Err(Error::NotFound);
    }
    let rows = store
        .list_import_rows(id, which, number.unwrap_or(0), limit.saturating_add(1))
        .await?;
    Ok(Page::cut(rows, limit, |row| row.number.to_string()))
}

/// Which rows a word of a report names.
pub fn rows_of(member: &str, word: &str) -> Option<ImportRows> {
    match member {
        "plan" => word.parse::<ImportPlan>().ok().map(ImportRows::Planned),
        "outcome" => word.parse::<ImportOutcome>().ok().map(ImportRows::Outcome),
        _ => None,
    }
}

/// A table to fill in: a heading with every field there is.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn template(provider: &Provider) -> Result<Vec<u8>, Error> {
    let fields = import_fields(&provider.properties().await?);
    Ok(tabular::line(fields.iter().map(String::as_str)))
}

fn seal(provider: &Provider, parameters: &FirebaseParameters) -> String {
    let plain = serde_json::json!({
        "base64_signer_key": parameters.base64_signer_key,
        "base64_salt_separator": parameters.base64_salt_separator,
        "rounds": parameters.rounds,
        "mem_cost": parameters.mem_cost,
    });
    let sealed = provider.master.seal(SEALED_FOR, plain.to_string().as_bytes());
    sealed.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters of Firebase, opened; none if there are none, or they can't be opened any more.
fn open(provider: &Provider, options: &ImportOptions) -> Option<FirebaseParameters> {
    let hex = options.firebase.as_deref()?;
    let pairs = hex.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let plain = provider.master.open(SEALED_FOR, &bytes?).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Forgets imports that came to their end long ago: whom they made are there for good then. One that waits for somebody for as long is
/// cancelled or taken back. Gives whether there may be more.
///
/// # Errors
/// [`Error::Unavailable`]
pub(in crate::flow) async fn sweep(provider: &Provider, call: &Call) -> Result<bool, Error> {
    const SOME: u32 = 500;
    let before: Timestamp = call.now.before(KEPT);
    let old = provider.store.read().await?.list_old_imports(before, before, 5).await?;
    for id in &old {
        let import = get(provider, *id).await?;
        match import.state {
            ImportState::Receiving | ImportState::Read => {
                cancel(provider, call, &ChangeSource::Command, *id).await?;
            }
            ImportState::Made => {
                undo(provider, call, &ChangeSource::Command, *id).await?;
            }
            _ => {
                let mut tx = provider.store.write().await?;
                tx.sweep_import(*id, SOME).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(!old.is_empty())
}
