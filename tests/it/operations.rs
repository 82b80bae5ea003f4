//! Running an installation: starting, stopping, keys, settings, files of `apply`, commands.

mod apply;
mod backends;
mod backup;
mod certificates;
mod cli;
mod containers;
mod doctor;
mod keys;
mod leaving;
mod listener;
mod metrics;
mod moving;
mod oracle;
mod outbox;
mod reseal;
mod secrets;
mod security_contact;
mod server;
mod session_policy;
mod sessions;
mod sessions_moving;
mod settings;
mod setup;
mod tracing;
mod volume;
mod written_behind;
