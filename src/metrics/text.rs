//! The text that Prometheus reads: exposition format 0.0.4.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Counter, Histogram, Labelled};

/// The type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often something was how large.
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The text on its way: one family of numbers after the other, each begun by [`Text::family`].
#[derive(Debug, Default)]
pub struct Text {
    written: String,
    name: &'static str,
}

impl Text {
    /// Begins the numbers of this name. `help` is one sentence.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) {
        self.name = name;
        // writing to a String does not fail
        let _ = writeln!(self.written, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
    }

    /// A number of the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, None, value);
    }

    /// A whole number of the family.
    pub fn count(&mut self, labels: &[(&str, &str)], value: impl TryInto<u64>) {
        self.line("", labels, None, float(value.try_into().unwrap_or(u64::MAX)));
    }

    /// A time, in seconds.
    pub fn seconds(&mut self, labels: &[(&str, &str)], time: Duration) {
        self.sample(labels, time.as_secs_f64());
    }

    /// Counters that differ in one label.
    pub fn labelled(&mut self, label: &str, counters: &Labelled<Counter>) {
        for (word, counter) in counters.all() {
            self.count(&[(label, word)], counter.get());
        }
    }

    /// A histogram of microseconds, shown in seconds.
    pub fn durations(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        self.histogram(labels, histogram, 1_000_000.0);
    }

    /// A histogram of plain numbers.
    pub fn sizes(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        self.histogram(labels, histogram, 1.0);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.written
    }

    fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram, unit: f64) {
        let (steps, all, sum) = histogram.read();
        for (bound, count) in steps {
            let bound = format!("{}", float(bound) / unit);
            self.line("_bucket", labels, Some(&bound), float(count));
        }
        self.line("_bucket", labels, Some("+Inf"), float(all));
        self.line("_sum", labels, None, float(sum) / unit);
        self.line("_count", labels, None, float(all));
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
        self.written.push_str(self.name);
        self.written.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        let mut opening = '{';
        for (label, word) in labels.iter().copied().chain(bound) {
            self.written.push(opening);
            opening = ',';
            self.written.push_str(label);
            self.written.push_str("=\"");
            for letter in word.chars() {
                match letter {
                    '\\' => self.written.push_str("\\\\"),
                    '"' => self.written.push_str("\\\""),
                    '\n' => self.written.push_str("\\n"),
                    other => self.written.push(other),
                }
            }
            self.written.push('"');
        }
        if opening == ',' {
            self.written.push('}');
        }
        let _ = writeln!(self.written, " {value}");
    }
}

/// Counts past 2^53 lose their last digits, as they do in Prometheus itself.
#[allow(clippy::cast_precision_loss, reason = "Prometheus keeps every number so")]
fn float(number: u64) -> f64 {
    number as f64
}
