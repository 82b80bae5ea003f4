//! Whom somebody may see. Every list, search and piece of work on many people asks here, and nowhere else.

use super::Rights;
use crate::model::search::Condition;

/// What holds of everybody whom a caller with these rights may see.
pub const fn visible_to(_rights: &Rights) -> Condition {
    Condition::everybody()
}
