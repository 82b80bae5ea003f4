//! The server starts on nothing, stops in good order, and refuses what would end badly.

use std::os::unix::fs::PermissionsExt;

use ostiary::clock::Clock;
use ostiary::server::{Application, Error, Options};
use ostiary::vault;

use crate::support::browser::Browser;
use crate::support::server::{Backend, Server, configuration, each_backend};

async fn start(folder: &std::path::Path) -> Result<Application, Error> {
    Application::start(configuration(folder), Clock::default(), Options::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_answers_on_every_backend() {
    each_backend(async |server| {
        assert_eq!(Browser::new().get(&server.url("/healthz")).await.status, 200);
        assert_eq!(Browser::new().get(&server.url("/readyz")).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_gets_a_store_a_key_file_and_signing_keys() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let path = folder.path().join("keys/master.key");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read_to_string(&path).unwrap();
    let published = first.provider.keyring().await.unwrap().set().document().to_vec();
    first.stop().await;
    let second = start(folder.path()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), key);
    assert_eq!(second.provider.keyring().await.unwrap().set().document(), published);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_key_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await.unwrap().stop().await;
    let path = folder.path().join("keys/master.key");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        start(folder.path()).await,
        Err(Error::Vault(vault::Error::Missing(_)))
    ));
    // another key opens nothing
    let other = tempfile::tempdir().unwrap();
    start(other.path()).await.unwrap().stop().await;
    std::fs::copy(other.path().join("keys/master.key"), &path).unwrap();
    assert!(matches!(
        start(folder.path()).await,
        Err(Error::Vault(vault::Error::Wrong(_)))
    ));
    std::fs::write(&path, "no key").unwrap();
    assert!(matches!(
        start(folder.path()).await,
        Err(Error::Vault(vault::Error::NotAKey(_)))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_share_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    assert!(matches!(start(folder.path()).await, Err(Error::Locked(_))));
    first.stop().await;
    start(folder.path()).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_the_same_one() {
    let server = Server::start_with(Backend::Embedded).await;
    let user = server.user("ada").await;
    let server = server.restart().await;
    let mut store = server.provider().store.read().await.unwrap();
    assert_eq!(store.find_user_by_username("ada").await.unwrap().unwrap().id, user.id);
    drop(store);
    server.stop().await;
}

/// The system takes no socket under a name of more than 107 bytes; the folder's path may be longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_with_a_long_path_has_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(90)).join("b".repeat(90));
    std::fs::create_dir_all(&deep).unwrap();
    let options = Options {
        commands: Some(ostiary::cli::commands()),
        ..Options::default()
    };
    let server = Application::start(configuration(&deep), Clock::default(), options)
        .await
        .unwrap();
    let terminal = crate::support::cli::Terminal::at(&deep);
    let keys = terminal.run(&["keys", "list", "--json"]).await.json();
    assert_eq!(keys.as_array().unwrap().len(), 3);
    assert!(deep.join("data/control.sock").exists());
    server.stop().await;
    assert!(!deep.join("data/control.sock").exists());
}

/// What the configuration takes as the cost of a hash can be computed; what can't be is refused under its key's name.
#[tokio::test]
async fn hash_costs_that_are_taken_can_be_paid() {
    use ostiary::config::{Config, File};
    use ostiary::credential::{Parameters, Passwords};
    let read = |memory: u32, iterations: u32, parallelism: u32| {
        let variables = [
            ("OSTIARY_HASHING__MEMORY_KIB", memory.to_string()),
            ("OSTIARY_HASHING__ITERATIONS", iterations.to_string()),
            ("OSTIARY_HASHING__PARALLELISM", parallelism.to_string()),
        ];
        Config::read(None::<File>, variables).map_err(|problems| problems.to_string())
    };
    for memory in [12_288, 19_456, 47_104, 65_536, 131_072, 131_073, 4_000_000] {
        for iterations in [1, 2, 3, 4, 5, 11, 43, 1_000] {
            for parallelism in [1, 16, 17, 64] {
                let parameters = Parameters {
                    memory_kib: memory,
                    iterations,
                    parallelism,
                };
                let payable = Passwords::new(parameters, 1, 1).is_ok();
                match read(memory, iterations, parallelism) {
                    Ok(_) => assert!(payable, "{parameters:?}"),
                    Err(told) => assert!(told.contains("OSTIARY_HASHING__"), "{told}"),
                }
            }
        }
    }
    assert!(read(131_073, 1, 1).unwrap_err().contains("OSTIARY_HASHING__MEMORY_KIB"));
    assert!(read(131_072, 5, 1).unwrap_err().contains("OSTIARY_HASHING__ITERATIONS"));
    assert!(
        read(19_456, 2, 17)
            .unwrap_err()
            .contains("OSTIARY_HASHING__PARALLELISM")
    );
}
