//! The one client for everything this server fetches: documents of clients and upstreams, and what it posts to them.
//!
//! Only https on port 443 to public addresses, except into the networks that the operator lists in the configuration file.
//! The addresses that were checked are the ones connected to; no redirects, proxies, cookies or decompression; sizes and
//! times are bounded. To callers every failure looks the same.

mod address;
mod certificate;
mod error;
mod fetch;
mod resolver;

pub use address::forbidden;
pub use certificate::{Certificate, presented, read_pem};
pub use error::{Error, Reason};
pub use fetch::{Answer, Document, Egress, Limits, Outgoing};
pub use resolver::Lookup;
