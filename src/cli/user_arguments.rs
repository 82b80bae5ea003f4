//! The arguments of `users`.

use clap::{Args, Subcommand};

use super::arguments::{Json, PasswordFrom};
use crate::flow::people::Search;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Users {
    /// List users, by their making unless told. Those that were deactivated are not among them unless asked for.
    List {
        #[command(flatten)]
        which: Which,
        /// By what they are sorted, `-` before what goes the other way round: `-signed_in_at`. Repeatable.
        #[arg(long, value_name = "FIELD", allow_hyphen_values = true, value_delimiter = ',')]
        sort: Vec<String>,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Write users to standard output, as a table or as JSON: all but those in the bin, or some.
    Export(super::user_export::ExportUsers),
    /// Make a user.
    Create(Box<CreateUser>),
    /// Show a user, by username or mail address.
    Show {
        user: String,
        #[command(flatten)]
        json: Json,
    },
    /// Deactivate a user: no more sign-ins, all sessions and tokens end.
    Deactivate { user: String },
    /// Reactivate a user; whoever was invited and never signed in is invited, not active.
    Reactivate { user: String },
    /// Mail a user who has not signed in, or was deactivated, a link by which they choose a password.
    SendInvitation { user: String },
    /// Say from when until when a user's account may be used. It ends at that moment, with all sessions and tokens.
    Term {
        user: String,
        /// From when on: 2027-01-31T08:00:00+01:00, or 2027-01-31 for the beginning of that day (UTC); `none` takes it away.
        #[arg(long, value_name = "MOMENT", required_unless_present = "expires_at")]
        starts_at: Option<String>,
        /// Until when, likewise.
        #[arg(long, value_name = "MOMENT")]
        expires_at: Option<String>,
    },
    /// Set a property of a user that an administrator has defined; `null` takes it away.
    SetProperty {
        user: String,
        name: String,
        /// JSON, or a text.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Delete a user: every session and token ends, and the account is in the bin for a while (`account.bin`).
    Delete {
        user: String,
        /// It is gone at once and for good, also out of the bin.
        #[arg(long)]
        erase: bool,
    },
    /// Take a user out of the bin.
    Restore { user: String },
    /// Do one thing with many users: at once with a few that are named, as a job with others.
    Bulk(Box<super::jobs::Bulk>),
    /// List a user's second factors.
    Factors {
        user: String,
        #[command(flatten)]
        json: Json,
    },
    /// Take second factors of a user away, because a device is lost: all of them and the recovery codes, or one.
    ResetFactors {
        user: String,
        /// This one alone: its id, as `users factors` shows it.
        #[arg(long, value_name = "ID")]
        factor: Option<String>,
    },
    /// Ask a user for the second factor on every device again, also where it was not asked for a while.
    AskEverywhere { user: String },
    /// Say what a user has to do at the next sign-in before they are in: all of it, in the place of what was said before.
    Require {
        user: String,
        /// `change_password`, `enrol_factor`, `verify_email`, `update_profile`, `accept_terms`.
        #[arg(value_name = "ACTION", required_unless_present = "nothing")]
        actions: Vec<String>,
        /// Nothing any more.
        #[arg(long, conflicts_with = "actions")]
        nothing: bool,
    },
    /// Set a user's password; all sessions and tokens end.
    SetPassword {
        user: String,
        /// Where the new password comes from.
        #[arg(long, value_enum, value_name = "FROM", default_value_t = PasswordFrom::Prompt)]
        password: PasswordFrom,
        /// Take a password that the policy calls weak.
        #[arg(long)]
        accept_weak: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Forgive the wrong guesses at a user's password and second factors, so that nobody waits for them.
    Unlock { user: String },
    /// Mail somebody a link to an account of their own.
    Invite {
        email: String,
        /// The language of the mail: en, de or fr.
        #[arg(long)]
        locale: Option<String>,
    },
    /// Put a user into a group.
    AddToGroup { user: String, group: String },
    /// Take a user out of a group.
    RemoveFromGroup { user: String, group: String },
}

#[derive(Clone, Debug, Args)]
pub(super) struct CreateUser {
    pub(super) username: String,
    /// What the account is for: `default`, `admin` or `server`, to which nobody signs in: it has a client, whose secret is shown once.
    #[arg(long = "type", value_name = "TYPE", default_value = "default")]
    pub(super) kind: String,
    /// What the client of a server's account may ask for. Repeatable.
    #[arg(long, value_name = "SCOPE")]
    pub(super) scope: Vec<String>,
    #[arg(long)]
    pub(super) email: Option<String>,
    /// The mail address is known to be the person's.
    #[arg(long, requires = "email")]
    pub(super) email_verified: bool,
    #[arg(long)]
    pub(super) given_name: Option<String>,
    #[arg(long)]
    pub(super) family_name: Option<String>,
    #[arg(long)]
    pub(super) locale: Option<String>,
    #[arg(long)]
    pub(super) company: Option<String>,
    /// A property that an administrator has defined, its value as JSON or a text. Repeatable.
    #[arg(long = "property", value_name = "NAME=VALUE")]
    pub(super) properties: Vec<String>,
    /// A group to be in; the first is the primary one. Repeatable.
    #[arg(long = "group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,
    /// Where the password comes from.
    #[arg(long, value_enum, value_name = "FROM", default_value_t = PasswordFrom::Generate)]
    pub(super) password: PasswordFrom,
    /// Take a password that the policy calls weak.
    #[arg(long)]
    pub(super) accept_weak: bool,
    /// What the person has to do at the first sign-in: `change_password`, `enrol_factor`, `verify_email`, `update_profile`, `accept_terms`. Repeatable.
    #[arg(long = "require", value_name = "ACTION")]
    pub(super) require: Vec<String>,
    /// From when on the account may be used: 2027-01-31T08:00:00+01:00, or 2027-01-31 for the beginning of that day (UTC).
    #[arg(long, value_name = "MOMENT")]
    pub(super) starts_at: Option<String>,
    /// Until when, likewise: everything of it ends at that moment.
    #[arg(long, value_name = "MOMENT")]
    pub(super) expires_at: Option<String>,
    /// Tell the person by mail.
    #[arg(long, requires = "email")]
    pub(super) welcome: bool,
    /// Invite the person: they are mailed a link by which they choose a password, and the account is active when they first sign in.
    #[arg(long, requires = "email", conflicts_with_all = ["password", "inactive"])]
    pub(super) invite: bool,
    /// Make the account inactive: it waits until it is reactivated, or the person is invited.
    #[arg(long)]
    pub(super) inactive: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// Which users.
#[derive(Clone, Debug, Args)]
pub(super) struct Which {
    /// Those of whom this holds: `groups eq "staff" and signed_in_at lt "now-90d"`.
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Those who have a word that begins like this, for each of these, in their names, addresses and numbers.
    #[arg(long, visible_alias = "beginning")]
    pub(super) words: Option<String>,
    /// Also those that were deactivated.
    #[arg(long)]
    pub(super) inactive: bool,
    /// Those in the bin.
    #[arg(long, conflicts_with_all = ["filter", "words", "inactive"])]
    pub(super) bin: bool,
}

impl Which {
    pub(super) fn search(&self) -> Search {
        Search {
            words: self.words.clone(),
            filter: match self.bin {
                true => Some("status eq \"deleted\"".to_owned()),
                false => self.filter.clone(),
            },
            sort: Vec::new(),
            inactive: self.inactive,
        }
    }

    pub(super) const fn is_named(&self) -> bool {
        self.filter.is_some() || self.words.is_some() || self.bin
    }
}
