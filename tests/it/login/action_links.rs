//! A random walk over everything that makes, follows and voids links, beside a model that says which of them count.

use std::time::Duration;

use ostiary::flow::operations::setup;
use ostiary::flow::people::{self, ChangeSource, NewPassword, UserChange, WeakPasswords};
use ostiary::flow::{Call, Error, Provider};
use ostiary::model::{Id, Secret, Timestamp};
use ostiary::store::DeviceAlert;
use serde_json::json;

use super::recovery::links;
use crate::oauth::scene::Dice;
use crate::support::backend::length;
use crate::support::server::{Server, TestUser, each_backend};

const COMMAND: ChangeSource = ChangeSource::Command;
const LIFETIME: Duration = Duration::from_secs(20 * 60);

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Recovery,
    NotMe,
    Setup,
}

#[derive(Debug)]
struct Link {
    purpose: Purpose,
    person: usize,
    token: Secret,
    made: Timestamp,
    lives: Duration,
    dead: bool,
}

struct Walk<'a> {
    server: &'a Server,
    people: Vec<TestUser>,
    active: Vec<bool>,
    addresses: Vec<usize>,
    links: Vec<Link>,
    successes: usize,
    words: usize,
}

impl Walk<'_> {
    fn provider(&self) -> &Provider {
        self.server.provider()
    }

    fn call(&self) -> Call {
        self.server.call()
    }

    fn void(&mut self, person: usize) {
        let open = self.links.iter_mut();
        open.filter(|link| link.purpose == Purpose::Recovery && link.person == person)
            .for_each(|link| link.dead = true);
    }

    fn counts(&self, link: &Link) -> bool {
        let open = !link.dead && self.call().now < link.made.after(link.lives);
        open && (link.purpose != Purpose::Recovery || self.active[link.person])
    }

    async fn make(&mut self, purpose: Purpose, person: usize) {
        let (call, user) = (self.call(), self.people[person].clone());
        let token = match purpose {
            Purpose::Recovery => {
                let name = user.username.clone();
                people::ask_for_recovery(self.provider(), &call, name, None)
                    .await
                    .unwrap();
                let user = TestUser {
                    email: self.address(person),
                    ..user
                };
                let before = self
                    .links
                    .iter()
                    .filter(|l| l.purpose == purpose && l.person == person)
                    .count();
                let all = links(self.server, &user).await;
                if !self.active[person] {
                    assert!(all.len() <= before, "no mail for an account that is off");
                    return;
                }
                let link = url::Url::parse(&all[0]).unwrap();
                let token = link.query_pairs().find(|(name, _)| name == "token").unwrap().1;
                Secret::new(token.into_owned())
            }
            Purpose::NotMe => {
                let token = Secret::generate();
                let alert = DeviceAlert {
                    user: user.id,
                    device: Id::new(call.now),
                    created_at: call.now,
                    used_at: None,
                };
                let mut tx = self.provider().store.write().await.unwrap();
                tx.add_device_alert(&token.digest(), &alert, call.now.after(LIFETIME));
                tx.commit().await.unwrap();
                token
            }
            Purpose::Setup => {
                let link = setup::new_link(self.provider(), &call).await.unwrap();
                let url = url::Url::parse(link.url.expose()).unwrap();
                Secret::new(url.query_pairs().next().unwrap().1.into_owned())
            }
        };
        match purpose {
            Purpose::Recovery => self.void(person),
            Purpose::Setup => {
                let open = self.links.iter_mut().filter(|link| link.purpose == purpose);
                open.for_each(|link| link.dead = true);
            }
            Purpose::NotMe => (),
        }
        self.links.push(Link {
            purpose,
            person,
            token,
            made: call.now,
            lives: if purpose == Purpose::Setup {
                Duration::from_secs(3_600)
            } else {
                LIFETIME
            },
            dead: false,
        });
    }

    fn address(&self, person: usize) -> String {
        match self.addresses[person] {
            0 => self.people[person].email.clone(),
            count => format!("{}{count}@example.net", self.people[person].username),
        }
    }

    /// Follows a link for a purpose, twice at once: it counts once at most, and for its own purpose alone.
    async fn follow(&mut self, at: usize, purpose: Purpose) {
        let (call, token) = (self.call(), self.links[at].token.clone());
        let counts = self.counts(&self.links[at]) && self.links[at].purpose == purpose;
        let provider = self.server.provider();
        self.words += 2;
        let word = |number: usize| Secret::new(format!("a walk of {number} steps by the river"));
        let won = match purpose {
            Purpose::Recovery => {
                let (one, other) = tokio::join!(
                    people::recover(provider, &call, &token, word(self.words)),
                    people::recover(provider, &call, &token, word(self.words + 1)),
                );
                [one, other].into_iter().filter(Result::is_ok).count()
            }
            Purpose::NotMe => {
                // said twice is said: what counts is the row
                let mut tx = provider.store.write().await.unwrap();
                let first = tx.use_device_alert(&token.digest(), call.now).await.unwrap();
                let second = tx.use_device_alert(&token.digest(), call.now).await.unwrap();
                tx.commit().await.unwrap();
                usize::from(first) + usize::from(second)
            }
            Purpose::Setup => {
                assert_eq!(setup::is_link_open(provider, &call, &token).await.unwrap(), counts);
                let mut tx = provider.store.write().await.unwrap();
                let first = tx.use_setup_link(&token.digest(), call.now).await.unwrap();
                let second = tx.use_setup_link(&token.digest(), call.now).await.unwrap();
                tx.commit().await.unwrap();
                usize::from(first) + usize::from(second)
            }
        };
        assert_eq!(won, usize::from(counts), "{purpose:?} with {:?}", self.links[at]);
        self.successes += won;
        if won == 1 {
            self.links[at].dead = true;
            if purpose == Purpose::Recovery {
                let person = self.links[at].person;
                self.void(person);
            }
        }
    }

    async fn change(&mut self, what: usize, person: usize) {
        let (call, id) = (self.call(), self.people[person].id);
        let provider = self.server.provider();
        match what {
            0 => {
                let new = NewPassword::Generated;
                people::set_password(provider, &call, &COMMAND, id, new, WeakPasswords::Refuse)
                    .await
                    .unwrap();
                self.void(person);
            }
            1 => {
                self.addresses[person] += 1;
                let change = UserChange {
                    email: Some(Some(self.address(person))),
                    ..UserChange::default()
                };
                people::change_user(provider, &call, &COMMAND, id, None, change)
                    .await
                    .unwrap();
                self.void(person);
            }
            2 => {
                people::deactivate_user(provider, &call, &COMMAND, id, None)
                    .await
                    .unwrap();
                self.active[person] = false;
                self.void(person);
            }
            _ => {
                people::reactivate_user(provider, &call, &COMMAND, id, None)
                    .await
                    .unwrap();
                self.active[person] = true;
            }
        }
    }
}

/// SEC-744, SEC-297: whatever is made, followed, changed and awaited in whatever order, a link counts once, for what it was made for,
/// until a newer one or a change voids it.
#[tokio::test]
async fn model_action_links() {
    let (walks, steps) = length((2, 60), (3, 120), (20, 400));
    let wanted = std::env::var("OSTIARY_TEST_SEED").ok();
    let seeds = match wanted.and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => seed..=seed,
        None => 1..=walks,
    };
    each_backend(async |server| {
        server
            .settings(json!({"recovery.most_mails": 100, "guess.account_budget": 1_000, "guess.source_budget": 100_000, "guess.period": "1m"}))
            .await;
        for seed in seeds.clone() {
            eprintln!("walk the same way again with OSTIARY_TEST_SEED={seed}");
            let mut dice = Dice::seeded(seed);
            let mut walk = Walk {
                server,
                people: vec![
                    server.user(&format!("one{seed}")).await,
                    server.user(&format!("two{seed}")).await,
                ],
                active: vec![true; 2],
                addresses: vec![0; 2],
                links: Vec::new(),
                successes: 0,
                words: 0,
            };
            for _ in 0..steps {
                server.advance(Duration::from_secs(1));
                let person = dice.below(2);
                let purposes = [Purpose::Recovery, Purpose::Recovery, Purpose::NotMe, Purpose::Setup];
                let purpose = purposes[dice.below(4)];
                match dice.below(10) {
                    0..3 => walk.make(purpose, person).await,
                    3..8 if !walk.links.is_empty() => {
                        // the latest ones more often than those of long ago
                        let back = dice.below(walk.links.len().min(6));
                        let at = walk.links.len() - 1 - back;
                        let own = walk.links[at].purpose;
                        let purpose = if dice.below(3) > 0 { own } else { purpose };
                        walk.follow(at, purpose).await;
                    }
                    8 => walk.change(dice.below(4), person).await,
                    9 => server.advance(Duration::from_secs(60 * u64::try_from(dice.below(25)).unwrap())),
                    _ => (),
                }
            }
            assert!(
                walk.successes > 3,
                "a walk that leads nowhere shows nothing: {}",
                walk.successes
            );
            let provider = server.provider();
            let unknown = people::look_at_recovery(provider, &server.call(), &Secret::generate()).await;
            assert!(matches!(unknown, Err(Error::NotFound)));
        }
    })
    .await;
}
