//! Running an installation: starting, stopping, keys, settings, files of `apply`, commands.

mod apply;
mod backup;
mod cli;
mod keys;
mod listener;
mod outbox;
mod server;
mod settings;
mod setup;
