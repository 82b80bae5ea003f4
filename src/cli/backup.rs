//! `backup` and `restore`: the embedded store and its keys as one sealed file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Backup, Restore};
use super::failure::Failure;
use super::input;
use super::output::Output;
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::operations::backup::SHORTEST_PASSPHRASE;
use crate::model::Secret;
use crate::server::{self, Place, Restored, Taken, Verified};

pub(super) async fn take(file: Option<&Path>, arguments: &Backup) -> Result<ExitCode, Failure> {
    let config = Config::load(file, std::env::vars_os())?;
    let passphrase = match &arguments.passphrase_file {
        Some(path) => input::secret_file(path)?,
        None => input::new_secret("passphrase of the backup")?,
    };
    if passphrase.expose().chars().count() < SHORTEST_PASSPHRASE {
        return Err(Failure::refused(format!(
            "the passphrase is shorter than {SHORTEST_PASSPHRASE} characters: whoever finds the file has all the time to guess it"
        )));
    }
    let Taken {
        file,
        bytes,
        made_at,
        keys,
        beside_server,
    } = server::back_up(&config, &Clock::default(), &arguments.file, passphrase).await?;
    let value = json!({
        "file": file,
        "bytes": bytes,
        "made_at": made_at,
        "keys": keys,
        "beside_server": beside_server,
    });
    let Output { text, .. } = Output::either(arguments.json.shape(), &value, || {
        format!(
            "{}: {bytes} bytes, the store with {keys} master key file(s), sealed. Without the passphrase it is of no use to anyone, \
             you included\n",
            file.display()
        )
    });
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(file: Option<&Path>, arguments: &Restore) -> Result<ExitCode, Failure> {
    let config = Config::load(file, std::env::vars_os())?;
    let passphrase = read_passphrase(arguments.passphrase_file.as_deref())?;
    if arguments.check {
        let Verified {
            head,
            keys,
            store_bytes,
        } = server::verify(&arguments.file, passphrase).await?;
        let value = json!({
            "file": arguments.file,
            "made_at": head.made_at,
            "program": head.program,
            "issuer": head.issuer,
            "keys": keys,
            "store_bytes": store_bytes,
            "restored": false,
        });
        let Output { text, .. } = Output::either(arguments.json.shape(), &value, || {
            format!(
                "whole: the backup of {} of {}, made by version {}, with {keys} master key file(s)\n",
                head.issuer, head.made_at, head.program
            )
        });
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let place = if arguments.replace {
        Place::Replaced
    } else {
        Place::Empty
    };
    let restored = server::restore(&config, &Clock::default(), &arguments.file, passphrase, place).await?;
    let value = json!({
        "file": arguments.file,
        "made_at": restored.head.made_at,
        "program": restored.head.program,
        "issuer": restored.head.issuer,
        "keys": restored.keys,
        "sessions_ended": restored.voided.sessions,
        "grants_ended": restored.voided.grants,
        "kept_aside": restored.aside,
        "restored": true,
    });
    let Output { text, .. } = Output::either(arguments.json.shape(), &value, || sentence(&restored, &config));
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn read_passphrase(path: Option<&Path>) -> Result<Secret, Failure> {
    match path {
        Some(path) => input::secret_file(path),
        None => input::hidden("passphrase of the backup: "),
    }
}

fn sentence(restored: &Restored, config: &Config) -> String {
    let mut text = format!(
        "restored: {} as it was at {}. {} session(s) and {} grant(s) that were open then are ended: people and applications \
         sign in again\n",
        restored.head.issuer, restored.head.made_at, restored.voided.sessions, restored.voided.grants
    );
    if restored.head.issuer != config.issuer() {
        text.push_str(&format!(
            "the backup is of {}, and OSTIARY_PUBLIC_URL is {}: applications know the former\n",
            restored.head.issuer,
            config.issuer()
        ));
    }
    let folders: Vec<String> = restored
        .aside
        .iter()
        .map(|path: &PathBuf| path.display().to_string())
        .collect();
    if !folders.is_empty() {
        text.push_str(&format!(
            "what stood there before is kept in {}\n",
            folders.join(" and ")
        ));
    }
    text
}
