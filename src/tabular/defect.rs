//! What is wrong with a file, as whoever sent it is told.

/// Why a file is not read. Rows are counted from 1, the heading being the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It has no first row.
    #[error("the file is empty")]
    Empty,
    /// It begins as texts in UTF-16 or UTF-32 do.
    #[error("the file is in UTF-16 or UTF-32: save it as CSV in UTF-8")]
    Wide,
    /// It begins as something else does.
    #[error("the file is {0}, not a table as text: expected CSV in UTF-8, or XLSX")]
    Other(&'static str),
    /// It holds bytes that UTF-8 does not have.
    #[error(
        "row {row} is not in UTF-8 (in Shift-JIS, Windows-1252 or ISO 8859-1, perhaps): save the file as CSV in UTF-8"
    )]
    Encoding {
        /// Where.
        row: u64,
    },
    /// It holds zero bytes.
    #[error("row {row} holds a zero byte: this is no text")]
    Zero {
        /// Where.
        row: u64,
    },
    /// A row is too long.
    #[error("row {row} is longer than 256 KiB: is a quotation mark not closed?")]
    LongRow {
        /// Where.
        row: u64,
    },
    /// A cell is too long.
    #[error("a cell of row {row} has more than 32767 characters")]
    LongCell {
        /// Where.
        row: u64,
    },
    /// There are too many columns.
    #[error("row {row} has more than 250 columns")]
    ManyColumns {
        /// Where.
        row: u64,
    },
    /// The workbook can't be taken.
    #[error("the workbook is not read: {0}")]
    Workbook(&'static str),
    /// A cell holds a formula: what it would be is for nobody here to compute.
    #[error("row {row} holds a formula: save the file with its values")]
    Formula {
        /// Where.
        row: u64,
    },
    /// A cell holds what a formula has come to that could not be computed.
    #[error("row {row} holds an error of a formula")]
    ErrorCell {
        /// Where.
        row: u64,
    },
    /// It can't be read.
    #[error("row {row} can't be read")]
    Malformed {
        /// Where.
        row: u64,
    },
}
