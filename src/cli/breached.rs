//! `breached-passwords`: builds the list of passwords that nobody should take, and looks into one.

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::arguments::Json;
use super::failure::Failure;
use super::input;
use super::output::Output;
use crate::flow::operations::breached::{BreachedList, Built, ListBuilder};

/// What is read at once.
const PIECE_BYTES: usize = 256 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum BreachedPasswords {
    /// Build a list from files with a password a line, as it is or as its SHA-1 (the form of Pwned Passwords). A billion of them need 8
    /// GB of disk meanwhile and 2 GB afterwards.
    Build {
        /// The files, `-` for standard input.
        #[arg(required = true)]
        from: Vec<PathBuf>,
        /// The list.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Leave out what was seen less often, where the files say how often.
        #[arg(long, default_value_t = 1, value_name = "TIMES")]
        least_seen: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Compare a list with what was written, and ask for a password in it.
    Check {
        /// The list.
        list: PathBuf,
        /// Read a password, hidden or from standard input, and say whether it is in the list.
        #[arg(long)]
        password: bool,
        #[command(flatten)]
        json: Json,
    },
}

pub(super) fn run(command: &BreachedPasswords) -> Result<ExitCode, Failure> {
    let output = match command {
        BreachedPasswords::Build {
            from,
            to,
            least_seen,
            json,
        } => {
            let built = build(from, to, *least_seen)?;
            let value = json!({
                "list": to,
                "passwords": built.passwords,
                "lines": built.lines,
                "left_out": built.left_out,
                "bytes": built.bytes,
            });
            Output::either(json.shape(), &value, || {
                format!(
                    "{} lists {} passwords in {} bytes; {} of {} lines were left out\n",
                    to.display(),
                    built.passwords,
                    built.bytes,
                    built.left_out,
                    built.lines
                )
            })
        }
        BreachedPasswords::Check { list, password, json } => {
            let opened = BreachedList::open(list).map_err(|error| refused(&error))?;
            opened.examine().map_err(|error| refused(&error))?;
            let listed = match password {
                true if std::io::stdin().is_terminal() => Some(opened.holds(input::hidden("password: ")?.expose())),
                true => Some(opened.holds(input::line()?.expose())),
                false => None,
            };
            let value = json!({ "list": list, "passwords": opened.passwords(), "listed": listed });
            Output::either(json.shape(), &value, || {
                let whole = format!(
                    "{} is whole and lists {} passwords\n",
                    list.display(),
                    opened.passwords()
                );
                match listed {
                    None => whole,
                    Some(true) => format!("{whole}this one is in it\n"),
                    Some(false) => format!("{whole}this one is not in it\n"),
                }
            })
        }
    };
    print!("{}", output.text);
    Ok(ExitCode::SUCCESS)
}

fn build(from: &[PathBuf], to: &Path, least_seen: u64) -> Result<Built, Failure> {
    let mut builder = ListBuilder::begin(to, least_seen).map_err(|error| refused(&error))?;
    let progress = |lines| eprintln!("ostiary: {lines} lines are read");
    for path in from {
        let added = if path == Path::new("-") {
            builder.add(std::io::stdin().lock(), progress)
        } else {
            let file = File::open(path).map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
            builder.add(BufReader::with_capacity(PIECE_BYTES, file), progress)
        };
        added.map_err(|error| refused(&error))?;
    }
    eprintln!("ostiary: everything is read; the list is written");
    builder.finish().map_err(|error| refused(&error))
}

fn refused(error: &dyn std::error::Error) -> Failure {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        sentence.push_str(&format!(": {deeper}"));
        cause = deeper.source();
    }
    Failure::refused(sentence)
}
