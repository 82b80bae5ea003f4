//! What people carry along, are sent or follow, and how each is raced for: through the pages, on servers whose time is moved.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::credential::{digest_recovery_code, generate_recovery_codes};
use ostiary::flow::people;
use ostiary::model::{Id, Secret, Session, Timestamp, User};
use ostiary::random;
use ostiary::store::{ActionLinkKind, NewActionLink, Write};
use serde_json::json;

use super::kinds::{network, sent_from};
use super::{Answers, Meter, RACERS, winners};
use crate::login::factor_scene::{asked, enrolled, now};
use crate::login::own_phone::{code_of, code_to};
use crate::login::passkey_scene::{self, asking, keyed};
use crate::login::recovery::mails;
use crate::login::sign_in;
use crate::support::authenticator::Device;
use crate::support::backend::{Backend, quick};
use crate::support::browser::{Browser, Page};
use crate::support::html::Form;
use crate::support::server::{Server, TestUser};
use crate::support::wire::{Wire, WireAnswer};

const HOUR: Duration = Duration::from_secs(60 * 60);
const NEW: &str = "a long walk by the river at noon";
/// How many browsers of one person present the same thing, each in a sign-in of its own.
const BROWSERS: usize = 4;

/// Servers that people are raced at: one on SQLite, three on Postgres and Redis.
struct Course {
    backend: Backend,
    first: Server,
    others: Vec<Server>,
    racers: Vec<Wire>,
}

impl Course {
    async fn lay(backend: Backend) -> Self {
        let first = Server::start_configured(backend, |config| {
            // each race comes from another network, so that nobody is throttled for having lost many
            config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let mut others = Vec::new();
        if backend == Backend::PostgresRedis {
            others.push(first.node().await);
            others.push(first.node().await);
        }
        first
            .settings(json!({
                "guess.account_budget": 1000, "guess.source_budget": 100_000, "code.most_sends": 100,
                "sign_in.mail_codes": true, "sign_in.text_codes": true, "sign_in.mail_links": true, "registration.mode": "open",
            }))
            .await;
        let addresses: Vec<_> = [&first].into_iter().chain(&others).map(Server::address).collect();
        for node in [&first].into_iter().chain(&others) {
            node.provider().refresh_memory().await.unwrap();
        }
        Self {
            backend,
            racers: (0..RACERS)
                .map(|turn| Wire::to(addresses[turn % addresses.len()]))
                .collect(),
            first,
            others,
        }
    }

    async fn person(&self) -> TestUser {
        let verified = |profile: &mut ostiary::model::Profile| {
            profile.email_verified = true;
            profile.phone_number = Some(format!("+336{:08}", random::below(100_000_000)));
            profile.phone_number_verified = true;
        };
        let name = format!("person-{}", random::hex_id());
        self.first.user_with(&name, verified).await
    }

    /// The bytes with which a browser sends a form of a page from this network.
    fn bytes(&self, browser: &Browser, page: &Page, form: Form, values: &[(&str, &str)], from: &str) -> Vec<u8> {
        let issuer = self.first.issuer().to_owned();
        let form = form.filled(values);
        sent_from(browser, &self.first.host(), (&page.url, &form), (&issuer, from))
    }

    /// All at once: each racer sends one of these, in turn.
    async fn race(&mut self, requests: &[Vec<u8>]) -> Answers {
        let connected = join_all(
            self.racers
                .iter_mut()
                .map(async |wire| wire.connect().await.map(|()| wire)),
        )
        .await;
        let answers = connected.into_iter().enumerate().map(async |(turn, wire)| {
            let request = &requests[turn % requests.len()];
            wire.unwrap().exchange(request).await.unwrap()
        });
        join_all(answers).await
    }

    /// Whose session lives.
    async fn live(&self, user: &TestUser) -> BTreeSet<Id<Session>> {
        let (provider, call) = (self.first.provider(), self.first.call());
        let live = provider.sessions.list(user.id, call.now).await.unwrap();
        live.into_iter().map(|session| session.id).collect()
    }

    /// A race of several browsers for one session: one of them has it, and one only, although its own form may have been sent more
    /// than once. Gives the browser's place among the requests.
    async fn race_for_a_session(&mut self, user: &TestUser, requests: &[Vec<u8>], meter: &mut Meter) -> usize {
        let before = self.live(user).await;
        let answers = self.race(requests).await;
        let mut entered = BTreeSet::new();
        for (turn, answer) in answers.iter().enumerate() {
            let busy = answer.status == 503 && !answer.header("retry-after").is_empty();
            if gives_a_session(answer) {
                entered.insert(turn % requests.len());
            } else {
                // of two clicks of one browser the second leads where the first did; who answers for a link elsewhere is told so
                let known = [200, 303, 404, 422, 429].contains(&answer.status);
                assert!(busy || known, "{} {}", answer.status, answer.body);
            }
        }
        let came: Vec<_> = self.live(user).await.difference(&before).copied().collect();
        assert_eq!((entered.len(), came.len()), (1, 1), "{}: {entered:?}", meter.kind);
        meter.count(&answers);
        entered.into_iter().next().unwrap()
    }

    async fn add(&self, add: impl AsyncFnOnce(&mut Write, Timestamp)) {
        let mut tx = self.first.provider().store.write().await.unwrap();
        add(&mut tx, self.first.call().now).await;
        tx.commit().await.unwrap();
    }

    /// How many events of a kind are written about somebody.
    async fn events(&self, kind: &str, user: Id<User>) -> i64 {
        for node in [&self.first].into_iter().chain(&self.others) {
            node.provider().write_noted_events().await.unwrap();
        }
        let mut store = self.first.provider().store.database().read().await.unwrap();
        let counting = store.sql("select count(*) from events where kind = $1 and user_id = $2");
        counting.bind(kind).bind(user.uuid()).one().await.unwrap()
    }

    async fn end(self) {
        for node in self.others {
            node.stop().await;
        }
        self.first.stop().await;
    }
}

/// Whether an answer gives its browser a session.
fn gives_a_session(answer: &WireAnswer) -> bool {
    let cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
    cookies
        .filter_map(|(_, value)| value.strip_prefix("ostiary_session="))
        .any(|value| !value.starts_with(';'))
}

/// Time steps of an authenticator, in sign-ins of one person's several browsers.
async fn time_steps(course: &mut Course) {
    let mut meter = Meter::of_pages("time steps of an authenticator", course.backend);
    while meter.goes_on() {
        let ada = enrolled(&course.first, &random::hex_id()).await;
        let from = network(meter.rounds);
        let mut requests = Vec::new();
        let code = now(&course.first, &ada.authenticator);
        for _ in 0..BROWSERS {
            let browser = Browser::new();
            let page = asked(&course.first, &browser, &ada.user).await;
            requests.push(course.bytes(&browser, &page, page.form_with("code"), &[("code", &code)], &from));
        }
        course.race_for_a_session(&ada.user, &requests, &mut meter).await;
    }
}

/// Recovery codes, the same way.
async fn recovery_codes(course: &mut Course) {
    let mut meter = Meter::of_pages("recovery codes", course.backend);
    while meter.goes_on() {
        let ada = enrolled(&course.first, &random::hex_id()).await;
        let codes = generate_recovery_codes();
        let digests: Vec<_> = codes.iter().map(|code| digest_recovery_code(code).unwrap()).collect();
        course
            .add(async |tx, at| tx.replace_recovery_codes(ada.user.id, &digests, at).await.unwrap())
            .await;
        let from = network(meter.rounds);
        let mut requests = Vec::new();
        for _ in 0..BROWSERS {
            let browser = Browser::new();
            let page = asked(&course.first, &browser, &ada.user).await;
            let page = browser.get(&format!("{}&with=recovery_code", page.url)).await;
            let values = [("recovery_code", codes[0].expose())];
            requests.push(course.bytes(&browser, &page, page.form_with("recovery_code"), &values, &from));
        }
        course.race_for_a_session(&ada.user, &requests, &mut meter).await;
        let mut left = course.first.provider().store.read().await.unwrap();
        assert_eq!(left.count_recovery_codes_of(ada.user.id).await.unwrap(), 9);
    }
}

/// Asks for a way in that is mailed. Gives the page that waits for it.
async fn mailed_way(course: &Course, browser: &Browser, user: &TestUser, way: &str) -> Page {
    let login = browser.get(&course.first.url("/login")).await;
    let values = [("username", user.username.as_str()), ("intent", way)];
    let begun = browser.submit(&login, login.form_with("password"), &values).await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    browser.follow(begun).await
}

/// What somebody was mailed, the newest first.
async fn letters(course: &Course, user: &TestUser) -> Vec<String> {
    let own = mails(&course.first)
        .await
        .into_iter()
        .filter(|(to, _)| *to == user.email);
    own.map(|(_, text)| text).collect()
}

/// Codes that are sent: the browser that asked has one session of it, however often it sends it, and another browser of the same person
/// none.
async fn sent_codes(course: &mut Course, kind: &'static str, way: &str) {
    let mut meter = Meter::of_pages(kind, course.backend);
    while meter.goes_on() {
        let ada = course.person().await;
        let from = network(meter.rounds);
        let (other, browser) = (Browser::at(&from), Browser::at(&from));
        let elsewhere = mailed_way(course, &other, &ada, way).await;
        let page = mailed_way(course, &browser, &ada, way).await;
        let letters = letters(course, &ada).await;
        let code = match way {
            "mail_code" => code_of(letters.iter().find(|text| text.contains("Your code")).unwrap()),
            _ => {
                let number = course.first.account(&ada).await.profile.phone_number.unwrap();
                code_to(&course.first, &number).await
            }
        };
        let mut requests = Vec::new();
        for (browser, page) in [(&browser, &page), (&other, &elsewhere)] {
            requests.push(course.bytes(browser, page, page.form_with("code"), &[("code", &code)], &from));
        }
        let winner = course.race_for_a_session(&ada, &requests, &mut meter).await;
        assert_eq!(winner, 0, "the browser that asked for it");
    }
}

/// Links that are mailed: the browser that asked has one session of it; where the link is followed elsewhere at once nobody is signed in.
async fn mailed_links(course: &mut Course) {
    let mut meter = Meter::of_pages("mailed links", course.backend);
    while meter.goes_on() {
        let ada = course.person().await;
        let from = network(meter.rounds);
        let (browser, mailbox) = (Browser::at(&from), Browser::at(&from));
        mailed_way(course, &browser, &ada, "mail_link").await;
        let words: Vec<String> = letters(course, &ada).await[0]
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let link = words.iter().find(|word| word.contains("/login/link?token=")).unwrap();
        let mut requests = Vec::new();
        for browser in [&browser, &mailbox] {
            let page = browser.get(link).await;
            requests.push(course.bytes(browser, &page, page.form_with("csrf"), &[], &from));
        }
        let winner = course.race_for_a_session(&ada, &requests, &mut meter).await;
        assert_eq!(winner, 0, "the browser that asked for it");
    }
}

/// The form with name and password, sent again and again by one browser: it has one session of it.
async fn passwords(course: &mut Course) {
    let mut meter = Meter::of_pages("forms with a password", course.backend);
    while meter.goes_on() {
        let ada = course.person().await;
        let from = network(meter.rounds);
        let browser = Browser::at(&from);
        let page = browser.get(&course.first.url("/login")).await;
        let values = [("username", ada.username.as_str()), ("password", ada.password.as_str())];
        let request = course.bytes(&browser, &page, page.form_with("password"), &values, &from);
        course.race_for_a_session(&ada, &[request], &mut meter).await;
    }
}

/// What a passkey signs: one session of it, in the browser that was asked.
async fn signatures(course: &mut Course) {
    let mut meter = Meter::of_pages("signatures of passkeys", course.backend);
    let mut ada = keyed(&course.first, &random::hex_id()).await;
    while meter.goes_on() {
        let from = network(meter.rounds);
        let (browser, other) = (Browser::at(&from), Browser::at(&from));
        let page = browser.get(&course.first.url("/login")).await;
        let elsewhere = other.get(&course.first.url("/login")).await;
        let (question, options) = passkey_scene::ask(&browser, &page).await;
        let answer = ada.device.sign(&options);
        let values = [("question", question.as_str()), ("passkey", answer.as_str())];
        let requests = [(&browser, &page), (&other, &elsewhere)]
            .map(|(browser, page)| course.bytes(browser, page, asking(page), &values, &from));
        let winner = course.race_for_a_session(&ada.user, &requests, &mut meter).await;
        assert_eq!(winner, 0, "the browser that was asked");
    }
}

/// The making of a passkey: it is added once.
async fn new_passkeys(course: &mut Course) {
    let mut meter = Meter::of_pages("new passkeys", course.backend);
    while meter.goes_on() {
        let ada = course.person().await;
        let from = network(meter.rounds);
        let browser = Browser::at(&from);
        sign_in(&course.first, &browser, &ada).await;
        let mut device = Device::new(course.first.issuer());
        let page = passkey_scene::begin(&course.first, &browser, "Laptop").await;
        let answer = device.make(&passkey_scene::options(&page));
        let request = course.bytes(&browser, &page, page.form_with("csrf"), &[("passkey", &answer)], &from);
        let answers = course.race(&[request]).await;
        assert!(answers.iter().any(|answer| answer.status == 303));
        let mut store = course.first.provider().store.read().await.unwrap();
        assert_eq!(store.list_factors_of(ada.id).await.unwrap().len(), 1);
        drop(store);
        meter.count(&answers);
    }
}

/// A kind of link that somebody is mailed.
struct Link {
    kind: &'static str,
    path: &'static str,
    /// What its form takes.
    fields: &'static [(&'static str, &'static str)],
    /// The event that tells of it, about the person.
    event: &'static str,
}

const PASSWORDS: &[(&str, &str)] = &[("password", NEW), ("password_again", NEW)];

/// Links that do something for a person: followed by many at once they do it once.
async fn links(course: &mut Course) {
    let kinds = [
        Link {
            kind: "links that confirm an address",
            path: "/account/email/confirm",
            fields: &[],
            event: "email.confirmed",
        },
        Link {
            kind: "links that lock an account",
            path: "/login/lock",
            fields: &[],
            event: "user.locked",
        },
        Link {
            kind: "links that unlock an account",
            path: "/login/unlock",
            fields: PASSWORDS,
            event: "user.unlocked",
        },
        Link {
            kind: "links that end a wait",
            path: "/login/wait",
            fields: &[],
            event: "wait.ended",
        },
        Link {
            kind: "links to a new password",
            path: "/login/recover",
            fields: PASSWORDS,
            event: "password.changed",
        },
    ];
    for link in kinds {
        let mut meter = Meter::of_pages(link.kind, course.backend);
        while meter.goes_on() {
            let ada = course.person().await;
            if link.path == "/login/unlock" {
                people::lock_own_account(course.first.provider(), &course.first.call(), ada.id)
                    .await
                    .unwrap();
            }
            let token = Secret::generate();
            let digest = token.digest();
            let changed = format!("new-{}", ada.email);
            course
                .add(async |tx, at| {
                    let (kind, email) = match link.path {
                        "/account/email/confirm" => (ActionLinkKind::NewAddress, &changed),
                        "/login/lock" => (ActionLinkKind::Lock, &ada.email),
                        "/login/unlock" => (ActionLinkKind::Unlock, &ada.email),
                        "/login/wait" => (ActionLinkKind::Wait, &ada.email),
                        _ => (ActionLinkKind::Recovery, &ada.email),
                    };
                    let link = NewActionLink {
                        kind,
                        digest: &digest,
                        user: Some(ada.id),
                        email,
                        term: (at, at.after(HOUR)),
                    };
                    tx.add_action_link(link).await.unwrap();
                })
                .await;
            let from = network(meter.rounds);
            let request = course.following(&link, &token, &from).await;
            let answers = course.race(&[request]).await;
            assert_eq!(winners(&answers, &[(404, "")]).len(), 1, "{}", link.kind);
            assert_eq!(course.events(link.event, ada.id).await, 1, "{}", link.kind);
            meter.count(&answers);
        }
    }
}

impl Course {
    /// Opens a link, and gives what follows it.
    async fn following(&self, link: &Link, token: &Secret, from: &str) -> Vec<u8> {
        let browser = Browser::at(from);
        let url = self.first.url(&format!("{}?token={}", link.path, token.expose()));
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200, "{}: {}", link.kind, page.body);
        let wanted = link.fields.first().map_or("csrf", |(name, _)| name);
        // the form that does it stands last: above it there may be one for the language
        let form = page.forms().into_iter().rev().find(|form| form.has(wanted)).unwrap();
        self.bytes(&browser, &page, form, link.fields, from)
    }
}

/// Links of a change that both mailboxes have to allow: each counts once, and together they change the address once.
async fn pairs_of_links(course: &mut Course) {
    let mut meter = Meter::of_pages("pairs of links that change an address", course.backend);
    let link = Link {
        kind: "a pair of links",
        path: "/account/email/confirm",
        fields: &[],
        event: "email.confirmed",
    };
    while meter.goes_on() {
        let ada = course.person().await;
        let tokens = [Secret::generate(), Secret::generate()];
        course
            .add(async |tx, at| {
                for (token, kind) in tokens
                    .iter()
                    .zip([ActionLinkKind::NewAddress, ActionLinkKind::OldAddress])
                {
                    let link = NewActionLink {
                        kind,
                        digest: &token.digest(),
                        user: Some(ada.id),
                        email: &format!("new-{}", ada.email),
                        term: (at, at.after(HOUR)),
                    };
                    tx.add_action_link(link).await.unwrap();
                }
            })
            .await;
        let from = network(meter.rounds);
        let mut requests = Vec::new();
        for token in &tokens {
            requests.push(course.following(&link, token, &from).await);
        }
        let answers = course.race(&requests).await;
        assert_eq!(winners(&answers, &[(404, "")]).len(), 2);
        assert_eq!(course.events(link.event, ada.id).await, 1, "changed once");
        let changed = course.first.account(&ada).await.profile;
        assert_eq!(changed.email.unwrap(), format!("new-{}", ada.email));
        meter.count(&answers);
    }
}

/// Links to an account: one is made of each.
async fn registrations(course: &mut Course) {
    let mut meter = Meter::of_pages("links to an account", course.backend);
    let link = Link {
        kind: "a link to an account",
        path: "/register/new",
        fields: PASSWORDS,
        event: "user.created",
    };
    while meter.goes_on() {
        let token = Secret::generate();
        let email = format!("{}@example.com", random::hex_id());
        course
            .add(async |tx, at| {
                let link = NewActionLink {
                    kind: ActionLinkKind::Registration,
                    digest: &token.digest(),
                    user: None,
                    email: &email,
                    term: (at, at.after(HOUR)),
                };
                tx.add_action_link(link).await.unwrap();
            })
            .await;
        let request = course.following(&link, &token, &network(meter.rounds)).await;
        let answers = course.race(&[request]).await;
        assert_eq!(winners(&answers, &[(404, "")]).len(), 1);
        let made = course.first.account_of(&email).await;
        assert_eq!(course.events(link.event, made.id).await, 1);
        meter.count(&answers);
    }
}

async fn everything(backend: Backend) {
    let mut course = Course::lay(backend).await;
    passwords(&mut course).await;
    time_steps(&mut course).await;
    recovery_codes(&mut course).await;
    sent_codes(&mut course, "mailed codes", "mail_code").await;
    sent_codes(&mut course, "codes by text message", "text_code").await;
    mailed_links(&mut course).await;
    signatures(&mut course).await;
    new_passkeys(&mut course).await;
    links(&mut course).await;
    pairs_of_links(&mut course).await;
    registrations(&mut course).await;
    course.end().await;
}

/// SEC-251, SEC-253, SEC-255, SEC-290: on SQLite, one node and many connections.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_holds_counts_once() {
    everything(Backend::Embedded).await;
}

/// SEC-251, SEC-253, SEC-255, SEC-290: on Postgres and Redis, three nodes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_holds_counts_once_on_three_nodes() {
    if !quick() {
        everything(Backend::PostgresRedis).await;
    }
}
