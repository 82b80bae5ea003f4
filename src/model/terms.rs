//! Terms of use: documents that people agree to, in versions. A version that was published does not change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::named::named;
use super::{Group, Id, Timestamp};

/// A version of terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The row.
    pub id: Id<Terms>,
    /// What all versions of it are called: `terms`, `privacy`.
    pub name: String,
    /// Which one it is: `1`, `2026-11`.
    pub version: String,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// Of whose members it is required; of everyone if empty. A group that was deleted has none.
    pub required_of: Vec<Id<Group>>,
    /// What it says, by language. There is at least one.
    pub texts: BTreeMap<String, TermsText>,
    /// When it was published.
    pub created_at: Timestamp,
    /// When it was taken back, if it was: then it is as if it had never been, but for who accepted it.
    pub withdrawn_at: Option<Timestamp>,
}

/// What it says in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsText {
    /// What it is called there: `Terms of use`.
    pub title: String,
    /// The text, as it is read here: paragraphs with an empty line between, headings after `# `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where it is read, if not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

named! {
    /// When somebody accepted.
    TermsOccasion {
        /// With the account.
        Registration = "registration",
        /// On the way in.
        SignIn = "sign_in",
    }
}

/// That somebody has accepted a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Which.
    pub terms: Id<Terms>,
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When.
    pub accepted_at: Timestamp,
    /// In which language they read it.
    pub locale: String,
    /// On which occasion.
    pub occasion: TermsOccasion,
}

impl Terms {
    /// What it says in this language, else in the installation's, else in any; with the language.
    pub fn text_in(&self, locale: &str, fallback: &str) -> Option<(&str, &TermsText)> {
        let found = [locale, fallback]
            .into_iter()
            .find_map(|locale| self.texts.get_key_value(locale))
            .or_else(|| self.texts.first_key_value());
        found.map(|(locale, text)| (locale.as_str(), text))
    }

    /// Whether it is required of somebody in these groups.
    pub fn is_required_of(&self, groups: &[Id<Group>]) -> bool {
        self.required_of.is_empty() || self.required_of.iter().any(|group| groups.contains(group))
    }
}

/// Of each name the version that counts now: the one that took effect last.
pub fn in_force(published: Vec<Terms>, now: Timestamp) -> Vec<Terms> {
    let mut latest: BTreeMap<String, Terms> = BTreeMap::new();
    let counting = published
        .into_iter()
        .filter(|terms| terms.withdrawn_at.is_none() && terms.effective_at <= now);
    for terms in counting {
        let later = |known: &Terms| (terms.effective_at, terms.created_at) > (known.effective_at, known.created_at);
        if latest.get(&terms.name).is_none_or(later) {
            latest.insert(terms.name.clone(), terms);
        }
    }
    latest.into_values().collect()
}
