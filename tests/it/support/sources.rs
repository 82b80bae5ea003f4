//! The project's own files, for tests that read what the code says.

use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, in the order of their names; none when it is not there.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.push(entry);
        }
    }
    found
}

/// The texts below a folder of the project whose names end so, each with its path from the project's folder.
pub fn texts(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    files(&root().join(folder))
        .into_iter()
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| endings.contains(&ending))
        })
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The block that docs/operations.md shows after these words.
pub fn documented(beginning: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let after = text
        .split(beginning)
        .nth(1)
        .unwrap_or_else(|| panic!("{beginning} is not documented"));
    after
        .split("```")
        .nth(1)
        .unwrap()
        .split_once('\n')
        .unwrap()
        .1
        .to_owned()
}
