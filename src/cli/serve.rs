//! `serve`: the server, until it is told to end.

use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::{setup, store_command};
use crate::clock::Clock;
use crate::config::{Administrator, Config, LogFormat};
use crate::flow::operations::setup::{self as first_setup, NewAdministrator};
use crate::flow::{Call, Provider};
use crate::server::{Application, Ended, Failpoints, Options, Signals};
use crate::telemetry::{self, Tracing};

pub(super) async fn run(file: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = Config::load(file, std::env::vars_os())?;
    let tracing = start_logging(&config)?;
    let administrator = config.administrator.clone();
    let issuer = config.issuer();
    let signals = Signals::listen()?;
    let options = Options {
        commands: Some(store_command::commands()),
        failpoints: failpoints(),
        tracing: tracing.clone(),
        ..Options::default()
    };
    let application = Application::start(config, Clock::default(), options).await?;
    tracing::info!(address = %application.address, issuer, "serving");
    if let Err(failure) = prepare(&application.provider, administrator).await {
        application.stop().await;
        return Err(failure);
    }
    match application.run(signals).await {
        Ended::InOrder => {
            if let Some(tracing) = tracing {
                tracing.finish().await;
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::AtOnce => Ok(ExitCode::FAILURE),
    }
}

#[cfg(not(feature = "failpoints"))]
pub(super) fn failpoints() -> Failpoints {
    Failpoints::default()
}

/// Steered by the folder that a test names.
#[cfg(feature = "failpoints")]
pub(super) fn failpoints() -> Failpoints {
    std::env::var_os("OSTIARY_TEST_FAILPOINTS")
        .map(|folder| Failpoints::steered_by(folder.into()))
        .unwrap_or_default()
}

/// An installation without an administrator gets one, or a link to make one.
async fn prepare(provider: &Provider, administrator: Option<Administrator>) -> Result<(), Failure> {
    if !first_setup::is_needed(provider).await? {
        return Ok(());
    }
    let call = Call::operator(&provider.clock);
    match administrator {
        Some(Administrator { email, password }) => {
            let new = NewAdministrator {
                username: email.clone(),
                email,
                password,
            };
            if first_setup::make_first(provider, &call, new).await?.is_some() {
                println!("The first administrator is made as the configuration says.");
            }
        }
        None => print!("{}", setup::sentence(&first_setup::new_link(provider, &call).await?)),
    }
    Ok(())
}

fn start_logging(config: &Config) -> Result<Option<Tracing>, Failure> {
    let format = match config.log_format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    let mistaken = |mistake| Failure::refused(format!("log: {mistake}"));
    telemetry::tell_panics();
    let Some(wanted) = &config.telemetry else {
        telemetry::start(&config.log, format).map_err(mistaken)?;
        return Ok(None);
    };
    let otlp = telemetry::Otlp {
        endpoint: wanted.otlp_endpoint.to_string(),
        sample_percent: wanted.sample_percent,
    };
    let tracing = telemetry::start_tracing(&config.log, format, &otlp).map_err(mistaken)?;
    Ok(Some(tracing))
}
