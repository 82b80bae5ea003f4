//! What a table holds, in a count and a digest that are the same on both engines.
//!
//! The digest of a table is made of a canonical form that both engines give: of each row, column by column in the order of
//! their names, kind, presence, length and bytes; SHA-256 of that; and the sum of the rows' digests, so that the order in
//! which a database gives its rows does not matter.

use super::Value;
use crate::crypto::Sha256;

/// A table as it was found on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// The sum of the rows' digests, in hexadecimal.
    pub digest: String,
}

/// Count and digest of the rows so far.
#[derive(Default)]
pub(super) struct Sum {
    rows: u64,
    lanes: [u64; 4],
}

impl Sum {
    /// One more row, its columns in the order of their names.
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut digest = Sha256::new();
        for value in row {
            let (kind, bytes) = canonical(value);
            digest.add(&[kind, u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            digest.add(&(bytes.len() as u64).to_be_bytes());
            digest.add(&bytes);
        }
        let digest = digest.end();
        for (lane, part) in self.lanes.iter_mut().zip(digest.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_be_bytes(*part));
        }
        self.rows += 1;
    }

    /// How many rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// What it comes to for the table of this name.
    pub(super) fn end(self, table: &'static str) -> Summary {
        Summary {
            table,
            rows: self.rows,
            digest: self.lanes.iter().map(|lane| format!("{lane:016x}")).collect(),
        }
    }
}

fn canonical(value: &Value) -> (u8, Option<Vec<u8>>) {
    match value {
        Value::Int(value) => (1, value.map(|value| value.to_be_bytes().to_vec())),
        Value::Bool(value) => (2, value.map(|value| vec![u8::from(value)])),
        Value::Text(value) => (3, value.as_ref().map(|value| value.as_bytes().to_vec())),
        Value::Bytes(value) => (4, value.clone()),
        Value::Uuid(value) => (5, value.map(|value| value.as_bytes().to_vec())),
    }
}
