//! The tests' own HTTP client, before it is built: to servers on this machine, without a proxy, over plain http alone. Without
//! certificates, for reading the system's for each client adds up.

/// A client to be built.
pub fn plain_http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}
