//! What a server does in a second: `cargo bench` (Linux with `taskset`, two cores at least).
//!
//! The server runs pinned to one core, the load on another. For every workload: operations per second, the server's processor
//! time an operation (which hardly depends on what else the machine does), p50 and p99; then what the same core does with the
//! primitives they rest on, and the ratios. See docs/performance.md.
//!
//! `cargo bench --bench load -- [--seconds N] [--clients N] [--sessions N] [WORKLOAD...]`; `storm` only where it is named.

// a measurement that can't go on says so by panicking; it reads clocks and waits, and rounds what it counted
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)]

mod client;
mod commits;
mod flows;
mod primitives;
mod processes;
mod sessions;
mod storm;

use std::time::{Duration, Instant};

use client::Connection;
use flows::{Party, Workload};
use processes::{Hashing, Program};

/// What the command line says.
struct Wanted {
    time: Duration,
    clients: usize,
    /// How many sessions there are at most.
    sessions: u32,
    workloads: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match arguments.first().map(String::as_str) {
        // this program again, on the server's core
        Some("serve") => processes::serve(&arguments[1..]),
        Some("bare") => processes::bare(),
        Some("primitives") => primitives::measure(),
        Some("sessions-here") => sessions::measure(arguments[1].parse().expect("a number of sessions")),
        _ => runtime.block_on(measure(&wanted(&arguments))),
    }
}

fn wanted(arguments: &[String]) -> Wanted {
    let mut wanted = Wanted {
        time: Duration::from_secs(4),
        clients: 8,
        sessions: 100_000,
        workloads: Vec::new(),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let number = |words: &mut std::slice::Iter<'_, String>| words.next().and_then(|word| word.parse::<u32>().ok());
        match word.as_str() {
            "--seconds" => wanted.time = Duration::from_secs(number(&mut words).expect("a number of seconds").into()),
            "--clients" => wanted.clients = number(&mut words).expect("a number of clients") as usize,
            "--sessions" => wanted.sessions = number(&mut words).expect("a number of sessions"),
            name => wanted.workloads.push(name.to_owned()),
        }
    }
    wanted
}

/// What one workload came to.
pub struct Measured {
    pub name: String,
    pub per_second: f64,
    pub cpu_micros: f64,
    pub p50_micros: u32,
    pub p99_micros: u32,
    pub failed: u64,
}

async fn measure(wanted: &Wanted) {
    let is_wanted = |name: &str| wanted.workloads.is_empty() || wanted.workloads.iter().any(|word| word == name);
    println!("{}", processes::machine());
    let mut primitives = if is_wanted("primitives") {
        primitives::read(&processes::again("primitives")).await
    } else {
        Vec::new()
    };
    if is_wanted("bare") {
        let bare = processes::start_bare().await;
        let party = Party::new(&bare.address, "ES256", "jwt");
        let measured = run(wanted, "bare handler", Workload::Bare, &party, &bare).await;
        primitives.push(("bare".to_owned(), measured.cpu_micros));
        row(&measured, &primitives);
    }
    for (hashing, label) in [(Hashing::Cheap, ", cheap hash"), (Hashing::Real, "")] {
        // where many have to be signed in first, or where the hash is not what is measured
        if hashing == Hashing::Cheap && !is_wanted("login") && !is_wanted("sso") {
            continue;
        }
        let program = processes::start(hashing).await;
        for (name, workload, algorithm, format) in flows::ALL {
            let fits = match workload {
                Workload::Login | Workload::LoginAgain => true,
                Workload::Sso => hashing == Hashing::Cheap,
                _ => hashing == Hashing::Real,
            };
            if !is_wanted(name.split([' ', ',']).next().unwrap_or(name)) || !fits {
                continue;
            }
            let is_login = matches!(workload, Workload::Login | Workload::LoginAgain);
            let label = if is_login { label } else { "" };
            let party = Party::new(&program.address, algorithm, format);
            let measured = run(wanted, &format!("{name}{label}"), *workload, &party, &program).await;
            row(&measured, &primitives);
        }
        if hashing == Hashing::Real {
            println!("memory after the load: {:.1} MiB resident", program.resident_mib());
        }
    }
    if wanted.workloads.iter().any(|word| word == "storm") {
        storm::measure(wanted.time).await;
    }
    if is_wanted("start") {
        processes::starts().await;
    }
    if is_wanted("sessions") {
        let mut here = processes::again("sessions-here");
        let done = here.arg(wanted.sessions.to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "sessions are measured");
    }
    if is_wanted("commits") {
        commits::measure().await;
    }
}

/// Runs one workload with a warm-up, on connections that are kept.
async fn run(wanted: &Wanted, name: &str, workload: Workload, party: &Party, program: &Program) -> Measured {
    let warm_until = Instant::now() + Duration::from_secs(1);
    let local = tokio::task::LocalSet::new();
    let (end_of_warming, end) = (warm_until, warm_until + wanted.time);
    let workers: Vec<_> = (0..wanted.clients)
        .map(|number| {
            let party = party.clone();
            local.spawn_local(async move {
                let mut connection = Connection::open(&party.address).await;
                let mut state = flows::prepare(workload, &party, &mut connection, number).await;
                let mut times: Vec<u32> = Vec::new();
                let mut failed = 0u64;
                while Instant::now() < end {
                    let began = Instant::now();
                    let done = flows::once(workload, &party, &mut connection, &mut state).await;
                    if began < end_of_warming {
                        continue;
                    }
                    match done {
                        Ok(()) => times.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)),
                        Err(trouble) => {
                            if failed == 0 {
                                eprintln!("{trouble}");
                            }
                            failed += 1;
                        }
                    }
                }
                (times, failed)
            })
        })
        .collect();
    let watching = local.spawn_local({
        let pid = program.pid;
        async move {
            tokio::time::sleep_until(end_of_warming.into()).await;
            let before = processes::cpu_seconds(pid);
            tokio::time::sleep_until(end.into()).await;
            processes::cpu_seconds(pid) - before
        }
    });
    let (mut times, mut failed) = (Vec::new(), 0);
    local
        .run_until(async {
            for worker in workers {
                let (of_one, failed_of_one) = worker.await.expect("a worker runs to its end");
                times.extend(of_one);
                failed += failed_of_one;
            }
        })
        .await;
    let cpu = local.run_until(watching).await.expect("the watcher runs to its end");
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let operations = times.len().max(1) as f64;
    Measured {
        name: name.to_owned(),
        per_second: times.len() as f64 / wanted.time.as_secs_f64(),
        cpu_micros: cpu * 1e6 / operations,
        p50_micros: at(50),
        p99_micros: at(99),
        failed,
    }
}

fn row(measured: &Measured, primitives: &[(String, f64)]) {
    let ratio = primitives::of(&measured.name, primitives)
        .map(|(name, micros)| format!("{:.1} x {name}", measured.cpu_micros / micros))
        .unwrap_or_default();
    println!(
        "{:<34} {:>8.0}/s  cpu {:>8.1} us  ({:>6.0}/s a core)  p50 {:>7} us  p99 {:>7} us  failed {}  {ratio}",
        measured.name,
        measured.per_second,
        measured.cpu_micros,
        1e6 / measured.cpu_micros.max(0.1),
        measured.p50_micros,
        measured.p99_micros,
        measured.failed,
    );
}
