//! What a command reads besides its arguments: passwords, passphrases, secrets, files. It is read where the command was
//! typed, and travels to the server with it.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::failure::Failure;
use crate::model::Secret;

/// The largest file that is read.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A file's text; `-` is standard input.
pub(super) fn file(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::refused(format!("{}: {error}", path.display()))),
    }
}

/// A secret in a file, without the end of its line; `-` is standard input.
pub(super) fn secret_file(path: &Path) -> Result<Secret, Failure> {
    let text = Secret::new(file(path)?);
    let bare = text.expose().trim_end_matches(['\n', '\r']);
    if bare.is_empty() {
        return Err(Failure::refused(format!("{}: there is nothing in it", path.display())));
    }
    Ok(Secret::new(bare))
}

/// The first line of standard input.
pub(super) fn line() -> Result<Secret, Failure> {
    let mut text = String::new();
    std::io::stdin().read_line(&mut text)?;
    let text = Secret::new(text);
    let bare = text.expose().trim_end_matches(['\n', '\r']);
    if bare.is_empty() {
        return Err(Failure::refused("standard input holds no line"));
    }
    Ok(Secret::new(bare))
}

/// Asks for a new secret, twice, without showing it.
pub(super) fn new_secret(what: &str) -> Result<Secret, Failure> {
    let first = hidden(&format!("{what}: "))?;
    let second = hidden("once more: ")?;
    if first.matches(&second) {
        Ok(first)
    } else {
        Err(Failure::refused("the two are not the same"))
    }
}

/// Asks for a secret without showing it.
pub(super) fn hidden(prompt: &str) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask at; give it by standard input or a file",
        ));
    }
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let silent = Silence::begin();
    let read = line();
    drop(silent);
    eprintln!();
    read
}

/// The terminal shows nothing that is typed, until this is dropped.
struct Silence;

impl Silence {
    fn begin() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(mode: &str) {
    // without the program the secret is seen while it is typed, which is no reason to refuse
    let told = Command::new("stty")
        .arg(mode)
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
    drop(told);
}
