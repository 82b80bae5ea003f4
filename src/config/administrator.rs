//! `admin_email` and `admin_password`: the first administrator, for installations without a person at the keyboard.

use super::address;
use super::entries::Entries;
use super::problem::Problem;
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
        let (email_there, password_there) = (entries.has("admin_email"), entries.has("admin_password"));
        let email = entries.take("admin_email", address::mail);
        let password = entries.take("admin_password", address::password);
        if email_there && !password_there {
            entries.note(Problem::Lonely {
                present: "admin_email",
                missing: "admin_password",
            });
        }
        if password_there && !email_there {
            entries.note(Problem::Lonely {
                present: "admin_password",
                missing: "admin_email",
            });
        }
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}
