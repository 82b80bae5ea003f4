//! The list of breached passwords, as operators build it and look into it.

pub use crate::credential::{BreachedList, Built, ListBuilder, NotBuilt, Unlisted};
