//! The forms of a page, as a browser would find them. Enough HTML for pages of our own.

use std::collections::BTreeMap;

/// A form.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub action: String,
    pub method: String,
    /// Inputs with the values they would be sent with; unticked boxes are not among them.
    pub inputs: Vec<(String, String)>,
    /// Names of every input there is, unticked boxes included.
    pub names: Vec<String>,
    /// Buttons that send a value.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// Whether there is an input of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Whether there is a button of this name and value.
    pub fn has_button(&self, name: &str, value: &str) -> bool {
        self.buttons.iter().any(|(n, v)| n == name && v == value)
    }

    /// The form with other values: what it has is replaced, what it has not is added.
    pub fn filled(mut self, values: &[(&str, &str)]) -> Self {
        for (name, value) in values {
            match self.inputs.iter_mut().find(|(known, _)| known == name) {
                Some(input) => (*value).clone_into(&mut input.1),
                None => self.inputs.push(((*name).to_owned(), (*value).to_owned())),
            }
        }
        self
    }
}

/// Every form of a page, in order.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut current: Option<Form> = None;
    for tag in tags(html) {
        match (tag.name.as_str(), &mut current) {
            ("form", _) => {
                current = Some(Form {
                    action: tag.get("action"),
                    method: tag.get("method").to_lowercase(),
                    ..Form::default()
                });
            }
            ("/form", _) => forms.extend(current.take()),
            ("input", Some(form)) if tag.attributes.contains_key("name") => {
                form.names.push(tag.get("name"));
                let kind = tag.get("type");
                let ticked = !matches!(kind.as_str(), "checkbox" | "radio") || tag.attributes.contains_key("checked");
                if ticked {
                    form.inputs.push((tag.get("name"), tag.get("value")));
                }
            }
            ("button", Some(form)) if tag.attributes.contains_key("name") => {
                form.buttons.push((tag.get("name"), tag.get("value")));
            }
            _ => (),
        }
    }
    forms
}

struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Tag {
    fn get(&self, name: &str) -> String {
        self.attributes.get(name).cloned().unwrap_or_default()
    }
}

fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let Some(end) = end_of_tag(rest) else { break };
        let inside = &rest[..end];
        rest = &rest[end + 1..];
        if inside.starts_with('!') {
            continue;
        }
        let name: String = inside
            .chars()
            .take_while(|c| !c.is_whitespace())
            .collect::<String>()
            .trim_end_matches(|c| c == '/' && inside.len() > 1)
            .to_lowercase();
        tags.push(Tag {
            attributes: attributes(inside.get(name.len()..).unwrap_or_default()),
            name,
        });
    }
    tags
}

/// The end of a tag: the first `>` outside quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '>') => return Some(index),
            _ => (),
        }
    }
    None
}

fn attributes(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..length].to_lowercase();
        rest = rest[length..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let (quoted, body) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => (Some(quote), &after[1..]),
                _ => (None, after),
            };
            let end = match quoted {
                Some(quote) => body.find(quote).unwrap_or(body.len()),
                None => body.find(char::is_whitespace).unwrap_or(body.len()),
            };
            value = unescape(&body[..end]);
            rest = body
                .get(end + usize::from(quoted.is_some())..)
                .unwrap_or_default()
                .trim_start();
        }
        if !name.is_empty() && name != "/" {
            found.insert(name, value);
        } else if length == 0 {
            break;
        }
    }
    found
}

/// The entities that our templates write.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
