//! When a certificate ends: the one field of X.509 that the library keeps to itself (RFC 5280 section 4.1.2.5).

use time::{Date, Month, PrimitiveDateTime, Time};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER, in seconds since 1970.
pub(super) fn ends(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (to_be_signed, _) = element(certificate, SEQUENCE)?;
    let rest = match element(to_be_signed, VERSION) {
        Some((_, rest)) => rest,
        None => to_be_signed,
    };
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, not_after) = time_of(validity)?;
    time_of(not_after)?.0
}

/// A time and what follows it.
fn time_of(der: &[u8]) -> Option<(Option<i64>, &[u8])> {
    if let Some((text, rest)) = element(der, UTC_TIME) {
        // two digits of the year: from 50 on they are of the twentieth century
        let years = number(text.get(..2)?)?;
        let century = if years >= 50 { 1900 } else { 2000 };
        return Some((moment(century + years, text.get(2..)?), rest));
    }
    let (text, rest) = element(der, GENERALIZED_TIME)?;
    Some((moment(number(text.get(..4)?)?, text.get(4..)?), rest))
}

/// `MMDDHHMMSSZ` of a year.
fn moment(year: i32, text: &[u8]) -> Option<i64> {
    let pair = |place: usize| u8::try_from(number(text.get(place..place + 2)?)?).ok();
    let month = Month::try_from(pair(0)?).ok()?;
    let date = Date::from_calendar_date(year, month, pair(2)?).ok()?;
    let time = Time::from_hms(pair(4)?, pair(6)?, pair(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

fn number(digits: &[u8]) -> Option<i32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The contents of an element with this tag, and what follows it (X.690 section 8.1.3).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        let length = bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        (length, rest)
    };
    rest.split_at_checked(length)
}
