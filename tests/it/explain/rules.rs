//! Every rule of the code has a sentence, every sentence a rule, and every setting and command it names is there.

use std::collections::BTreeSet;

use ostiary::flow::trace::rules;
use ostiary::http::api::table;
use ostiary::model::setting::Declaration;
use ostiary::protocol::prompt::Because;

use crate::architecture::source::{Source, Word, sources};

/// What is written like a rule with a dot and is none.
const NO_RULES: &[&str] = &[
    "mark.svg",
    "users.csv",
    "users.json",
    "users.xlsx",
    "webhook.test",
    "account.read",
    "scim.read",
    "client_assertion",
    "client_id",
    "client_secret_basic",
    "client_secret_post",
];
/// Reasons of events that describe something that was done.
const DONE: &[&str] = &["link_made", "link_used", "ended_by_administrator"];

fn decides(source: &Source) -> bool {
    ["flow", "protocol", "http"].contains(&source.room())
        && !source.path.starts_with("flow/trace/rules")
        && !source.path.starts_with("flow/explain")
}

/// The rules that the code names: dotted ones wherever they stand, the others where something is refused.
fn named() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources("src").iter().filter(|source| decides(source)) {
        for (place, word) in source.words.iter().enumerate() {
            let Word::Text(text) = word else { continue };
            let is_word =
                |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let dotted = text
                .split_once('.')
                .is_some_and(|(room, rule)| is_word(room) && is_word(rule));
            let before = place.checked_sub(2).and_then(|place| source.words.get(place));
            let refuses = matches!(before, Some(Word::Name(name)) if ["refusal", "Err", "refused", "ok_or"].contains(&name.as_str()));
            let assigns = source.path.ends_with("client_authentication.rs")
                && text.starts_with("client_") | text.starts_with("assertion_");
            let is_rule = dotted || (is_word(text) && (refuses || assigns));
            if is_rule
                && Declaration::find(text).is_none()
                && !NO_RULES.contains(&text.as_str())
                && !DONE.contains(&text.as_str())
            {
                found.insert(text.clone());
            }
        }
    }
    found
}

#[test]
fn every_rule_of_the_code_has_a_sentence() {
    let without: Vec<String> = named().into_iter().filter(|name| rules::find(name).is_none()).collect();
    assert!(without.is_empty(), "flow/trace/rules says nothing about {without:?}");
    assert!(named().len() > 100, "the code was not read");
}

#[test]
fn every_sentence_belongs_to_a_rule_of_the_code() {
    let texts: BTreeSet<String> = sources("src")
        .iter()
        .filter(|source| !source.path.starts_with("flow/trace/rules"))
        .flat_map(|source| source.words.clone())
        .filter_map(|word| match word {
            Word::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    let idle: Vec<&str> = rules::all()
        .map(|rule| rule.name)
        .filter(|name| !texts.contains(*name))
        .collect();
    assert!(idle.is_empty(), "no code decides by {idle:?}");
}

#[test]
fn rules_are_told_in_whole_sentences_and_lead_to_what_exists() {
    let mut seen = BTreeSet::new();
    let routes: BTreeSet<String> = table()
        .iter()
        .map(|route| format!("{} /api/v1{}", route.method.as_str(), route.path))
        .collect();
    for rule in rules::all() {
        assert!(seen.insert(rule.name), "{} twice", rule.name);
        for sentence in [rule.sentence, rule.remedy] {
            let whole = sentence.is_empty() || (sentence.ends_with('.') && !sentence.starts_with(' '));
            assert!(whole, "{}: {sentence}", rule.name);
        }
        if let Some(key) = rule.setting {
            assert!(
                Declaration::find(key).is_some(),
                "{}: there is no setting {key}",
                rule.name
            );
        }
        if let Some(command) = rule.command {
            assert!(command.starts_with("ostiary "), "{}: {command}", rule.name);
        }
        if let Some(request) = rule.request {
            let (route, _) = request.split_once(" {\"").unwrap_or((request, ""));
            // the first names what is asked, another one keeps its name
            let route = match route
                .split_once('{')
                .and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)))
            {
                Some((before, after)) => format!("{before}{{id}}{after}"),
                None => route.to_owned(),
            };
            assert!(routes.contains(&route), "{}: there is no {route}", rule.name);
        }
    }
}

#[test]
fn why_somebody_is_asked_has_a_word_each() {
    use Because::*;
    let all = [
        NobodySignedIn,
        PromptLogin,
        MaxAge,
        Acr,
        HintedSubject,
        PromptSelectAccount,
        SeveralAccounts,
        PromptConsent,
        NotConsented,
        ClientUnproven,
        ClientLifetime,
        ClientIdle,
        ClientLimit,
        LoginLimit,
    ];
    let words: BTreeSet<&str> = all.iter().map(|because| because.word()).collect();
    assert_eq!(words.len(), all.len());
}
