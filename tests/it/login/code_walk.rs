//! A random walk through sign-ins by codes that are sent: two browsers with their tabs, codes that are right, old, wrong or missing, forms
//! sent twice, late or in the other browser, and codes asked for again. Beside it goes a ledger of which code is live for which page;
//! nobody is in but by that code, at that page, in that browser.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::factor_scene::press;
use super::own_phone::{code_of, not};
use super::recovery::mails;
use super::{is_signed_in, sign_in};
use crate::oauth::scene::Dice;
use crate::support::backend::length;
use crate::support::browser::{Browser, Page};
use crate::support::server::{Server, TestUser, each_backend};

/// How often a code may be typed.
const TRIES: usize = 5;

/// By what somebody signs in.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// A code in the place of a password.
    Code,
    /// A password, and a code as the second factor.
    Factor,
}

struct Person {
    user: TestUser,
    way: Way,
}

/// A page that is open somewhere.
#[derive(Clone)]
struct Open {
    browser: usize,
    person: usize,
    page: Page,
    /// The flow that it belongs to.
    flow: usize,
}

/// The code of a flow that counts, and how often it may be typed still.
#[derive(Clone)]
struct Live {
    code: String,
    tries: usize,
}

struct Walk<'a> {
    server: &'a Server,
    dice: Dice,
    people: Vec<Person>,
    browsers: Vec<Browser>,
    open: Vec<Open>,
    /// Pages of browsers that are gone.
    old: Vec<Open>,
    live: BTreeMap<usize, Live>,
    flows: usize,
    seen: BTreeMap<&'static str, usize>,
}

impl Walk<'_> {
    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// What was sent for this flow a moment ago.
    async fn sent(&mut self, flow: usize, person: usize) {
        let email = self.people[person].user.email.clone();
        let all = mails(self.server).await;
        let (_, text) = all
            .iter()
            .find(|(to, text)| *to == email && text.contains("Your code"))
            .unwrap();
        let code = code_of(text);
        if self.people[person].way == Way::Factor {
            // of a factor one is live, whichever sign-in it was sent for
            let of_person: Vec<usize> = self
                .open
                .iter()
                .filter(|open| open.person == person)
                .map(|open| open.flow)
                .collect();
            self.live.retain(|flow, _| !of_person.contains(flow));
        }
        self.live.insert(flow, Live { code, tries: TRIES });
        self.count("sent");
    }

    async fn begin(&mut self) {
        let (browser, person) = (self.dice.below(2), self.dice.below(self.people.len()));
        self.flows += 1;
        let flow = self.flows;
        let (tab, who) = (&self.browsers[browser], &self.people[person]);
        let page = match who.way {
            Way::Code => {
                let login = tab.get(&self.server.url("/login")).await;
                let typed = [("username", who.user.username.as_str()), ("intent", "mail_code")];
                let begun = tab.submit(&login, login.form_with("password"), &typed).await;
                tab.follow(begun).await
            }
            Way::Factor => {
                let asked = sign_in(self.server, tab, &who.user).await;
                let page = tab.follow(asked).await;
                assert_eq!(page.url.path(), "/login/factor");
                page
            }
        };
        assert_eq!(page.status, 200, "{}", page.body);
        if who.way == Way::Code {
            self.sent(flow, person).await;
        }
        self.open.push(Open {
            browser,
            person,
            page,
            flow,
        });
        self.count("begun");
    }

    /// Has a code sent, the first or another one, by a page that is open.
    async fn send_again(&mut self, at: usize) {
        let open = self.open[at].clone();
        let intent = match self.people[open.person].way {
            Way::Code => "again",
            Way::Factor => "send",
        };
        let form = open.page.form_with_button("intent", intent);
        let tab = &self.browsers[open.browser];
        let sent = tab.submit(&open.page, form, &[("intent", intent)]).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let page = tab.follow(sent).await;
        self.open[at].page = page;
        self.sent(open.flow, open.person).await;
    }

    /// Types something into a page, in its own browser or the other one.
    async fn answer(&mut self, open: Open, is_old: bool) {
        let field = match self.people[open.person].way {
            Way::Code => "code",
            Way::Factor => "sent_code",
        };
        let live = self.live.get(&open.flow).cloned();
        let is_elsewhere = self.dice.below(6) == 0;
        let browser = if is_elsewhere { 1 - open.browser } else { open.browser };
        let is_right = live.is_some() && self.dice.below(2) == 0;
        let typed = match (&live, self.dice.below(3)) {
            (Some(live), _) if is_right => live.code.clone(),
            (Some(live), 0) => not(&live.code),
            // the code of another flow
            (_, 1) => {
                let others = self.live.iter().filter(|(flow, _)| **flow != open.flow);
                let own = live.as_ref().map(|live| live.code.clone()).unwrap_or_default();
                let mut other = others.map(|(_, other)| other.code.clone()).filter(|code| *code != own);
                other.next().unwrap_or_default()
            }
            _ => String::new(),
        };
        // a page without the field is answered all the same: forms are only text
        let form = open.page.form_with("csrf");
        let values = [(field, typed.as_str())];
        let tab = &self.browsers[browser];
        let was_in = is_signed_in(self.server, tab).await;
        let first = tab.submit(&open.page, form.clone(), &values).await;
        let is_meant = is_right && !is_elsewhere && !is_old;
        if is_meant {
            assert_eq!(first.status, 303, "the right code at the right page: {}", first.body);
        } else if let Some(live) = self.live.get_mut(&open.flow).filter(|_| !is_elsewhere && !is_old) {
            live.tries -= 1;
            let is_over = live.tries == 0;
            if is_over {
                self.live.remove(&open.flow);
                self.count("over");
            }
        }
        if self.dice.below(4) == 0 && is_meant {
            let second = self.browsers[browser].submit(&open.page, form, &values).await;
            assert_eq!(second.status, 303, "the same form once more: {}", second.body);
            self.count("twice");
        }
        let is_in = is_signed_in(self.server, &self.browsers[browser]).await;
        assert_eq!(
            is_in && !was_in,
            is_meant,
            "in by {typed:?}, {is_right} {is_elsewhere} {is_old}"
        );
        if is_in {
            self.count("in");
            self.live.remove(&open.flow);
            let gone: Vec<Open> = self
                .open
                .iter()
                .filter(|other| other.browser == browser)
                .cloned()
                .collect();
            self.open.retain(|other| other.browser != browser);
            for other in &gone {
                self.live.remove(&other.flow);
            }
            self.old.extend(gone);
            self.browsers[browser] = Browser::new();
        } else {
            self.count("out");
        }
    }
}

/// SEC-743, for codes that are sent: an authenticated state implies the live code of that very sign-in, typed in its own browser.
#[tokio::test]
async fn model_login_flow_of_sent_codes() {
    each_backend(async |server| {
        server
            .settings(json!({
                "sign_in.mail_codes": true, "mfa.mail_codes": true,
                "guess.account_budget": 1000, "guess.source_budget": 100_000, "code.most_sends": 100, "guess.period": "1m"
            }))
            .await;
        for seed in 1..=3 {
            let mut people = Vec::new();
            for (number, way) in [Way::Code, Way::Factor, Way::Code, Way::Factor].into_iter().enumerate() {
                let name = format!("walker{seed}{number}");
                let user = server.user_with(&name, |profile| profile.email_verified = true).await;
                if way == Way::Factor {
                    let home = Browser::new();
                    sign_in(server, &home, &user).await;
                    assert_eq!(press(server, &home, ("begin", "mail"), &[]).await.status, 303);
                }
                people.push(Person { user, way });
            }
            let mut walk = Walk {
                server,
                dice: Dice::seeded(25_500 + seed),
                people,
                browsers: vec![Browser::new(), Browser::new()],
                open: Vec::new(),
                old: Vec::new(),
                live: BTreeMap::new(),
                flows: 0,
                seen: BTreeMap::new(),
            };
            let mut last = 0;
            for _ in 0..length(40, 90, 90) {
                // a minute's worth of a day's codes is not what is looked at here
                server.advance(Duration::from_secs(1));
                if walk.flows > last + 6 {
                    // what is open grows old within ten minutes: the walk goes on with what is new
                    last = walk.flows;
                    walk.open.clear();
                    walk.live.clear();
                }
                match (walk.dice.below(10), walk.open.len()) {
                    (0 | 1, _) | (_, 0) => walk.begin().await,
                    (2 | 3, open) => {
                        let at = walk.dice.below(open);
                        walk.send_again(at).await;
                    }
                    (4, _) if !walk.old.is_empty() => {
                        let at = walk.dice.below(walk.old.len());
                        let open = walk.old[at].clone();
                        walk.answer(open, true).await;
                        walk.count("replayed");
                    }
                    (_, open) => {
                        let at = walk.dice.below(open);
                        let open = walk.open[at].clone();
                        walk.answer(open, false).await;
                    }
                }
            }
            println!("{seed}: {:?}", walk.seen);
            for what in ["in", "out", "sent", "begun"] {
                assert!(walk.seen.contains_key(what), "{what} was never seen: {:?}", walk.seen);
            }
        }
    })
    .await;
}
