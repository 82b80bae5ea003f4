//! Being told to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the process was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// SIGTERM: by whoever runs services, with a load balancer in front, perhaps.
    Terminate,
    /// SIGINT: by somebody at a terminal.
    Interrupt,
}

/// The signals that end the process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to them from now on: one that comes before they are asked for is not lost, and does not end the process by force.
    ///
    /// # Errors
    /// The system's word, if it does not let us.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> End {
        tokio::select! {
            _ = self.terminate.recv() => End::Terminate,
            _ = self.interrupt.recv() => End::Interrupt,
        }
    }
}
