//! What whoever has begun a job may do by now: what they might then and still may. It is asked anew for each thing that is done.

use crate::flow::people::rights::both;
use crate::flow::people::{ChangeSource, Rights};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Job, Scopes};

/// The rights of whoever has begun a job, at this moment.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow::operations) async fn now(
    provider: &Provider,
    call: &Call,
    job: &Job,
) -> Result<ChangeSource, Error> {
    let Some(then) = &job.rights else {
        return Ok(match job.actor {
            Actor::Operator => ChangeSource::Command,
            _ => ChangeSource::Api(Rights::Held(Scopes::default())),
        });
    };
    let today = match job.actor {
        Actor::User(id) => {
            let person = provider.person(id, call.now).await?;
            let person = person.filter(|person| person.user.is_active(call.now));
            let settings = provider.settings().await?;
            let held = person.map(|person| person.rights(&settings)).unwrap_or_default();
            Scopes::from_tokens(held.iter().map(String::as_str))
        }
        Actor::Client(id) => {
            let client = provider.store.read().await?.find_client(id).await?;
            let client = client.filter(|client| client.disabled_at.is_none());
            client.map(|client| client.metadata.scope).unwrap_or_default()
        }
        Actor::Operator | Actor::Anonymous | Actor::System => Scopes::default(),
    };
    Ok(ChangeSource::Api(Rights::Held(both(then.iter(), today.iter()))))
}
