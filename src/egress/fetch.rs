//! Fetching and posting within the rules.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use tokio::sync::{OnceCell, Semaphore};
use url::{Host, Url};

use crate::clock;
use crate::model::Secret;

use super::address::{admitted, forbidden};
use super::error::{Error, Reason};
use super::resolver::{CheckedResolver, Lookup, Reach, by_system};

const USER_AGENT: &str = "Ostiary";
/// So many requests run at once; more wait, within their time.
const AT_ONCE: usize = 32;
/// What the body of an answer has whose status says everything.
const BODY_TIME: Duration = Duration::from_secs(1);
const GREATEST_HEADER_BYTES: u32 = 16 * 1024;
const GREATEST_HEADERS: usize = 64;

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The answer's body in bytes.
    pub bytes: usize,
    /// Everything from the call to the last byte; what fails is answered when it is over.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            time: Duration::from_secs(5),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The body, never longer than the limit. Not yet parsed: whoever uses it does that, strictly.
    pub bytes: Vec<u8>,
    /// The `Content-Type` as sent; empty if there is none.
    pub content_type: String,
    /// How long it may be kept by its `Cache-Control`: zero for `no-store` and `no-cache`, `None` if it does not say.
    pub max_age: Option<Duration>,
}

/// A request as an operator wants it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// `POST` and the like.
    pub method: &'static str,
    /// Names and values; some of them are secrets.
    pub headers: Vec<(String, Secret)>,
    /// What is sent; it may hold what only its reader may see.
    pub body: Option<Secret>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, never longer than the limit.
    pub bytes: Vec<u8>,
}

/// The guarded client. Clones share it.
#[derive(Clone)]
pub struct Egress {
    networks: Arc<[IpNet]>,
    lookup: Lookup,
    // made when first needed: reading the system's certificates is a good part of a start
    public: Arc<OnceCell<Client>>,
    inside: Arc<OnceCell<Client>>,
    places: Arc<Semaphore>,
    longest: Duration,
}

impl Egress {
    /// `allowed_addresses`: what the operator admits although it is private; there http and other ports are allowed, too.
    ///
    /// Certificates are checked against the system's store; on a machine without one, nothing is trusted and every https
    /// request fails.
    pub fn new(allowed_addresses: Vec<IpNet>) -> Self {
        Self::resolving(allowed_addresses, by_system())
    }

    /// The same with another resolver than the system's. What it answers is checked alike.
    pub fn resolving(allowed_addresses: Vec<IpNet>, lookup: Lookup) -> Self {
        Self {
            lookup,
            public: Arc::default(),
            inside: Arc::default(),
            networks: allowed_addresses.into(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            longest: Duration::MAX,
        }
    }

    /// The same where no request has more time than this, whatever it asks for.
    pub fn within_at_most(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Whether a request to this URL would be tried: for those who store URLs and want to say so early. Where its name leads is
    /// not asked.
    pub fn admits(&self, url: &Url) -> bool {
        self.reach_of(url).is_ok()
    }

    /// Fetches a document; only a 200 will do.
    ///
    /// # Errors
    /// [`Error`], the same for every reason.
    pub async fn get_json(&self, url: &Url, limits: Limits) -> Result<Document, Error> {
        let fetched = async {
            let request = self.client_for(url).await?.get(url.clone());
            let response = self.send(request.header(ACCEPT, "application/json")).await?;
            if response.status() != StatusCode::OK {
                return Err(Reason::Status(response.status().as_u16()));
            }
            read(response, limits.bytes).await
        };
        self.within(url, limits, fetched).await
    }

    /// Fetches lines of text, with one more header; only a 200 will do.
    ///
    /// # Errors
    /// [`Error`], the same for every reason.
    pub async fn get_text(
        &self,
        url: &Url,
        header: (&'static str, &'static str),
        limits: Limits,
    ) -> Result<Document, Error> {
        let fetched = async {
            let request = self.client_for(url).await?.get(url.clone());
            let request = request.header(ACCEPT, "text/plain").header(header.0, header.1);
            let response = self.send(request).await?;
            if response.status() != StatusCode::OK {
                return Err(Reason::Status(response.status().as_u16()));
            }
            read(response, limits.bytes).await
        };
        self.within(url, limits, fetched).await
    }

    /// Posts a form (`application/x-www-form-urlencoded`); any 2xx will do. Never repeated here.
    ///
    /// # Errors
    /// [`Error`], the same for every reason.
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)], limits: Limits) -> Result<Document, Error> {
        let posted = async {
            let body = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(form)
                .finish();
            let request = self
                .client_for(url)
                .await?
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
            let response = self.send(request).await?;
            if !response.status().is_success() {
                return Err(Reason::Status(response.status().as_u16()));
            }
            read(response, limits.bytes).await
        };
        self.within(url, limits, posted).await
    }

    /// Sends a request that the operator has described. What it is answered is the caller's to judge, whatever its status. Never
    /// repeated here.
    ///
    /// # Errors
    /// [`Error`] if there is no answer.
    pub async fn exchange(&self, url: &Url, request: &Outgoing, limits: Limits) -> Result<Answer, Error> {
        let exchanged = async {
            let response = self.send(self.built(url, request).await?).await?;
            let status = response.status().as_u16();
            let bytes = read(response, limits.bytes).await?.bytes;
            Ok(Answer { status, bytes })
        };
        self.within(url, limits, exchanged).await
    }

    /// The same where the status says everything: of the body the beginning is read, as far as it comes within a second, and
    /// whatever is wrong with it changes nothing.
    ///
    /// # Errors
    /// [`Error`] if there is no answer.
    pub async fn tell(&self, url: &Url, request: &Outgoing, limits: Limits) -> Result<Answer, Error> {
        let told = async {
            let response = self.send(self.built(url, request).await?).await?;
            let status = response.status().as_u16();
            let bytes = beginning(response, limits.bytes).await;
            Ok(Answer { status, bytes })
        };
        self.within(url, limits, told).await
    }

    async fn built(&self, url: &Url, request: &Outgoing) -> Result<RequestBuilder, Reason> {
        let client = self.client_for(url).await?;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| Reason::Setup)?;
        let mut built = client.request(method, url.clone());
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Reason::Setup)?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| Reason::Setup)?;
            value.set_sensitive(true);
            built = built.header(name, value);
        }
        if let Some(body) = &request.body {
            built = built.body(body.expose().to_owned());
        }
        Ok(built)
    }

    async fn within<T>(
        &self,
        url: &Url,
        limits: Limits,
        work: impl Future<Output = Result<T, Reason>>,
    ) -> Result<T, Error> {
        let began = clock::monotonic();
        let time = limits.time.min(self.longest);
        let placed = async {
            let _place = self.places.acquire().await.map_err(|_| Reason::Setup)?;
            work.await
        };
        let done = tokio::time::timeout(time, placed).await.unwrap_or(Err(Reason::Timeout));
        let reason = match done {
            Ok(document) => return Ok(document),
            Err(reason) => reason,
        };
        tracing::info!(host = url.host_str().unwrap_or_default(), %reason, "outgoing request failed");
        // a port that refuses, one that says nothing and one that speaks another language would differ in time alone
        if !reason.is_of_the_address() {
            clock::sleep(time.saturating_sub(began.elapsed())).await;
        }
        Err(Error::new(reason))
    }

    /// The client this URL may use.
    async fn client_for(&self, url: &Url) -> Result<&Client, Reason> {
        let reach = self.reach_of(url)?;
        let kept = match reach {
            Reach::Public => &self.public,
            Reach::Admitted => &self.inside,
        };
        let (networks, lookup) = (Arc::clone(&self.networks), Arc::clone(&self.lookup));
        let made = async || {
            tokio::task::spawn_blocking(move || client(reach, &networks, &lookup))
                .await
                .unwrap_or(Err(Reason::Setup))
        };
        kept.get_or_try_init(made).await
    }

    /// Which of the two clients this URL may use. What a name leads to is checked by the client's resolver; an address
    /// in the URL never reaches a resolver and is checked here.
    fn reach_of(&self, url: &Url) -> Result<Reach, Reason> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Reason::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Reason::UserInfo);
        }
        let literal: Option<IpAddr> = match url.host().ok_or(Reason::Host)? {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        };
        let may_be_inside = match literal {
            Some(ip) => admitted(ip, &self.networks),
            None => !self.networks.is_empty(),
        };
        if url.scheme() == "https" && url.port_or_known_default() == Some(443) {
            if literal.is_some_and(|ip| forbidden(ip, &self.networks)) {
                return Err(Reason::Address);
            }
            return Ok(Reach::Public);
        }
        if may_be_inside {
            return Ok(Reach::Admitted);
        }
        if url.scheme() == "http" {
            return Err(Reason::Scheme);
        }
        Err(Reason::Port)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Reason> {
        let response = request.send().await.map_err(failure)?;
        if response.status().is_redirection() {
            return Err(Reason::Redirect);
        }
        Ok(response)
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Egress")
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

fn client(reach: Reach, networks: &Arc<[IpNet]>, lookup: &Lookup) -> Result<Client, Reason> {
    builder(reach, networks, lookup)
        .build()
        .or_else(|_| {
            tracing::warn!("no certificate store on this machine: outgoing https requests will fail");
            builder(reach, networks, lookup).tls_certs_only([]).build()
        })
        .map_err(|_| Reason::Setup)
}

fn builder(reach: Reach, networks: &Arc<[IpNet]>, lookup: &Lookup) -> ClientBuilder {
    let resolver = CheckedResolver {
        reach,
        networks: Arc::clone(networks),
        lookup: Arc::clone(lookup),
    };
    Client::builder()
        .dns_resolver(Arc::new(resolver))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(USER_AGENT)
        .https_only(matches!(reach, Reach::Public))
        // every request resolves and checks anew
        .pool_max_idle_per_host(0)
        .http1_max_headers(GREATEST_HEADERS)
        .http2_max_header_list_size(GREATEST_HEADER_BYTES)
}

async fn read(mut response: Response, greatest: usize) -> Result<Document, Reason> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).unwrap_or(usize::MAX) > greatest {
        return Err(Reason::Oversize);
    }
    let encoding = text(response.headers(), &CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(Reason::Encoding);
    }
    let content_type = text(response.headers(), &CONTENT_TYPE).to_owned();
    let max_age = max_age(text(response.headers(), &CACHE_CONTROL));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if chunk.len() > greatest - bytes.len() {
            return Err(Reason::Oversize);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Document {
        bytes,
        content_type,
        max_age,
    })
}

/// So much of a body as comes in time, and no more than asked for.
async fn beginning(mut response: Response, greatest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() < greatest
            && let Ok(Some(chunk)) = response.chunk().await
        {
            bytes.extend(chunk.iter().take(greatest - bytes.len()));
        }
    };
    // what has come until then is enough
    drop(tokio::time::timeout(BODY_TIME, reading).await);
    bytes
}

fn text<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> &'headers str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// RFC 9111 section 5.2.2: what `Cache-Control` says about keeping the answer.
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut found = None;
    for directive in cache_control.split(',') {
        let (name, value) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => found = value.trim_matches('"').parse().ok().map(Duration::from_secs),
            _ => {}
        }
    }
    found
}

fn failure(error: reqwest::Error) -> Reason {
    let error = error.without_url();
    tracing::debug!(?error, "outgoing request failed below HTTP");
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if let Some(reason) = cause.downcast_ref::<Reason>() {
            return *reason;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        return Reason::Timeout;
    }
    if error.is_connect() {
        return Reason::Connect;
    }
    Reason::Transport
}
