//! The one counter of wrong guesses: whatever can be guessed is counted here, by account and by network address.
//!
//! People's secrets are taken from the budget before they are checked and given back when they were right, so that parallel
//! guesses never exceed it. Secrets of clients are looked up before and counted after: many requests of one client at once
//! are everyday traffic. What belongs to a client or to the whole installation is counted per address only, so that nobody
//! can lock it from elsewhere.
//!
//! Waits grow: an account's budget is whole again a period after it was used up, but whoever goes on uses up that of the day, and then new
//! devices wait for up to a day. The person is told of that once, by a mail that ends the wait.
//!
//! Where somebody signs in with a device that they have signed in with before, that device's own budget counts in place of the
//! account's and the address's: whatever strangers do, they can't keep a person out of it, and it adds no more than its own budget
//! to what may be guessed (SEC-218). Whoever has such a device's cookie has had the password once.
//!
//! While the shared counters do not answer, each node counts the guesses at clients' secrets by itself.
//!
//! The stores see nothing but keyed digests of names and addresses.

use std::time::Duration;

use super::{Call, Error, Provider};
use crate::crypto;
use crate::ephemeral::{self, Counted, Counter, Spent};
use crate::model::{Device, Id, setting};

/// So many mails with a link to a new password one person gets a day, whoever asks for them; and so many codes one address or
/// number.
const MAILS_A_DAY: u32 = 20;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The rule by which an account bears no more guesses for a period.
pub const WAITING: &str = "guess.account";
/// The rule by which new devices wait for up to a day.
pub const LOCKED: &str = "guess.account_day";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whose secret is guessed at.
#[derive(Clone, Copy, Debug)]
pub enum Account<'a> {
    /// A person: the canonical name, the same for every way to write it (the row's id where there is one).
    User(&'a str),
    /// A person at a device that they have signed in with before. The row's id is theirs alone.
    KnownDevice(Id<Device>),
    /// A person's second factors, all of them together, by the row's id. Only whoever has proved a password gets there.
    SecondFactor(&'a str),
    /// A passkey that comes without a name: counted by the network that it comes from alone.
    Passkey,
    /// A client, by `client_id`.
    Client(&'a str),
    /// The one-time setup link.
    SetupLink,
    /// A link to a new password.
    RecoveryLink,
    /// A wish for such a link, in the name of a person (the row's id). It is no guess, but it costs somebody a mail.
    RecoveryWish(&'a str),
    /// A link to an account of one's own.
    RegistrationLink,
    /// A mail about such an account to an address, as it is compared.
    MailTo(&'a str),
    /// A message with a code to an address or a number, as it is stored.
    CodeTo(&'a str),
    /// An initial access token for registering clients.
    RegistrationToken,
    /// A key to the administration API.
    ApiKey,
}

/// Asks whether a guess may be checked. Call it before the check, and then [`wrong`], [`right`] or [`unjudged`].
///
/// # Errors
/// [`Error::Throttled`] if the budget of the account or the address is used up: the guess is not checked, nor counted.
pub async fn look(provider: &Provider, call: &Call, account: Account<'_>) -> Result<(), Error> {
    let budgets = Budgets::of(provider, call, account).await?;
    if !account.is_taken_ahead() {
        if let Some(source) = &budgets.source {
            budgets.ask(provider, call, source).await?;
        }
        return budgets.ask(provider, call, &budgets.account).await;
    }
    if let Some(source) = &budgets.source {
        budgets.take(provider, call, source).await?;
    }
    let mut taken = budgets.take(provider, call, &budgets.account).await;
    if taken.is_ok()
        && let Some(day) = &budgets.day
    {
        taken = budgets.take(provider, call, day).await;
        if taken.is_err() {
            budgets.give_back(provider, call, &budgets.account).await?;
        }
    }
    if taken.is_err() {
        budgets.give_back_to_source(provider, call).await?;
    }
    taken
}

/// Whether this is the first time within a day that guesses at a person's password or second factors have used up a budget of which the
/// person is told. It costs the same for a name that nobody has.
pub async fn is_first_of_day(provider: &Provider, call: &Call, account: Account<'_>) -> Result<bool, Error> {
    let budgets = Budgets::of(provider, call, account).await?;
    let key = format!("{} is told", budgets.account.key);
    let counter = Counter::new(Counted::Mail, &key);
    let spent = provider.ephemeral.spend(counter, 1, DAY, call.now).await?;
    Ok(matches!(spent, Spent::Allowed { .. }))
}

/// Forgives every guess at a person's password and second factors: nobody waits for them any more. `name` is the row's id.
pub async fn forgive(provider: &Provider, call: &Call, name: &str) -> Result<(), Error> {
    for account in [Account::User(name), Account::SecondFactor(name)] {
        let budgets = Budgets::of(provider, call, account).await?;
        budgets.clear(provider).await?;
        let key = format!("{} is told", budgets.account.key);
        provider.ephemeral.clear(Counter::new(Counted::Mail, &key)).await?;
    }
    Ok(())
}

/// Says that the guess was wrong. False if the budget was used up meanwhile: then it is not worth an event either.
pub async fn wrong(provider: &Provider, call: &Call, account: Account<'_>) -> Result<bool, Error> {
    if account.is_taken_ahead() {
        return Ok(true);
    }
    let budgets = Budgets::of(provider, call, account).await?;
    let source = match &budgets.source {
        Some(source) => budgets.take(provider, call, source).await,
        None => Ok(()),
    };
    let account = budgets.take(provider, call, &budgets.account).await;
    match source.and(account) {
        Ok(()) => Ok(true),
        Err(Error::Throttled { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says that the guess was right: the account's budget is whole again. The address keeps the wrong ones it made.
pub async fn right(provider: &Provider, call: &Call, account: Account<'_>) -> Result<(), Error> {
    if !account.is_taken_ahead() {
        // a right secret among many requests is no news, and clearing would let its holder cover for others' guesses
        return Ok(());
    }
    let budgets = Budgets::of(provider, call, account).await?;
    budgets.clear(provider).await?;
    budgets.give_back_to_source(provider, call).await
}

/// Says that the whole of a sign-in succeeded, of which this secret was an earlier step: the account's budget is whole again.
pub async fn right_before(provider: &Provider, call: &Call, account: Account<'_>) -> Result<(), Error> {
    Budgets::of(provider, call, account).await?.clear(provider).await
}

/// Says that the guess was not checked after all, because the machine was busy or a store was not there.
pub async fn unjudged(provider: &Provider, call: &Call, account: Account<'_>) -> Result<(), Error> {
    if !account.is_taken_ahead() {
        return Ok(());
    }
    let budgets = Budgets::of(provider, call, account).await?;
    budgets.give_back(provider, call, &budgets.account).await?;
    if let Some(day) = &budgets.day {
        budgets.give_back(provider, call, day).await?;
    }
    budgets.give_back_to_source(provider, call).await
}

/// Counts a wish for a link to a new password against the network that it comes from, before anybody looks for whom it is.
///
/// # Errors
/// [`Error::Throttled`] if too many came from there.
pub async fn spend_wish_of_source(provider: &Provider, call: &Call) -> Result<(), Error> {
    let budgets = Budgets::of(provider, call, Account::RecoveryWish("")).await?;
    match &budgets.source {
        Some(source) => budgets.take(provider, call, source).await,
        None => Ok(()),
    }
}

/// Counts a mail with such a link against the person. What is left of older mails still works: nobody is locked out.
///
/// # Errors
/// [`Error::Throttled`] if the person was sent enough of them.
pub async fn spend_wish_for(provider: &Provider, call: &Call, name: &str) -> Result<(), Error> {
    let budgets = Budgets::of(provider, call, Account::RecoveryWish(name)).await?;
    budgets.take(provider, call, &budgets.account).await?;
    let key = format!("{} a day", budgets.account.key);
    let counter = Counter::new(Counted::Mail, &key);
    let spent = provider.ephemeral.spend(counter, MAILS_A_DAY, DAY, call.now).await?;
    budgets.account.allowed(spent)
}

/// Counts a mail to an address that may be nobody's yet.
///
/// # Errors
/// [`Error::Throttled`] if the address was sent enough of them.
pub async fn spend_mail_to(provider: &Provider, call: &Call, email_key: &str) -> Result<(), Error> {
    let budgets = Budgets::of(provider, call, Account::MailTo(email_key)).await?;
    budgets.take(provider, call, &budgets.account).await
}

/// Counts a message with a code to an address or a number, and in the network that it is asked for from.
///
/// # Errors
/// [`Error::Throttled`] if enough were sent there, or asked for from there.
pub async fn spend_code_to(provider: &Provider, call: &Call, recipient: &str) -> Result<(), Error> {
    let budgets = Budgets::of(provider, call, Account::CodeTo(recipient)).await?;
    if let Some(source) = &budgets.source {
        budgets.take(provider, call, source).await?;
    }
    budgets.take(provider, call, &budgets.account).await?;
    let key = format!("{} a day", budgets.account.key);
    let counter = Counter::new(Counted::Mail, &key);
    let spent = provider.ephemeral.spend(counter, MAILS_A_DAY, DAY, call.now).await?;
    budgets.account.allowed(spent)
}

/// Counts a text message among all that leave: each costs the operator money.
///
/// # Errors
/// [`Error::Throttled`] if as many left within the last hour as may.
pub async fn spend_text(provider: &Provider, call: &Call) -> Result<(), Error> {
    let most = provider.settings().await?.count(setting::SMS_MOST_AN_HOUR);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let counter = Counter::new(Counted::Text, "all");
    match provider.ephemeral.spend(counter, most, HOUR, call.now).await? {
        Spent::Allowed { .. } => Ok(()),
        Spent::Refused { retry_after } => Err(Error::Throttled {
            retry_after,
            rule: "sent_code.texts",
        }),
    }
}

impl Account<'_> {
    fn is_taken_ahead(self) -> bool {
        matches!(
            self,
            Self::User(_) | Self::KnownDevice(_) | Self::SecondFactor(_) | Self::Passkey
        )
    }

    /// The counters: of the account, and of the address.
    fn counted(self) -> (Counted, Counted) {
        match self {
            Self::User(_) | Self::KnownDevice(_) => (Counted::PasswordByUser, Counted::PasswordByAddress),
            Self::SecondFactor(_) | Self::Passkey => (Counted::SecondFactor, Counted::SecondFactor),
            Self::Client(_) | Self::ApiKey => (Counted::ClientAuthentication, Counted::ClientAuthentication),
            Self::SetupLink | Self::RecoveryLink | Self::RegistrationLink => (Counted::Recovery, Counted::Recovery),
            Self::RecoveryWish(_) | Self::MailTo(_) | Self::CodeTo(_) => (Counted::Mail, Counted::Mail),
            Self::RegistrationToken => (Counted::Registration, Counted::Registration),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::KnownDevice(_) => "known device",
            Self::SecondFactor(_) => "second factor",
            Self::Passkey => "passkey",
            Self::Client(_) => "client",
            Self::SetupLink => "setup link",
            Self::RecoveryLink => "recovery link",
            Self::RecoveryWish(_) => "recovery wish",
            Self::RegistrationLink => "registration link",
            Self::MailTo(_) => "mail to",
            Self::CodeTo(_) => "code to",
            Self::RegistrationToken => "registration token",
            Self::ApiKey => "api key",
        }
    }
}

/// One counter with its budget.
struct Budget {
    counted: Counted,
    key: String,
    most: u32,
    period: Duration,
    /// Whether this node counts alone while the shared counters do not answer. People can't sign in then anyway, because
    /// their sessions are kept in the same place; clients go on.
    may_be_local: bool,
    /// Whether a stranger chooses the counter at next to no cost. That of a password costs a hash, which bounds their number.
    is_a_strangers: bool,
    rule: &'static str,
}

impl Budget {
    fn counter(&self) -> Counter<'_> {
        Counter::new(self.counted, &self.key)
    }

    fn allowed(&self, spent: Spent) -> Result<(), Error> {
        match spent {
            Spent::Allowed { .. } => Ok(()),
            Spent::Refused { retry_after } => Err(Error::Throttled {
                retry_after,
                rule: self.rule,
            }),
        }
    }
}

/// The counters of a guess.
struct Budgets {
    account: Budget,
    /// What an account bears within a day, where it is a person's and no device of theirs.
    day: Option<Budget>,
    /// None where the source does not matter.
    source: Option<Budget>,
}

impl Budgets {
    async fn of(provider: &Provider, call: &Call, account: Account<'_>) -> Result<Self, Error> {
        let settings = provider.settings().await?;
        let budget = |key| u32::try_from(settings.count(key)).unwrap_or(u32::MAX);
        let mac = provider.master.derive("guess counter");
        let source = call.origin.network();
        let key = |parts: &[&[u8]]| crypto::hex(&crypto::mac(&mac, parts));
        let word = account.word().as_bytes();
        let account_key = match account {
            Account::User(name)
            | Account::SecondFactor(name)
            | Account::RecoveryWish(name)
            | Account::MailTo(name)
            | Account::CodeTo(name) => key(&[b"account", word, name.as_bytes()]),
            Account::KnownDevice(device) => key(&[b"account", word, device.uuid().as_bytes()]),
            Account::Client(client_id) => key(&[b"account", word, client_id.as_bytes(), &source]),
            Account::SetupLink
            | Account::RecoveryLink
            | Account::RegistrationLink
            | Account::RegistrationToken
            | Account::ApiKey
            | Account::Passkey => key(&[b"account", word, &source]),
        };
        let (of_account, of_source) = account.counted();
        let is_known_device = matches!(account, Account::KnownDevice(_));
        let is_of_source = matches!(account, Account::Passkey);
        let period = settings.duration(setting::GUESS_PERIOD);
        let bears_a_day = matches!(account, Account::User(_) | Account::SecondFactor(_));
        Ok(Self {
            day: bears_a_day.then(|| Budget {
                counted: of_account,
                key: format!("{account_key} a day"),
                // a day bears what a period of it does
                most: budget(setting::GUESS_ACCOUNT_DAY_BUDGET).max(budget(setting::GUESS_ACCOUNT_BUDGET)),
                period: DAY,
                rule: LOCKED,
                may_be_local: false,
                is_a_strangers: false,
            }),
            account: Budget {
                counted: of_account,
                key: account_key,
                period,
                most: budget(match account {
                    Account::RecoveryWish(_) => setting::RECOVERY_MOST_MAILS,
                    Account::MailTo(_) => setting::REGISTRATION_MOST_MAILS,
                    Account::CodeTo(_) => setting::CODE_MOST_SENDS,
                    Account::Passkey => setting::GUESS_SOURCE_BUDGET,
                    _ => setting::GUESS_ACCOUNT_BUDGET,
                }),
                rule: if is_known_device {
                    "guess.device"
                } else if is_of_source {
                    "guess.source"
                } else {
                    WAITING
                },
                may_be_local: !account.is_taken_ahead(),
                is_a_strangers: !account.is_taken_ahead()
                    && !matches!(account, Account::RecoveryWish(_) | Account::CodeTo(_)),
            },
            source: (!is_known_device && !is_of_source).then(|| Budget {
                counted: of_source,
                key: key(&[b"source", word, &source]),
                most: budget(setting::GUESS_SOURCE_BUDGET),
                period,
                rule: "guess.source",
                may_be_local: !account.is_taken_ahead(),
                is_a_strangers: !account.is_taken_ahead(),
            }),
        })
    }

    async fn ask(&self, provider: &Provider, call: &Call, budget: &Budget) -> Result<(), Error> {
        let ephemeral = &provider.ephemeral;
        let spent = ephemeral
            .spent(budget.counter(), budget.most, budget.period, call.now)
            .await;
        budget.allowed(match spent {
            Err(ephemeral::Error::Unavailable) if budget.may_be_local => {
                ephemeral.spent_here(budget.counter(), budget.most, budget.period, call.now)
            }
            spent => spent?,
        })
    }

    async fn take(&self, provider: &Provider, call: &Call, budget: &Budget) -> Result<(), Error> {
        let ephemeral = &provider.ephemeral;
        let spent = if budget.is_a_strangers {
            ephemeral
                .spend_of_stranger(budget.counter(), budget.most, budget.period, call.now)
                .await
        } else {
            ephemeral
                .spend(budget.counter(), budget.most, budget.period, call.now)
                .await
        };
        budget.allowed(match spent {
            Err(ephemeral::Error::Unavailable) if budget.may_be_local => {
                ephemeral.spend_here(budget.counter(), budget.most, budget.period, call.now)
            }
            spent => spent?,
        })
    }

    /// The account's budgets are whole again.
    async fn clear(&self, provider: &Provider) -> Result<(), Error> {
        for budget in std::iter::once(&self.account).chain(&self.day) {
            provider.ephemeral.clear(budget.counter()).await?;
        }
        Ok(())
    }

    async fn give_back_to_source(&self, provider: &Provider, call: &Call) -> Result<(), Error> {
        match &self.source {
            Some(source) => self.give_back(provider, call, source).await,
            None => Ok(()),
        }
    }

    /// What was taken in the same call.
    async fn give_back(&self, provider: &Provider, call: &Call, budget: &Budget) -> Result<(), Error> {
        Ok(provider.ephemeral.refund(budget.counter(), call.now).await?)
    }
}
