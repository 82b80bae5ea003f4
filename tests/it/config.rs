//! Process configuration: the file, the environment above it, what is refused and what is said then.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ostiary::config::{Config, File, KEYS, LogFormat, Problems};
use proptest::prelude::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let file = File {
        name: "ostiary.toml".to_owned(),
        text: text.to_owned(),
    };
    Config::read(Some(file), environment.iter().copied())
}

fn good(text: &str, environment: &[(&str, &str)]) -> Config {
    read(text, environment).unwrap_or_else(|problems| panic!("{text} {environment:?}: {problems}"))
}

fn bad(text: &str, environment: &[(&str, &str)]) -> String {
    match read(text, environment) {
        Ok(_) => panic!("accepted: {text} {environment:?}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn nothing_said_is_the_documented_default() {
    let config = Config::read(None, [("HOME", "/root"), ("PATH", "/bin")]).unwrap();
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert_eq!(config.issuer(), "http://localhost:8080");
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.keys_dir, PathBuf::from("./keys"));
    assert_eq!(config.database_url.expose(), "sqlite:./data/ostiary.db");
    assert!(config.redis_url.is_none() && config.smtp_url.is_none() && config.tls.is_none());
    assert!(config.administrator.is_none() && config.migration_database_url.is_none());
    assert_eq!(config.mail_from, "no-reply@localhost");
    assert!(config.trusted_proxies.is_empty() && config.egress.networks.is_empty());
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    assert_eq!(
        (config.http.max_body_bytes, config.http.max_header_bytes),
        (1_048_576, 32_768)
    );
    assert_eq!(
        (config.http.request_timeout, config.http.max_connections),
        (Duration::from_secs(30), 10_000)
    );
    let hashing = config.hashing;
    assert_eq!(
        (
            hashing.workers,
            hashing.memory_kib,
            hashing.iterations,
            hashing.parallelism
        ),
        (None, 19_456, 2, 1)
    );
    assert!(config.settings.is_empty());
}

#[test]
fn a_whole_file_is_read() {
    let config = good(
        r#"
        listen = "[::]:8443"
        public_url = "https://id.example.com"
        data_dir = "/var/lib/ostiary"
        keys_dir = "/etc/ostiary/keys"
        database_url = "postgres://ostiary:tiefes-wasser@db.example.com/ostiary"
        redis_url = "rediss://cache.example.com"
        smtp_url = "smtp://mailer:stille-post@mail.example.com:587"
        mail_from = "Example <id@example.com>"
        admin_email = "ada@example.com"
        admin_password = "tausend kleine schritte"
        trusted_proxies = ["10.1.0.0/16", "fd00::1"]
        log = "info,ostiary::flow=debug"
        log_format = "json"
        [tls]
        cert = "/etc/ostiary/cert.pem"
        key = "/etc/ostiary/key.pem"
        client_ca = "/etc/ostiary/clients.pem"
        [egress]
        networks = "127.0.0.0/8, 192.168.7.9"
        [http]
        max_body_bytes = 65536
        max_header_bytes = 16384
        request_timeout = "1m"
        max_connections = 500
        [hashing]
        workers = 3
        memory_kib = 47104
        iterations = 1
        parallelism = 2
        [settings.session]
        idle_timeout = "30m"
        max_concurrent = 3
        "#,
        &[],
    );
    assert_eq!(config.listen.port(), 8443);
    assert_eq!(config.issuer(), "https://id.example.com");
    assert_eq!(config.administrator.as_ref().unwrap().email, "ada@example.com");
    assert_eq!(
        config
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["10.1.0.0/16", "fd00::1/128"]
    );
    assert_eq!(
        config
            .egress
            .networks
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["127.0.0.0/8", "192.168.7.9/32"]
    );
    assert_eq!(
        config.tls.as_ref().unwrap().client_ca.as_deref(),
        Some(Path::new("/etc/ostiary/clients.pem"))
    );
    assert_eq!(config.http.request_timeout, Duration::from_secs(60));
    assert_eq!((config.hashing.workers, config.hashing.parallelism), (Some(3), 2));
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.settings["session"]["idle_timeout"], "30m");
    assert_eq!(config.settings["session"]["max_concurrent"], 3);
    let shown = format!("{config:?}");
    for secret in ["tiefes-wasser", "stille-post", "tausend"] {
        assert!(!shown.contains(secret), "{secret} is printed");
    }
}

#[test]
fn the_environment_stands_above_the_file() {
    let config = good(
        "listen = \"127.0.0.1:1\"\n[http]\nmax_connections = 20\n[settings.session]\nidle_timeout = \"1h\"",
        &[
            ("OSTIARY_LISTEN", "127.0.0.1:2"),
            ("OSTIARY_HTTP__MAX_CONNECTIONS", "30"),
            ("OSTIARY_EGRESS__NETWORKS", "10.0.0.0/8,::1"),
            ("OSTIARY_SETTINGS__SESSION__MAX_CONCURRENT", "5"),
            ("OSTIARY_SETTINGS__SESSION__AT_LIMIT", "refuse"),
            ("OSTIARY_MIGRATION_DATABASE_URL", "postgres://owner@localhost/ostiary"),
            ("OSTIARY_TEST_ANYTHING", "is for the tests"),
        ],
    );
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.http.max_connections, 30);
    assert_eq!(config.egress.networks.len(), 2);
    assert_eq!(config.settings["session"]["idle_timeout"], "1h");
    assert_eq!(config.settings["session"]["max_concurrent"], 5);
    assert_eq!(config.settings["session"]["at_limit"], "refuse");
    assert_eq!(
        config.migration_database_url.unwrap().expose(),
        "postgres://owner@localhost/ostiary"
    );
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("database");
    std::fs::write(&path, "postgres://ostiary:tiefes-wasser@localhost/ostiary\n").unwrap();
    let path = path.to_str().unwrap();
    let config = good("", &[("OSTIARY_DATABASE_URL_FILE", path)]);
    assert_eq!(
        config.database_url.expose(),
        "postgres://ostiary:tiefes-wasser@localhost/ostiary"
    );

    let both = bad(
        "",
        &[
            ("OSTIARY_DATABASE_URL_FILE", path),
            ("OSTIARY_DATABASE_URL", "sqlite:x.db"),
        ],
    );
    assert!(
        both.contains("OSTIARY_DATABASE_URL and OSTIARY_DATABASE_URL_FILE are both set"),
        "{both}"
    );
    let missing = bad("", &[("OSTIARY_SMTP_URL_FILE", "/nowhere/at/all")]);
    assert!(missing.contains("/nowhere/at/all"), "{missing}");
}

#[test]
fn the_file_is_the_named_one_before_the_variables() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("named.toml");
    let other = folder.path().join("other.toml");
    std::fs::write(&named, "log = \"debug\"").unwrap();
    std::fs::write(&other, "log = \"warn\"").unwrap();
    let environment = [("OSTIARY_CONFIG", other.to_str().unwrap())];
    assert_eq!(Config::load(Some(&named), environment).unwrap().log, "debug");
    assert_eq!(Config::load(None, environment).unwrap().log, "warn");
    let gone = folder.path().join("gone.toml");
    let problem = Config::load(Some(&gone), environment).unwrap_err().to_string();
    assert!(problem.contains("gone.toml"), "{problem}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (text, unknown, nearest) in [
        ("lisen = 'x'", "lisen", "listen"),
        ("publicurl = 'x'", "publicurl", "public_url"),
        ("[tls]\ncerts = 'x'", "tls.certs", "tls.cert"),
        ("[tsl]\nkey = 'x'", "tsl.key", "tls.key"),
        ("[egres]", "egres", "egress"),
        ("max_connections = 5", "max_connections", "http.max_connections"),
        (
            "migration_database_url = 'sqlite:x'",
            "migration_database_url",
            "database_url",
        ),
        ("[listen]\nport = 1", "listen.port", "listen"),
    ] {
        let said = bad(text, &[]);
        assert!(said.contains(&format!("ostiary.toml: {unknown} is unknown")), "{said}");
        assert!(said.ends_with(&format!("the nearest known one is {nearest}")), "{said}");
    }
    for (variable, nearest) in [
        ("OSTIARY_LISTNE", "OSTIARY_LISTEN"),
        ("OSTIARY_TLS_CERT", "OSTIARY_TLS__CERT"),
        ("OSTIARY_TSL__CERT_FILE", "OSTIARY_TLS__CERT"),
        ("OSTIARY_DATABASE", "OSTIARY_DATABASE_URL"),
        ("OSTIARY_HASHING__MEMORY", "OSTIARY_HASHING__MEMORY_KIB"),
    ] {
        let said = bad("", &[(variable, "x")]);
        assert_eq!(
            said,
            format!("{variable} is unknown; the nearest known one is {nearest}")
        );
    }
}

#[test]
fn a_value_that_does_not_do_is_refused_with_its_place() {
    for (text, said) in [
        ("listen = 'localhost:8080'", "listen must be an IP address and a port"),
        ("listen = 8080", "listen must be text"),
        ("listen = ''", "listen is empty"),
        ("public_url = 'id.example.com'", "public_url must be a URL"),
        ("public_url = 'ftp://id.example.com'", "public_url must be a URL"),
        (
            "public_url = 'https://id.example.com/base'",
            "public_url must have no path",
        ),
        (
            "public_url = 'https://id.example.com/?a=b'",
            "public_url must have no path",
        ),
        (
            "public_url = 'https://id.example.com/#a'",
            "public_url must have no path",
        ),
        (
            "public_url = 'https://a:b@id.example.com'",
            "public_url must have no user name",
        ),
        (
            "database_url = 'mysql://localhost/x'",
            "database_url must begin with one of",
        ),
        ("redis_url = 'localhost:6379'", "redis_url must begin with one of"),
        (
            "smtp_url = 'https://mail.example.com'",
            "smtp_url must begin with one of",
        ),
        ("mail_from = 'nobody'", "mail_from must be a mail address"),
        (
            "mail_from = \"a@b.example\\nBcc: c@d.example\"",
            "mail_from must be a mail address",
        ),
        (
            "admin_email = 'ada@example.com'",
            "admin_email is set without admin_password",
        ),
        (
            "admin_password = 'long enough for anyone'",
            "admin_password is set without admin_email",
        ),
        (
            "[sms]\nprovider = 'carrier'",
            "sms.provider is one of twilio, vonage and http",
        ),
        (
            "[sms]\nprovider = 'twilio'\nsecret = 'a long one'\nsender = 'Acme'",
            "sms.provider is set without sms.account",
        ),
        ("[sms]\nprovider = 'http'", "sms.provider is set without sms.url"),
        (
            "[sms]\nurl = 'https://sms.example'",
            "sms.url is set without sms.provider",
        ),
        (
            "[sms]\nprovider = 'http'\nurl = 'https://{account}.example/'",
            "sms.url must be an http or https URL whose host holds no placeholder",
        ),
        (
            "[sms]\nprovider = 'http'\nurl = 'https://sms.example/'\nheaders = ['nothing']",
            "sms.headers must be headers",
        ),
        (
            "[sms]\nprovider = 'http'\nurl = 'https://sms.example/'\nheaders = [\"A: b\\nC: d\"]",
            "sms.headers must be headers",
        ),
        ("trusted_proxies = ['10.0.0.0/33']", "trusted_proxies must be networks"),
        ("trusted_proxies = 5", "trusted_proxies must be a list"),
        ("log_format = 'xml'", "log_format is one of text and json"),
        ("tls = 'cert.pem'", "tls is a section"),
        ("[tls]\ncert = 'c.pem'", "tls.cert is set without tls.key"),
        ("[tls]\nkey = 'k.pem'", "tls.key is set without tls.cert"),
        ("[tls]\nclient_ca = 'a.pem'", "tls.client_ca is set without tls.cert"),
        (
            "[http]\nrequest_timeout = 30",
            "http.request_timeout must be a time with its unit",
        ),
        (
            "[http]\nrequest_timeout = '30 parsecs'",
            "http.request_timeout must be a time with its unit",
        ),
        (
            "[http]\nrequest_timeout = '0s'",
            "http.request_timeout must be from 1s to 10m",
        ),
        (
            "[http]\nmax_connections = 0",
            "http.max_connections must be a whole number from 16 to",
        ),
        (
            "[http]\nmax_body_bytes = -1",
            "http.max_body_bytes must be a whole number",
        ),
        ("listen = 'x'\n\nlog = ", "ostiary.toml, line 3:"),
    ] {
        let problem = bad(text, &[]);
        assert!(problem.contains(said), "{text}: {problem}");
    }
    assert!(bad("", &[("OSTIARY_TLS", "x")]).contains("OSTIARY_TLS is a section"));
    assert!(bad("", &[("OSTIARY_REDIS_URL", "")]).contains("OSTIARY_REDIS_URL is empty"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let said = bad(
        "listen = 'x'\nnothing = 1\n[tls]\ncert = 'a'",
        &[("OSTIARY_LOG_FORMAT", "xml")],
    );
    assert_eq!(said.lines().count(), 4, "{said}");
}

/// SEC-675: one insecure setting at a time stops the start, and there is no flag that allows it.
#[test]
fn insecure_config_refused() {
    for host in [
        "id.example.com",
        "localhost.example.com",
        "127.0.0.2",
        "0.0.0.0",
        "10.0.0.1",
        "[::]",
        "[fd00::1]",
        "sub.localhost",
    ] {
        for port in ["", ":8080"] {
            let said = bad(&format!("public_url = 'http://{host}{port}'"), &[]);
            assert!(
                said.contains("plain http on a host that is not loopback"),
                "{host}: {said}"
            );
        }
        good(&format!("public_url = 'https://{host}'"), &[]);
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(
            good(&format!("public_url = 'http://{host}:9000'"), &[]).issuer(),
            format!("http://{host}:9000")
        );
    }
    for (text, said) in [
        ("trusted_proxies = ['0.0.0.0/0']", "names every address"),
        ("trusted_proxies = ['::/0']", "names every address"),
        ("[egress]\nnetworks = ['0.0.0.0/0']", "names every address"),
        ("[hashing]\nmemory_kib = 19455", "too cheap to guess"),
        ("[hashing]\niterations = 1", "too cheap to guess"),
        ("[hashing]\nmemory_kib = 12287\niterations = 100", "too cheap to guess"),
        (
            "admin_email = 'ada@example.com'\nadmin_password = 'ChangeMe'",
            "sample password",
        ),
        (
            "database_url = 'postgres://postgres:postgres@localhost/ostiary'",
            "sample password",
        ),
        ("redis_url = 'redis://:password@cache.example.com'", "sample password"),
        ("smtp_url = 'smtp://user:secret@mail.example.com'", "sample password"),
    ] {
        let problem = bad(text, &[]);
        assert!(problem.contains(said), "{text}: {problem}");
        let secrets = ["ChangeMe", "postgres:postgres", ":password@", "user:secret"];
        assert!(
            !secrets.iter().any(|secret| problem.contains(secret)),
            "{problem} holds the secret"
        );
    }
    for floor in [
        "memory_kib = 19456\niterations = 2",
        "memory_kib = 12288\niterations = 3",
        "memory_kib = 47104\niterations = 1",
    ] {
        good(&format!("[hashing]\n{floor}"), &[]);
    }
}

#[test]
fn every_key_stands_in_the_documentation() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap();
    for key in KEYS {
        for part in [key.path, &key.variable(), key.default, key.sentence] {
            assert!(
                page.contains(part),
                "docs/configuration.md lacks {part:?} of {}",
                key.path
            );
        }
    }
}

proptest! {
    #[test]
    fn no_file_and_no_variable_makes_it_panic(text in "\\PC{0,200}", name in "[A-Z_]{0,20}", value in "\\PC{0,60}") {
        let file = File { name: "any".to_owned(), text };
        drop(Config::read(Some(file), [(format!("OSTIARY_{name}"), value)]));
    }

    #[test]
    fn no_value_of_a_known_key_makes_it_panic(which in 0..KEYS.len(), value in "\\PC{0,60}") {
        let variable = KEYS[which].variable();
        drop(Config::read(None, [(variable, value)]));
    }

    #[test]
    fn an_issuer_has_no_path_and_no_closing_slash(host in "[a-z]{1,10}(\\.[a-z]{2,5}){1,2}", port in 1u16..) {
        let config = Config::read(None, [("OSTIARY_PUBLIC_URL", format!("https://{host}:{port}/"))]).unwrap();
        let issuer = config.issuer();
        prop_assert!(issuer.starts_with("https://") && !issuer.ends_with('/'));
        prop_assert_eq!(issuer.matches('/').count(), 2);
    }
}
