//! Tables that come and go as files.

use ostiary::tabular::{LONGEST_CELL, detect, line, read, read_workbook};
use proptest::prelude::*;
use rust_xlsxwriter::Workbook;

fn cell() -> impl Strategy<Value = String> {
    "[=+@'\\-a-z0-9,;\"ü \t\r\n\u{a0}\u{ff1d}]{0,12}"
        .prop_filter("cells have no blanks around them", |cell| cell.trim() == cell)
}

proptest! {
    /// SEC-711: what was written is read as it was, and no cell begins with what a spreadsheet program would run.
    #[test]
    fn fuzz_csv_roundtrip(rows in prop::collection::vec(prop::collection::vec(cell(), 2..5), 1..5)) {
        let file: Vec<u8> = rows.iter().flat_map(|row| line(row.iter().map(String::as_str))).collect();
        let piece = read(&file, b',', (1, 100), true).unwrap();
        prop_assert_eq!(&piece.rows, &rows);
        prop_assert_eq!(piece.consumed, file.len());
        let mut plain = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file.as_slice());
        for row in plain.records() {
            for cell in row.unwrap().iter() {
                let bare = cell.trim_start_matches(' ');
                let is_number = bare.len() > 1 && bare.chars().skip(1).all(|character| character.is_ascii_digit());
                prop_assert!(!bare.starts_with(['=', '@', '\t', '\r', '\n', '\u{ff1d}']), "{cell:?}");
                prop_assert!(!bare.starts_with(['+', '-']) || is_number, "{cell:?}");
            }
        }
    }

    /// SEC-711: a file that comes in pieces is read as one that comes whole, and nothing makes the reader panic.
    #[test]
    fn pieces_of_a_file_are_its_rows(file in prop::collection::vec(prop::sample::select(b"ab\",;\r\n\xc3\xbc".to_vec()), 0..120), cut in 0_usize..120) {
        drop(detect(&file));
        let Ok(whole) = read(&file, b',', (1, 1_000), true) else { return Ok(()) };
        let first = &file[..cut.min(file.len())];
        if let Ok(piece) = read(first, b',', (1, 1_000), false) {
            let rest = read(&file[piece.consumed..], b',', (1, 1_000), true).unwrap();
            let both: Vec<Vec<String>> = piece.rows.into_iter().chain(rest.rows).collect();
            prop_assert_eq!(both, whole.rows);
        }
    }

    /// SEC-712: whatever is wrong with a workbook, it is read or refused.
    #[test]
    fn fuzz_xlsx_import(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>(), is_cut in any::<bool>()) {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for row in 0..20 {
            sheet.write_string(row, 0, format!("name {row}")).unwrap();
            sheet.write_number(row, 1, f64::from(row)).unwrap();
        }
        let mut bytes = workbook.save_to_buffer().unwrap();
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut rows = 0;
        let read = read_workbook(&bytes, |row| {
            assert!(row.iter().all(|cell| cell.chars().count() <= LONGEST_CELL));
            rows += 1;
            Ok(())
        });
        prop_assert!(read.is_err() || rows <= 1_048_576);
    }
}
