//! Places where a process can be told to stand still or to fail: before and after every statement and every commit.
//!
//! They exist for the tests that kill a server between any two steps. Without the feature `failpoints`, which only the
//! tests' own build has, nothing of them is compiled: the type is empty and its calls are nothing.
//!
//! A folder steers them. A file `armed` in it holds an action (`pause`, `panic`), an edge (`before`, `after`) and a label,
//! with single blanks between; who reaches that place first renames the file to `reached` and does it. While a file
//! `record` is there, every edge and label that is passed is added to it.

/// Which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Before,
    After,
}

#[cfg(not(feature = "failpoints"))]
mod places {
    use super::Edge;

    /// The places of a database: none in this build.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Failpoints;

    /// What a transaction has done: not remembered in this build.
    #[derive(Default)]
    pub(in crate::sql) struct Steps;

    impl Steps {
        #[inline(always)]
        pub(in crate::sql) async fn begin(&self, _: &Failpoints, _: &str) {}

        #[inline(always)]
        pub(in crate::sql) async fn end(&mut self, _: &Failpoints, (): ()) {}
    }

    impl Failpoints {
        #[inline(always)]
        pub(in crate::sql) async fn commit(&self, _: Edge, _: &Steps) {}

        #[inline(always)]
        pub(in crate::sql) async fn group(&self, _: Edge) {}
    }
}

#[cfg(feature = "failpoints")]
mod places {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::Edge;

    /// How much of a statement's text names it.
    const NAME: usize = 80;

    /// The places of a database, steered by a folder; none without one.
    #[derive(Clone, Debug, Default)]
    pub struct Failpoints(Option<Arc<PathBuf>>);

    /// What a transaction has done: the names of its statements.
    #[derive(Default)]
    pub(in crate::sql) struct Steps(Vec<String>);

    impl Steps {
        /// Before a statement: its name.
        pub(in crate::sql) async fn begin(&self, failpoints: &Failpoints, text: &str) -> String {
            if failpoints.0.is_none() {
                return String::new();
            }
            let name = name(text);
            failpoints.pass(Edge::Before, &name).await;
            name
        }

        /// After the statement of this name.
        pub(in crate::sql) async fn end(&mut self, failpoints: &Failpoints, name: String) {
            if failpoints.0.is_some() {
                failpoints.pass(Edge::After, &name).await;
                self.0.push(name);
            }
        }
    }

    impl Failpoints {
        /// Steered by this folder.
        pub fn steered_by(folder: PathBuf) -> Self {
            Self(Some(Arc::new(folder)))
        }

        pub(in crate::sql) async fn commit(&self, edge: Edge, steps: &Steps) {
            if self.0.is_some() {
                self.pass(edge, &format!("commit of {}", steps.0.join("; "))).await;
            }
        }

        /// SQLite's commit of a whole group.
        pub(in crate::sql) async fn group(&self, edge: Edge) {
            if self.0.is_some() {
                self.pass(edge, "commit of a group").await;
            }
        }

        async fn pass(&self, edge: Edge, label: &str) {
            let Some(folder) = &self.0 else { return };
            let edge = match edge {
                Edge::Before => "before",
                Edge::After => "after",
            };
            if let Ok(mut record) = fs::OpenOptions::new().append(true).open(folder.join("record")) {
                drop(record.write_all(format!("{edge} {label}\n").as_bytes()));
            }
            let armed = folder.join("armed");
            let Ok(text) = fs::read_to_string(&armed) else { return };
            let Some((action, place)) = text.trim_end().split_once(' ') else {
                return;
            };
            if place.strip_prefix(edge).and_then(|rest| rest.strip_prefix(' ')) != Some(label)
                || fs::rename(&armed, folder.join("reached")).is_err()
            {
                return;
            }
            match action {
                "panic" => std::panic::resume_unwind(Box::new("a failpoint")),
                _ => std::future::pending().await,
            }
        }
    }

    fn name(text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(NAME).collect()
    }
}

pub use places::Failpoints;
pub(super) use places::Steps;
