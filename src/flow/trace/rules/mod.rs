//! Every rule that can decide: a sentence for each, the setting it hangs on, and what changes the outcome.
//!
//! A test holds this list against the names in the code, both ways.

mod authorization;
mod house;
mod token;

/// A rule in words.
#[derive(Debug)]
pub struct Rule {
    /// Its name: in traces, events and the log.
    pub name: &'static str,
    /// What it says when it decides.
    pub sentence: &'static str,
    /// The setting that it hangs on.
    pub setting: Option<&'static str>,
    /// What to do about it, in a sentence; empty if there is nothing.
    pub remedy: &'static str,
    /// The command that changes the outcome. `{client_id}` and `{username}` stand for those concerned.
    pub command: Option<&'static str>,
    /// The request of the administration API that changes the outcome. `{client}` and `{user}` stand for the rows concerned.
    pub request: Option<&'static str>,
}

/// Every rule there is.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    authorization::RULES.iter().chain(token::RULES).chain(house::RULES)
}

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.name == name)
}

/// Declares rules.
macro_rules! rules {
    ($($name:literal: $sentence:literal
        $(, setting $setting:expr)?
        $(, remedy $remedy:literal)?
        $(, command $command:literal)?
        $(, request $request:literal)?
    ;)+) => {
        pub(super) const RULES: &[super::Rule] = &[$(super::Rule {
            name: $name,
            sentence: $sentence,
            setting: super::first(&[$($setting)?]),
            remedy: match super::first(&[$($remedy)?]) { Some(remedy) => remedy, None => "" },
            command: super::first(&[$($command)?]),
            request: super::first(&[$($request)?]),
        }),+];
    };
}
use rules;

const fn first(said: &[&'static str]) -> Option<&'static str> {
    match said {
        [first, ..] => Some(first),
        [] => None,
    }
}
