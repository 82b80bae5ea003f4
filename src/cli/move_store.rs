//! `migrate --to`: the embedded store moves into Postgres.

use std::process::ExitCode;

use serde_json::{Value, json};
use url::Url;

use super::arguments::Migrate;
use super::failure::Failure;
use super::input;
use super::output::{Output, Shape};
use crate::config::Config;
use crate::model::Secret;
use crate::server;

/// A table of so many rows is told about more than once.
const LONG: u64 = 10_000;

pub(super) async fn run(config: &Config, arguments: &Migrate) -> Result<ExitCode, Failure> {
    let target = config
        .checked_database(target(arguments)?)
        .map_err(|reason| Failure::refused(format!("the address {reason}")))?;
    let shape = arguments.json.shape();
    let Output { text, .. } = if arguments.check {
        look(config, &target, shape).await?
    } else {
        go(config, &target, shape).await?
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// No argument holds a secret: every process of the machine reads the arguments of every other.
fn target(arguments: &Migrate) -> Result<Secret, Failure> {
    let Some(text) = &arguments.to else {
        let path = arguments.to_file.as_deref();
        return input::secret_file(path.ok_or_else(|| Failure::usage("the address is missing"))?);
    };
    let holds_password = Url::parse(text)
        .is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"));
    if holds_password {
        return Err(Failure::usage(
            "an address with a password is not taken on the command line, where every process of this machine reads it: \
             use --to-file, PGPASSWORD or ~/.pgpass",
        ));
    }
    Ok(Secret::new(text.clone()))
}

async fn look(config: &Config, target: &Secret, shape: Shape) -> Result<Output, Failure> {
    let outlook = server::look_at_move(config, target).await?;
    let tables: Vec<Value> = outlook
        .rows
        .iter()
        .map(|(table, rows)| json!({ "table": table, "rows": rows }))
        .collect();
    if let Some(table) = outlook.in_the_way {
        return Err(Failure::refused(format!(
            "the target is not empty: its table {table} has rows"
        )));
    }
    Ok(Output::either(
        shape,
        &json!({ "tables": tables, "done": false }),
        || {
            let rows: u64 = outlook.rows.iter().map(|(_, rows)| rows).sum();
            format!(
                "{rows} rows of {} tables would be moved; the target is empty\n",
                tables.len()
            )
        },
    ))
}

async fn go(config: &Config, target: &Secret, shape: Shape) -> Result<Output, Failure> {
    let mut told = 0;
    let mut progress = |table: &'static str, rows: u64, whole: u64| {
        let is_worth_telling = rows == whole || rows < told || rows >= told + LONG;
        if shape == Shape::People && is_worth_telling {
            eprintln!("{table}: {rows} of {whole}");
            told = rows;
        }
    };
    let moved = server::move_store(config, target, &mut progress).await?;
    let tables: Vec<Value> = moved
        .tables
        .iter()
        .map(|table| json!({ "table": table.table, "rows": table.rows, "digest": table.digest }))
        .collect();
    let value = json!({ "tables": tables, "was_there": moved.was_there, "done": true });
    Ok(Output::either(shape, &value, || {
        let rows: u64 = moved.tables.iter().map(|table| table.rows).sum();
        let how = if moved.was_there {
            "were there already"
        } else {
            "are moved"
        };
        format!(
            "{rows} rows of {} tables {how}; counts and digests are the same on both sides. Set OSTIARY_DATABASE_URL to the new \
             database and start the server with the same keys folder. The old file is kept, and marked so that it is not \
             opened by accident\n",
            tables.len()
        )
    }))
}
