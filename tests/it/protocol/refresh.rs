//! Refreshing: RFC 6749 section 6, RFC 9700 section 4.14.

use std::time::Duration;

use ostiary::model::{Client, Grant, GrantTerms, Id, RefreshToken, Scopes, Timestamp};
use ostiary::protocol::OAuthError;
use ostiary::protocol::refresh::{Verdict, judge, narrow, narrow_resources};
use proptest::prelude::*;

use super::{NOW, client, code, digest, parameters, rule};

const WINDOW: Duration = Duration::from_secs(30);

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn grant(client: &Client) -> Grant {
    Grant {
        id: Id::new(NOW),
        client: client.id,
        user: Id::new(NOW),
        session: Id::new(NOW),
        code: digest("code"),
        created_at: NOW,
        expires_at: later(10_000),
        ended_at: None,
        terms: GrantTerms {
            scope: Scopes::from_tokens(["openid", "email"]),
            resources: Vec::new(),
            claims: Default::default(),
            nonce: None,
            auth_time: NOW,
            acr: String::new(),
            amr: Vec::new(),
            journey: None,
        },
    }
}

fn token(grant: &Grant, spent_at: Option<Timestamp>) -> RefreshToken {
    RefreshToken {
        digest: digest("token"),
        grant: grant.id,
        issued_at: NOW,
        expires_at: later(1_000),
        nonce: [1; 32],
        spent_at,
    }
}

/// Judges a token that was spent at a moment, whose successor was spent or not, at another moment.
fn judged(spent: Option<u64>, successor: Option<Option<u64>>, now: u64) -> Result<Verdict, OAuthError> {
    let client = client();
    let grant = grant(&client);
    let successor = successor.map(|spent| token(&grant, spent.map(later)));
    judge(
        &token(&grant, spent.map(later)),
        &grant,
        &client,
        successor.as_ref(),
        WINDOW,
        later(now),
    )
}

#[test]
fn an_unused_token_is_exchanged_until_its_idle_end() {
    assert_eq!(judged(None, None, 0), Ok(Verdict::Rotate));
    assert_eq!(judged(None, None, 999), Ok(Verdict::Rotate));
    assert_eq!(rule(judged(None, None, 1_000)), "refresh.idle");
}

/// SEC-048.
#[test]
fn refresh_race_single_successor_in_the_rule() {
    // the answer was lost: the same successor, as long as nobody used it
    assert_eq!(judged(Some(10), Some(None), 10), Ok(Verdict::Repeat));
    assert_eq!(judged(Some(10), Some(None), 40), Ok(Verdict::Repeat));
    assert_eq!(judged(Some(10), Some(Some(20)), 40), Ok(Verdict::RefuseOnly));
    assert_eq!(judged(Some(10), None, 40), Ok(Verdict::RefuseOnly));
    // SEC-047: outside the window it is a replay, whatever became of the successor
    for successor in [None, Some(None), Some(Some(20))] {
        assert_eq!(judged(Some(10), successor, 41), Ok(Verdict::Replay));
    }
}

/// SEC-049, SEC-050.
#[test]
fn a_token_of_another_client_or_of_an_ended_family_is_refused() {
    let client = client();
    let other = super::client_with(|client| client.id = Id::new(later(5)));
    let whole = grant(&client);
    let ended = Grant {
        ended_at: Some(NOW),
        ..whole.clone()
    };
    let old = Grant {
        expires_at: later(1),
        ..whole.clone()
    };
    for spent in [None, Some(NOW)] {
        let token = token(&whole, spent);
        let at = |grant: &Grant, client: &Client| rule(judge(&token, grant, client, None, WINDOW, later(1)));
        assert_eq!(at(&whole, &other), "refresh.client");
        assert_eq!(at(&ended, &client), "refresh.ended");
        assert_eq!(at(&old, &client), "refresh.expired");
    }
}

#[test]
fn scopes_and_resources_are_only_ever_narrowed() {
    let granted = Scopes::from_tokens(["openid", "email"]);
    let asked = |scope: &str| narrow(&parameters(&[("scope", scope)]), &granted);
    assert_eq!(narrow(&parameters(&[]), &granted).unwrap(), granted);
    assert_eq!(asked("email").unwrap().to_string(), "email");
    for wider in ["profile", "openid profile", "openid admin", "OPENID", "\"", " "] {
        assert_eq!(code(asked(wider)), "invalid_scope", "{wider}");
    }
    let agreed = ["https://a.example".to_owned(), "https://b.example".to_owned()];
    let narrowed = narrow_resources(&parameters(&[("resource", "https://b.example")]), &agreed).unwrap();
    assert_eq!(narrowed, ["https://b.example"]);
    assert_eq!(narrow_resources(&parameters(&[]), &agreed).unwrap(), agreed);
    let wider = parameters(&[("resource", "https://a.example"), ("resource", "https://c.example")]);
    assert_eq!(code(narrow_resources(&wider, &agreed)), "invalid_target");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A spent token is never exchanged, and nothing counts after its end.
    #[test]
    fn a_spent_token_never_rotates(
        spent in proptest::option::of(0_u64..2_000),
        successor in proptest::option::of(proptest::option::of(0_u64..2_000)),
        now in 0_u64..12_000,
    ) {
        let verdict = judged(spent, successor, now);
        match verdict {
            Ok(Verdict::Rotate) => prop_assert!(spent.is_none() && now < 1_000),
            Ok(Verdict::Repeat) => prop_assert!(successor == Some(None) && now <= spent.unwrap() + 30),
            Ok(Verdict::RefuseOnly) => prop_assert!(now <= spent.unwrap() + 30),
            Ok(Verdict::Replay) => prop_assert!(now > spent.unwrap() + 30),
            Err(_) => prop_assert!(now >= 1_000),
        }
    }

    #[test]
    fn a_narrowed_scope_lies_within_what_was_granted(asked in "[a-d ]{0,8}", granted in "[a-d ]{0,8}") {
        let granted = Scopes::parse(&granted).unwrap();
        if let Ok(scope) = narrow(&parameters(&[("scope", &asked)]), &granted) {
            prop_assert!(scope.is_within(&granted));
        }
    }
}
