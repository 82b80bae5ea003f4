//! CSV (RFC 4180), read in pieces: a file is never in memory as a whole.

use csv::{ByteRecord, QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};

use super::{Defect, LONGEST_CELL, LONGEST_ROW, MOST_COLUMNS, guarded, unguarded};

const BOM: &[u8] = b"\xef\xbb\xbf";
/// What files begin with that are something else.
const OTHERS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive or a workbook"),
    (b"\xd0\xcf\x11\xe0", "a workbook of before 2007"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "compressed"),
    (b"{", "JSON"),
    (b"[", "JSON"),
];

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    /// Where the first row begins.
    pub begins_at: usize,
    /// What stands between cells.
    pub delimiter: u8,
}

/// Rows of a piece of a file.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// The rows that are whole, without empty lines.
    pub rows: Vec<Vec<String>>,
    /// Where the next begins, counted from the beginning of the piece.
    pub consumed: usize,
}

/// Looks at the beginning of a file: what it is, and what stands between its cells, of `,`, `;` and tabs that which its first line has
/// most of.
///
/// # Errors
/// [`Defect`] for whatever is no CSV in UTF-8.
pub fn detect(beginning: &[u8]) -> Result<CsvLayout, Defect> {
    if beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff") {
        return Err(Defect::Wide);
    }
    if let Some((_, what)) = OTHERS.iter().find(|(first, _)| beginning.starts_with(first)) {
        return Err(Defect::Other(what));
    }
    let text = beginning.strip_prefix(BOM).unwrap_or(beginning);
    if text.is_empty() {
        return Err(Defect::Empty);
    }
    if text.iter().take(4).filter(|byte| **byte == 0).count() >= 2 {
        return Err(Defect::Wide);
    }
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    for byte in text.iter().take(LONGEST_ROW) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            byte => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(delimiter == byte);
                }
            }
        }
    }
    // of equals the first
    let best = counts.iter().rev().max_by_key(|(_, count)| *count);
    Ok(CsvLayout {
        begins_at: beginning.len() - text.len(),
        delimiter: best.map_or(b',', |(delimiter, _)| *delimiter),
    })
}

/// The whole rows of a piece, at most so many; `row` is the number of the first. Of a piece that is not the last one, a row that ends with
/// it may go on in the next: it is left for then.
///
/// # Errors
/// [`Defect`], with the row.
pub fn read(piece: &[u8], delimiter: u8, (row, most): (u64, usize), is_last: bool) -> Result<Piece, Defect> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(piece);
    let mut read = Piece::default();
    let mut record = ByteRecord::new();
    while read.rows.len() < most {
        let number = row.saturating_add(u64::try_from(read.rows.len()).unwrap_or(u64::MAX));
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                if is_last {
                    read.consumed = piece.len();
                }
                break;
            }
            Err(_) => return Err(Defect::Malformed { row: number }),
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if end >= piece.len() && !is_last {
            break;
        }
        if end.saturating_sub(read.consumed) > LONGEST_ROW {
            return Err(Defect::LongRow { row: number });
        }
        read.rows.push(cells(&record, number)?);
        read.consumed = end.min(piece.len());
    }
    if read.rows.is_empty() && !is_last && piece.len() > LONGEST_ROW {
        return Err(Defect::LongRow { row });
    }
    Ok(read)
}

fn cells(record: &ByteRecord, row: u64) -> Result<Vec<String>, Defect> {
    if record.len() > MOST_COLUMNS {
        return Err(Defect::ManyColumns { row });
    }
    let cell = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| Defect::Encoding { row })?;
        if text.contains('\0') {
            return Err(Defect::Zero { row });
        }
        if text.chars().count() > LONGEST_CELL {
            return Err(Defect::LongCell { row });
        }
        Ok(unguarded(text.trim()).to_owned())
    };
    record.iter().map(cell).collect()
}

/// A row as it is written, with its end: nothing in it is run by whoever opens it.
pub fn line<'c>(cells: impl IntoIterator<Item = &'c str>) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Necessary)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let cells = cells.into_iter().map(guarded);
    // a vector takes whatever is written
    let written = writer.write_record(cells.collect::<Vec<_>>());
    match written {
        Ok(()) => writer.into_inner().unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}
