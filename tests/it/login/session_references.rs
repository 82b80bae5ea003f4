//! What a browser shows to be somebody: random, kept as a digest alone, never used again, and harmless when the store of sessions
//! is lost or damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::crypto;
use ostiary::flow::session::SessionToken;
use ostiary::model::{Digest, Id, User};

use super::{factor_scene, is_signed_in, sign_in};
use crate::support::backend::{Backend, backends, length, provided};
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const COOKIE: &str = "ostiary_session";

/// The part of a reference that is a secret; the other names the user.
fn secret(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token).unwrap()[16..].to_vec()
}

/// SEC-170, the generator: 256 bits that are all random, and no reference comes twice.
#[tokio::test]
async fn session_id_strength_of_the_generator() {
    let user: Id<User> = Id::new(Default::default());
    let many = length(4_000, 20_000, 200_000);
    let mut seen = BTreeSet::new();
    let mut ones = vec![0usize; 256];
    for _ in 0..many {
        let token = SessionToken::generate(user);
        let secret = secret(token.expose());
        assert!(secret.len() * 8 >= 128);
        assert_eq!(secret.len() * 8, ones.len());
        for (at, ones) in ones.iter_mut().enumerate() {
            *ones += usize::from(secret[at / 8] >> (at % 8) & 1);
        }
        assert!(seen.insert(secret), "a reference came twice");
    }
    // six standard deviations: by chance once in a million runs
    let spread = 3.0 * (many as f64).sqrt();
    for (at, ones) in ones.into_iter().enumerate() {
        let off = (ones as f64 - many as f64 / 2.0).abs();
        assert!(off < spread, "bit {at} is set in {ones} of {many}");
    }
}

/// Every byte of every file below a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_below(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            all.extend(bytes);
        }
    }
    all
}

/// What `redis-cli` answers of the server of the test command.
fn redis(words: &[&str]) -> String {
    let url = provided("OSTIARY_TEST_REDIS_URL");
    let output = std::process::Command::new("redis-cli")
        .args(["-u", url.expose(), "--no-raw"])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything that a server has stored, wherever it stores it.
async fn stored(server: &Server, backend: Backend) -> Vec<u8> {
    let mut all = bytes_below(server.folder());
    if backend == Backend::Embedded {
        return all;
    }
    let mut store = server.provider().store.database().read().await.unwrap();
    let tables = "select table_name::text from information_schema.tables where table_schema = current_schema()";
    let tables: Vec<String> = store.sql(tables).all().await.unwrap();
    assert!(tables.len() > 20);
    for table in tables {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String = store.sql_built(rows).one().await.unwrap();
        all.extend(rows.into_bytes());
    }
    let pattern = format!("{}*", server.config().redis_prefix);
    for line in redis(&["--scan", "--pattern", &pattern]).lines() {
        let key = line.split_once('"').map_or(line, |(_, key)| key.trim_end_matches('"'));
        all.extend(key.as_bytes());
        for words in [["hgetall", key], ["get", key], ["smembers", key]] {
            all.extend(redis(&words).into_bytes());
        }
        all.extend(redis(&["zrange", key, "0", "-1"]).into_bytes());
    }
    all
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// SEC-170, the stores: after sign-ins by the page and by the protocol nothing that is stored holds a reference, its secret or
/// either in another spelling; what stands there is its digest. A reference of which one letter differs is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn session_id_strength() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let client = server.client(|_| ()).await;
        let mut tokens = BTreeSet::new();
        for name in ["ada", "grace", "emmy"] {
            let user = server.user(name).await;
            let (by_page, by_protocol) = (Browser::new(), Browser::new());
            sign_in(&server, &by_page, &user).await;
            let party = RelyingParty::new(&server, &client);
            let arrival = party.sign_in(&by_protocol, &user).await;
            party.redeem(arrival.code()).await.ok();
            for browser in [by_page, by_protocol] {
                let token = browser.cookie(COOKIE).unwrap();
                let mut letters: Vec<char> = token.chars().collect();
                let last = letters.last_mut().unwrap();
                *last = if *last == 'A' { 'Q' } else { 'A' };
                let near = Browser::new();
                near.set_cookie("localhost", COOKIE, &letters.iter().collect::<String>());
                assert!(!is_signed_in(&server, &near).await);
                assert!(is_signed_in(&server, &browser).await);
                assert!(tokens.insert(token));
            }
        }
        server.provider().write_noted_events().await.unwrap();
        let all = stored(&server, backend).await;
        for token in &tokens {
            let digest = *Digest::of(token.as_bytes()).as_bytes();
            let spellings = [digest.to_vec(), URL_SAFE_NO_PAD.encode(digest).into_bytes()];
            assert!(
                spellings.iter().any(|spelling| holds(&all, spelling)),
                "{backend:?}: this is not where sessions are kept"
            );
            let secret = secret(token);
            for spelling in [
                token.clone().into_bytes(),
                secret.clone(),
                crypto::hex(&secret).into_bytes(),
                URL_SAFE_NO_PAD.encode(&secret).into_bytes(),
            ] {
                assert!(!holds(&all, &spelling), "{backend:?}: a reference is stored");
            }
        }
        server.stop().await;
    }
}

/// Signs this person in, whoever else is signed in here already.
async fn sign_in_beside(browser: &Browser, party: &RelyingParty<'_>, user: &TestUser) -> String {
    let url = party.authorization_url_with(&[("prompt", "login")]);
    let mut page = browser.open(&url).await;
    // the page knows whose it is, and offers to be somebody else's
    if let Some(form) = page
        .forms()
        .into_iter()
        .find(|form| form.has_button("intent", "other_account"))
    {
        page = browser.submit(&page, form, &[("intent", "other_account")]).await;
        page = browser.follow(page).await;
    }
    let arrival = browser.walk(page, user).await;
    arrival.code().to_owned()
}

/// Whether the browser shows a reference of this person, live or not.
fn holds_one_of(browser: &Browser, user: &TestUser) -> bool {
    let shown = browser.cookie(COOKIE).unwrap_or_default();
    shown
        .split('.')
        .filter_map(SessionToken::parse)
        .any(|token| token.user() == user.id)
}

/// SEC-180: two people take turns on one browser that loses some of its cookies between, each time others. No reference and no
/// refresh token comes a second time; a session goes on only for whom it is, where the browser still shows it.
#[tokio::test(flavor = "multi_thread")]
async fn session_id_no_reuse() {
    each_backend(async |server| {
        let people = [server.user("ada").await, server.user("grace").await];
        let client = server.client(|_| ()).await;
        let browser = Browser::new();
        let (mut seen, mut sessions) = (BTreeSet::new(), BTreeMap::new());
        let mut references = Vec::new();
        for turn in 0..16usize {
            let (own, person) = (turn % 2, &people[turn % 2]);
            let goes_on = holds_one_of(&browser, person);
            let mut party = RelyingParty::new(server, &client);
            party.scope = "openid offline_access".to_owned();
            let code = sign_in_beside(&browser, &party, person).await;
            let answer = party.redeem(&code).await.ok();
            let set = claims(&answer.get("id_token"));
            assert_eq!(set["sub"], person.subject, "turn {turn}");
            let session = set["sid"].as_str().unwrap().to_owned();
            let earlier = sessions.insert(session, own);
            assert!(
                earlier.is_none_or(|of| goes_on && of == own),
                "turn {turn}: {earlier:?}"
            );
            // the newest reference stands first
            let shown = browser.cookie(COOKIE).unwrap();
            let newest = shown.split('.').next().unwrap().to_owned();
            assert_eq!(SessionToken::parse(&newest).unwrap().user(), person.id);
            for id in [newest.clone(), answer.get("refresh_token")] {
                assert!(seen.insert(id.clone()), "turn {turn}: {id} comes again");
            }
            references.push((own, newest));
            // some of the cookies are lost, each time others
            let kept: Vec<(String, String)> = browser
                .cookie_names()
                .into_iter()
                .enumerate()
                .filter(|(at, _)| (turn / 2) >> at & 1 == 0)
                .map(|(_, name)| (name.clone(), browser.cookie(&name).unwrap()))
                .collect();
            browser.forget_cookies();
            for (name, value) in kept {
                browser.set_cookie("localhost", &name, &value);
            }
        }
        assert!(sessions.len() > 2 && sessions.len() < 16, "{}", sessions.len());
        // each of them is its owner's or nobody's
        for (owner, reference) in references {
            let holder = Browser::new();
            holder.set_cookie("localhost", COOKIE, &reference);
            let page = holder.get(&server.url("/account")).await;
            assert!(!page.body.contains(&people[1 - owner].email), "{}", page.body);
        }
    })
    .await;
}

/// SEC-171: whichever way somebody proves who they are, first or once more, the browser gets a reference that nobody knew before; one
/// that was planted, and the one before, sign nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn session_rotated_on_auth() {
    each_backend(async |server| {
        let held = async |token: &str| {
            let browser = Browser::new();
            browser.set_cookie("localhost", COOKIE, token);
            is_signed_in(server, &browser).await
        };
        let planted = |user: &TestUser| {
            let browser = Browser::new();
            let token = SessionToken::generate(user.id).expose().to_owned();
            browser.set_cookie("localhost", COOKIE, &token);
            (browser, token)
        };
        // by the page, and then once more in the same browser
        let ada = server.user("ada").await;
        let (browser, before) = planted(&ada);
        sign_in(server, &browser, &ada).await;
        let first = browser.cookie(COOKIE).unwrap();
        assert!(first != before && !held(&before).await && held(&first).await);
        sign_in(server, &browser, &ada).await;
        let second = browser.cookie(COOKIE).unwrap();
        assert!(second != first && !held(&first).await && held(&second).await);
        // by an application
        let (browser, before) = planted(&ada);
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        party.sign_in(&browser, &ada).await;
        let first = browser.cookie(COOKIE).unwrap();
        assert!(first != before && !held(&before).await && held(&first).await);
        // an application that wants a fresh proof
        let again = party.authorization_url_with(&[("prompt", "login")]);
        browser.sign_in(&again, &ada).await;
        let second = browser.cookie(COOKIE).unwrap();
        assert!(second != first && !held(&first).await && held(&second).await);
        // by two factors: nothing is given for the first of them
        let grace = factor_scene::enrolled(server, "grace").await;
        let (browser, before) = planted(&grace.user);
        let page = factor_scene::asked(server, &browser, &grace.user).await;
        assert!(!is_signed_in(server, &browser).await && !held(&before).await);
        factor_scene::answer(&browser, &page, &factor_scene::now(server, &grace.authenticator)).await;
        let first = browser.cookie(COOKIE).unwrap();
        assert!(first != before && !held(&before).await && held(&first).await);
    })
    .await;
}
