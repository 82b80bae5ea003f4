//! `[egress]`: what outgoing requests may reach besides the public internet.

use ipnet::IpNet;

use super::address;
use super::entries::Entries;

/// Exceptions of the egress client.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Networks that may be reached although they are private or loopback, there also by http and on any port.
    pub networks: Vec<IpNet>,
}

impl Egress {
    pub(super) fn read(entries: &mut Entries) -> Self {
        Self {
            networks: entries.take("egress.networks", address::networks).unwrap_or_default(),
        }
    }
}
