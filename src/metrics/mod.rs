//! Numbers about the running process: counters, gauges and histograms that cost a few nanoseconds, and the text they are
//! shown as (Prometheus exposition format 0.0.4).
//!
//! There is no registry and nothing global: whoever counts keeps the numbers as fields, and whoever shows them asks for
//! them. Labels are words of this program (templates of routes, names of rules, grants), never what a request says.

mod histogram;
mod labelled;
mod number;
mod process;
mod text;

pub use histogram::{CALLS, DURATIONS, Histogram, SIZES};
pub use labelled::Labelled;
pub use number::{Counter, Gauge, Inside};
pub use process::Process;
pub use text::{CONTENT_TYPE, Kind, Text};
