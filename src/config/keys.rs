//! The declared list of keys: what is read, what is shown in the documentation, what an unknown key is compared with.

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Name in the file, its section before a dot: `listen`, `tls.cert`.
    pub path: &'static str,
    /// What holds when nothing is said, in words.
    pub default: &'static str,
    /// What it is, in one sentence.
    pub sentence: &'static str,
}

impl Key {
    /// The variable that overrides it: `OSTIARY_TLS__CERT`.
    pub fn variable(&self) -> String {
        variable(self.path)
    }
}

/// Known to the environment alone: it belongs to `ostiary migrate`, not to the server's file.
pub(super) const MIGRATION_DATABASE_URL: &str = "migration_database_url";

/// The section whose names are settings and therefore not in this list.
pub(super) const SETTINGS: &str = "settings";

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", "Address and port the server listens on."),
    key(
        "public_url",
        "http://localhost:8080",
        "The issuer and the beginning of every public link: scheme, host and port, no path; https, except on a loopback host.",
    ),
    key("data_dir", "./data", "Folder of the embedded store."),
    key("keys_dir", "./keys", "Folder of the master key."),
    key(
        "database_url",
        "sqlite: in the data folder",
        "The store, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE?sslrootcert=FILE; beyond this machine with TLS and a checked certificate.",
    ),
    key(
        "redis_url",
        "unset: embedded",
        "Sessions and short-lived state in Redis: rediss://, rediss+sentinel:// or rediss+cluster://, with ?ca=FILE for an authority of your own; redis:// on this machine.",
    ),
    key(
        "redis_prefix",
        "ostiary:",
        "What every key in Redis begins with; installations that share one Redis need different ones.",
    ),
    key(
        "unencrypted_backends",
        "none",
        "Hosts of the database and Redis that may be reached without TLS: for a private network that nobody else is on.",
    ),
    key(
        "smtp_url",
        "unset: mails wait in the outbox",
        "The mail server, smtp://USER:PASSWORD@HOST:PORT or smtps://.",
    ),
    key("mail_from", "no-reply@ the host of public_url", "Sender of the mails."),
    key(
        "sms.provider",
        "unset: no text messages",
        "Who takes text messages: twilio, vonage, or http for a request of your own.",
    ),
    key(
        "sms.account",
        "unset",
        "The account at the provider: the Account SID of Twilio, the API key of Vonage.",
    ),
    key(
        "sms.secret",
        "unset",
        "Its secret: the Auth Token of Twilio, the API secret of Vonage.",
    ),
    key(
        "sms.sender",
        "unset",
        "Whom text messages come from: a number like +14155550100, a name where the country allows one, or a Messaging Service SID of Twilio.",
    ),
    key(
        "sms.url",
        "the provider's own",
        "Where they are handed over: another region of the provider (scheme and host), or the whole address of your own request.",
    ),
    key(
        "sms.method",
        "POST",
        "The method of your own request: POST, PUT or GET.",
    ),
    key(
        "sms.headers",
        "none",
        "Headers of your own request, as in [\"Authorization: Bearer {secret}\"]; in the environment one a line.",
    ),
    key(
        "sms.format",
        "json",
        "What the body of your own request is, and how what goes in is escaped: json, form or text.",
    ),
    key(
        "sms.body",
        "unset: no body",
        "The body of your own request, with {number}, {digits}, {text}, {sender}, {account} and {secret} in their places.",
    ),
    key(
        "sms.delivered",
        "any answer of success",
        "What the answer has to say besides, for a text message to count as delivered.",
    ),
    key(
        "captcha.provider",
        "unset: none is asked",
        "Who tells people from programs where registration.challenge is captcha: hcaptcha, recaptcha, turnstile, or own for another one that keeps their contract.",
    ),
    key("captcha.site_key", "unset", "What they call this site."),
    key("captcha.secret", "unset", "What this server shows them."),
    key("captcha.script_url", "the provider's own", "The script of the widget."),
    key(
        "captcha.verify_url",
        "the provider's own",
        "Where what the widget brought is judged: a form with secret and response is posted there, and JSON with success comes back.",
    ),
    key(
        "captcha.class",
        "the provider's own; captcha",
        "The class of the element that the widget is drawn in.",
    ),
    key(
        "captcha.field",
        "the provider's own; captcha-response",
        "The field of the form that the widget fills.",
    ),
    key(
        "captcha.send_address",
        "false",
        "Whether they are told from which network address somebody comes (remoteip): true or false.",
    ),
    key(
        "admin_email",
        "unset",
        "Address of the first administrator, made when the store is empty; needs admin_password.",
    ),
    key(
        "admin_password",
        "unset",
        "Password of the first administrator; needs admin_email.",
    ),
    key(
        "trusted_proxies",
        "none",
        "Networks of the proxies whose forwarding headers count.",
    ),
    key(
        "geoip_database",
        "unset: no places",
        "File in the MaxMind DB format that tells roughly where a network address is, shown with sign-ins.",
    ),
    key(
        "passkeys.authenticators",
        "unset: none are listed",
        "File that lists models of authenticators with their makers' certificates, for the setting passkey.attestation.",
    ),
    key(
        "breached_passwords",
        "unset: none are known",
        "List of passwords that others have lost, as ostiary breached-passwords build makes it; none of them is taken.",
    ),
    key(
        "log",
        "info",
        "What is logged: a level, or levels per module as in info,ostiary::flow=debug.",
    ),
    key("log_format", "text", "How log lines are written: text or json."),
    key(
        "tls.cert",
        "unset: plain http",
        "PEM file of the certificate chain; needs tls.key.",
    ),
    key("tls.key", "unset", "PEM file of the certificate's private key."),
    key(
        "tls.client_ca",
        "unset",
        "PEM file of authorities whose client certificates are asked for, never insisted on.",
    ),
    key(
        "egress.networks",
        "none",
        "Private or loopback networks that outgoing requests may reach, there also by http and on any port.",
    ),
    key(
        "http.max_body_bytes",
        "1048576",
        "Largest request body, in bytes, where a route sets no smaller limit.",
    ),
    key("http.max_header_bytes", "32768", "Largest request head, in bytes."),
    key(
        "http.request_timeout",
        "30s",
        "How long a request may take, its body included.",
    ),
    key(
        "http.max_connections",
        "10000",
        "How many connections are open at once, as far as the limit of open files allows. Whoever comes beyond is told to come again.",
    ),
    key(
        "http.drain_delay",
        "5s",
        "How long the server goes on serving after SIGTERM, telling load balancers that it is not ready; Ctrl-C waits for nothing.",
    ),
    key(
        "metrics.listen",
        "unset: on the server's own listener, for a credential",
        "Address and port of a listener of its own for /metrics, /healthz and /readyz.",
    ),
    key(
        "metrics.token",
        "unset",
        "Bearer token that whoever reads /metrics shows, at least 20 characters.",
    ),
    key(
        "telemetry.otlp_endpoint",
        "unset: no spans",
        "OpenTelemetry collector that gets spans of requests by OTLP over HTTP: scheme, host and port, as in http://127.0.0.1:4318.",
    ),
    key(
        "telemetry.sample_percent",
        "100",
        "Of how many requests in a hundred spans are sent, where a trusted proxy's traceparent has not decided.",
    ),
    key(
        "hashing.workers",
        "the number of cores",
        "How many passwords are hashed at once.",
    ),
    key("hashing.memory_kib", "19456", "Memory of one password hash, in KiB."),
    key("hashing.iterations", "2", "Passes over that memory."),
    key("hashing.parallelism", "1", "Lanes of one password hash."),
];

const fn key(path: &'static str, default: &'static str, sentence: &'static str) -> Key {
    Key {
        path,
        default,
        sentence,
    }
}

/// The variable of a key's path.
pub(super) fn variable(path: &str) -> String {
    format!("OSTIARY_{}", path.replace('.', "__").to_uppercase())
}

/// Whether the path is a key.
pub(super) fn known(path: &str) -> bool {
    KEYS.iter().any(|key| key.path == path)
}

/// Whether the word is the name of a section.
pub(super) fn section(word: &str) -> bool {
    word == SETTINGS
        || KEYS
            .iter()
            .any(|key| key.path.split_once('.').is_some_and(|(section, _)| section == word))
}
