//! OpenTelemetry: what requests did, as spans sent by OTLP over HTTP to a collector. Only when one is configured.
//!
//! Spans wait in a bounded queue before a thread of their own; a collector that is slow or away costs spans, never a request.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Spans that wait; what comes past it is dropped.
const MOST_WAITING: usize = 2048;
/// Spans are sent together, that many at most.
const BATCH: usize = 512;
/// And no later than this after they ended.
const EVERY: Duration = Duration::from_secs(2);
/// A collector that does not take a batch within this time does not get it.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// Whoever stops waits this long for the last batch.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// Where spans go, and which.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// The collector: `http://host:4318`, without a path.
    pub endpoint: String,
    /// Of how many requests in a hundred, where whoever asks has not decided.
    pub sample_percent: u8,
}

/// Spans of requests on their way to a collector. Clones share it.
#[derive(Clone, Debug)]
pub struct Tracing(Arc<SdkTracerProvider>);

/// The span of somebody else that a request belongs to (W3C Trace Context).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent(SpanContext);

impl Parent {
    /// Reads a `traceparent` (W3C Trace Context section 3.2). None: it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let sound = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        // version 00 ends here, later ones may go on; ff is none
        if !sound || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let context = SpanContext::new(
            TraceId::from_hex(trace).ok()?,
            SpanId::from_hex(span).ok()?,
            TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        context.is_valid().then_some(Self(context))
    }
}

impl Tracing {
    /// Begins. Has to be called within the runtime that sends.
    pub(super) fn start(otlp: &Otlp) -> Result<Self, ExporterBuildError> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", otlp.endpoint.trim_end_matches('/')))
            .with_timeout(SENT_WITHIN)
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MOST_WAITING)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let processor = BatchSpanProcessor::builder(OnRuntime {
            exporter: Arc::new(exporter),
            runtime: Handle::current(),
        })
        .with_batch_config(batches)
        .build();
        let share = f64::from(otlp.sample_percent) / 100.0;
        let resource = Resource::builder_empty()
            .with_service_name("ostiary")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(resource)
            .build();
        Ok(Self(Arc::new(provider)))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("ostiary")
    }

    /// The span of a request. `method` and `route` are words of ours; `trace` is our own id of the request.
    pub fn request(&self, trace: &str, method: &'static str, route: &str, parent: Option<Parent>) -> Span {
        let span = tracing::info_span!(
            "request",
            trace,
            otel.name = format!("{method} {route}").trim_end(),
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = tracing::field::Empty,
        );
        if let Some(Parent(context)) = parent {
            // refused only if the span has begun already
            let _ = span.set_parent(Context::new().with_remote_span_context(context));
        }
        span
    }

    /// The request of this span was answered.
    pub fn answered(&self, span: &Span, status: u16) {
        span.record("http.response.status_code", status);
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
        }
    }

    /// Sends what waits, but not for long.
    pub async fn finish(self) {
        let sent = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_WITHIN));
        if let Ok(Err(error)) = sent.await {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// The thread that waits for batches has no reactor; the runtime sends them.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
}

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = self.exporter.clone();
        let sent = self.runtime.spawn(async move { exporter.export(batch).await });
        let sent = sent
            .await
            .unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("interrupted".to_owned())));
        if let Err(error) = &sent {
            tracing::warn!(%error, "spans did not reach the collector");
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        // nothing is on its way yet, so nobody shares it
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
}
