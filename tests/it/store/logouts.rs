//! The outbox of logout tokens: written by whatever ends a session, taken once, fair to every application, kept bounded.

use ostiary::model::{Client, Id, LogoutOutcome, Session};
use ostiary::store::{DueLogouts, Store};

use super::{MINUTE, NOW, SessionRow, each_store, sample_client, sample_session, sample_user, write};

const BOUNDS: DueLogouts = DueLogouts {
    among: 100,
    of_client: 2,
    most: 5,
};

fn listening(name: &str) -> Client {
    let mut client = sample_client(name);
    client.metadata.backchannel_logout_uri = Some(format!("https://{name}.example/l"));
    client
}

async fn due(store: &Store) -> Vec<(Id<Client>, Id<Session>)> {
    let mut read = store.read().await.unwrap();
    let rows = read.list_due_logouts(NOW.after(MINUTE), BOUNDS).await.unwrap();
    rows.into_iter().map(|row| (row.client, row.session)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_a_session_writes_down_who_is_to_be_told() {
    each_store(async |store| {
        let (ada, bob) = (sample_user("ada"), sample_user("bob"));
        let (shop, wiki, silent) = (listening("shop"), listening("wiki"), sample_client("silent"));
        let of_ada: Vec<SessionRow> = (0..4).map(|_| sample_session(ada.id)).collect();
        let foreign = sample_session(bob.id);
        write!(store, tx => {
            for user in [&ada, &bob] {
                tx.add_user(user).await.unwrap();
            }
            for client in [&shop, &wiki, &silent] {
                tx.add_client(client).await.unwrap();
            }
            for session in of_ada.iter().chain([&foreign]) {
                tx.add_session(session).await.unwrap();
                for client in [&shop, &silent] {
                    tx.add_client_of_session(session.id, client.id, session.user, NOW);
                }
            }
            tx.add_client_of_session(of_ada[0].id, wiki.id, ada.id, NOW);
            // a second grant in the same session changes nothing
            tx.add_client_of_session(of_ada[0].id, wiki.id, ada.id, NOW.after(MINUTE));
        });
        assert!(due(store).await.is_empty());
        // what never was tells nobody
        let mut undone = store.write().await.unwrap();
        assert!(undone.end_session(foreign.id, NOW, "test").await.unwrap());
        drop(undone);
        assert!(due(store).await.is_empty());

        write!(store, tx => assert!(tx.end_session(of_ada[0].id, NOW, "test").await.unwrap()));
        let mut first = due(store).await;
        first.sort();
        let mut wanted = vec![(shop.id, of_ada[0].id), (wiki.id, of_ada[0].id)];
        wanted.sort();
        assert_eq!(first, wanted, "and not who has no address");
        write!(store, tx => {
            assert!(!tx.end_session(of_ada[0].id, NOW, "test").await.unwrap());
            assert_eq!(tx.end_sessions_of_user(ada.id, NOW.after(MINUTE), "test").await.unwrap(), 3);
            // the person may go: who is to be told is written down
            assert!(tx.delete_user(ada.id).await.unwrap());
        });
        // four wait at one application, which does not keep the other waiting
        let listed = due(store).await;
        assert_eq!(listed.iter().filter(|(client, _)| *client == shop.id).count(), 2);
        assert_eq!(listed.iter().filter(|(client, _)| *client == wiki.id).count(), 1);
        let mut read = store.read().await.unwrap();
        assert_eq!(read.waiting_logouts(100).await.unwrap().number, 5);
        assert_eq!(read.waiting_logouts(100).await.unwrap().oldest, Some(NOW));
        let rows = read.list_logouts_of_client(shop.id, None, 10).await.unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.subject.as_deref() == Some("subject-ada")));
        drop(read);

        // taken once, whoever asks; and again when that took too long
        let (oldest, later) = (NOW.after(2 * MINUTE), NOW.after(3 * MINUTE));
        let mut row = rows.last().unwrap().clone();
        let mut stalled = row.clone();
        assert!(write!(store, tx => tx.claim_logout(&mut stalled, oldest, later).await.unwrap()));
        assert!(!write!(store, tx => tx.claim_logout(&mut row, oldest, later).await.unwrap()));
        assert!(write!(store, tx => tx.claim_logout(&mut row, later, later.after(MINUTE)).await.unwrap()));
        write!(store, tx => {
            // whoever took too long says nothing any more of what another has taken since
            tx.finish_logout(&stalled, LogoutOutcome::Refused, Some("stalled"), later);
            tx.put_off_logout(&stalled, "stalled", later.after(MINUTE));
            tx.finish_logout(&row, LogoutOutcome::Delivered, None, later);
            tx.put_off_logout(&row, "too late", later.after(MINUTE));
            tx.put_off_logout(&rows[0], "no answer", later.after(MINUTE));
            tx.put_off_logouts_of_client(shop.id, later, later.after(MINUTE));
        });
        let mut read = store.read().await.unwrap();
        let told = read.list_logouts_of_client(shop.id, None, 10).await.unwrap();
        let done = told.last().unwrap();
        assert_eq!((done.outcome, done.attempts), (LogoutOutcome::Delivered, 2));
        assert_eq!(
            (done.subject.as_deref(), done.next_at, done.finished_at),
            (None, None, Some(later))
        );
        assert_eq!(told[0].error.as_deref(), Some("no answer"));
        let waiting = read.list_due_logouts(later, BOUNDS).await.unwrap();
        assert!(waiting.iter().all(|row| row.client == wiki.id));
        drop(read);

        // an application that is deleted is told nothing any more
        write!(store, tx => {
            assert!(tx.delete_client(wiki.id, wiki.version).await.unwrap());
            assert_eq!(tx.give_up_logouts(NOW.after(2 * MINUTE), later, 100).await.unwrap(), 3);
            assert_eq!(tx.sweep_logouts(NOW.after(MINUTE), 100).await.unwrap(), 1);
            assert_eq!(tx.sweep_logouts(later, 2).await.unwrap(), 2);
            assert_eq!(tx.sweep_logouts(later, 2).await.unwrap(), 1);
        });
        assert_eq!(
            store.read().await.unwrap().waiting_logouts(100).await.unwrap().number,
            0
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_looked_at_in_time() {
    each_store(async |store| {
        let ada = sample_user("ada");
        let [first, second] = [ada.id, ada.id].map(sample_session);
        write!(store, tx => {
            tx.add_user(&ada).await.unwrap();
            for session in [&first, &second] {
                tx.add_session(session).await.unwrap();
            }
        });
        let ids = async |now| {
            let mut read = store.read().await.unwrap();
            let rows = read.list_sessions_to_look_at(now, 10).await.unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert!(ids(NOW).await.is_empty());
        assert_eq!(ids(NOW.after(MINUTE)).await.len(), 2);
        write!(store, tx => tx.look_at_session_again(first.id, NOW.after(10 * MINUTE)));
        assert_eq!(ids(NOW.after(MINUTE)).await, [second.id]);
        assert_eq!(ids(NOW.after(10 * MINUTE)).await.len(), 2);
        write!(store, tx => assert!(tx.end_session(second.id, NOW, "test").await.unwrap()));
        assert_eq!(ids(NOW.after(10 * MINUTE)).await, [first.id]);
        let mut read = store.read().await.unwrap();
        assert!(read.list_sessions_that_no_longer_count(10).await.unwrap().is_empty());
    })
    .await;
}
