//! Long random walks beside a model that says what must happen, and properties that hold for whatever comes.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::flow::token;
use ostiary::flow::{Call, Error};
use ostiary::model::scope::STANDARD;
use ostiary::model::{AccessTokenFormat, Client, ConsentMode, GrantType, Scopes, Timestamp, UserStatus};
use ostiary::protocol::parameters::Parameters;
use serde_json::Value;
use url::form_urlencoded;

use super::scene::{
    DAY, Dice, MINUTE, SECOND, Scene, Tokens, assert_invalid_grant, count_events, events, now, resource, trusted,
    without_trace,
};
use crate::support::relying_party::{Answer, RelyingParty, claims};
use crate::support::server::{Server, each_backend};

/// A code as the model knows it.
struct KnownCode {
    code: String,
    verifier: String,
    made: Timestamp,
    used: bool,
    /// Whether the session it was made in has ended.
    orphaned: bool,
}

/// SEC-740
#[tokio::test(flavor = "multi_thread")]
async fn model_auth_code() {
    each_backend(async |server| {
        for seed in [1, 2] {
            let mut dice = Dice::seeded(seed);
            let scene = Scene::on(server).await;
            let other = trusted(server).await;
            let mut codes: Vec<KnownCode> = Vec::new();
            let mut active = true;
            let mut successes = 0;
            for step in 0..100 {
                let Some(at) = (!codes.is_empty()).then(|| dice.below(codes.len())) else {
                    let party = scene.party();
                    codes.push(KnownCode {
                        code: scene.code(&party).await,
                        verifier: party.code_verifier.clone(),
                        made: now(server),
                        used: false,
                        orphaned: false,
                    });
                    continue;
                };
                match dice.below(10) {
                    0 | 1 | 7 if active => {
                        let party = scene.party();
                        codes.push(KnownCode {
                            code: scene.code(&party).await,
                            verifier: party.code_verifier.clone(),
                            made: now(server),
                            used: false,
                            orphaned: false,
                        });
                    }
                    2 => server.advance(20 * SECOND),
                    3 if !active || dice.below(3) == 0 => {
                        active = !active;
                        scene
                            .set_status(if active {
                                UserStatus::Active
                            } else {
                                UserStatus::Inactive
                            })
                            .await;
                    }
                    4 if dice.below(3) == 0 => {
                        scene.end_sessions().await;
                        codes.iter_mut().for_each(|code| code.orphaned = true);
                    }
                    5 => {
                        let mut foreign = RelyingParty::new(server, &other);
                        foreign.code_verifier.clone_from(&codes[at].verifier);
                        assert_invalid_grant(&foreign.redeem(&codes[at].code).await);
                    }
                    6 => assert_invalid_grant(&scene.party().redeem(&codes[at].code).await),
                    _ => {
                        let known = &mut codes[at];
                        let mut party = scene.party();
                        party.code_verifier.clone_from(&known.verifier);
                        let expected =
                            !known.used && !known.orphaned && active && now(server) < known.made.after(58 * SECOND);
                        let certain = now(server).since(known.made).abs_diff(MINUTE) > 3 * SECOND;
                        let answer = party.redeem(&known.code).await;
                        let succeeded = answer.status.is_success();
                        assert!(
                            succeeded == expected || !certain,
                            "seed {seed}, step {step}: {}",
                            answer.body
                        );
                        assert!(!(succeeded && known.used), "seed {seed}, step {step}: twice");
                        known.used |= succeeded;
                        successes += usize::from(succeeded);
                    }
                }
            }
            assert_eq!(count_events(server, &scene.client, "code.redeemed").await, successes);
            assert!(successes > 5, "{successes}");
        }
    })
    .await;
}

/// A family of refresh tokens as the model knows it.
struct Family {
    chain: Vec<Tokens>,
    made: Vec<Timestamp>,
    spent: Vec<Option<Timestamp>>,
    began: Timestamp,
    dead: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Rotation,
    Repetition,
    Refusal,
    End,
}

impl Family {
    async fn begun(scene: &Scene<'_>) -> Self {
        let began = now(scene.server);
        Self {
            chain: vec![scene.tokens().await],
            made: vec![began],
            spent: vec![None],
            began,
            dead: false,
        }
    }

    /// What has to come of presenting a link of the chain.
    fn judge(&self, at: usize, active: bool, now: Timestamp) -> Expected {
        let expired = now >= self.began.after(180 * DAY);
        let Some(spent) = self.spent[at].filter(|_| !self.dead && !expired) else {
            let idle = now >= self.made[at].after(30 * DAY);
            let good = !self.dead && !expired && !idle && active;
            return if good { Expected::Rotation } else { Expected::Refusal };
        };
        if now.since(spent) > 30 * SECOND {
            return Expected::End;
        }
        let successor_unused = self.spent[at + 1].is_none();
        if successor_unused && active {
            Expected::Repetition
        } else {
            Expected::Refusal
        }
    }
}

/// SEC-741
#[tokio::test(flavor = "multi_thread")]
async fn model_refresh_family() {
    each_backend(async |server| {
        for seed in [3, 4] {
            let mut dice = Dice::seeded(seed);
            let scene = Scene::on(server).await;
            let party = scene.party();
            let mut family = Family::begun(&scene).await;
            let mut active = true;
            let mut seen = BTreeSet::new();
            for step in 0..130 {
                if family.dead && active && dice.below(3) == 0 {
                    family = Family::begun(&scene).await;
                }
                match dice.below(12) {
                    0 => server.advance(20 * SECOND),
                    1 => server.advance(45 * SECOND),
                    2 if dice.below(6) == 0 => server.advance(31 * DAY),
                    3 if dice.below(3) == 0 => {
                        active = !active;
                        scene
                            .set_status(if active {
                                UserStatus::Active
                            } else {
                                UserStatus::Inactive
                            })
                            .await;
                    }
                    4 if dice.below(5) == 0 => {
                        let at = dice.below(family.chain.len());
                        party.revoke(&family.chain[at].refresh).await.ok();
                        family.dead = true;
                    }
                    _ => {
                        // mostly the newest, or one of the last
                        let length = family.chain.len();
                        let back = if dice.below(3) > 0 {
                            0
                        } else {
                            dice.below(length.min(4))
                        };
                        let at = length - 1 - back;
                        let moment = now(server);
                        let expected = family.judge(at, active, moment);
                        let answer = party.refresh(&family.chain[at].refresh).await;
                        let context = format!("seed {seed}, step {step}: {expected:?} {}", answer.body);
                        match expected {
                            Expected::Rotation => {
                                let next = Tokens::of(&answer);
                                assert!(
                                    family.chain.iter().all(|link| link.refresh != next.refresh),
                                    "{context}"
                                );
                                assert_eq!(answer.get("scope"), party.scope, "{context}");
                                family.spent[at] = Some(moment);
                                family.chain.push(next);
                                family.made.push(moment);
                                family.spent.push(None);
                            }
                            Expected::Repetition => {
                                assert_eq!(Tokens::of(&answer).refresh, family.chain[at + 1].refresh, "{context}");
                            }
                            Expected::Refusal => assert_invalid_grant(&answer),
                            Expected::End => {
                                assert_invalid_grant(&answer);
                                family.dead = true;
                            }
                        }
                        seen.insert(format!("{expected:?}"));
                    }
                }
                if step % 4 > 0 {
                    continue;
                }
                // at most one live leaf, and none of a dead family
                let mut live = 0;
                for link in family.chain.iter().rev().take(3) {
                    live += usize::from(scene.counts(&link.refresh).await);
                }
                assert!(
                    live <= 1 && !(family.dead && live > 0),
                    "seed {seed}, step {step}: {live}"
                );
            }
            assert_eq!(seen.len(), 4, "the walk saw {seen:?}");
        }
    })
    .await;
}

/// SEC-751
#[tokio::test(flavor = "multi_thread")]
async fn prop_scope_algebra() {
    each_backend(async |server| {
        resource(server, "https://orders.example", &["orders.read", "orders.write"], None).await;
        let words: Vec<&str> = STANDARD
            .iter()
            .copied()
            .chain(["orders.read", "orders.write", "admin", "account", "unknown"])
            .collect();
        let set = |text: &str| Scopes::parse(text).unwrap();
        let mut dice = Dice::seeded(751);
        let (mut issued_some, mut not_consented, mut taken_back) = (0, 0, 0);
        for case in 0..60 {
            let allowed = Scopes::from_tokens(dice.some(&words));
            let requested = dice.some(&words).join(" ");
            let narrowed = dice.some(&words).join(" ");
            let own = case % 3 == 0;
            let change = |client: &mut Client| {
                client.metadata.scope = allowed.clone();
                client.policy.consent = ConsentMode::Ask;
                if own {
                    client.metadata.grant_types = vec![GrantType::ClientCredentials];
                }
            };
            let scene = Scene::with(server, change).await;
            let mut party = scene.party();
            party.scope.clone_from(&requested);
            let check = |answer: &Answer, bounds: &[&Scopes]| {
                let issued = set(&answer.get("scope"));
                assert!(
                    issued.is_within(&allowed) && bounds.iter().all(|bound| issued.is_within(bound)),
                    "{allowed} / {requested}: {issued}, bounds {bounds:?}"
                );
                assert!(!issued.contains("unknown"));
                // the answer and the token say the same
                let told = claims(&answer.get("access_token"));
                let told = set(told.get("scope").and_then(Value::as_str).unwrap_or_default());
                assert_eq!(told, issued);
                issued
            };
            if own {
                let form = [("grant_type", "client_credentials"), ("scope", requested.as_str())];
                let answer = party.token(&form).await;
                if answer.status.is_success() {
                    let bound = if requested.is_empty() {
                        allowed.clone()
                    } else {
                        set(&requested)
                    };
                    let issued = check(&answer, &[&bound]);
                    assert!(issued.iter().all(|scope| !STANDARD.contains(&scope)), "{issued}");
                    issued_some += 1;
                } else {
                    assert_eq!(answer.error(), "invalid_scope");
                }
                continue;
            }
            let bound = if requested.is_empty() {
                set("openid")
            } else {
                set(&requested)
            };
            // what the person has allowed: often what is asked for and more, else whatever
            let mut consented = Scopes::from_tokens(dice.some(&words));
            if dice.below(3) > 0 {
                bound.iter().for_each(|scope| consented.add(scope));
            }
            scene.give(consented.clone()).await;
            scene.sign_in().await;
            let asking = [("scope", requested.as_str()), ("prompt", "none")];
            let arrival = scene.arrive(&party.authorization_url_with(&asking)).await;
            match arrival.get("error") {
                "" => (),
                "consent_required" => {
                    assert!(
                        !bound.within(&allowed).is_within(&consented),
                        "{requested} of {consented}"
                    );
                    not_consented += 1;
                    continue;
                }
                error => {
                    assert_eq!(error, "invalid_scope");
                    continue;
                }
            }
            issued_some += 1;
            let first = party.redeem(arrival.code()).await.ok();
            let granted = check(&first, &[&bound, &consented]);
            // and what is left of it when the token comes back
            match dice.below(4) {
                0 => {
                    scene.withdraw().await;
                    consented = Scopes::default();
                }
                1 => {
                    consented = Scopes::from_tokens(dice.some(&consented.iter().collect::<Vec<_>>()));
                    scene.give(consented.clone()).await;
                }
                2 => {
                    words.iter().for_each(|word| consented.add(word));
                    scene.give(consented.clone()).await;
                }
                _ => (),
            }
            let refresh = first.get("refresh_token");
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh.as_str()),
                ("scope", narrowed.as_str()),
            ];
            let answer = party.token(&form).await;
            if answer.status.is_success() {
                assert!(granted.is_within(&consented), "{granted} after {consented}");
                let asked = if narrowed.is_empty() {
                    granted.clone()
                } else {
                    set(&narrowed)
                };
                check(&answer, &[&asked, &granted, &consented]);
            } else if answer.error() == "invalid_grant" {
                assert!(
                    !bound.within(&allowed).is_within(&consented),
                    "{granted} of {consented}"
                );
                taken_back += 1;
            } else {
                assert_eq!(answer.error(), "invalid_scope");
                assert!(granted.is_within(&consented), "{granted} of {consented}");
                assert!(
                    !set(&narrowed).is_within(&granted) || set(&narrowed).is_empty(),
                    "{narrowed} of {granted}"
                );
            }
        }
        assert!(issued_some > 16, "{issued_some}");
        assert!(not_consented > 2, "{not_consented} requests for more than was allowed");
        assert!(taken_back > 2, "{taken_back} tokens whose consent was taken back");
    })
    .await;
}

/// A token request as the flow takes it, at a moment of the test's choice.
async fn granted_at(server: &Server, scene: &Scene<'_>, at: Timestamp, form: &[(&str, &str)]) -> Result<Value, Error> {
    let provider = server.provider();
    let client = provider.client(&scene.client.client_id).await.unwrap().unwrap();
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let parameters = Parameters::parse(&[body.as_bytes()]).unwrap();
    let call = Call {
        now: at,
        ..server.call()
    };
    let answer = token::grant(provider, &call, &client, &parameters).await?;
    Ok(answer.to_json())
}

async fn refreshed_at(server: &Server, scene: &Scene<'_>, at: Timestamp, token: &str) -> Result<String, Error> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let answer = granted_at(server, scene, at, &form).await?;
    Ok(answer["refresh_token"].as_str().unwrap().to_owned())
}

async fn counts_at(server: &Server, at: Timestamp, token: &str) -> bool {
    let call = Call {
        now: at,
        ..server.call()
    };
    let token = ostiary::model::Secret::new(token);
    token::verify::find(server.provider(), &call, &token)
        .await
        .unwrap()
        .is_some()
}

/// SEC-759
#[tokio::test(flavor = "multi_thread")]
async fn prop_clock_jump() {
    each_backend(async |server| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(server, |client| client.policy.access_token_format = format).await;
            let hour = Duration::from_secs(60 * 60);

            // a code stays used, wherever the clock goes
            let party = scene.party();
            let code = scene.code(&party).await;
            let tokens = Tokens::of(&party.redeem(&code).await);
            let start = now(server);
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", party.client.redirect_uri.as_str()),
                ("code_verifier", party.code_verifier.as_str()),
            ];
            for at in [
                start.before(hour),
                start.after(hour),
                start.before(400 * DAY),
                start.after(400 * DAY),
                start,
            ] {
                assert!(granted_at(server, &scene, at, &form).await.is_err());
            }
            assert!(!counts_at(server, start, &tokens.access).await, "it was replayed");

            // a token's end stays where it was put: backward it is not moved, forward it comes by the size of the jump
            let tokens = scene.tokens().await;
            let start = now(server);
            for (at, counts) in [
                (start.before(hour), true),
                (start.after(9 * MINUTE), true),
                (start.after(10 * MINUTE), false),
                (start.after(400 * DAY), false),
                (start.after(10 * MINUTE), false),
                (start, true),
            ] {
                assert_eq!(counts_at(server, at, &tokens.access).await, counts);
            }
            // a refresh before its time makes a token that ends before its time, not after
            let back = start.before(5 * MINUTE);
            let next = refreshed_at(server, &scene, back, &tokens.refresh).await.unwrap();
            // used once stays used once: the retry gives the same one, and nothing else
            for at in [back, back.before(hour), back.after(30 * SECOND)] {
                assert_eq!(refreshed_at(server, &scene, at, &tokens.refresh).await.unwrap(), next);
            }
            let third = refreshed_at(server, &scene, back, &next).await.unwrap();
            for at in [back.before(hour), back] {
                assert!(refreshed_at(server, &scene, at, &tokens.refresh).await.is_err());
            }
            assert!(
                refreshed_at(server, &scene, start.after(31 * DAY), &third)
                    .await
                    .is_err()
            );
            // the jump forward alone has ended nothing
            refreshed_at(server, &scene, start, &third).await.unwrap();
            let store = server.provider().store.read();
            let digest = ostiary::model::Secret::new(third.as_str()).digest();
            let row = store.await.unwrap().find_refresh_token(&digest).await.unwrap().unwrap();
            assert!(row.expires_at <= start.after(30 * DAY));
        }
    })
    .await;
}

/// SEC-762
#[tokio::test(flavor = "multi_thread")]
async fn prop_uniform_failure() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let other = Scene::on(server).await;
        let party = scene.party();
        let revoked = scene.tokens().await;
        party.revoke(&revoked.refresh).await.ok();
        let foreign = other.tokens().await;
        let expired = scene.tokens().await;
        server.advance(10 * MINUTE);
        let live = scene.tokens().await;
        let mut dice = Dice::seeded(762);
        let mut failing = vec![
            revoked.access,
            expired.access,
            live.id.clone(),
            live.refresh.clone(),
            String::from("."),
            "a.b.c".to_owned(),
        ];
        for _ in 0..20 {
            let length = 1 + dice.below(200);
            failing.push((0..length).map(|_| char::from(b"Az09-_.~+/"[dice.below(10)])).collect());
        }
        // what is wrong with an access token can't be told from the answer
        let mut answers = BTreeSet::new();
        for token in &failing {
            let answer = party.userinfo(token).await;
            assert_eq!(answer.header("cache-control"), "no-store");
            answers.insert(format!(
                "{:?} {}",
                without_trace(&answer),
                answer.header("www-authenticate")
            ));
        }
        assert_eq!(answers.len(), 1, "{answers:#?}");
        // nor from what introspection says, another's good tokens included
        let mut answers = BTreeSet::new();
        for token in failing
            .iter()
            .filter(|token| **token != live.refresh)
            .chain([&foreign.access, &foreign.refresh])
        {
            let answer = party.introspect(token).await;
            answers.insert(format!("{} {}", answer.status, answer.body));
        }
        assert_eq!(answers.len(), 1, "{answers:#?}");
        let mut answers = BTreeSet::new();
        for token in failing
            .iter()
            .filter(|token| **token != live.refresh)
            .chain([&foreign.access, &foreign.refresh])
        {
            let answer = party.revoke(token).await;
            answers.insert(format!("{} {}", answer.status, answer.body));
        }
        assert_eq!(answers.len(), 1, "{answers:#?}");
        // a code or refresh token that was never there, of whatever shape
        for grant in ["refresh_token", "code"] {
            let mut answers = BTreeSet::new();
            for token in failing.iter().filter(|token| **token != live.refresh) {
                let answer = if grant == "code" {
                    party.redeem(token).await
                } else {
                    party.refresh(token).await
                };
                answers.insert(format!("{:?}", without_trace(&answer)));
            }
            assert_eq!(answers.len(), 1, "{answers:#?}");
        }
        // nothing of it has harmed what is good
        assert!(scene.counts(&live.access).await && other.counts(&foreign.refresh).await);
    })
    .await;
}

/// SEC-763
#[tokio::test(flavor = "multi_thread")]
async fn prop_audit_complete() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let mut dice = Dice::seeded(763);
        let mut expected: Vec<&str> = Vec::new();
        scene.sign_in().await;
        for _ in 0..40 {
            match dice.below(6) {
                0 => {
                    let code = scene.code(&party).await;
                    let tokens = Tokens::of(&party.redeem(&code).await);
                    Tokens::of(&party.refresh(&tokens.refresh).await);
                    expected.extend(["authorization", "code.redeemed", "token.refreshed"]);
                }
                1 => {
                    let tokens = scene.tokens().await;
                    party.revoke(&tokens.access).await.ok();
                    party.revoke(&tokens.refresh).await.ok();
                    expected.extend(["authorization", "code.redeemed", "token.revoked", "token.revoked"]);
                }
                2 => {
                    let code = scene.code(&party).await;
                    party.redeem(&code).await.ok();
                    assert_invalid_grant(&party.redeem(&code).await);
                    expected.extend(["authorization", "code.redeemed", "code.replayed"]);
                }
                3 => {
                    let tokens = scene.tokens().await;
                    party.refresh(&tokens.refresh).await.ok();
                    server.advance(31 * SECOND);
                    assert_invalid_grant(&party.refresh(&tokens.refresh).await);
                    expected.extend(["authorization", "code.redeemed", "token.refreshed", "refresh.replayed"]);
                }
                4 => {
                    let url = party.authorization_url_with(&[("response_type", "token")]);
                    assert_eq!(scene.arrive(&url).await.get("error"), "unsupported_response_type");
                    expected.push("authorization");
                }
                _ => {
                    let form = [("token", "x"), ("client_id", scene.client.client_id.as_str())];
                    let answer = party.post_as("/oauth2/introspect", &form, &[]).await;
                    assert_eq!(answer.status, 401);
                    expected.push("client.authentication");
                }
            }
        }
        let mine: Vec<_> = events(server)
            .await
            .into_iter()
            .filter(|event| event.client == Some(scene.client.id.uuid()))
            .collect();
        let mut told: Vec<&str> = mine.iter().map(|event| event.kind.as_str()).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
        for event in &mine {
            // whoever asks can find the request, and what was refused says why
            assert_eq!(event.trace.len(), 32, "{event:?}");
            assert!(event.outcome != "refused" || event.reason.is_some(), "{event:?}");
            assert!(event.address.is_some(), "{event:?}");
        }
        let traces: BTreeSet<&String> = mine.iter().map(|event| &event.trace).collect();
        assert_eq!(traces.len(), mine.len(), "one event a request");
    })
    .await;
}
