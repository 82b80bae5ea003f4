//! What a refused request costs, held against its length: nobody who is not known here makes the server work out of proportion
//! to what they send.
//!
//! What is counted is what the process asks of its allocator (`support/allocations.c`), which is the same in every run but for
//! what timers do meanwhile, and the time its threads have run, of which only proportions are judged: a request of four times the
//! length may take four times as long, and not sixteen times.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::backend::Backend;
use crate::support::process::{Installation, Node, Plan};
use crate::support::relying_party::basic;
use crate::support::wire::Wire;

/// Bytes that may be asked of the allocator for a refused request, whatever its length: its answer, its event, its trace.
const WHATEVER_LENGTH: u64 = 160 * 1024;
/// Bytes that may be asked of the allocator for each byte of a refused request.
const FOR_EACH_BYTE: u64 = 64;
/// A request of four times the length may take so many times as long: in proportion would be four, by the square sixteen.
const FOUR_TIMES_THE_LENGTH: u64 = 8;
/// How often a request is sent in a row, and how many such rows are made: the cheapest counts, since timers only add.
const ROW: usize = 10;
const ROWS: usize = 4;

/// What a process has used until now.
#[derive(Clone, Copy)]
struct Used {
    /// Bytes asked of the allocator.
    bytes: u64,
    /// Nanoseconds that its threads have run.
    time: u64,
}

/// Counts what a node asks of its allocator.
struct Counting {
    library: PathBuf,
    counters: PathBuf,
}

impl Counting {
    fn make(folder: &Path) -> Self {
        let library = folder.join("allocations.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/allocations.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-fno-builtin", "-o"])
            .args([&library, &source])
            .status();
        assert!(
            status.unwrap().success(),
            "the C compiler that builds the program builds this too"
        );
        Self {
            library,
            counters: folder.join("allocations"),
        }
    }

    fn under(&self, plan: Plan) -> Plan {
        plan.with("LD_PRELOAD", self.library.display().to_string())
            .with("OSTIARY_TEST_ALLOCATIONS", self.counters.display().to_string())
    }

    fn used(&self, node: &Node) -> Used {
        let counters = std::fs::read(&self.counters).unwrap();
        let threads = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
        // a thread may end while it is looked at
        let times = threads.filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("schedstat")).ok());
        let times = times.filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
        Used {
            bytes: u64::from_le_bytes(counters[..8].try_into().unwrap()),
            time: times.sum(),
        }
    }
}

/// A request that is refused, of about so many bytes.
struct Kind {
    name: &'static str,
    /// The greatest length that it is sent in: what is longer is refused by its length alone.
    longest: usize,
    request: Box<dyn Fn(usize) -> String>,
}

/// The longest body that is read, nearly.
const BODY: usize = 60_000;
/// The longest form of a client that is read, nearly.
const FORM: usize = 30_000;
/// The longest head that is read, nearly.
const HEAD: usize = 12_000;

/// Every kind of request that somebody unknown may send, filled up with what is dear to read.
fn kinds(host: &str) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |name, longest, request: Box<dyn Fn(usize) -> String>| {
        kinds.push(Kind { name, longest, request });
    };
    let fill = |piece: &'static str, length: usize| piece.repeat(length / piece.len());
    let form = |host: &str, path: &str, more: &str, body: String| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |host: &str, target: String, more: String| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    for (name, path, begin, piece) in [
        ("a token request of one long field", "/oauth2/token", "grant_type=", "a"),
        (
            "a token request of many fields",
            "/oauth2/token",
            "grant_type=refresh_token",
            "&a=b",
        ),
        (
            "a token request of empty fields",
            "/oauth2/token",
            "grant_type=refresh_token",
            "&",
        ),
        ("a token request of escapes", "/oauth2/token", "grant_type=", "%41"),
        (
            "a token request of broken escapes",
            "/oauth2/token",
            "grant_type=",
            "%F0",
        ),
        (
            "a token request of many resources",
            "/oauth2/token",
            "grant_type=refresh_token",
            "&resource=https://a",
        ),
        (
            "a long scope",
            "/oauth2/token",
            "grant_type=client_credentials&client_id=x&scope=",
            "a+",
        ),
        (
            "a long code",
            "/oauth2/token",
            "grant_type=authorization_code&client_id=x&code=",
            "c",
        ),
        (
            "an assertion of dots",
            "/oauth2/token",
            "grant_type=refresh_token&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=",
            "a.",
        ),
        (
            // {"alg":"RS256","kid":"... and a header that goes on
            "an assertion with a long header",
            "/oauth2/token",
            "grant_type=refresh_token&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJhbGciOiJSUzI1NiIsImtpZCI6I",
            "mFh",
        ),
        (
            // [[[[[[
            "an assertion with a deep header",
            "/oauth2/token",
            "grant_type=refresh_token&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=",
            "W1tb",
        ),
        ("a long token to introspect", "/oauth2/introspect", "token=", "a."),
        ("a long token to revoke", "/oauth2/revoke", "token=", "a"),
        ("a sign-in of one long field", "/login", "identifier=", "a"),
        ("a sign-in of many fields", "/login", "identifier=a", "&a=b"),
    ] {
        let host = host.to_owned();
        add(
            name,
            if path == "/login" { BODY } else { FORM },
            Box::new(move |length| form(&host, path, "", format!("{begin}{}", fill(piece, length)))),
        );
    }
    for (name, path, begin, piece) in [
        (
            "a registration of one long member",
            "/oauth2/register",
            "{\"client_name\":\"",
            "a",
        ),
        (
            "a registration of many members",
            "/oauth2/register",
            "{\"a\":1",
            ",\"a\":1",
        ),
        ("a deep registration", "/oauth2/register", "", "["),
        (
            "a registration of many addresses",
            "/oauth2/register",
            "{\"redirect_uris\":[\"https://a.example/\"",
            ",\"https://a.example/\"",
        ),
        ("an administration request", "/api/v1/users", "{\"username\":\"", "a"),
    ] {
        let host = host.to_owned();
        add(
            name,
            if path == "/login" { BODY } else { FORM },
            Box::new(move |length| {
                let body = format!("{begin}{}", fill(piece, length));
                format!(
                    "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }),
        );
    }
    for (name, target, piece) in [
        ("a long state", "/oauth2/authorize?client_id=x&state=", "a"),
        ("many parameters", "/oauth2/authorize?client_id=x", "&a=b"),
        ("many languages", "/oauth2/authorize?client_id=x&ui_locales=", "de+"),
        ("deep claims", "/oauth2/authorize?client_id=x&claims=", "%5B"),
        ("a long request object", "/oauth2/authorize?client_id=x&request=", "a."),
        ("a long path", "/", "a/"),
        ("a path of dots", "/", "../"),
    ] {
        let host = host.to_owned();
        add(
            name,
            HEAD,
            Box::new(move |length| get(&host, format!("{target}{}", fill(piece, length)), String::new())),
        );
    }
    for (name, path, begin, piece) in [
        ("a long bearer token", "/oauth2/userinfo", "Authorization: Bearer ", "a"),
        (
            "a bearer token of dots",
            "/api/v1/users",
            "Authorization: Bearer a",
            ".a",
        ),
        (
            "a long name and password",
            "/oauth2/userinfo",
            "Authorization: Basic ",
            "QTpB",
        ),
        ("many cookies", "/account-of-nobody", "Cookie: a=b", "; a=b"),
        ("many sessions", "/account-of-nobody", "Cookie: ostiary_session=a", ".a"),
        ("a long session", "/account-of-nobody", "Cookie: ostiary_session=", "a"),
        (
            "languages of a browser",
            "/account-of-nobody",
            "Accept-Language: de",
            ",de;q=0.5",
        ),
        (
            "many hops",
            "/account-of-nobody",
            "X-Forwarded-For: 10.0.0.1",
            ", 10.0.0.1",
        ),
        ("many versions", "/api/v1/users", "If-Match: \"1\"", ", \"1\""),
    ] {
        let host = host.to_owned();
        add(
            name,
            HEAD,
            Box::new(move |length| get(&host, path.to_owned(), format!("{begin}{}\r\n", fill(piece, length)))),
        );
    }
    {
        let host = host.to_owned();
        add(
            "a client with a long secret",
            HEAD,
            Box::new(move |length| {
                let more = format!("Authorization: {}\r\n", basic("x", &fill("s", length * 3 / 4)));
                form(
                    &host,
                    "/oauth2/token",
                    &more,
                    "grant_type=client_credentials".to_owned(),
                )
            }),
        );
    }
    kinds
}

/// The least that one of a row of such requests has used.
async fn least(counting: &Counting, node: &Node, wire: &mut Wire, request: &str, name: &str) -> Used {
    let mut least = Used {
        bytes: u64::MAX,
        time: u64::MAX,
    };
    for _ in 0..ROWS {
        let before = counting.used(node);
        for _ in 0..ROW {
            let answer = wire.exchange(request.as_bytes()).await.unwrap();
            let refused = (400..500).contains(&answer.status) || answer.header("location").contains("error=");
            assert!(refused, "{name}: {} {}", answer.status, answer.header("location"));
        }
        let after = counting.used(node);
        let row = u64::try_from(ROW).unwrap();
        least.bytes = least.bytes.min((after.bytes - before.bytes) / row);
        least.time = least.time.min((after.time - before.time) / row);
    }
    least
}

/// SEC-766: a refused request of n bytes asks at most 160 KiB and 64 bytes for each of the n of the allocator, and one of four
/// times the length takes at most eight times as long.
#[tokio::test(flavor = "multi_thread")]
async fn prop_resource_bounds() {
    let installation = Installation::make(Backend::Embedded).await;
    let counting = Counting::make(installation.folder());
    let node = counting
        .under(installation.plan().at(installation.front))
        .with("OSTIARY_LOG", "warn")
        .start()
        .await;
    let mut wire = Wire::to(node.address);
    for kind in kinds(&installation.host()) {
        let short = (kind.request)(kind.longest / 4);
        let long = (kind.request)(kind.longest);
        let of_short = least(&counting, &node, &mut wire, &short, kind.name).await;
        let of_long = least(&counting, &node, &mut wire, &long, kind.name).await;
        for (request, used) in [(&short, of_short), (&long, of_long)] {
            let most = WHATEVER_LENGTH + FOR_EACH_BYTE * u64::try_from(request.len()).unwrap();
            assert!(
                used.bytes <= most,
                "{}: {} bytes for {}",
                kind.name,
                used.bytes,
                request.len()
            );
        }
        assert!(
            of_long.time <= FOUR_TIMES_THE_LENGTH * of_short.time,
            "{}: {} ns for {} bytes, {} ns for {}",
            kind.name,
            of_short.time,
            short.len(),
            of_long.time,
            long.len()
        );
    }
    drop(node);
    installation.remove().await;
}
