//! `/users`: people's accounts.

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::sessions::flag;
use super::user_body::{NewUserBody, PasswordResetAnswer, PasswordResetBody, UserBody, UserPatchBody};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::people::{self, WeakPasswords};
use crate::model::User;

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";
/// No further is counted.
const MOST_COUNTED: u32 = 100_000;

const LIST: ListRule = ListRule {
    sorts: &[],
    filters: &[],
    words: Words::People,
    count: Count::IfAsked,
};

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/users", READ, "Finds users.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<UserBody>>(),
        route(Method::Post, "/users", WRITE, "Makes a user.", handler!(create))
            .takes::<NewUserBody>()
            .creates::<UserBody>(),
        route(Method::Get, "/users/{id}", READ, "Tells of a user.", handler!(get)).gives::<UserBody>(),
        route(Method::Patch, "/users/{id}", WRITE, "Changes a user.", handler!(change))
            .takes::<UserPatchBody>()
            .gives::<UserBody>(),
        route(
            Method::Delete,
            "/users/{id}",
            WRITE,
            "Deletes a user: every session and grant ends, and the account is in the bin for a while (account.bin), or gone.",
            handler!(delete),
        )
        .asks(&[("erase", "true: it is gone at once and for good, also out of the bin.")]),
        route(
            Method::Post,
            "/users/{id}/restore",
            WRITE,
            "Takes a user out of the bin, as they were: groups, second factors, consents and data. What has ended stays ended.",
            handler!(restore),
        )
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/deactivate",
            WRITE,
            "Deactivates a user and ends all sessions and grants.",
            handler!(deactivate),
        )
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/reactivate",
            WRITE,
            "Reactivates a user; whoever was invited and never signed in is invited, not active.",
            handler!(reactivate),
        )
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/send-invitation",
            WRITE,
            "Mails a user who has not signed in, or was deactivated, a link by which they choose a password. One that was mailed before leads nowhere then.",
            handler!(send_invitation),
        )
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/reset-password",
            WRITE,
            "Sets a user's password, or mails a link by which they do, and ends all sessions and grants.",
            handler!(reset_password),
        )
        .takes::<PasswordResetBody>()
        .gives::<PasswordResetAnswer>(),
        route(
            Method::Post,
            "/users/{id}/unlock",
            WRITE,
            "Unlocks a user who has locked their account, and forgives wrong guesses: nobody waits for them any more.",
            handler!(unlock),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let (provider, call, rights) = (asked.provider(), asked.call(), asked.rights());
    let place = (listed.after.as_deref(), listed.limit);
    let page = people::list_users(provider, call, rights, &listed.search, place).await;
    let page = page.map_err(Problem::of_query)?;
    let count = if listed.count {
        let counted = people::count_users(provider, call, rights, &listed.search, MOST_COUNTED).await?;
        Some((counted.count, counted.at_least))
    } else {
        None
    };
    let properties = provider.properties().await?;
    listed.answer_counted(&asked, page, count, |user| {
        let seen = people::seen_by_administrators(&properties, &user.profile);
        UserBody::of(user, call.now, None).telling(seen)
    })
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewUserBody = asked.read()?;
    if body.contradicts_itself() {
        let detail = "expected one of password, password_hash, generate_password, send_password_link and an invitation";
        return Err(Error::field("/password", "contradiction", detail).into());
    }
    let created = people::create_user(asked.provider(), asked.call(), &asked.source(), body.into_new()?).await?;
    let (location, version) = (format!("{BASE}/users/{}", created.user.id), created.user.version);
    let properties = asked.provider().properties().await?;
    let seen = people::seen_by_administrators(&properties, &created.user.profile);
    let body = UserBody::made(created, asked.call().now).telling(seen);
    Ok(Answer::created(location, &body)?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(&asked, people::get_user(asked.provider(), asked.id("id")?).await?).await
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let change = asked.read::<UserPatchBody>()?.into_change()?;
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::change_user(asked.provider(), asked.call(), &asked.source(), id, expected, change).await?,
    )
    .await
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let (provider, call, source) = (asked.provider(), asked.call(), asked.source());
    match flag(&asked, "erase")? {
        true => people::delete_user(provider, call, &source, id, expected).await?,
        false => people::bin_user(provider, call, &source, id, expected).await?,
    }
    Ok(Answer::done())
}

async fn restore(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::restore_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn deactivate(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::deactivate_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn reactivate(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::reactivate_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn send_invitation(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::send_invitation(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn reset_password(asked: Asked) -> Result<Answer, Problem> {
    let password = asked.read::<PasswordResetBody>()?.into_new()?;
    let (id, source) = (asked.id("id")?, asked.source());
    let weak = WeakPasswords::Refuse;
    let told = people::set_password(asked.provider(), asked.call(), &source, id, password, weak).await?;
    Answer::of(&PasswordResetAnswer {
        password: told.map(|password| password.expose().to_owned()),
    })
}

async fn unlock(asked: Asked) -> Result<Answer, Problem> {
    people::unlock_user(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn one(asked: &Asked, user: User) -> Result<Answer, Problem> {
    let version = user.version;
    let properties = asked.provider().properties().await?;
    let seen = people::seen_by_administrators(&properties, &user.profile);
    let body = UserBody::of(user, asked.call().now, None).telling(seen);
    Ok(Answer::of(&body)?.version(version))
}
