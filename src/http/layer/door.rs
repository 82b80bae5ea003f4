//! What the listener and the routes know of each other: whether the server is leaving, and the numbers of what comes in.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::metrics::{Counter, DURATIONS, Gauge, Histogram, Inside, Kind, Labelled, Text};

/// The methods that are told apart; all others count as the last.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What the listener and the routes know of each other. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    leaving: AtomicBool,
    requests: Labelled<Route>,
    running: Gauge,
    connections: Gauge,
    handshakes_failed: Counter,
    reloads_failed: Counter,
    certificate_ends: AtomicI64,
}

/// The requests of one route, by method.
#[derive(Debug, Default)]
struct Route([OnceLock<Box<Requests>>; METHODS.len()]);

#[derive(Debug)]
struct Requests {
    classes: [Counter; CLASSES.len()],
    times: Histogram,
}

impl Door {
    /// From now on the server says that it is not ready, and keeps no connection open after its answer.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// Whether the server is leaving.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Acquire)
    }

    /// A connection is open as long as the answer lives.
    pub fn connection(&self) -> Inside<'_> {
        self.0.connections.enter()
    }

    /// A TLS handshake failed.
    pub fn handshake_failed(&self) {
        self.0.handshakes_failed.count();
    }

    /// The certificate's files changed and can't be used.
    pub fn reload_failed(&self) {
        self.0.reloads_failed.count();
    }

    /// The certificate in use ends then, in seconds since 1970.
    pub fn certificate_ends(&self, seconds: i64) {
        self.0.certificate_ends.store(seconds, Ordering::Relaxed);
    }

    /// A request runs as long as the answer lives.
    pub(super) fn request(&self) -> Inside<'_> {
        self.0.running.enter()
    }

    /// A request was answered. `route` is the route's template, empty if there was none; `method` a word of ours.
    pub(super) fn answered(&self, route: &str, method: &str, status: u16, micros: i64) {
        let place = METHODS.iter().position(|known| *known == method);
        let place = place.unwrap_or(METHODS.len() - 1);
        let Some(requests) = self.0.requests.of(route).0.get(place) else {
            return;
        };
        let requests = requests.get_or_init(|| {
            Box::new(Requests {
                classes: Default::default(),
                times: Histogram::new(DURATIONS),
            })
        });
        if let Some(class) = requests.classes.get(usize::from(status / 100).wrapping_sub(1)) {
            class.count();
        }
        requests.times.observe(u64::try_from(micros).unwrap_or_default());
    }

    /// Writes the numbers.
    pub fn write(&self, text: &mut Text) {
        let inner = &*self.0;
        let routes = inner.requests.all();
        let requests: Vec<_> = routes
            .iter()
            .flat_map(|(route, methods)| {
                let named = METHODS.iter().zip(&methods.0);
                named.filter_map(|(method, requests)| Some((shown(route), *method, requests.get()?)))
            })
            .collect();
        text.family(
            "ostiary_http_requests_total",
            Kind::Counter,
            "Requests answered, by route, method and class of status.",
        );
        for (route, method, requests) in &requests {
            for (class, count) in CLASSES.iter().zip(&requests.classes) {
                if count.get() > 0 {
                    text.count(&[("route", route), ("method", method), ("status", class)], count.get());
                }
            }
        }
        text.family(
            "ostiary_http_request_seconds",
            Kind::Histogram,
            "How long requests took, by route and method.",
        );
        for (route, method, requests) in &requests {
            text.durations(&[("route", route), ("method", method)], &requests.times);
        }
        text.family("ostiary_http_requests_running", Kind::Gauge, "Requests that run.");
        text.count(&[], inner.running.get());
        text.family("ostiary_http_connections", Kind::Gauge, "Connections that are open.");
        text.count(&[], inner.connections.get());
        text.family(
            "ostiary_leaving",
            Kind::Gauge,
            "Whether the server is about to stop and tells load balancers so: 0 or 1.",
        );
        text.count(&[], u64::from(self.is_leaving()));
        text.family(
            "ostiary_tls_handshakes_failed_total",
            Kind::Counter,
            "TLS handshakes that failed.",
        );
        text.count(&[], inner.handshakes_failed.get());
        text.family(
            "ostiary_tls_reloads_failed_total",
            Kind::Counter,
            "Changes of the certificate's files that could not be used.",
        );
        text.count(&[], inner.reloads_failed.get());
        text.family(
            "ostiary_tls_certificate_ends_seconds",
            Kind::Gauge,
            "When the listener's certificate ends, in seconds since 1970; absent without TLS.",
        );
        let ends = inner.certificate_ends.load(Ordering::Relaxed);
        if ends > 0 {
            text.count(&[], ends);
        }
    }
}

/// What nothing is routed to has no template.
fn shown(route: &str) -> &str {
    if route.is_empty() { "none" } else { route }
}
