//! Events and traces that are written behind wait until they are written, whoever it was that began to.

use std::time::Duration;

use ostiary::model::{EventKind, Part, Reason};
use ostiary::store::TraceSelection;
use tokio::time::timeout;

use crate::support::rooms::Rooms;

/// Longer than it takes to come to the store, and far shorter than anybody holds it here.
const AWHILE: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn events_outlive_whoever_hangs_up_while_they_are_written() {
    let rooms = Rooms::open().await;
    let provider = &rooms.provider;
    for _ in 0..3 {
        provider.note(rooms.operator().event(EventKind::SignIn)).await;
    }
    let holding = provider.store.write().await.unwrap();
    assert!(timeout(AWHILE, provider.write_noted_events()).await.is_err());
    assert_eq!(provider.events.waiting().0, 3);
    drop(holding);
    provider.write_noted_events().await.unwrap();
    let mut store = provider.store.read().await.unwrap();
    assert_eq!(store.list_events(None, 9).await.unwrap().len(), 3);
    assert_eq!(provider.events.waiting().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_outlive_whoever_hangs_up_while_they_are_written() {
    let rooms = Rooms::open().await;
    let provider = &rooms.provider;
    provider.keep_refusal(&rooms.operator(), Part::Page, Reason::new("request.not_found"));
    let holding = provider.store.write().await.unwrap();
    assert!(timeout(AWHILE, provider.write_traces()).await.is_err());
    drop(holding);
    provider.write_traces().await.unwrap();
    let mut store = provider.store.read().await.unwrap();
    assert_eq!(store.list_traces(&TraceSelection::All, None, 9).await.unwrap().len(), 1);
}
