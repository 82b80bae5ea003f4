//! What is wrong with a configuration, in sentences that name the place and the change to make.

use std::fmt;
use std::path::PathBuf;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file, under this key.
    File { name: String, path: String },
    /// In a variable of the environment.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, path } => write!(formatter, "{name}: {path}"),
            Self::Variable(name) => formatter.write_str(name),
        }
    }
}

/// One thing that is wrong. No variant holds a value, since values may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file that was named can't be read.
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// The file is not TOML.
    #[error("{name}, line {line}: {message}")]
    NotToml { name: String, line: usize, message: String },
    /// A key nobody knows.
    #[error("{origin} is unknown; the nearest known one is {nearest}")]
    Unknown { origin: Origin, nearest: String },
    /// The name of a section stands for a value.
    #[error("{origin} is a section and takes keys, not a value")]
    Section { origin: Origin },
    /// A variable that is not text.
    #[error("{variable} is not UTF-8")]
    NotText { variable: String },
    /// A variable and its `_FILE` twin at once.
    #[error("{variable} and {variable}_FILE are both set; remove one")]
    Twice { variable: String },
    /// A value that does not do.
    #[error("{origin} {reason}")]
    Refused { origin: Origin, reason: Reason },
    /// A key that needs another one.
    #[error("{present} is set without {missing}")]
    Lonely {
        present: &'static str,
        missing: &'static str,
    },
}

/// Why a value does not do; it continues a sentence that begins with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is empty; remove it or give it a value")]
    Empty,
    #[error("must be text")]
    Text,
    #[error("must be a list of texts, or one text with commas")]
    List,
    #[error("must be a whole number from {0} to {1}")]
    Number(u64, u64),
    #[error("must be a time with its unit, as in 500ms, 30s, 5m, 1h or 1d")]
    Duration,
    #[error("must be from {0} to {1}")]
    DurationBounds(&'static str, &'static str),
    #[error("must be an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080")]
    Socket,
    #[error("must be networks, as in 10.0.0.0/8 or fd00::/8, or single addresses")]
    Network,
    #[error("names every address there is; name the networks that are meant")]
    EveryNetwork,
    #[error("must be a URL with scheme, host and perhaps a port, as in https://id.example.com")]
    Url,
    #[error("must have no path, query or fragment: the issuer is scheme, host and port alone")]
    UrlPath,
    #[error("must have no user name or password in it")]
    UrlUser,
    #[error(
        "is plain http on a host that is not loopback, where anyone on the way could read and change tokens; use https (with tls.cert, or behind a proxy that has the certificate), or localhost, 127.0.0.1 or [::1] for trying"
    )]
    PlainHttp,
    #[error("must begin with one of {0}")]
    Scheme(&'static str),
    #[error("must be a mail address, as in name@example.com")]
    Mail,
    #[error("must be at most 64 letters, digits and any of - _ . :")]
    RedisPrefix,
    #[error("is one of {0}, nothing else")]
    Choice(&'static str),
    #[error("holds a sample password that everyone knows; choose one of your own")]
    Sample,
    #[error("must be at least 20 characters without blanks, as `openssl rand -hex 24` makes them")]
    Token,
    #[error(
        "makes password hashes too cheap to guess; Argon2id needs at least 19456 KiB with 2 iterations, 12288 with 3 or 47104 with 1"
    )]
    CheapHash,
    #[error("makes one password hash too costly; hashing.memory_kib times hashing.iterations may be 524288 at most")]
    CostlyHash,
    #[error(
        "reaches a server beyond this machine without checking who it is; write sslmode=verify-full (and sslrootcert=FILE for an authority of your own), or name the host in unencrypted_backends if nobody else is on that network"
    )]
    UnverifiedDatabase,
    #[error(
        "reaches a server beyond this machine without TLS; write rediss:// (and ?ca=FILE for an authority of your own), or name the host in unencrypted_backends if nobody else is on that network"
    )]
    UnencryptedRedis,
    #[error("switches off the check of the certificate with #insecure; remove that")]
    UncheckedCertificate,
    #[error("must be host names or addresses without port, as in postgres or 10.0.0.5")]
    Hosts,
    #[error("must be headers, as in \"Authorization: Bearer abc\", one a text or a line")]
    Headers,
    #[error("must be an http or https URL whose host holds no placeholder and no user name")]
    Template,
}

/// Everything that is wrong, one line each.
#[derive(Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}
