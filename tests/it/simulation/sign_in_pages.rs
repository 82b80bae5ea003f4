//! What a walk of sign-ins does with pages: looks at them, fills in their forms, sends these from wherever, and holds what comes
//! against what the model says.

use axum::body::Body;
use axum::http::{Request, header};
use ostiary::model::{Id, Session, Timestamp};
use url::{Url, form_urlencoded};

use super::nodes::{Answer as Answered, ISSUER};
use super::sign_in::Walk;
use super::sign_in_browser::{Place, Purpose, Shown, form};
use super::sign_in_model::{Answer, Expected};
use crate::support::relying_party::{basic, claims};
use crate::support::seed::TestUser;

/// How long a form may stay open, in seconds.
const FORM_SECONDS: i64 = 2 * 60 * 60;
/// How many forms are kept: the oldest are forgotten.
const MOST_SHOWN: usize = 24;

impl Walk {
    /// Somebody goes back to an address of a request, theirs or another's.
    pub async fn look_again(&mut self) {
        let (flows, choices) = (self.model.flows.len(), self.model.choices.len());
        if flows == 0 {
            return;
        }
        let back = if self.dice.below(2) == 0 { 1 } else { 6 };
        let flow = flows - 1 - self.dice.below(flows.min(back));
        let browser = if self.dice.below(6) == 0 {
            1 - self.model.flows[flow].browser
        } else {
            self.model.flows[flow].browser
        };
        let place = match self.dice.below(6) {
            0 | 1 => Place::Login(Some(flow), self.dice.below(2) == 0),
            2 => Place::Account(flow),
            3 => Place::Consent(flow),
            4 if choices > 0 => Place::Choice(choices - 1 - self.dice.below(choices.min(3))),
            _ => Place::Room(flow),
        };
        if self.address(place).is_some() {
            self.look(browser, place).await;
        }
    }

    fn address(&self, place: Place) -> Option<String> {
        let path = place.path();
        let of = |flow: usize| self.model.flows[flow].handle.as_ref();
        Some(match place {
            Place::Login(None, _) | Place::SignOut => path.to_owned(),
            Place::Login(Some(flow), false) => format!("{path}?flow={}", of(flow)?),
            Place::Login(Some(flow), true) => format!("{path}?flow={}&again=1", of(flow)?),
            Place::Account(flow) | Place::Consent(flow) | Place::Room(flow) => format!("{path}?flow={}", of(flow)?),
            Place::Choice(choice) => format!("{path}?proof={}", self.model.choices[choice].handle),
        })
    }

    /// The page at an address of ours that an answer leads to.
    fn place(&self, location: &str) -> Option<Place> {
        let url = Url::parse(ISSUER).unwrap().join(location).unwrap();
        let number = |handle: String| {
            let flows = &self.model.flows;
            flows
                .iter()
                .position(|flow| flow.handle.as_ref() == Some(&handle))
                .unwrap()
        };
        let flow = parameter(location, "flow").map(number);
        Some(match url.path() {
            "/login" => Place::Login(flow, parameter(location, "again").is_some()),
            "/login/account" => Place::Account(flow?),
            "/login/consent" => Place::Consent(flow?),
            "/login/devices" => match (flow, parameter(location, "proof")) {
                (Some(flow), _) => Place::Room(flow),
                (None, proof) => {
                    let choices = &self.model.choices;
                    Place::Choice(
                        choices
                            .iter()
                            .position(|choice| Some(&choice.handle) == proof.as_ref())?,
                    )
                }
            },
            _ => return None,
        })
    }

    /// Looks at a page, and follows where it leads.
    pub async fn look(&mut self, browser: usize, place: Place) {
        let address = self.address(place).unwrap();
        self.tell(format!("browser {browser} looks at {place:?}"));
        let expected = self.expect(browser, place);
        let node = self.node();
        let answered = self.browsers[browser].get(&node, &address).await;
        Box::pin(self.arrive(browser, answered, expected, Some(place))).await;
    }

    /// What looking at a page must come to.
    fn expect(&mut self, browser: usize, place: Place) -> Expected {
        let now = self.now();
        self.model.comes(browser, now);
        let nobody = self.model.here(browser, now).is_empty();
        if let Some(gone) = self.is_gone(browser, place) {
            return gone;
        }
        match place {
            Place::Login(..) => Expected::Page(200),
            Place::Account(_) if nobody => Expected::To("/login"),
            Place::Account(_) => Expected::Page(200),
            Place::Consent(flow) if self.model.person_of(flow, now).is_none() => Expected::To("/login"),
            Place::Consent(_) => Expected::Page(200),
            Place::Room(flow) => self.model.makes_room(flow, None, now),
            Place::Choice(choice) => self.model.lands(choice, true, now).unwrap_or(Expected::Page(200)),
            Place::SignOut if nobody => Expected::To("/logout/done"),
            Place::SignOut => Expected::Page(200),
        }
    }

    /// Nobody comes to a page of a request that is over, or another browser's.
    fn is_gone(&self, browser: usize, place: Place) -> Option<Expected> {
        let now = self.now();
        let is_there = match place {
            Place::Login(None, _) | Place::SignOut => true,
            Place::Login(Some(flow), _) | Place::Account(flow) | Place::Consent(flow) | Place::Room(flow) => {
                self.model.is_open(flow, browser, now)
            }
            Place::Choice(choice) => self.model.is_waiting(choice, browser, now),
        };
        (!is_there).then_some(Expected::Page(404))
    }

    fn purpose(&self, place: Place) -> Purpose {
        match place {
            Place::Login(flow, _) => Purpose::Login(flow),
            Place::Account(flow) => Purpose::Account(flow),
            Place::Consent(flow) => Purpose::Consent(flow, self.model.person_of(flow, self.now())),
            Place::Room(flow) => Purpose::Room(flow),
            Place::Choice(choice) => Purpose::Choice(choice),
            Place::SignOut => Purpose::SignOut,
        }
    }

    /// A form is sent: mostly the newest ones, from the browser that it was shown in, with its own token.
    pub async fn send(&mut self) {
        let count = self.shown.len();
        if count == 0 {
            return;
        }
        let back = if self.dice.below(3) > 0 { 1 } else { count };
        let target = self.shown[count - 1 - self.dice.below(back)].clone();
        let other = self.shown[self.dice.below(count)].clone();
        let empty = Shown {
            token: String::new(),
            purpose: Purpose::Nothing,
            ..target.clone()
        };
        let (browser, believed) = match self.dice.below(24) {
            0 | 1 => (1 - target.browser, &target),
            2 | 3 => (target.browser, &other),
            4 => (target.browser, &empty),
            _ => (target.browser, &target),
        };
        let believed = believed.clone();
        let fields = self.draw(&target);
        self.send_as(browser, &target, &believed, fields).await;
    }

    /// Sends a form with the token of another one, or its own.
    pub async fn send_as(&mut self, browser: usize, target: &Shown, token: &Shown, fields: Vec<(String, String)>) {
        let (now, place) = (self.now(), target.place);
        let is_believed = token.browser == browser
            && token.purpose == self.purpose(place)
            && now <= Timestamp::from_seconds(token.at + FORM_SECONDS);
        self.model.comes(browser, now);
        let expected = self.answer(browser, place, is_believed, &fields);
        self.tell(format!(
            "browser {browser} sends {place:?} of browser {}, {}, {fields:?}: {expected:?}",
            target.browser,
            if is_believed { "believed" } else { "not believed" }
        ));
        let mut all = vec![("csrf", token.token.as_str())];
        all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let (node, address) = (self.node(), self.address(place).unwrap());
        let answered = self.browsers[browser].post(&node, &address, &all).await;
        let choices = &mut self.model.choices;
        if let Some(choice) = choices.last_mut().filter(|choice| choice.handle.is_empty()) {
            choice.handle = parameter(&answered.location, "proof").expect("nobody was asked which login ends");
        }
        self.arrive(browser, answered, expected, Some(place)).await;
    }

    /// What somebody puts into a form: mostly what is asked for.
    pub fn draw(&mut self, target: &Shown) -> Vec<(String, String)> {
        match target.place {
            Place::Login(..) => self.type_in(),
            Place::Account(_) => {
                let chosen = self.model.people.get(self.dice.below(4));
                chosen
                    .map(|person| field("account", &person.user.id.to_string()))
                    .into_iter()
                    .collect()
            }
            Place::Consent(_) => {
                let denies = self.dice.below(5) == 0;
                vec![field("decision", if denies { "deny" } else { "allow" })]
            }
            Place::Room(_) | Place::Choice(_) => {
                let cancel = (self.dice.below(8) == 0).then(|| field("intent", "cancel"));
                let keys = self.some_keys(target);
                cancel
                    .into_iter()
                    .chain(keys.iter().map(|key| field("end", key)))
                    .collect()
            }
            Place::SignOut => {
                let stays = self.dice.below(3) == 0;
                vec![field("decision", if stays { "stay" } else { "sign_out" })]
            }
        }
    }

    /// What must come of a form.
    fn answer(&mut self, browser: usize, place: Place, is_believed: bool, fields: &[(String, String)]) -> Expected {
        let now = self.now();
        if let Some(gone) = self.is_gone(browser, place) {
            return gone;
        }
        let nobody = self.model.here(browser, now).is_empty();
        let said = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let keys = fields.iter().filter(|(name, _)| name == "end");
        let keys: Vec<usize> = keys.filter_map(|(_, key)| self.sitting_of(key)).collect();
        match place {
            Place::Login(..) if !is_believed => Expected::Page(403),
            Place::Login(flow, again) => match (said("intent"), flow) {
                (Some("cancel"), Some(flow)) => self.model.denies(flow, now),
                (Some("cancel"), None) => Expected::To("/"),
                (Some(_), _) => Expected::To("/login"),
                (None, _) => {
                    let typed = self.named(|user| said("username") == Some(&user.username));
                    // the known person's name can't be typed over
                    let known = flow.filter(|_| again);
                    let known = known.and_then(|flow| self.model.settled_here(flow, browser, now));
                    match known.or(typed) {
                        Some(person) if said("password") == Some(&self.model.people[person].user.password) => {
                            self.model.proves(person, (browser, flow), now)
                        }
                        _ => Expected::Page(422),
                    }
                }
            },
            Place::Account(_) if !is_believed && nobody => Expected::To("/login"),
            Place::Account(_) if !is_believed => Expected::Page(403),
            Place::Account(flow) => match self.named(|user| said("account") == Some(user.id.to_string().as_str())) {
                Some(person) => self.model.chooses(flow, person, now),
                None => Expected::To("/login"),
            },
            Place::Consent(flow) if !is_believed && self.model.person_of(flow, now).is_none() => Expected::To("/login"),
            Place::Consent(_) if !is_believed => Expected::Page(403),
            Place::Consent(flow) if said("decision") == Some("deny") && self.model.person_of(flow, now).is_some() => {
                self.model.denies(flow, now)
            }
            Place::Consent(flow) => self.model.allows(flow, now),
            Place::Room(flow) if !is_believed => match self.model.makes_room(flow, None, now) {
                Expected::Page(_) => Expected::Page(403),
                expected => expected,
            },
            Place::Room(flow) if said("intent").is_some() => self.model.denies(flow, now),
            Place::Room(flow) => self.model.makes_room(flow, Some(&keys), now),
            Place::Choice(choice) => match self.model.lands(choice, !is_believed, now) {
                Some(landed) => landed,
                None if !is_believed => Expected::Page(403),
                None if said("intent").is_some() => self.model.gives_up(choice, now),
                None => self.model.enters(choice, &keys, now),
            },
            Place::SignOut if nobody => Expected::To("/logout/done"),
            Place::SignOut if !is_believed => Expected::Page(403),
            Place::SignOut if said("decision") == Some("stay") => Expected::To("/"),
            Place::SignOut => {
                for at in self.model.here(browser, now) {
                    self.model.sittings[at].over = true;
                }
                Expected::To("/logout/done")
            }
        }
    }

    fn named(&self, is: impl Fn(&TestUser) -> bool) -> Option<usize> {
        self.model.people.iter().position(|person| is(&person.user))
    }

    /// What somebody types into a sign-in page.
    fn type_in(&mut self) -> Vec<(String, String)> {
        let person = self.dice.below(3);
        let other = self.model.people[(person + 1) % 3].user.password.clone();
        let who = &self.model.people[person];
        let right = &who.user.password;
        let old = who.old_passwords.last();
        let (intent, password) = match self.dice.below(20) {
            0 => (None, "wrong".to_owned()),
            1 => (None, old.unwrap_or(&other).clone()),
            2 => (None, other),
            3 => (None, String::new()),
            4 => (Some("cancel"), right.clone()),
            5 => (Some("other_account"), right.clone()),
            _ => (None, right.clone()),
        };
        let intent = intent.map(|intent| field("intent", intent));
        let password = (!password.is_empty()).then(|| field("password", &password));
        let name = field("username", &who.user.username);
        intent.into_iter().chain([name]).chain(password).collect()
    }

    /// All that are offered, or none, or one that is not.
    fn some_keys(&mut self, target: &Shown) -> Vec<String> {
        match self.dice.below(6) {
            0 => Vec::new(),
            1 => {
                let at = self.dice.below(self.model.sittings.len().max(1));
                let id = self.model.sittings.get(at).and_then(|sitting| sitting.id);
                id.map(|id| format!("s.{id}")).into_iter().collect()
            }
            _ => target.keys.clone(),
        }
    }

    fn sitting_of(&self, key: &str) -> Option<usize> {
        let is = |id: &Id<Session>| format!("s.{id}") == key;
        self.model
            .sittings
            .iter()
            .position(|sitting| sitting.id.as_ref().is_some_and(is))
    }

    /// What came is what had to come; then on to the next page.
    pub async fn arrive(&mut self, browser: usize, answered: Answered, expected: Expected, at: Option<Place>) {
        let told = format!("{} {}", answered.status, answered.location);
        match expected {
            Expected::Page(status) => {
                assert_eq!(answered.status, status, "{told}");
                self.count(match status {
                    200 => "shown",
                    404 => "gone",
                    422 => "wrong",
                    _ => "refused",
                });
                if let Some(place) = at.filter(|_| status != 404) {
                    self.keep(browser, place, &answered.body);
                }
            }
            Expected::To(path) => {
                assert!(answered.status == 303, "{told}, and not on to {path}");
                let url = Url::parse(ISSUER).unwrap().join(&answered.location).unwrap();
                assert_eq!(
                    (url.origin(), url.path()),
                    (Url::parse(ISSUER).unwrap().origin(), path),
                    "{told}"
                );
                if let Some(place) = self.place(&answered.location) {
                    self.look(browser, place).await;
                }
            }
            Expected::Client(flow, answer) => self.judge(flow, &answered, answer).await,
        }
    }

    fn keep(&mut self, browser: usize, place: Place, body: &str) {
        // a page of another kind stands there where nobody can do anything
        let Some((token, keys)) = form(body, place.path()) else {
            return;
        };
        self.shown.push_back(Shown {
            browser,
            place,
            purpose: self.purpose(place),
            at: self.now().seconds(),
            token,
            keys,
        });
        if self.shown.len() > MOST_SHOWN {
            self.shown.pop_front();
        }
    }

    /// What reaches a client is what the model says, and deserved.
    async fn judge(&mut self, at: usize, answered: &Answered, answer: Answer) {
        let flow = &self.model.flows[at];
        let (client, now) = (flow.client, self.now());
        let party = &self.model.clients[client].client;
        assert!(
            answered.status == 303 && answered.location.starts_with(&party.redirect_uri),
            "flow {at}: {} {}, and not {answer:?}",
            answered.status,
            answered.location
        );
        let person = match answer {
            Answer::Error(error) => {
                assert_eq!(
                    parameter(&answered.location, "error").as_deref(),
                    Some(error),
                    "flow {at}"
                );
                assert_eq!(parameter(&answered.location, "code"), None);
                return self.count(error);
            }
            Answer::Code(person) => person,
        };
        let code = parameter(&answered.location, "code");
        let code = code.unwrap_or_else(|| panic!("flow {at}: no code in {}", answered.location));
        if flow.code.as_ref() == Some(&code) {
            // a second click
            return self.count("the same code");
        }
        self.model.deserves(at, person, now);
        let authorization = basic(&party.client_id, &party.secret);
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", &code)
            .append_pair("redirect_uri", &party.redirect_uri)
            .append_pair("code_verifier", &flow.verifier)
            .finish();
        let request = Request::post("/oauth2/token")
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let node = self.node();
        let (redeemed, _) = node.exchange(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(redeemed.status, 200, "flow {at}: {}", redeemed.body);
        let token = redeemed.get("id_token");
        let claims = claims(&token);
        let browser = self.model.flows[at].browser;
        let mut here = self.model.here(browser, now).into_iter();
        let sitting = here.find(|&at| self.model.sittings[at].person == person).unwrap();
        let known = &self.model.sittings[sitting];
        let user = &self.model.people[person].user;
        assert_eq!(
            claims["sub"].as_str(),
            Some(user.subject.as_str()),
            "flow {at}: somebody else"
        );
        assert_eq!(claims["auth_time"].as_i64(), Some(known.proved.seconds()), "flow {at}");
        assert_eq!(claims["nonce"].as_str(), Some(self.model.flows[at].nonce.as_str()));
        if let Some(id) = known.id {
            assert_eq!(claims["sid"].as_str(), Some(id.to_string().as_str()), "flow {at}");
        }
        self.model.sittings[sitting].serves.insert(client);
        self.model.flows[at].code = Some(code);
        self.tokens.insert((person, client), token);
        self.count("code");
    }
}

pub fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A parameter of an address that an answer leads to.
pub fn parameter(location: &str, name: &str) -> Option<String> {
    let url = Url::parse(ISSUER).unwrap().join(location).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}
