//! Somebody guesses at the second factors of a person: whoever gets so far has shown the password, so it is more than a stranger's noise.
//! The person is told of it by mail, once a day, with the way to lock the account.

use super::news::{self, What};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::{EventKind, User};

/// Takes note that no more guesses at somebody's second factors are looked at for a while.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow) async fn notice_guesses(provider: &Provider, call: &Call, user: &User) -> Result<(), Error> {
    let name = user.id.to_string();
    if !guess::is_first_of_day(provider, call, guess::Account::SecondFactor(&name)).await? {
        return Ok(());
    }
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            news::write(provider, &mut tx, call, user, (What::Guessed, None)).await?;
            let event = call.event(EventKind::WaitBegan).because("second_factor").user(user.id);
            Ok(tx.add_event(&event).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await
}
