//! People and applications as pages show them.

use std::collections::BTreeMap;

use axum::http::StatusCode;

use crate::flow::FieldError;
use crate::flow::people::Means;
use crate::model::{self, Resource, Secret, User};
use crate::view::{
    Account, Asked, Client, Link, Logo, NotMeError, NotMeField, NotMeProblem, SentToSignIn, SetupProblem,
};

/// Whether a form is shown for the first time, or because the one that was sent had been open for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// For the first time.
    Fresh,
    /// Because it was too old, or was made for another account: the person is told that nothing was done.
    Expired,
}

impl Freshness {
    /// The page's status.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Fresh => StatusCode::OK,
            Self::Expired => StatusCode::FORBIDDEN,
        }
    }
}

/// A person.
pub(super) fn account(user: &User) -> Account {
    Account {
        name: user.full_name(),
        identifier: user.profile.email.clone().unwrap_or_else(|| user.username.clone()),
    }
}

/// What is sent to sign in with.
pub(super) const fn sent_to_sign_in(means: Means) -> SentToSignIn {
    match means {
        Means::MailCode => SentToSignIn::MailCode,
        Means::MailLink => SentToSignIn::MailLink,
        Means::TextCode => SentToSignIn::TextCode,
    }
}

/// An application. Addresses that a page must not lead to are left out.
pub(super) fn client(client: &model::Client) -> Client {
    let metadata = &client.metadata;
    let link = |address: &Option<String>| address.as_deref().and_then(Link::parse);
    Client {
        name: client.name().to_owned(),
        logo: metadata.logo_uri.as_deref().and_then(Logo::parse),
        website: link(&metadata.client_uri),
        policy: link(&metadata.policy_uri),
        terms: link(&metadata.tos_uri),
        verified: client.trusted,
    }
}

/// What an application asks for or was allowed: scopes first, then the single claims that no scope among them covers.
pub(super) fn asked(scopes: impl IntoIterator<Item = String>, claims: &[String], resources: &[Resource]) -> Vec<Asked> {
    let scopes = scopes.into_iter().map(|scope| match Asked::scope(&scope) {
        Asked::Custom { name, description, .. } => {
            let owner = resources.iter().find(|resource| resource.scopes.contains(&name));
            Asked::Custom {
                name,
                description,
                resource: owner.map(|owner| owner.name.clone().unwrap_or_else(|| owner.identifier.clone())),
            }
        }
        standard => standard,
    });
    let mut asked: Vec<Asked> = scopes.collect();
    for claim in claims.iter().filter_map(|name| Asked::claim(name)) {
        let is_covered = matches!(claim, Asked::Claim { .. }) && asked.contains(&Asked::Profile);
        if !is_covered && !asked.contains(&claim) {
            asked.push(claim);
        }
    }
    asked
}

/// From where somebody came: roughly which place, if it is known, and the network address.
pub(super) fn whereabouts(place: Option<String>, address: Option<String>) -> Option<String> {
    match (place, address) {
        (Some(place), Some(address)) => Some(format!("{place} ({address})")),
        (place, address) => place.or(address),
    }
}

/// What is missing of a new password that is entered twice, and whether both are the same.
pub(super) fn gaps(new: &Secret, again: Option<&Secret>) -> Vec<NotMeError> {
    let error = |field, problem| NotMeError {
        field,
        problem: NotMeProblem::Password(problem),
    };
    let mut errors = Vec::new();
    if new.expose().is_empty() {
        errors.push(error(NotMeField::Password, SetupProblem::Empty));
    }
    if !again.is_some_and(|again| again.matches(new)) {
        errors.push(error(NotMeField::PasswordAgain, SetupProblem::Different));
    }
    errors
}

/// The same where the password until now is asked for besides.
pub(super) fn gaps_with_old(old: &Secret, new: &Secret, again: Option<&Secret>) -> Vec<NotMeError> {
    let missing = old.expose().is_empty().then_some(NotMeError {
        field: NotMeField::OldPassword,
        problem: NotMeProblem::Password(SetupProblem::Empty),
    });
    missing.into_iter().chain(gaps(new, again)).collect()
}

/// The ids of the boxes that were ticked in a form: those that are named `accept_` and the id.
pub(super) fn ticked(fields: &BTreeMap<String, String>) -> Vec<String> {
    let ticked = fields.iter().filter(|(_, value)| *value == "1");
    let ids = ticked.filter_map(|(name, _)| name.strip_prefix("accept_"));
    ids.map(str::to_owned).collect()
}

/// Why a new password was not taken.
pub(super) fn weakness(error: &FieldError) -> SetupProblem {
    match error.code {
        "too_short" => SetupProblem::TooShort,
        "too_long" => SetupProblem::TooLong,
        "personal" => SetupProblem::TooSimilar,
        "used_before" => SetupProblem::UsedBefore,
        "breached" => SetupProblem::Breached,
        "guessable" => SetupProblem::Guessable,
        "guessable_date" => SetupProblem::GuessableDate,
        "guessable_name" => SetupProblem::GuessableName,
        "guessable_word" => SetupProblem::GuessableWord,
        "guessable_row" => SetupProblem::GuessableRow,
        _ => SetupProblem::TooCommon,
    }
}
