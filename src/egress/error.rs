//! Failures: one sentence for whoever asked, the reason for logs.

/// A document could not be fetched. Says no more than that, so that nobody learns through this server what is reachable from
/// it; the reason is for logs only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address can't be fetched")]
pub struct Error(Reason);

impl Error {
    pub(super) fn new(reason: Reason) -> Self {
        Self(reason)
    }

    /// Why, for logs. Never for answers.
    pub fn reason(&self) -> Reason {
        self.0
    }
}

impl Reason {
    /// Whether the URL alone says it, without anything having been asked.
    pub(super) fn is_of_the_address(self) -> bool {
        matches!(self, Self::Scheme | Self::Port | Self::UserInfo | Self::Host)
    }
}

/// Why a fetch was not made or did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not https (nor http into an admitted network).
    #[error("the scheme is not https")]
    Scheme,
    /// Not 443, and not into an admitted network.
    #[error("the port is not 443")]
    Port,
    /// User name or password in the URL.
    #[error("the URL carries credentials")]
    UserInfo,
    /// No host.
    #[error("the URL has no host")]
    Host,
    /// The name leads, or the URL points, to an address that is neither public nor admitted.
    #[error("the address is neither public nor in an admitted network")]
    Address,
    /// The name is unknown.
    #[error("the name does not resolve")]
    Resolution,
    /// No connection, or no trusted TLS on it.
    #[error("no trusted connection")]
    Connect,
    /// Not finished in time; waiting for a free place counts.
    #[error("out of time")]
    Timeout,
    /// An answer that leads elsewhere.
    #[error("the answer is a redirect")]
    Redirect,
    /// An answer without success.
    #[error("the answer's status is {0}")]
    Status(u16),
    /// A compressed answer, which was not asked for.
    #[error("the answer is compressed")]
    Encoding,
    /// More bytes than were allowed.
    #[error("the answer is too large")]
    Oversize,
    /// The answer broke off, or is no HTTP.
    #[error("the answer is broken")]
    Transport,
    /// The client can't be set up on this machine.
    #[error("the client can't be set up")]
    Setup,
}
