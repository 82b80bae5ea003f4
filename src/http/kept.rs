//! The metadata document and the published keys, ready to go out: most of what a request costs is routes and layers, and
//! these two answers depend on nothing in it. Whatever is unusual about a request goes the usual way.

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use axum::response::Response;
use bytes::Bytes;

use super::oauth::{cors, metadata::cached_json};
use super::{Http, layer};
use crate::flow::operations::metadata;
use crate::flow::operations::published::{self, Published};

const METADATA: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];
const KEYS: &str = "/oauth2/jwks";

/// What is kept ready. Clones share it.
#[derive(Clone)]
pub struct Kept(Arc<Inner>);

struct Inner {
    http: Http,
    ready: RwLock<Option<Arc<Ready>>>,
}

struct Ready {
    made_of: Published,
    metadata: Whole,
    keys: Whole,
}

/// A whole answer.
struct Whole {
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    /// Nothing is ready yet.
    pub fn new(http: Http) -> Self {
        Self(Arc::new(Inner {
            http,
            ready: RwLock::default(),
        }))
    }

    /// The answer, if the request is for one of the two documents and there is nothing else to it.
    pub fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let path = request.uri().path();
        let route = METADATA.into_iter().chain([KEYS]).find(|route| *route == path)?;
        let asks_more = |name| request.headers().contains_key(name);
        if request.method() != Method::GET
            || request.uri().query().is_some()
            || asks_more(header::IF_NONE_MATCH)
            || asks_more(header::CONTENT_LENGTH)
            || asks_more(header::TRANSFER_ENCODING)
        {
            return None;
        }
        let http = &self.0.http;
        layer::pass(http, request, route, || {
            let ready = self.ready(published::at_hand(&http.provider)?);
            Some(match route {
                KEYS => ready.keys.response(),
                _ => ready.metadata.response(),
            })
        })
    }

    /// What is ready, made anew if it was made from something else.
    fn ready(&self, published: Published) -> Arc<Ready> {
        let known = self.0.ready.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(ready) = known.filter(|ready| ready.is_made_of(&published)) {
            return ready;
        }
        let ready = Arc::new(Ready::make(&self.0.http, published));
        *self.0.ready.write().unwrap_or_else(PoisonError::into_inner) = Some(ready.clone());
        ready
    }
}

impl Ready {
    fn make(http: &Http, published: Published) -> Self {
        let locales = http.views.locales().map(|locale| locale.tag()).to_vec();
        let document = metadata::of(&http.provider, &published, locales);
        let keyring = &published.keyring;
        Self {
            metadata: Whole::make(http, document.bytes, &document.etag),
            keys: Whole::make(http, keyring.document(), keyring.etag()),
            made_of: published,
        }
    }

    fn is_made_of(&self, published: &Published) -> bool {
        Arc::ptr_eq(&self.made_of.settings, &published.settings)
            && Arc::ptr_eq(&self.made_of.resources, &published.resources)
            && Arc::ptr_eq(&self.made_of.keyring, &published.keyring)
    }
}

impl Whole {
    /// As the route answers, and the layer around it.
    fn make(http: &Http, body: Bytes, etag: &str) -> Self {
        let mut response = cors::public(cached_json(&HeaderMap::new(), body.clone(), etag));
        layer::add_headers(http, &mut response);
        Self {
            headers: response.into_parts().0.headers,
            body,
        }
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}
