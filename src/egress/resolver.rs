//! Names are resolved here and only addresses that may be used come out: what is checked is what is connected to, so a
//! name can't point elsewhere in between.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{admitted, forbidden};
use super::error::Reason;

/// What a name may lead to.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    /// Public addresses and admitted networks.
    Public,
    /// Admitted networks only.
    Admitted,
}

/// Asks for the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The system's resolver.
pub(super) fn by_system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            // port 0 is replaced by the URL's
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Resolves each name once for each connection. A name of which a single address may not be used is refused altogether: what is
/// honestly public does not also live inside.
pub(super) struct CheckedResolver {
    pub(super) reach: Reach,
    pub(super) networks: Arc<[IpNet]>,
    pub(super) lookup: Lookup,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        let networks = Arc::clone(&self.networks);
        let lookup = Arc::clone(&self.lookup);
        Box::pin(async move {
            let found = lookup(name.as_str().to_owned()).await.map_err(|_| Reason::Resolution)?;
            let addresses: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            if addresses.is_empty() {
                return Err(Reason::Resolution.into());
            }
            if addresses.iter().any(|address| refused(address.ip(), reach, &networks)) {
                return Err(Reason::Address.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn refused(ip: IpAddr, reach: Reach, networks: &[IpNet]) -> bool {
    match reach {
        Reach::Public => forbidden(ip, networks),
        Reach::Admitted => !admitted(ip, networks),
    }
}
