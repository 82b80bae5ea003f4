//! Cookies: what the public address lets them promise.

use super::{Doctor, Finding};
use crate::model::{Check, Said};

pub(super) fn check(doctor: &Doctor) -> Finding {
    if doctor.issuer.is_https() {
        Finding::good(Check::Cookies, Said::CookiesHost)
    } else {
        Finding::warning(Check::Cookies, Said::CookiesLoopback).line("OSTIARY_PUBLIC_URL=https://id.example.com")
    }
}
