//! Lists, page by page.

/// A page of a list, and the position after which the next begins, if there is one.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next begins. Whoever hands it out authenticates it.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page out of one item more than fits on it.
    pub fn cut(mut items: Vec<T>, limit: u32, position: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(position);
        Self { items, next }
    }
}
