//! What the fields of users and groups may hold. A field is named by its JSON pointer.

use time::{Date, Month};
use url::Url;

use crate::flow::FieldError;
use crate::model::{Address, Profile};

const LONGEST_USERNAME: usize = 150;
const LONGEST_NAME: usize = 200;
const LONGEST_ADDRESS: usize = 500;
const LONGEST_URL: usize = 2048;
/// RFC 5321 section 4.5.3.1: local part, and the whole path without its angle brackets.
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_EMAIL: usize = 254;
/// OpenID Connect Core section 2: a `sub` has no more ASCII characters.
const LONGEST_SUBJECT: usize = 255;

/// Judges a username and everything told about a person.
pub fn check_user(username: &str, profile: &Profile) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut check = |pointer: &str, value: Option<&str>, law: fn(&str) -> Result<(), Wrong>| {
        if let Some(Err((code, detail))) = value.map(law) {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                code,
                detail: detail.to_owned(),
            });
        }
    };
    check("/username", Some(username), username_law);
    check("/name", profile.name.as_deref(), name);
    check("/given_name", profile.given_name.as_deref(), name);
    check("/family_name", profile.family_name.as_deref(), name);
    check("/middle_name", profile.middle_name.as_deref(), name);
    check("/nickname", profile.nickname.as_deref(), name);
    check("/gender", profile.gender.as_deref(), name);
    check("/profile", profile.profile.as_deref(), url);
    check("/picture", profile.picture.as_deref(), url);
    check("/website", profile.website.as_deref(), url);
    check("/email", profile.email.as_deref(), email);
    check("/birthdate", profile.birthdate.as_deref(), birthdate);
    check("/zoneinfo", profile.zoneinfo.as_deref(), zoneinfo);
    check("/locale", profile.locale.as_deref(), locale);
    check("/company", profile.company.as_deref(), name);
    check("/phone_number", profile.phone_number.as_deref(), phone_number);
    if let Some(address) = &profile.address {
        let Address {
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            country,
        } = address;
        check("/address/formatted", formatted.as_deref(), lines);
        check("/address/street_address", street_address.as_deref(), lines);
        check("/address/locality", locality.as_deref(), name);
        check("/address/region", region.as_deref(), name);
        check("/address/postal_code", postal_code.as_deref(), name);
        check("/address/country", country.as_deref(), name);
    }
    // a mark of verification without what was verified would come to life with the next address
    if profile.email_verified && profile.email.is_none() {
        errors.push(without("/email_verified", "there is no email to be verified"));
    }
    if profile.phone_number_verified && profile.phone_number.is_none() {
        errors.push(without(
            "/phone_number_verified",
            "there is no phone_number to be verified",
        ));
    }
    errors
}

/// Judges a mail address.
pub fn check_email(text: &str) -> Option<FieldError> {
    email(text).err().map(|(code, detail)| FieldError {
        pointer: "/email".to_owned(),
        code,
        detail: detail.to_owned(),
    })
}

/// Judges a telephone number.
pub fn check_phone_number(text: &str) -> Option<FieldError> {
    phone_number(text).err().map(|(code, detail)| FieldError {
        pointer: "/phone_number".to_owned(),
        code,
        detail: detail.to_owned(),
    })
}

/// Judges an address of the web.
pub fn check_url(text: &str) -> Option<(&'static str, &'static str)> {
    url(text).err()
}

/// Judges a text of one or more lines, up to this long.
pub fn check_text(text: &str, longest: usize) -> Option<(&'static str, &'static str)> {
    let forbidden = |character| is_invisible(character) && !matches!(character, '\n' | '\r' | '\t');
    one_text(text, longest, forbidden).err()
}

/// A number as people type it, in the form of E.164: without blanks, dots, dashes, slashes and parentheses, and with a plus for two
/// zeros. One without the code of its country stays none.
pub fn typed_phone_number(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|letter| {
            !letter.is_whitespace() && !matches!(letter, '.' | '-' | '/' | '(' | ')' | '\u{2010}'..='\u{2013}')
        })
        .collect();
    match plain.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => plain,
    }
}

/// Judges what somebody says who asks for an account.
pub fn check_applicant(called: Option<&str>, reason: Option<&str>) -> Vec<FieldError> {
    let texts = [
        ("/name", called, name as fn(&str) -> Result<(), Wrong>),
        ("/reason", reason, lines),
    ];
    let mut errors = Vec::new();
    for (pointer, value, law) in texts {
        if let Some(Err((code, detail))) = value.map(law) {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                code,
                detail: detail.to_owned(),
            });
        }
    }
    errors
}

/// Judges the texts of a group.
pub fn check_group(group_name: &str, external_id: Option<&str>, description: Option<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let texts = [
        ("/name", Some(group_name), name as fn(&str) -> Result<(), Wrong>),
        ("/external_id", external_id, name),
        ("/description", description, lines),
    ];
    for (pointer, value, law) in texts {
        if let Some(Err((code, detail))) = value.map(law) {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                code,
                detail: detail.to_owned(),
            });
        }
    }
    errors
}

/// Judges a subject that was brought along (OpenID Connect Core section 2: up to 255 ASCII characters).
pub fn check_subject(subject: &str) -> Option<FieldError> {
    let fits = (1..=LONGEST_SUBJECT).contains(&subject.len()) && subject.bytes().all(|byte| byte.is_ascii_graphic());
    (!fits).then(|| FieldError {
        pointer: "/subject".to_owned(),
        code: "malformed",
        detail: "a subject is 1 to 255 printable ASCII characters without spaces".to_owned(),
    })
}

type Wrong = (&'static str, &'static str);

fn without(pointer: &str, detail: &str) -> FieldError {
    FieldError {
        pointer: pointer.to_owned(),
        code: "contradiction",
        detail: detail.to_owned(),
    }
}

fn username_law(text: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Err(("required", "a username has at least one character"));
    }
    if text.chars().count() > LONGEST_USERNAME {
        return Err(("too_long", "a username has at most 150 characters"));
    }
    if text.trim() != text {
        return Err(("malformed", "a username neither begins nor ends with white space"));
    }
    if text.chars().any(is_invisible) {
        return Err(("malformed", "a username has no invisible characters"));
    }
    Ok(())
}

fn name(text: &str) -> Result<(), Wrong> {
    one_text(text, LONGEST_NAME, is_invisible)
}

/// OpenID Connect Core section 5.1.1: lines are separated by `\n` or `\r\n`.
fn lines(text: &str) -> Result<(), Wrong> {
    one_text(text, LONGEST_ADDRESS, |character| {
        is_invisible(character) && !matches!(character, '\n' | '\r')
    })
}

fn one_text(text: &str, longest: usize, forbidden: impl Fn(char) -> bool) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(("required", "leave the field out instead of sending it empty"));
    }
    if text.chars().count() > longest {
        return Err(("too_long", "the text is too long"));
    }
    if text.chars().any(forbidden) {
        return Err(("malformed", "the text has invisible characters"));
    }
    Ok(())
}

/// Control characters, and those that make one text look like another: changes of direction, and what shows nothing
/// (`Default_Ignorable_Code_Point`), but for the joiners that some scripts are spelled with and the forms of a letter.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Narrower than RFC 5321: a dot-atom at a domain of letters, digits and hyphens. No quotes, comments, literals or lists.
fn email(text: &str) -> Result<(), Wrong> {
    const MALFORMED: Wrong = ("malformed", "expected one mail address like ada@example.com");
    if text.len() > LONGEST_EMAIL {
        return Err(("too_long", "a mail address has at most 254 characters"));
    }
    let (local, domain) = text.rsplit_once('@').ok_or(MALFORMED)?;
    let is_atom = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    if local.len() > LONGEST_LOCAL_PART || !local.split('.').all(is_atom) || !domain.split('.').all(is_label) {
        return Err(MALFORMED);
    }
    Ok(())
}

/// RFC 1034 section 3.5, RFC 1123 section 2.1.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Shown as a link or an image on pages of other people: never a scheme that runs something.
fn url(text: &str) -> Result<(), Wrong> {
    const MALFORMED: Wrong = ("malformed", "expected an absolute URL with https or http");
    if text.len() > LONGEST_URL {
        return Err(("too_long", "a URL has at most 2048 characters"));
    }
    if text
        .chars()
        .any(|character| is_invisible(character) || character.is_whitespace())
    {
        return Err(MALFORMED);
    }
    let url = Url::parse(text).map_err(|_| MALFORMED)?;
    let fits = matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none();
    if fits { Ok(()) } else { Err(MALFORMED) }
}

/// OpenID Connect Core section 5.1: `YYYY-MM-DD`, the year `0000` if it is not told, or `YYYY` alone.
fn birthdate(text: &str) -> Result<(), Wrong> {
    const MALFORMED: Wrong = ("malformed", "expected YYYY-MM-DD, 0000-MM-DD or YYYY");
    let digits = |text: &str, length: usize| -> Option<u16> {
        (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let parts: Vec<&str> = text.split('-').collect();
    match *parts.as_slice() {
        [year] => digits(year, 4).filter(|year| *year > 0).map(drop).ok_or(MALFORMED),
        [year, month, day] => {
            let year = digits(year, 4).ok_or(MALFORMED)?;
            let month = digits(month, 2)
                .and_then(|month| u8::try_from(month).ok())
                .ok_or(MALFORMED)?;
            let day = digits(day, 2).and_then(|day| u8::try_from(day).ok()).ok_or(MALFORMED)?;
            let month = Month::try_from(month).map_err(|_| MALFORMED)?;
            // 29 February is a birthday too where the year is not told
            let year = if year == 0 { 2000 } else { i32::from(year) };
            Date::from_calendar_date(year, month, day)
                .map(drop)
                .map_err(|_| MALFORMED)
        }
        _ => Err(MALFORMED),
    }
}

/// A name of the time zone database: `Europe/Paris`, `UTC`, `Etc/GMT+3`.
fn zoneinfo(text: &str) -> Result<(), Wrong> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    };
    if text.len() <= 64 && text.split('/').all(is_part) {
        Ok(())
    } else {
        Err(("malformed", "expected a time zone like Europe/Paris"))
    }
}

/// RFC 5646 section 2.1 in outline: a language, then subtags.
fn locale(text: &str) -> Result<(), Wrong> {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let fits = text.len() <= 35
        && (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags
            .all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if fits {
        Ok(())
    } else {
        Err(("malformed", "expected a language tag like en or pt-BR"))
    }
}

/// E.164: a plus and up to 15 digits, the country code first.
fn phone_number(text: &str) -> Result<(), Wrong> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if fits {
        Ok(())
    } else {
        Err(("malformed", "expected a number like +33123456789"))
    }
}
