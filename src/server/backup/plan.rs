//! The plan of a restore: which files change places. Written down before the first of them does, so that whoever takes the
//! data folder next can bring it to its end; each step knows by the files whether it was taken.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use crate::config::Config;
use crate::random;
use crate::server::Error;

const NAME: &str = "restore.plan";
/// What everything is called that a restore writes before it is decided.
pub(super) const DRAFT: &str = ".restore-";

/// The steps, in order.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Plan {
    /// A file, and where it goes. Both in one file system.
    moves: Vec<(PathBuf, PathBuf)>,
    /// Folders of drafts that are empty then.
    emptied: Vec<PathBuf>,
}

impl Plan {
    /// One more file changes its place.
    pub(super) fn move_file(&mut self, from: PathBuf, to: PathBuf) {
        self.moves.push((from, to));
    }

    /// One more folder is empty at the end.
    pub(super) fn empty(&mut self, folder: PathBuf) {
        self.emptied.push(folder);
    }

    /// Writes it down: from here on it happens. Then takes the steps.
    pub(super) fn carry_out(&self, data_dir: &Path) -> Result<(), Error> {
        let path = data_dir.join(NAME);
        let failed = Error::file(&path, "the plan of the restore can't be written");
        let written = (|| {
            let draft = data_dir.join(format!("{DRAFT}{}", random::hex_id()));
            let mut file = files::create(&draft)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            files::sync_folder(data_dir)
        })();
        written.map_err(failed)?;
        self.take_steps(&path)
    }

    fn take_steps(&self, plan: &Path) -> Result<(), Error> {
        for (from, to) in &self.moves {
            step(from, to).map_err(Error::file(from, "it can't be moved to its place"))?;
        }
        let ended = (|| {
            for path in self.moves.iter().flat_map(|(from, to)| [from, to]) {
                let folder = files::folder_of(path);
                if folder.is_dir() {
                    files::sync_folder(folder)?;
                }
            }
            fs::remove_file(plan)?;
            files::sync_folder(files::folder_of(plan))
        })();
        ended.map_err(Error::file(plan, "the restore can't be ended"))?;
        for folder in &self.emptied {
            drop(fs::remove_dir(folder));
        }
        Ok(())
    }
}

/// A step that was taken before has nothing left at `from`, or stands at `to` already.
fn step(from: &Path, to: &Path) -> io::Result<()> {
    if !from.exists() || to.exists() {
        return Ok(());
    }
    files::make_folder(files::folder_of(to))?;
    fs::rename(from, to)
}

/// Brings a restore to its end that was interrupted after it was decided; removes what one left that was not. Only for who
/// has the data folder.
pub(in crate::server) fn finish_interrupted(config: &Config) -> Result<(), Error> {
    let path = config.data_dir.join(NAME);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::sweep(&config.data_dir, DRAFT);
            files::sweep(&config.keys_dir, DRAFT);
            files::sweep(files::folder_of(&files::store_file(config)?), DRAFT);
            Ok(())
        }
        Err(error) => Err(Error::file(path, "the plan of an interrupted restore can't be read")(
            error,
        )),
        Ok(text) => {
            let plan: Plan = serde_json::from_slice(&text).map_err(|error| {
                Error::file(&path, "the plan of an interrupted restore can't be read")(error.into())
            })?;
            plan.take_steps(&path)?;
            tracing::info!("a restore that was interrupted is brought to its end");
            Ok(())
        }
    }
}
