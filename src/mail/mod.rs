//! Mail over SMTP (RFC 5321): one message to one person, each over a connection of its own.

mod message;
mod server;

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

pub use message::Message;
use server::{Security, Server};

/// Each step of a delivery: connecting, encrypting, signing in, handing over.
const STEP: Duration = Duration::from_secs(10);

/// Why a mail is not on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address of the mail server is not of the form `smtp://user:password@host:port` or `smtps://...`.
    #[error("the mail server's URL is not usable: {0}")]
    Url(&'static str),
    /// The sender is no mail address.
    #[error("the sender is no mail address")]
    From,
    /// This mail will never be taken: the recipient is no address, a field carries what no header may, or the server
    /// refused it for good (its reply code). Sending it again is useless.
    #[error("the mail is refused for good{}", reply(.code))]
    Refused { code: Option<u16> },
    /// The server can't be reached, trusted or signed in to, or wants the mail later (its reply code). Worth sending again.
    #[error("the mail server does not take the mail now{}", reply(.code))]
    Unavailable { code: Option<u16> },
}

/// The way to one mail server.
#[derive(Clone)]
pub struct Mailer {
    server: Server,
    from: Mailbox,
    hello: ClientId,
}

impl Mailer {
    /// `url`: `smtp://` (port 587, upgraded by STARTTLS, which a server must offer unless it is this machine) or `smtps://`
    /// (port 465), with percent-encoded credentials. `from`: `name@host` or `Display Name <name@host>`.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::From`].
    pub fn new(url: &str, from: &str) -> Result<Self, Error> {
        let server = Server::parse(url)?;
        if from.chars().any(char::is_control) {
            return Err(Error::From);
        }
        let from: Mailbox = from.parse().map_err(|_| Error::From)?;
        let hello = ClientId::Domain(from.email.domain().to_owned());
        Ok(Self { server, from, hello })
    }

    /// Hands a mail to the server.
    ///
    /// After [`Error::Unavailable`] the server may have taken it all the same (the connection broke at the wrong moment);
    /// send it again with the same `message_id`, so that mail programs see one.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unavailable`].
    pub async fn send(&self, message: Message) -> Result<(), Error> {
        let mail = message.compose(&self.from)?;
        let mut connection = self.connect().await?;
        step(connection.send(mail.envelope(), &mail.formatted()))
            .await?
            .map_err(|error| refused_or_unavailable(&error))?;
        // the mail is taken, however the farewell goes
        drop(step(connection.quit()).await);
        Ok(())
    }

    /// Connects and signs in without sending anything: for checking a configuration.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn check(&self) -> Result<(), Error> {
        let mut connection = self.connect().await?;
        drop(step(connection.quit()).await);
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let wrapped = match self.server.security {
            Security::Wrapped => Some(self.tls()?),
            Security::Upgraded | Security::UpgradedIfOffered => None,
        };
        let address = (self.server.host.as_str(), self.server.port);
        let mut connection = step(AsyncSmtpConnection::connect_tokio1(
            address,
            Some(STEP),
            &self.hello,
            wrapped,
            None,
        ))
        .await?
        .map_err(|error| unavailable(&error))?;
        if connection.can_starttls() {
            step(connection.starttls(self.tls()?, &self.hello))
                .await?
                .map_err(|error| unavailable(&error))?;
        }
        // RFC 3207 section 4.1: without encryption neither credentials nor mails leave this machine
        if matches!(self.server.security, Security::Upgraded) && !connection.is_encrypted() {
            tracing::warn!("the mail server offers no STARTTLS");
            return Err(Error::Unavailable { code: None });
        }
        if let Some(credentials) = &self.server.credentials {
            step(connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials))
                .await?
                .map_err(|error| unavailable(&error))?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Error> {
        TlsParameters::new(self.server.host.clone()).map_err(|error| unavailable(&error))
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mailer").field("server", &self.server).finish()
    }
}

async fn step<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(STEP, work)
        .await
        .map_err(|_| Error::Unavailable { code: None })
}

fn unavailable(error: &SmtpError) -> Error {
    Error::Unavailable {
        code: error.status().map(u16::from),
    }
}

fn refused_or_unavailable(error: &SmtpError) -> Error {
    let code = error.status().map(u16::from);
    // RFC 4954 section 6: 530, 534, 535 and 538 are about how we signed in, not about this mail
    let about_us = matches!(code, Some(530 | 534 | 535 | 538));
    if (error.is_permanent() && !about_us) || error.is_client() {
        return Error::Refused { code };
    }
    Error::Unavailable { code }
}

fn reply(code: &Option<u16>) -> String {
    code.map(|code| format!(" (reply {code})")).unwrap_or_default()
}
