//! The files for containers say what the program understands: read by a parser, since no container runs in a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ostiary::config::{Config, File};
use serde_norway::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// docker-compose.yml, with its merge keys resolved.
fn compose() -> Value {
    let mut compose: Value = serde_norway::from_str(&text("docker-compose.yml")).unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn keys(value: &Value) -> BTreeSet<String> {
    let keys = value
        .as_mapping()
        .map(|mapping| mapping.keys().cloned().collect())
        .unwrap_or_default();
    let keys: Vec<Value> = keys;
    keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn items(value: &Value) -> Vec<&Value> {
    value
        .as_sequence()
        .map(|items| items.iter().collect())
        .unwrap_or_default()
}

/// The variables that a text takes from `.env`; each has to be there.
fn wanted(text: &str) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for part in text.replace("$$", "").split('$').skip(1) {
        let part = part
            .strip_prefix('{')
            .unwrap_or_else(|| panic!("${part} is not ${{NAME:?...}}"));
        let (name, rest) = part
            .split_once(":?")
            .unwrap_or_else(|| panic!("${{{part} may be missing"));
        assert!(rest.contains('}'));
        wanted.insert(name.to_owned());
    }
    wanted
}

/// The same text with something in the place of the variables.
fn filled(text: &str) -> String {
    let mut filled = text.to_owned();
    while let Some(start) = filled.find("${") {
        let end = start + filled[start..].find('}').unwrap();
        filled.replace_range(start..=end, "4f1c9b7de02a");
    }
    filled
}

fn environment(service: &Value) -> BTreeMap<String, String> {
    let environment = service["environment"].as_mapping().unwrap();
    environment
        .iter()
        .map(|(name, value)| (name.as_str().unwrap().to_owned(), filled(value.as_str().unwrap())))
        .collect()
}

fn configuration(service: &Value) -> Config {
    Config::read(None::<File>, environment(service)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The number and the unit of `30s`.
fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap())
}

fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let version = tag.trim_start_matches('v').split('-').next().unwrap();
    let numbers: Vec<&str> = version.split('.').collect();
    numbers.len() >= 2 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
}

#[test]
fn the_nodes_of_the_compose_file_are_configured_with_keys_that_exist() {
    let compose = compose();
    let services = &compose["services"];
    let expected = ["mail", "node-1", "node-2", "postgres", "proxy", "redis"];
    assert_eq!(keys(services), expected.map(str::to_owned).into());
    let proxy = services["proxy"]["networks"]["default"]["ipv4_address"]
        .as_str()
        .unwrap();
    for node in ["node-1", "node-2"] {
        let config = configuration(&services[node]);
        assert!(config.database_url.expose().starts_with("postgres://ostiary:"));
        assert!(config.redis_url.as_ref().unwrap().expose().contains("@redis"));
        let trusted: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(
            trusted,
            [format!("{proxy}/32")],
            "{node} trusts the proxy and nobody else"
        );
        // what it needs to leave the proxy and to finish, and some more
        let grace = seconds(services[node]["stop_grace_period"].as_str().unwrap());
        assert!(
            grace > config.http.drain_delay + Duration::from_secs(15),
            "{node}: {grace:?}"
        );
        assert_eq!(services[node]["build"].as_str(), Some("."));
    }
    let (first, second) = (configuration(&services["node-1"]), configuration(&services["node-2"]));
    assert_eq!(first.issuer(), second.issuer());
    assert_eq!(first.database_url.expose(), second.database_url.expose());
    let one = environment(&services["node-1"]);
    let (database, cache) = (environment(&services["postgres"]), environment(&services["redis"]));
    assert!(one["OSTIARY_DATABASE_URL"].contains(&format!(
        ":{}@postgres/{}",
        database["POSTGRES_PASSWORD"], database["POSTGRES_DB"]
    )));
    assert!(one["OSTIARY_REDIS_URL"].contains(&format!(":{}@redis", cache["REDIS_PASSWORD"])));
}

#[test]
fn the_proxy_asks_the_nodes_whether_they_are_ready() {
    let compose = compose();
    let services = &compose["services"];
    let given = items(&services["proxy"]["configs"]);
    let source = given.first().unwrap()["source"].as_str().unwrap();
    let caddyfile = compose["configs"][source]["content"].as_str().unwrap();
    assert_eq!(caddyfile.matches('{').count(), caddyfile.matches('}').count());
    let upstreams = caddyfile
        .lines()
        .find_map(|line| line.trim().strip_prefix("reverse_proxy "))
        .unwrap();
    let upstreams: Vec<&str> = upstreams.split(' ').filter(|word| *word != "{").collect();
    let port = configuration(&services["node-1"]).listen.port();
    assert_eq!(upstreams, [format!("node-1:{port}"), format!("node-2:{port}")]);
    assert!(caddyfile.contains("health_uri /readyz"));
    // it is asked more often than a leaving node waits
    let interval = caddyfile
        .lines()
        .find_map(|line| line.trim().strip_prefix("health_interval "))
        .unwrap();
    assert!(seconds(interval) * 3 <= configuration(&services["node-1"]).http.drain_delay);
    let published: Vec<&str> = items(&services["proxy"]["ports"])
        .iter()
        .map(|port| port.as_str().unwrap())
        .collect();
    let issuer = configuration(&services["node-1"]).issuer();
    assert!(
        published
            .iter()
            .any(|port| issuer.ends_with(port.split(':').nth(1).unwrap())),
        "{published:?} {issuer}"
    );
}

#[test]
fn what_the_compose_file_names_is_there() {
    let compose = compose();
    let services = compose["services"].as_mapping().unwrap();
    let dockerfile = instructions();
    let image_is_asked = dockerfile.iter().any(|(word, _)| word == "HEALTHCHECK");
    let mut volumes = BTreeSet::new();
    let mut configs = BTreeSet::new();
    for (name, service) in services {
        let name = name.as_str().unwrap();
        match service["image"].as_str().unwrap() {
            "ostiary" => assert!(service["build"].is_string(), "{name}"),
            image => assert!(is_pinned(image), "{name}: {image} names no version"),
        }
        for (on, how) in service["depends_on"].as_mapping().into_iter().flatten() {
            let other = compose["services"]
                .get(on)
                .unwrap_or_else(|| panic!("{name} depends on {on:?}"));
            assert_eq!(how["condition"].as_str(), Some("service_healthy"), "{name}");
            let is_asked = !other["healthcheck"]["test"].is_null() || (other["build"].is_string() && image_is_asked);
            assert!(
                is_asked,
                "{name} waits for the health of {on:?}, which nobody asks after"
            );
        }
        if let Some(shared) = service["network_mode"].as_str() {
            let other = shared.strip_prefix("service:").unwrap();
            assert!(
                compose["services"].get(other).is_some(),
                "{name} shares the network of {other}"
            );
        }
        for volume in items(&service["volumes"]) {
            volumes.insert(volume.as_str().unwrap().split(':').next().unwrap().to_owned());
        }
        for config in items(&service["configs"]) {
            configs.insert(config["source"].as_str().unwrap().to_owned());
        }
        // nothing of it is for the world
        for port in items(&service["ports"]) {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port:?}");
        }
    }
    assert_eq!(keys(&compose["volumes"]), volumes);
    assert_eq!(keys(&compose["configs"]), configs);
    // the master key outlives its containers, and every node has the same
    let keys_at = "keys:/var/lib/ostiary/keys";
    for node in ["node-1", "node-2"] {
        let mounted = items(&compose["services"][node]["volumes"]);
        assert!(mounted.iter().any(|volume| volume.as_str() == Some(keys_at)), "{node}");
    }
}

#[test]
fn the_compose_file_starts_without_a_password_of_ours() {
    let file = text("docker-compose.yml");
    let (head, body) = file.split_once("x-node:").unwrap();
    let passwords = ["POSTGRES_PASSWORD".to_owned(), "REDIS_PASSWORD".to_owned()].into();
    assert_eq!(wanted(body), passwords);
    let operations = text("docs/operations.md");
    for password in &passwords {
        let line = format!("echo \"{password}=$(openssl rand -hex 24)\"");
        assert!(head.contains(&line), "{line} is not at the head of the file");
        assert!(operations.contains(&line), "{line} is not in docs/operations.md");
    }
    assert!(head.contains("docker compose up --build"));
    assert!(text(".gitignore").lines().any(|line| line == "/.env"));
    assert!(text(".dockerignore").lines().any(|line| line == ".env"));
}

/// The instructions of the Dockerfile: the word and what follows, lines joined.
fn instructions() -> Vec<(String, String)> {
    let file = text("Dockerfile");
    let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.fold(String::new(), |joined, line| match line.strip_suffix('\\') {
        Some(begun) => joined + begun + " ",
        None => joined + line + "\n",
    });
    let whole = joined.lines().filter(|line| !line.trim().is_empty());
    whole
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap();
            (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn of<'i>(instructions: &'i [(String, String)], word: &str) -> Vec<&'i str> {
    let of = instructions.iter().filter(|(known, _)| known == word);
    of.map(|(_, rest)| rest.as_str()).collect()
}

#[test]
fn the_image_is_built_from_what_is_there_and_runs_without_rights() {
    const KNOWN: &[&str] = &[
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "EXPOSE",
        "VOLUME",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    let all = instructions();
    for (word, rest) in &all {
        assert!(KNOWN.contains(&word.as_str()), "{word} {rest}");
    }
    let stages = of(&all, "FROM");
    assert_eq!(stages.len(), 2);
    for stage in &stages {
        let image = stage.split(' ').next().unwrap();
        assert!(is_pinned(image), "{image} names no version");
    }
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let least = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(
        stages[0].starts_with(&format!("rust:{least}-")),
        "{} builds with Rust {least}",
        stages[0]
    );
    let build = of(&all, "RUN")
        .into_iter()
        .find(|run| run.contains("cargo build"))
        .unwrap();
    assert!(build.contains("--locked --profile dist") && manifest["profile"]["dist"].is_table());

    let ignored: Vec<String> = text(".dockerignore").lines().map(str::to_owned).collect();
    for copied in of(&all, "COPY") {
        let words: Vec<&str> = copied.split(' ').collect();
        let sources = &words[..words.len() - 1];
        if let Some(stage) = sources[0].strip_prefix("--from=") {
            assert!(
                stages.iter().any(|known| known.ends_with(&format!(" AS {stage}"))),
                "{copied}"
            );
            continue;
        }
        for source in sources {
            assert!(root().join(source).exists(), "{source} is not there");
            assert!(!ignored.iter().any(|line| line == source), "{source} is ignored");
        }
    }
    // what the build needs is not among what it is not given
    for needed in ["src", "migrations", "templates", "Cargo.toml", "Cargo.lock"] {
        assert!(
            root().join(needed).exists() && !ignored.iter().any(|line| line.trim_matches('/') == needed),
            "{needed}"
        );
    }

    let user = of(&all, "USER");
    let number: u32 = user.last().unwrap().parse().unwrap();
    assert!(number > 0);
    assert!(
        of(&all, "RUN")
            .iter()
            .any(|run| run.contains(&format!("--uid {number} ")))
    );
    let place = |word: &str| all.iter().rposition(|(known, _)| known == word).unwrap();
    assert!(
        place("USER") > place("RUN"),
        "nothing is made after the rights are gone"
    );
    let environment = of(&all, "ENV").into_iter().map(|line| line.split_once('=').unwrap());
    let config = Config::read(None::<File>, environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(of(&all, "EXPOSE"), [config.listen.port().to_string()]);
    let asked = of(&all, "HEALTHCHECK")[0];
    assert!(asked.contains("GET /healthz") && asked.contains(&format!("/127.0.0.1/{}", config.listen.port())));
    let (entry, command) = (of(&all, "ENTRYPOINT")[0], of(&all, "CMD").last().copied().unwrap());
    assert_eq!((entry, command), ("[\"ostiary\"]", "[\"serve\"]"));
}
