//! A code that is sent as the first factor, as at the pages: nothing tells whether somebody was meant (SEC-221).

use super::asked::{self, Asked};
use super::auth_session::Step;
use super::{Challenged, Walk};
use crate::flow::Error;
use crate::flow::authorization::Interaction;
use crate::flow::people::Means;
use crate::flow::sign_in::code::{self, Wanted};

impl Walk<'_> {
    /// Has a code sent to whoever is named. `asked`: what is asked otherwise.
    pub(super) async fn send_code(
        self,
        interaction: Interaction,
        (means, asked): (Means, Asked),
    ) -> Result<Challenged, Error> {
        let step = Step::Password(interaction.id.clone());
        let named = self.parameters.get("username").filter(|name| !name.is_empty());
        let Some(identifier) = named else {
            return self.more(step, asked, None);
        };
        let wanted = Wanted {
            identifier: identifier.to_owned(),
            means,
            remember: false,
            expected: None,
            purpose: self.purpose(&interaction),
            journey: Some(interaction.trace),
        };
        let call = &self.call.within(Some(interaction.trace));
        match code::begin(self.provider, call, &self.session.browser, wanted).await {
            Ok(attempt) => {
                let asked = Asked::SentCode(asked::code_by(means.channel()));
                self.more(Step::Code(interaction.id, attempt), asked, None)
            }
            Err(Error::NotFound) => self.more(step, asked, Some("not_offered")),
            Err(error) => Err(error),
        }
    }

    /// The code, another one, or whatever the step before takes.
    pub(super) async fn code(mut self, interaction: Interaction, id: &str) -> Result<Challenged, Error> {
        let attempt = match code::load(self.provider, self.call, &self.session.browser, id).await {
            Ok(attempt) => attempt,
            // it has ended: another way, or another code
            Err(Error::NotFound) => return self.password(interaction).await,
            Err(error) => return Err(error),
        };
        let word = asked::code_by(attempt.wanted.means.channel());
        let (step, asked) = (Step::Code(interaction.id.clone(), id.to_owned()), Asked::SentCode(word));
        let call = &self.call.within(Some(interaction.trace));
        if let Some(typed) = self.given(word) {
            let signed_in = code::answer(self.provider, call, &mut self.session.browser, attempt, &typed).await;
            return self
                .signed_in(interaction, signed_in, (step, asked, "wrong_code"))
                .await;
        }
        if self.wishes(word) && self.given("username").is_none() {
            return match code::send_again(self.provider, call, &attempt).await {
                Ok(()) => self.more(step, asked, None),
                Err(Error::NotFound) => self.more(step, asked, Some("not_offered")),
                Err(error) => Err(error),
            };
        }
        let brings_other = ["username", "passkey", "ask"]
            .iter()
            .any(|name| self.given(name).is_some());
        match brings_other {
            true => self.password(interaction).await,
            false => self.more(step, asked, None),
        }
    }
}
