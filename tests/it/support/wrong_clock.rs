//! Processes on a machine whose clock is wrong (`clock.c`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is loaded before such a process.
pub struct WrongClock {
    library: PathBuf,
    seconds: i64,
}

impl WrongClock {
    /// Wrong by so many seconds. The file it needs is made in this folder.
    pub fn by(seconds: i64, folder: &Path) -> Self {
        let library = folder.join("clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/clock.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status();
        assert!(
            status.unwrap().success(),
            "the C compiler that builds the program builds this too"
        );
        Self { library, seconds }
    }

    /// The variables of such a process.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("OSTIARY_TEST_CLOCK", self.seconds.to_string()),
        ]
    }
}
