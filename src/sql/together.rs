//! Several statements of SQLite's writer in one go: each handing over to the thread that runs them costs more than most of
//! the statements themselves.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection};

use super::error::is_busy;
use super::row::Rows;
use super::value::{Bound, Value};
use super::{Engine, Error};

const COMMIT: &str = "commit;";

/// Statements that run one after another.
#[derive(Default)]
pub(super) struct Together {
    text: String,
    values: Vec<Value>,
    steps: Vec<Step>,
}

/// What one statement of the text is.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Asked,
    /// Fails if the one before it changed nothing, so that nothing after it runs.
    Guard,
}

/// What stands behind a statement that has to change something: the largest number but one becomes the smallest, which has no
/// absolute value, and that is an error.
const GUARD: &str = "select 1 where abs(changes() - 9223372036854775807 - 1) = 0;";

/// How it ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ending {
    /// The transaction goes on.
    Open,
    /// The transaction of the whole group is committed.
    Commit,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reached {
    /// Not past the first step of what goes before.
    Nothing,
    /// Not past what goes before.
    Preparation,
    /// Into the statements.
    Statements,
    /// To the commit, which failed.
    Commit,
    /// To its end.
    End,
}

/// What became of them.
pub(super) struct Done {
    pub(super) reached: Reached,
    /// The answer of the last: its rows, and how many it changed. [`Error::Missing`] if one that had to change something did
    /// not.
    pub(super) answer: Result<(Rows, u64), Error>,
    /// Whether another process holds the file.
    pub(super) is_busy: bool,
}

impl Together {
    /// Adds a statement. Its text is one of ours and holds no dollar signs but those of placeholders.
    ///
    /// Its placeholders lose their numbers: for those that have one the driver asks SQLite for their names, each time among
    /// all names of the statement.
    pub(super) fn add(&mut self, text: &sqlx::SqlStr, values: Vec<Value>, must_change: bool) {
        let text = text.as_str();
        self.text.reserve(text.len() + GUARD.len());
        let mut places = Vec::with_capacity(values.len());
        let mut parts = text.split('$');
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            places.push(number.parse::<usize>().unwrap_or_default());
            self.text.push('?');
            self.text.push_str(rest);
        }
        self.text.push(';');
        if places.iter().copied().eq(1..=values.len()) {
            self.values.extend(values);
        } else {
            let of = |place: usize| values.get(place.wrapping_sub(1)).cloned();
            // one that is not bound is null
            let bound = places.into_iter().map(|place| of(place).unwrap_or(Value::Int(None)));
            self.values.extend(bound);
        }
        self.steps.push(Step::Asked);
        if must_change {
            self.text.push_str(GUARD);
            self.steps.push(Step::Guard);
        }
    }

    /// Runs them, after others that take no values and are not asked about.
    pub(super) async fn run(self, first: &'static str, ending: Ending, connection: &mut SqliteConnection) -> Done {
        let before = first.matches(';').count();
        let until_commit = before + self.steps.len();
        let (all, last) = match ending {
            Ending::Open => (until_commit, ""),
            Ending::Commit => (until_commit + 1, COMMIT),
        };
        let reached = |ended: usize| match ended {
            ended if ended >= all => Reached::End,
            0 if before > 0 => Reached::Nothing,
            ended if ended < before => Reached::Preparation,
            ended if ended < until_commit => Reached::Statements,
            _ => Reached::Commit,
        };
        let arguments = match Bound::all(Engine::Sqlite, self.values) {
            Ok(Bound::Sqlite(arguments)) => arguments,
            Ok(Bound::Postgres(_)) => SqliteArguments::default(),
            Err(error) => return Done::failed(reached(0), error),
        };
        let last_asked = self.steps.iter().rposition(|step| *step == Step::Asked);
        let (mut rows, mut changed): (Vec<SqliteRow>, u64) = (Vec::new(), 0);
        let mut ended = 0;
        let text = AssertSqlSafe(format!("{first}{}{last}", self.text));
        let mut steps = connection.fetch_many(sqlx::query_with(text, arguments));
        // whether anything follows the last step is known: waiting for the end would be one more change of threads
        while ended < all {
            let number = ended.checked_sub(before);
            match steps.try_next().await {
                Ok(Some(Either::Right(row))) => {
                    if number.is_some() && number == last_asked {
                        rows.push(row);
                    }
                }
                Ok(Some(Either::Left(done))) => {
                    if number.is_some() && number == last_asked {
                        changed = done.rows_affected();
                    }
                    ended += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    let step = number.and_then(|number| self.steps.get(number));
                    if step == Some(&Step::Guard) && matches!(error, sqlx::Error::Database(_)) {
                        return Done {
                            reached: reached(ended),
                            answer: Err(Error::Missing),
                            is_busy: false,
                        };
                    }
                    return Done::failed(reached(ended), error);
                }
            }
        }
        Done {
            reached: reached(ended),
            answer: Ok((Rows::Sqlite(rows), changed)),
            is_busy: false,
        }
    }
}

impl Done {
    fn failed(reached: Reached, error: sqlx::Error) -> Self {
        Self {
            reached,
            is_busy: is_busy(&error),
            answer: Err(error.into()),
        }
    }
}
