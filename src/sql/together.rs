//! Several statements of SQLite's writer in one go: each handing over to the thread that runs them costs more than most of
//! the statements themselves.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection};

use super::row::Rows;
use super::value::{Bound, Value};
use super::{Engine, Error};

/// Statements that run one after another. Their placeholders count on.
#[derive(Default)]
pub(super) struct Together {
    text: String,
    values: Vec<Value>,
    must_change: Vec<bool>,
}

/// What became of them.
pub(super) struct Done {
    /// How many ran to their end.
    pub(super) ended: usize,
    /// The answer of the last: its rows, and how many it changed.
    pub(super) answer: Result<(Rows, u64), Error>,
}

impl Together {
    /// Adds a statement. Its text is one of ours and holds no dollar signs but those of placeholders.
    pub(super) fn add(&mut self, text: &sqlx::SqlStr, values: Vec<Value>, must_change: bool) {
        let before = self.values.len();
        let mut parts = text.as_str().split('$');
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let number = number.parse::<usize>().unwrap_or_default() + before;
            self.text.push('$');
            self.text.push_str(&number.to_string());
            self.text.push_str(rest);
        }
        self.text.push(';');
        self.values.extend(values);
        self.must_change.push(must_change);
    }

    /// Runs them, after others that take no values and are not asked about.
    pub(super) async fn run(self, first: &'static str, connection: &mut SqliteConnection) -> Done {
        let skipped = first.matches(';').count();
        let mut ended = 0;
        let mut rows: Vec<SqliteRow> = Vec::new();
        let mut changed = 0;
        let arguments = match Bound::all(Engine::Sqlite, self.values) {
            Ok(Bound::Sqlite(arguments)) => arguments,
            Ok(Bound::Postgres(_)) => SqliteArguments::default(),
            Err(error) => return Done::failed(ended, error),
        };
        let text = AssertSqlSafe(format!("{first}{}", self.text));
        let mut steps = connection.fetch_many(sqlx::query_with(text, arguments));
        loop {
            match steps.try_next().await {
                Ok(Some(Either::Right(row))) => rows.push(row),
                Ok(Some(Either::Left(done))) => {
                    ended += 1;
                    let Some(number) = ended.checked_sub(skipped + 1) else {
                        continue;
                    };
                    changed = done.rows_affected();
                    if number + 1 < self.must_change.len() {
                        rows.clear();
                    }
                    if changed == 0 && self.must_change.get(number).copied().unwrap_or_default() {
                        // what follows runs all the same, and is taken back with it
                        return Done {
                            ended,
                            answer: Err(Error::Missing),
                        };
                    }
                }
                Ok(None) => break,
                Err(error) => return Done::failed(ended, error),
            }
        }
        Done {
            ended,
            answer: Ok((Rows::Sqlite(rows), changed)),
        }
    }
}

impl Done {
    fn failed(ended: usize, error: sqlx::Error) -> Self {
        Self {
            ended,
            answer: Err(error.into()),
        }
    }
}
