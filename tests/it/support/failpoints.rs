//! Where a node is told to stand still or to fail: see `src/sql/failpoint.rs`.

use std::path::{Path, PathBuf};

use super::process::Plan;

/// The folder that steers one node.
pub struct Failpoints {
    folder: PathBuf,
}

impl Failpoints {
    /// In this folder, which is made.
    pub fn at(folder: &Path) -> Self {
        let folder = folder.join("failpoints");
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// A plan of a node that obeys.
    pub fn steer(&self, plan: Plan) -> Plan {
        plan.with("OSTIARY_TEST_FAILPOINTS", self.folder.display().to_string())
    }

    /// Writes down every step from now on.
    pub fn record(&self) {
        std::fs::write(self.folder.join("record"), "").unwrap();
    }

    /// What was passed since then, each step once, in the order of passing.
    pub fn recorded(&self) -> Vec<String> {
        let path = self.folder.join("record");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let mut steps: Vec<String> = Vec::new();
        for line in text.lines() {
            if !steps.iter().any(|known| known == line) {
                steps.push(line.to_owned());
            }
        }
        steps
    }

    /// Whoever reaches this step next does this: `pause` or `panic`.
    pub fn arm(&self, action: &str, step: &str) {
        drop(std::fs::remove_file(self.folder.join("reached")));
        std::fs::write(self.folder.join("armed"), format!("{action} {step}")).unwrap();
    }

    /// Nobody does anything any more.
    pub fn disarm(&self) {
        drop(std::fs::remove_file(self.folder.join("armed")));
    }

    /// Whether somebody reached it.
    pub fn is_reached(&self) -> bool {
        self.folder.join("reached").exists()
    }
}

/// Whether a step changes something: whatever lies between two that do not is the same for a store.
pub fn changes(step: &str) -> bool {
    let (_, label) = step.split_once(' ').unwrap();
    ["insert", "update", "delete", "commit"]
        .iter()
        .any(|word| label.starts_with(word))
}

/// Whether a step belongs to the timers of a node rather than to a request.
pub fn is_of_a_timer(step: &str) -> bool {
    step.contains("from generations") || step.contains("from outbox")
}
