//! An account of one's own: first the mail address, then, behind the mailed link, the rest.

use serde::{Deserialize, Serialize};

use super::{PropertyInput, SetupProblem, TermsToAccept};
use crate::model::AskedField;
use crate::view::{Client, Link, OwnPath};

/// A form that posts `email` and `csrf` to `action`; afterwards the same page says that a mail was sent, whoever has the address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Register {
    /// The application that asks for a sign-in, if one does.
    pub client: Option<Client>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// What somebody who sends it gets.
    pub purpose: RegisterFor,
    /// Whether it was sent.
    pub sent: bool,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// What was typed before.
    pub email: String,
    /// Why it was not sent.
    pub error: Option<RegisterError>,
    /// What the browser has to do first, if anything.
    pub work: Option<RegisterWork>,
    /// The widget of a service that tells people from programs, if it is asked.
    pub captcha: Option<RegisterCaptcha>,
    /// Where to ask who has no scripts.
    pub help: RegisterHelp,
    /// Where to sign in.
    pub sign_in: OwnPath,
    /// Where to ask once more.
    pub again: OwnPath,
}

/// What the browser has to do before the form is taken: `work_question` and `work_answer` are posted with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegisterWork {
    /// What comes before the colon.
    pub question: String,
    /// With how many zero bits the digest begins.
    pub bits: u32,
}

/// The widget of a service that tells people from programs: its script fills a field of the form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegisterCaptcha {
    /// The class of the element that it draws in.
    pub class: String,
    /// What the service calls this site.
    pub site_key: String,
    /// Its script.
    pub script: Link,
}

/// Where to turn without scripts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RegisterHelp {
    /// As an address that a page may show.
    pub contact: Option<Link>,
    /// The same where it is a mail address.
    pub mail: Option<String>,
}

/// What the mail leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterFor {
    /// An account.
    Account,
    /// The request for one.
    Access,
}

/// Why no mail was sent; none of it hangs on whose the address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RegisterError {
    /// No address.
    Empty,
    /// Not an address.
    NotAnEmail,
    /// An address of a domain that may not.
    Domain,
    /// Too many from here.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The browser has not done its work.
    Work,
    /// The service that tells people from programs does not take what its widget brought.
    Captcha,
    /// It can't be said now: the service does not answer, or the server has too much to do.
    Busy {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl Register {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/register"),
            purpose: RegisterFor::Account,
            sent: false,
            seconds: 86_400,
            email: "ada@example".to_owned(),
            error: Some(RegisterError::NotAnEmail),
            work: Some(RegisterWork {
                question: "Zm9v.17.1800000000000000.YmFy".to_owned(),
                bits: 17,
            }),
            captcha: Some(RegisterCaptcha {
                class: "h-captcha".to_owned(),
                site_key: "10000000-ffff-ffff-ffff-000000000001".to_owned(),
                script: Link::sample(),
            }),
            help: RegisterHelp {
                contact: Some(Link::sample()),
                mail: Some("help@example.com".to_owned()),
            },
            sign_in: OwnPath::or_home("/login"),
            again: OwnPath::or_home("/register"),
        }
    }
}

/// A form that posts the fields that are asked, `password`, `password_again`, `accept_` and an id for each document, and `csrf` to
/// `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewAccount {
    /// Where the form posts to.
    pub action: OwnPath,
    /// The address that the link was mailed to.
    pub email: String,
    /// What is asked beside the password, in this order.
    pub fields: Vec<AskedInput>,
    /// The languages there are, by tag and name.
    pub languages: Vec<(String, String)>,
    /// What an administrator has defined beside.
    pub properties: Vec<PropertyInput>,
    /// What has to be accepted.
    pub terms: Vec<TermsToAccept>,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed.
    pub errors: Vec<NewAccountError>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// When it is worth trying again, where the server is too busy, in seconds.
    pub wait: Option<u64>,
}

/// A field that is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskedInput {
    /// Which; its name in the form.
    pub name: AskedField,
    /// Whether nobody goes on without it.
    pub required: bool,
    /// What stands in it.
    pub value: String,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccountError {
    /// Where it stands.
    pub field: NewAccountField,
    /// What is wrong.
    pub problem: SetupProblem,
}

/// A field of the form, by the name of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NewAccountField {
    /// One that the operator has asked for.
    Asked(AskedField),
    /// The password, or its repetition.
    Password(NewAccountPassword),
}

/// The inputs of a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewAccountPassword {
    /// `password`
    Password,
    /// `password_again`
    PasswordAgain,
}

impl NewAccount {
    /// With an error in each field.
    pub fn sample() -> Self {
        let error = |field, problem| NewAccountError { field, problem };
        let fields = AskedField::ALL.iter().map(|field| AskedInput {
            name: *field,
            required: *field != AskedField::Username,
            value: "Ada".to_owned(),
        });
        let problems = AskedField::ALL.iter().zip(SetupProblem::ALL.iter().cycle());
        let mut errors: Vec<NewAccountError> = problems
            .map(|(field, problem)| error(NewAccountField::Asked(*field), *problem))
            .collect();
        let password = NewAccountField::Password;
        errors.push(error(password(NewAccountPassword::Password), SetupProblem::TooShort));
        errors.push(error(
            password(NewAccountPassword::PasswordAgain),
            SetupProblem::Different,
        ));
        Self {
            action: OwnPath::or_home("/register/new?token=Zm9v"),
            email: "ada@example.com".to_owned(),
            fields: fields.collect(),
            languages: super::own_profile::languages(),
            properties: PropertyInput::samples(),
            terms: vec![TermsToAccept {
                missing: true,
                ..TermsToAccept::sample()
            }],
            least: 12,
            errors,
            expired: false,
            wait: None,
        }
    }
}
