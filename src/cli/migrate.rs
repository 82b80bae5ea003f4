//! `migrate`: what bringing the schema forward would do, and doing it.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::Migrate;
use super::failure::Failure;
use super::move_store;
use super::output::Output;
use crate::config::Config;
use crate::server;

pub(super) async fn run(file: Option<&Path>, arguments: &Migrate) -> Result<ExitCode, Failure> {
    let config = Config::load(file, std::env::vars_os())?;
    if arguments.to.is_some() || arguments.to_file.is_some() {
        return move_store::run(&config, arguments).await;
    }
    let steps = if arguments.check {
        server::outstanding(&config).await?
    } else {
        let (store, lock) = server::open(&config).await?;
        let steps = store.migrate().await;
        store.close().await;
        drop(lock);
        steps.map_err(server::Error::from)?
    };
    let value = json!({ "steps": steps, "done": !arguments.check });
    let Output { text, .. } = Output::either(arguments.json.shape(), &value, || {
        if steps.is_empty() {
            return "the store has this program's schema\n".to_owned();
        }
        let word = if arguments.check { "would be done" } else { "done" };
        steps.iter().map(|step| format!("{step} {word}\n")).collect()
    });
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}
