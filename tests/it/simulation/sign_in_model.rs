//! What a walk of sign-ins knows: who proved what, in which browser and for which request, and what must therefore come next.
//!
//! Every step that somebody takes is a record in one ledger, and what a request still lacks is read from there. Another kind of
//! step is a word of [`Step`], a line of [`Model::next`] and one of [`Model::deserves`], and an act of the walk.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::model::{Id, Session, Timestamp};

use crate::support::seed::{TestClient, TestUser};

/// How long a request waits for its person, and how long its answer is repeated.
const PENDING: Duration = Duration::from_secs(60 * 60);
const AFTERGLOW: Duration = Duration::from_secs(60);
/// How long a proof waits for the choice of a login that ends.
const CHOOSING: Duration = Duration::from_secs(10 * 60);
const IDLE: Duration = Duration::from_secs(8 * 60 * 60);
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Use is noted no more often than this.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// A step that somebody has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The password was right.
    Password,
    /// This account was chosen among several.
    Account,
    /// These scopes were allowed.
    Consent(BTreeSet<&'static str>),
}

/// Who has taken it, where and what for.
#[derive(Clone, Debug)]
pub struct Record {
    pub step: Step,
    pub person: usize,
    pub browser: usize,
    /// The request that it was taken for.
    pub flow: Option<usize>,
    pub at: Timestamp,
}

pub struct Person {
    pub user: TestUser,
    pub old_passwords: Vec<String>,
    pub active: bool,
    /// The password has to be replaced.
    pub expired: bool,
    pub password_changed: Timestamp,
    /// How many logins they may have.
    pub most: usize,
}

/// A session as the model knows it.
pub struct Sitting {
    pub person: usize,
    /// Its id, once somebody has looked.
    pub id: Option<Id<Session>>,
    pub began: Timestamp,
    pub proved: Timestamp,
    pub seen: Timestamp,
    pub over: bool,
    /// The clients that have redeemed a code of it.
    pub serves: BTreeSet<usize>,
}

/// What a request asks for.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    pub login: bool,
    pub consent: bool,
    pub select: bool,
    pub silent: bool,
    pub max_age: Option<u64>,
    pub hint: Option<usize>,
    pub scopes: BTreeSet<&'static str>,
}

/// What comes of a request at its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A code for this person.
    Code(usize),
    Error(&'static str),
}

/// A request.
pub struct Flow {
    pub browser: usize,
    pub client: usize,
    pub asks: Asks,
    /// Its handle in our addresses, if anybody was asked anything.
    pub handle: Option<String>,
    pub until: Timestamp,
    /// Whom it goes on with.
    settled: Option<usize>,
    /// Where its present person's records begin in the ledger.
    since: usize,
    finished: Option<Answer>,
    /// What its client keeps.
    pub nonce: String,
    pub verifier: String,
    pub code: Option<String>,
}

/// A proof that waits for the choice of a login that ends.
pub struct Choice {
    pub browser: usize,
    pub person: usize,
    pub proved: Timestamp,
    pub flow: Option<usize>,
    /// Its handle in our addresses, once somebody has looked.
    pub handle: String,
    until: Timestamp,
    /// The session that it has become.
    came: Option<usize>,
    given_up: bool,
}

/// A page that asks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Login,
    Again,
    Account,
    Consent,
    Devices,
}

/// What comes next for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Ask(Asked),
    Answer(Answer),
}

/// What a request to the server must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A page of ours stands at the address it leads to.
    To(&'static str),
    /// On to the client of this flow.
    Client(usize, Answer),
    /// It is shown here, with this status.
    Page(u16),
}

pub struct Client {
    pub client: TestClient,
    /// Whether people are asked.
    pub asks: bool,
    /// How many logins it has of a person at most.
    pub most: Option<usize>,
}

#[derive(Default)]
pub struct Model {
    pub people: Vec<Person>,
    pub clients: Vec<Client>,
    pub ledger: Vec<Record>,
    pub sittings: Vec<Sitting>,
    /// The sittings that each browser holds, the most recent sign-in first.
    pub browsers: [Vec<usize>; 2],
    pub flows: Vec<Flow>,
    pub choices: Vec<Choice>,
}

impl Sitting {
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.over && now < self.began.after(LIFETIME) && now < self.seen.after(IDLE)
    }
}

impl Flow {
    pub fn new(browser: usize, client: usize, asks: Asks, now: Timestamp) -> Self {
        Self {
            browser,
            client,
            asks,
            handle: None,
            until: now,
            settled: None,
            since: 0,
            finished: None,
            nonce: String::new(),
            verifier: String::new(),
            code: None,
        }
    }
}

impl Asks {
    /// Nothing in particular.
    pub fn plain() -> Self {
        Self {
            scopes: BTreeSet::from(["openid"]),
            ..Self::default()
        }
    }
}

impl Asked {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Login | Self::Again => "/login",
            Self::Account => "/login/account",
            Self::Consent => "/login/consent",
            Self::Devices => "/login/devices",
        }
    }
}

impl Model {
    /// A browser comes with its cookies.
    pub fn comes(&mut self, browser: usize, now: Timestamp) {
        for &at in &self.browsers[browser] {
            let sitting = &mut self.sittings[at];
            if sitting.is_live(now) && now.since(sitting.seen) >= NOTED_EVERY {
                sitting.seen = now;
            }
        }
    }

    /// Who is signed in in a browser.
    pub fn here(&self, browser: usize, now: Timestamp) -> Vec<usize> {
        let held = self.browsers[browser].iter().copied();
        held.filter(|&at| self.sittings[at].is_live(now)).collect()
    }

    pub fn live_of(&self, person: usize, now: Timestamp) -> Vec<usize> {
        let all = 0..self.sittings.len();
        all.filter(|&at| self.sittings[at].person == person && self.sittings[at].is_live(now))
            .collect()
    }

    fn sitting_of(&self, person: usize, browser: usize, now: Timestamp) -> Option<usize> {
        let here = self.here(browser, now);
        here.into_iter().find(|&at| self.sittings[at].person == person)
    }

    /// Everything of a person ends.
    pub fn end_all(&mut self, person: usize) {
        for sitting in self.sittings.iter_mut().filter(|sitting| sitting.person == person) {
            sitting.over = true;
        }
    }

    /// Whether a request can be gone on with in this browser.
    pub fn is_open(&self, flow: usize, browser: usize, now: Timestamp) -> bool {
        let flow = &self.flows[flow];
        flow.handle.is_some() && flow.browser == browser && now < flow.until
    }

    /// Whom a request would go on with.
    fn account_of(&self, flow: usize, now: Timestamp) -> Option<usize> {
        let flow = &self.flows[flow];
        if let Some(person) = flow.settled {
            return self.sitting_of(person, flow.browser, now);
        }
        let hinted = flow
            .asks
            .hint
            .and_then(|person| self.sitting_of(person, flow.browser, now));
        hinted.or_else(|| self.here(flow.browser, now).first().copied())
    }

    pub fn person_of(&self, flow: usize, now: Timestamp) -> Option<usize> {
        self.account_of(flow, now).map(|at| self.sittings[at].person)
    }

    /// Whom a request has settled on, if they are signed in.
    pub fn settled_here(&self, flow: usize, browser: usize, now: Timestamp) -> Option<usize> {
        let person = self.flows[flow].settled?;
        self.sitting_of(person, browser, now).map(|_| person)
    }

    /// What this person has said for this request since it went on with them.
    fn records(&self, flow: usize, person: usize) -> impl Iterator<Item = &Record> {
        let since = self.flows[flow].since;
        let records = self.ledger.iter().skip(since);
        records.filter(move |record| record.flow == Some(flow) && record.person == person)
    }

    /// What a person has allowed a client, ever.
    fn allowed(&self, person: usize, client: usize) -> BTreeSet<&'static str> {
        let mut all = BTreeSet::new();
        for record in self.ledger.iter().filter(|record| record.person == person) {
            if let (Step::Consent(scopes), Some(flow)) = (&record.step, record.flow)
                && self.flows[flow].client == client
            {
                all.extend(scopes.iter().copied());
            }
        }
        all
    }

    /// Those that would have to go for this sitting at a client that lets people in less often.
    fn others_at_client(&self, flow: usize, sitting: usize, now: Timestamp) -> Vec<usize> {
        let client = self.flows[flow].client;
        let Some(most) = self.clients[client].most else {
            return Vec::new();
        };
        if self.sittings[sitting].serves.contains(&client) {
            return Vec::new();
        }
        let mut others = self.live_of(self.sittings[sitting].person, now);
        others.retain(|&at| self.sittings[at].serves.contains(&client));
        if others.len() < most { Vec::new() } else { others }
    }

    /// The first step that is not recorded; nothing is left: the answer.
    pub fn next(&self, at: usize, now: Timestamp) -> Next {
        let flow = &self.flows[at];
        let next = self.question(at, now);
        match next {
            Next::Ask(asked) if flow.asks.silent => Next::Answer(Answer::Error(match asked {
                Asked::Login | Asked::Again => "login_required",
                Asked::Account => "account_selection_required",
                Asked::Consent => "consent_required",
                Asked::Devices => "interaction_required",
            })),
            next => next,
        }
    }

    fn question(&self, at: usize, now: Timestamp) -> Next {
        let flow = &self.flows[at];
        let Some(account) = self.account_of(at, now) else {
            return Next::Ask(Asked::Login);
        };
        let sitting = &self.sittings[account];
        let person = sitting.person;
        let has_chosen = self
            .records(at, person)
            .any(|record| matches!(record.step, Step::Password | Step::Account));
        if flow.asks.select && !has_chosen {
            return Next::Ask(Asked::Account);
        }
        match flow.asks.hint {
            Some(hinted) if hinted != person && has_chosen => return Next::Answer(Answer::Error("login_required")),
            Some(hinted) if hinted != person => return Next::Ask(Asked::Login),
            None if self.here(flow.browser, now).len() > 1 && !has_chosen && !flow.asks.silent => {
                return Next::Ask(Asked::Account);
            }
            _ => {}
        }
        let has_proved = self
            .records(at, person)
            .any(|record| record.step == Step::Password && sitting.proved >= record.at);
        let too_old = flow
            .asks
            .max_age
            .is_some_and(|most| now.since(sitting.proved).as_secs() >= most);
        if (flow.asks.login || too_old) && !has_proved {
            return Next::Ask(Asked::Again);
        }
        let consents = self
            .records(at, person)
            .filter(|record| matches!(record.step, Step::Consent(_)));
        if self.clients[flow.client].asks
            && consents.count() == 0
            && (flow.asks.consent || !flow.asks.scopes.is_subset(&self.allowed(person, flow.client)))
        {
            return Next::Ask(Asked::Consent);
        }
        if !self.others_at_client(at, account, now).is_empty() {
            return Next::Ask(Asked::Devices);
        }
        Next::Answer(Answer::Code(person))
    }

    /// Goes on with a request, and remembers what became of it.
    pub fn advance(&mut self, at: usize, now: Timestamp) -> Expected {
        if let Some(answer) = self.flows[at].finished {
            return Expected::Client(at, answer);
        }
        let next = self.next(at, now);
        let person = self.person_of(at, now);
        let flow = &mut self.flows[at];
        match next {
            Next::Ask(asked) => {
                flow.settled = person.or(flow.settled);
                flow.until = now.after(PENDING);
                Expected::To(asked.path())
            }
            Next::Answer(answer) => {
                if matches!(answer, Answer::Code(_)) && flow.settled.is_some() {
                    flow.finished = Some(answer);
                    flow.until = now.after(AFTERGLOW);
                }
                Expected::Client(at, answer)
            }
        }
    }

    /// The same after a step of a person. Where the request is refused then, it waits as it did before.
    fn take(&mut self, at: usize, person: usize, step: Step, proved: Timestamp, now: Timestamp) -> Expected {
        if let Some(answer) = self.flows[at].finished {
            return Expected::Client(at, answer);
        }
        let (settled, since, known) = (self.flows[at].settled, self.flows[at].since, self.ledger.len());
        if settled != Some(person) {
            self.flows[at].settled = Some(person);
            self.flows[at].since = known;
        }
        self.ledger.push(Record {
            step,
            person,
            browser: self.flows[at].browser,
            flow: Some(at),
            at: proved,
        });
        let expected = self.advance(at, now);
        if matches!(expected, Expected::Client(_, Answer::Error(_))) {
            self.flows[at].settled = settled;
            self.flows[at].since = since;
            self.ledger.truncate(known);
        }
        expected
    }

    /// The right password was sent.
    pub fn proves(&mut self, person: usize, (browser, flow): (usize, Option<usize>), now: Timestamp) -> Expected {
        let who = &self.people[person];
        if !who.active || who.expired {
            return Expected::Page(403);
        }
        self.ledger.push(Record {
            step: Step::Password,
            person,
            browser,
            flow: None,
            at: now,
        });
        let is_here = self.sitting_of(person, browser, now).is_some();
        if !is_here && self.live_of(person, now).len() >= who.most {
            self.choices.push(Choice {
                browser,
                person,
                proved: now,
                flow,
                handle: String::new(),
                until: now.after(CHOOSING),
                came: None,
                given_up: false,
            });
            return Expected::To("/login/devices");
        }
        let sitting = self.enter(person, browser, now, &[], now);
        self.entered(sitting, flow, now)
    }

    fn enter(&mut self, person: usize, browser: usize, proved: Timestamp, chosen: &[usize], now: Timestamp) -> usize {
        let earlier = self.sitting_of(person, browser, now);
        for &at in chosen {
            self.sittings[at].over = true;
        }
        let at = match earlier.filter(|at| !chosen.contains(at)) {
            Some(at) => {
                self.sittings[at].proved = proved;
                self.sittings[at].seen = now;
                at
            }
            None => {
                self.sittings.push(Sitting {
                    person,
                    id: None,
                    began: now,
                    proved,
                    seen: now,
                    over: false,
                    serves: BTreeSet::new(),
                });
                self.sittings.len() - 1
            }
        };
        let people = |other: &usize| self.sittings[*other].person != person;
        self.browsers[browser].retain(people);
        self.browsers[browser].insert(0, at);
        at
    }

    fn entered(&mut self, sitting: usize, flow: Option<usize>, now: Timestamp) -> Expected {
        let (person, proved) = (self.sittings[sitting].person, self.sittings[sitting].proved);
        match flow {
            Some(flow) => self.take(flow, person, Step::Password, proved, now),
            None => Expected::To("/"),
        }
    }

    /// An account was chosen.
    pub fn chooses(&mut self, flow: usize, person: usize, now: Timestamp) -> Expected {
        if self.sitting_of(person, self.flows[flow].browser, now).is_none() {
            return Expected::To("/login");
        }
        self.take(flow, person, Step::Account, now, now)
    }

    /// What was asked for was allowed.
    pub fn allows(&mut self, flow: usize, now: Timestamp) -> Expected {
        if let Some(answer) = self.flows[flow].finished {
            return Expected::Client(flow, answer);
        }
        if let (Next::Ask(Asked::Consent), Some(person)) = (self.next(flow, now), self.person_of(flow, now)) {
            self.flows[flow].settled = Some(person);
            self.ledger.push(Record {
                step: Step::Consent(self.flows[flow].asks.scopes.clone()),
                person,
                browser: self.flows[flow].browser,
                flow: Some(flow),
                at: now,
            });
        }
        self.advance(flow, now)
    }

    /// It is not gone on with.
    pub fn denies(&mut self, at: usize, now: Timestamp) -> Expected {
        let flow = &mut self.flows[at];
        let answer = *flow.finished.get_or_insert_with(|| {
            flow.until = now.after(AFTERGLOW);
            Answer::Error("access_denied")
        });
        Expected::Client(at, answer)
    }

    /// `/login/devices` of a request; `keys`: the logins that are to end, nothing where it is only looked at.
    pub fn makes_room(&mut self, flow: usize, keys: Option<&[usize]>, now: Timestamp) -> Expected {
        let others = match self.account_of(flow, now) {
            Some(account) => self.others_at_client(flow, account, now),
            None if keys.is_none() => return Expected::To("/login"),
            None => Vec::new(),
        };
        if !others.is_empty() {
            let Some(keys) = keys else {
                return Expected::Page(200);
            };
            let chosen: Vec<usize> = others.iter().copied().filter(|at| keys.contains(at)).collect();
            let most = self.clients[self.flows[flow].client].most.unwrap_or(usize::MAX);
            if chosen.len() < others.len() + 1 - most {
                return Expected::Page(422);
            }
            if self.flows[flow].finished.is_none() {
                for at in chosen {
                    self.sittings[at].serves.remove(&self.flows[flow].client);
                }
            }
        }
        self.advance(flow, now)
    }

    /// Whether a proof can still be used, or has been a moment ago.
    pub fn is_waiting(&self, at: usize, browser: usize, now: Timestamp) -> bool {
        let choice = &self.choices[at];
        let who = &self.people[choice.person];
        let same = who.active && !who.expired && who.password_changed <= choice.proved;
        let open = choice.flow.is_none_or(|flow| self.is_open(flow, browser, now));
        choice.browser == browser && now < choice.until && !choice.given_up && same && open
    }

    /// A form, or a look, where the proof has become a session already.
    pub fn lands(&mut self, at: usize, looks: bool, now: Timestamp) -> Option<Expected> {
        let choice = &self.choices[at];
        let came = choice.came?;
        let (person, browser, flow) = (choice.person, choice.browser, choice.flow);
        Some(match self.sitting_of(person, browser, now) {
            Some(sitting) => self.entered(sitting, flow, now),
            None => {
                assert!(
                    looks || !self.sittings[came].is_live(now),
                    "its browser has forgotten it"
                );
                Expected::Page(404)
            }
        })
    }

    /// The logins were chosen that end for a proof.
    pub fn enters(&mut self, at: usize, keys: &[usize], now: Timestamp) -> Expected {
        let choice = &self.choices[at];
        let (person, browser, proved, flow) = (choice.person, choice.browser, choice.proved, choice.flow);
        let logins = self.live_of(person, now);
        let chosen: Vec<usize> = logins.iter().copied().filter(|at| keys.contains(at)).collect();
        let needed = (logins.len() + 1).saturating_sub(self.people[person].most).max(1);
        if chosen.len() < needed && !logins.is_empty() {
            return Expected::Page(422);
        }
        let sitting = self.enter(person, browser, proved, &chosen, now);
        self.choices[at].came = Some(sitting);
        self.choices[at].until = now.after(AFTERGLOW);
        self.entered(sitting, flow, now)
    }

    /// Nobody wants to be signed in after all.
    pub fn gives_up(&mut self, at: usize, now: Timestamp) -> Expected {
        self.choices[at].given_up = true;
        match self.choices[at].flow {
            Some(flow) => self.denies(flow, now),
            None => Expected::To("/"),
        }
    }

    /// SEC-743 in its own words, apart from what is asked in which order: a code for this person at this client, for this
    /// request, and everything that it takes.
    pub fn deserves(&self, at: usize, person: usize, now: Timestamp) {
        let flow = &self.flows[at];
        let sitting = self.sitting_of(person, flow.browser, now);
        let sitting = &self.sittings[sitting.expect("a code for somebody who is not signed in here")];
        let of_person = || self.ledger.iter().filter(|record| record.person == person);
        let for_this = || of_person().filter(|record| record.flow == Some(at) && record.browser == flow.browser);
        assert!(
            of_person().any(|record| record.step == Step::Password
                && record.browser == flow.browser
                && record.at == sitting.proved),
            "a code without a password of this person in this browser"
        );
        let proved = for_this().any(|record| record.step == Step::Password);
        assert!(!flow.asks.login || proved, "prompt=login without a password for it");
        if let Some(most) = flow.asks.max_age {
            let age = now.since(sitting.proved).as_secs();
            assert!(age < most || proved, "max_age={most}, and {age} seconds have passed");
        }
        let chose = for_this().any(|record| record.step == Step::Account);
        assert!(
            !flow.asks.select || proved || chose,
            "prompt=select_account without a choice"
        );
        assert!(
            flow.asks.hint.is_none_or(|hinted| hinted == person),
            "a code for somebody else"
        );
        if self.clients[flow.client].asks {
            assert!(
                flow.asks.scopes.is_subset(&self.allowed(person, flow.client)),
                "a code without the person's consent"
            );
            let anew = for_this().any(|record| matches!(record.step, Step::Consent(_)));
            assert!(!flow.asks.consent || anew, "prompt=consent without a consent for it");
        }
        // whoever said last who they are is who it is for
        let mut said = self.ledger.iter().filter(|record| record.flow == Some(at));
        let last = said.rfind(|record| matches!(record.step, Step::Password | Step::Account));
        assert!(
            last.is_none_or(|last| last.person == person),
            "the person has changed midway"
        );
        assert!(self.live_of(person, now).len() <= self.people[person].most);
    }
}
