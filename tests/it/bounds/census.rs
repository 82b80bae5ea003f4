//! What a server keeps: how many rows of each table, and how many short-lived entries and counters of each kind.

use std::collections::BTreeMap;

use crate::support::backend::{Backend, provided};
use crate::support::server::Server;
use crate::support::sources::texts;

/// How many of what: `sql NAME` for tables, `entry WORD` and `counter WORD` for what is short-lived.
pub type Census = BTreeMap<String, i64>;

/// The tables of the schema, from its steps.
pub fn tables() -> Vec<String> {
    let mut tables = Vec::new();
    for (_, text) in texts("migrations/sqlite", &["sql"]) {
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("create table ") {
                tables.push(rest.split_whitespace().next().unwrap().to_owned());
            }
            if let Some(rest) = line.strip_prefix("drop table ") {
                let dropped = rest.trim_end_matches(';');
                tables.retain(|table| table != dropped);
            }
            if let Some(rest) = line.strip_prefix("alter table ")
                && let Some((old, new)) = rest.trim_end_matches(';').split_once(" rename to ")
            {
                tables.retain(|table| table != old);
                tables.push(new.to_owned());
            }
        }
    }
    tables.sort();
    tables.dedup();
    tables
}

/// The words of the kinds of entries, or of what is counted, from their declarations.
pub fn words(of: &str) -> Vec<String> {
    let source = std::fs::read_to_string("src/ephemeral/kind.rs").unwrap();
    let (_, body) = source.split_once(&format!("impl {of} {{")).unwrap();
    let (_, body) = body.split_once("fn word(self)").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let lines = body.lines().filter(|line| line.contains("=>"));
    lines.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

/// Counts what counts at this moment of the server's time. In Redis keys go by its own clock, which is not the one that the test
/// moves: there every key has an end, which this sees, and what has ended by the server's time is not counted.
pub async fn census(server: &Server, backend: Backend) -> Census {
    let provider = server.provider();
    let mut found = Census::new();
    {
        let mut store = provider.store.database().read().await.unwrap();
        for table in tables() {
            let rows: i64 = store
                .sql_built(format!("select count(*) from {table}"))
                .one()
                .await
                .unwrap();
            found.insert(format!("sql {table}"), rows);
        }
    }
    match backend {
        Backend::Embedded => embedded(server, &mut found).await,
        Backend::PostgresRedis => redis(server, &mut found),
    }
    found
}

/// Everything that is in the file, also what has ended: sweeping is this server's own business there.
async fn embedded(server: &Server, found: &mut Census) {
    let ephemeral = &server.provider().ephemeral;
    ephemeral.close().await.unwrap();
    let mut file = ephemeral.database().unwrap().read().await.unwrap();
    for table in ["entry", "counter"] {
        let kinds = format!("select distinct kind from {table}");
        let kinds: Vec<String> = file.sql_built(kinds).all().await.unwrap();
        for kind in kinds {
            let count = format!("select count(*) from {table} where kind = '{kind}'");
            let rows: i64 = file.sql_built(count).one().await.unwrap();
            found.insert(format!("{table} {kind}"), rows);
        }
    }
}

/// Of some keys at a time, so that nobody else waits: their remaining time, and the last end that their value names.
const LOOK: &str = "local out = {} for _, k in ipairs(ARGV) do local v = '0' \
    if redis.call('TYPE', k).ok == 'string' then v = redis.call('GET', k) \
    v = string.match(v, '(%d+):%d+$') or string.match(string.sub(v, 1, 20), '^%d+') or '0' end \
    out[#out + 1] = k .. ' ' .. redis.call('PTTL', k) .. ' ' .. v end return out";
/// No counter's period is longer, but for those of a day.
const LONGEST_PERIOD: i64 = 24 * 3600 * 1_000_000;

fn redis(server: &Server, found: &mut Census) {
    let prefix = server.config().redis_prefix.clone();
    let url = provided("OSTIARY_TEST_REDIS_URL");
    let ask = |words: &[&str]| {
        let mut command = std::process::Command::new("redis-cli");
        let output = command
            .args(["-u", url.expose(), "--raw"])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let keys = ask(&["--scan", "--count", "1000", "--pattern", &format!("{prefix}*")]);
    let keys: Vec<&str> = keys.lines().collect();
    let mut looked = String::new();
    for some in keys.chunks(500) {
        looked.push_str(&ask(&[&["EVAL", LOOK, "0"], some].concat()));
    }
    let now = server.call().now.micros();
    for line in looked.lines() {
        let Some(key) = line.strip_prefix(&prefix) else {
            continue;
        };
        let mut words = key.split(' ');
        let key = words.next().unwrap();
        let left: i64 = words.next().unwrap().parse().unwrap();
        let end: i64 = words.next().unwrap().parse().unwrap();
        let (space, rest) = key.split_once(':').unwrap();
        let kind = rest.split(':').next().unwrap();
        let (space, lives) = match space {
            "e" => ("entry", end > now),
            "c" => ("counter", end + period(kind) > now),
            // lists of entries: they end with the last of them
            "o" | "a" => ("list", false),
            _ => continue,
        };
        // gone between the two questions
        if left == -2 {
            continue;
        }
        assert!(left > 0, "{key} does not end by itself");
        if lives {
            *found.entry(format!("{space} {kind}")).or_default() += 1;
        }
    }
}

fn period(counted: &str) -> i64 {
    match counted {
        "mail" | "account_wish" => LONGEST_PERIOD,
        "registration" => 3600 * 1_000_000,
        _ => 15 * 60 * 1_000_000,
    }
}
