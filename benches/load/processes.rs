//! The processes that are measured: this program again on one core, with a server inside, or the real program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ostiary::clock::Clock;
use ostiary::config::{Config, File};
use ostiary::flow::Call;
use ostiary::flow::operations::apply::{self, Document};
use ostiary::server::{Application, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Connection;
use super::flows::{PASSWORD, PEOPLE, REDIRECT_URI, SECRET, client_id, username};

/// The core of the server; the load runs on the other.
const CORE: &str = "0";
/// The processor's clock ticks a second, as `/proc` counts (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// The file that says so when everything is there.
const FURNISHED: &str = "furnished";

/// What a password's hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// What is recommended: the server's default.
    Real,
    /// Next to nothing, which no configuration allows: what a login costs beside the hash.
    Cheap,
}

/// A running server; stopped when it is dropped.
pub struct Program {
    pub address: String,
    pub pid: u32,
    child: Child,
    _folder: Option<TempDir>,
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Program {
    pub fn resident_mib(&self) -> f64 {
        resident_mib(self.pid)
    }
}

/// The machine, in a line.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "{}, {cores} cores; the server on core {CORE}",
        model.trim_start_matches(['\t', ' ', ':'])
    )
}

/// This program again, on the server's core, doing something else.
pub fn again(what: &str) -> Command {
    on_the_core(std::env::current_exe().expect("this program's path"), &[what])
}

fn on_the_core(program: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", CORE]).arg(program).args(arguments);
    command
}

pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / TICKS
}

fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}

/// A port that is free now.
fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("its address").to_string()
}

/// Starts the server inside this program, with people and the clients of the workloads.
pub async fn start(hashing: Hashing) -> Program {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let hashing = if hashing == Hashing::Cheap { "cheap" } else { "real" };
    let mut command = again("serve");
    command.args([hashing, &address]).arg(folder.path());
    let furnished = folder.path().join(FURNISHED);
    let program = running(command, address, "/readyz", Some(folder)).await;
    // it serves before it is furnished
    let began = Instant::now();
    while !furnished.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "the server is not furnished");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    program
}

/// Starts a handler that does nothing.
pub async fn start_bare() -> Program {
    let address = free_address();
    let mut command = again("bare");
    command.env("BARE_ADDRESS", &address);
    running(command, address, "/", None).await
}

async fn running(mut command: Command, address: String, path: &str, folder: Option<TempDir>) -> Program {
    let child = command
        .stdout(Stdio::null())
        .spawn()
        .expect("taskset starts the program");
    let program = Program {
        pid: child.id(),
        child,
        address,
        _folder: folder,
    };
    answers(&program.address, path).await;
    program
}

/// Waits until there is an answer.
async fn answers(address: &str, path: &str) {
    let began = Instant::now();
    loop {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            let mut connection = Connection::open(address).await;
            if connection.get(path, "").await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the server does not start");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn configuration(address: &str, folder: &Path) -> Config {
    let mut config = Config::read(None::<File>, Vec::<(String, String)>::new()).expect("the defaults");
    config.listen = address.parse().expect("an address");
    config.public_url = format!("http://{address}").parse().expect("a URL");
    config.data_dir = folder.join("data");
    config.keys_dir = folder.join("keys");
    let file = config.data_dir.join("ostiary.db");
    config.database_url = ostiary::model::Secret::new(format!("sqlite:{}", file.display()));
    config
}

/// The server's process: `serve cheap|real ADDRESS FOLDER`.
pub fn serve(arguments: &[String]) {
    let [hashing, address, folder] = arguments else {
        panic!("serve cheap|real ADDRESS FOLDER");
    };
    let mut config = configuration(address, Path::new(folder));
    if hashing == "cheap" {
        config.hashing.memory_kib = 64;
        config.hashing.iterations = 1;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let application = Application::start(config, Clock::default(), Options::default()).await;
        let application = application.expect("the server starts");
        furnish(&application).await;
        std::fs::write(Path::new(folder).join(FURNISHED), "").expect("the folder takes a file");
        // until it is killed: nothing of it is needed again
        std::future::pending::<()>().await;
    });
}

/// People, and a client for every pair of algorithm and format.
fn site() -> Value {
    let clients: Vec<Value> = ["ES256", "RS256", "EdDSA"]
        .iter()
        .flat_map(|algorithm| ["jwt", "opaque"].iter().map(move |format| (algorithm, format)))
        .map(|(algorithm, format)| {
            json!({
                "client_id": client_id(algorithm, format),
                "client_secret": SECRET,
                "redirect_uris": [REDIRECT_URI],
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "scope": "openid profile email offline_access",
                "consent": "skip",
                "id_token_signed_response_alg": algorithm,
                "access_token_format": format,
            })
        })
        .collect();
    let people: Vec<Value> = (0..PEOPLE)
        .map(|number| {
            let name = username(number);
            json!({"username": name, "email": format!("{name}@example.com"), "given_name": "Alice", "password": PASSWORD})
        })
        .collect();
    json!({
        "version": 1,
        "clients": clients,
        "users": people,
        "settings": {"guess.source_budget": 100_000, "guess.account_budget": 1_000},
    })
}

async fn furnish(application: &Application) {
    let call = Call::operator(&Clock::default());
    let document = Document::read(&site(), None).expect("a site");
    let applied = apply::apply(&application.provider, &call, &document, apply::PruneUsers::No);
    applied.await.expect("the site is applied");
}

/// The process of the handler that does nothing.
pub fn bare() {
    let address = std::env::var_os("BARE_ADDRESS").expect("an address");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind(address.to_string_lossy().as_ref()).await;
        let router = axum::Router::new().route("/", axum::routing::get(async || "hello"));
        let service = hyper_util::service::TowerToHyperService::new(router);
        let listener = listener.expect("a port");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            drop(stream.set_nodelay(true));
            let service = service.clone();
            tokio::spawn(async move {
                let builder = hyper::server::conn::http1::Builder::new();
                drop(
                    builder
                        .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
}

/// Cold starts, idle memory and size of the program itself.
pub async fn starts() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_ostiary"));
    let size = std::fs::metadata(&program).map(|file| file.len()).unwrap_or_default();
    println!("program: {:.1} MB (this profile)", size as f64 / 1e6);
    let folder = tempfile::tempdir().expect("a folder");
    let mut took = Vec::new();
    let mut resident = 0.0;
    for _ in 0..6 {
        let address = free_address();
        let began = Instant::now();
        let mut command = on_the_core(program.clone(), &["serve"]);
        command
            .env("OSTIARY_LISTEN", &address)
            .env("OSTIARY_PUBLIC_URL", format!("http://{address}"))
            .env("OSTIARY_DATA_DIR", folder.path().join("data"))
            .env("OSTIARY_KEYS_DIR", folder.path().join("keys"))
            .env("OSTIARY_LOG", "warn")
            .stderr(Stdio::null());
        let mut server = running(command, address, "/.well-known/openid-configuration", None).await;
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(700)).await;
        resident = server.resident_mib();
        // as an operator stops it: the next start finds nothing to repair
        let told = Command::new("kill").arg(server.pid.to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "the server is told to end");
        drop(server.child.wait());
    }
    let first = took.remove(0);
    took.sort_unstable();
    let usual = took.get(took.len() / 2).copied().unwrap_or_default();
    println!(
        "start to the first answer: {} ms with the database there, {} ms on nothing; idle {resident:.1} MiB resident",
        usual.as_millis(),
        first.as_millis()
    );
}
