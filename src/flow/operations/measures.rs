//! What `/metrics` shows of the inside. docs/operations.md explains every number; a test compares the two.

use std::time::Duration;

use tokio::time::timeout;

use crate::flow::watch::WATCHED;
use crate::flow::{Error, Provider};
use crate::metrics::{Kind, Process, Text};
use crate::model::Timestamp;
use crate::store::{WaitingLogouts, WaitingMails};

use Kind::{Counter, Gauge, Histogram};

/// A store that does not answer within this time is left out: the other numbers are wanted then.
const WITHIN: Duration = Duration::from_secs(1);
/// More mails, or applications to be told, than this are not counted.
const MOST_MAILS: u32 = 10_000;

/// Writes every number that the provider keeps.
pub async fn write(provider: &Provider, text: &mut Text) {
    outcomes(provider, text);
    passwords(provider, text);
    databases(provider, text);
    redis(provider, text);
    queues(provider, text).await;
    memory(provider, text);
    stalls(provider, text);
    process(provider, text);
}

fn stalls(provider: &Provider, text: &mut Text) {
    text.family(
        "ostiary_stalled",
        Gauge,
        "Whether something that everybody waits for stands still: 0 or 1.",
    );
    let still = provider.watch.still();
    for what in WATCHED {
        let stands = still.iter().any(|(known, _)| *known == what);
        text.count(&[("what", what)], u64::from(stands));
    }
    text.family("ostiary_stalls_total", Counter, "How often it did.");
    text.labelled("what", &provider.watch.stalls);
}

fn outcomes(provider: &Provider, text: &mut Text) {
    let counts = &provider.counts;
    text.family("ostiary_sign_ins_total", Counter, "Attempts to sign in, by outcome.");
    text.labelled("outcome", &counts.sign_ins);
    text.family("ostiary_tokens_total", Counter, "Answers that gave tokens, by grant.");
    text.labelled("grant", &counts.tokens);
    text.family("ostiary_refusals_total", Counter, "Requests refused, by rule.");
    text.labelled("rule", &counts.refusals);
    text.family(
        "ostiary_signatures_verified_total",
        Counter,
        "Signatures verified, by whose: tokens of this server, assertions of clients. A token that is remembered is not verified again.",
    );
    text.labelled("of", &counts.signatures);
}

fn passwords(provider: &Provider, text: &mut Text) {
    let load = provider.passwords.load();
    text.family(
        "ostiary_password_hashes_waiting",
        Gauge,
        "Password hashes that wait for a worker.",
    );
    text.count(&[], load.waiting);
    text.family(
        "ostiary_password_hashes_running",
        Gauge,
        "Password hashes that are being computed.",
    );
    text.count(&[], load.busy);
    text.family(
        "ostiary_password_hash_workers",
        Gauge,
        "Password hashes that may be computed at once.",
    );
    text.count(&[], load.workers);
    text.family(
        "ostiary_password_hashes_refused_total",
        Counter,
        "Password hashes refused because too much waited.",
    );
    text.count(&[], load.refused.get());
    text.family(
        "ostiary_password_hash_wait_seconds",
        Histogram,
        "How long password hashes waited.",
    );
    text.durations(&[], load.waits);
    text.family(
        "ostiary_password_hash_seconds",
        Histogram,
        "How long computing a password hash took.",
    );
    text.durations(&[], load.computations);
}

fn databases(provider: &Provider, text: &mut Text) {
    let all = [
        ("store", Some(provider.store.database())),
        ("ephemeral", provider.ephemeral.database()),
        ("sessions", provider.sessions.database()),
    ];
    let open: Vec<_> = all
        .into_iter()
        .filter_map(|(name, database)| Some((name, database?)))
        .collect();
    text.family(
        "ostiary_sql_statement_seconds",
        Histogram,
        "How long SQL statements took, by place.",
    );
    for (name, database) in &open {
        text.durations(&[("database", name), ("place", "read")], &database.measures().reads);
        text.durations(
            &[("database", name), ("place", "transaction")],
            &database.measures().writes,
        );
    }
    text.family(
        "ostiary_sql_commit_seconds",
        Histogram,
        "How long commits took, the waiting for a shared one included.",
    );
    for (name, database) in &open {
        text.durations(&[("database", name)], &database.measures().commits);
    }
    text.family(
        "ostiary_sql_group_size",
        Histogram,
        "Transactions that shared one durable commit (SQLite).",
    );
    for (name, database) in &open {
        text.sizes(&[("database", name)], &database.measures().groups);
    }
    text.family(
        "ostiary_sql_wait_seconds",
        Histogram,
        "How long was waited for a connection or the writer.",
    );
    for (name, database) in &open {
        text.durations(&[("database", name)], &database.measures().waits);
    }
    text.family(
        "ostiary_sql_waiting",
        Gauge,
        "Who waits for a connection or the writer.",
    );
    for (name, database) in &open {
        text.count(&[("database", name)], database.measures().waiting.get());
    }
    text.family(
        "ostiary_sql_connections",
        Gauge,
        "Connections by state: used, idle, and the most there may be.",
    );
    for (name, database) in &open {
        let connections = database.occupancy();
        text.count(&[("database", name), ("state", "used")], connections.used);
        text.count(
            &[("database", name), ("state", "idle")],
            connections.open.saturating_sub(connections.used),
        );
        text.count(&[("database", name), ("state", "most")], connections.most);
    }
    text.family(
        "ostiary_sql_failures_total",
        Counter,
        "Statements and commits that failed, by reason.",
    );
    for (name, database) in &open {
        let measures = database.measures();
        text.count(
            &[("database", name), ("reason", "unavailable")],
            measures.unavailable.get(),
        );
        text.count(
            &[("database", name), ("reason", "contention")],
            measures.contended.get(),
        );
    }
}

fn redis(provider: &Provider, text: &mut Text) {
    let measures = provider.ephemeral.redis_measures();
    text.family("ostiary_redis_call_seconds", Histogram, "How long calls of Redis took.");
    if let Some(measures) = measures {
        text.durations(&[], &measures.calls);
    }
    text.family(
        "ostiary_redis_failures_total",
        Counter,
        "Calls of Redis that failed, by reason.",
    );
    if let Some(measures) = measures {
        text.count(&[("reason", "unavailable")], measures.unavailable.get());
        text.count(&[("reason", "refused")], measures.refused.get());
        text.count(&[("reason", "skipped")], measures.skipped.get());
    }
    text.family(
        "ostiary_redis_breaker_open",
        Gauge,
        "Whether calls of Redis fail at once because it does not answer: 0 or 1.",
    );
    if let Some(measures) = measures {
        text.count(&[], u64::from(measures.is_paused()));
    }
}

async fn queues(provider: &Provider, text: &mut Text) {
    let now = Timestamp::from_micros(provider.clock.micros());
    let (events, oldest) = provider.events.waiting();
    text.family("ostiary_events_waiting", Gauge, "Audit events that wait to be written.");
    text.count(&[], events);
    text.family(
        "ostiary_events_oldest_seconds",
        Gauge,
        "How long the oldest of them has waited.",
    );
    text.seconds(&[], oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)));
    let mails = timeout(WITHIN, mails(provider)).await.ok().and_then(Result::ok);
    text.family(
        "ostiary_outbox_waiting",
        Gauge,
        "Mails that wait to be sent, up to 10000; absent while the store does not answer.",
    );
    if let Some(mails) = mails {
        text.count(&[], mails.number);
    }
    text.family(
        "ostiary_outbox_oldest_seconds",
        Gauge,
        "How long the oldest of them has waited.",
    );
    if let Some(mails) = mails {
        text.seconds(&[], mails.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)));
    }
    let logouts = timeout(WITHIN, logouts(provider)).await.ok().and_then(Result::ok);
    text.family(
        "ostiary_logouts_waiting",
        Gauge,
        "Applications that wait to be told of the end of a session, up to 10000; absent while the store does not answer.",
    );
    if let Some(logouts) = logouts {
        text.count(&[], logouts.number);
    }
    text.family(
        "ostiary_logouts_oldest_seconds",
        Gauge,
        "How long ago the first of these sessions ended.",
    );
    if let Some(logouts) = logouts {
        text.seconds(&[], logouts.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)));
    }
}

async fn logouts(provider: &Provider) -> Result<WaitingLogouts, Error> {
    Ok(provider.store.read().await?.waiting_logouts(MOST_MAILS).await?)
}

async fn mails(provider: &Provider) -> Result<WaitingMails, Error> {
    Ok(provider.store.read().await?.waiting_mails(MOST_MAILS).await?)
}

fn memory(provider: &Provider, text: &mut Text) {
    let now = Timestamp::from_micros(provider.clock.micros());
    text.family(
        "ostiary_memory_age_seconds",
        Gauge,
        "How long ago was read whether clients, keys, settings and resources have changed.",
    );
    if let Some(age) = provider.memory.age(&provider.clock) {
        text.seconds(&[], age);
    }
    text.family(
        "ostiary_memory_entries",
        Gauge,
        "What is remembered between requests, by kind.",
    );
    for (kind, number) in provider.memory.sizes() {
        text.count(&[("kind", kind)], number);
    }
    text.family(
        "ostiary_signing_key_age_seconds",
        Gauge,
        "How long the active key of an algorithm has signed.",
    );
    if let Some(keyring) = provider.memory.keyring() {
        for (algorithm, since) in keyring.active_since() {
            text.seconds(&[("algorithm", algorithm.as_str())], now.since(*since));
        }
    }
}

fn process(provider: &Provider, text: &mut Text) {
    let process = Process::read();
    let number = |text: &mut Text, value: Option<u64>| {
        if let Some(value) = value {
            text.count(&[], value);
        }
    };
    text.family("process_resident_memory_bytes", Gauge, "Memory in use.");
    number(text, process.resident_bytes);
    text.family("process_open_fds", Gauge, "Open file descriptors.");
    number(text, process.open_descriptors);
    text.family("process_max_fds", Gauge, "File descriptors that may be open.");
    number(text, process.most_descriptors);
    text.family("process_threads", Gauge, "Threads.");
    number(text, process.threads);
    text.family("process_cpu_seconds_total", Counter, "Processor time, user and system.");
    if let Some(seconds) = process.cpu_seconds {
        text.sample(&[], seconds);
    }
    text.family("ostiary_uptime_seconds", Gauge, "How long the process has served.");
    text.seconds(&[], provider.counts.since.elapsed());
    text.family(
        "ostiary_build_info",
        Gauge,
        "Always 1; the label says which version runs.",
    );
    text.count(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
}
