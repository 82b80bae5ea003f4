//! Decisions in words.

use serde_json::Value;

use crate::flow::trace::rules::{self, Rule};

/// A rule's sentence with what its facts add to it. A rule that this version does not know is told by its name.
pub(super) fn sentence(rule: &str, facts: &[(String, Value)]) -> String {
    let Some(found) = rules::find(rule) else {
        return format!("The rule {rule} decided; this version has no sentence for it.");
    };
    let mut sentence = found.sentence.to_owned();
    for (name, value) in facts {
        let Some(word) = value.as_str() else { continue };
        if let Some(more) = more(name, word) {
            sentence.push(' ');
            sentence.push_str(more);
        }
    }
    sentence
}

/// What to do about a decision, with the names of those concerned.
pub(super) fn filled(text: &str, names: &Names<'_>) -> String {
    [
        ("{client_id}", names.client_id.unwrap_or("CLIENT_ID")),
        ("{client}", names.client.unwrap_or("CLIENT")),
        ("{username}", names.username.unwrap_or("USERNAME")),
        ("{user}", names.user.unwrap_or("USER")),
    ]
    .iter()
    .fold(text.to_owned(), |text, (place, name)| text.replace(place, name))
}

/// What the placeholders of commands and requests stand for.
#[derive(Clone, Copy, Default)]
pub(super) struct Names<'a> {
    pub(super) client: Option<&'a str>,
    pub(super) client_id: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) username: Option<&'a str>,
}

/// Whether a rule says what to do.
pub(super) fn tells_what_to_do(rule: &Rule) -> bool {
    rule.setting.is_some() || !rule.remedy.is_empty() || rule.command.is_some() || rule.request.is_some()
}

fn more(name: &str, word: &str) -> Option<&'static str> {
    Some(match (name, word) {
        ("because", "nobody_signed_in") => "Nobody was signed in.",
        ("because", "prompt_login") => "The application asked for it (prompt=login).",
        ("because", "max_age") => "The last sign-in was longer ago than max_age allows.",
        ("because", "acr") => "The application wants a stronger proof (acr).",
        ("because", "policy") => {
            "The settings that count here want a second factor (mfa.required), or a newer password."
        }
        ("because", "administrator") => "Whoever administers the account requires it.",
        ("action", "change_password") => "It is another password.",
        ("action", "enrol_factor") => "It is a second factor, of which there is none.",
        ("because", "hinted_subject") => "The application expects somebody else (id_token_hint or the claim sub).",
        ("because", "prompt_select_account") => "The application asked for it (prompt=select_account).",
        ("because", "several_accounts") => "Several accounts are signed in.",
        ("because", "prompt_consent") => "The application asked for it (prompt=consent).",
        ("because", "not_consented") => "Not all of it was allowed before.",
        ("because", "client_unproven") => {
            "All of it was allowed before, but another program could stand in for this public client."
        }
        ("because", "client_lifetime") => "The last proof is older than this client allows.",
        ("because", "client_idle") => "The browser was not seen for longer than this client allows.",
        ("because", "client_limit") => "The person is signed in to this client as often as it allows.",
        ("because", "login_limit") => "An application that stays connected counts as a login of its own.",
        ("said_by", "administrators") => "It is the shorter one of those who administer.",
        ("said_by", "user") => "The person's own record says so.",
        ("said_by", "primary_group") => "The person's primary group says so.",
        ("said_by", "group") => "A group of the person says so.",
        ("said_by", "beginning") => "It was set so when the session began.",
        ("differs_in", "letter_case") => "It differs from the nearest registered one in upper and lower case.",
        ("differs_in", "trailing_slash") => "It differs from the nearest registered one in a slash at its end.",
        ("differs_in", "spelling") => "It means the same as a registered one, but is spelled differently.",
        ("differs_in", "query") => "It differs from the nearest registered one in its query.",
        ("differs_in", "path") => "It differs from the nearest registered one in its path.",
        ("differs_in", "port") => "It differs from the nearest registered one in its port.",
        ("differs_in", "scheme") => "It differs from the nearest registered one in its scheme (http or https).",
        ("differs_in", "host") => "No registered one has its host.",
        ("differs_in", "unreadable") => "It is no address that can be read.",
        ("differs_in", "nothing_registered") => "The client has registered none.",
        ("what", "last_administrator") => "Nobody would be left to administer this installation.",
        ("what", "has_signed_in") => "The person has signed in and uses the account: nobody invites them to it.",
        ("what", "not_to_be_invited") => "The account is locked by its owner, being deleted, or over.",
        ("what", "too_many_imports") => "As many imports are not at their end as may be.",
        ("what", "too_many_exports") => "As many workbooks are there, or wanted, as may be.",
        ("what", "not_receiving") => "The import's file has come, and is read.",
        ("what", "no_file") => "The import has no file yet.",
        ("what", "part_missing") => "A part of the import's file is missing.",
        ("what", "not_read") => "The import's file has not been read, or it was made already.",
        ("what", "rows_refused") => "Rows of the import are refused, and all or nothing was wished.",
        ("what", "not_made") => "The import has not been made, or is visible already.",
        ("what", "nothing_made") => "Nothing of the import was made, or it was taken back.",
        ("what", "too_late") => "The import came to its end too long ago to be taken back.",
        ("what", "made_already") => "The import was made: it can be taken back.",
        ("what", "not_done") => "The workbook is not written yet.",
        ("what", "too_many_jobs") => "As many jobs wait or run as may.",
        ("what", "in_bin") => "The account is in the bin, and nothing about it changes before it is restored.",
        ("what", "not_in_bin") => "The account is not in the bin.",
        ("what", "server_account") => "The account is a server's: nobody signs in to it.",
        ("what", "too_many_factors") => "There are as many second factors as one person may have.",
        ("what", "factor_known") => "The person has an authenticator with this secret.",
        ("what", "passkey_known") => "Somebody has this passkey already.",
        ("what", "no_domain") => {
            "Browsers have passkeys for domains alone, and the public address of this installation names none."
        }
        ("what", "no_makers") => {
            "Listed authenticators alone are taken, and the configuration lists none (passkeys.authenticators)."
        }
        ("what", "no_factor") => "Recovery codes stand in for a second factor, and there is none.",
        ("what", "in_progress") => "The same request was being done at that moment.",
        _ => return None,
    })
}
