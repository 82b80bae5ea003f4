//! A pending request belongs to the browser that began it, goes forward only by its own steps, and does not change.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::model::{Scopes, Timestamp};
use ostiary::random;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use url::Url;

use super::steps::{arrival, begin, enter, outcome, press, sign_in_beside, skips};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestClient, TestUser};

/// SEC-015.
#[tokio::test(flavor = "multi_thread")]
async fn authz_flow_bound_to_browser() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let eve = server.user("eve").await;
    let client = server.client(|_| ()).await;
    let first = server.client(skips).await;
    let stranger = Browser::new();
    let signed_in = Browser::new();
    RelyingParty::new(&server, &first).sign_in(&signed_in, &eve).await;
    for thief in [&stranger, &signed_in] {
        let party = RelyingParty::new(&server, &client);
        let owner = Browser::new();
        let login = owner
            .open(&party.authorization_url_with(&[("prompt", "consent")]))
            .await;
        assert_eq!(login.url.path(), "/login");
        let flow = login.url.query().unwrap().to_owned();
        let mut pages = vec![login.clone()];
        for step in ["login", "consent"] {
            for path in ["/login", "/login/consent", "/login/account"] {
                let page = thief.get(&server.url(&format!("{path}?{flow}"))).await;
                assert!(page.status.is_client_error(), "{step} {path}: {}", page.status);
                assert!(arrival(&page).is_none());
                assert!(!page.body.contains("Sample client"), "{step} {path}");
            }
            for page in &pages {
                for form in page.forms() {
                    for answers in [
                        &[("username", eve.username.as_str()), ("password", eve.password.as_str())][..],
                        &[("username", ada.username.as_str()), ("password", ada.password.as_str())],
                        &[("decision", "allow")],
                        &[("decision", "deny")],
                        &[("intent", "cancel")],
                        &[("account", "1")],
                        &[],
                    ] {
                        let answered = thief.submit(page, form.clone(), answers).await;
                        let outcome = outcome(&answered);
                        assert!(outcome.starts_with('4'), "{step} {answers:?}: {outcome}");
                    }
                }
            }
            // with the forms of its own browser's key, too: the handle alone is worth nothing
            if step == "login" {
                let entered = enter(&owner, &login, &ada).await;
                pages.push(owner.follow(entered).await);
            }
        }
        // the owner goes on as if nothing had been
        let consent = pages.last().unwrap();
        let arrived = arrival(&press(&owner, consent, "decision", "allow").await).unwrap();
        let answer = party.redeem(arrived.code()).await.ok();
        assert_eq!(claims(&answer.get("id_token"))["sub"], ada.subject.as_str());
        // and a finished flow answers nobody else
        let form = consent.form_with_button("decision", "allow");
        let late = thief.submit(consent, form, &[("decision", "allow")]).await;
        assert!(outcome(&late).starts_with('4'));
    }
    // nobody was signed in by any of this
    let url = RelyingParty::new(&server, &first).authorization_url_with(&[("prompt", "none")]);
    assert_eq!(begin(&stranger, &url).await, "login_required");
    server.stop().await;
}

/// SEC-017.
#[tokio::test(flavor = "multi_thread")]
async fn flow_parameters_immutable() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let client = server
        .client(|client| {
            client
                .metadata
                .redirect_uris
                .push("https://client.example/other".to_owned())
        })
        .await;
    let other = server
        .client(|client| {
            skips(client);
            client.metadata.redirect_uris = vec!["https://other.example/callback".to_owned()];
        })
        .await;
    let evil_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let tampered = [
        ("client_id", other.client_id.as_str()),
        ("redirect_uri", "https://client.example/other"),
        ("redirect_uri", "https://other.example/callback"),
        ("response_type", "token"),
        ("response_mode", "form_post"),
        ("scope", "openid profile email offline_access"),
        ("state", "planted"),
        ("nonce", "planted"),
        ("code_challenge", evil_challenge),
        ("code_challenge_method", "plain"),
        ("prompt", "none"),
        ("max_age", "1000000"),
        ("resource", "https://api.example"),
        ("claims", "{\"userinfo\":{\"phone_number\":null}}"),
        ("account", "1"),
        ("sub", "somebody"),
        ("user", "somebody"),
        ("consented", "true"),
    ];
    let with = |url: &Url, pairs: &[(&str, &str)]| {
        let mut url = url.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        url
    };
    for tampering in tampered.iter().map(std::slice::from_ref).chain([&tampered[..]]) {
        let mut party = RelyingParty::new(&server, &client);
        party.scope = "openid email".to_owned();
        let browser = Browser::new();
        let begun = browser
            .get(&party.authorization_url_with(&[("prompt", "consent")]))
            .await;
        let login = browser.get(with(&begun.location().unwrap(), tampering).as_str()).await;
        assert_eq!(login.url.path(), "/login");
        let values: Vec<_> = [("username", ada.username.as_str()), ("password", ada.password.as_str())]
            .into_iter()
            .chain(tampering.iter().copied())
            .collect();
        let mut entered = browser.submit(&login, login.form_with("password"), &values).await;
        if entered.status.is_client_error() {
            // a field that does not belong there ends this try, not the flow
            entered = enter(&browser, &login, &ada).await;
        }
        let asking = with(&entered.location().unwrap(), tampering);
        let consent = browser.get(asking.as_str()).await;
        assert_eq!(consent.url.path(), "/login/consent", "{tampering:?} {}", consent.body);
        let decision: Vec<_> = [("decision", "allow")]
            .into_iter()
            .chain(tampering.iter().copied())
            .collect();
        let form = consent.form_with_button("decision", "allow");
        let mut allowed = browser.submit(&consent, form, &decision).await;
        if allowed.status.is_client_error() {
            allowed = press(&browser, &consent, "decision", "allow").await;
        }
        let arrived = arrival(&allowed).unwrap_or_else(|| panic!("{tampering:?}: {}", allowed.body));
        assert!(
            arrived.url.as_str().starts_with("https://client.example/callback?"),
            "{tampering:?}"
        );
        assert_eq!(arrived.get("state"), party.state, "{tampering:?}");
        let answer = party.redeem(arrived.code()).await.ok();
        assert_eq!(answer.get("scope"), "openid email", "{tampering:?}");
        let claims = claims(&answer.get("id_token"));
        assert_eq!(claims["nonce"], party.nonce.as_str());
        assert_eq!(claims["aud"], client.client_id.as_str());
        assert_eq!(claims["sub"], ada.subject.as_str());
    }
    server.stop().await;
}

/// SEC-017: what a person allows counts for the account that the page showed.
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_counts_for_the_account_it_was_shown_for() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let ben = server.user("ben").await;
    let client = server.client(|_| ()).await;
    let first = server.client(skips).await;
    let browser = Browser::new();
    RelyingParty::new(&server, &first).sign_in(&browser, &ada).await;
    sign_in_beside(&browser, &RelyingParty::new(&server, &first), &ben).await;
    let party = RelyingParty::new(&server, &client);
    let chooser = browser.open(&party.authorization_url()).await;
    let form = chooser.form_with_button("intent", "other_account");
    let accounts: Vec<_> = form
        .buttons
        .iter()
        .filter(|(name, _)| name == "account")
        .cloned()
        .collect();
    assert_eq!(accounts.len(), 2);
    let mut shown = Vec::new();
    for (_, account) in &accounts {
        let chosen = browser.submit(&chooser, form.clone(), &[("account", account)]).await;
        shown.push(browser.follow(chosen).await);
    }
    let email_of = |page: &Page| {
        if page.body.contains(&ada.email) {
            ada.clone()
        } else {
            ben.clone()
        }
    };
    let (old, new) = (email_of(&shown[0]), email_of(&shown[1]));
    assert_ne!(old.id, new.id);
    // the first page still stands in another tab, and the flow goes on with the second account
    let pressed = press(&browser, &shown[0], "decision", "allow").await;
    if let Some(arrived) = arrival(&pressed) {
        let answer = party.redeem(arrived.code()).await.ok();
        assert_eq!(claims(&answer.get("id_token"))["sub"], old.subject.as_str());
    }
    let mut store = server.provider().store.read().await.unwrap();
    assert!(store.find_consent(new.id, client.id).await.unwrap().is_none());
    drop(store);
    server.stop().await;
}

/// What is asked for at the beginning of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asking {
    Plainly,
    ForLogin,
    ForConsent,
    OfAFirstPartyClient,
    Silently,
}

/// One step of somebody who tries everything. Numbers choose among what there is; `browser` says in which of two.
#[derive(Clone, Debug)]
enum Step {
    /// A new request, in a tab of its own.
    Begin { browser: usize, asking: Asking },
    /// A page of ours, by any handle seen so far, whoever's.
    Open { browser: usize, handle: usize, path: usize },
    /// A form of any page seen so far, with what a person would enter.
    Answer {
        browser: usize,
        page: usize,
        form: usize,
        answer: Answer,
    },
    /// A form that was sent before, once more.
    Replay { browser: usize, sent: usize },
    /// A form's fields sent to another page of ours.
    Misdirect {
        browser: usize,
        page: usize,
        form: usize,
        path: usize,
        answer: Answer,
    },
    /// No fields at all.
    Empty { browser: usize, handle: usize, path: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Password,
    WrongPassword,
    Nothing,
    Allow,
    Deny,
    Cancel,
    Account(usize),
    OtherAccount,
}

const PATHS: [&str; 3] = ["/login", "/login/consent", "/login/account"];

fn step() -> impl Strategy<Value = Step> {
    let asking = || {
        prop_oneof![
            3 => Just(Asking::Plainly),
            2 => Just(Asking::ForLogin),
            2 => Just(Asking::ForConsent),
            1 => Just(Asking::OfAFirstPartyClient),
            1 => Just(Asking::Silently),
        ]
    };
    let answer = || {
        prop_oneof![
            6 => Just(Answer::Password),
            1 => Just(Answer::WrongPassword),
            1 => Just(Answer::Nothing),
            6 => Just(Answer::Allow),
            1 => Just(Answer::Deny),
            1 => Just(Answer::Cancel),
            2 => (0_usize..2).prop_map(Answer::Account),
            1 => Just(Answer::OtherAccount),
        ]
    };
    let any = 0_usize..64;
    let browser = 0_usize..2;
    prop_oneof![
        3 => (browser.clone(), asking()).prop_map(|(browser, asking)| Step::Begin { browser, asking }),
        3 => (browser.clone(), any.clone(), 0_usize..3)
            .prop_map(|(browser, handle, path)| Step::Open { browser, handle, path }),
        8 => (browser.clone(), any.clone(), 0_usize..4, answer())
            .prop_map(|(browser, page, form, answer)| Step::Answer { browser, page, form, answer }),
        2 => (browser.clone(), any.clone()).prop_map(|(browser, sent)| Step::Replay { browser, sent }),
        2 => (browser.clone(), any.clone(), 0_usize..4, 0_usize..3, answer())
            .prop_map(|(browser, page, form, path, answer)| Step::Misdirect { browser, page, form, path, answer }),
        1 => (browser, any, 0_usize..3).prop_map(|(browser, handle, path)| Step::Empty { browser, handle, path }),
    ]
}

/// What is known of a flow.
#[derive(Clone, Debug)]
struct Flow {
    browser: usize,
    asking: Asking,
    /// The steps that had been taken when it began.
    taken: Taken,
}

/// The steps that the server took from people, each counted for whom and where it counts.
#[derive(Clone, Debug, Default)]
struct Taken {
    /// How often a person, by subject, got in with a right password in each browser.
    passwords: [BTreeMap<String, usize>; 2],
    /// How often a person allowed the client that asks. What is allowed counts in every browser.
    consents: BTreeMap<String, usize>,
}

impl Taken {
    fn passwords(&self, browser: usize, subject: &str) -> usize {
        self.passwords[browser].get(subject).copied().unwrap_or(0)
    }

    fn consents(&self, subject: &str) -> usize {
        self.consents.get(subject).copied().unwrap_or(0)
    }
}

/// A walk: two browsers, a person each, and everything that was seen.
struct Walk<'a> {
    server: &'a Server,
    clients: [&'a TestClient; 2],
    browsers: [Browser; 2],
    people: [TestUser; 2],
    /// By `state`.
    flows: BTreeMap<String, Flow>,
    verifiers: BTreeMap<String, String>,
    handles: Vec<String>,
    pages: Vec<Page>,
    sent: Vec<(Url, Vec<(String, String)>)>,
    taken: Taken,
    /// The codes that were judged already.
    judged: BTreeSet<String>,
    codes: usize,
}

impl Walk<'_> {
    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Begin { browser, asking } => self.begin(browser, asking).await,
            Step::Open { browser, handle, path } => {
                let Some(url) = self.handle(handle, path) else {
                    return Ok(());
                };
                let page = self.browsers[browser].get(&url).await;
                self.look(browser, page).await
            }
            Step::Answer {
                browser,
                page,
                form,
                answer,
            } => self.answer(browser, page, form, None, answer).await,
            Step::Misdirect {
                browser,
                page,
                form,
                path,
                answer,
            } => {
                let to = self.handle(page, path);
                self.answer(browser, page, form, to, answer).await
            }
            Step::Replay { browser, sent } => {
                if self.sent.is_empty() {
                    return Ok(());
                }
                let (url, fields) = self.sent[sent % self.sent.len()].clone();
                self.send(browser, &url, fields).await
            }
            Step::Empty { browser, handle, path } => {
                let Some(url) = self.handle(handle, path) else {
                    return Ok(());
                };
                self.send(browser, &url.parse().unwrap(), Vec::new()).await
            }
        }
    }

    fn handle(&self, handle: usize, path: usize) -> Option<String> {
        let known = self.handles.get(handle.checked_rem(self.handles.len())?)?;
        Some(self.server.url(&format!("{}?{known}", PATHS[path])))
    }

    async fn begin(&mut self, browser: usize, asking: Asking) -> Result<(), TestCaseError> {
        let client = self.clients[usize::from(asking == Asking::OfAFirstPartyClient)];
        let party = RelyingParty::new(self.server, client);
        let prompt = match asking {
            Asking::ForLogin => "login",
            Asking::ForConsent => "consent",
            Asking::Silently => "none",
            Asking::Plainly | Asking::OfAFirstPartyClient => "",
        };
        let url = party.authorization_url_with(&[("prompt", prompt)]);
        let flow = Flow {
            browser,
            asking,
            taken: self.taken.clone(),
        };
        self.flows.insert(party.state.clone(), flow);
        self.verifiers.insert(party.state.clone(), party.code_verifier.clone());
        let page = self.browsers[browser].get(&url).await;
        self.look(browser, page).await
    }

    async fn answer(
        &mut self,
        browser: usize,
        page: usize,
        form: usize,
        to: Option<String>,
        answer: Answer,
    ) -> Result<(), TestCaseError> {
        let Some(page) = page
            .checked_rem(self.pages.len())
            .map(|index| self.pages[index].clone())
        else {
            return Ok(());
        };
        let forms = page.forms();
        // mostly the form that fits the answer, else any
        let fitting = forms.iter().position(|form| match answer {
            Answer::Password | Answer::WrongPassword => form.has("password"),
            Answer::Allow => form.has_button("decision", "allow"),
            Answer::Account(_) => form.buttons.iter().any(|(name, _)| name == "account"),
            _ => false,
        });
        let Some(form) = fitting
            .or(form.checked_rem(forms.len()))
            .map(|index| forms[index].clone())
        else {
            return Ok(());
        };
        let person = &self.people[browser];
        let account = form.buttons.iter().filter(|(name, _)| name == "account").cycle();
        let fields: Vec<(String, String)> = match answer {
            Answer::Password => {
                vec![
                    ("username".into(), person.username.clone()),
                    ("password".into(), person.password.clone()),
                ]
            }
            Answer::WrongPassword => {
                vec![
                    ("username".into(), person.username.clone()),
                    ("password".into(), "wrong".into()),
                ]
            }
            Answer::Nothing => Vec::new(),
            Answer::Allow => vec![("decision".into(), "allow".into())],
            Answer::Deny => vec![("decision".into(), "deny".into())],
            Answer::Cancel => vec![("intent".into(), "cancel".into())],
            Answer::OtherAccount => vec![("intent".into(), "other_account".into())],
            Answer::Account(which) => account.skip(which).take(1).cloned().collect(),
        };
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let action = match to {
            Some(to) => to.parse().unwrap(),
            None if form.action.is_empty() => page.url.clone(),
            None => page.url.join(&form.action).unwrap(),
        };
        let filled = form.filled(&fields).inputs;
        self.send(browser, &action, filled).await
    }

    async fn send(&mut self, browser: usize, url: &Url, fields: Vec<(String, String)>) -> Result<(), TestCaseError> {
        if url.origin().ascii_serialization() != self.server.issuer() {
            return Ok(());
        }
        let has = |name: &str, value: &str| fields.iter().any(|(n, v)| n == name && v == value);
        let (session, allowed) = (self.session(browser), self.allowed().await);
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let page = self.browsers[browser].post(url.as_str(), &pairs).await;
        // a step that was refused is no step: a password gets in by a new session, an "allow" is written down
        let went_on = page.status.is_redirection();
        if went_on && self.session(browser) != session {
            // a form that was sent in one browser and comes again in the other brings its person along
            for person in self.people.iter().filter(|person| has("password", &person.password)) {
                let taken = &mut self.taken.passwords[browser];
                *taken.entry(person.subject.clone()).or_default() += 1;
            }
        }
        for (subject, given) in self.allowed().await {
            if allowed.get(&subject) == Some(&given) {
                continue;
            }
            prop_assert!(has("decision", "allow") && went_on, "a consent that nobody gave");
            prop_assert!(
                self.taken.passwords(browser, &subject) > 0,
                "the consent of somebody who did not sign in here"
            );
            *self.taken.consents.entry(subject).or_default() += 1;
        }
        self.sent.push((url.clone(), fields));
        self.look(browser, page).await
    }

    /// The session's cookie in a browser.
    fn session(&self, browser: usize) -> Option<String> {
        self.browsers[browser].cookie("ostiary_session")
    }

    /// When each person allowed the client that asks, as the store has it.
    async fn allowed(&self) -> BTreeMap<String, Timestamp> {
        let mut store = self.server.provider().store.read().await.unwrap();
        let mut allowed = BTreeMap::new();
        for person in &self.people {
            if let Some(consent) = store.find_consent(person.id, self.clients[0].id).await.unwrap() {
                allowed.insert(person.subject.clone(), consent.given_at);
            }
            let first_party = store.find_consent(person.id, self.clients[1].id).await.unwrap();
            assert!(first_party.is_none(), "nobody is asked about that client");
        }
        allowed
    }

    /// Remembers what a page offers; whatever reaches a client has to be deserved.
    async fn look(&mut self, browser: usize, page: Page) -> Result<(), TestCaseError> {
        prop_assert!(!page.status.is_server_error(), "{} {}", page.url, page.status);
        let mut page = page;
        for _ in 0..6 {
            if let Some(arrived) = arrival(&page) {
                return self.judge(browser, &arrived.parameters).await;
            }
            match page.location() {
                Some(to) => {
                    let flow = to
                        .query_pairs()
                        .find(|(name, _)| name == "flow")
                        .map(|(_, id)| format!("flow={id}"));
                    self.handles.extend(flow.filter(|flow| !self.handles.contains(flow)));
                    page = self.browsers[browser].get(to.as_str()).await;
                }
                None => break,
            }
        }
        if page.status.is_success() && !page.forms().is_empty() {
            self.pages.push(page);
        }
        Ok(())
    }

    async fn judge(&mut self, browser: usize, answer: &BTreeMap<String, String>) -> Result<(), TestCaseError> {
        let flow = self.flows[&answer["state"]].clone();
        prop_assert_eq!(flow.browser, browser, "an answer of another browser's flow");
        let Some(code) = answer.get("code") else { return Ok(()) };
        self.codes += 1;
        let client = self.clients[usize::from(flow.asking == Asking::OfAFirstPartyClient)];
        let mut party = RelyingParty::new(self.server, client);
        party.code_verifier.clone_from(&self.verifiers[&answer["state"]]);
        let tokens = party.redeem(code).await;
        if !tokens.status.is_success() {
            // a second click gets the same code, which is redeemed by then
            prop_assert!(
                self.judged.contains(code),
                "a code that is worth nothing: {}",
                tokens.body
            );
            return Ok(());
        }
        prop_assert!(self.judged.insert(code.clone()), "a code that is good twice");
        let granted = Scopes::parse(&tokens.get("scope")).unwrap();
        prop_assert!(granted.contains("openid"));
        let subject = claims(&tokens.get("id_token"))["sub"].as_str().unwrap().to_owned();
        let passwords = self.taken.passwords(browser, &subject);
        prop_assert!(passwords > 0, "a code for somebody who did not sign in here");
        // what a person allowed is remembered in every browser, for that person
        let consents = self.taken.consents(&subject);
        if flow.asking != Asking::OfAFirstPartyClient {
            prop_assert!(consents > 0, "a code without this person's consent");
        }
        if flow.asking == Asking::ForLogin {
            let before = flow.taken.passwords(browser, &subject);
            prop_assert!(passwords > before, "prompt=login without a login of this person");
        }
        if flow.asking == Asking::ForConsent {
            let before = flow.taken.consents(&subject);
            prop_assert!(consents > before, "prompt=consent without a consent of this person");
        }
        Ok(())
    }
}

/// SEC-016: whatever is sent in whatever order, from whichever of two browsers and of many tabs, a code appears only after a
/// login and, where it is needed, a consent in that browser.
#[test]
fn flow_step_order_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::start());
    let clients = runtime.block_on(async { [server.client(|_| ()).await, server.client(skips).await] });
    let codes = std::sync::atomic::AtomicUsize::new(0);
    let config = Config {
        cases: 32,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..Config::default()
    };
    // the same walks each time: a suite that fails by chance is not believed
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = proptest::collection::vec(step(), 10..40);
    let walked = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let name = random::hex_id();
            // a quiet hour, so that wrong guesses of earlier walks are forgotten
            server.advance(std::time::Duration::from_secs(60 * 60));
            let mut walk = Walk {
                server: &server,
                clients: [&clients[0], &clients[1]],
                browsers: [Browser::new(), Browser::new()],
                people: [
                    server.user(&format!("ada-{name}")).await,
                    server.user(&format!("ben-{name}")).await,
                ],
                flows: BTreeMap::new(),
                verifiers: BTreeMap::new(),
                handles: Vec::new(),
                pages: Vec::new(),
                sent: Vec::new(),
                taken: Taken::default(),
                judged: BTreeSet::new(),
                codes: 0,
            };
            for step in &steps {
                walk.take(step).await?;
            }
            codes.fetch_add(walk.codes, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        })
    });
    if let Err(failure) = walked {
        panic!("{failure}");
    }
    // the walks that lead nowhere show nothing
    let codes = codes.into_inner();
    assert!(codes > 20, "only {codes} codes");
    runtime.block_on(server.stop());
}
