//! Timers: what a server does without being asked.

mod imports;
mod watchdog;
mod webhooks;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock;
use crate::flow::operations::outbox::Post;
use crate::flow::operations::{self, cleaning, jobs as work_on_many, keys, logouts, outbox};
use crate::flow::watch::Patience;
use crate::flow::{Call, Error, Provider, people, session};

use self::watchdog::Watchdog;

const MEMORY_EVERY: Duration = Duration::from_millis(500);
const EVENTS_EVERY: Duration = Duration::from_millis(200);
const TRACES_EVERY: Duration = Duration::from_millis(200);
const WISHES_EVERY: Duration = Duration::from_millis(200);
const OUTBOX_EVERY: Duration = Duration::from_secs(2);
const LOGOUTS_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked how much waits for webhooks.
const ROOM_EVERY: Duration = Duration::from_secs(10);
const LAPSED_EVERY: Duration = Duration::from_secs(10);
/// A job that has not come to its end goes on at once for so long.
const GO_ON_FOR: Duration = Duration::from_secs(2);
/// No session's use is written more often.
const USES_EVERY: Duration = Duration::from_secs(60);
const DEPARTURES_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether the values of a property have to be gone through.
const PROPERTIES_EVERY: Duration = Duration::from_secs(5);
const CLEANING_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often it is looked which memberships have begun or ended.
const MEMBERSHIPS_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whose account has come to its end: it may not be used from that moment on, and what hangs on it ends.
const EXPIRIES_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked whose password has to be replaced soon, and whose account ends soon.
const REMINDERS_EVERY: Duration = Duration::from_secs(15 * 60);
/// How often it is looked whether there is work on many users.
const BULK_EVERY: Duration = Duration::from_secs(1);
const KEYS_EVERY: Duration = Duration::from_secs(10 * 60);

/// The jobs of a server.
pub struct Running {
    jobs: JoinSet<()>,
    _watchdog: Watchdog,
}

impl Running {
    /// Returns when all have ended, which they do when they are told to stop: what they are at is finished first.
    pub async fn ended(mut self) {
        while self.jobs.join_next().await.is_some() {}
    }
}

/// Starts every job, and the watchdog.
pub fn start(provider: &Provider, post: Post, patience: Patience, stop: &watch::Receiver<bool>) -> Running {
    let mut jobs = JoinSet::new();
    let of = |name, every| Job {
        name,
        every,
        provider: provider.clone(),
        stop: stop.clone(),
    };
    jobs.spawn(of("memory", MEMORY_EVERY).run(|provider| async move { provider.refresh_memory().await }));
    jobs.spawn(of("events", EVENTS_EVERY).run(|provider| async move {
        let call = Call::system(&provider.clock);
        provider.write_events(call.now).await
    }));
    jobs.spawn(of("traces", TRACES_EVERY).run(|provider| async move { provider.write_traces().await }));
    jobs.spawn(
        of("wishes", WISHES_EVERY).run(|provider| async move { people::answer_wishes(&provider).await.map(drop) }),
    );
    let texts = post.clone();
    jobs.spawn(of("texts", OUTBOX_EVERY).run(move |provider| {
        let post = texts.clone();
        async move {
            let call = Call::system(&provider.clock);
            outbox::send_due_texts(&provider, &call, &post).await.map(drop)
        }
    }));
    jobs.spawn(of("outbox", OUTBOX_EVERY).run(move |provider| {
        let post = post.clone();
        async move {
            let call = Call::system(&provider.clock);
            outbox::send_due(&provider, &call, &post).await.map(drop)
        }
    }));
    jobs.spawn(of("logouts", LOGOUTS_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        while logouts::deliver_due(&provider, &Call::system(&provider.clock)).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(webhooks::run(provider.clone(), stop.clone()));
    jobs.spawn(imports::run(provider.clone(), stop.clone()));
    jobs.spawn(of("room of webhooks", ROOM_EVERY).run(|provider| async move {
        operations::webhooks::watch_room(&provider, &Call::system(&provider.clock)).await
    }));
    jobs.spawn(of("lapsed", LAPSED_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        while session::end_lapsed(&provider, &Call::system(&provider.clock)).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("uses", USES_EVERY).run(|provider| async move { session::write_uses(&provider).await }));
    jobs.spawn(of("departures", DEPARTURES_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        let call = || Call::system(&provider.clock);
        while people::delete_those_who_are_due(&provider, &call()).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("properties", PROPERTIES_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        let call = || Call::system(&provider.clock);
        while people::sweep_properties(&provider, &call()).await? && began.elapsed() < GO_ON_FOR {}
        while people::sweep_words(&provider).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("expiries", EXPIRIES_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        let call = || Call::system(&provider.clock);
        while people::end_expired(&provider, &call()).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("memberships", MEMBERSHIPS_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        let call = || Call::system(&provider.clock);
        while people::turn_memberships(&provider, &call()).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("cleaning", CLEANING_EVERY).run(|provider| async move {
        let call = Call::system(&provider.clock);
        cleaning::sweep(&provider, &call).await.map(drop)
    }));
    jobs.spawn(of("reminders", REMINDERS_EVERY).run(|provider| async move {
        let call = Call::system(&provider.clock);
        people::warn_of_expiry(&provider, &call).await?;
        let began = clock::monotonic();
        while people::remind_of_end(&provider, &call).await? && began.elapsed() < GO_ON_FOR {}
        while people::end_unused(&provider, &call).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("bulk", BULK_EVERY).run(|provider| async move {
        let began = clock::monotonic();
        while work_on_many::work(&provider, &Call::system(&provider.clock)).await? && began.elapsed() < GO_ON_FOR {}
        Ok(())
    }));
    jobs.spawn(of("keys", KEYS_EVERY).run(|provider| async move {
        let call = Call::system(&provider.clock);
        keys::step(&provider, &call).await.map(drop)
    }));
    Running {
        jobs,
        _watchdog: Watchdog::start(provider, patience),
    }
}

struct Job {
    name: &'static str,
    every: Duration,
    provider: Provider,
    stop: watch::Receiver<bool>,
}

impl Job {
    /// Does it again and again. A failure is told and tried again at the next turn.
    async fn run<F>(mut self, act: impl Fn(Provider) -> F)
    where
        F: Future<Output = Result<(), Error>>,
    {
        loop {
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return,
                () = clock::sleep(self.every) => (),
            }
            if let Err(error) = act(self.provider.clone()).await {
                tracing::warn!(job = self.name, %error, "a job failed; it is tried again");
            }
        }
    }
}
