//! What the operating system says of files and folders: free space, who may read, and why not.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The room of the file system that a folder is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it, in bytes.
    pub whole: u64,
    /// What this account may still use, in bytes.
    pub free: u64,
}

/// A file or folder that can't be used, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct Unusable {
    /// Which one.
    path: PathBuf,
    /// What was to be done with it.
    what: &'static str,
    /// The system's word.
    source: io::Error,
}

impl Unusable {
    /// What makes the system's word about this file or folder such a sentence.
    pub fn because<E: From<Self>>(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> E {
        let path = path.into();
        move |source| Self { path, what, source }.into()
    }
}

/// Asks the system's `df` (POSIX) for the room of a folder; none if it does not tell.
pub fn room(folder: &Path) -> Option<Room> {
    let told = Command::new("df")
        .arg("-Pk")
        .arg("--")
        .arg(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    // device, whole, used, free, percent, place; the device may hold blanks, so the numbers are looked for from the right
    let mut words = text.lines().nth(1)?.split_whitespace().rev().skip(2);
    let free: u64 = words.next()?.parse().ok()?;
    let used: u64 = words.next()?.parse().ok()?;
    let whole: u64 = words.next()?.parse().ok()?;
    Some(Room {
        whole: whole.max(used.saturating_add(free)).saturating_mul(1024),
        free: free.saturating_mul(1024),
    })
}

/// Whether other accounts may read or write a file, or enter a folder.
///
/// # Errors
/// The system's word.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}
