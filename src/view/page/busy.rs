//! What somebody is shown whose password was not looked at, because too many others wait for theirs.

use serde::{Deserialize, Serialize};

/// A link to the page's own address, which shows the form again. The same for everybody: it is drawn once in each language.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Busy {}
