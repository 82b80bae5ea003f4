//! Codes by mail or as text messages, added as a second factor of one's own. They go to what the person has confirmed already, so there
//! is nothing to set up.

use super::own::{Change, RecoveryCodes, confirmed, make, name_of};
use super::sent::may_be_sent;
use super::{Confirmed, NotChanged};
use crate::flow::session::Asker;
use crate::flow::{Call, Error, Provider};
use crate::model::{Channel, Factor, FactorMeans, Id};

/// Adds codes that are sent by this way. The first factor comes with recovery codes.
///
/// # Errors
/// [`NotChanged`]; [`Error::NotFound`] where people may not have them, [`Error::Conflict`] `not_confirmed` without a confirmed address
/// or number, `factor_there` if they are there already, `too_many_factors`.
pub async fn add_sent(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    (channel, name): (Channel, &str),
) -> Result<Confirmed, NotChanged> {
    let name = name_of(name)?;
    if !may_be_sent(provider, call, asker.user, channel).await? {
        return Err(Error::NotFound.into());
    }
    let factor = Factor {
        id: Id::new(call.now),
        user: asker.user,
        name,
        means: FactorMeans::Sent(channel),
        created_at: call.now,
        confirmed_at: Some(call.now),
        used_at: None,
    };
    let codes = RecoveryCodes::new();
    let change = Change::Add {
        factor: &factor,
        begun: call.now,
        digests: &codes.digests,
    };
    let held = make(provider, call, asker, &change).await?;
    Ok(confirmed(provider, call, asker, (factor.id, &held, codes)).await)
}
