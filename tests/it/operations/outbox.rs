//! The outbox: a mail goes out once, is tried again when the server can't take it, and given up when it never will.

use std::sync::Arc;
use std::time::Duration;

use ostiary::flow::operations::outbox::{Post, list, send_due};
use ostiary::flow::people::{ChangeSource, NewUser, Welcome, create_user};
use ostiary::mail::Mailer;
use ostiary::view::Views;

use crate::support::server::{Server, each_backend};
use crate::support::smtp_sink::SmtpSink;

fn post(sink: &SmtpSink) -> Post {
    Post {
        mailer: Some(Mailer::new(&sink.url(), "Ostiary <no-reply@id.example.com>").unwrap()),
        gateway: None,
        views: Arc::new(Views::new().unwrap()),
    }
}

async fn invite(server: &Server, username: &str) {
    let mut new = NewUser::named(username);
    new.profile.email = Some(format!("{username}@example.com"));
    new.welcome = Welcome::Mail;
    create_user(server.provider(), &server.call(), &ChangeSource::Command, new)
        .await
        .unwrap();
}

async fn send(server: &Server, post: &Post) -> usize {
    send_due(server.provider(), &server.call(), post).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_out_once_although_several_nodes_send() {
    each_backend(async |server| {
        let sink = SmtpSink::start().await;
        let post = post(&sink);
        invite(server, "ada").await;
        let nodes = (0..4).map(|_| send(server, &post));
        let sent: usize = futures_util::future::join_all(nodes).await.into_iter().sum();
        assert_eq!(sent, 1);
        let mail = sink.next().await;
        assert_eq!(mail.to, ["ada@example.com"]);
        assert!(mail.part("text/plain").contains(&server.url("/login")));
        assert_eq!(send(server, &post).await, 0);
        assert!(sink.mails().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_not_taken_now_is_sent_later() {
    let server = Server::start().await;
    let sink = SmtpSink::start().await;
    let post = post(&sink);
    invite(&server, "ada").await;
    sink.refuse("ada@example.com", 451);
    assert_eq!(send(&server, &post).await, 0);
    // not at once, and after a pause again and again
    assert_eq!(send(&server, &post).await, 0);
    server.advance(Duration::from_secs(31));
    assert_eq!(send(&server, &post).await, 0);
    sink.accept("ada@example.com");
    server.advance(Duration::from_secs(61));
    assert_eq!(send(&server, &post).await, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_good_is_given_up_and_shown() {
    let server = Server::start().await;
    let sink = SmtpSink::start().await;
    let post = post(&sink);
    invite(&server, "ada").await;
    sink.refuse("ada@example.com", 550);
    assert_eq!(send(&server, &post).await, 0);
    server.advance(Duration::from_secs(30 * 24 * 3600));
    sink.accept("ada@example.com");
    assert_eq!(send(&server, &post).await, 0);
    let seen = list(server.provider(), &post.views, 10).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].sent_at.is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_mails_wait_and_are_shown() {
    let server = Server::start().await;
    let post = Post {
        gateway: None,
        mailer: None,
        views: Arc::new(Views::new().unwrap()),
    };
    invite(&server, "ada").await;
    assert_eq!(send(&server, &post).await, 0);
    let seen = list(server.provider(), &post.views, 10).await.unwrap();
    assert_eq!(seen[0].recipient, "ada@example.com");
    assert!(seen[0].content.text.contains(&server.url("/login")));
    server.stop().await;
}
