//! Redis's master is lost while people sign in, and another one takes its place: behind Sentinels and in a Cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ostiary::clock;
use ostiary::model::{ConsentMode, Secret};
use tokio::task::JoinHandle;

use super::ledger::{Told, ask, http, percentile, report};
use super::site::{PROMISE, bound, length};
use crate::support::backend::{Backend, quick};
use crate::support::browser::{Arrival, Browser, Page};
use crate::support::process::{Installation, Node, PATIENCE, until};
use crate::support::redis_kinds::{Deployment, FAILOVER, Kind};
use crate::support::relying_party::{RelyingParty, basic, claims};
use crate::support::seed::{TestClient, TestUser};

/// More pages than a sign-in without consent has.
const MOST_STEPS: usize = 8;

/// A node with files of its own for what must last, and a Redis with a successor.
pub struct Watched {
    pub deployment: Deployment,
    _node: Node,
    pub client: TestClient,
    pub installation: Arc<Installation>,
}

impl Watched {
    pub async fn start(kind: Kind) -> Self {
        let deployment = Deployment::start(kind).await;
        let installation = Installation::make_with(Backend::Embedded, |config| {
            config.redis_url = Some(Secret::new(deployment.url.clone()));
            config.redis_prefix = Deployment::prefix();
        })
        .await;
        let client = installation
            .client(|made| made.policy.consent = ConsentMode::Skip)
            .await;
        let node = installation.only_node().await;
        Self {
            deployment,
            _node: node,
            client,
            installation: Arc::new(installation),
        }
    }

    pub fn party(&self) -> RelyingParty<'_> {
        RelyingParty::at(&self.installation.issuer(), &self.installation.host(), &self.client)
    }

    /// Whether this browser is signed in: the subject that the client is told, or nothing.
    pub async fn silent(&self, browser: &Browser, user: &TestUser) -> Option<String> {
        let party = self.party();
        let arrival = browser
            .sign_in(&party.authorization_url_with(&[("prompt", "none")]), user)
            .await;
        if arrival.get("error") == "login_required" {
            return None;
        }
        let tokens = party.redeem(arrival.code()).await.ok();
        Some(claims(&tokens.get("id_token"))["sub"].as_str().unwrap().to_owned())
    }

    /// Whether an authorization request leads to the sign-in.
    pub async fn serves(&self) -> bool {
        Browser::new().get(&self.party().authorization_url()).await.status != 503
    }

    pub async fn sign_out(&self, browser: &Browser) {
        let page = browser.open(&format!("{}/logout", self.installation.issuer())).await;
        let form = page.form_with("csrf");
        let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
        assert!(done.status.is_redirection(), "{} {}", done.status, done.body);
    }

    /// What was written is with the successor too, as far as anybody can know.
    pub fn replicated(&self) {
        for server in self.deployment.data.iter().take(3) {
            server.ask("wait 1 1000");
        }
    }
}

/// One of those who sign in again and again.
struct SignedIn {
    cookie: String,
    at: Instant,
}

#[derive(Default)]
struct Tale {
    signed_in: Vec<SignedIn>,
    /// How long those waited who were told to come again.
    turned_away: Vec<Duration>,
}

/// A sign-in that may be told to come again, or to begin again.
async fn attempt(browser: &Browser, url: &str, user: &TestUser, tale: &mut Tale) -> Option<Arrival> {
    let mut asked = clock::monotonic();
    let mut page = browser.get(url).await;
    for _ in 0..MOST_STEPS {
        if !well_said(&page, asked.elapsed(), tale) {
            return None;
        }
        if let Some(to) = page.location()
            && to.origin() != page.url.origin()
        {
            return Some(Arrival {
                url: to.clone(),
                parameters: to.query_pairs().into_owned().collect(),
            });
        }
        asked = clock::monotonic();
        page = match page.location() {
            Some(to) => browser.get(to.as_str()).await,
            None => {
                let form = page.forms().into_iter().find(|form| form.has("password"))?;
                let values = [
                    ("username", user.username.as_str()),
                    ("password", user.password.as_str()),
                ];
                browser.submit(&page, form, &values).await
            }
        };
    }
    None
}

/// I6: whoever is turned away is told so at once, on a page, with a time to come again.
fn well_said(page: &Page, took: Duration, tale: &mut Tale) -> bool {
    assert!(took < bound(), "{} took {took:?}", page.url);
    assert_ne!(page.status, 500, "{}", page.body);
    if page.status == 503 {
        let again: u64 = page.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&again), "{again}");
        assert!(page.body.contains("<h1"), "{}", page.body);
        tale.turned_away.push(took);
    }
    page.status.is_success() || page.status.is_redirection()
}

/// People who sign in all the time, each in new browsers.
struct Crowd {
    over: Arc<AtomicBool>,
    signed_in: Arc<AtomicUsize>,
    people: Vec<(TestUser, JoinHandle<Tale>)>,
}

impl Crowd {
    async fn begin(site: &Watched, number: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let signed_in = Arc::new(AtomicUsize::new(0));
        let mut people = Vec::new();
        for user in site.installation.users(number).await {
            let (installation, client) = (site.installation.clone(), site.client.clone());
            let (person, over, signed_in) = (user.clone(), over.clone(), signed_in.clone());
            let task = tokio::spawn(async move {
                let mut tale = Tale::default();
                while !over.load(Ordering::Relaxed) {
                    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
                    let browser = Browser::new();
                    let arrival = attempt(&browser, &party.authorization_url(), &person, &mut tale).await;
                    let Some(arrival) = arrival else {
                        clock::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let answer = party.redeem(arrival.code()).await;
                    if answer.status == 200 {
                        // I11
                        assert_eq!(claims(&answer.get("id_token"))["sub"], person.subject.as_str());
                        let cookie = browser.cookie("ostiary_session").unwrap();
                        let at = clock::monotonic();
                        tale.signed_in.push(SignedIn { cookie, at });
                        signed_in.fetch_add(1, Ordering::Relaxed);
                        // nobody signs in so often that it is too often
                        clock::sleep(Duration::from_millis(200)).await;
                    } else {
                        // what was lost with the old master, or waits for the new one
                        assert!(["invalid_grant", "temporarily_unavailable"].contains(&answer.error().as_str()));
                    }
                }
                tale
            });
            people.push((user, task));
        }
        Self {
            over,
            signed_in,
            people,
        }
    }

    /// Waits until so many more have signed in.
    async fn goes_on(&self, more: usize) {
        let before = self.signed_in.load(Ordering::Relaxed);
        until(PATIENCE, "people sign in", async || {
            self.signed_in.load(Ordering::Relaxed) >= before + more
        })
        .await;
    }

    async fn end(self) -> Vec<(TestUser, Tale)> {
        self.over.store(true, Ordering::Relaxed);
        let mut tales = Vec::new();
        for (user, task) in self.people {
            tales.push((user, task.await.unwrap()));
        }
        tales
    }
}

/// A client that uses what it has: refresh, introspection and userinfo, which need no Redis, again and again.
fn keep_using(site: &Watched, access: String, mut refresh: String, over: Arc<AtomicBool>) -> JoinHandle<usize> {
    let issuer = site.installation.issuer();
    let basic = basic(&site.client.client_id, &site.client.secret);
    tokio::spawn(async move {
        let form = async |path: &str, body: String| -> Told {
            ask(http()
                .post(format!("{issuer}{path}"))
                .header("authorization", &basic)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body))
            .await
        };
        let mut rounds = 0;
        while !over.load(Ordering::Relaxed) {
            let told = form(
                "/oauth2/token",
                format!("grant_type=refresh_token&refresh_token={refresh}"),
            )
            .await;
            assert_eq!(told.status, Some(200), "{told:?}");
            refresh = told.get("refresh_token");
            let told = form("/oauth2/introspect", format!("token={access}")).await;
            assert!(told.body.contains("\"active\":true"), "{told:?}");
            let request = http()
                .get(format!("{issuer}/oauth2/userinfo"))
                .header("authorization", format!("Bearer {access}"));
            let told = ask(request).await;
            assert_eq!(told.status, Some(200), "{told:?}");
            rounds += 1;
            clock::sleep(Duration::from_millis(50)).await;
        }
        rounds
    })
}

/// Where sessions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sessions {
    InRedis,
    /// `session.durable`; and the new master has lost everything.
    KeptToo,
}

/// The master is lost by this signal; the one at `successor` takes its place.
async fn failover(row: &str, kind: Kind, signal: &str, successor: usize, sessions: Sessions) {
    if quick() {
        return;
    }
    let mut site = Watched::start(kind).await;
    if sessions == Sessions::KeptToo {
        let words = ["settings", "set", "session.durable", "true"];
        assert_eq!(site.installation.command(&words).await.code, 0);
        clock::sleep(Duration::from_secs(1)).await;
    }
    let (kept, ended) = (site.installation.user("ada").await, site.installation.user("eve").await);
    let (at_home, elsewhere) = (Browser::new(), Browser::new());
    let arrival = site.party().sign_in(&elsewhere, &ended).await;
    let cookie = elsewhere.cookie("ostiary_session").unwrap();
    site.sign_out(&elsewhere).await;
    // the session that it stands for has ended
    let void = arrival.code().to_owned();
    let party = site.party();
    let arrival = party.sign_in(&at_home, &kept).await;
    let tokens = party.redeem(arrival.code()).await.ok();
    site.replicated();
    let over = Arc::new(AtomicBool::new(false));
    let using = keep_using(
        &site,
        tokens.get("access_token"),
        tokens.get("refresh_token"),
        over.clone(),
    );
    let crowd = Crowd::begin(&site, 3).await;
    crowd.goes_on(5).await;
    let lost = clock::monotonic();
    match signal {
        "KILL" => site.deployment.data[0].kill(),
        other => site.deployment.data[0].signal(other),
    }
    let promotion = until(FAILOVER, "another one takes the master's place", async || {
        site.deployment.data[successor].ask("role").starts_with("master")
    })
    .await;
    let promoted = clock::monotonic();
    let back = until(bound(), "sign-in works again", async || site.serves().await).await;
    if sessions == Sessions::KeptToo {
        assert!(site.deployment.data[successor].ask("flushall").contains("OK"));
    }
    crowd.goes_on(5).await;
    clock::sleep(length(Duration::ZERO, Duration::from_secs(5))).await;
    if signal == "STOP" {
        // whoever comes back is no master any more, and what was left with it is nobody's
        site.deployment.data[0].signal("CONT");
        until(FAILOVER, "the old master follows", async || {
            site.deployment.data[0].ask("role").starts_with("slave")
        })
        .await;
        crowd.goes_on(3).await;
    }
    let tales = crowd.end().await;
    over.store(true, Ordering::Relaxed);
    let rounds = using.await.unwrap();
    // nothing that ended is back, whatever the successor holds
    assert_ne!(site.party().redeem(&void).await.status, 200);
    elsewhere.set_cookie("localhost", "ostiary_session", &cookie);
    assert_eq!(site.silent(&elsewhere, &ended).await, None);
    // what the successor had is good
    assert_eq!(site.silent(&at_home, &kept).await, Some(kept.subject.clone()));
    let mut turned_away = Vec::new();
    let (mut before, mut lasting, mut after) = (0, 0, 0);
    for (user, tale) in tales {
        turned_away.extend(tale.turned_away);
        // some of each: all of them are many
        let since = |session: &&SignedIn| session.at > promoted + back;
        let (late, early): (Vec<_>, Vec<_>) = tale.signed_in.iter().partition(since);
        after += late.len();
        before += early.len();
        for session in late.iter().take(3).chain(early.iter().rev().take(3)) {
            let browser = Browser::new();
            browser.set_cookie("localhost", "ostiary_session", &session.cookie);
            let told = site.silent(&browser, &user).await;
            // I11: themselves, or nobody
            assert!(told.as_ref().is_none_or(|subject| *subject == user.subject));
            let is_late = late.iter().any(|other| other.cookie == session.cookie);
            assert!(
                told.is_some() || (!is_late && sessions == Sessions::InRedis),
                "who signed in {:?} after the promotion is not signed in:\n{}",
                session.at - promoted,
                site.deployment.logs()
            );
            lasting += usize::from(told.is_some());
        }
    }
    assert!(before > 0 && after > 0, "{before} sign-ins before, {after} after");
    let away = turned_away.len();
    let (p99, slowest) = (percentile(&mut turned_away, 99), percentile(&mut turned_away, 100));
    report(
        row,
        format!(
            "promoted {promotion:?} after the loss, sign-in works {back:?} after that (promise {PROMISE:?}); {away} turned away, p99 {p99:?}, slowest {slowest:?}; \
             {before} sign-ins before and {after} after, {lasting} of those looked at are signed in; {rounds} rounds of refresh, introspection and userinfo in {:?}, none failed",
            lost.elapsed()
        ),
    );
}

/// REL-32: behind Sentinels the master is killed while people sign in.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_find_another_master_cost_no_more_than_a_sign_in() {
    failover("REL-32", Kind::Sentinel, "KILL", 1, Sessions::InRedis).await;
}

/// REL-33: the master stands still until another one has its place, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_comes_back_after_its_place_was_taken_brings_nothing_back() {
    failover("REL-33", Kind::Sentinel, "STOP", 1, Sessions::InRedis).await;
}

/// REL-34: a node of the Cluster is killed while people sign in.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_master_costs_no_more_than_a_sign_in() {
    failover("REL-34", Kind::Cluster, "KILL", 3, Sessions::InRedis).await;
}

/// REL-32, with `session.durable`: the new master has lost everything on top of it, and whoever was told that they are signed in
/// is.
#[tokio::test(flavor = "multi_thread")]
async fn another_master_without_any_session_signs_nobody_out_where_they_are_kept() {
    failover("REL-32", Kind::Sentinel, "KILL", 1, Sessions::KeptToo).await;
}
