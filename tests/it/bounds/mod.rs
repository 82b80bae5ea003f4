//! What bounds the server: what strangers can make it keep, what is expensive, what memory holds, and that nothing waits for
//! itself. docs/limits.md says so, and what it says is compared with what there is.

mod anonymous_storage;
mod caches;
pub mod census;
mod expensive;
mod full;
mod interleavings;
mod locks;
mod retention;
mod watchdog;

/// The rows of a table of docs/limits.md, below a heading: their cells.
pub fn documented(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string("docs/limits.md").unwrap();
    let (_, section) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("docs/limits.md has no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.skip_while(|line| !line.starts_with("|---"))
        .filter(|line| !line.starts_with("|---"))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What stands between backticks.
pub fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
