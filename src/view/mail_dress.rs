//! Mails as they are sent: drawn from the program's templates or an administrator's, in one frame.

use minijinja::Value;

use super::engine::Views;
use super::mail::{Mail, RenderedMail};
use super::mail_source::{MailFault, MailPart, examine, mail_values};
use super::{Error, Locale};

/// What every mail of an installation bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    /// The name at the top.
    pub name: String,
    /// A line or two below; nothing if empty.
    pub footer: String,
}

impl Default for Letterhead {
    fn default() -> Self {
        Self {
            name: "Ostiary".to_owned(),
            footer: String::new(),
        }
    }
}

/// The words of a mail of one kind in one language, with places for its values.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTemplate {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// What stands in the frame, HTML.
    pub html: String,
}

impl MailTemplate {
    /// One of its parts.
    pub fn part(&self, part: MailPart) -> &str {
        match part {
            MailPart::Subject => &self.subject,
            MailPart::Text => &self.text,
            MailPart::Html => &self.html,
        }
    }
}

/// How a mail looks, beside what it says.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// What stands around it.
    pub brand: Letterhead,
    /// An administrator's words in the place of ours.
    pub template: Option<MailTemplate>,
}

impl Views {
    /// A mail in the program's own words.
    ///
    /// # Errors
    /// A template that does not fit its context: a mistake of ours.
    pub fn mail(&self, mail: &Mail, locale: Locale) -> Result<RenderedMail, Error> {
        self.mail_in(mail, locale, &Dress::default())
    }

    /// A mail as it is sent. An administrator's template that can't be drawn is told in the log, and ours takes its place.
    ///
    /// # Errors
    /// A template of ours that does not fit its context.
    pub fn mail_in(&self, mail: &Mail, locale: Locale, dress: &Dress) -> Result<RenderedMail, Error> {
        if let Some(template) = &dress.template {
            match self.draw(mail, locale, &dress.brand, template) {
                Ok(drawn) => return Ok(drawn),
                Err((part, error)) => {
                    tracing::warn!(kind = mail.kind(), part = part.name(), %error, "a mail's template can't be drawn: the default is sent");
                }
            }
        }
        let context = context(mail, locale, &dress.brand);
        let kind = mail.kind();
        let environment = &self.environment;
        let text = environment.get_template(&format!("mail/{kind}.txt"))?;
        let text = text.render_captured(context.clone())?;
        let title = text.state().lookup("title").ok_or(Error::NoTitle { template: kind })?;
        let subject = one_line(title.as_str().unwrap_or_default());
        let text = text.into_output();
        let body = environment
            .get_template(&format!("mail/{kind}.html"))?
            .render(context)?;
        Ok(RenderedMail {
            html: self.frame(&subject, &body, locale, &dress.brand)?,
            subject,
            text,
        })
    }

    /// Finds what is wrong with a template: in each part the first of it. What is found to be right is drawn with every sample of its kind.
    ///
    /// # Errors
    /// One for each part that is wrong.
    pub fn examine_mail(&self, kind: &str, template: &MailTemplate) -> Result<(), Vec<MailFault>> {
        let values = mail_values(kind);
        let mut faults: Vec<MailFault> = MailPart::ALL
            .into_iter()
            .filter_map(|part| examine(part, template.part(part), &values).err())
            .collect();
        if faults.is_empty() {
            faults.extend(self.try_out(kind, template).err());
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn try_out(&self, kind: &str, template: &MailTemplate) -> Result<(), MailFault> {
        let values = mail_values(kind);
        for sample in Mail::samples().iter().filter(|sample| sample.kind() == kind) {
            let drawn = self.draw(sample, Locale::default(), &Letterhead::default(), template);
            let drawn = drawn.map_err(|(part, error)| {
                let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
                let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                MailFault {
                    part,
                    what: format!("{line}{what}"),
                }
            })?;
            let said = sample.drawing().1;
            for needed in values.iter().filter(|value| value.is_needed) {
                let name = needed.name.strip_prefix("mail.").unwrap_or_default();
                let value = said.get_attr(name).unwrap_or_default();
                // a mail may do without it sometimes
                if value.is_none() || value.is_undefined() {
                    continue;
                }
                let value = value.to_string();
                for (part, text) in [(MailPart::Text, &drawn.text), (MailPart::Html, &drawn.html)] {
                    if !text.contains(&value) {
                        let what = format!("{{{{ {} }}}} has to stand there under every condition", needed.name);
                        return Err(MailFault { part, what });
                    }
                }
            }
        }
        Ok(())
    }

    fn draw(
        &self,
        mail: &Mail,
        locale: Locale,
        brand: &Letterhead,
        template: &MailTemplate,
    ) -> Result<RenderedMail, (MailPart, minijinja::Error)> {
        let context = context(mail, locale, brand);
        let draw = |part: MailPart| {
            // by its ending it is known how values are escaped
            let name = if part == MailPart::Html {
                "mail.html"
            } else {
                "mail.txt"
            };
            let drawn = self
                .environment
                .render_named_str(name, template.part(part), context.clone());
            drawn.map_err(|error| (part, error))
        };
        let subject = one_line(&draw(MailPart::Subject)?);
        let text = draw(MailPart::Text)?;
        let body = draw(MailPart::Html)?;
        let framed = self.frame(&subject, &body, locale, brand);
        Ok(RenderedMail {
            html: framed.map_err(|error| (MailPart::Html, error))?,
            subject,
            text,
        })
    }

    fn frame(&self, subject: &str, body: &str, locale: Locale, brand: &Letterhead) -> Result<String, minijinja::Error> {
        self.environment
            .get_template("mail/frame.html")?
            .render(Value::from_pairs([
                ("title", Value::from(subject)),
                ("body", Value::from_safe_string(body.to_owned())),
                ("brand", worn(brand)),
                ("locale", Value::from(locale.tag())),
                ("direction", Value::from(locale.direction())),
            ]))
    }
}

fn context(mail: &Mail, locale: Locale, brand: &Letterhead) -> Value {
    Value::from_pairs([
        ("mail", mail.drawing().1),
        ("brand", worn(brand)),
        ("locale", Value::from(locale.tag())),
        ("direction", Value::from(locale.direction())),
    ])
}

fn worn(brand: &Letterhead) -> Value {
    Value::from_pairs([
        ("name", Value::from(brand.name.as_str())),
        ("footer", Value::from(brand.footer.as_str())),
    ])
}

/// A line break would end the header and begin another (RFC 5322 section 2.2).
fn one_line(subject: &str) -> String {
    subject.replace(char::is_control, " ")
}
