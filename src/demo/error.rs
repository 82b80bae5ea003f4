//! Why the sandbox does not start.

use std::net::{IpAddr, SocketAddr};

use crate::{config, flow, server, store};

/// Why the sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its passwords are printed and its mails are shown to everyone: only this machine may reach it.
    #[error("{0} can be reached from other machines; the sandbox is for this one alone (use 127.0.0.1 or ::1)")]
    NotLoopback(IpAddr),
    /// The address can't be listened on.
    #[error("can't listen on {address}; is something else there? choose another port with --port and --app-port")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// The throwaway folder.
    #[error("the throwaway folder can't be made")]
    Folder(#[source] std::io::Error),
    /// The configuration, which is made here.
    #[error("{0}")]
    Config(#[from] config::Problems),
    /// The server.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// The sample people and the sample application.
    #[error(transparent)]
    Flow(#[from] flow::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The sample application's way to the server.
    #[error("the sample application can't be started")]
    Sample(#[source] Box<dyn std::error::Error + Send + Sync>),
}
