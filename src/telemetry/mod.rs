//! Logs: structured, on standard error, text or JSON. And spans of requests, where a collector is configured. No secrets, no
//! personal data; ids only.

mod spans;

use std::io::IsTerminal;
use std::panic;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

pub use spans::{Otlp, Parent, Tracing};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the process. `filter` as in `info,ostiary=debug`. A second call changes nothing.
///
/// # Errors
/// The filter's mistake, as a sentence.
pub fn start(filter: &str, format: Format) -> Result<(), String> {
    let filter = read(filter)?;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let started = match format {
        Format::Text => lines.finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    // a second subscriber in the same process (tests) is not an error
    drop(started);
    Ok(())
}

/// The same, and spans of requests go to a collector, whatever the filter leaves out of the log. Has to be called within the
/// runtime that sends them.
///
/// # Errors
/// The filter's mistake or the address's, as a sentence.
pub fn start_tracing(filter: &str, format: Format, otlp: &Otlp) -> Result<Tracing, String> {
    let filter = read(filter)?;
    let tracing = Tracing::start(otlp).map_err(|error| error.to_string())?;
    // our own alone: those of the exporter's connections would be sent by it again and again
    let ours = filter_fn(|metadata| metadata.target().starts_with("ostiary"));
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracing.tracer())
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours)
        .with_filter(tracing::level_filters::LevelFilter::INFO);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let all = registry().with(spans);
    let started = match format {
        Format::Text => all.with(lines.with_filter(filter)).try_init(),
        Format::Json => all
            .with(lines.json().flatten_event(true).with_filter(filter))
            .try_init(),
    };
    drop(started);
    Ok(tracing)
}

/// From now on a panic of any thread is an error of the log, within the span that it happened in, and no lines of another form. What it
/// says is told if it is a text of the program; a text that was put together may hold what somebody sent.
pub fn tell_panics() {
    panic::set_hook(Box::new(|told| {
        let location = told.location().map(ToString::to_string);
        let text = told.payload().downcast_ref::<&'static str>().copied();
        tracing::error!(location, text, "a panic");
    }));
}

fn read(filter: &str) -> Result<EnvFilter, String> {
    // it tells what strangers sent, as errors; what is wrong with that is on record with the sign-in
    EnvFilter::try_new(format!("webauthn_rs_core=off,{filter}")).map_err(|error| error.to_string())
}
