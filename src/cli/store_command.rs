//! Commands that work with the store: run by the server that has it, or here.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use super::arguments::{Arguments, Command, Keys, StoreCommand};
use super::failure::Failure;
use super::output::Output;
use super::reseal::{self, Step};
use super::user_arguments::Users;
use super::{
    access_requests, api_keys, apply, clients, devices, events, explain, groups, imports, jobs, keys, messages,
    properties, resources, roles, segments, serve, sessions, settings, setup, terms, user_export, users, webhooks,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::operations::backup::snapshot;
use crate::flow::{Call, Provider};
use crate::model::Secret;
use crate::server::{self, Answer, Commands, Parts, Request};

/// Runs a command that was typed here.
pub(super) async fn run(file: Option<&Path>, command: StoreCommand) -> Result<ExitCode, Failure> {
    let config = Config::load(file, std::env::vars_os())?;
    let input = read_input(&command)?;
    let answer = if server::is_embedded(&config) {
        let mut request = Request {
            arguments: words(&command),
            input,
        };
        match ask(&config, &command, &mut request).await? {
            Some(answer) => answer,
            None => here(&config, command, request.input).await?,
        }
    } else {
        here(&config, command, input).await?
    };
    show(&answer);
    Ok(ExitCode::from(answer.code))
}

/// Has the running server do it, step by step where it takes its time.
async fn ask(config: &Config, command: &StoreCommand, request: &mut Request) -> Result<Option<Answer>, Failure> {
    loop {
        match server::ask(config, request).await? {
            Some(answer) if answer.unfinished => {
                show(&answer);
                if let Some(next) = answer.next {
                    request.input = Some(next_input(command, next)?);
                }
            }
            done => return Ok(done),
        }
    }
}

/// What a command reads at its next step.
fn next_input(command: &StoreCommand, next: Secret) -> Result<Secret, Failure> {
    match command {
        StoreCommand::Import(import) => imports::next_piece(import, next),
        _ => Ok(next),
    }
}

fn show(answer: &Answer) {
    print!("{}", answer.output.expose());
    complain(answer);
}

fn complain(answer: &Answer) {
    if !answer.complaint.is_empty() {
        eprintln!("ostiary: {}", answer.complaint);
    }
}

/// What a server runs the commands of its local socket with.
pub fn commands() -> Commands {
    Arc::new(|provider, request| Box::pin(run_for_another(provider, request)))
}

async fn run_for_another(provider: Provider, request: Request) -> Answer {
    let words = std::iter::once("ostiary".to_owned()).chain(request.arguments);
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Command::Store(command)) => answer(&provider, command, request.input).await,
        // another version of this program was asked than the one that runs
        Ok(_) | Err(_) => Answer {
            output: Secret::new(""),
            complaint: "the running server does not know this command".to_owned(),
            code: 2,
            unfinished: false,
            next: None,
        },
    }
}

async fn here(config: &Config, command: StoreCommand, mut input: Option<Secret>) -> Result<Answer, Failure> {
    let Parts { provider, lock } = server::provide(config, &Clock::default(), serve::failpoints()).await?;
    let answer = loop {
        let answer = answer(&provider, command.clone(), input.clone()).await;
        if !answer.unfinished {
            break answer;
        }
        show(&answer);
        if let Some(next) = answer.next {
            input = Some(next_input(&command, next)?);
        }
    };
    provider.write_noted_events().await?;
    provider.store.close().await;
    drop(lock);
    Ok(answer)
}

async fn answer(provider: &Provider, command: StoreCommand, input: Option<Secret>) -> Answer {
    let outcome = match &command {
        StoreCommand::Keys(Keys::Reseal {
            prepare: false,
            check: false,
            json,
        }) => match reseal::step(provider, &Call::operator(&provider.clock), *json).await {
            Ok(Step::Unfinished(told)) => {
                return Answer {
                    output: Secret::new(""),
                    complaint: told,
                    code: 0,
                    unfinished: true,
                    next: None,
                };
            }
            Ok(Step::Finished(output)) => Ok(output),
            Err(failure) => Err(failure),
        },
        StoreCommand::Users(Users::Export(wish)) => {
            match user_export::step(provider, &Call::operator(&provider.clock), wish, input).await {
                Ok(step) => return step,
                Err(failure) => Err(failure),
            }
        }
        StoreCommand::Import(wish) => {
            match imports::step(provider, &Call::operator(&provider.clock), wish, input).await {
                Ok(step) => return step,
                Err(failure) => Err(failure),
            }
        }
        _ => execute(provider, command, input).await,
    };
    let (output, complaint, code) = match outcome {
        Ok(Output { text, remark }) => (text, remark, 0),
        Err(failure) => (failure.text, failure.sentence, failure.code),
    };
    Answer {
        output: Secret::new(output),
        complaint,
        code,
        unfinished: false,
        next: None,
    }
}

async fn execute(provider: &Provider, command: StoreCommand, input: Option<Secret>) -> Result<Output, Failure> {
    let call = &Call::operator(&provider.clock);
    match command {
        StoreCommand::Setup(json) => setup::run(provider, call, json).await,
        StoreCommand::Apply(arguments) => apply::run(provider, call, &arguments, input).await,
        StoreCommand::Export(arguments) => apply::export(provider, &arguments, input).await,
        StoreCommand::Users(command) => users::run(provider, call, command, input).await,
        StoreCommand::Groups(command) => groups::run(provider, call, command).await,
        StoreCommand::Roles(command) => roles::run(provider, call, command).await,
        StoreCommand::Permissions(command) => roles::run_permissions(provider, call, command).await,
        StoreCommand::Clients(command) => clients::run(provider, call, command, input).await,
        StoreCommand::Keys(command) => keys::run(provider, call, command, input).await,
        StoreCommand::Imports(command) => imports::run(provider, call, command).await,
        // step by step
        StoreCommand::Import(_) => Ok(Output::default()),
        StoreCommand::Jobs(command) => jobs::run(provider, call, command).await,
        StoreCommand::AccessRequests(command) => access_requests::run(provider, call, command).await,
        StoreCommand::Terms(command) => terms::run(provider, call, command, input).await,
        StoreCommand::Properties(command) => properties::run(provider, call, command, input).await,
        StoreCommand::Segments(command) => segments::run(provider, call, command).await,
        StoreCommand::Sessions(command) => sessions::run(provider, call, command).await,
        StoreCommand::Devices(command) => devices::run(provider, call, command).await,
        StoreCommand::Settings(command) => settings::run(provider, call, command).await,
        StoreCommand::Messages(command) => messages::run(provider, call, command).await,
        StoreCommand::MessageTemplates(command) => messages::run_templates(provider, call, command, input).await,
        StoreCommand::Events(command) => events::run(provider, call, command).await,
        StoreCommand::Resources(command) => resources::run(provider, call, command).await,
        StoreCommand::ApiKeys(command) => api_keys::run(provider, call, command).await,
        StoreCommand::Webhooks(command) => webhooks::run(provider, call, command).await,
        StoreCommand::Snapshot { path } => {
            snapshot(provider, call, &path).await?;
            Ok(Output::default())
        }
        StoreCommand::Explain(arguments) => explain::run(provider, call, arguments, input).await,
    }
}

/// What the command reads, read where it was typed.
fn read_input(command: &StoreCommand) -> Result<Option<Secret>, Failure> {
    match command {
        StoreCommand::Apply(arguments) => apply::read_input(arguments).map(Some),
        StoreCommand::Export(arguments) => apply::read_passphrase(arguments),
        StoreCommand::Users(command) => users::read_input(command),
        StoreCommand::Clients(command) => clients::read_input(command),
        StoreCommand::Keys(command) => keys::read_input(command),
        StoreCommand::Terms(command) => terms::read_input(command),
        StoreCommand::Properties(command) => properties::read_input(command),
        StoreCommand::Import(command) => imports::first_piece(command).map(Some),
        StoreCommand::MessageTemplates(command) => messages::read_words(command),
        StoreCommand::Setup(_)
        | StoreCommand::Messages(_)
        | StoreCommand::Groups(_)
        | StoreCommand::Roles(_)
        | StoreCommand::Permissions(_)
        | StoreCommand::AccessRequests(_)
        | StoreCommand::Imports(_)
        | StoreCommand::Jobs(_)
        | StoreCommand::Sessions(_)
        | StoreCommand::Segments(_)
        | StoreCommand::Devices(_)
        | StoreCommand::Settings(_)
        | StoreCommand::Events(_)
        | StoreCommand::ApiKeys(_)
        | StoreCommand::Resources(_)
        | StoreCommand::Webhooks(_)
        | StoreCommand::Snapshot { .. } => Ok(None),
        StoreCommand::Explain(arguments) => explain::read_input(arguments),
    }
}

/// The words of the command line after the program's name.
fn words(command: &StoreCommand) -> Vec<String> {
    if let StoreCommand::Explain(arguments) = command
        && let Some(words) = explain::words(arguments)
    {
        return words;
    }
    std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}
