//! The commands. Those that serve run here; those that change the store are run by the server if one runs beside the
//! embedded store, and here otherwise.

mod access_requests;
mod api_keys;
mod apply;
mod arguments;
mod backup;
mod breached;
mod client_arguments;
mod clients;
mod demo;
mod devices;
mod doctor;
mod events;
mod explain;
mod failure;
mod groups;
mod imports;
mod input;
mod jobs;
mod keys;
mod messages;
mod migrate;
mod move_store;
mod output;
mod properties;
mod reseal;
mod resources;
mod roles;
mod segments;
mod serve;
mod sessions;
mod settings;
mod setup;
mod store_command;
mod terms;
mod user_arguments;
mod user_export;
mod users;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::Failure;
pub use store_command::commands;

/// A stack of the runtime's threads. In a build that is not optimised a sign-in takes more than the usual two MiB of one; what is not
/// touched of it costs addresses alone.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs the command line of this process. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
pub fn main() -> ExitCode {
    // of two providers of cryptography in a build rustls would take none by itself
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).tell(),
    };
    let ended = runtime.block_on(run(arguments));
    // whatever still runs was given up
    runtime.shutdown_background();
    match ended {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Serve => serve::run(arguments.config.as_deref()).await,
        Command::Demo(demo) => demo::run(&demo).await,
        Command::Migrate(migrate) => migrate::run(arguments.config.as_deref(), &migrate).await,
        Command::Backup(backup) => backup::take(arguments.config.as_deref(), &backup).await,
        Command::Restore(restore) => backup::restore(arguments.config.as_deref(), &restore).await,
        Command::BreachedPasswords(command) => breached::run(&command),
        Command::Doctor(doctor) => doctor::run(arguments.config.as_deref(), &doctor).await,
        Command::Store(command) => store_command::run(arguments.config.as_deref(), command).await,
    }
}
