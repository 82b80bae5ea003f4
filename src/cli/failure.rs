//! How a command ends that did not do it: a sentence on standard error, and a code.

use std::process::ExitCode;

use crate::config;
use crate::demo;
use crate::flow::error::causes;
use crate::flow::{Error, FieldError};
use crate::server;

/// A command that did not do it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) sentence: String,
    pub(super) code: u8,
    /// What is printed on standard output all the same.
    pub(super) text: String,
}

impl Failure {
    /// Refused or failed.
    pub(super) fn refused(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            code: 1,
            text: String::new(),
        }
    }

    /// Wrong usage.
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            code: 2,
            text: String::new(),
        }
    }

    /// With this on standard output.
    #[must_use]
    pub(super) fn printing(self, text: String) -> Self {
        Self { text, ..self }
    }

    /// Tells it.
    pub(super) fn tell(&self) -> ExitCode {
        print!("{}", self.text);
        eprintln!("ostiary: {}", self.sentence);
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(fields) => {
                let lines: Vec<String> = fields.iter().map(line).collect();
                Self::refused(lines.join("\n         "))
            }
            other => Self::refused(causes(&other)),
        }
    }
}

fn line(FieldError { pointer, detail, .. }: &FieldError) -> String {
    if pointer.is_empty() {
        detail.clone()
    } else {
        format!("{pointer}: {detail}")
    }
}

impl From<server::Error> for Failure {
    fn from(error: server::Error) -> Self {
        match error {
            server::Error::Flow(error) => error.into(),
            other => Self::refused(causes(&other)),
        }
    }
}

impl From<demo::Error> for Failure {
    fn from(error: demo::Error) -> Self {
        match error {
            demo::Error::Flow(error) => error.into(),
            demo::Error::Server(error) => error.into(),
            other => Self::refused(causes(&other)),
        }
    }
}

impl From<config::Problems> for Failure {
    fn from(problems: config::Problems) -> Self {
        Self::refused(problems.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(causes(&error))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::refused(causes(&error))
    }
}
