//! `devices`: what people sign in with, and which of it may be.

use clap::Subcommand;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::users;
use crate::flow::people::{self, ChangeSource, DeviceAct, OfflineGrants};
use crate::flow::{Call, Provider};
use crate::model;
use crate::view::Device;

const SOURCE: ChangeSource = ChangeSource::Command;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Devices {
    /// List the devices that a user signed in with, the last used first.
    List {
        /// A username or mail address.
        user: String,
        #[command(flatten)]
        json: Json,
    },
    /// Block a device: its sessions end, and the user can't sign in with it.
    Block {
        /// A username or mail address.
        user: String,
        /// The id of the device, as `devices list` shows it.
        id: String,
        /// The grants with `offline_access` that began on it end too.
        #[arg(long)]
        with_offline: bool,
    },
    /// Take back that a device is blocked.
    Unblock { user: String, id: String },
    /// Let a device in that waits, because the user may sign in with known devices only.
    Admit { user: String, id: String },
    /// Forget a device, as if it had never been there.
    Forget { user: String, id: String },
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Devices) -> Result<Output, Failure> {
    let (user, id, act, done) = match command {
        Devices::List { user, json } => {
            let user = users::find(provider, &user).await?;
            let devices = people::list_devices(provider, user.id).await?;
            let rows: Vec<Value> = devices.into_iter().map(row).collect();
            let columns = ["state", "device", "address", "last_at", "first_at", "id"];
            return Ok(Output::table(json.shape(), &rows, &columns));
        }
        Devices::Block { user, id, with_offline } => {
            let offline = if with_offline {
                OfflineGrants::End
            } else {
                OfflineGrants::Stay
            };
            (user, id, DeviceAct::Block(offline), "is blocked")
        }
        Devices::Unblock { user, id } => (user, id, DeviceAct::Unblock, "is not blocked"),
        Devices::Admit { user, id } => (user, id, DeviceAct::Admit, "is let in"),
        Devices::Forget { user, id } => (user, id, DeviceAct::Forget, "is forgotten"),
    };
    let user = users::find(provider, &user).await?;
    let device = id
        .parse()
        .map_err(|_| Failure::usage(format!("{id} is not the id of a device")))?;
    people::change_device(provider, call, &SOURCE, (user.id, device), act).await?;
    Ok(Output::line(format!("the device of {} {done}", user.username)))
}

fn row(device: model::Device) -> Value {
    let told = device.user_agent.as_deref().map(Device::read).unwrap_or_default();
    let words: Vec<String> = [told.browser, told.system].into_iter().flatten().collect();
    json!({
        "id": device.id.to_string(),
        "state": device.state,
        "device": words.join(", "),
        "user_agent": device.user_agent,
        "address": device.address,
        "place": device.place,
        "first_at": device.first_at.rfc3339(),
        "last_at": device.last_at.rfc3339(),
        "remembered_at": device.remembered_at.map(|at| at.rfc3339()),
    })
}
