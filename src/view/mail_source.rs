//! What an administrator may write into a mail: words, the values of its kind, conditions, and a few functions. Everything else is refused
//! when it is saved, with its line: no loops, no definitions, no filters, nothing that makes a text longer than it is written.

use super::mail::Mail;
use super::mail_html;

/// No subject is longer, in characters.
const LONGEST_SUBJECT: usize = 200;
/// No text is longer, in bytes.
const LONGEST_TEXT: usize = 20_000;
/// No HTML is longer, in bytes.
const LONGEST_HTML: usize = 60_000;

/// The functions, and what each gives.
pub const MAIL_FUNCTIONS: [(&str, &str); 4] = [
    ("t", "`t(\"key\")`: a text of the program, in the mail's language."),
    ("duration", "`duration(mail.seconds)`: a length of time in words."),
    ("moment_text", "`moment_text(mail.at)`: a moment in words, UTC."),
    (
        "part",
        "`part(\"mail_button\", link=mail.link, label=\"Go\")`, `part(\"mail_link\", link=mail.link)`, `part(\"mail_code\", code=mail.code)`, `part(\"device\", device=mail.device)`: a button, an address, a code, a device in words.",
    ),
];
const PARTS: [&str; 4] = ["mail_button", "mail_link", "mail_code", "device"];
const WORDS: [&str; 8] = ["if", "else", "not", "and", "or", "true", "false", "none"];
const BLOCKS: [&str; 4] = ["if", "elif", "else", "endif"];
/// Values that stand in every mail.
const EVERYWHERE: [&str; 3] = ["brand.name", "brand.footer", "locale"];

/// Values without which a mail is of no use: where its kind has one, it has to be in the text and in the HTML.
const NEEDED: [&str; 4] = ["link", "stranger", "code", "unlock"];

/// Values that are addresses of this server.
const ADDRESSES: [&str; 7] = ["account", "link", "lock", "recovery", "sign_in", "stranger", "unlock"];

/// What the values are.
const VALUES: &[(&str, &str)] = &[
    ("account", "The address of the person's own account."),
    ("address", "The network address that it was asked from, if it is known."),
    ("at", "When it happened; `moment_text` puts it in words."),
    ("by_administrator", "Whether somebody else did it for the person."),
    (
        "change",
        "What became of the second factor or the account: `added`, `removed`, `locked` and so on.",
    ),
    ("code", "The code; it counts once."),
    ("device", "The browser and device, for `part(\"device\", ...)`."),
    ("digits", "The last digits of the number."),
    ("email", "The mail address it is about."),
    (
        "factor",
        "What the person called the second factor, if it is about one.",
    ),
    ("invited", "Whether an administrator asked for it."),
    ("is_first", "Whether the person had no password before."),
    ("left", "How many are left."),
    ("link", "The address that the mail leads to; it works once."),
    ("lock", "The address that locks the account at once; it works once."),
    ("name", "The person's name, if it is known."),
    ("place", "Roughly where it came from, if it is known."),
    (
        "recovery",
        "The address where a link to a new password is asked for, if people may help themselves.",
    ),
    ("seconds", "How long the link works; `duration` puts it in words."),
    ("sign_in", "The address of the sign-in page."),
    (
        "step",
        "What the mail is about, in a word: `confirm`, `allow`, `changed` and so on.",
    ),
    ("stranger", "The address where the person says that it was not them."),
    ("unlock", "The address that ends the wait; it works once."),
    (
        "until",
        "When the account is deleted or deactivated; `moment_text` puts it in words.",
    ),
    ("unused", "Whether the account ends because nobody signs in to it."),
    ("username", "What the person signs in with."),
    ("waits", "Whether the device waits to be let in."),
];

/// A value that a mail of some kind can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailValue {
    /// As it is written: `mail.link`.
    pub name: String,
    /// What it is.
    pub sentence: &'static str,
    /// Whether the mail is of no use without it.
    pub is_needed: bool,
}

/// A part of a mail's template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailPart {
    /// One line.
    Subject,
    /// Plain text.
    Text,
    /// What stands in the frame, HTML.
    Html,
}

impl MailPart {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    /// Its name in the API and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct MailFault {
    /// In which part.
    pub part: MailPart,
    /// What, for people, with its line.
    pub what: String,
}

/// The values of a kind, by name.
pub fn mail_values(kind: &str) -> Vec<MailValue> {
    let mut names = std::collections::BTreeSet::new();
    for sample in Mail::samples().iter().filter(|sample| sample.kind() == kind) {
        names.extend(sample.value_names());
    }
    names
        .into_iter()
        .map(|name| MailValue {
            sentence: VALUES
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("", |(_, sentence)| sentence),
            is_needed: NEEDED.contains(&name.as_str()),
            name: format!("mail.{name}"),
        })
        .collect()
}

/// Reads a source, and finds what is wrong with it: the first of it.
pub(super) fn examine(part: MailPart, source: &str, values: &[MailValue]) -> Result<(), MailFault> {
    let fault = |what: String| MailFault { part, what };
    let (length, most) = match part {
        MailPart::Subject => (source.chars().count(), LONGEST_SUBJECT),
        MailPart::Text => (source.len(), LONGEST_TEXT),
        MailPart::Html => (source.len(), LONGEST_HTML),
    };
    if length > most {
        return Err(fault(format!("it is longer than {most}")));
    }
    if source.trim().is_empty() {
        return Err(fault("it is empty".to_owned()));
    }
    if part == MailPart::Subject && source.chars().any(char::is_control) {
        return Err(fault("a subject is one line".to_owned()));
    }
    let mut reader = Reader {
        source,
        at: 0,
        values,
        said: Vec::new(),
        places: String::new(),
    };
    reader
        .read()
        .map_err(|what| fault(format!("line {}: {what}", reader.line())))?;
    if part == MailPart::Html {
        mail_html::examine(&reader.places).map_err(|wrong| fault(format!("line {}: {}", wrong.line, wrong.what)))?;
    }
    if part == MailPart::Subject {
        return Ok(());
    }
    for needed in values.iter().filter(|value| value.is_needed) {
        if !reader.said.contains(&needed.name) {
            return Err(fault(format!(
                "without {{{{ {} }}}} this mail is of no use",
                needed.name
            )));
        }
    }
    Ok(())
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    values: &'a [MailValue],
    said: Vec<String>,
    /// The source with a place for each expression.
    places: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Number,
    /// A word, or several with dots between.
    Name(String),
    Sign(&'static str),
}

/// The longer ones first.
const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", ",", "=", "~"];

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn line(&self) -> usize {
        self.source.get(..self.at).unwrap_or(self.source).matches('\n').count() + 1
    }

    fn read(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest().find('{') {
            self.leave(next);
            let rest = self.rest();
            let begins = self.at;
            if rest.starts_with("{#") {
                let end = rest.find("#}").ok_or("a comment has no end")?;
                self.at += end + 2;
                self.put(None, begins);
            } else if rest.starts_with("{{") {
                let tokens = self.tokens("}}")?;
                self.judge(&tokens)?;
                let is_address = matches!(tokens.as_slice(), [Token::Name(name)] if is_address(name));
                let place = if is_address {
                    mail_html::ADDRESS
                } else {
                    mail_html::VALUE
                };
                self.put(Some(place), begins);
            } else if rest.starts_with("{%") {
                let tokens = self.tokens("%}")?;
                let known = BLOCKS.join(", ");
                match tokens.split_first() {
                    Some((Token::Name(block), condition)) if BLOCKS.contains(&block.as_str()) => {
                        self.judge(condition)?
                    }
                    Some((Token::Name(block), _)) => {
                        return Err(format!("{{% {block} %}} is not known here; {known} are"));
                    }
                    _ => return Err(format!("expected one of: {known}")),
                }
                self.put(Some(mail_html::BLOCK), begins);
            } else {
                self.leave(1);
            }
        }
        self.leave(self.rest().len());
        Ok(())
    }

    /// Goes on behind so much of plain text.
    fn leave(&mut self, length: usize) {
        let text = self.rest().get(..length).unwrap_or_default();
        self.places.push_str(&mail_html::plain(text));
        self.at += length;
    }

    /// Puts a place for what began there, in as many lines.
    fn put(&mut self, place: Option<char>, begins: usize) {
        self.places.extend(place);
        let expression = self.source.get(begins..self.at).unwrap_or_default();
        self.places.extend(expression.chars().filter(|letter| *letter == '\n'));
    }

    /// What stands between two braces and their end.
    fn tokens(&mut self, end: &str) -> Result<Vec<Token>, String> {
        self.at += 2;
        let mut tokens = Vec::new();
        if self.rest().starts_with('-') {
            self.at += 1;
        }
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let rest = trimmed;
            let ending = rest.strip_prefix('-').filter(|after| after.starts_with(end));
            if rest.starts_with(end) || ending.is_some() {
                self.at += end.len() + usize::from(ending.is_some());
                return Ok(tokens);
            }
            let Some(first) = rest.chars().next() else {
                return Err(format!("{end} is missing"));
            };
            let (token, length) = match first {
                '"' | '\'' => {
                    let text = quoted(rest, first).ok_or("a quoted text has no end")?;
                    (Token::Text(text.to_owned()), text.len() + 2)
                }
                '0'..='9' => {
                    let length = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
                    (Token::Number, length)
                }
                'a'..='z' | 'A'..='Z' | '_' => {
                    let is_of_name = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '.';
                    let length = rest.find(|one| !is_of_name(one)).unwrap_or(rest.len());
                    (Token::Name(rest.get(..length).unwrap_or_default().to_owned()), length)
                }
                _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                    Some(sign) => (Token::Sign(sign), sign.len()),
                    None => return Err(format!("{first} can't be used here")),
                },
            };
            tokens.push(token);
            self.at += length;
        }
    }

    fn judge(&mut self, tokens: &[Token]) -> Result<(), String> {
        for (place, token) in tokens.iter().enumerate() {
            let Token::Name(name) = token else { continue };
            // `else (...)` calls nothing
            if WORDS.contains(&name.as_str()) {
                continue;
            }
            match tokens.get(place + 1) {
                Some(Token::Sign("(")) => match MAIL_FUNCTIONS.iter().any(|(known, _)| known == name) {
                    true if name == "part" => {
                        let known =
                            matches!(tokens.get(place + 2), Some(Token::Text(part)) if PARTS.contains(&part.as_str()));
                        if !known {
                            return Err(format!("the parts are: {}", PARTS.join(", ")));
                        }
                    }
                    true => {}
                    false => {
                        let known: Vec<&str> = MAIL_FUNCTIONS.iter().map(|(known, _)| *known).collect();
                        return Err(format!(
                            "there is no function {name}; the functions are: {}",
                            known.join(", ")
                        ));
                    }
                },
                // the name of an argument; where a part leads to, its beginning says
                Some(Token::Sign("=")) if !name.contains('.') => {
                    if name == "link" {
                        judge_link(tokens.get(place + 2), tokens.get(place + 3))?;
                    }
                }
                _ => self.judge_name(name)?,
            }
        }
        Ok(())
    }

    fn judge_name(&mut self, name: &str) -> Result<(), String> {
        if WORDS.contains(&name) || EVERYWHERE.contains(&name) {
            return Ok(());
        }
        let is_value = |value: &&MailValue| {
            let inside = name.strip_prefix(value.name.as_str());
            inside.is_some_and(|inside| inside.is_empty() || inside.starts_with('.'))
        };
        if let Some(value) = self.values.iter().find(is_value) {
            self.said.push(value.name.clone());
            return Ok(());
        }
        let known: Vec<&str> = self
            .values
            .iter()
            .map(|value| value.name.as_str())
            .chain(EVERYWHERE)
            .collect();
        Err(format!(
            "there is no value {name} in this mail; there are: {}",
            known.join(", ")
        ))
    }
}

/// A button and an address lead to a value of the mail that is an address, or where a text begins.
fn judge_link(link: Option<&Token>, next: Option<&Token>) -> Result<(), String> {
    let is_good = match link {
        Some(Token::Name(name)) => is_address(name),
        Some(Token::Text(text)) => mail_html::is_allowed(text),
        _ => false,
    };
    if is_good && matches!(next, Some(Token::Sign("," | ")"))) {
        return Ok(());
    }
    Err(format!("link= {}", mail_html::EXPECTED))
}

fn is_address(name: &str) -> bool {
    name.strip_prefix("mail.").is_some_and(|name| ADDRESSES.contains(&name))
}

/// What stands between two quotation marks at the beginning.
fn quoted(text: &str, mark: char) -> Option<&str> {
    let mut is_escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if one == '\\' {
            is_escaped = true;
        } else if one == mark {
            return text.get(1..at);
        }
    }
    None
}
