//! What the doctor looks at: opened here as far as it can be, without changing anything, beside a running server too.

use super::{Error, wiring};
use crate::clock::Clock;
use crate::config::Config;
use crate::egress::Egress;
use crate::ephemeral::{Ephemeral, RedisConnection};
use crate::flow::Provider;
use crate::flow::error::causes;
use crate::flow::operations::doctor::Doctor;
use crate::flow::provider::Issuer;
use crate::mail::Mailer;
use crate::sms::Gateway;
use crate::store::{self, Store};

/// What the command looks at: connections of its own, so that it works whether a server runs or not.
pub async fn doctor(config: &Config, clock: &Clock) -> Doctor {
    let store = open(config).await;
    let master = match &store {
        // an empty keys folder is not filled by looking
        Ok(Some(store)) if config.keys_dir.is_dir() => wiring::open_vault(config, store).await.ok(),
        _ => None,
    };
    let ephemeral = config
        .redis_url
        .as_ref()
        .and_then(|url| RedisConnection::open(url.expose(), &config.redis_prefix).ok())
        .map(Ephemeral::redis);
    Doctor {
        clock: clock.clone(),
        issuer: Issuer::new(config.public_url.clone()),
        store,
        ephemeral,
        mailer: mailer(config),
        gateway: gateway(config),
        master,
        config: config.clone(),
    }
}

/// What a server's own page looks at: what it works with.
pub(super) fn of_server(config: &Config, provider: &Provider) -> Doctor {
    Doctor {
        clock: provider.clock.clone(),
        issuer: provider.issuer.clone(),
        store: Ok(Some(provider.store.clone())),
        ephemeral: Some(provider.ephemeral.clone()),
        mailer: mailer(config),
        gateway: gateway(config),
        master: Some(provider.master.clone()),
        config: config.clone(),
    }
}

fn mailer(config: &Config) -> Option<Mailer> {
    let url = config.smtp_url.as_ref()?;
    Mailer::new(url.expose(), &config.mail_from).ok()
}

fn gateway(config: &Config) -> Option<Gateway> {
    let sms = config.sms.as_ref()?;
    Gateway::new(sms, Egress::new(config.egress.networks.clone())).ok()
}

async fn open(config: &Config) -> Result<Option<Store>, String> {
    if let Some(file) = store::file(config.database_url.expose())
        && !file.exists()
    {
        return Ok(None);
    }
    let opened = async {
        let store = Store::open(config.database_url.expose()).await?;
        // a store that was moved, or is a newer program's, says so here
        store.pending_migrations().await?;
        Ok::<_, Error>(store)
    };
    opened.await.map(Some).map_err(|error| causes(&error))
}
