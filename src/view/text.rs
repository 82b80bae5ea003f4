//! What is sent as a text message.

use serde::{Deserialize, Serialize};

use super::{Locale, Views};

/// A text message to a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Text {
    /// A code to type in.
    Code(CodeText),
}

/// A code to type in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeText {
    /// The digits.
    pub code: String,
    /// What for.
    pub used_for: CodeUse,
    /// The host of the pages that it is typed at.
    pub host: String,
}

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeUse {
    /// To show that a number is one's own.
    Confirm,
    /// To sign in.
    SignIn,
}

impl CodeUse {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Confirm, Self::SignIn];

    const fn key(self) -> &'static str {
        match self {
            Self::Confirm => "text_code_confirm",
            Self::SignIn => "text_code_sign_in",
        }
    }
}

impl Text {
    /// One of each.
    pub fn samples() -> Vec<Self> {
        let code = |used_for| {
            Self::Code(CodeText {
                code: "413207".to_owned(),
                used_for,
                host: "login.example.com".to_owned(),
            })
        };
        CodeUse::ALL.map(code).to_vec()
    }
}

impl Views {
    /// A text message. Its last line tells the browser of which site the code is (origin-bound one-time codes), so that it is offered
    /// there and nowhere else.
    pub fn text(&self, text: &Text, locale: Locale) -> String {
        let Text::Code(code) = text;
        let values = [("code", code.code.clone()), ("site", code.host.clone())];
        let sentence = self.sentence(locale, code.used_for.key(), &values);
        format!("{sentence}\n\n@{} #{}", code.host, code.code)
    }
}
