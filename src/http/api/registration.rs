//! `/registration`: an account of one's own, for whoever has none: as the pages do it, by the same steps, within the same limits, and
//! telling as little.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::route::{Method, Permission, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::people::{self, Applicant, Challenge, Met, PasswordRules, Registrant, RegistrationMode, Work};
use crate::flow::{Error, FieldError, terms};
use crate::model::setting::{LOCALE, REGISTRATION_FIELDS};
use crate::model::{AskedField, Id, Property, Secret, Terms};
use crate::view::Locale;

/// What work is good for that was asked for here.
const FORM: &str = "api registration";

/// What somebody needs to know who wants an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Registration")]
struct RegistrationBody {
    /// `open`: a link to an account is mailed; `request`: a link to the request for one; `invitation`: to the invited alone.
    mode: String,
    /// What is asked beside the password.
    fields: Vec<FieldBody>,
    /// What an administrator has defined that is asked, too.
    properties: Vec<PropertyBody>,
    /// How many characters a password needs.
    minimum_password_length: u32,
    /// What has to be accepted.
    terms: Vec<DocumentBody>,
    /// What the machine has to do before a mail is sent, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<PuzzleBody>,
    /// The widget whose answer is wanted before a mail is sent, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    captcha: Option<WidgetBody>,
}

/// The widget of a service that tells people from programs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationCaptcha")]
struct WidgetBody {
    /// Its script.
    script: String,
    /// What the service calls this site.
    site_key: String,
}

/// A field that is asked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationField")]
struct FieldBody {
    /// Its name.
    name: String,
    /// Whether nobody goes on without it.
    required: bool,
    /// What counts where nothing is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

/// A property that is asked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationProperty")]
struct PropertyBody {
    /// Its name.
    name: String,
    /// What people read, in the language of the installation.
    label: String,
    /// What kind of value it is: `text`, `number`, `boolean`, `date`, `choice`, `list`, `email`, `phone`, `url`.
    #[serde(rename = "type")]
    kind: String,
    /// Whether nobody goes on without it.
    required: bool,
    /// The words to choose from.
    choices: Vec<String>,
    /// What counts where nothing is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
}

/// A document that has to be accepted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationTerms")]
struct DocumentBody {
    /// Its id: what is sent to accept it.
    id: String,
    /// What all its versions are called.
    name: String,
    /// Which one it is.
    version: String,
    /// What it is called in the language of the installation.
    title: String,
    /// Where it is read.
    address: String,
}

/// A number is looked for: the SHA-256 of the question, a colon and the number begins with so many zero bits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationWork")]
struct PuzzleBody {
    /// What comes before the colon; sent back with the number.
    question: String,
    /// With how many zero bits the digest begins.
    bits: u32,
}

/// Who wants an account, or asks for one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WishBody {
    /// The address that the link is mailed to.
    #[schemars(required)]
    email: String,
    /// The language of the mail: `en`, `de` or `fr`; that of the installation unless told.
    locale: Option<String>,
    /// The question of the work, where work is asked for.
    work_question: String,
    /// The number that was found.
    work_answer: String,
    /// What the widget brought, where one is shown.
    #[schemars(with = "Option<String>")]
    captcha: Option<Secret>,
}

/// An account to be.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AccountBody {
    /// The secret of the mailed link.
    #[schemars(required, with = "String")]
    token: Option<Secret>,
    /// The password.
    #[schemars(required, with = "String")]
    password: Option<Secret>,
    /// What is asked beside that, by name.
    fields: BTreeMap<String, String>,
    /// What is asked of what an administrator has defined, by name.
    properties: BTreeMap<String, Value>,
    /// Ids of the documents that the person accepts.
    accepted_terms: Vec<String>,
    /// The language of the person, where it is no field: `en`, `de` or `fr`.
    locale: Option<String>,
}

/// An account that was made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegisteredAccount")]
struct MadeBody {
    /// What the person signs in with.
    username: String,
    /// The mail address, which is confirmed.
    email: Option<String>,
}

/// A request for an account.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RequestBody {
    /// The secret of the mailed link.
    #[schemars(required, with = "String")]
    token: Option<Secret>,
    /// What the person calls themselves.
    name: String,
    /// What they want an account for.
    reason: String,
    /// The language of the person: `en`, `de` or `fr`.
    locale: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let open = |method, path, summary, handler| Route {
        permission: Permission::Open,
        ..Route::new(method, path, "", summary, handler)
    };
    vec![
        open(
            Method::Get,
            "/registration",
            "Tells what somebody needs to know who wants an account.",
            handler!(tell),
        )
        .gives::<RegistrationBody>(),
        open(
            Method::Post,
            "/registration",
            "Has a link to an account, or to the request for one, mailed. The answer is the same whoever has the address.",
            handler!(ask),
        )
        .takes::<WishBody>(),
        open(
            Method::Post,
            "/registration/account",
            "Makes the account that a mailed link leads to.",
            handler!(make),
        )
        .takes::<AccountBody>()
        .creates::<MadeBody>(),
        open(
            Method::Post,
            "/registration/request",
            "Makes the request for an account that a mailed link leads to.",
            handler!(request),
        )
        .takes::<RequestBody>(),
    ]
}

async fn tell(asked: Asked) -> Result<Answer, Problem> {
    let provider = asked.provider();
    let mode = match people::registration_mode(provider).await? {
        RegistrationMode::Off => return Err(Error::NotFound.into()),
        RegistrationMode::Open => "open",
        RegistrationMode::Invitation => "invitation",
        RegistrationMode::Request => "request",
    };
    let settings = provider.settings().await?;
    let locale = settings.word(LOCALE);
    let documents = terms::asked_of_new(provider, asked.call().now).await?;
    let fields = settings.fields(REGISTRATION_FIELDS).iter();
    let properties = provider.properties().await?;
    let (work, widget) = match people::challenge(provider, asked.call(), FORM).await? {
        Some(Challenge::Work(puzzle)) => (Some(puzzle), None),
        Some(Challenge::Captcha(widget)) => (None, Some(widget)),
        None => (None, None),
    };
    Answer::of(&RegistrationBody {
        mode: mode.to_owned(),
        fields: fields
            .map(|field| FieldBody {
                name: field.field.to_string(),
                required: field.is_required,
                default: field.default.clone(),
            })
            .collect(),
        properties: properties
            .iter()
            .filter(|property| property.has_values() && property.definition.registration)
            .map(|property| PropertyBody::of(property, locale))
            .collect(),
        minimum_password_length: PasswordRules::of_everyone(&settings).least,
        terms: documents.iter().map(|terms| document(&asked, terms, locale)).collect(),
        work: work.map(|puzzle| PuzzleBody {
            question: puzzle.question,
            bits: puzzle.bits,
        }),
        captcha: widget.map(|widget| WidgetBody {
            script: widget.script,
            site_key: widget.site_key,
        }),
    })
}

impl PropertyBody {
    fn of(property: &Property, locale: &str) -> Self {
        let definition = &property.definition;
        Self {
            name: property.name.clone(),
            label: property.label(locale).to_owned(),
            kind: definition.kind.to_string(),
            required: definition.required,
            choices: definition.choices.iter().map(|choice| choice.value.clone()).collect(),
            default: definition.default.clone(),
        }
    }
}

fn document(asked: &Asked, terms: &Terms, locale: &str) -> DocumentBody {
    let title = terms.text_in(locale, locale).map(|(_, text)| text.title.clone());
    let here = format!("/terms/{}?version={}", terms.name, terms.version);
    DocumentBody {
        id: terms.id.to_string(),
        name: terms.name.clone(),
        version: terms.version.clone(),
        title: title.unwrap_or_else(|| terms.name.clone()),
        address: asked.provider().issuer.path(&here),
    }
}

async fn ask(asked: Asked) -> Result<Answer, Problem> {
    let body: WishBody = asked.read()?;
    let locale = language(&asked, body.locale.as_deref()).await?;
    let met = Met {
        work: Work {
            question: body.work_question,
            answer: body.work_answer,
        },
        captcha: given(body.captcha),
    };
    let wish = (body.email.trim().to_owned(), locale, None);
    people::ask_for_account(asked.provider(), asked.call(), wish, (FORM, &met)).await?;
    Ok(Answer::done())
}

async fn make(asked: Asked) -> Result<Answer, Problem> {
    let body: AccountBody = asked.read()?;
    let locale = language(&asked, body.locale.as_deref()).await?;
    let mut entered = Vec::new();
    let mut unknown = Vec::new();
    for (name, value) in body.fields {
        match name.parse::<AskedField>() {
            Ok(field) => entered.push((field, value)),
            Err(_) => unknown.push(FieldError {
                pointer: format!("/fields/{}", name.replace('~', "~0").replace('/', "~1")),
                code: "unknown",
                detail: "there is no such field".to_owned(),
            }),
        }
    }
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown).into());
    }
    let accepted: Vec<Id<Terms>> = body.accepted_terms.iter().filter_map(|id| id.parse().ok()).collect();
    let registrant = Registrant {
        entered,
        properties: body.properties,
        locale: locale.tag().to_owned(),
        password: given(body.password),
        password_again: None,
        accepted,
    };
    let token = given(body.token);
    let made = people::register(asked.provider(), asked.call(), &token, registrant).await?;
    Answer::created(
        asked.provider().issuer.path("/account"),
        &MadeBody {
            username: made.user.username,
            email: made.user.profile.email,
        },
    )
}

async fn request(asked: Asked) -> Result<Answer, Problem> {
    let body: RequestBody = asked.read()?;
    let locale = language(&asked, body.locale.as_deref()).await?;
    let applicant = Applicant {
        name: body.name,
        reason: body.reason,
        locale: locale.tag().to_owned(),
    };
    people::request_access(asked.provider(), asked.call(), &given(body.token), applicant).await?;
    Ok(Answer::done())
}

fn given(secret: Option<Secret>) -> Secret {
    secret.unwrap_or_else(|| Secret::new(""))
}

async fn language(asked: &Asked, wished: Option<&str>) -> Result<Locale, Problem> {
    match wished {
        Some(text) => Ok(Locale::from_tag(text)
            .ok_or_else(|| Error::field("/locale", "malformed", "expected a language there is: en, de or fr"))?),
        None => Ok(Locale::from_tag(asked.provider().settings().await?.word(LOCALE)).unwrap_or_default()),
    }
}
