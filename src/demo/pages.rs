//! The sandbox's own pages on the server: what it would have sent, and its clock. They exist in the sandbox alone.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use std::time::Duration;

use crate::flow::operations::outbox;
use crate::http::extract::{Forgery, Form, Visit};
use crate::http::{Http, Refusal};
use crate::model::{Channel, Timestamp};
use crate::view::{DemoClock, DemoMessage, DemoMessages, DemoPaths, MessageKind, OwnPath, Page};

const MESSAGES: &str = "/demo/messages";
const CLOCK: &str = "/demo/clock";
const MOST_MESSAGES: u32 = 100;

/// The routes of the sandbox.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(MESSAGES, get(messages))
        .route(CLOCK, get(clock).post(advance))
}

fn paths() -> DemoPaths {
    DemoPaths {
        messages: OwnPath::or_home(MESSAGES),
        clock: OwnPath::or_home(CLOCK),
    }
}

/// GET /demo/messages
async fn messages(State(http): State<Http>, visit: Visit) -> Result<Response, Refusal> {
    let mails = outbox::list(visit.provider(), &http.views, MOST_MESSAGES).await?;
    let page = Page::DemoMessages(DemoMessages {
        paths: paths(),
        messages: mails
            .into_iter()
            .map(|mail| DemoMessage {
                kind: match mail.channel {
                    Channel::Mail => MessageKind::Mail,
                    Channel::Sms => MessageKind::Sms,
                },
                to: mail.recipient,
                subject: Some(mail.content.subject).filter(|_| mail.channel == Channel::Mail),
                text: mail.content.text,
                sent_at: mail.sent_at.unwrap_or(mail.created_at),
            })
            .collect(),
    });
    let locale = visit.locale(&[], None);
    Ok(visit.show(visit.sheet(page, locale, MESSAGES)))
}

/// GET /demo/clock
async fn clock(visit: Visit) -> Response {
    let clock = &visit.provider().clock;
    let page = Page::DemoClock(DemoClock {
        paths: paths(),
        now: Timestamp::from_micros(clock.micros()),
        ahead: clock.offset().as_secs(),
        action: OwnPath::or_home(CLOCK),
    });
    let locale = visit.locale(&[], None);
    visit.show(visit.sheet(page, locale, CLOCK))
}

#[derive(Deserialize)]
struct Advance {
    advance: String,
    csrf: String,
}

/// POST /demo/clock
async fn advance(visit: Visit, Form(form): Form<Advance>) -> Result<Response, Refusal> {
    let step = DemoClock::STEPS.iter().find(|(name, _)| *name == form.advance);
    match (visit.check(CLOCK, &form.csrf), step) {
        (Ok(()), Some((_, seconds))) => visit.provider().clock.advance(Duration::from_secs(*seconds)),
        // a step that was made in another tab makes the form of this one old: the page as it is now says more than a refusal
        (Ok(()), None) | (Err(Forgery::Token), _) => {}
        (Err(forgery), _) => return Err(forgery.into()),
    }
    Ok(visit.keep(Redirect::to(CLOCK).into_response()))
}
