//! Cells that a spreadsheet program would take for a formula and run (CWE-1236). What we write begins with an apostrophe then, which
//! such programs hide; what we read loses it again.

/// The cell as it is written.
pub fn guarded(cell: &str) -> String {
    match needs_guard(cell) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

/// The cell as it was before it was written.
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => cell,
    }
}

/// A number with its sign, a telephone's too, is nothing that runs.
fn needs_guard(cell: &str) -> bool {
    // blanks before it hide it from nobody but us
    let bare = cell.trim_start_matches(['\'', ' ', '\u{a0}', '\u{3000}', '\u{feff}']);
    let Some(first) = bare.chars().next() else { return false };
    match first {
        '=' | '@' | '\t' | '\r' | '\n' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}' => true,
        '+' | '-' => {
            let is_number = bare.chars().skip(1).all(|character| character.is_ascii_digit());
            !is_number || bare.len() == 1 || bare.len() != cell.len()
        }
        _ => false,
    }
}
