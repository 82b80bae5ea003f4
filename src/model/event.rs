//! Events: who did what, from where, with what outcome and why.

use std::net::IpAddr;

use super::named::named;
use super::{Client, EventValues, Fact, Id, Timestamp, TraceId, User};

/// An entry of the audit log.
#[derive(Clone, Debug)]
pub struct Event {
    /// The row.
    pub id: Id<Event>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it was refused: a rule's name.
    pub reason: Option<&'static str>,
    /// Who did it.
    pub actor: Actor,
    /// Whom it was done to.
    pub user: Option<Id<User>>,
    /// For which client.
    pub client: Option<Id<Client>>,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's trace id.
    pub trace: TraceId,
    /// What else is worth knowing; never secrets.
    pub facts: Vec<(&'static str, Fact)>,
    /// What it changed, and how; kept apart.
    pub values: Option<EventValues>,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody known.
    Anonymous,
    /// A person.
    User(Id<User>),
    /// A client.
    Client(Id<Client>),
    /// Somebody at a terminal of the server's machine.
    Operator,
    /// The server itself.
    System,
}

impl Actor {
    /// The kind, for storage.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The id, for storage.
    pub const fn id(&self) -> Option<uuid::Uuid> {
        match self {
            Self::User(id) => Some(id.uuid()),
            Self::Client(id) => Some(id.uuid()),
            Self::Anonymous | Self::Operator | Self::System => None,
        }
    }
}

named! {
    /// How an action ended.
    Outcome {
        /// Done.
        Success = "success",
        /// Not done.
        Refused = "refused",
    }
}

named! {
    /// The catalogue of events; docs/events.md describes each.
    EventKind {
        /// A person proved who they are (or did not).
        SignIn = "sign_in",
        /// A session was ended.
        SignOut = "sign_out",
        /// A device was blocked: its sessions have ended.
        DeviceBlocked = "device.blocked",
        /// That was taken back.
        DeviceUnblocked = "device.unblocked",
        /// A device that waited was let in.
        DeviceAdmitted = "device.admitted",
        /// A device was forgotten.
        DeviceForgotten = "device.forgotten",
        /// The second factor is not asked for on a device for a while, as the person wished there.
        DeviceRemembered = "device.remembered",
        /// The second factor is asked for on every device again.
        DevicesNotRemembered = "device.not_remembered",
        /// A second factor was added.
        FactorAdded = "factor.added",
        /// A second factor got another name.
        FactorRenamed = "factor.renamed",
        /// A second factor was removed.
        FactorRemoved = "factor.removed",
        /// A signature of a passkey was refused because its counter does not go up: there may be two of it.
        PasskeyCloned = "passkey.cloned",
        /// A set of recovery codes took the place of the one before.
        RecoveryCodesRenewed = "recovery_codes.renewed",
        /// A recovery code was used.
        RecoveryCodeUsed = "recovery_code.used",
        /// A code was sent, to confirm a sign-in or to sign in.
        CodeSent = "code.sent",
        /// A mailed link was answered for in another browser: the sign-in that waits for it may go on.
        SignInLinkConfirmed = "sign_in_link.confirmed",
        /// A code by text message stood in for a second factor.
        FactorStoodIn = "factor.stood_in",
        /// A client authenticated wrongly.
        ClientAuthentication = "client.authentication",
        /// An authorization request was answered.
        Authorization = "authorization",
        /// A person allowed or denied a client.
        Consent = "consent",
        /// A code was redeemed.
        CodeRedeemed = "code.redeemed",
        /// A code came a second time: its family was ended.
        CodeReplayed = "code.replayed",
        /// Tokens were refreshed.
        TokenRefreshed = "token.refreshed",
        /// A used refresh token came again: its family was ended.
        RefreshReplayed = "refresh.replayed",
        /// A client got a token of its own.
        TokenIssued = "token.issued",
        /// A token was revoked.
        TokenRevoked = "token.revoked",
        /// A user was made.
        UserCreated = "user.created",
        /// A file of users is brought in.
        ImportBegan = "import.began",
        /// The file has come, and is read.
        ImportRead = "import.read",
        /// Those who are new are made, where nobody sees it.
        ImportMade = "import.made",
        /// They are seen from now on.
        ImportShown = "import.shown",
        /// It is taken back.
        ImportUndone = "import.undone",
        /// It was ended before anything was made.
        ImportCancelled = "import.cancelled",
        /// It came to its end.
        ImportEnded = "import.ended",
        /// Users were exported.
        UsersExported = "users.exported",
        /// A user was changed.
        UserChanged = "user.changed",
        /// A user was deactivated.
        UserDeactivated = "user.deactivated",
        /// A user was reactivated.
        UserReactivated = "user.reactivated",
        /// Somebody was invited to an account that was made for them.
        UserInvited = "user.invited",
        /// Somebody who was invited has signed in for the first time: the account is active.
        UserActivated = "user.activated",
        /// A user was deleted, and is in the bin.
        UserBinned = "user.binned",
        /// A user was taken out of the bin.
        UserRestored = "user.restored",
        /// A user is gone.
        UserDeleted = "user.deleted",
        /// An account has come to its end.
        UserExpired = "user.expired",
        /// The owner of an account has locked it, because something was wrong.
        UserLocked = "user.locked",
        /// A locked account was unlocked.
        UserUnlocked = "user.unlocked",
        /// The owner of an account has deleted it, and can take that back for a while.
        UserLeaving = "user.leaving",
        /// The owner of an account has taken its deletion back.
        UserStayed = "user.stayed",
        /// A person was given everything that is kept about them.
        UserExported = "user.exported",
        /// A password has to be replaced before it lets anybody in again.
        PasswordExpired = "password.expired",
        /// The way to a new password was mailed to the person.
        PasswordLinkMailed = "password.link_mailed",
        /// The way to an account of their own was mailed to somebody who has none.
        RegistrationLinkMailed = "registration.link_mailed",
        /// A person asked for their mail address to be confirmed, or replaced by another.
        EmailChangeAsked = "email.change_asked",
        /// A person has confirmed a mail address.
        EmailConfirmed = "email.confirmed",
        /// A person asked for a telephone number to be theirs.
        PhoneChangeAsked = "phone.change_asked",
        /// A person has shown that a telephone number is theirs.
        PhoneConfirmed = "phone.confirmed",
        /// A person has taken their telephone number away.
        PhoneRemoved = "phone.removed",
        /// Somebody has asked for an account, where an administrator decides.
        AccessRequested = "access_request.made",
        /// An administrator has decided about such a request.
        AccessRequestDecided = "access_request.decided",
        /// A property of people was defined.
        PropertyCreated = "property.created",
        /// A property of people was changed.
        PropertyChanged = "property.changed",
        /// A property of people was taken away, with its values.
        PropertyDeleted = "property.deleted",
        /// A version of terms of use was published.
        TermsPublished = "terms.published",
        /// A version of terms of use was taken back.
        TermsWithdrawn = "terms.withdrawn",
        /// A person has accepted terms of use.
        TermsAccepted = "terms.accepted",
        /// A password was set.
        PasswordChanged = "password.changed",
        /// A group was made.
        GroupCreated = "group.created",
        /// A group was changed.
        GroupChanged = "group.changed",
        /// A group was deleted.
        GroupDeleted = "group.deleted",
        /// A role was made, changed, deleted, given or taken.
        RoleChanged = "role.changed",
        /// A permission was declared, described otherwise, or taken back.
        PermissionChanged = "permission.changed",
        /// A client was made.
        ClientCreated = "client.created",
        /// A client was changed.
        ClientChanged = "client.changed",
        /// A client was deleted.
        ClientDeleted = "client.deleted",
        /// A client's secret was made or replaced.
        ClientSecretRotated = "client.secret_rotated",
        /// A resource was made, changed or deleted.
        ResourceChanged = "resource.changed",
        /// Settings were changed.
        SettingsChanged = "settings.changed",
        /// What a mail says was changed, or taken back to the program's own words.
        MessageTemplateChanged = "message_template.changed",
        /// A mail that was given up is sent again.
        MessageSentAgain = "message.sent_again",
        /// Somebody does not have to wait any more for what others guessed.
        WaitEnded = "wait.ended",
        /// So much was guessed at an account that new devices have to wait; the person was told.
        WaitBegan = "wait.began",
        /// A signing key was made.
        KeyCreated = "key.created",
        /// A signing key began to sign.
        KeyActivated = "key.activated",
        /// A signing key left.
        KeyRetired = "key.retired",
        /// A copy of the embedded store was made for a backup.
        StoreBackedUp = "store.backed_up",
        /// The store was brought back from a backup.
        StoreRestored = "store.restored",
        /// A master key was made beside the current one.
        MasterKeyPrepared = "master_key.prepared",
        /// A prepared master key became the current one.
        MasterKeyChanged = "master_key.changed",
        /// Everything is sealed under the current master key.
        MasterKeyResealed = "master_key.resealed",
        /// A one-time setup link was made or used.
        Setup = "setup",
        /// A token for registering clients was made or revoked.
        RegistrationToken = "registration_token",
        /// A segment was made, changed or deleted.
        SegmentChanged = "segment.changed",
        /// An action of one's own on users was made, changed or deleted.
        UserActionChanged = "user_action.changed",
        /// An action of one's own was called with a user.
        UserActionCalled = "user_action.called",
        /// What it answered.
        UserActionAnswered = "user_action.answered",
        /// Work on many users was begun.
        JobBegan = "job.began",
        /// It came to its end.
        JobEnded = "job.ended",
        /// A webhook was made.
        WebhookCreated = "webhook.created",
        /// A webhook was changed.
        WebhookChanged = "webhook.changed",
        /// A webhook was deleted.
        WebhookDeleted = "webhook.deleted",
        /// A webhook got another secret.
        WebhookSecretRotated = "webhook.secret_rotated",
        /// A delivery to a webhook was asked for again.
        WebhookRedelivered = "webhook.redelivered",
        /// A webhook was tried.
        WebhookTested = "webhook.tested",
        /// A webhook was disabled by the server.
        WebhookDisabled = "webhook.disabled",
        /// So much waits for a webhook that it is told of nothing more.
        WebhookFull = "webhook.full",
        /// A webhook that was full is told of events again.
        WebhookDrained = "webhook.drained",
        /// A key to the administration API was made.
        ApiKeyCreated = "api_key.created",
        /// A key to the administration API was revoked.
        ApiKeyRevoked = "api_key.revoked",
        /// An administration request was refused.
        ApiRefused = "api.refused",
    }
}
