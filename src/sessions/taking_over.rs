//! From the embedded file to Redis: who is signed in on a single node stays so when it is given a Redis.

use std::path::{Path, PathBuf};

use super::embedded::Embedded;
use super::{AtLimit, Backend, Error, Limit, Sessions};
use crate::model::{Digest, Id, Timestamp, User};

/// So many sessions are read at a time.
const BATCH: u32 = 500;
/// So many are under way at once.
const AT_ONCE: usize = 32;
/// There was room for them where they are.
const ANY_NUMBER: Limit = Limit {
    max: None,
    at_limit: AtLimit::Refuse,
};

impl Sessions {
    /// Takes over the live sessions of an embedded file, and renames the file afterwards, so that it happens once. Done again
    /// after an interruption it begins anew and takes over no session twice. None: there is no such file, or this is none
    /// that is beside it. Gives how many there were.
    ///
    /// # Errors
    /// [`Error`]: the file is as it was, and some of its sessions may be here already.
    pub async fn take_over(&self, file: &Path, now: Timestamp) -> Result<Option<u64>, Error> {
        if matches!(self.0, Backend::Embedded(_)) || !file.exists() {
            return Ok(None);
        }
        let embedded = Embedded::open(file).await?;
        let mut taken = 0_u64;
        let mut after: Option<(Id<User>, Digest)> = None;
        loop {
            let batch = embedded.list_from(after.as_ref(), now, BATCH).await?;
            for some in batch.chunks(AT_ONCE) {
                let under_way = some
                    .iter()
                    .map(|(token, session)| self.put_back(token, session, ANY_NUMBER, now));
                futures_util::future::try_join_all(under_way).await?;
                taken = taken.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
            }
            match batch.last() {
                Some((token, session)) => after = Some((session.user, *token)),
                None => break,
            }
        }
        embedded.database().close().await;
        put_aside(file).map_err(Error::PutAside)?;
        Ok(Some(taken))
    }
}

/// What a file that was taken over is called.
pub fn taken_over(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".moved");
    PathBuf::from(name)
}

/// Nothing of its log may stay: it would be taken for that of another file of this name.
fn put_aside(file: &Path) -> std::io::Result<()> {
    std::fs::rename(file, taken_over(file))?;
    for beside in ["-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}
