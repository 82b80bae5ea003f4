//! Places where a process can be told to stand still or to fail: before and after every statement and every commit.
//!
//! They exist for the tests that kill a server between any two steps. Without the feature `failpoints`, which only the
//! tests' own build has, nothing of them is compiled: the type is empty and its calls are nothing.
//!
//! A folder steers them. A file `armed` in it holds an action (`pause`, `panic`), an edge (`before`, `after`) and a label,
//! with single blanks between; who reaches that place first renames the file to `reached` and does it. While a file
//! `record` is there, every edge and label that is passed is added to it.
//!
//! Inside a test's own process a function steers them: it is told of each step, says when to go on, and may let it fail.

/// Which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and nobody knows yet.
    After,
}

/// Where a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a connection that only reads, and that holds nobody up.
    Reader,
    /// Inside a transaction: on SQLite it holds up everybody who writes.
    Transaction,
    /// The commit of a transaction.
    Commit,
    /// SQLite's commit of a whole group.
    Group,
}

#[cfg(not(feature = "failpoints"))]
mod places {
    use super::{Edge, Place};
    use crate::sql::Error;

    /// The places of a database: none in this build.
    #[derive(Clone, Debug, Default)]
    pub struct Failpoints(());

    /// What a transaction has done: not remembered in this build.
    #[derive(Default)]
    pub(in crate::sql) struct Steps(());

    /// A statement's name: none in this build.
    pub(in crate::sql) struct Name(());

    impl Steps {
        #[inline(always)]
        pub(in crate::sql) async fn begin(&self, _: &Failpoints, _: &str, _: Place) -> Result<Name, Error> {
            Ok(Name(()))
        }

        #[inline(always)]
        pub(in crate::sql) async fn end(&mut self, _: &Failpoints, _: Name, _: Place) -> Result<(), Error> {
            Ok(())
        }
    }

    impl Failpoints {
        #[inline(always)]
        pub(in crate::sql) fn are_steered(&self) -> bool {
            false
        }

        #[inline(always)]
        pub(in crate::sql) async fn commit(&self, _: Edge, _: &Steps) -> Result<(), Error> {
            Ok(())
        }

        #[inline(always)]
        pub(in crate::sql) async fn group(&self, _: Edge) {}
    }
}

#[cfg(feature = "failpoints")]
mod places {
    use std::fs;
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::pin::Pin;
    use std::sync::Arc;

    use super::{Edge, Place};
    use crate::sql::Error;

    /// How much of a statement's text names it.
    const NAME: usize = 80;

    /// The places of a database, steered by a folder or a function; none without one.
    #[derive(Clone, Default)]
    pub struct Failpoints(Option<Steer>);

    #[derive(Clone)]
    enum Steer {
        Folder(Arc<PathBuf>),
        Function(Arc<dyn Fn(Step) -> Answer + Send + Sync>),
    }

    /// When a step may go on, and whether it does: otherwise the database does not answer.
    pub type Answer = Pin<Box<dyn Future<Output = Verdict> + Send>>;

    /// What becomes of a step.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Verdict {
        /// It goes on.
        Goes,
        /// It fails; on the edge after it, only its answer is lost.
        Fails,
    }

    /// A step that was reached.
    #[derive(Clone, Debug)]
    pub struct Step {
        /// Which side of it.
        pub edge: Edge,
        /// The beginning of its statement; or of a commit, what was done before it.
        pub label: String,
        /// Where it is done.
        pub place: Place,
    }

    /// What a transaction has done: the names of its statements.
    #[derive(Default)]
    pub(in crate::sql) struct Steps(Vec<String>);

    impl Steps {
        /// Before a statement: its name.
        pub(in crate::sql) async fn begin(
            &self,
            failpoints: &Failpoints,
            text: &str,
            place: Place,
        ) -> Result<String, Error> {
            if failpoints.0.is_none() {
                return Ok(String::new());
            }
            let name = name(text);
            failpoints.pass(Edge::Before, &name, place).await?;
            Ok(name)
        }

        /// After the statement of this name.
        pub(in crate::sql) async fn end(
            &mut self,
            failpoints: &Failpoints,
            name: String,
            place: Place,
        ) -> Result<(), Error> {
            if failpoints.0.is_some() {
                failpoints.pass(Edge::After, &name, place).await?;
                self.0.push(name);
            }
            Ok(())
        }
    }

    impl Failpoints {
        /// Steered by this folder.
        pub fn steered_by(folder: PathBuf) -> Self {
            Self(Some(Steer::Folder(Arc::new(folder))))
        }

        /// Steered by this function.
        pub fn told_to(function: impl Fn(Step) -> Answer + Send + Sync + 'static) -> Self {
            Self(Some(Steer::Function(Arc::new(function))))
        }

        /// Whether somebody may want to stand between two steps: then none are taken in one go.
        pub(in crate::sql) fn are_steered(&self) -> bool {
            self.0.is_some()
        }

        pub(in crate::sql) async fn commit(&self, edge: Edge, steps: &Steps) -> Result<(), Error> {
            if self.0.is_some() {
                let label = format!("commit of {}", steps.0.join("; "));
                self.pass(edge, &label, Place::Commit).await?;
            }
            Ok(())
        }

        /// SQLite's commit of a whole group.
        pub(in crate::sql) async fn group(&self, edge: Edge) {
            if self.0.is_some() {
                drop(self.pass(edge, "commit of a group", Place::Group).await);
            }
        }

        async fn pass(&self, edge: Edge, label: &str, place: Place) -> Result<(), Error> {
            match &self.0 {
                None => Ok(()),
                Some(Steer::Folder(folder)) => {
                    obey(folder, edge, label).await;
                    Ok(())
                }
                Some(Steer::Function(function)) => {
                    let label = label.to_owned();
                    match function(Step { edge, label, place }).await {
                        Verdict::Goes => Ok(()),
                        Verdict::Fails => Err(Error::unavailable("a failpoint")),
                    }
                }
            }
        }
    }

    #[expect(clippy::panic, reason = "what it is there for, in builds that nobody ships")]
    async fn obey(folder: &Path, edge: Edge, label: &str) {
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
            "panic" => std::panic::panic_any("a failpoint"),
            _ => std::future::pending().await,
        }
    }

    fn name(text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        let name: String = words.join(" ").chars().take(NAME).collect();
        name.trim_end().to_owned()
    }
}

pub use places::Failpoints;
pub(super) use places::Steps;
#[cfg(feature = "failpoints")]
pub use places::{Answer, Step, Verdict};
