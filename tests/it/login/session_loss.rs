//! The store of sessions is emptied, cut short and damaged while people use the server: whoever is not found there signs in
//! again, and nobody is ever somebody else.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::flow::session::SessionToken;
use ostiary::model::{Id, Secret};
use ostiary::random;
use ostiary::sql::{Database, Durability, Record, Row};

use crate::ephemeral::redis_server;
use crate::support::backend::{Backend, length, quick};
use crate::support::browser::Browser;
use crate::support::server::{Server, TestUser};

/// What happens to the store.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Emptied,
    CutShort,
    /// A bit here and there is another one.
    Flipped,
}

const HARMS: [Harm; 3] = [Harm::Flipped, Harm::CutShort, Harm::Emptied];

/// What became of the visits.
#[derive(Default)]
struct Seen {
    inside: AtomicUsize,
    outside: AtomicUsize,
    failed: AtomicUsize,
}

/// Whether the account page is this person's; nobody else's it may be.
async fn is_inside(server: &Server, browser: &Browser, people: &[TestUser], own: usize, seen: &Seen) -> bool {
    let page = browser.get(&server.url("/account")).await;
    for (at, person) in people.iter().enumerate() {
        assert!(
            at == own || !page.body.contains(&person.username),
            "{} sees the page of {}",
            people[own].username,
            person.username
        );
    }
    let (count, inside) = match page.status.as_u16() {
        200 => {
            assert!(page.body.contains(&people[own].username), "{}", page.body);
            (&seen.inside, true)
        }
        303 => {
            assert_eq!(page.location().unwrap().path(), "/login");
            (&seen.outside, false)
        }
        500..=599 => (&seen.failed, false),
        other => panic!("{other}: {}", page.body),
    };
    count.fetch_add(1, Ordering::Relaxed);
    inside
}

async fn sign_in(server: &Server, browser: &Browser, person: &TestUser) {
    let page = browser.get(&server.url("/login")).await;
    if let Some(form) = page.forms().into_iter().find(|form| form.has("password")) {
        let values = [
            ("username", person.username.as_str()),
            ("password", person.password.as_str()),
        ];
        browser.submit(&page, form, &values).await;
    }
}

/// People come and go, and somebody with references of his own making tries to come in, while the store is harmed.
async fn traffic(server: &Server, people: &[TestUser], rounds: usize, harm: impl AsyncFn(Harm)) -> Seen {
    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let visits = people.iter().enumerate().map(async |(own, person)| {
        let browser = Browser::new();
        while !over.load(Ordering::Relaxed) {
            if !is_inside(server, &browser, people, own, &seen).await {
                sign_in(server, &browser, person).await;
            }
            let stranger = Browser::new();
            let invented = SessionToken::generate(person.id);
            stranger.set_cookie("localhost", "ostiary_session", invented.expose());
            let page = stranger.get(&server.url("/account")).await;
            assert_ne!(page.status, 200, "an open door");
        }
    });
    let harms = async {
        for round in 0..rounds {
            // somebody has been let in since the last time
            let before = seen.inside.load(Ordering::Relaxed);
            for _ in 0..50 {
                if seen.inside.load(Ordering::Relaxed) > before + people.len() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            harm(HARMS[round % HARMS.len()]).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(join_all(visits), harms);
    seen
}

/// Afterwards everybody signs in, and is who they are.
async fn all_is_well(server: &Server, people: &[TestUser]) {
    let seen = Seen::default();
    for (own, person) in people.iter().enumerate() {
        let browser = Browser::new();
        sign_in(server, &browser, person).await;
        assert!(is_inside(server, &browser, people, own, &seen).await);
    }
}

/// How often the store is harmed.
fn rounds() -> usize {
    length(6, 18, 90)
}

async fn people(server: &Server) -> Vec<TestUser> {
    let names: Vec<String> = (0..4).map(|_| format!("person-{}", random::hex_id())).collect();
    join_all(names.iter().map(|name| server.user(name))).await
}

fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.is_empty() {
        let at = random::below(u32::try_from(bytes.len()).unwrap()) as usize;
        bytes[at] ^= 1 << random::below(8);
    }
    bytes
}

struct Stored {
    row: i64,
    columns: [Vec<u8>; 4],
}

impl Record for Stored {
    fn read(row: &Row<'_>) -> Result<Self, ostiary::sql::Error> {
        Ok(Self {
            row: row.int("rowid")?,
            columns: [
                row.bytes("user_id")?,
                row.bytes("token")?,
                row.bytes("id")?,
                row.bytes("data")?,
            ],
        })
    }
}

async fn harm_file(file: &Path, harm: Harm) {
    let database = Database::open(&format!("sqlite:{}", file.display()), Durability::Light)
        .await
        .unwrap();
    let mut tx = database.write().await.unwrap();
    match harm {
        Harm::Emptied => drop(tx.sql("delete from session").changed().await.unwrap()),
        Harm::CutShort => {
            let text = "update session set data = substr(data, 1, length(data) / 2), id = substr(id, 1, 9)";
            tx.sql(text).changed().await.unwrap();
        }
        Harm::Flipped => {
            let rows = "select rowid, user_id, token, id, data from session";
            let rows: Vec<Stored> = tx.sql(rows).all().await.unwrap();
            for stored in rows {
                let mut columns = stored.columns;
                let which = random::below(4) as usize;
                columns[which] = flipped(std::mem::take(&mut columns[which]));
                let [user, token, id, data] = columns;
                let text = "update or ignore session set user_id = $1, token = $2, id = $3, data = $4 where rowid = $5";
                let update = tx.sql(text).bind(user).bind(token).bind(id).bind(data).bind(stored.row);
                update.changed().await.unwrap();
            }
        }
    }
    tx.commit().await.unwrap();
    database.close().await;
}

/// SEC-185, the embedded store: its rows, and then the bytes of its file.
#[tokio::test(flavor = "multi_thread")]
async fn session_store_loss_safe_during_traffic() {
    let server = Server::start().await;
    let people = people(&server).await;
    let file = server.config().data_dir.join("sessions.db");
    let seen = traffic(&server, &people, rounds(), async |harm| {
        harm_file(&file, harm).await;
        // what the server has read before is its own knowledge until that person's sessions change
        for person in &people {
            let nobodys = Id::new(server.call().now);
            drop(server.provider().sessions.end(person.id, nobodys).await);
        }
    })
    .await;
    assert!(seen.inside.into_inner() > 20 && seen.outside.into_inner() > 4);
    all_is_well(&server, &people).await;

    traffic(&server, &people, HARMS.len(), async |harm| {
        for name in ["sessions.db", "sessions.db-wal"] {
            let path = file.with_file_name(name);
            let Ok(bytes) = std::fs::read(&path) else { continue };
            match harm {
                Harm::Flipped => {
                    // in place, as a disk does it
                    use std::os::unix::fs::FileExt;
                    let disk = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                    for _ in 0..16 {
                        let at = random::below(u32::try_from(bytes.len()).unwrap().max(1));
                        let Some(byte) = bytes.get(at as usize) else { continue };
                        disk.write_all_at(&[byte ^ 1 << random::below(8)], at.into()).unwrap();
                    }
                }
                Harm::CutShort | Harm::Emptied => {
                    let disk = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                    disk.set_len(bytes.len() as u64 / 2).unwrap();
                }
            }
        }
    })
    .await;
    // a file that is beyond help is removed
    let server = server
        .restart_after(async |config| {
            for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
                drop(std::fs::remove_file(config.data_dir.join(name)));
            }
        })
        .await;
    all_is_well(&server, &people).await;
    server.stop().await;
}

/// What harms every hash of a Redis: its fields are cut short, or some of them lose a bit.
const HARM_HASHES: &str = r"
math.randomseed(tonumber(ARGV[1]))
for _, key in ipairs(redis.call('keys', '*')) do
  if redis.call('type', key).ok == 'hash' then
    for _, field in ipairs(redis.call('hkeys', key)) do
      local value = redis.call('hget', key, field)
      if #value > 0 and ARGV[2] == 'cut' then
        redis.call('hset', key, field, value:sub(1, math.floor(#value / 2)))
      elseif #value > 0 and math.random(2) == 1 then
        local at = math.random(#value)
        local byte = bit.bxor(value:byte(at), 2 ^ math.random(0, 7))
        redis.call('hset', key, field, value:sub(1, at - 1) .. string.char(byte) .. value:sub(at + 1))
      end
    end
  end
end
return 1";

/// SEC-185, Redis.
#[tokio::test(flavor = "multi_thread")]
async fn session_store_loss_safe_during_traffic_on_redis() {
    if quick() {
        return;
    }
    let redis = redis_server::Server::start(&[]).await;
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.redis_url = Some(Secret::new(format!("redis://127.0.0.1:{}", redis.port)));
    })
    .await;
    let people = people(&server).await;
    let seen = traffic(&server, &people, rounds(), async |harm| {
        let seed = random::below(1_000_000).to_string();
        match harm {
            Harm::Emptied => redis.ask("flushall"),
            Harm::CutShort => redis.ask_words(&["eval", HARM_HASHES, "0", &seed, "cut"]),
            Harm::Flipped => redis.ask_words(&["eval", HARM_HASHES, "0", &seed, "flip"]),
        };
    })
    .await;
    assert!(seen.inside.into_inner() > 20 && seen.outside.into_inner() > 4);
    redis.ask("flushall");
    all_is_well(&server, &people).await;
    server.stop().await;
}
