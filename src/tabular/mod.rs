//! Tables as people hand them to one another: CSV (RFC 4180), and workbooks (ECMA-376). Pure; what comes from outside is bounded before it is believed.

mod cell;
mod csv_file;
mod defect;
mod workbook;
mod workbook_writer;

pub use cell::{guarded, unguarded};
pub use csv_file::{CsvLayout, Piece, detect, line, read};
pub use defect::Defect;
pub use workbook::{LARGEST_WORKBOOK, read_workbook};
pub use workbook_writer::{MOST_ROWS, NotWritten, WorkbookWriter};

/// No file has more columns.
pub const MOST_COLUMNS: usize = 250;
/// No cell has more characters: as many as the programs that make such files allow.
pub const LONGEST_CELL: usize = 32_767;
/// No row has more bytes.
pub const LONGEST_ROW: usize = 256 * 1024;
