//! A request's body that must be there within a time: what changes something runs to its end although its caller is gone, but
//! it does not wait for a body that never comes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::clock;

/// The body was not there in time.
#[derive(Debug, thiserror::Error)]
#[error("the body was not there in time")]
pub(super) struct TooSlow;

/// A body that ends with an error when its time is over.
pub(super) struct Timed {
    body: Incoming,
    within: Duration,
    /// Begins to run when the body is waited for: most are there with the head.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Timed {
    pub(super) fn new(body: Incoming, within: Duration) -> Self {
        Self {
            body,
            within,
            end: None,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let within = self.within;
                let end = self.end.get_or_insert_with(|| Box::pin(clock::sleep(within)));
                end.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
