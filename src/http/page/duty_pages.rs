//! What the pages of `/login/action` show.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;

use super::duty::{Door, Said};
use super::own_factors::in_groups;
use super::{passkey as script, profile_form, property_form, shown, terms as documents};
use crate::flow::needs::Wanted;
use crate::flow::session::Task;
use crate::flow::sign_in::duty as done;
use crate::flow::{factor, people, terms};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::Visit;
use crate::model::Timestamp;
use crate::view::{
    EnrolError, EnrolFactor, OwnPath, OwnPhoneError, Page, ProfileField, PropertyInput, Qr, RecoveryCodes, RequiredBy,
    RequiredEmail, RequiredEmailProblem, RequiredPassword, RequiredPhone, RequiredProfile, RequiredTerms, Stay,
};

impl Door {
    pub(super) async fn show(&self, visit: &Visit, said: Said, status: StatusCode) -> Result<Response, Refusal> {
        let page = match &self.duty.task {
            Task::ChangePassword { because } => self.password_page(visit, *because, said).await?,
            Task::Enrol { because, secret } => self.enrol_page(visit, (*because, secret), &said)?,
            Task::AcceptTerms { because } => self.terms_page(visit, *because, said).await?,
            Task::Stay => self.stay_page(visit, &said),
            Task::ConfirmPhone => self.phone_page(visit, said).await?,
            Task::VerifyEmail { because } => self.email_page(*because, said),
            Task::UpdateProfile { because } => self.profile_page(visit, *because, said).await?,
            Task::KeepCodes { codes, made } => self.codes_page(visit, codes, *made),
            // done, and then something went wrong
            Task::Enter => return Ok(visit.keep(see_other(self.anew().as_str()))),
        };
        let sheet = visit.sheet(page, self.locale, &self.purpose()).status(status);
        Ok(visit.show(match &self.interaction {
            Some(interaction) => sheet.leads_to(&interaction.request.answerable.redirect_uri),
            None => sheet,
        }))
    }

    async fn password_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let rules = people::password_rules_of(visit.provider(), &visit.call, self.duty.user.id).await?;
        Ok(Page::RequiredPassword(RequiredPassword {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            least: rules.least,
            errors: said.errors,
            expired: said.expired,
            wait: said.wait,
        }))
    }

    fn enrol_page(&self, visit: &Visit, (because, secret): (Wanted, &[u8]), said: &Said) -> Result<Page, Refusal> {
        let shown = factor::to_set_up(visit.provider(), &self.duty.user, secret)?;
        Ok(Page::EnrolFactor(EnrolFactor {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            picture: Qr::of(shown.address.expose()).ok_or_else(Refusal::failed)?,
            secret: in_groups(&shown.secret),
            digits: shown.digits,
            ask: script::are_offered(visit)
                .then(|| OwnPath::or_home(&format!("/login/action/passkey?proof={}", self.duty.id))),
            error: said.expired.then_some(EnrolError::Expired).or(said.enrol),
        }))
    }

    async fn terms_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let missing = terms::missing_of(visit.provider(), &self.duty.user, visit.call.now).await?;
        let document = |terms| documents::to_accept(visit, terms, self.locale, said.ticked.as_deref());
        Ok(Page::RequiredTerms(RequiredTerms {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            terms: missing.iter().map(document).collect(),
            expired: said.expired,
        }))
    }

    fn codes_page(&self, visit: &Visit, codes: &[String], made: Timestamp) -> Page {
        Page::RecoveryCodes(RecoveryCodes {
            account: shown::account(&self.duty.user),
            site: visit.provider().issuer.url().host_str().unwrap_or_default().to_owned(),
            made: made.micros(),
            codes: codes.to_vec(),
            action: self.address(),
        })
    }

    fn stay_page(&self, visit: &Visit, said: &Said) -> Page {
        Page::Stay(Stay {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            until: self.duty.user.deletion_at.unwrap_or(visit.call.now).micros(),
            expired: said.expired,
        })
    }

    fn email_page(&self, because: Wanted, said: Said) -> Page {
        let (email, problem) = match said.email {
            Some((email, problem)) => (email, Some(problem)),
            None => (self.duty.user.profile.email.clone().unwrap_or_default(), None),
        };
        Page::RequiredEmail(RequiredEmail {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            email,
            sent: said.sent,
            problem: problem.or(said.expired.then_some(RequiredEmailProblem::Expired)),
            wait: said.wait,
        })
    }

    async fn phone_page(&self, visit: &Visit, said: Said) -> Result<Page, Refusal> {
        let known = self.duty.user.profile.phone_number.clone().unwrap_or_default();
        let (phone, error) = match said.phone {
            Some((phone, error)) if phone.is_empty() => (known, Some(error)),
            Some((phone, error)) => (phone, Some(error)),
            None => (known, None),
        };
        Ok(Page::RequiredPhone(RequiredPhone {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            phone,
            asked: done::asked_number(visit.provider(), &visit.call, &self.duty).await?,
            sent: said.sent,
            error: said.expired.then_some(OwnPhoneError::Expired).or(error),
        }))
    }

    async fn profile_page(&self, visit: &Visit, because: Wanted, said: Said) -> Result<Page, Refusal> {
        let fields = match said.fields {
            Some(fields) => fields,
            None => self.filled(visit, &BTreeMap::new()).await?,
        };
        let properties = match said.properties {
            Some(properties) => properties,
            None => self.inputs(visit, &BTreeMap::new()).await?,
        };
        Ok(Page::RequiredProfile(RequiredProfile {
            client: self.interaction.as_ref().map(|it| shown::client(&it.client)),
            account: shown::account(&self.duty.user),
            action: self.address(),
            because: required_by(because),
            languages: profile_form::languages(&self.duty.user),
            fields,
            properties,
            expired: said.expired,
        }))
    }

    /// The same of what an administrator has defined beside.
    pub(super) async fn inputs(
        &self,
        visit: &Visit,
        given: &BTreeMap<String, String>,
    ) -> Result<Vec<PropertyInput>, Refusal> {
        let user = &self.duty.user;
        let properties = visit.provider().properties().await?;
        let mut inputs = property_form::of_person(&properties, &user.profile.properties, self.locale.tag());
        let because = Wanted::Administrator;
        let is_looked_over = matches!(self.duty.task, Task::UpdateProfile { because: wanted } if wanted == because);
        inputs.retain(|input| !input.fixed && (is_looked_over || input.required));
        property_form::fill(&mut inputs, given);
        Ok(inputs)
    }

    /// The fields that are asked about: those that are required, and where somebody is to look over them, all that are theirs.
    pub(super) async fn filled(
        &self,
        visit: &Visit,
        given: &BTreeMap<String, String>,
    ) -> Result<Vec<ProfileField>, Refusal> {
        let user = &self.duty.user;
        let rules = people::profile_rules_of(visit.provider(), &visit.call, user.id).await?;
        let mut asked = rules.required.clone();
        if matches!(
            self.duty.task,
            Task::UpdateProfile {
                because: Wanted::Administrator
            }
        ) {
            asked.extend(
                rules
                    .editable
                    .iter()
                    .filter(|word| !matches!(**word, "username" | "picture")),
            );
        }
        let mut fields = profile_form::fields(user, &asked, &rules.required);
        profile_form::fill(&mut fields, given);
        Ok(fields)
    }
}

const fn required_by(because: Wanted) -> RequiredBy {
    match because {
        Wanted::Administrator => RequiredBy::Administrator,
        Wanted::Policy | Wanted::Person => RequiredBy::Policy,
    }
}
