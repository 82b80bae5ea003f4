//! `[metrics]`: a listener of its own, so that numbers about the house are not on the street.

use std::net::SocketAddr;

use super::address;
use super::entries::Entries;
use super::problem::Problem;

/// Where metrics are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// None: on the main listener, which then asks for a credential.
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    pub(super) fn read(entries: &mut Entries, main: SocketAddr) -> Self {
        let listen = entries.take("metrics.listen", address::socket);
        // port 0 is a free port, another one each time
        if listen == Some(main) && main.port() != 0 {
            entries.note(Problem::SameListener);
        }
        Self { listen }
    }
}
