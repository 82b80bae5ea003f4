//! docs/reliability.md says how long anything waits for the stores, and how much may be open at once: what the program does.

use ostiary::config::{Config, File};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The value of a constant, durations in milliseconds.
fn constant(file: &str, name: &str) -> u64 {
    let source = std::fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
    let line = source
        .lines()
        .find(|line| line.contains(&format!("const {name}: ")))
        .unwrap_or_else(|| panic!("{file} has no {name}"));
    let (_, value) = line.split_once(" = ").unwrap();
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().unwrap();
    if value.contains("from_secs(") {
        number * 1000
    } else {
        number
    }
}

fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds / 100;
    assert_eq!(tenths * 100, milliseconds);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenths) => format!("{whole}.{tenths}"),
    }
}

fn count(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", number / 1000, number % 1000)
}

/// SEC-644: every figure of the table, from where it counts. That they are kept to:
/// `a_postgres_without_connections_is_told_of_and_comes_back`, `a_black_hole_before_postgres_is_found_and_left`,
/// `a_redis_that_stands_still_keeps_nobody_waiting`, `argon2_backpressure`, `http_limits`.
#[test]
fn pool_timeout_config() {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/reliability.md")).unwrap();
    let (_, section) = page.split_once("## Limits and breakers").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let of = |file: &str, name: &str| seconds(constant(&format!("src/{file}.rs"), name));
    let many = |file: &str, name: &str| count(constant(&format!("src/{file}.rs"), name));
    let every = |file: &str, name: &str| constant(&format!("src/{file}.rs"), name);
    let config = Config::read(None::<File>, Vec::<(String, String)>::new()).unwrap();
    let request = seconds(u64::try_from(config.http.request_timeout.as_millis()).unwrap());
    let connections = count(u64::try_from(config.http.max_connections).unwrap());
    for told in [
        format!("| {} s for a connection", of("sql/database", "ACQUIRE")),
        format!(
            "{} s for connection and first answer together",
            of("sql/connection", "FIRST_ANSWER_WITHIN")
        ),
        format!(
            "at least {} s for each further answer",
            of("sql/connection", "LEAST_PATIENCE")
        ),
        format!("ends a statement after {} s", of("sql/database", "STATEMENT")),
        format!("| {} connections, ", many("sql/database", "POSTGRES_CONNECTIONS")),
        format!(
            "over a connection of its own ({} s)",
            of("sql/outage", "ANSWERS_WITHIN")
        ),
        format!(
            "fails at once, and it is asked again every {} ms. A full pool",
            every("sql/outage", "ASKED_EVERY")
        ),
        format!(
            "| Redis | {} s a call",
            of("ephemeral/redis_connection", "ANSWER_TIMEOUT")
        ),
        format!(
            "After {} failures in a row",
            many("ephemeral/redis_connection", "FAILURES_IN_A_ROW")
        ),
        format!(
            "asked again every {} ms over a new connection",
            every("ephemeral/redis_connection", "PAUSE")
        ),
        format!("| {} s for room", of("ephemeral/write_behind", "LONGEST_WAIT")),
        format!("| {} changes wait", many("ephemeral/write_behind", "MOST")),
        format!(
            "| {} s of expected waiting",
            of("credential/hash_queue", "LONGEST_WAIT")
        ),
        format!("`http.request_timeout`, {request} s"),
        format!("`http.max_connections`, {connections}"),
    ] {
        assert!(section.contains(&told), "docs/reliability.md does not say: {told}");
    }
}
