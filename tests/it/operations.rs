//! Running an installation: starting, stopping, keys, settings, files of `apply`, commands.

mod apply;
mod backup;
mod certificates;
mod cli;
mod containers;
mod keys;
mod leaving;
mod listener;
mod metrics;
mod moving;
mod outbox;
mod reseal;
mod server;
mod settings;
mod setup;
mod tracing;
