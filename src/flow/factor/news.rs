//! The mails that tell somebody what has become of their second factors. They are written with the change that they tell of, and
//! go to a confirmed address alone.

use crate::flow::people::PostedLink;
use crate::flow::{Call, Error, Provider, letter};
use crate::model::{Factor, FactorKind, User};
use crate::store::Write;
use crate::view;

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A factor was added.
    Added,
    /// A factor was removed; by an administrator, if not by the person.
    Removed { by_administrator: bool },
    /// A signature of a passkey was refused: its counter does not go up, so there may be two of it.
    Cloned,
    /// There are other recovery codes.
    CodesRenewed,
    /// A recovery code was used to sign in.
    CodeUsed { left: u64 },
    /// A code by text message stood in for a factor.
    StoodIn,
    /// Somebody who has shown the password guesses at them.
    Guessed,
}

impl What {
    /// The kind of mail, and what it says; of a factor of this kind, where it is about one.
    const fn told(self, kind: FactorKind) -> (&'static str, view::FactorChange) {
        use view::FactorChange as Change;
        let is_passkey = matches!(kind, FactorKind::Passkey);
        let is_sent = matches!(kind, FactorKind::Mail | FactorKind::Sms);
        match self {
            Self::Added if is_passkey => ("factor_added", Change::PasskeyAdded),
            Self::Added if is_sent => ("factor_added", Change::SentAdded),
            Self::Added => ("factor_added", Change::Added),
            Self::Removed { by_administrator: true } if is_passkey => ("factor_removed", Change::PasskeyReset),
            Self::Removed { .. } if is_sent => ("factor_removed", Change::SentRemoved),
            Self::Removed { by_administrator: true } => ("factor_removed", Change::Reset),
            Self::Removed { .. } if is_passkey => ("factor_removed", Change::PasskeyRemoved),
            Self::Removed { .. } => ("factor_removed", Change::Removed),
            Self::Cloned => ("passkey_cloned", Change::PasskeyCloned),
            Self::CodesRenewed => ("recovery_codes_renewed", Change::CodesRenewed),
            Self::CodeUsed { .. } => ("recovery_code_used", Change::CodeUsed),
            Self::StoodIn => ("factor_stood_in", Change::StoodIn),
            Self::Guessed => ("factor_guessed", Change::Guessed),
        }
    }
}

/// Writes it into the outbox, with the factor that it is about.
pub(super) async fn write(
    provider: &Provider,
    tx: &mut Write,
    call: &Call,
    user: &User,
    (what, factor): (What, Option<&Factor>),
) -> Result<(), Error> {
    let recipient = user.profile.email.clone().filter(|_| user.profile.email_verified);
    let Some(recipient) = recipient else { return Ok(()) };
    let account = letter::link(provider, "/account/factors")?;
    let lock = PostedLink::locking(provider, user.id, &recipient)?;
    let (kind, change) = what.told(factor.map_or(FactorKind::Totp, Factor::kind));
    let news = view::FactorNews {
        name: user.full_name(),
        change,
        factor: factor.map(|factor| factor.name.clone()),
        left: match what {
            What::CodeUsed { left } => left,
            _ => 0,
        },
        at: call.now.micros(),
        account,
        lock: lock.page.clone(),
    };
    lock.write(tx, call).await?;
    let mail = letter::to(provider, user, recipient, (kind, &view::Mail::Factor(news)))?;
    Ok(tx.add_mail(&mail, call.now).await?)
}
