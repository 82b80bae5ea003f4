//! What the HTML of a mail may hold that an administrator has written: addresses that lead to the web or into a mailbox, and nothing that
//! runs. It is read as leniently as programs that show mails read it: what can't be told apart is refused.
//!
//! An address is right by its beginning alone, as it stands there: `https://`, `http://`, `mailto:`, or a value of the mail that is an
//! address. So no spelling of another scheme has to be known, with blanks, character references or capitals in it.

/// A place where a value of the mail stands that is an address.
pub(super) const ADDRESS: char = '\u{E000}';
/// A place where another value stands.
pub(super) const VALUE: char = '\u{E001}';
/// A place where a condition begins or ends.
pub(super) const BLOCK: char = '\u{E002}';

/// Attributes whose value is an address (HTML section "Attributes"), and those of older programs.
const ADDRESSES: [&str; 14] = [
    "action",
    "background",
    "cite",
    "data",
    "dynsrc",
    "formaction",
    "href",
    "longdesc",
    "lowsrc",
    "manifest",
    "ping",
    "poster",
    "src",
    "xlink:href",
];
/// Elements that run something, frame something, or change what addresses mean.
const FORBIDDEN: [&str; 9] = [
    "applet", "base", "embed", "frame", "iframe", "link", "meta", "object", "script",
];
const BEGINNINGS: [&str; 3] = ["https://", "http://", "mailto:"];
/// What is expected of an address; it continues a sentence that begins with where it stands.
pub(super) const EXPECTED: &str =
    "begins with https://, http:// or mailto:, or is a value of the mail that is an address";

/// Whether this character stands for something of the template.
const fn is_place(letter: char) -> bool {
    matches!(letter, ADDRESS | VALUE | BLOCK)
}

/// Text as it may stand between places: no letter of it is taken for one.
pub(super) fn plain(text: &str) -> String {
    text.replace(is_place, "\u{FFFD}")
}

/// What is wrong, and in which line.
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

/// Finds the first thing that may not stand there, in a source whose expressions were replaced by places.
pub(super) fn examine(source: &str) -> Result<(), Wrong> {
    let mut reader = Reader { source, at: 0 };
    reader.read().map_err(|what| Wrong {
        line: source.get(..reader.at).unwrap_or(source).matches('\n').count() + 1,
        what,
    })
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn first(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// What stands there while it is so, and goes behind it.
    fn take(&mut self, is_so: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|letter| !is_so(letter)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Comments are read as everything else: some programs show what stands in them.
    fn read(&mut self) -> Result<(), String> {
        while let Some(before) = self.rest().find('<') {
            self.at += before + 1;
            self.take(|letter| letter == '/');
            match self.first() {
                Some(letter) if letter.is_ascii_alphabetic() => self.tag()?,
                Some(letter) if is_place(letter) => return Err("the name of an element can't be a value".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    fn tag(&mut self) -> Result<(), String> {
        let name = self.take(|letter| !letter.is_whitespace() && !matches!(letter, '/' | '>') && !is_place(letter));
        let name = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&name.as_str()) {
            return Err(format!("<{name}> can't stand in a mail"));
        }
        loop {
            self.take(|letter| letter.is_whitespace() || letter == '/');
            match self.first() {
                None => return Ok(()),
                Some('>') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(letter) if is_place(letter) => return Err(in_a_tag()),
                Some(_) => self.attribute()?,
            }
        }
    }

    fn attribute(&mut self) -> Result<(), String> {
        // an equals sign at the beginning is a part of the name (HTML section 13.2.5.32)
        let begins = self.at;
        self.at += self.first().map_or(0, char::len_utf8);
        self.take(|letter| !letter.is_whitespace() && !matches!(letter, '/' | '>' | '=') && !is_place(letter));
        let name = self
            .source
            .get(begins..self.at)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if name.starts_with("on") {
            return Err(format!("{name} runs a script, which can't stand in a mail"));
        }
        self.take(char::is_whitespace);
        if self.first() != Some('=') {
            return Ok(());
        }
        self.at += 1;
        self.take(char::is_whitespace);
        let is_address = ADDRESSES.contains(&name.as_str());
        let value = match self.first() {
            Some(mark @ ('"' | '\'')) => {
                self.at += 1;
                let value = self.take(|letter| letter != mark);
                self.at += usize::from(self.first().is_some());
                value
            }
            _ if is_address => return Err(format!("the address of {name} stands in quotation marks")),
            _ => {
                let value = self.take(|letter| !letter.is_whitespace() && letter != '>');
                if value.contains(is_place) {
                    return Err(in_a_tag());
                }
                value
            }
        };
        if is_address && !is_allowed(value) {
            return Err(format!("{name}= {EXPECTED}"));
        }
        Ok(())
    }
}

pub(super) fn is_allowed(value: &str) -> bool {
    let begins = |beginning: &str| {
        value
            .get(..beginning.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(beginning))
    };
    BEGINNINGS.into_iter().any(begins) || value.chars().eq([ADDRESS])
}

fn in_a_tag() -> String {
    "in a tag values and conditions stand inside quotation marks alone".to_owned()
}
