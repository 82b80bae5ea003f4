//! The tables that the sources are compared with: who may import whom, which package has which room, what is called where.

/// A room, and the rooms it may import. Every room may import `crypto` and `model`, which import no room above the ground.
pub const ROOMS: &[(&str, &[&str])] = &[
    // 0
    ("clock", &[]),
    ("random", &[]),
    ("crypto", &["random"]),
    ("telemetry", &[]),
    ("metrics", &[]),
    // what the system says of files and folders
    ("machine", &[]),
    ("config", &[]),
    ("sql", &["clock", "random", "metrics"]),
    // 1
    ("model", &["random"]),
    // 2: what the specifications say has neither clock nor random values, they arrive as arguments
    ("protocol", &[]),
    ("jose", &["egress", "clock", "random", "config"]),
    ("credential", &["clock", "random", "config", "metrics"]),
    ("store", &["sql", "clock", "random", "config"]),
    ("ephemeral", &["sql", "clock", "random", "config", "metrics"]),
    // one connection to Redis serves both
    ("sessions", &["sql", "ephemeral", "clock", "random", "config"]),
    // the folder of master keys: read at start, and again when the store names a key that is not known
    ("vault", &["random", "machine"]),
    ("egress", &["clock", "random", "config"]),
    // looks whether the operator's file was replaced
    ("geo", &["clock"]),
    ("picture", &[]),
    // tables as people hand them to one another
    ("tabular", &[]),
    ("mail", &["view", "clock", "random", "config"]),
    // text messages are handed over by HTTP, within the rules of the one client
    ("sms", &["egress", "config"]),
    // the service that tells people from programs is asked by HTTP, within the same rules
    ("captcha", &["egress", "config"]),
    ("view", &["random", "config"]),
    // 3
    (
        "flow",
        &[
            "protocol",
            "jose",
            "credential",
            "store",
            "ephemeral",
            "sessions",
            "vault",
            "egress",
            "geo",
            "mail",
            "picture",
            "tabular",
            "sms",
            "captcha",
            "view",
            "clock",
            "random",
            "config",
            "metrics",
            "machine",
        ],
    ),
    // 4
    ("http", &["flow", "view", "protocol", "random", "metrics", "telemetry"]),
    ("jobs", &["flow", "clock"]),
    // 5
    ("server", EVERYTHING_BELOW),
    (
        "demo",
        &[
            "server",
            "cli",
            "http",
            "jobs",
            "flow",
            "protocol",
            "jose",
            "credential",
            "store",
            "ephemeral",
            "sessions",
            "vault",
            "egress",
            "mail",
            "sms",
            "view",
            "sql",
            "clock",
            "random",
            "config",
            "telemetry",
        ],
    ),
    // 6
    (
        "cli",
        &[
            "server",
            "demo",
            "config",
            "flow",
            "view",
            "clock",
            "random",
            "telemetry",
        ],
    ),
];

pub const EVERYTHING_BELOW: &[&str] = &[
    "http",
    "jobs",
    "flow",
    "protocol",
    "jose",
    "credential",
    "store",
    "ephemeral",
    "sessions",
    "vault",
    "egress",
    "geo",
    "mail",
    "sms",
    "captcha",
    "view",
    "sql",
    "clock",
    "random",
    "config",
    "machine",
    "telemetry",
];

/// An outside package, as paths name it, and the rooms that name it.
pub const PACKAGES: &[(&str, &[&str])] = &[
    ("sqlx", &["sql"]),
    ("josekit", &["jose"]),
    ("redis", &["ephemeral", "sessions"]),
    ("argon2", &["credential"]),
    // hashes that other systems made
    ("bcrypt", &["credential"]),
    ("scrypt", &["credential"]),
    ("csv", &["tabular"]),
    ("calamine", &["tabular"]),
    ("rust_xlsxwriter", &["tabular"]),
    ("zip", &["tabular"]),
    // a workbook is written into a file without a name
    ("tempfile", &["tabular"]),
    ("totp_rs", &["credential"]),
    ("webauthn_rs", &["credential"]),
    ("zxcvbn", &["credential"]),
    // what the values of properties have to look like: in linear time
    ("regex", &["flow"]),
    // how names are compared
    ("unicode_normalization", &["model"]),
    // the priority of the threads that hash
    ("rustix", &["credential"]),
    // the sample application of the sandbox stands for somebody else's program
    ("reqwest", &["egress", "demo"]),
    ("lettre", &["mail"]),
    ("maxminddb", &["geo"]),
    ("minijinja", &["view"]),
    ("qrcode", &["view"]),
    ("oxide_auth", &["protocol"]),
    // oxide-auth's grants carry chrono times
    ("chrono", &["protocol"]),
    ("aws_lc_rs", &["crypto"]),
    ("subtle", &["crypto"]),
    ("getrandom", &["random"]),
    ("tracing_subscriber", &["telemetry"]),
    // the four move as one set
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
    ("openidconnect", &["demo"]),
    ("axum", &["http", "server", "demo"]),
    ("axum_extra", &["http", "demo"]),
    ("tower", &["http", "server", "demo"]),
    ("tower_http", &["http", "server", "demo"]),
    ("http", &["http", "server", "demo", "egress"]),
    ("http_body_util", &["http", "server", "demo", "egress"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("tokio_rustls", &["server"]),
    ("rustls", &["server", "egress", "cli", "main"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli", "main"]),
    ("schemars", &["http"]),
    // the locale files of the pages are TOML too
    ("toml", &["config", "view", "cli", "flow"]),
    ("serde_norway", &["cli", "flow"]),
];

/// Plain packages: every room may name them.
pub const PLAIN: &[&str] = &[
    "base64",
    "bytes",
    "futures_util",
    "ipnet",
    "percent_encoding",
    "serde",
    "serde_json",
    "thiserror",
    "time",
    "tokio",
    "tracing",
    "url",
    "uuid",
    "zeroize",
];

/// What is called in one room alone, and why.
pub const BANNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["SystemTime", "now"],
        &["clock"],
        "time arrives as an argument; clock.rs is the only reader",
    ),
    (
        &["OffsetDateTime", "now_utc"],
        &["clock"],
        "time arrives as an argument; clock.rs is the only reader",
    ),
    (
        &["Utc", "now"],
        &["clock"],
        "time arrives as an argument; clock.rs is the only reader",
    ),
    (&["Uuid", "now_v7"], &[], "ids carry the time of the call: Id::new(now)"),
    (
        &["Uuid", "new_v4"],
        &[],
        "random.rs is the only source of random values, and a UUID is never a secret",
    ),
    (
        &["getrandom", "fill"],
        &["random"],
        "random.rs is the only source of random values",
    ),
    (
        &["SystemRandom", "new"],
        &["random"],
        "random.rs is the only source of random values",
    ),
    (&["time", "sleep"], &["clock"], "clock.rs is the only one that sleeps"),
    (
        &["time", "sleep_until"],
        &["clock"],
        "clock.rs is the only one that sleeps",
    ),
    (&["time", "interval"], &["clock", "jobs"], "the timers are the jobs'"),
    (&["thread", "sleep"], &[], "clock.rs is the only one that sleeps"),
    (
        &["env", "var"],
        &["cli", "demo"],
        "the environment is read once, by the command, and arrives as an argument",
    ),
    (
        &["env", "vars"],
        &[],
        "a variable that is not UTF-8 ends the process there; vars_os does not",
    ),
    (
        &["env", "vars_os"],
        &["cli", "demo"],
        "the environment is read once, by the command, and arrives as an argument",
    ),
    (&["env", "set_var"], &[], "the environment is read, never written"),
];

pub const LONGEST_SOURCE: usize = 600;
pub const LONGEST_TEST: usize = 1_000;
