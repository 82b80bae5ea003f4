//! A disk that can be read back as it was at any moment, and that fails when it is told to: see `disk.c`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ostiary::random;

use super::process::Plan;

/// How much of a write a disk keeps or loses as a whole.
const SECTOR: usize = 512;

/// The disk of one node's embedded store.
pub struct Disk {
    library: PathBuf,
    log: PathBuf,
    fault: PathBuf,
    /// The database's file before the node was started.
    before: Vec<u8>,
}

/// What happened to one of the two files.
#[derive(Clone)]
enum Operation {
    Write { offset: usize, bytes: Vec<u8> },
    Cut { length: usize },
    Sync,
}

/// Everything that happened, with the place in the log where each ended.
pub struct History {
    before: Vec<u8>,
    operations: Vec<(usize, usize, Operation)>,
}

/// The two files as they may be after the power was cut.
pub struct Image {
    pub database: Vec<u8>,
    pub log: Vec<u8>,
}

impl Disk {
    /// In this folder, for the store in that file.
    pub fn make(folder: &Path, database: &Path) -> Self {
        let library = folder.join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/disk.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(
            status.unwrap().success(),
            "the C compiler that builds the program builds this too"
        );
        Self {
            library,
            log: folder.join("disk.log"),
            fault: folder.join("disk.fault"),
            before: std::fs::read(database).unwrap(),
        }
    }

    /// A plan of a node that writes through it.
    pub fn under(&self, plan: Plan) -> Plan {
        plan.with("LD_PRELOAD", self.library.display().to_string())
            .with("OSTIARY_TEST_DISK_LOG", self.log.display().to_string())
            .with("OSTIARY_TEST_DISK_FAULT", self.fault.display().to_string())
    }

    /// No space is left.
    pub fn fill(&self) {
        std::fs::write(&self.fault, "f").unwrap();
    }

    /// Nothing can be written.
    pub fn make_read_only(&self) {
        std::fs::write(&self.fault, "r").unwrap();
    }

    /// Syncs fail.
    pub fn break_syncs(&self) {
        std::fs::write(&self.fault, "s").unwrap();
    }

    /// Everything is well again.
    pub fn mend(&self) {
        std::fs::remove_file(&self.fault).unwrap();
    }

    /// How much has happened until now: what is acknowledged by then has to survive from there on.
    pub fn position(&self) -> usize {
        usize::try_from(std::fs::metadata(&self.log).unwrap().len()).unwrap()
    }

    /// Everything that happened.
    pub fn history(&self) -> History {
        let text = std::fs::read(&self.log).unwrap();
        let number = |at: usize| usize::try_from(u64::from_le_bytes(text[at..at + 8].try_into().unwrap())).unwrap();
        let mut operations = Vec::new();
        let mut at = 0;
        while at + 18 <= text.len() {
            let (what, file, offset, length) = (text[at], usize::from(text[at + 1]), number(at + 2), number(at + 10));
            at += 18;
            let operation = match what {
                b'w' => {
                    let bytes = text[at..at + length].to_vec();
                    at += length;
                    Operation::Write { offset, bytes }
                }
                b't' => Operation::Cut { length },
                _ => Operation::Sync,
            };
            operations.push((at, file, operation));
        }
        History {
            before: self.before.clone(),
            operations,
        }
    }
}

impl History {
    /// Where syncs ended: after how many operations, and at which place in the log.
    pub fn syncs(&self) -> Vec<(usize, usize)> {
        let of = |(index, (at, _, operation)): (usize, &(usize, usize, Operation))| {
            matches!(operation, Operation::Sync).then_some((index + 1, *at))
        };
        self.operations.iter().enumerate().filter_map(of).collect()
    }

    /// How often the database's own file was synced: checkpoints.
    pub fn checkpoints(&self) -> usize {
        let of_database =
            |(_, file, operation): &&(usize, usize, Operation)| *file == 0 && matches!(operation, Operation::Sync);
        self.operations.iter().filter(of_database).count()
    }

    /// The place in the log after so many operations.
    pub fn position(&self, operations: usize) -> usize {
        operations.checked_sub(1).map_or(0, |last| self.operations[last].0)
    }

    /// How many operations there were.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// The files when the power is cut after so many operations: what was synced is there; of what was not, every sector may
    /// be there or not.
    pub fn cut_after(&self, operations: usize) -> Image {
        let mut files = [self.before.clone(), Vec::new()];
        let mut waiting: [Vec<Operation>; 2] = [Vec::new(), Vec::new()];
        for (_, file, operation) in &self.operations[..operations] {
            if let Operation::Sync = operation {
                for operation in waiting[*file].drain(..) {
                    apply(&mut files[*file], &operation, |_| true);
                }
            } else {
                waiting[*file].push(operation.clone());
            }
        }
        // all, nothing, or anything between
        let kept = [0, 100, 50, 90, 10][random::below(5) as usize];
        for (file, operations) in waiting.iter().enumerate() {
            for operation in operations {
                apply(&mut files[file], operation, |_| random::below(100) < kept);
            }
        }
        let [database, log] = files;
        Image { database, log }
    }
}

fn apply(file: &mut Vec<u8>, operation: &Operation, mut keeps: impl FnMut(usize) -> bool) {
    match operation {
        Operation::Sync => (),
        Operation::Cut { length } => {
            if keeps(0) {
                file.resize(*length, 0);
            }
        }
        Operation::Write { offset, bytes } => {
            let mut start = 0;
            while start < bytes.len() {
                // sectors lie where they lie on the disk, wherever the write begins
                let at = offset + start;
                let end = (start + SECTOR - at % SECTOR).min(bytes.len());
                if keeps(at) {
                    if file.len() < offset + end {
                        file.resize(offset + end, 0);
                    }
                    file[at..offset + end].copy_from_slice(&bytes[start..end]);
                }
                start = end;
            }
        }
    }
}

impl Image {
    /// Writes it into a folder: the database's file.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ostiary.db");
        std::fs::write(&path, &self.database).unwrap();
        std::fs::write(folder.join("ostiary.db-wal"), &self.log).unwrap();
        drop(std::fs::remove_file(folder.join("ostiary.db-shm")));
        path
    }
}
