//! `/users/{id}/devices`: the devices that somebody signs in with, and which of them may.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem, sessions};
use crate::flow::people::{self, DeviceAct, OfflineGrants, Page};
use crate::model::{Device, Id, User};

const READ: &str = "admin:sessions.read";
const WRITE: &str = "admin:sessions";

const LIST: ListRule = ListRule::plain();
const BLOCKS: &[(&str, &str)] = &[(
    "offline",
    "`true`: the grants with `offline_access` that began on it end too.",
)];

/// A device that a person signed in with, or tried to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Device")]
struct DeviceBody {
    /// Its id. It opens nothing.
    id: String,
    /// Whether it may be signed in with: `known`, `waiting` (to be let in) or `blocked`.
    state: String,
    /// When it was signed in with for the first time, or tried to.
    first_at: String,
    /// When for the last time.
    last_at: String,
    /// From where that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Roughly which place that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// With which browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Since when the second factor is not asked for there, because the person wished so.
    #[serde(skip_serializing_if = "Option::is_none")]
    remembered_at: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/devices",
            READ,
            "Lists the devices that a user signed in with, the last used first.",
            handler!(list),
        )
        .within(Within::Path("id", Kind::User))
        .listed(&LIST)
        .gives::<PageBody<DeviceBody>>(),
        route(
            Method::Post,
            "/users/{id}/devices/{device}/block",
            WRITE,
            "Blocks a device: its sessions end with the grants that hang on them, and the user can't sign in with it.",
            handler!(block),
        )
        .within(Within::Path("id", Kind::User))
        .asks(BLOCKS)
        .gives::<DeviceBody>(),
        route(
            Method::Post,
            "/users/{id}/devices/{device}/unblock",
            WRITE,
            "Takes back that a device is blocked.",
            handler!(unblock),
        )
        .within(Within::Path("id", Kind::User))
        .gives::<DeviceBody>(),
        route(
            Method::Post,
            "/users/{id}/devices/{device}/admit",
            WRITE,
            "Lets a device in that waits, because the user may sign in with known devices only.",
            handler!(admit),
        )
        .within(Within::Path("id", Kind::User))
        .gives::<DeviceBody>(),
        route(
            Method::Delete,
            "/users/{id}/devices/{device}",
            WRITE,
            "Forgets a device, as if it had never been there. Its sessions go on.",
            handler!(forget),
        )
        .within(Within::Path("id", Kind::User)),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_devices(asked.provider(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, DeviceBody::of)
}

async fn block(asked: Asked) -> Result<Answer, Problem> {
    let offline = if sessions::flag(&asked, "offline")? {
        OfflineGrants::End
    } else {
        OfflineGrants::Stay
    };
    change(&asked, DeviceAct::Block(offline)).await
}

async fn unblock(asked: Asked) -> Result<Answer, Problem> {
    change(&asked, DeviceAct::Unblock).await
}

async fn admit(asked: Asked) -> Result<Answer, Problem> {
    change(&asked, DeviceAct::Admit).await
}

async fn forget(asked: Asked) -> Result<Answer, Problem> {
    let which = (asked.id("id")?, asked.id("device")?);
    people::change_device(
        asked.provider(),
        asked.call(),
        &asked.source(),
        which,
        DeviceAct::Forget,
    )
    .await?;
    Ok(Answer::done())
}

async fn change(asked: &Asked, act: DeviceAct) -> Result<Answer, Problem> {
    let (user, device): (Id<User>, Id<Device>) = (asked.id("id")?, asked.id("device")?);
    people::change_device(asked.provider(), asked.call(), &asked.source(), (user, device), act).await?;
    Answer::of(&DeviceBody::of(
        people::get_device(asked.provider(), user, device).await?,
    ))
}

impl DeviceBody {
    fn of(device: Device) -> Self {
        Self {
            id: device.id.to_string(),
            state: device.state.to_string(),
            first_at: device.first_at.rfc3339(),
            last_at: device.last_at.rfc3339(),
            address: device.address,
            place: device.place,
            user_agent: device.user_agent,
            remembered_at: device.remembered_at.map(|at| at.rfc3339()),
        }
    }
}
