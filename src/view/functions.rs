//! What templates can call: texts, parts, lengths of time, moments, assets, tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Asset;
use super::Locale;
use super::catalogue::{Catalogue, Piece};

/// The texts of every locale.
pub(super) type Texts = Arc<Vec<(Locale, Catalogue)>>;

/// Gives an environment its functions.
pub(super) fn add(environment: &mut Environment<'static>, texts: Texts) {
    let plain = Arc::clone(&texts);
    environment.add_function("t", move |state: &State, key: &str, values: Kwargs| {
        text(&plain, state, key, &values)
    });
    let marked = Arc::clone(&texts);
    environment.add_function("rich", move |state: &State, key: &str, values: Kwargs| {
        rich(&marked, state, key, &values)
    });
    let lengths = Arc::clone(&texts);
    environment.add_function("duration", move |state: &State, seconds: u64| {
        duration(&lengths, state, seconds)
    });
    let moments = Arc::clone(&texts);
    environment.add_function("moment", move |state: &State, micros: i64| {
        moment(&moments, state, micros)
    });
    environment.add_function("moment_text", move |state: &State, micros: i64| {
        moment_text(&texts, state, micros)
    });
    environment.add_function("part", part);
    let assets: BTreeMap<_, _> = Asset::addresses()
        .into_iter()
        .map(|(name, address)| (name, Value::from(address)))
        .collect();
    environment.add_function("asset", move |name: &str| {
        let address = assets.get(name).cloned();
        address.ok_or_else(|| missing(format!("no asset is called {name}")))
    });
    environment.add_function("token", |name: &str| {
        token(name).ok_or_else(|| missing(format!("no token is called {name}")))
    });
    environment.add_function("dark", |name: &str| {
        dark(name).ok_or_else(|| missing(format!("no token is called {name} in the dark scheme")))
    });
    environment.add_filter("initial", initial);
}

/// A text with its values filled in; escaped when it is printed.
fn text(texts: &Texts, state: &State, key: &str, values: &Kwargs) -> Result<String, Error> {
    let mut written = String::new();
    // where the key is chosen at run time, its values come as one map
    let together: Option<Value> = values.get("values")?;
    for piece in pieces(texts, state, key)? {
        match (piece, &together) {
            (Piece::Text(words), _) => written.push_str(words),
            (Piece::Value(name), None) => written.push_str(&values.get::<Value>(name)?.to_string()),
            (Piece::Value(name), Some(map)) => {
                let value = map.get_attr(name)?;
                if value.is_undefined() {
                    return Err(missing(format!("no value {name} for the text {key}")));
                }
                written.push_str(&value.to_string());
            }
        }
    }
    values.assert_all_used()?;
    Ok(written)
}

/// The same as HTML, with each value in bold, so that a sentence cannot be mistaken for the name in it.
fn rich(texts: &Texts, state: &State, key: &str, values: &Kwargs) -> Result<Value, Error> {
    let mut written = String::new();
    for piece in pieces(texts, state, key)? {
        match piece {
            Piece::Text(words) => escape(&mut written, words),
            Piece::Value(name) => {
                let value = values.get::<Value>(name)?;
                if value.is_safe() {
                    written.push_str(&value.to_string());
                    continue;
                }
                written.push_str("<strong>");
                escape(&mut written, &value.to_string());
                written.push_str("</strong>");
            }
        }
    }
    values.assert_all_used()?;
    Ok(Value::from_safe_string(written))
}

/// A length of time in words: whole minutes up to two hours, then whole hours up to two days, then whole days, rounded up.
fn duration(texts: &Texts, state: &State, seconds: u64) -> Result<String, Error> {
    let minutes = seconds.div_ceil(60).max(1);
    let (count, one, many) = if minutes > 2880 || minutes.is_multiple_of(1440) {
        (minutes.div_ceil(1440), "day_one", "day_many")
    } else if minutes > 120 || minutes.is_multiple_of(60) {
        (minutes.div_ceil(60), "hour_one", "hour_many")
    } else {
        (minutes, "minute_one", "minute_many")
    };
    let values: Kwargs = [("count", Value::from(count))].into_iter().collect();
    text(texts, state, if count == 1 { one } else { many }, &values)
}

/// A moment (microseconds since 1970) as a `time` element: words for people, RFC 3339 for machines.
fn moment(texts: &Texts, state: &State, micros: i64) -> Result<Value, Error> {
    let exact = date(micros)?.format(&Rfc3339).map_err(|_| unknown_moment())?;
    let mut written = format!("<time datetime=\"{exact}\" title=\"{exact}\">");
    escape(&mut written, &moment_text(texts, state, micros)?);
    written.push_str("</time>");
    Ok(Value::from_safe_string(written))
}

fn date(micros: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).map_err(|_| unknown_moment())
}

fn unknown_moment() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a moment out of range")
}

/// A moment in words.
fn moment_text(texts: &Texts, state: &State, micros: i64) -> Result<String, Error> {
    let moment = date(micros)?;
    let nothing: Kwargs = std::iter::empty::<(&str, Value)>().collect();
    let month = text(texts, state, &format!("month_{}", u8::from(moment.month())), &nothing)?;
    let values: Kwargs = [
        ("day", Value::from(moment.day())),
        ("month", Value::from(month)),
        ("year", Value::from(moment.year())),
        (
            "clock",
            Value::from(format!("{:02}:{:02}", moment.hour(), moment.minute())),
        ),
    ]
    .into_iter()
    .collect();
    text(texts, state, "moment", &values)
}

/// A piece of a page: `templates/part/NAME.html` with these values, and `frame` and `locale` of the page around it.
fn part(state: &State, name: &str, values: Kwargs) -> Result<Value, Error> {
    let mut context = Vec::new();
    for key in ["frame", "locale"] {
        context.push((key, state.lookup(key).unwrap_or_default()));
    }
    for key in values.args() {
        context.push((key, values.peek::<Value>(key)?));
    }
    let template = state.env().get_template(&format!("part/{name}.html"))?;
    template.render(Value::from_pairs(context)).map(Value::from_safe_string)
}

/// The first letter or digit in capitals: what stands in for a picture.
fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or_else(|| "?".to_owned(), |letter| letter.to_uppercase().collect())
}

/// The value of a design token in the light scheme: mails have no stylesheet to name it in.
fn token(name: &str) -> Option<String> {
    let (_, after) = include_str!("../../templates/asset/tokens.css").split_once(&format!("--{name}:"))?;
    after.split_once(';').map(|(value, _)| value.trim().replace('"', "'"))
}

/// The same in the dark scheme.
fn dark(name: &str) -> Option<String> {
    let tokens = include_str!("../../templates/asset/tokens.css");
    let (_, tokens) = tokens.split_once("(prefers-color-scheme: dark)")?;
    let (_, after) = tokens.split_once(&format!("--{name}:"))?;
    after.split_once(';').map(|(value, _)| value.trim().to_owned())
}

/// The text of a key in the page's language.
fn pieces<'a>(texts: &'a Texts, state: &State, key: &str) -> Result<Vec<Piece<'a>>, Error> {
    let tag = state.lookup("locale").unwrap_or_default();
    texts
        .iter()
        .find(|(locale, _)| tag.as_str() == Some(locale.tag()))
        .and_then(|(_, catalogue)| catalogue.pieces(key))
        .ok_or_else(|| missing(format!("no text {key} in locale {tag}")))
}

fn missing(detail: String) -> Error {
    Error::new(ErrorKind::UndefinedError, detail)
}

fn escape(written: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#x27;"),
            other => written.push(other),
        }
    }
}
