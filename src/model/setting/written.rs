//! The written forms of values.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::declared::{DAY, HOUR, MINUTE};
use crate::model::{FormField, MailDomain};

/// No more networks are taken in one setting.
const MOST_NETWORKS: usize = 200;
/// No more names of one's own, and none longer.
const MOST_NAMES: usize = 20;
const LONGEST_NAME: usize = 200;
/// No more mail domains are taken in one setting.
const MOST_DOMAINS: usize = 500;
/// No more lengths of time.
pub(super) const MOST_DURATIONS: usize = 10;

/// Names as they stand in requests and tokens, each once and none a word itself.
pub(super) fn names(text: &str, words: &[&'static str]) -> Option<Vec<(String, &'static str)>> {
    let mut read: Vec<(String, &'static str)> = Vec::new();
    for one in list(text) {
        // a name may be a URL with a query: the word has no such sign
        let (name, word) = one.rsplit_once('=')?;
        let word = words.iter().find(|known| **known == word.trim())?;
        let name = name.trim();
        let is_name =
            !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name || words.contains(&name) || read.iter().any(|(known, _)| known == name) {
            return None;
        }
        read.push((name.to_owned(), word));
    }
    (read.len() <= MOST_NAMES).then_some(read)
}

/// Networks, or single addresses, with commas between: no more than a person could overlook.
pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    let named = list(text);
    if named.len() > MOST_NETWORKS {
        return None;
    }
    let read = named.into_iter().map(|one| match one.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => one.parse::<IpAddr>().ok().map(IpNet::from),
    });
    read.collect()
}

/// An address that a path can be added to. Whether it may be reached at all, egress decides: http into admitted networks alone.
pub(super) fn is_base(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return text.is_empty();
    };
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let is_web = matches!(url.scheme(), "https" | "http") && url.host().is_some() && url.password().is_none();
    is_plain
        && is_web
        && url.path().ends_with('/')
        && text.len() <= 500
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A URL of one line that says who reads it: RFC 9116 section 2.5.3 wants https where it is on the web.
pub(super) fn is_contact(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return text.is_empty();
    };
    let reaches = match url.scheme() {
        "https" => url.host().is_some() && url.username().is_empty() && url.password().is_none(),
        "mailto" => url
            .path()
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
        _ => false,
    };
    reaches && text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads `30s`, `10m`, `12h`, `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number = text.get(..text.len() - unit.len_utf8())?.parse::<u64>().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Lengths of time within bounds, each once, the longest first.
pub(super) fn durations(text: &str, bounds: &RangeInclusive<Duration>) -> Option<Vec<Duration>> {
    let read: Option<BTreeSet<Duration>> = list(text)
        .into_iter()
        .map(|one| parse_duration(one).filter(|length| bounds.contains(length)))
        .collect();
    let lengths: Vec<Duration> = read?.into_iter().rev().collect();
    (lengths.len() <= MOST_DURATIONS).then_some(lengths)
}

/// Writes the largest unit that divides evenly.
pub fn write_duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (number, unit) = match seconds {
        0 => (0, "s"),
        _ if seconds.is_multiple_of(DAY) => (seconds / DAY, "d"),
        _ if seconds.is_multiple_of(HOUR) => (seconds / HOUR, "h"),
        _ if seconds.is_multiple_of(MINUTE) => (seconds / MINUTE, "m"),
        _ => (seconds, "s"),
    };
    format!("{number}{unit}")
}

/// Mail domains, with commas between.
pub(super) fn domains(text: &str) -> Option<Vec<MailDomain>> {
    let named = list(text);
    if named.len() > MOST_DOMAINS {
        return None;
    }
    named.into_iter().map(MailDomain::parse).collect()
}

/// The fields of a form, each once, with commas between.
pub(super) fn fields(text: &str) -> Option<Vec<FormField>> {
    let mut fields: Vec<FormField> = Vec::new();
    for named in list(text) {
        let field = FormField::parse(named)?;
        if fields.iter().any(|known| known.field == field.field) {
            return None;
        }
        fields.push(field);
    }
    Some(fields)
}

fn list(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
}

/// Some of the declared words; none that is not among them.
pub(super) fn words(declared: &'static [&'static str], text: &str) -> Option<Vec<&'static str>> {
    let named: Vec<&str> = text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let known = named.iter().all(|one| declared.contains(one));
    known.then(|| declared.iter().copied().filter(|word| named.contains(word)).collect())
}
