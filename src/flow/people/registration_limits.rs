//! Who may have an account by the domain of the mail address, and how many wishes for one there may be a day (SEC-305): from one network,
//! for one mail domain, altogether. None of it hangs on whether somebody has the address.

use std::time::Duration;

use super::fields;
use crate::crypto;
use crate::ephemeral::{Counted, Counter, Spent};
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::mail_domain::domain_of;
use crate::model::setting::{
    REGISTRATION_ALLOWED_DOMAINS, REGISTRATION_DENIED_DOMAINS, REGISTRATION_MOST_A_DAY, REGISTRATION_MOST_OF_DOMAIN,
    REGISTRATION_MOST_OF_SOURCE, Settings,
};
use crate::model::{Event, EventKind};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What a field error says of a domain that may not.
const DOMAIN: &str = "domain";

/// Whether an address was refused for its domain alone.
pub fn is_domain_refused(wrong: &[FieldError]) -> bool {
    wrong.iter().any(|wrong| wrong.code == DOMAIN)
}

/// Judges an address that somebody wants to have here: its form, and whether its domain may.
///
/// # Errors
/// [`Error::Invalid`]
pub(super) fn judge_address(settings: &Settings, email: &str) -> Result<(), Error> {
    if let Some(wrong) = fields::check_email(email) {
        return Err(Error::Invalid(vec![wrong]));
    }
    let domain = domain_of(email).unwrap_or_default();
    let covers = |key| settings.domains(key).iter().any(|named| named.covers(&domain));
    let is_allowed = settings.domains(REGISTRATION_ALLOWED_DOMAINS).is_empty() || covers(REGISTRATION_ALLOWED_DOMAINS);
    if is_allowed && !covers(REGISTRATION_DENIED_DOMAINS) {
        return Ok(());
    }
    Err(Error::field(
        "/email",
        DOMAIN,
        "addresses of this domain are not taken here",
    ))
}

/// The same for somebody whom nobody knows: that a domain is refused is written down.
pub(super) async fn judge_stranger(provider: &Provider, call: &Call, email: &str) -> Result<(), Error> {
    let settings = provider.settings().await?;
    let judged = judge_address(&settings, email);
    if let Err(Error::Invalid(wrong)) = &judged
        && is_domain_refused(wrong)
    {
        note(provider, call, "registration.domain").await;
    }
    judged
}

/// Counts a wish for a mail to an address that is nobody's yet.
///
/// # Errors
/// [`Error::Throttled`] if there were enough today.
pub(super) async fn spend(provider: &Provider, call: &Call, email: &str) -> Result<(), Error> {
    let settings = provider.settings().await?;
    let mac = provider.master.derive("wish counter");
    let key = |parts: &[&[u8]]| crypto::hex(&crypto::mac(&mac, parts));
    let domain = domain_of(email).unwrap_or_default();
    let counted = [
        (
            key(&[b"source", &call.origin.network()]),
            REGISTRATION_MOST_OF_SOURCE,
            "registration.most_of_source",
        ),
        (
            key(&[b"domain", domain.as_bytes()]),
            REGISTRATION_MOST_OF_DOMAIN,
            "registration.most_of_domain",
        ),
        (key(&[b"everyone"]), REGISTRATION_MOST_A_DAY, "registration.most_a_day"),
    ];
    for (key, most, rule) in &counted {
        let most = u32::try_from(settings.count(most)).unwrap_or(u32::MAX);
        let counter = Counter::new(Counted::AccountWish, key);
        let spent = provider.ephemeral.spend_of_stranger(counter, most, DAY, call.now);
        if let Spent::Refused { retry_after } = spent.await? {
            note(provider, call, rule).await;
            return Err(Error::Throttled { retry_after, rule });
        }
    }
    Ok(())
}

async fn note(provider: &Provider, call: &Call, rule: &'static str) {
    let event: Event = call.event(EventKind::RegistrationLinkMailed).refused(rule);
    provider.note_strangers_refusal(call, event, rule).await;
}
