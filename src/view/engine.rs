//! The template engine: compiled once at start, drawn from on every request.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter};

use super::catalogue::{Catalogue, Piece};
use super::functions::Texts;
use super::page::{Drawing, Page};
use super::{Asset, Error, Frame, Locale, functions};

/// More steps than the longest page takes, so that a mistaken loop ends (SEC-452).
const STEPS: u64 = 2_000_000;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

pub(super) const TEMPLATES: [(&str, &str); 117] = templates![
    "page/layout.html",
    "page/login.html",
    "page/login_code.html",
    "page/login_link.html",
    "page/consent.html",
    "page/choose_account.html",
    "page/sign_out.html",
    "page/signed_out.html",
    "page/signing_out.html",
    "page/error.html",
    "page/busy.html",
    "page/form_post.html",
    "page/setup.html",
    "page/setup_done.html",
    "page/home.html",
    "page/ending.html",
    "page/enrol_factor.html",
    "page/new_password.html",
    "page/not_me.html",
    "page/forgot.html",
    "page/recover.html",
    "page/required_password.html",
    "page/register.html",
    "page/request_access.html",
    "page/required_terms.html",
    "page/terms_list.html",
    "page/terms.html",
    "page/own_terms.html",
    "page/new_account.html",
    "page/own_password.html",
    "page/own_profile.html",
    "page/own_events.html",
    "page/own_step.html",
    "page/account_door.html",
    "page/required_profile.html",
    "page/required_email.html",
    "page/required_phone.html",
    "page/stay.html",
    "page/own_account.html",
    "page/own_factors.html",
    "page/own_email.html",
    "page/own_phone.html",
    "page/confirm_email.html",
    "page/wait.html",
    "page/new_authenticator.html",
    "page/new_passkey.html",
    "page/recovery_codes.html",
    "page/second_factor.html",
    "page/devices.html",
    "page/leave.html",
    "page/api_docs.html",
    "page/doctor.html",
    "page/demo_messages.html",
    "page/demo_clock.html",
    "part/account.html",
    "part/device.html",
    "part/alert.html",
    "part/client.html",
    "part/code.html",
    "part/demo_tabs.html",
    "part/factor.html",
    "part/field.html",
    "part/hidden.html",
    "part/icon.html",
    "part/links.html",
    "part/login.html",
    "part/login_error.html",
    "part/mail_button.html",
    "part/mail_link.html",
    "part/mail_code.html",
    "part/mark.html",
    "part/profile_fields.html",
    "part/profile_problems.html",
    "part/property_fields.html",
    "part/property_problems.html",
    "part/wordmark.html",
    "part/new_password.html",
    "part/terms.html",
    "part/passkey_trouble.html",
    "part/password_problems.html",
    "mail/welcome.html",
    "mail/welcome.txt",
    "mail/new_device.html",
    "mail/new_device.txt",
    "mail/new_password.html",
    "mail/new_password.txt",
    "mail/recovery.html",
    "mail/recovery.txt",
    "mail/address.html",
    "mail/address.txt",
    "mail/access.html",
    "mail/access.txt",
    "mail/registration.html",
    "mail/registration.txt",
    "mail/already_registered.html",
    "mail/already_registered.txt",
    "mail/password_changed.html",
    "mail/password_changed.txt",
    "mail/account.html",
    "mail/account.txt",
    "mail/factor.html",
    "mail/factor.txt",
    "mail/code.html",
    "mail/code.txt",
    "mail/sign_in_link.html",
    "mail/sign_in_link.txt",
    "mail/phone.html",
    "mail/phone.txt",
    "mail/password_link.html",
    "mail/password_link.txt",
    "mail/account_expiry.html",
    "mail/account_expiry.txt",
    "mail/password_expiry.html",
    "mail/password_expiry.txt",
    "mail/lockout.html",
    "mail/lockout.txt",
    "mail/frame.html",
];

/// Every page and mail, ready to draw.
pub struct Views {
    pub(super) environment: Environment<'static>,
    pub(super) texts: Texts,
}

impl Views {
    /// Compiles the templates and reads the texts.
    ///
    /// # Errors
    /// A template or locale file of ours that does not parse.
    pub fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".txt") {
                AutoEscape::None
            } else {
                AutoEscape::Html
            }
        });
        environment.set_formatter(write);
        environment.set_fuel(Some(STEPS));
        // Nothing in a template can declare text to be markup.
        environment.remove_filter("safe");
        let mut texts = Vec::new();
        for locale in Locale::ALL {
            texts.push((locale, Catalogue::read(locale)?));
        }
        let texts: Texts = Arc::new(texts);
        functions::add(&mut environment, Arc::clone(&texts));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment, texts })
    }

    /// A whole HTML document.
    ///
    /// # Errors
    /// A template that does not fit its context: a mistake of ours.
    pub fn page(&self, page: &Page, frame: &Frame) -> Result<String, Error> {
        let Drawing {
            template,
            shape,
            scripts,
            context,
        } = page.drawing();
        let shown = Value::from(Serde(frame.shown()));
        let locale = Value::from(frame.locale.tag());
        let body = self
            .environment
            .get_template(template)?
            .render_captured(Value::from_pairs([
                ("page", context),
                ("frame", shown.clone()),
                ("locale", locale.clone()),
            ]))?;
        let title = body.state().lookup("title").ok_or(Error::NoTitle { template })?;
        let document = self
            .environment
            .get_template("page/layout.html")?
            .render(Value::from_pairs([
                ("title", title),
                ("body", Value::from_safe_string(body.into_output())),
                ("shape", Value::from(shape.name())),
                ("scripts", Value::from(scripts)),
                ("frame", shown),
                ("locale", locale),
            ]))?;
        Ok(document)
    }

    /// A text with its values filled in, for who draws no page; the key itself where there is no such text.
    pub fn sentence(&self, locale: Locale, key: &str, values: &[(&'static str, String)]) -> String {
        let catalogue = self.texts.iter().find(|(known, _)| *known == locale);
        let Some(pieces) = catalogue.and_then(|(_, catalogue)| catalogue.pieces(key)) else {
            return key.to_owned();
        };
        let piece = |piece: &Piece<'_>| match piece {
            Piece::Text(words) => (*words).to_owned(),
            Piece::Value(name) => {
                let value = values.iter().find(|(known, _)| known == name);
                value.map(|(_, value)| value.clone()).unwrap_or_default()
            }
        };
        pieces.iter().map(piece).collect()
    }

    /// The languages there are texts for.
    pub fn locales(&self) -> [Locale; 3] {
        Locale::ALL
    }

    /// A file below `/assets/`.
    pub fn asset(path: &str) -> Option<Asset> {
        Asset::find(path)
    }
}

/// Writes a value, escaped as its template wants it. A slash stays one: it ends no text and no attribute, and whoever
/// reads the target of a form with less than a whole HTML parser finds an address there.
fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    let text = match value.as_str() {
        Some(text) if *state.auto_escape() == AutoEscape::Html && !value.is_safe() => text,
        _ => return escape_formatter(out, state, value),
    };
    for (number, piece) in text.split('/').enumerate() {
        if number > 0 {
            out.write_str("/").map_err(minijinja::Error::from)?;
        }
        escape_formatter(out, state, &Value::from(piece))?;
    }
    Ok(())
}
