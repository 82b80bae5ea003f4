//! `demo`: the sandbox, until it is told to end.

use std::process::ExitCode;

use super::arguments;
use super::failure::Failure;
use crate::demo::{Demo, Place};
use crate::server::Signals;
use crate::telemetry;

pub(super) async fn run(arguments: &arguments::Demo) -> Result<ExitCode, Failure> {
    telemetry::start("warn", telemetry::Format::Text).map_err(Failure::refused)?;
    let place = Place {
        listen: arguments.listen,
        port: arguments.port,
        application_port: arguments.app_port,
    };
    let signals = Signals::listen()?;
    let demo = Demo::start(&place).await?;
    print!("{}", told(&demo));
    demo.run(signals).await;
    println!("Everything is thrown away.");
    Ok(ExitCode::SUCCESS)
}

fn told(demo: &Demo) -> String {
    let Demo {
        issuer,
        application,
        people,
        ..
    } = demo;
    let people: String = people
        .iter()
        .map(|person| {
            format!(
                "  {:8} {}   {}\n",
                person.username,
                person.password.expose(),
                person.remark
            )
        })
        .collect();
    format!(
        "
Ostiary's sandbox is running; it is thrown away when it ends (Ctrl-C).

  Sample application   {application}
  Server               {issuer}
  Messages it sent     {issuer}/demo/messages
  Its clock            {issuer}/demo/clock

Sign in as one of these; the passwords were made for this run:

{people}
Try this:
  1. Open the sample application, press \"Sign in\", and allow what it asks for.
  2. Look at the ID token and the userinfo answer; call the API; refresh the tokens.
  3. Move the clock forward by an hour, and call the API again: the access token has ended. Refresh.
  4. Open {issuer}/account in another tab and sign out there; then reload the sample application: it was told.
  5. Sign in as somebody who reads German or French.
  6. Make yourself an account at {issuer}/register; the mail stands among the messages.

"
    )
}
