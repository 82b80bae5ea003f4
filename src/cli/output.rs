//! What commands print: tables and sentences for people, JSON for machines.

use serde_json::Value;

/// What a command prints.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// On standard output.
    pub(super) text: String,
    /// On standard error, for whoever watches: what the output does not say. Empty if there is nothing.
    pub(super) remark: String,
}

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    People,
    Json,
}

impl Output {
    /// This and nothing else.
    pub(super) fn text(text: String) -> Self {
        Self {
            text,
            remark: String::new(),
        }
    }

    /// With a remark beside it.
    #[must_use]
    pub(super) fn remarking(self, remark: impl Into<String>) -> Self {
        Self {
            remark: remark.into(),
            ..self
        }
    }

    /// A sentence.
    pub(super) fn line(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.push('\n');
        Self::text(text)
    }

    /// JSON.
    pub(super) fn json(value: &Value) -> Self {
        Self::line(format!("{value:#}"))
    }

    /// JSON or text, as asked.
    pub(super) fn either(shape: Shape, value: &Value, people: impl FnOnce() -> String) -> Self {
        match shape {
            Shape::Json => Self::json(value),
            Shape::People => Self::text(people()),
        }
    }

    /// A list: a JSON array, or a table of these members.
    pub(super) fn table(shape: Shape, rows: &[Value], columns: &[&str]) -> Self {
        match shape {
            Shape::Json => Self::json(&Value::Array(rows.to_vec())),
            Shape::People => Self::text(draw(rows, columns)),
        }
    }

    /// One thing: a JSON object, or its members line by line.
    pub(super) fn thing(shape: Shape, value: &Value) -> Self {
        Self::either(shape, value, || {
            let Value::Object(members) = value else {
                return String::new();
            };
            let width = members.keys().map(|name| name.chars().count()).max().unwrap_or(0);
            members
                .iter()
                .map(|(name, value)| format!("{name:width$}  {}\n", cell(value)))
                .collect()
        })
    }
}

fn draw(rows: &[Value], columns: &[&str]) -> String {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| column.replace('_', " ")).collect()];
    lines.extend(rows.iter().map(|row| {
        let cells = columns
            .iter()
            .map(|column| row.get(column).map(cell).unwrap_or_default());
        cells.collect()
    }));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A value as people read it. Control characters of stored text never reach the terminal.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.replace(char::is_control, " ")
}
