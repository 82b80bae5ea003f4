//! The life of accounts, from the first invitation to the last day, by the interface, commands and files.

mod bin;
mod brought;
mod bulk;
mod exports;
mod imports;
mod invited;
mod kinds;
mod own_actions;
mod unused;
mod workbooks;

use ostiary::flow::operations::outbox;
use ostiary::flow::people;
use ostiary::model::{Id, User};
use ostiary::view::Views;
use serde_json::Value;

use crate::api::conversation::{Caller, client_token, service};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Backend, Server};

/// A caller who may do everything, with a token of this moment.
async fn administrator(server: &Server) -> Caller<'_> {
    let client = service(server, "admin").await;
    Caller::with_token(server, &client_token(server, &client).await).await
}

/// A server beside which commands run.
async fn with_commands() -> Server {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    Server::start_fully(Backend::Embedded, |_| (), commands).await
}

/// Every mail to an address, the newest first.
async fn mails_to(server: &Server, email: &str) -> Vec<String> {
    people::answer_wishes(server.provider()).await.unwrap();
    let views = Views::new().unwrap();
    let all = outbox::list(server.provider(), &views, 200).await.unwrap();
    let own = all.into_iter().filter(|mail| mail.recipient == email);
    own.map(|mail| format!("{}\n{}", mail.content.subject, mail.content.text))
        .collect()
}

/// The links to a password that an address was mailed, the newest first.
async fn links_to(server: &Server, email: &str) -> Vec<String> {
    let mails = mails_to(server, email).await;
    let links = mails.iter().filter_map(|text| {
        let mut words = text.split_whitespace();
        words.find(|word| word.contains("/login/recover?token="))
    });
    links.map(str::to_owned).collect()
}

/// Chooses a password behind a link.
async fn choose(browser: &Browser, link: &str, password: &str) -> Page {
    let page = browser.get(link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let fields = [("password", password), ("password_again", password)];
    browser.submit(&page, page.form_with("password_again"), &fields).await
}

/// Signs in to the server itself.
async fn sign_in(server: &Server, browser: &Browser, username: &str, password: &str) -> Page {
    let page = browser.get(&server.url("/login")).await;
    let form = page.form_with("password");
    browser
        .submit(&page, form, &[("username", username), ("password", password)])
        .await
}

/// Whether somebody is signed in: home offers to sign out.
async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    let home = browser.get(&server.url("/")).await;
    unescape(&home.body).contains("href=\"/logout\"")
}

/// The kinds of events about somebody, the newest first.
async fn events(server: &Server, id: &Value) -> Vec<String> {
    let id: Id<User> = id.as_str().unwrap().parse().unwrap();
    server.provider().write_events(server.call().now).await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let rows = store.list_events_told_to(id, None, 100).await.unwrap();
    rows.into_iter().map(|row| row.kind).collect()
}
