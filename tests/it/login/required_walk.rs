//! A random walk through the sign-ins of people of whom something is required: two browsers with their tabs, forms that are empty,
//! wrong, old, sent twice or in another browser, and an administrator who requires more midway, or has names and proofs asked for on one page
//! or on two. Beside it goes a ledger of what each
//! person has proved and done; nobody is in before all of it stands there.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::flow::people::{ChangeSource, UserChange, change_user, delete_own_account};
use ostiary::flow::session::Asker;
use ostiary::model::{Id, RequiredAction, Terms, UserStatus};
use serde_json::json;

use super::factor_scene::{now, shown};
use super::own_phone::{code_of, texts};
use super::required::require;
use super::terms::publish_simply;
use super::{identifier_first, is_signed_in, sign_in};
use crate::oauth::scene::Dice;
use crate::support::browser::{Browser, Page};
use crate::support::otp::Authenticator;
use crate::support::server::{Server, TestUser, each_backend};

/// A person, as the ledger knows them.
struct Person {
    user: TestUser,
    authenticator: Option<Authenticator>,
    must_change: bool,
    must_enrol: bool,
    /// How many versions of the terms they have accepted.
    accepted: usize,
    must_confirm: bool,
    must_complete: bool,
    is_leaving: bool,
    /// The number that goes with a second factor, and whether it is confirmed.
    number: String,
    is_reached: bool,
}

/// A page that is open somewhere.
#[derive(Clone)]
struct Open {
    browser: usize,
    person: usize,
    page: Page,
}

struct Walk<'a> {
    server: &'a Server,
    /// The version of the terms that counts, and how many there were.
    terms: Option<Id<Terms>>,
    versions: usize,
    dice: Dice,
    people: Vec<Person>,
    browsers: Vec<Browser>,
    open: Vec<Open>,
    /// Whether who it is is asked for on a page of its own.
    by_steps: bool,
    seen: BTreeMap<&'static str, usize>,
}

impl Walk<'_> {
    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Whether everything is done that this person has to have done.
    fn is_free(&self, person: usize) -> bool {
        let person = &self.people[person];
        let has_done = !person.must_confirm && !person.must_complete && !person.is_leaving;
        has_done
            && !person.must_change
            && (!person.must_enrol || person.authenticator.is_some())
            && (person.authenticator.is_none() || person.is_reached)
            && person.accepted == self.versions
    }

    /// Types the right password in a browser where nobody is signed in.
    async fn begin(&mut self) {
        let (browser, person) = (self.dice.below(2), self.dice.below(self.people.len()));
        if is_signed_in(self.server, &self.browsers[browser]).await {
            self.browsers[browser] = Browser::new();
            self.open.retain(|open| open.browser != browser);
        }
        let page = self.prove(browser, person).await;
        let to = page
            .location()
            .unwrap_or_else(|| panic!("{} {}", page.status, page.body));
        let has_factor = self.people[person].authenticator.is_some();
        match to.path() {
            "/login/factor" => assert!(has_factor),
            "/login/action" => assert!(!has_factor && !self.is_free(person)),
            _ => assert!(!has_factor && self.is_free(person), "{to}"),
        }
        self.count("begun");
        self.arrive(browser, person, page).await;
    }

    /// Says who it is and types the password, on one page or on two: these stay open.
    async fn prove(&mut self, browser: usize, person: usize) -> Page {
        let (tab, user) = (&self.browsers[browser], &self.people[person].user);
        if !self.by_steps {
            return sign_in(self.server, tab, user).await;
        }
        let first = tab.get(&self.server.url("/login")).await;
        let second = tab
            .follow(identifier_first::say(tab, &first, &user.username).await)
            .await;
        let form = second.form_with("password");
        let proved = tab.submit(&second, form, &[("password", &user.password)]).await;
        let pages = [first, second].map(|page| Open { browser, person, page });
        self.open.extend(pages);
        self.count("named");
        proved
    }

    /// Who it is is asked for otherwise from now on.
    async fn ask_otherwise(&mut self) {
        self.by_steps = !self.by_steps;
        let table = json!({"sign_in.identifier_first": self.by_steps});
        self.server.settings(table).await;
    }

    /// What an answer leads to.
    async fn arrive(&mut self, browser: usize, person: usize, page: Page) {
        let Some(to) = page.location() else { return };
        let page = self.browsers[browser].get(to.as_str()).await;
        if page.status == 200 && to.path().starts_with("/login") {
            self.open.push(Open { browser, person, page });
        } else if is_signed_in(self.server, &self.browsers[browser]).await {
            self.count("in");
        }
    }

    /// Sends a page that is open: rightly, or somehow.
    async fn send(&mut self) {
        let Some(at) = self.open.len().checked_sub(1) else {
            return;
        };
        let at = if self.dice.below(3) == 0 {
            self.dice.below(at + 1)
        } else {
            at
        };
        let open = self.open[at].clone();
        let person = open.person;
        // now and then in the other browser, where it is worth nothing
        let browser = if self.dice.below(8) == 0 {
            1 - open.browser
        } else {
            open.browser
        };
        let was_in = is_signed_in(self.server, &self.browsers[browser]).await;
        let forms = open.page.forms();
        let about_data = forms.iter().any(|form| form.has("birthdate"));
        let user = &self.people[person].user;
        let number = self.people[person].number.clone();
        let (kind, fields) = if forms.iter().any(|form| form.has("phone")) {
            let sent = texts(self.server).await.into_iter().find(|(to, _)| *to == number);
            match sent.filter(|_| forms.iter().any(|form| form.has("code"))) {
                Some((_, text)) => ("number", vec![("code", code_of(&text))]),
                None => ("phone", vec![("phone", number)]),
            }
        } else if open.page.url.path() == "/login" {
            match forms.iter().any(|form| form.has("password")) {
                true => ("proof", vec![("password", user.password.clone())]),
                false => ("name", vec![("username", user.username.clone())]),
            }
        } else if about_data {
            ("profile", vec![("birthdate", "1815-12-10".to_owned())])
        } else if forms.iter().any(|form| form.has("email")) {
            ("email", Vec::new())
        } else if open.page.body.contains("Keep your account?") {
            ("stay", Vec::new())
        } else if forms.iter().any(|form| form.has("password")) {
            let new = format!("an otter and {} herons", self.dice.below(1_000_000));
            ("password", vec![("password", new.clone()), ("password_again", new)])
        } else if open.page.url.path() == "/login/factor" {
            self.server.advance(Duration::from_secs(60));
            let code = self.people[person]
                .authenticator
                .as_ref()
                .map(|held| now(self.server, held));
            ("factor", vec![("code", code.unwrap_or_default())])
        } else if open.page.body.contains("name=\"accept_") {
            // every box of the page, as it was drawn: an old one may not know of the newest version
            let names = forms.iter().flat_map(|form| form.names.clone());
            let boxes = names.filter(|name| name.starts_with("accept_"));
            ("terms", boxes.map(|name| (leaked(name), "1".to_owned())).collect())
        } else if open.page.body.contains("class=\"secret\"") {
            ("enrol", vec![("code", now(self.server, &shown(&open.page)))])
        } else {
            ("codes", Vec::new())
        };
        let is_right = self.dice.below(3) > 0;
        let fields: Vec<(&str, String)> = match self.dice.below(3) {
            _ if is_right => fields,
            0 => fields.into_iter().map(|(name, _)| (name, String::new())).collect(),
            1 => fields
                .into_iter()
                .map(|(name, value)| (name, format!("{value}1")))
                .take(1)
                .collect(),
            _ => vec![("password", "a".to_owned()), ("code", "000000".to_owned())],
        };
        let input = match kind {
            "password" | "proof" => "password",
            "name" => "username",
            "phone" => "phone",
            "number" => "code",
            "factor" | "enrol" => "code",
            "profile" => "birthdate",
            _ => "csrf",
        };
        let values: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let form = open.page.form_with(input);
        let mut sent = self.browsers[browser].submit(&open.page, form.clone(), &values).await;
        if self.dice.below(4) == 0 {
            sent = self.browsers[browser].submit(&open.page, form, &values).await;
            self.count("twice");
        }
        if kind == "email" && is_right && self.dice.below(2) == 0 {
            // the mailbox answers, whenever it likes
            self.confirm(person).await;
        }
        // what the database says was done goes into the ledger: only a right form in its own browser does anything
        let account = self.server.account(&self.people[person].user).await;
        let factors = {
            let mut store = self.server.provider().store.read().await.unwrap();
            store.list_factors_of(account.id).await.unwrap().len()
        };
        let changes = account.required_actions.contains(&RequiredAction::ChangePassword);
        let ledger = &mut self.people[person];
        if ledger.must_change && !changes {
            assert!(is_right && kind == "password" && browser == open.browser, "{kind}");
            ledger.user.password.clone_from(&fields[0].1);
            ledger.must_change = false;
            self.count("changed");
        }
        let (is_confirmed, is_complete, is_leaving) = (
            account.profile.email_verified,
            account.profile.birthdate.is_some(),
            account.status == UserStatus::Leaving,
        );
        let ledger = &mut self.people[person];
        if ledger.must_complete && is_complete {
            assert!(is_right && kind == "profile" && browser == open.browser, "{kind}");
            ledger.must_complete = false;
            self.count("completed");
        }
        let ledger = &mut self.people[person];
        if ledger.is_leaving && !is_leaving {
            // the one form that asks nothing but whether it is meant
            assert!(kind == "stay" && browser == open.browser, "{kind}");
            ledger.is_leaving = false;
            self.count("stayed");
        }
        let ledger = &mut self.people[person];
        if !ledger.is_reached && account.profile.phone_number_verified {
            assert!(is_right && kind == "number" && browser == open.browser, "{kind}");
            ledger.is_reached = true;
            self.count("reached");
        }
        let ledger = &mut self.people[person];
        ledger.must_confirm &= !is_confirmed;
        assert!(factors <= 1, "nobody sets up a second one on the way in");
        if ledger.authenticator.is_none() && factors == 1 {
            assert!(is_right && kind == "enrol" && browser == open.browser, "{kind}");
            ledger.authenticator = Some(shown(&open.page));
            self.count("enrolled");
        }
        let accepted = {
            let mut store = self.server.provider().store.read().await.unwrap();
            store.list_acceptances_of(account.id).await.unwrap()
        };
        let has_newest = self
            .terms
            .is_none_or(|newest| accepted.iter().any(|one| one.terms == newest));
        let ledger = &mut self.people[person];
        if has_newest && ledger.accepted < self.versions {
            assert!(is_right && kind == "terms" && browser == open.browser, "{kind}");
            let newest = format!("accept_{}", self.terms.unwrap());
            assert!(open.page.body.contains(&newest), "a version that the page did not show");
            ledger.accepted = self.versions;
            self.count("accepted");
        }
        let is_in = is_signed_in(self.server, &self.browsers[browser]).await;
        if is_in && !was_in {
            assert!(browser == open.browser, "a page of another browser lets in");
            assert!(self.is_free(person), "in, and something is missing");
            assert!(
                kind != "enrol" && kind != "name",
                "the codes come first, and a name is none"
            );
            let has_factor = self.people[person].authenticator.is_some();
            assert!(kind != "proof" || !has_factor, "in without the second factor");
            // these two say nothing but that somebody goes on
            assert!(
                is_right || ["codes", "stay", "email"].contains(&kind),
                "a wrong form lets in: {kind}"
            );
        }
        if !is_right {
            self.count("wrong");
        }
        self.arrive(browser, person, sent).await;
        if self.open.len() > 8 {
            self.open.remove(0);
        }
    }

    /// A newer version of the terms takes effect.
    async fn publish(&mut self) {
        self.versions += 1;
        let number = format!("{}-{}", self.dice.below(1_000_000), self.versions);
        self.terms = Some(publish_simply(self.server, "terms", &number).await.id);
        self.count("published");
    }

    /// An administrator requires something more of somebody.
    async fn require_more(&mut self) {
        let at = self.dice.below(self.people.len());
        let person = &mut self.people[at];
        person.must_change = self.dice.below(2) == 0;
        let mut actions = vec![RequiredAction::EnrolFactor];
        actions.extend(person.must_change.then_some(RequiredAction::ChangePassword));
        person.must_enrol = true;
        let account = self.server.account(&person.user).await;
        person.must_confirm = !account.profile.email_verified && self.dice.below(2) == 0;
        if person.must_confirm {
            actions.push(RequiredAction::VerifyEmail);
        }
        require(self.server, &person.user, &actions).await;
        self.count("required");
        if !account.is_active(self.server.call().now) || self.dice.below(2) > 0 {
            return;
        }
        // the person deletes the account, somewhere else
        let asker = Asker {
            user: account.id,
            session: Id::new(self.server.call().now),
            proved: self.server.call().now,
            is_multiple: true,
        };
        delete_own_account(self.server.provider(), &self.server.call(), asker)
            .await
            .unwrap();
        self.people[at].is_leaving = true;
        self.count("left");
    }

    /// The mailbox of somebody answers the mail about their address.
    async fn confirm(&mut self, person: usize) {
        let user = self.people[person].user.clone();
        let (provider, call) = (self.server.provider(), self.server.call());
        let change = UserChange {
            email_verified: Some(true),
            ..UserChange::default()
        };
        change_user(provider, &call, &ChangeSource::Command, user.id, None, change)
            .await
            .unwrap();
        self.people[person].must_confirm = false;
        self.count("confirmed");
    }
}

/// The names of inputs are few.
fn leaked(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

/// SEC-743, for what is required on the way in: an authenticated state implies that everything the person has to prove and to do is
/// done, by forms of that browser, whatever else was sent in between.
#[tokio::test]
async fn model_login_flow_of_what_is_required() {
    each_backend(async |server| {
        server
            .settings(json!({
                "guess.account_budget": 1000,
                "guess.source_budget": 100_000,
                "guess.account_day_budget": 10_000,
                "code.most_sends": 100,
                "account.required": "birthdate",
                "mfa.enrolment_asks_phone": true,
            }))
            .await;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for seed in 1..=3 {
            let mut people = Vec::new();
            for number in 0..3 {
                let name = format!("person{seed}{number}");
                let user = server.user_with(&name, |profile| profile.email_verified = false).await;
                people.push(Person {
                    user,
                    authenticator: None,
                    must_change: false,
                    must_enrol: false,
                    accepted: 0,
                    must_confirm: false,
                    must_complete: true,
                    is_leaving: false,
                    number: format!("+3361234{seed}00{number}"),
                    is_reached: false,
                });
            }
            let mut walk = Walk {
                server,
                dice: Dice::seeded(7_430 + seed),
                people,
                browsers: vec![Browser::new(), Browser::new()],
                open: Vec::new(),
                seen: BTreeMap::new(),
                terms: None,
                versions: 0,
                by_steps: false,
            };
            walk.publish().await;
            server.settings(json!({"sign_in.identifier_first": false})).await;
            for _ in 0..crate::support::backend::length(150, 200, 1_500) {
                server.advance(Duration::from_secs(1));
                match walk.dice.below(24) {
                    0 => walk.publish().await,
                    1 | 2 => walk.require_more().await,
                    7 => walk.ask_otherwise().await,
                    3..=6 => walk.begin().await,
                    _ if walk.open.is_empty() => walk.begin().await,
                    _ => walk.send().await,
                }
            }
            println!("{seed}: {:?}", walk.seen);
            for (what, count) in walk.seen {
                *seen.entry(what).or_default() += count;
            }
        }
        for what in [
            "in",
            "named",
            "wrong",
            "required",
            "changed",
            "enrolled",
            "reached",
            "completed",
            "left",
            "accepted",
            "published",
        ] {
            assert!(seen.contains_key(what), "{what} was never seen: {seen:?}");
        }
    })
    .await;
}
