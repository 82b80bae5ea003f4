//! Must the person be asked something? OpenID Connect Core sections 3.1.2.1 and 3.1.2.3.

use std::time::Duration;

use ostiary::model::{
    ClaimsRequest, Client, Consent, ConsentMode, Id, RequestedClaim, ResponseMode, Scopes, Timestamp,
    TokenEndpointAuthMethod,
};
use ostiary::protocol::acr::Names;
use ostiary::protocol::authorization_request::{Answerable, AuthorizationRequest, Prompt};
use ostiary::protocol::prompt::{Account, Answers, Because, Decision, decide, is_covered};
use proptest::prelude::*;

use super::{NOW, client, client_with};

fn request(prompt: &[Prompt]) -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: "shop".to_owned(),
        answerable: Answerable {
            redirect_uri: "https://shop.example/callback".to_owned(),
            response_mode: ResponseMode::Query,
            state: None,
        },
        scope: Scopes::from_tokens(["openid", "email"]),
        nonce: None,
        code_challenge: None,
        prompt: prompt.to_vec(),
        max_age: None,
        acr_values: Vec::new(),
        login_hint: None,
        hinted_subject: None,
        ui_locales: Vec::new(),
        claims: ClaimsRequest::default(),
        resources: Vec::new(),
    }
}

/// Somebody who signed in so many seconds ago.
fn account(subject: &str, ago: u64) -> Account {
    Account {
        subject: subject.to_owned(),
        auth_time: NOW.before(Duration::from_secs(ago)),
        acr: "pwd".to_owned(),
        acr_names: Names::default(),
        can_prove_more: false,
        lacks_factor: false,
        outlived: None,
    }
}

fn consent(scope: &str) -> Consent {
    Consent {
        user: Id::new(NOW),
        client: Id::new(NOW),
        scope: Scopes::parse(scope).unwrap(),
        claims: Vec::new(),
        given_at: NOW,
    }
}

fn refusal(decision: Decision) -> &'static str {
    match decision {
        Decision::Refuse(error) => error.code.as_str(),
        other => panic!("{other:?} is no refusal"),
    }
}

/// Who is signed in in a case of the table below.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Browser {
    Nobody,
    One,
    Several,
}

/// SEC-018: every prompt against every state of a browser, before anything is answered.
#[test]
fn oidc_prompt_semantics_in_the_rule() {
    use Because::*;
    use Browser::*;
    let consented = consent("openid email");
    let at = |prompt: &[Prompt], browser: Browser, given: bool| {
        let account = (browser != Nobody).then(|| account("ada", 60));
        let consent = given.then_some(&consented);
        decide(
            &request(prompt),
            &client(),
            account.as_ref(),
            browser == Several,
            consent,
            &Answers::default(),
            NOW,
        )
    };
    let table: &[(&[Prompt], Browser, bool, Decision)] = &[
        (&[], Nobody, true, Decision::Login(NobodySignedIn)),
        (&[], One, true, Decision::Issue),
        (&[], One, false, Decision::Consent(NotConsented)),
        (&[], Several, true, Decision::SelectAccount(SeveralAccounts)),
        (&[Prompt::Login], Nobody, true, Decision::Login(NobodySignedIn)),
        (&[Prompt::Login], One, true, Decision::Reauthenticate(PromptLogin)),
        (&[Prompt::Login], One, false, Decision::Reauthenticate(PromptLogin)),
        (
            &[Prompt::Login],
            Several,
            true,
            Decision::SelectAccount(SeveralAccounts),
        ),
        (&[Prompt::Consent], Nobody, true, Decision::Login(NobodySignedIn)),
        (&[Prompt::Consent], One, true, Decision::Consent(PromptConsent)),
        (&[Prompt::Consent], One, false, Decision::Consent(PromptConsent)),
        (&[Prompt::SelectAccount], Nobody, true, Decision::Login(NobodySignedIn)),
        (
            &[Prompt::SelectAccount],
            One,
            true,
            Decision::SelectAccount(PromptSelectAccount),
        ),
        (
            &[Prompt::SelectAccount],
            Several,
            true,
            Decision::SelectAccount(PromptSelectAccount),
        ),
        (
            &[Prompt::Login, Prompt::Consent],
            One,
            true,
            Decision::Reauthenticate(PromptLogin),
        ),
        (
            &[Prompt::Consent, Prompt::Login],
            One,
            true,
            Decision::Reauthenticate(PromptLogin),
        ),
    ];
    for (prompt, browser, given, expected) in table {
        assert_eq!(
            at(prompt, *browser, *given),
            *expected,
            "{prompt:?} {browser:?} consented: {given}"
        );
    }
    assert_eq!(at(&[Prompt::None], One, true), Decision::Issue);
    assert_eq!(at(&[Prompt::None], Several, true), Decision::Issue);
    assert_eq!(refusal(at(&[Prompt::None], Nobody, true)), "login_required");
    assert_eq!(refusal(at(&[Prompt::None], One, false)), "consent_required");
}

#[test]
fn prompt_login_wants_a_proof_of_this_account_for_this_request() {
    let login = request(&[Prompt::Login]);
    let consented = consent("openid email");
    let at = |account: &Account, answers: &Answers| {
        decide(&login, &client(), Some(account), false, Some(&consented), answers, NOW)
    };
    let answers = Answers {
        signed_in_at: Some(NOW),
        account_chosen: true,
        consented: false,
    };
    assert_eq!(at(&account("ada", 0), &answers), Decision::Issue);
    // somebody else who was signed in before: the proof was not theirs
    assert_eq!(
        at(&account("ben", 1), &answers),
        Decision::Reauthenticate(Because::PromptLogin)
    );
    assert_eq!(
        at(&account("ben", 1), &Answers::default()),
        Decision::Reauthenticate(Because::PromptLogin)
    );
}

/// SEC-019.
#[test]
fn oidc_max_age_acr_enforced_in_the_rule() {
    let consented = consent("openid email");
    let at = |max_age: u64, ago: u64, answers: &Answers, prompt: &[Prompt]| {
        let request = AuthorizationRequest {
            max_age: Some(max_age),
            ..request(prompt)
        };
        decide(
            &request,
            &client(),
            Some(&account("ada", ago)),
            false,
            Some(&consented),
            answers,
            NOW,
        )
    };
    let fresh = Answers::default();
    let again = Decision::Reauthenticate(Because::MaxAge);
    assert_eq!(at(60, 59, &fresh, &[]), Decision::Issue);
    assert_eq!(at(60, 60, &fresh, &[]), again);
    assert_eq!(at(0, 1, &fresh, &[]), again);
    // OpenID Connect Core 3.1.2.1: max_age=0 is as good as prompt=login
    assert_eq!(at(0, 0, &fresh, &[]), again);
    assert_eq!(at(u64::MAX, 1_000_000, &fresh, &[]), Decision::Issue);
    assert_eq!(refusal(at(60, 61, &fresh, &[Prompt::None])), "login_required");
    // signed in for this very request: not asked again and again, however slow the rest was
    let answered = Answers {
        signed_in_at: Some(NOW.before(Duration::from_secs(90))),
        ..Answers::default()
    };
    assert_eq!(at(0, 90, &answered, &[]), Decision::Issue);
    assert_eq!(at(60, 91, &answered, &[]), again);
}

#[test]
fn an_essential_acr_that_is_not_met_is_an_error_and_a_voluntary_one_is_not() {
    // Core section 5.5.1.1
    let consented = consent("openid email");
    let at = |essential: bool, values: &[&str]| {
        let claim = RequestedClaim {
            name: "acr".to_owned(),
            essential,
            values: values.iter().map(|&value| value.into()).collect(),
        };
        let request = AuthorizationRequest {
            claims: ClaimsRequest {
                userinfo: Vec::new(),
                id_token: vec![claim],
            },
            ..request(&[])
        };
        decide(
            &request,
            &client(),
            Some(&account("ada", 1)),
            false,
            Some(&consented),
            &Answers::default(),
            NOW,
        )
    };
    assert_eq!(at(true, &["pwd"]), Decision::Issue);
    assert_eq!(at(true, &["mfa", "pwd"]), Decision::Issue);
    assert_eq!(at(true, &[]), Decision::Issue);
    assert_eq!(at(false, &["mfa"]), Decision::Issue);
    assert_eq!(refusal(at(true, &["mfa"])), "unmet_authentication_requirements");
}

/// SEC-025: a hint selects, and never lets somebody else through.
#[test]
fn oidc_id_token_hint_safe_in_the_rule() {
    let consented = consent("openid email");
    let at = |prompt: &[Prompt], subject: Option<&str>, answers: &Answers| {
        let request = AuthorizationRequest {
            hinted_subject: Some("ada".to_owned()),
            ..request(prompt)
        };
        let account = subject.map(|subject| account(subject, 5));
        decide(
            &request,
            &client(),
            account.as_ref(),
            true,
            Some(&consented),
            answers,
            NOW,
        )
    };
    let fresh = Answers::default();
    // several are signed in, and the hint says which
    assert_eq!(at(&[], Some("ada"), &fresh), Decision::Issue);
    assert_eq!(at(&[], Some("ben"), &fresh), Decision::Login(Because::HintedSubject));
    assert_eq!(at(&[], None, &fresh), Decision::Login(Because::NobodySignedIn));
    assert_eq!(at(&[Prompt::None], Some("ada"), &fresh), Decision::Issue);
    assert_eq!(refusal(at(&[Prompt::None], Some("ben"), &fresh)), "login_required");
    assert_eq!(refusal(at(&[Prompt::None], None, &fresh)), "login_required");
    let signed_in = Answers {
        signed_in_at: Some(NOW),
        account_chosen: true,
        consented: false,
    };
    assert_eq!(refusal(at(&[], Some("ben"), &signed_in)), "login_required");
    let chosen = Answers {
        account_chosen: true,
        ..Answers::default()
    };
    assert_eq!(refusal(at(&[], Some("ben"), &chosen)), "login_required");
}

/// SEC-020.
#[test]
fn consent_covers_scopes_and_single_claims() {
    let mut asked = request(&[]);
    assert!(!is_covered(&asked, None));
    assert!(is_covered(&asked, Some(&consent("openid email profile"))));
    assert!(!is_covered(&asked, Some(&consent("openid profile"))));
    let claim = |name: &str| RequestedClaim {
        name: name.to_owned(),
        essential: false,
        values: Vec::new(),
    };
    asked.claims.userinfo = vec![claim("phone_number")];
    asked.claims.id_token = vec![claim("acr"), claim("auth_time"), claim("sub")];
    let mut given = consent("openid email phone");
    // a scope that would tell the claim is not the claim
    assert!(!is_covered(&asked, Some(&given)));
    given.claims = vec!["phone_number".to_owned()];
    assert!(is_covered(&asked, Some(&given)));
}

#[test]
fn a_first_party_client_asks_nobody_for_consent() {
    let skipping = client_with(|client| client.policy.consent = ConsentMode::Skip);
    for prompt in [&[][..], &[Prompt::Consent], &[Prompt::None]] {
        let decision = decide(
            &request(prompt),
            &skipping,
            Some(&account("ada", 5)),
            false,
            None,
            &Answers::default(),
            NOW,
        );
        assert_eq!(decision, Decision::Issue, "{prompt:?}");
    }
}

/// SEC-030: RFC 8252 section 8.6, OAuth 2.1 section 7.3.
#[test]
fn authz_auto_repeat_limited_in_the_rule() {
    let consented = consent("openid email");
    let at = |method: TokenEndpointAuthMethod, redirect_uri: &str, prompt: &[Prompt], consented_now: bool| {
        let client = client_with(|client| client.metadata.token_endpoint_auth_method = method);
        let mut request = request(prompt);
        request.answerable.redirect_uri = redirect_uri.to_owned();
        let answers = Answers {
            consented: consented_now,
            ..Answers::default()
        };
        decide(
            &request,
            &client,
            Some(&account("ada", 5)),
            false,
            Some(&consented),
            &answers,
            NOW,
        )
    };
    let public = TokenEndpointAuthMethod::None;
    let anyone = [
        "com.example.app:/callback",
        "http://127.0.0.1:49152/callback",
        "http://localhost/callback",
    ];
    for uri in anyone {
        assert_eq!(
            at(public, uri, &[], false),
            Decision::Consent(Because::ClientUnproven),
            "{uri}"
        );
        assert_eq!(at(public, uri, &[], true), Decision::Issue, "{uri}");
        assert_eq!(refusal(at(public, uri, &[Prompt::None], false)), "consent_required");
        assert_eq!(
            at(TokenEndpointAuthMethod::PrivateKeyJwt, uri, &[], false),
            Decision::Issue,
            "{uri}"
        );
    }
    assert_eq!(at(public, "https://shop.example/callback", &[], false), Decision::Issue);
}

/// A client and what it asks, and who is signed in.
#[derive(Clone, Debug)]
struct World {
    request: AuthorizationRequest,
    client: Client,
    /// Subject and age of the sign-in, the most recent first.
    accounts: Vec<Account>,
    consented: bool,
}

fn worlds() -> impl Strategy<Value = World> {
    let prompt = prop_oneof![
        Just(vec![Prompt::None]),
        proptest::sample::subsequence(vec![Prompt::Login, Prompt::Consent, Prompt::SelectAccount], 0..=3),
    ];
    let people = proptest::sample::subsequence(vec!["ada", "ben", "eve"], 0..=3).prop_shuffle();
    let hint = proptest::option::of(proptest::sample::select(vec!["ada", "ben", "eve"]));
    let acr = proptest::option::of((any::<bool>(), proptest::sample::select(vec!["pwd", "mfa"])));
    let client = (any::<bool>(), any::<bool>(), any::<bool>());
    (
        prompt,
        people,
        hint,
        acr,
        proptest::option::of(0_u64..120),
        0_u64..120,
        client,
        any::<bool>(),
    )
        .prop_map(
            |(prompt, people, hint, acr, max_age, ago, (skips, is_public, owns_address), consented)| {
                let mut request = request(&prompt);
                request.hinted_subject = hint.map(str::to_owned);
                request.max_age = max_age;
                if let Some((essential, value)) = acr {
                    request.claims.id_token = vec![RequestedClaim {
                        name: "acr".to_owned(),
                        essential,
                        values: vec![value.into()],
                    }];
                }
                if !owns_address {
                    request.answerable.redirect_uri = "http://127.0.0.1:4000/callback".to_owned();
                }
                let client = client_with(|client| {
                    if skips {
                        client.policy.consent = ConsentMode::Skip;
                    }
                    if is_public {
                        client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
                    }
                });
                let accounts = people.iter().map(|subject| account(subject, ago)).collect();
                World {
                    request,
                    client,
                    accounts,
                    consented,
                }
            },
        )
}

/// What a person does when asked; the numbers choose among what can be done.
#[derive(Clone, Copy, Debug)]
struct Deed {
    /// Which account is chosen, or who signs in.
    who: usize,
    /// How long they took, in seconds.
    took: u64,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec((0_usize..3, 0_u64..200).prop_map(|(who, took)| Deed { who, took }), 6)
}

/// Asks and answers as the flow does. Gives every decision, and what held at the last.
fn walk(world: &World, deeds: &[Deed]) -> (Vec<Decision>, Option<Account>, Answers, Timestamp) {
    let consented = consent("openid email");
    let mut accounts = world.accounts.clone();
    let mut settled: Option<String> = None;
    let mut answers = Answers::default();
    let mut now = NOW;
    let mut decisions = Vec::new();
    let by = |accounts: &[Account], subject: &Option<String>| {
        let subject = subject.as_ref()?;
        accounts.iter().find(|account| account.subject == *subject).cloned()
    };
    for deed in deeds {
        let account = by(&accounts, &settled)
            .or_else(|| by(&accounts, &world.request.hinted_subject))
            .or_else(|| accounts.first().cloned());
        let decision = decide(
            &world.request,
            &world.client,
            account.as_ref(),
            accounts.len() > 1,
            world.consented.then_some(&consented),
            &answers,
            now,
        );
        decisions.push(decision.clone());
        now = now.after(Duration::from_secs(deed.took));
        let before = account.as_ref().map(|account| account.subject.clone());
        let mut goes_on_with = |answers: &mut Answers, subject: &str| {
            if before.as_deref() != Some(subject) {
                *answers = Answers::default();
            }
            answers.account_chosen = true;
            settled = Some(subject.to_owned());
        };
        match decision {
            Decision::Login(_) | Decision::Reauthenticate(_) | Decision::StepUp(_) => {
                let subject = match (&decision, &account) {
                    (Decision::Reauthenticate(_) | Decision::StepUp(_), Some(account)) => account.subject.clone(),
                    _ => ["ada", "ben", "eve"][deed.who].to_owned(),
                };
                goes_on_with(&mut answers, &subject);
                answers.signed_in_at = Some(now);
                accounts.retain(|account| account.subject != subject);
                accounts.insert(
                    0,
                    Account {
                        auth_time: now,
                        ..self::account(&subject, 0)
                    },
                );
            }
            Decision::SelectAccount(_) => {
                let subject = accounts[deed.who % accounts.len()].subject.clone();
                goes_on_with(&mut answers, &subject);
            }
            Decision::Consent(_) => answers.consented = true,
            Decision::Issue | Decision::Refuse(_) | Decision::MakeRoom(_) => return (decisions, account, answers, now),
        }
    }
    (decisions, None, answers, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// SEC-016, SEC-018: whoever answers what is asked comes to an end, and a code is issued only where everything holds.
    #[test]
    fn answering_always_ends_and_never_skips_a_question(world in worlds(), deeds in deeds()) {
        let (decisions, account, answers, _) = walk(&world, &deeds);
        let last = decisions.last().unwrap();
        prop_assert!(matches!(last, Decision::Issue | Decision::Refuse(_)), "it goes on and on: {decisions:?}");
        for (index, decision) in decisions.iter().enumerate() {
            let again = decisions[index + 1..].iter().any(|later| later == decision);
            prop_assert!(!again, "asked twice: {decisions:?}");
        }
        if *last != Decision::Issue {
            return Ok(());
        }
        let request = &world.request;
        let account = account.expect("nobody is issued a code without an account");
        if let Some(hinted) = &request.hinted_subject {
            prop_assert_eq!(hinted, &account.subject);
        }
        if request.prompt.contains(&Prompt::Login) {
            prop_assert!(answers.signed_in_at == Some(account.auth_time));
        }
        if let Some(max_age) = request.max_age {
            let young = NOW.since(account.auth_time).as_secs() < max_age;
            prop_assert!(young || answers.signed_in_at == Some(account.auth_time));
        }
        let skips = world.client.policy.consent == ConsentMode::Skip;
        let proven = !world.client.is_public() || request.answerable.redirect_uri.starts_with("https:");
        let remembered = world.consented && proven && !request.prompt.contains(&Prompt::Consent);
        prop_assert!(skips || answers.consented || remembered);
    }

    /// SEC-018: `none` never asks.
    #[test]
    fn prompt_none_never_asks(world in worlds()) {
        let request = AuthorizationRequest { prompt: vec![Prompt::None], ..world.request };
        let consented = consent("openid email");
        for consent in [None, Some(&consented)] {
            for answers in [Answers::default(), Answers { account_chosen: true, ..Answers::default() }] {
                for account in [None, world.accounts.first()] {
                    let others = world.accounts.len() > 1;
                    let decision = decide(&request, &world.client, account, others, consent, &answers, NOW);
                    prop_assert!(matches!(decision, Decision::Issue | Decision::Refuse(_)), "{decision:?}");
                    prop_assert!(decision != Decision::Issue || account.is_some());
                }
            }
        }
    }
}
