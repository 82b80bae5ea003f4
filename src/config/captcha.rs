//! `[captcha]`: a service that tells people from programs. Three are known by name; any other that keeps the same contract is described.

use toml::Value;
use url::Url;

use super::address;
use super::entries::{Entries, text};
use super::problem::{Problem, Reason};
use crate::model::Secret;

/// No key of a site is longer.
const LONGEST_WORD: usize = 200;

/// The way to the service.
#[derive(Clone, Debug)]
pub struct Captcha {
    /// What the service calls this site; everybody may know it.
    pub site_key: String,
    /// What this server shows it.
    pub secret: Secret,
    /// The script of its widget.
    pub script: Url,
    /// Where what the widget brought is judged.
    pub verify: Url,
    /// The class of the element that the script draws its widget in.
    pub class: String,
    /// The field of the form that the widget fills.
    pub field: String,
    /// What else the widget loads, as source expressions (CSP Level 3 section 2.3.1).
    pub sources: CaptchaSources,
    /// Whether it is told from which network address somebody comes.
    pub address: CaptchaAddress,
}

/// What a widget loads, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptchaSources {
    /// Scripts.
    pub scripts: Vec<String>,
    /// Frames.
    pub frames: Vec<String>,
    /// Stylesheets.
    pub styles: Vec<String>,
    /// What its scripts ask.
    pub connections: Vec<String>,
}

/// Whether a network address is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptchaAddress {
    /// It is.
    Told,
    /// It is not.
    Kept,
}

/// A service that is known by name, as its documentation describes it.
struct Preset {
    name: &'static str,
    script: &'static str,
    verify: &'static str,
    class: &'static str,
    field: &'static str,
    scripts: &'static [&'static str],
    frames: &'static [&'static str],
    styles: &'static [&'static str],
    connections: &'static [&'static str],
}

const HCAPTCHA: &[&str] = &["https://hcaptcha.com", "https://*.hcaptcha.com"];
const TURNSTILE: &[&str] = &["https://challenges.cloudflare.com"];
const RECAPTCHA: &str = "https://www.google.com/recaptcha/";

const PRESETS: [Preset; 3] = [
    Preset {
        name: "hcaptcha",
        script: "https://js.hcaptcha.com/1/api.js",
        verify: "https://api.hcaptcha.com/siteverify",
        class: "h-captcha",
        field: "h-captcha-response",
        scripts: HCAPTCHA,
        frames: HCAPTCHA,
        styles: HCAPTCHA,
        connections: HCAPTCHA,
    },
    Preset {
        name: "recaptcha",
        script: "https://www.google.com/recaptcha/api.js",
        verify: "https://www.google.com/recaptcha/api/siteverify",
        class: "g-recaptcha",
        field: "g-recaptcha-response",
        scripts: &[RECAPTCHA, "https://www.gstatic.com/recaptcha/"],
        frames: &[RECAPTCHA, "https://recaptcha.google.com/recaptcha/"],
        styles: &[],
        connections: &[RECAPTCHA],
    },
    Preset {
        name: "turnstile",
        script: "https://challenges.cloudflare.com/turnstile/v0/api.js",
        verify: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        class: "cf-turnstile",
        field: "cf-turnstile-response",
        scripts: TURNSTILE,
        frames: TURNSTILE,
        styles: &[],
        connections: &[],
    },
];

/// What a service of one's own is drawn in and answers by, unless that is said.
const OWN_CLASS: &str = "captcha";
const OWN_FIELD: &str = "captcha-response";
const CHOICE: Reason = Reason::Choice("hcaptcha, recaptcha, turnstile and own");

impl Captcha {
    pub(super) fn read(entries: &mut Entries) -> Option<Self> {
        let lonely = lonely(entries);
        entries.note(lonely);
        let provider = entries.take("captcha.provider", |value| {
            let text = text(value)?;
            let known = PRESETS.iter().find(|preset| preset.name == text);
            match known {
                Some(preset) => Ok(Some(preset)),
                None if text == "own" => Ok(None),
                None => Err(CHOICE),
            }
        });
        let site_key = entries.take("captcha.site_key", word);
        let secret = entries.take("captcha.secret", address::password);
        let script = entries.take("captcha.script_url", document);
        let verify = entries.take("captcha.verify_url", document);
        let class = entries.take("captcha.class", word);
        let field = entries.take("captcha.field", word);
        let address = entries.take("captcha.send_address", |value| match value {
            Value::Boolean(true) => Ok(CaptchaAddress::Told),
            Value::Boolean(false) => Ok(CaptchaAddress::Kept),
            Value::String(text) if text == "true" => Ok(CaptchaAddress::Told),
            Value::String(text) if text == "false" => Ok(CaptchaAddress::Kept),
            _ => Err(Reason::Choice("true and false")),
        });
        let preset = provider?;
        let usual = |own: Option<Url>, url: fn(&Preset) -> &'static str| {
            own.or_else(|| preset.and_then(|preset| Url::parse(url(preset)).ok()))
        };
        let script = usual(script, |preset| preset.script)?;
        let mut sources = preset.map(Preset::sources).unwrap_or_default();
        let origin = script.origin().ascii_serialization();
        if preset.is_none_or(|preset| !preset.script.starts_with(&origin)) {
            sources.scripts.push(origin.clone());
            sources.frames.push(origin.clone());
            sources.connections.push(origin);
        }
        Some(Self {
            site_key: site_key?,
            secret: secret?,
            verify: usual(verify, |preset| preset.verify)?,
            class: class.unwrap_or_else(|| preset.map_or(OWN_CLASS, |preset| preset.class).to_owned()),
            field: field.unwrap_or_else(|| preset.map_or(OWN_FIELD, |preset| preset.field).to_owned()),
            script,
            sources,
            address: address.unwrap_or(CaptchaAddress::Kept),
        })
    }
}

impl Preset {
    fn sources(&self) -> CaptchaSources {
        let owned = |sources: &[&str]| sources.iter().map(|source| (*source).to_owned()).collect();
        CaptchaSources {
            scripts: owned(self.scripts),
            frames: owned(self.frames),
            styles: owned(self.styles),
            connections: owned(self.connections),
        }
    }
}

/// What is missing beside what is there.
fn lonely(entries: &Entries) -> Vec<Problem> {
    const OF_ANYONE: [&str; 7] = [
        "captcha.site_key",
        "captcha.secret",
        "captcha.script_url",
        "captcha.verify_url",
        "captcha.class",
        "captcha.field",
        "captcha.send_address",
    ];
    let mut lonely = entries.lonely(&OF_ANYONE.map(|key| (key, "captcha.provider")));
    lonely.extend(entries.lonely(&[
        ("captcha.provider", "captcha.site_key"),
        ("captcha.provider", "captcha.secret"),
    ]));
    if entries.word("captcha.provider") == Some("own") {
        lonely.extend(entries.lonely(&[
            ("captcha.provider", "captcha.script_url"),
            ("captcha.provider", "captcha.verify_url"),
        ]));
    }
    lonely
}

/// A word that stands in a page or a form.
fn word(value: &Value) -> Result<String, Reason> {
    let text = text(value)?.trim().to_owned();
    let is_word = text.len() <= LONGEST_WORD && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { Ok(text) } else { Err(Reason::Text) }
}

/// An address of theirs: https, or http on this machine.
fn document(value: &Value) -> Result<Url, Reason> {
    let url = Url::parse(text(value)?.trim()).map_err(|_| Reason::Url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Reason::UrlUser);
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_here(&host) => Ok(url),
        ("http", Some(_)) => Err(Reason::PlainHttp),
        _ => Err(Reason::Url),
    }
}

fn is_here(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => *name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}
