//! What happened to an account, in words.

use serde::{Deserialize, Serialize};

use super::own_profile::words;
use crate::view::{Account, Device, OwnPath};

/// A page of what happened, the last first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnEvents {
    /// Whose it is.
    pub account: Account,
    /// What happened.
    pub events: Vec<ToldEvent>,
    /// The page after this one.
    pub older: Option<OwnPath>,
    /// The first page, if this is another.
    pub newest: Option<OwnPath>,
    /// Where to change what looks wrong.
    pub lock: OwnPath,
    /// Where to go back.
    pub back: OwnPath,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToldEvent {
    /// What.
    pub what: Happened,
    /// Whether it was refused.
    pub refused: bool,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who did it, where it was not the person.
    pub by: Option<Doer>,
    /// The application that it is about.
    pub application: Option<String>,
    /// The browser and device, where known.
    pub device: Option<Device>,
    /// From where.
    pub place: Option<String>,
}

words! {
    /// What can happen.
    Happened {
        /// A sign-in.
        SignIn = "sign_in",
        /// A proof given once more.
        SignInAgain = "sign_in_again",
        /// A sign-in that was turned away.
        SignInRefused = "sign_in_refused",
        /// A session ended.
        SignOut = "sign_out",
        /// A device was blocked.
        DeviceBlocked = "device_blocked",
        /// A device is blocked no more.
        DeviceUnblocked = "device_unblocked",
        /// A device was let in.
        DeviceAdmitted = "device_admitted",
        /// A device was forgotten.
        DeviceForgotten = "device_forgotten",
        /// The second factor is not asked for on a device.
        DeviceRemembered = "device_remembered",
        /// It is asked for everywhere again.
        DevicesNotRemembered = "devices_not_remembered",
        /// A second factor came.
        FactorAdded = "factor_added",
        /// One got another name.
        FactorRenamed = "factor_renamed",
        /// One went.
        FactorRemoved = "factor_removed",
        /// There may be two of a passkey.
        PasskeyCloned = "passkey_cloned",
        /// There are other recovery codes.
        RecoveryCodesRenewed = "recovery_codes_renewed",
        /// One was used.
        RecoveryCodeUsed = "recovery_code_used",
        /// An application was allowed something.
        Allowed = "allowed",
        /// Some of it was taken back.
        Narrowed = "narrowed",
        /// All of it was.
        Withdrawn = "withdrawn",
        /// A token came twice: what hung on it has ended.
        Replayed = "replayed",
        /// The account was made.
        Created = "created",
        /// Its data changed.
        Changed = "changed",
        /// It was deactivated.
        Deactivated = "deactivated",
        /// That was taken back.
        Reactivated = "reactivated",
        /// It was deleted, and is in the bin.
        Binned = "binned",
        /// It is back.
        Restored = "restored",
        /// Its owner was invited to it.
        Invited = "invited",
        /// They have come in.
        Activated = "activated",
        /// It came to its end.
        Expired = "expired",
        /// It was locked.
        Locked = "locked",
        /// It was unlocked.
        Unlocked = "unlocked",
        /// It is to be deleted.
        Leaving = "leaving",
        /// It is not after all.
        Stayed = "stayed",
        /// Everything that is kept was downloaded.
        Exported = "exported",
        /// The password has to be replaced.
        PasswordExpired = "password_expired",
        /// A link to a new one was mailed.
        PasswordLinkMailed = "password_link_mailed",
        /// A new one was set.
        PasswordChanged = "password_changed",
        /// Another mail address was asked for.
        EmailAsked = "email_asked",
        /// A mail address was confirmed.
        EmailConfirmed = "email_confirmed",
        /// A telephone number was asked about.
        PhoneAsked = "phone_asked",
        /// It was confirmed.
        PhoneConfirmed = "phone_confirmed",
        /// It was taken away.
        PhoneRemoved = "phone_removed",
        /// Terms of use were accepted.
        Terms = "terms",
        /// The groups have changed.
        Groups = "groups",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// Who did something.
    Doer {
        /// Somebody who administers the account.
        Administrator = "administrator",
        /// An application.
        Application = "application",
        /// The server.
        Server = "server",
        /// Nobody known.
        Unknown = "unknown",
    }
}

impl OwnEvents {
    /// One of each.
    pub fn sample() -> Self {
        let doers = [None].into_iter().chain(Doer::ALL.iter().copied().map(Some)).cycle();
        let events = Happened::ALL.iter().zip(doers).map(|(what, by)| ToldEvent {
            what: *what,
            refused: *what == Happened::SignInRefused,
            at: 1_800_000_000_000_000,
            by,
            application: Some("Shop".to_owned()),
            device: Some(Device::read(
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            )),
            place: Some("192.0.2.7".to_owned()),
        });
        Self {
            account: Account::sample(),
            events: events.collect(),
            older: Some(OwnPath::or_home("/account/activity?after=Zm9v")),
            newest: Some(OwnPath::or_home("/account/activity")),
            lock: OwnPath::or_home("/account/lock"),
            back: OwnPath::or_home("/account"),
        }
    }
}
