//! The program's own mails as an administrator finds them to begin with: the words of the language where they stand, not their names.

use super::catalogue::Piece;
use super::engine::{TEMPLATES, Views};
use super::{Locale, MailTemplate};

/// How the text template of a mail begins.
const TITLE: &str = "{% set title = ";

impl Views {
    /// What a mail of this kind says where nobody has changed it; nothing if there is no such kind.
    pub fn default_mail(&self, kind: &str, locale: Locale) -> Option<MailTemplate> {
        let source = |ending: &str| {
            let name = format!("mail/{kind}.{ending}");
            TEMPLATES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, source)| *source)
        };
        let (title, text) = source("txt")?.strip_prefix(TITLE)?.split_once(" %}\n")?;
        Some(MailTemplate {
            subject: self.spelled(&format!("{{{{ {title} }}}}"), locale, Form::Text),
            text: self.spelled(text, locale, Form::Text),
            html: self.spelled(source("html")?, locale, Form::Html),
        })
    }

    /// A source with words in the place of the names of texts, as far as these stand by themselves.
    fn spelled(&self, source: &str, locale: Locale, form: Form) -> String {
        let mut written = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{ ") {
            let Some((expression, behind)) = after.split_once(" }}") else {
                break;
            };
            written.push_str(before);
            match self.words(expression, locale, form) {
                Some(words) => written.push_str(&words),
                None => written.push_str(&format!("{{{{ {expression} }}}}")),
            }
            rest = behind;
        }
        written.push_str(rest);
        written
    }

    fn words(&self, expression: &str, locale: Locale, form: Form) -> Option<String> {
        if let Some((first, rest)) = expression.split_once(" if ") {
            let (condition, second) = rest.rsplit_once(" else ")?;
            let (first, second) = (self.pieces(first, locale)?, self.pieces(second, locale)?);
            return Some(format!(
                "{{{{ {} if {condition} else {} }}}}",
                joined(&first),
                joined(&second)
            ));
        }
        if expression.starts_with("part(") {
            let (before, rest) = expression.split_once("t(\"")?;
            let (key, behind) = rest.split_once("\")")?;
            let label = self.pieces(&format!("t(\"{key}\")"), locale)?;
            return Some(format!("{{{{ {before}{}{behind} }}}}", joined(&label)));
        }
        let pieces = self.pieces(expression, locale)?;
        Some(
            pieces
                .iter()
                .map(|piece| match piece {
                    Spelled::Words(words) if form == Form::Html => escaped(words),
                    Spelled::Words(words) => words.clone(),
                    Spelled::Value(expression) => format!("{{{{ {expression} }}}}"),
                })
                .collect(),
        )
    }

    /// The pieces of `t("key")` or `t("key", name=expression)`.
    fn pieces(&self, call: &str, locale: Locale) -> Option<Vec<Spelled>> {
        let inside = call.strip_prefix("t(\"")?.strip_suffix(')')?;
        let (key, rest) = inside.split_once('"')?;
        let value = match rest.strip_prefix(", ") {
            None if rest.is_empty() => None,
            None => return None,
            Some(value) => Some(value.split_once('=')?),
        };
        let (_, catalogue) = self.texts.iter().find(|(known, _)| *known == locale)?;
        let pieces = catalogue.pieces(key)?.into_iter().map(|piece| match piece {
            Piece::Text(words) => Some(Spelled::Words(words.to_owned())),
            Piece::Value(name) => {
                let (_, expression) = value.filter(|(known, _)| *known == name)?;
                Some(Spelled::Value(expression.to_owned()))
            }
        });
        pieces.collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Html,
}

enum Spelled {
    Words(String),
    Value(String),
}

/// As one expression: `"Hello " ~ mail.name ~ ","`.
fn joined(pieces: &[Spelled]) -> String {
    let pieces: Vec<String> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Spelled::Words(words) if words.is_empty() => None,
            Spelled::Words(words) => Some(format!("\"{}\"", words.replace('\\', "\\\\").replace('"', "\\\""))),
            Spelled::Value(expression) => Some(expression.clone()),
        })
        .collect();
    pieces.join(" ~ ")
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
