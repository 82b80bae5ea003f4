//! Running an installation: starting, stopping, keys, settings, files of `apply`, commands.

mod server;
