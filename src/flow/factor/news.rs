//! The mails that tell somebody what has become of their second factors. They are written with the change that they tell of, and
//! go to a confirmed address alone.

use crate::flow::{Call, Error, Provider, letter};
use crate::model::User;
use crate::store::Write;
use crate::view;

/// What there is to tell.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A factor was added.
    Added { factor: String },
    /// A factor was removed; by an administrator, if not by the person.
    Removed { factor: String, by_administrator: bool },
    /// There are other recovery codes.
    CodesRenewed,
    /// A recovery code was used to sign in.
    CodeUsed { left: u64 },
}

/// Writes it into the outbox.
pub(super) async fn write(
    provider: &Provider,
    tx: &mut Write,
    call: &Call,
    user: &User,
    what: What,
) -> Result<(), Error> {
    let recipient = user.profile.email.clone().filter(|_| user.profile.email_verified);
    let Some(recipient) = recipient else { return Ok(()) };
    let account = view::Link::parse(&provider.issuer.path("/account/factors"))
        .ok_or_else(|| Error::defect("the issuer is not a link"))?;
    let news = view::FactorNews {
        name: user.full_name(),
        change: view::FactorChange::CodeUsed,
        factor: None,
        left: 0,
        at: call.now.micros(),
        account,
    };
    let (kind, news) = match what {
        What::Added { factor } => (
            "factor_added",
            view::FactorNews {
                change: view::FactorChange::Added,
                factor: Some(factor),
                ..news
            },
        ),
        What::Removed {
            factor,
            by_administrator,
        } => (
            "factor_removed",
            view::FactorNews {
                change: if by_administrator {
                    view::FactorChange::Reset
                } else {
                    view::FactorChange::Removed
                },
                factor: Some(factor),
                ..news
            },
        ),
        What::CodesRenewed => (
            "recovery_codes_renewed",
            view::FactorNews {
                change: view::FactorChange::CodesRenewed,
                ..news
            },
        ),
        What::CodeUsed { left } => ("recovery_code_used", view::FactorNews { left, ..news }),
    };
    let mail = letter::to(provider, user, recipient, (kind, &view::Mail::Factor(news))).await?;
    Ok(tx.add_mail(&mail, call.now).await?)
}
