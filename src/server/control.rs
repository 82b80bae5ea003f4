//! The local socket: commands beside a running server are run by it, so that the embedded store has one writer and the
//! server's memory is never stale. One request a connection, JSON on one line each way. The socket belongs to the server's
//! account alone.

use std::future::Future;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Error;
use super::application::control_path;
use crate::config::Config;
use crate::flow::Provider;
use crate::model::Secret;

/// The longest request: a file of `apply`, mostly.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What every system takes as the name of a socket.
const LONGEST_NAME: usize = 100;
/// A request must be there within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// A command as it travels.
#[derive(Deserialize, Serialize)]
pub struct Request {
    /// The words of the command line after the program's name. They hold no secret.
    pub arguments: Vec<String>,
    /// What the command reads: a password, a file.
    #[serde(serialize_with = "maybe_exposed")]
    pub input: Option<Secret>,
}

/// What became of a command.
#[derive(Debug, Deserialize, Serialize)]
pub struct Answer {
    /// What goes to standard output; it may hold a secret that is shown once.
    #[serde(serialize_with = "exposed")]
    pub output: Secret,
    /// What goes to standard error.
    pub complaint: String,
    /// The exit code.
    pub code: u8,
    /// There is more to do, and the same command does it: what is on standard error says how far it is.
    #[serde(default)]
    pub unfinished: bool,
    /// What the same command reads the next time, if it is not what it read before.
    #[serde(default, serialize_with = "maybe_exposed")]
    pub next: Option<Secret>,
}

fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn maybe_exposed<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

/// What runs commands.
pub type Commands = Arc<dyn Fn(Provider, Request) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// The listening end.
pub(super) struct ControlSocket {
    path: PathBuf,
    serving: JoinHandle<()>,
}

impl ControlSocket {
    /// Listens. A socket that an ended process left behind is replaced; the data folder's lock says that it has ended.
    pub(super) fn open(
        path: PathBuf,
        commands: Commands,
        provider: Provider,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(path, "an old socket can't be removed")(error));
            }
            _ => (),
        }
        let bound = near(&path, |near| UnixListener::bind(near)).and_then(|listener| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        let listener = bound.map_err(Error::file(&path, "the local socket can't be made"))?;
        Ok(Self {
            path,
            serving: tokio::spawn(serve(listener, commands, provider, stop)),
        })
    }

    /// Waits for commands that run, and removes the socket.
    pub(super) async fn close(self) {
        drop(self.serving.await);
        drop(std::fs::remove_file(self.path));
    }
}

/// Uses a socket under a name that is short enough for the system (108 bytes on Linux): where the folder's path is too long,
/// the open folder is named instead.
fn near<T>(path: &Path, with: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return with(path);
    };
    if path.as_os_str().len() <= LONGEST_NAME {
        return with(path);
    }
    let folder = std::fs::File::open(folder)?;
    with(
        &Path::new("/proc/self/fd")
            .join(folder.as_raw_fd().to_string())
            .join(name),
    )
}

async fn serve(listener: UnixListener, commands: Commands, provider: Provider, mut stop: watch::Receiver<bool>) {
    let mut running = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            running.spawn(answer(stream, commands.clone(), provider.clone()));
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

async fn answer(stream: UnixStream, commands: Commands, provider: Provider) {
    let (reader, mut writer) = stream.into_split();
    let mut line = Zeroizing::new(String::new());
    let mut reader = BufReader::new(reader.take(MOST_BYTES));
    let Ok(Ok(_)) = timeout(REQUEST_WITHIN, reader.read_line(&mut line)).await else {
        return;
    };
    let Ok(request) = serde_json::from_str::<Request>(&line) else {
        return;
    };
    let answer = commands(provider, request).await;
    let Ok(text) = serde_json::to_vec(&answer) else {
        return;
    };
    let text = Zeroizing::new(text);
    // whoever asked and went away does not want the answer
    drop(writer.write_all(&text).await);
    drop(writer.shutdown().await);
}

/// Has the running server do it. None if none runs.
///
/// # Errors
/// [`Error::Control`] if one runs but does not answer.
pub async fn ask(config: &Config, request: &Request) -> Result<Option<Answer>, Error> {
    let path = control_path(config);
    let Ok(mut stream) = near(&path, |near| std::os::unix::net::UnixStream::connect(near)).and_then(|stream| {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }) else {
        return Ok(None);
    };
    let answered = async {
        let mut line = Zeroizing::new(serde_json::to_vec(request)?);
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut text = Zeroizing::new(Vec::new());
        stream.read_to_end(&mut text).await?;
        Ok(serde_json::from_slice(&text)?)
    };
    let answered: std::io::Result<Answer> = answered.await;
    answered.map(Some).map_err(|source| Error::Control { path, source })
}
