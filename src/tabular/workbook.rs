//! Workbooks (ECMA-376, Office Open XML), read row by row. What is in the archive is measured before anything of it is believed: how many
//! entries, how large each is when it is unpacked, how long a row. Names of entries lead nowhere: nothing is ever written to a file.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};
use zip::ZipArchive;

use super::{Defect, LONGEST_CELL, MOST_COLUMNS, unguarded};

/// A workbook has no more bytes, packed.
pub const LARGEST_WORKBOOK: usize = 32 * 1024 * 1024;
const MOST_ENTRIES: usize = 1_000;
/// The texts of all cells, and everything that is no sheet, unpacked.
const LARGEST_TEXTS: u64 = 48 * 1024 * 1024;
const LARGEST_OTHER: u64 = 8 * 1024 * 1024;
/// A sheet, unpacked.
const LARGEST_SHEET: u64 = 512 * 1024 * 1024;
/// Nothing honest shrinks further than this, once it is larger than that.
const GREATEST_RATIO: u64 = 100;
const MEASURED_FROM: u64 = 1024 * 1024;
/// What stands between two rows, or two texts.
const LONGEST_RUN: usize = 1024 * 1024;
/// No row is further down.
const LAST_ROW: u32 = 1_048_576;

/// Hands out the rows of the first sheet, one after the other, without empty ones.
///
/// # Errors
/// [`Defect`], also one that `take` gives.
pub fn read_workbook(bytes: &[u8], mut take: impl FnMut(Vec<String>) -> Result<(), Defect>) -> Result<(), Defect> {
    inspect(bytes)?;
    let broken = Defect::Workbook("it can't be read as a workbook");
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| broken.clone())?;
    let name = workbook.sheet_names().first().cloned().ok_or(Defect::Empty)?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(|_| broken.clone())?;
    let mut row: Vec<String> = Vec::new();
    let mut number = None;
    loop {
        let next = cells.next_cell_with_formula_metadata().map_err(|_| broken.clone())?;
        let Some(found) = next else { break };
        let (line, column) = found.pos;
        if line >= LAST_ROW {
            return Err(broken);
        }
        let shown = u64::from(line).saturating_add(1);
        if found.formula.is_some() {
            return Err(Defect::Formula { row: shown });
        }
        let text = text_of(&found.value, shown)?;
        if number != Some(line) {
            give(&mut row, &mut take)?;
            number = Some(line);
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= MOST_COLUMNS {
            if text.is_empty() {
                continue;
            }
            return Err(Defect::ManyColumns { row: shown });
        }
        if row.len() <= column {
            row.resize(column + 1, String::new());
        }
        if let Some(cell) = row.get_mut(column) {
            *cell = text;
        }
    }
    give(&mut row, &mut take)
}

fn give(row: &mut Vec<String>, take: &mut impl FnMut(Vec<String>) -> Result<(), Defect>) -> Result<(), Defect> {
    let row = std::mem::take(row);
    match row.iter().all(String::is_empty) {
        true => Ok(()),
        false => take(row),
    }
}

/// A cell as it would stand in a CSV: numbers without what is not there, days and moments as RFC 3339 writes them.
fn text_of(value: &DataRef<'_>, row: u64) -> Result<String, Defect> {
    let text = match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => plain(*number),
        DataRef::DateTime(at) if at.is_duration() => plain(at.as_f64()),
        DataRef::DateTime(at) => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            }
        }
        DataRef::Error(_) => return Err(Defect::ErrorCell { row }),
    };
    if text.chars().count() > LONGEST_CELL {
        return Err(Defect::LongCell { row });
    }
    if text.contains('\0') {
        return Err(Defect::Zero { row });
    }
    Ok(unguarded(text.trim()).to_owned())
}

/// A number without a fraction has none.
fn plain(number: f64) -> String {
    let is_whole = number.fract() == 0.0 && number.abs() < 1e15;
    if is_whole {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

/// Measures what the archive holds by unpacking it into nothing.
fn inspect(bytes: &[u8]) -> Result<(), Defect> {
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(Defect::Workbook("it is of before 2007, or has a password"));
    }
    if bytes.len() > LARGEST_WORKBOOK {
        return Err(Defect::Workbook("it is larger than 32 MiB: save it as CSV"));
    }
    let broken = || Defect::Workbook("it is no workbook");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| broken())?;
    if archive.len() > MOST_ENTRIES {
        return Err(Defect::Workbook("it holds too many parts"));
    }
    let mut is_workbook = false;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| broken())?;
        let name = entry.name().map_err(|_| broken())?.to_ascii_lowercase();
        is_workbook |= name == "[content_types].xml";
        let packed = entry.compressed_size();
        let (most, end): (u64, &[u8]) = match name.as_str() {
            name if name.starts_with("xl/worksheets/") => (LARGEST_SHEET, b"row>"),
            name if name.contains("sharedstrings") => (LARGEST_TEXTS, b"si>"),
            _ => (LARGEST_OTHER, b""),
        };
        measure(entry, (most, packed), end)?;
    }
    if is_workbook { Ok(()) } else { Err(broken()) }
}

/// Unpacks an entry, as far as it may go. `end` is what a row, or a text, ends with.
fn measure(mut entry: impl Read, (most, packed): (u64, u64), end: &[u8]) -> Result<(), Defect> {
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut unpacked = 0_u64;
    let mut run = 0_usize;
    let mut matched = 0_usize;
    loop {
        let read = entry.read(&mut buffer).map_err(|_| Defect::Workbook("it is damaged"))?;
        if read == 0 {
            return Ok(());
        }
        unpacked = unpacked.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        let is_bomb = unpacked > MEASURED_FROM && unpacked > packed.saturating_mul(GREATEST_RATIO);
        if is_bomb || unpacked > most {
            return Err(Defect::Workbook("it becomes far too large when it is unpacked"));
        }
        if end.is_empty() {
            continue;
        }
        for byte in buffer.iter().take(read) {
            run += 1;
            matched = match end.get(matched) == Some(byte) {
                true => matched + 1,
                false => usize::from(end.first() == Some(byte)),
            };
            if matched == end.len() {
                (run, matched) = (0, 0);
            }
        }
        if run > LONGEST_RUN {
            return Err(Defect::Workbook("a row or a cell of it is longer than a MiB"));
        }
    }
}
