//! What the workloads rest on, measured by processor time on the server's core in the same run.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use ostiary::credential::{Parameters, Passwords};
use ostiary::jose::PrivateKey;
use ostiary::model::{Secret, SigningAlgorithm};
use serde_json::Map;

/// How long each is repeated.
const FOR: Duration = Duration::from_secs(1);

/// Measures them and tells them, a line each: this process is on the server's core.
pub fn measure() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256,
    ] {
        let signer = PrivateKey::generate(algorithm)
            .and_then(|key| key.signer(algorithm))
            .expect("a key");
        let claims = Map::new();
        tell(algorithm.as_str(), || drop(black_box(signer.sign("JWT", &claims))));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let passwords = Passwords::new(Parameters::default(), 1, 4).expect("threads");
    tell("hash", || {
        drop(runtime.block_on(passwords.hash(Secret::new("violet-Kettle-93-harbour"))))
    });
}

fn tell(name: &str, act: impl Fn()) {
    act();
    let pid = std::process::id();
    let (before, began) = (super::processes::cpu_seconds(pid), Instant::now());
    let mut times = 0u32;
    while began.elapsed() < FOR {
        act();
        times += 1;
    }
    let micros = (super::processes::cpu_seconds(pid) - before) * 1e6 / f64::from(times.max(1));
    println!("{name} {micros:.1}");
}

/// Has them measured, and prints them.
pub async fn read(command: &Command) -> Vec<(String, f64)> {
    let mut again = Command::new(command.get_program());
    let output = again
        .args(command.get_args())
        .output()
        .expect("the primitives are measured");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut measured = Vec::new();
    for (name, micros) in text.lines().filter_map(|line| line.split_once(' ')) {
        let micros: f64 = micros.parse().unwrap_or(f64::NAN);
        println!("{name:<34} {:>8.0}/s  cpu {micros:>8.1} us", 1e6 / micros);
        measured.push((name.to_owned(), micros));
    }
    measured
}

/// The primitive that a workload is compared with.
pub fn of<'p>(workload: &str, primitives: &'p [(String, f64)]) -> Option<(&'p str, f64)> {
    let wanted = if workload.starts_with("login") && !workload.contains("cheap") {
        "hash"
    } else if ["discovery", "jwks", "introspect", "userinfo", "bare"]
        .iter()
        .any(|name| workload.starts_with(name))
    {
        "bare"
    } else if workload.contains("RS256") {
        "RS256"
    } else {
        "ES256"
    };
    let found = primitives.iter().find(|(name, _)| name == wanted)?;
    Some((found.0.as_str(), found.1))
}
