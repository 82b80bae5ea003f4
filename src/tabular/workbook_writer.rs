//! Workbooks (ECMA-376), written row by row in constant memory: what is done lies in a file that has no name.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use rust_xlsxwriter::{Workbook, XlsxError};

use super::guarded;

/// No workbook has more rows, its heading included.
pub const MOST_ROWS: u32 = 1_048_576;

/// The workbook could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the workbook can't be written")]
pub struct NotWritten(#[source] Box<dyn std::error::Error + Send + Sync>);

impl From<XlsxError> for NotWritten {
    fn from(error: XlsxError) -> Self {
        Self(Box::new(error))
    }
}

impl From<std::io::Error> for NotWritten {
    fn from(error: std::io::Error) -> Self {
        Self(Box::new(error))
    }
}

/// A workbook with one sheet that is being written.
pub struct WorkbookWriter {
    workbook: Workbook,
    rows: u32,
}

impl WorkbookWriter {
    /// One without rows.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub fn new() -> Result<Self, NotWritten> {
        let mut workbook = Workbook::new();
        workbook.add_worksheet_with_constant_memory()?;
        Ok(Self { workbook, rows: 0 })
    }

    /// How many rows it has.
    pub const fn rows(&self) -> u32 {
        self.rows
    }

    /// Adds a row of texts: none of them is a formula, nor becomes one where the workbook is saved as something else.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub fn add<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> Result<(), NotWritten> {
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (column, cell) in (0_u16..).zip(cells) {
            if !cell.is_empty() {
                sheet.write_string(self.rows, column, guarded(cell))?;
            }
        }
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    /// The whole of it, in a file without a name, from its beginning.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub fn finish(mut self) -> Result<File, NotWritten> {
        let mut file = tempfile::tempfile()?;
        self.workbook.save_to_writer(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}
