//! Settings: changed by table, refused by name, numbered, brought back, locked by the operator's file.

use ostiary::flow::Error;
use ostiary::flow::operations::settings::{ChangedBy, change, history, roll_back};
use ostiary::model::setting;
use serde_json::{Value, json};

use crate::support::backend::Backend;
use crate::support::server::{Server, each_backend};

async fn set(server: &Server, table: Value) -> Result<usize, Error> {
    let changes = change(
        server.provider(),
        &server.call(),
        table.as_object().unwrap(),
        ChangedBy::Command,
    )
    .await?;
    Ok(changes.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_at_once_and_a_second_time_is_none() {
    each_backend(async |server| {
        assert_eq!(
            set(server, json!({"session": {"idle_timeout": "30m"}})).await.unwrap(),
            1
        );
        let settings = server.provider().settings().await.unwrap();
        assert_eq!(settings.duration(setting::SESSION_IDLE_TIMEOUT).as_secs(), 1800);
        assert_eq!(set(server, json!({"session.idle_timeout": "1800s"})).await.unwrap(), 0);
        assert_eq!(history(server.provider()).await.unwrap().len(), 1);
        assert_eq!(
            set(server, json!({"session": {"idle_timeout": null}})).await.unwrap(),
            1
        );
        let settings = server.provider().settings().await.unwrap();
        let effective = settings.effective(setting::SESSION_IDLE_TIMEOUT).unwrap();
        assert_eq!(effective.source, setting::Source::BuiltIn);
        roll_back(server.provider(), &server.call(), 1).await.unwrap();
        let settings = server.provider().settings().await.unwrap();
        assert_eq!(settings.duration(setting::SESSION_IDLE_TIMEOUT).as_secs(), 1800);
        assert_eq!(history(server.provider()).await.unwrap()[0].number, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_value_is_refused_by_name_and_none_is_taken() {
    let server = Server::start().await;
    let table = json!({"session": {"idle_timeout": "30m", "lifetime": "1 day"}, "locale": "tlh", "sesion": {"x": 1}});
    let Err(Error::Invalid(fields)) = set(&server, table).await else {
        panic!("taken");
    };
    let mut found: Vec<_> = fields
        .iter()
        .map(|field| (field.pointer.as_str(), field.code))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("/locale", "invalid"),
            ("/sesion/x", "unknown"),
            ("/session/lifetime", "invalid")
        ]
    );
    assert!(history(server.provider()).await.unwrap().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_file_is_locked_on_top() {
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.settings = json!({"session": {"idle_timeout": "20m"}}).as_object().unwrap().clone();
    })
    .await;
    let settings = server.provider().settings().await.unwrap();
    let effective = settings.effective(setting::SESSION_IDLE_TIMEOUT).unwrap();
    assert_eq!(effective.source, setting::Source::OperatorFile);
    let refused = set(&server, json!({"session": {"idle_timeout": "30m"}})).await;
    assert!(matches!(refused, Err(Error::Invalid(fields)) if fields[0].code == "locked"));
    // what it says already may be said again
    set(&server, json!({"session": {"idle_timeout": "20m"}})).await.unwrap();
    server.stop().await;
}
