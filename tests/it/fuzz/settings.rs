//! Configuration files and variables put together from what could stand in them.

use ostiary::config::{Config, File, KEYS};
use proptest::prelude::*;
use url::Host;

use super::{holds, pieces};

const VALUES: &[&str] = &[
    "\"https://id.example.com\"",
    "\"http://id.example.com\"",
    "\"http://localhost:8080\"",
    "\"https://a:b@id.example.com\"",
    "\"https://id.example.com/path\"",
    "\"http://127.0.0.1\"",
    "\"http://[::1]:8080\"",
    "\"0.0.0.0:80\"",
    "\"127.0.0.1:8080\"",
    "\"sqlite:x.db\"",
    "\"postgres://u:changeme@h/d\"",
    "\"postgres://u:long-and-unknown@h/d\"",
    "\"redis://h\"",
    "\"smtp://h\"",
    "\"http://h\"",
    "0",
    "1",
    "8",
    "64",
    "12288",
    "19456",
    "47104",
    "1048576",
    "-1",
    "99999999999",
    "true",
    "[\"10.0.0.0/8\"]",
    "[\"0.0.0.0/0\"]",
    "[\"nonsense\"]",
    "[]",
    "{}",
    "\"\"",
    "\"30s\"",
    "\"info\"",
    "\"json\"",
    "\"ada@example.com\"",
    "\"password\"",
    "1.5",
    "1979-05-27",
];

/// What holds for every configuration that is taken.
fn assert_safe(config: &Config, text: &str) {
    let url = &config.public_url;
    let here = match url.host().unwrap() {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    assert!(url.scheme() == "https" || here, "plain http elsewhere: {text}");
    assert!(
        url.username().is_empty() && url.password().is_none() && url.path() == "/",
        "{text}"
    );
    let hashing = config.hashing;
    let least = match hashing.iterations {
        0 => u32::MAX,
        1 => 46 * 1024,
        2 => 19 * 1024,
        _ => 12 * 1024,
    };
    assert!(
        hashing.memory_kib >= least && hashing.parallelism > 0,
        "cheap hashes: {text}"
    );
    let database = config.database_url.expose();
    assert!(
        database.starts_with("sqlite:") || database.starts_with("postgres"),
        "{text}"
    );
    assert!(
        !database.starts_with("postgres") || !database.contains("changeme"),
        "a sample secret: {text}"
    );
    assert!(
        config.http.max_body_bytes > 0 && config.http.max_connections > 0,
        "{text}"
    );
    assert!(!config.http.request_timeout.is_zero(), "{text}");
}

fn toml(lines: &[(usize, String)]) -> String {
    let mut lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(at, value)| (KEYS[at % KEYS.len()].path, value.as_str()))
        .collect();
    lines.sort_unstable();
    lines.dedup_by_key(|(path, _)| *path);
    lines
        .iter()
        .map(|(path, value)| format!("{path} = {value}\n"))
        .collect()
}

/// SEC-722: nothing panics, and what is taken is safe: https or this machine, hashes that cost enough, no sample secrets,
/// limits above zero.
#[test]
fn fuzz_config() {
    let value = prop_oneof![
        12 => proptest::sample::select(VALUES).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => "\"[a-z0-9:/.@]{0,30}\"",
    ];
    let read = |text: &str, variables: Vec<(String, String)>| {
        let file = File {
            name: "ostiary.toml".to_owned(),
            text: text.to_owned(),
        };
        if let Ok(config) = Config::read(Some(file), variables) {
            assert_safe(&config, text);
        }
    };
    let lines = proptest::collection::vec((any::<usize>(), value.clone()), 0..5);
    holds(4_000, lines, |lines| read(&toml(&lines), Vec::new()));
    let variables = proptest::collection::vec((any::<usize>(), value), 1..4);
    holds(3_000, variables, |variables| {
        let variables = variables
            .into_iter()
            .map(|(at, value)| (KEYS[at % KEYS.len()].variable(), value.trim_matches('"').to_owned()));
        read("", variables.collect());
    });
    for issuer in [
        "http://id.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "ftp://localhost",
    ] {
        let refused = Config::read(None::<File>, [("OSTIARY_PUBLIC_URL", issuer)]);
        assert!(refused.is_err(), "{issuer}");
    }
    const SYNTAX: &[&str] = &[
        "[", "]", "=", "\"", "\n", "tls", "listen", ".", "'''", "{", "}", ",", "#", "settings", "1", "\\u",
    ];
    holds(3_000, pieces(SYNTAX, 16), |text| read(&text, Vec::new()));
}
