//! Whatever a value holds, a page keeps its structure and shows the value as text. Each field of each context is varied by
//! itself: the context goes through JSON, one string leaf is replaced, and it comes back if the field's type admits the text.

use ostiary::view::{Frame, Link, Locale, Logo, Mail, OwnPath, Page, Views};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::document::{Node, read};
use crate::support::backend::length;

/// What replaces a leaf in the plain rendering.
const PLAIN: &str = "qzwqzw";

const HOSTILE: [&str; 12] = [
    "q<script>alert(1)</script>",
    "q\"><img src=x onerror=alert(1)>",
    "q' onmouseover='alert(1)",
    "q</title></textarea></style><svg onload=alert(1)>",
    "q{{ 7 * 7 }}{% for x in y %}",
    "q&lt;b&gt;&amp;",
    "q`${alert(1)}`",
    "q\u{202e}\u{2066}txt",
    "q<!-- --> <![CDATA[ ]]>",
    "q\r\nSet-Cookie: a=b\r\n\r\n<b>",
    "q javascript:alert(1)",
    "q{name}{app}",
];

/// The paths of all string leaves.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// The page with one leaf replaced; `None` where the field's type refuses the text.
fn varied(page: &Page, path: &str, text: &str) -> Option<Page> {
    let mut value = serde_json::to_value(page).unwrap();
    *value.pointer_mut(path).unwrap() = Value::String(text.to_owned());
    serde_json::from_value(value).ok()
}

/// The document of a plain value with that value replaced by another, node by node.
fn substituted(nodes: Vec<Node>, text: &str) -> Vec<Node> {
    nodes
        .into_iter()
        .map(|node| match node {
            Node::Start(name, attributes) => Node::Start(
                name,
                attributes
                    .into_iter()
                    .map(|(key, value)| (key, value.replace(PLAIN, text)))
                    .collect(),
            ),
            Node::Text(words) => Node::Text(words.replace(PLAIN, text)),
            end @ Node::End(_) => end,
        })
        .collect()
}

/// Every field of every page that takes free text.
pub struct Fields {
    views: Views,
    frame: Frame,
    fields: Vec<Field>,
}

/// A field, and its page drawn with the plain text in it.
struct Field {
    page: Page,
    path: String,
    plain: Vec<Node>,
}

impl Fields {
    pub fn of_every_page() -> Self {
        let (views, frame) = (Views::new().unwrap(), Frame::sample(Locale::English));
        let mut fields = Vec::new();
        for page in Page::samples() {
            let mut paths = Vec::new();
            leaves(&serde_json::to_value(&page).unwrap(), "", &mut paths);
            for path in paths {
                if let Some(plain) = varied(&page, &path, PLAIN) {
                    fields.push(Field {
                        plain: read(&views.page(&plain, &frame).unwrap()),
                        page: page.clone(),
                        path,
                    });
                }
            }
        }
        Self { views, frame, fields }
    }

    /// Draws each with this text; returns how many take it.
    pub fn stay_inert(&self, text: &str) -> usize {
        let mut varied_fields = 0;
        for Field { page, path, plain } in &self.fields {
            let Some(hostile) = varied(page, path, text) else {
                continue;
            };
            let shown = read(&self.views.page(&hostile, &self.frame).unwrap());
            let expected = substituted(plain.clone(), text);
            let differing = shown.iter().zip(&expected).find(|(left, right)| left != right);
            assert_eq!(differing, None, "{path} with {text:?}");
            assert_eq!(shown.len(), expected.len(), "{path} with {text:?}");
            varied_fields += 1;
        }
        varied_fields
    }
}

#[test]
fn hostile_text_in_any_field_of_any_page_is_shown_and_does_nothing() {
    let fields = Fields::of_every_page();
    for text in &HOSTILE[..length(1, 12, 12)] {
        assert!(fields.stay_inert(text) > 50, "too few fields take free text");
    }
}

/// SEC-024: what an error page repeats of a request is text.
#[test]
fn error_output_escaped() {
    let views = Views::new().unwrap();
    let Some(Page::Error(mut error)) = Page::samples().into_iter().find(|page| matches!(page, Page::Error(_))) else {
        panic!("an error page among the samples");
    };
    error.detail = Some("<script>alert(1)</script>".to_owned());
    let html = views
        .page(&Page::Error(error), &Frame::sample(Locale::English))
        .unwrap();
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;"));
}

#[test]
fn the_target_of_a_form_reads_as_an_address() {
    let views = Views::new().unwrap();
    let samples = Page::samples();
    let page = samples.iter().find(|page| matches!(page, Page::Login(_)));
    let html = views.page(page.unwrap(), &Frame::sample(Locale::English)).unwrap();
    assert!(html.contains("action=\"/login\""), "{html}");
}

/// SEC-764: for random text, reading the drawn page returns the text unchanged at the same node.
#[test]
fn prop_escape_context() {
    let fields = Fields::of_every_page();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: length(6, 24, 240),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let texts = ("q\\PC{0,40}", "q[<>&\"'/=`{}% a-z\\r\\n\\t]{0,40}");
    runner
        .run(&texts, |(text, markup)| {
            fields.stay_inert(&text);
            fields.stay_inert(&markup);
            Ok(())
        })
        .unwrap();
}

#[test]
fn hostile_text_in_the_frame_is_shown_and_does_nothing() {
    let views = Views::new().unwrap();
    let hostile = "\"><script>alert(1)</script>";
    let frame = Frame {
        nonce: hostile.to_owned(),
        trace: hostile.to_owned(),
        path: OwnPath::parse("/log\"><script>in"),
        query: format!("a={hostile}&{hostile}"),
        csrf: hostile.to_owned(),
        ..Frame::sample(Locale::English)
    };
    let plain = Frame::sample(Locale::English);
    for page in Page::samples() {
        let names = |frame| {
            read(&views.page(&page, frame).unwrap())
                .into_iter()
                .filter_map(|node| match node {
                    Node::Start(name, attributes) => {
                        Some((name, attributes.into_iter().map(|(key, _)| key).collect::<Vec<_>>()))
                    }
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&frame), names(&plain));
    }
}

#[test]
fn hostile_text_in_a_mail_stays_text_and_its_subject_one_line() {
    let views = Views::new().unwrap();
    for sample in Mail::samples() {
        let mut paths = Vec::new();
        let value = serde_json::to_value(&sample).unwrap();
        leaves(&value, "", &mut paths);
        for path in paths {
            for text in HOSTILE {
                let draw = |text: &str| {
                    let mut value = value.clone();
                    *value.pointer_mut(&path).unwrap() = Value::String(text.to_owned());
                    let mail: Mail = serde_json::from_value(value).ok()?;
                    Some(views.mail(&mail, Locale::English).unwrap())
                };
                let (Some(hostile), Some(plain)) = (draw(text), draw(PLAIN)) else {
                    continue;
                };
                assert_eq!(read(&hostile.html), substituted(read(&plain.html), text));
                assert!(!hostile.subject.contains(char::is_control));
            }
        }
    }
}

/// SEC-004: no type that a template links to holds a scheme that runs a script, in any spelling.
#[test]
fn url_scheme_allowlist_everywhere() {
    for text in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " \tjava\nscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "blob:https://shop.example/1",
        "file:///etc/passwd",
        "view-source:https://shop.example",
        "com.example.app:/callback",
        "//shop.example",
        "/path",
        "",
    ] {
        assert!(Link::parse(text).is_none(), "a link to {text:?}");
        assert!(Logo::parse(text).is_none(), "a logo at {text:?}");
    }
    assert_eq!(
        Link::parse("HTTPS://Shop.Example").unwrap().as_str(),
        "https://shop.example/"
    );
    assert!(Link::parse("http://shop.example/").is_some());
}

#[test]
fn a_logo_is_loaded_over_https_or_from_this_computer() {
    for text in [
        "https://shop.example/a.png",
        "http://localhost:3000/a.png",
        "http://127.0.0.1/a",
        "http://[::1]/a",
    ] {
        assert!(Logo::parse(text).is_some(), "{text}");
    }
    for text in [
        "http://shop.example/a.png",
        "http://localhost.example/a",
        "http://10.0.0.1/a",
    ] {
        assert!(Logo::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_form_of_ours_posts_to_a_path_of_ours() {
    for text in [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "login",
        "",
    ] {
        assert!(OwnPath::parse(text).is_none(), "{text:?}");
        assert_eq!(OwnPath::or_home(text).as_str(), "/");
    }
    assert_eq!(
        OwnPath::or_home("/login?interaction=a").as_str(),
        "/login?interaction=a"
    );
}
