//! How a request runs: within its time, alone with its panic, and to its end once it may have changed something.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::Instrument;

use crate::http::Http;
use crate::http::error::{self, Refusal};

/// Runs the request. What changes something runs on although the client hangs up or the time is over: only the answer is
/// given up, so that nothing is left half done.
pub(super) async fn within(http: &Http, request: Request, next: Next) -> Response {
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    );
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let in_time = if changes {
        let running = http.running.begin();
        let task = tokio::spawn(
            async move {
                let answer = answer.await;
                drop(running);
                answer
            }
            .in_current_span(),
        );
        timeout(http.limits.time, task)
            .await
            .map(|joined| joined.unwrap_or_else(|ended| Err(Box::new(ended))))
    } else {
        timeout(http.limits.time, answer).await
    };
    match in_time {
        Ok(Ok(response)) => response,
        // the panic's own hook has told the log where it was
        Ok(Err(_)) => error::refused(Refusal::failed()),
        Err(_) => error::refused(Refusal::overdue()),
    }
}

/// How many requests that may change something have begun and not ended. Clones count together.
#[derive(Clone, Default)]
pub struct Running(Arc<Count>);

#[derive(Default)]
struct Count {
    running: AtomicUsize,
    ended: Notify,
}

struct One(Arc<Count>);

impl Running {
    fn begin(&self) -> One {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        One(self.0.clone())
    }

    /// Returns when none is running.
    pub async fn finished(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.0.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify_waiters();
    }
}
