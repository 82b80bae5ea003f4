//! A storm of sign-ins: ten times as many as one core can hash. What is asked of it: it goes on hashing at nearly its full speed,
//! refuses the rest at once, and whoever refreshes or reads the keys meanwhile hardly notices.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use url::form_urlencoded;

use super::client::Connection;
use super::flows::{self, PASSWORD, Party, Workload, between, username};
use super::processes::{self, Hashing, Program};

/// How many times what it can do arrives.
const TIMES: f64 = 10.0;
/// How long a connection may lie idle: the server closes it some seconds later.
const KEPT: Duration = Duration::from_secs(5);
/// How often somebody looks from beside.
const LOOK: Duration = Duration::from_millis(20);

/// A sign-in form that was opened once and is sent again and again.
struct Form {
    address: String,
    cookies: String,
    csrf: String,
}

/// What became of those who came.
#[derive(Default)]
struct Told {
    in_time: Vec<Duration>,
    refused: Vec<Duration>,
    without_retry_after: usize,
    other: Vec<String>,
}

/// Measures for as long as this, after it has found out what the core can do.
pub async fn measure(time: Duration) {
    let program = processes::start(Hashing::Real).await;
    let form = Rc::new(Form::open(&program.address).await);
    let local = LocalSet::new();
    local.run_until(storm(&program, form, time)).await;
}

async fn storm(program: &Program, form: Rc<Form>, time: Duration) {
    let capacity = capacity(&form).await;
    let (memory, cpu) = (program.resident_mib(), processes::cpu_seconds(program.pid));
    let beside = tokio::task::spawn_local(beside(Party::new(&program.address, "ES256", "jwt"), time));
    let free: Rc<RefCell<Vec<(Instant, Connection)>>> = Rc::default();
    let told: Rc<RefCell<Told>> = Rc::default();
    let (mut arrivals, mut most) = (Vec::new(), memory);
    let gap = Duration::from_secs_f64(1.0 / (capacity * TIMES));
    let began = Instant::now();
    let mut arrived = 0;
    while began.elapsed() < time {
        let (form, free, told) = (form.clone(), free.clone(), told.clone());
        arrivals.push(tokio::task::spawn_local(async move {
            let waiting = free.borrow_mut().pop();
            let mut connection = match waiting {
                Some((last, connection)) if last.elapsed() < KEPT => connection,
                _ => Connection::open(&form.address).await,
            };
            form.send(&mut connection, arrived, &told).await;
            free.borrow_mut().push((Instant::now(), connection));
        }));
        arrived += 1;
        if arrived.is_multiple_of(64) {
            most = most.max(program.resident_mib());
        }
        // whoever is late catches up
        let next = began + gap * u32::try_from(arrived).unwrap_or(u32::MAX);
        tokio::time::sleep_until(next.into()).await;
    }
    for arrival in arrivals {
        arrival.await.expect("an arrival is answered");
    }
    let lasted = began.elapsed();
    let cpu = processes::cpu_seconds(program.pid) - cpu;
    let (refreshes, keys) = beside.await.expect("who looks from beside looks to the end");
    let told = told.take();
    let goodput = told.in_time.len() as f64 / lasted.as_secs_f64() / capacity;
    println!(
        "storm: {capacity:.1} sign-ins/s at rest; {arrived} came in {lasted:.1?}: goodput {:.0} %, the server had {:.0} % of its core",
        goodput * 100.0,
        cpu / lasted.as_secs_f64() * 100.0
    );
    println!("  signed in        {}", times(told.in_time));
    println!(
        "  refused          {}, {} without Retry-After",
        times(told.refused),
        told.without_retry_after
    );
    println!("  refresh beside   {}", times(refreshes));
    println!("  keys beside      {}", times(keys));
    println!("  memory           {memory:.1} MiB before, {most:.1} MiB at most");
    if let Some(first) = told.other.first() {
        println!("  something else   {} times, first: {first}", told.other.len());
    }
}

/// Sign-ins a second when each comes as soon as one before is done, a few at a time.
async fn capacity(form: &Rc<Form>) -> f64 {
    let (time, number) = (Duration::from_secs(5), Rc::new(Cell::new(0)));
    let began = Instant::now();
    let workers: Vec<_> = (0..6)
        .map(|_| {
            let (form, number) = (form.clone(), number.clone());
            tokio::task::spawn_local(async move {
                let told = RefCell::default();
                let mut connection = Connection::open(&form.address).await;
                while began.elapsed() < time {
                    number.set(number.get() + 1);
                    form.send(&mut connection, number.get(), &told).await;
                }
                let told = told.take();
                assert!(told.refused.is_empty() && told.other.is_empty(), "{:?}", told.other);
                told.in_time.len()
            })
        })
        .collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await.expect("a worker runs to its end");
    }
    done as f64 / began.elapsed().as_secs_f64()
}

/// Refreshes and reads the keys, again and again.
async fn beside(party: Party, time: Duration) -> (Vec<Duration>, Vec<Duration>) {
    let (mut refreshes, mut keys) = (Vec::new(), Vec::new());
    let mut connection = Connection::open(&party.address).await;
    let mut state = flows::prepare(Workload::Refresh, &party, &mut connection, 0).await;
    let began = Instant::now();
    while began.elapsed() < time {
        for (workload, took) in [(Workload::Refresh, &mut refreshes), (Workload::Jwks, &mut keys)] {
            let asked = Instant::now();
            let done = flows::once(workload, &party, &mut connection, &mut state).await;
            done.expect("what needs no hash is served");
            took.push(asked.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
    (refreshes, keys)
}

fn times(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    format!("{:>6}: p50 {:.1?}, p99 {:.1?}", times.len(), at(50), at(99))
}

impl Form {
    async fn open(address: &str) -> Self {
        let mut connection = Connection::open(address).await;
        let page = connection.get("/login", "").await.expect("the page of the form");
        let csrf = between(&page.body, "name=\"csrf\" value=\"", "\"").expect("a form");
        Self {
            address: address.to_owned(),
            cookies: format!("cookie: {}\r\norigin: http://{address}\r\n", page.cookies.join("; ")),
            csrf: csrf.to_owned(),
        }
    }

    async fn send(&self, connection: &mut Connection, number: usize, told: &RefCell<Told>) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", &self.csrf)
            .append_pair("username", &username(number))
            .append_pair("password", PASSWORD)
            .finish();
        let began = Instant::now();
        let answer = connection.post("/login", &self.cookies, &form).await;
        let took = began.elapsed();
        let mut told = told.borrow_mut();
        match answer {
            Ok(answer) if answer.status == 303 => told.in_time.push(took),
            Ok(answer) if answer.status == 503 => {
                told.refused.push(took);
                told.without_retry_after += usize::from(answer.retry_after.is_none());
            }
            Ok(answer) => told.other.push(format!("{} {}", answer.status, answer.body)),
            Err(trouble) => told.other.push(trouble),
        }
    }
}
