//! A reader of the HTML that templates write: strict enough to notice when a value broke out of its place.

/// One piece of a document, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Start(String, Vec<(String, String)>),
    End(String),
    Text(String),
}

impl Node {
    pub fn attribute(&self, wanted: &str) -> Option<&str> {
        let Self::Start(_, attributes) = self else { return None };
        attributes
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    }

    pub fn is(&self, tag: &str) -> bool {
        matches!(self, Self::Start(name, _) if name == tag)
    }
}

/// Reads a document; panics at what no template of ours writes.
pub fn read(html: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = html.trim_start().strip_prefix("<!doctype html>").unwrap_or(html);
    while let Some((text, after)) = rest.split_once('<') {
        push_text(&mut nodes, text);
        rest = match after.strip_prefix('/') {
            Some(closing) => {
                let (name, behind) = closing.split_once('>').expect("a closed end tag");
                nodes.push(Node::End(name.to_owned()));
                behind
            }
            None => start(&mut nodes, after),
        };
    }
    push_text(&mut nodes, rest);
    nodes
}

fn push_text(nodes: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        nodes.push(Node::Text(decode(text)));
    }
}

fn start<'a>(nodes: &mut Vec<Node>, tag: &'a str) -> &'a str {
    let end = tag
        .find(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/'))
        .expect("a closed tag");
    let name = &tag[..end];
    assert!(
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()),
        "a tag called {name:?}"
    );
    let mut attributes = Vec::new();
    let mut rest = tag[end..].trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            nodes.push(Node::Start(name.to_owned(), attributes));
            return behind;
        }
        let end = rest
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/' | '='))
            .expect("a closed tag");
        let attribute = rest[..end].to_owned();
        assert!(!attribute.is_empty(), "an attribute without a name in <{name}>");
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (text, behind) = quoted.split_once('"').expect("a closed attribute");
            value = decode(text);
            rest = behind.trim_start();
        } else {
            assert!(!rest.starts_with('='), "an attribute without quotes in <{name}>");
        }
        attributes.push((attribute, value));
    }
}

/// Character references back to what they stand for; a bare ampersand is an error.
fn decode(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let (name, behind) = after.split_once(';').expect("a closed character reference");
        decoded.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#x27" | "#39" => '\'',
            "#x60" => '`',
            other => panic!("the character reference {other:?}"),
        });
        rest = behind;
    }
    decoded.push_str(rest);
    decoded
}
