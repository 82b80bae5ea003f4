//! `admin_email` and `admin_password`: the first administrator, for installations without a person at the keyboard.

use super::address;
use super::entries::Entries;
use crate::model::Secret;

/// Who is made the first administrator when the store is empty. There is no default.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Mail address and user name.
    pub email: String,
    /// Counts only on an empty store.
    pub password: Secret,
}

impl Administrator {
    pub(super) fn read(entries: &mut Entries) -> Option<Self> {
        let lonely = entries.lonely(&[("admin_email", "admin_password"), ("admin_password", "admin_email")]);
        let email = entries.take("admin_email", address::mail);
        let password = entries.take("admin_password", address::password);
        entries.note(lonely);
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}
