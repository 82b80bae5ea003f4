//! Which language a page is in. OpenID Connect Core section 3.1.2.1 (`ui_locales`), RFC 9110 section 12.5.4.

use super::Locale;

/// The most entries of a list that are looked at; what comes after them is not read.
const MOST: usize = 16;
/// The most octets of an Accept-Language header that are looked at.
const MOST_OCTETS: usize = 512;

/// The first language of ours among the request's `ui_locales` (in their order), then the user's own `locale`, then
/// Accept-Language by weight, else English. The work is bounded whatever the lengths, and the answer comes from a fixed list.
pub fn negotiate(ui_locales: &[&str], user: Option<&str>, accept_language: Option<&str>) -> Locale {
    ui_locales
        .iter()
        .take(MOST)
        .find_map(|tag| Locale::from_tag(tag))
        .or_else(|| user.and_then(Locale::from_tag))
        .or_else(|| accept_language.and_then(accepted))
        .unwrap_or_default()
}

/// The language of ours with the greatest weight; of equals, the one named first.
fn accepted(header: &str) -> Option<Locale> {
    let mut best: Option<(f32, Locale)> = None;
    for range in beginning(header).split(',').take(MOST) {
        let mut parts = range.split(';');
        let Some(locale) = parts.next().and_then(|tag| Locale::from_tag(tag.trim())) else {
            continue;
        };
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(Some(1.0), weight)
            .unwrap_or_default();
        if weight > 0.0 && best.is_none_or(|(greatest, _)| weight > greatest) {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// `None` for what is not a number from 0 to 1.
fn weight(text: &str) -> Option<f32> {
    text.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight))
}

/// The first octets of the header, up to a whole character.
fn beginning(header: &str) -> &str {
    let mut end = MOST_OCTETS.min(header.len());
    while !header.is_char_boundary(end) {
        end -= 1;
    }
    header.get(..end).unwrap_or_default()
}
