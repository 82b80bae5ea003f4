//! `clients`: applications from a terminal.

use serde_json::{Value, json};

use super::arguments::Json;
use super::client_arguments::{Clients, CreateClient, RegistrationToken};
use super::failure::Failure;
use super::input;
use super::output::Output;
use super::roles::{Holder, holder};
use crate::flow::clients::access::{self, ClientUser};
use crate::flow::clients::logouts::{self, LogoutRow};
use crate::flow::clients::{self, Authority, ClientChange, Created, Given, NewClient, Strength, initial_access_token};
use crate::flow::operations::inventory;
use crate::flow::people::RoleHolder;
use crate::flow::{Call, Error, Provider};
use crate::model::scope::STANDARD;
use crate::model::{
    ApplicationType, Client, ClientMetadata, ClientPolicy, GrantType, Scopes, Secret, TokenEndpointAuthMethod, setting,
};

const AUTHORITY: Authority = Authority::Operator;
/// So many deliveries are shown.
const MOST_LOGOUTS: u32 = 200;

pub(super) fn read_input(command: &Clients) -> Result<Option<Secret>, Failure> {
    let file = match command {
        Clients::Create(create) => create.secret_file.as_ref(),
        Clients::RotateSecret { secret_file, .. } => secret_file.as_ref(),
        _ => None,
    };
    file.map(|path| input::secret_file(path)).transpose()
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    command: Clients,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    match command {
        Clients::List(json) => {
            let rows: Vec<Value> = inventory::clients(provider).await?.iter().map(row).collect();
            let columns = [
                "client_id",
                "client_name",
                "token_endpoint_auth_method",
                "origin",
                "trusted",
                "status",
            ];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Clients::Show { client_id, json } => {
            let client = find(provider, &client_id).await?;
            Ok(Output::thing(json.shape(), &whole(&client)?))
        }
        Clients::Create(new) => create(provider, call, new, input).await,
        Clients::RotateSecret { client_id, json, .. } => rotate(provider, call, &client_id, input, json).await,
        Clients::Disable { client_id } => {
            let client = find(provider, &client_id).await?;
            clients::disable(provider, call, &AUTHORITY, client.id, None).await?;
            Ok(Output::line(format!("{client_id} is disabled")))
        }
        Clients::Enable { client_id } => {
            let client = find(provider, &client_id).await?;
            clients::enable(provider, call, &AUTHORITY, client.id, None).await?;
            Ok(Output::line(format!("{client_id} is enabled")))
        }
        Clients::Trust { client_id } => {
            vouch(provider, call, &client_id, Vouching::Given).await?;
            Ok(Output::line(format!("{client_id} is trusted")))
        }
        Clients::Distrust { client_id } => {
            vouch(provider, call, &client_id, Vouching::TakenBack).await?;
            Ok(Output::line(format!("{client_id} is not trusted")))
        }
        Clients::Give { client_id, to } => {
            let (client, who) = (find(provider, &client_id).await?, user_of(provider, &to).await?);
            access::give_client(provider, call, &AUTHORITY, client.id, who).await?;
            Ok(Output::line(format!("{client_id} is given")))
        }
        Clients::Take { client_id, from } => {
            let (client, who) = (find(provider, &client_id).await?, user_of(provider, &from).await?);
            access::take_client(provider, call, &AUTHORITY, client.id, who).await?;
            Ok(Output::line(format!("{client_id} is taken")))
        }
        Clients::Delete { client_id } => {
            let client = find(provider, &client_id).await?;
            clients::delete(provider, call, &AUTHORITY, client.id, None).await?;
            Ok(Output::line(format!("{client_id} is deleted")))
        }
        Clients::Logouts { client_id, json } => {
            let client = find(provider, &client_id).await?;
            let page = logouts::list(provider, client.id, None, MOST_LOGOUTS).await?;
            let rows: Vec<Value> = page.items.iter().map(logout).collect();
            let columns = ["created_at", "session", "outcome", "attempts", "error"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Clients::RegistrationToken(command) => registration_token(provider, call, command).await,
    }
}

async fn find(provider: &Provider, client_id: &str) -> Result<Client, Failure> {
    match inventory::client(provider, client_id).await {
        Err(Error::NotFound) => Err(Failure::refused(format!("there is no client {client_id}"))),
        found => Ok(found?),
    }
}

/// What an administrator says about a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vouching {
    Given,
    TakenBack,
}

async fn vouch(provider: &Provider, call: &Call, client_id: &str, vouching: Vouching) -> Result<(), Failure> {
    let client = find(provider, client_id).await?;
    let change = ClientChange {
        metadata: None,
        policy: None,
        trusted: Some(vouching == Vouching::Given),
        expected_version: Some(client.version),
        authority: AUTHORITY,
    };
    clients::change(provider, call, client.id, change).await?;
    Ok(())
}

async fn create(provider: &Provider, call: &Call, new: CreateClient, input: Option<Secret>) -> Result<Output, Failure> {
    let json = new.json;
    let created = clients::create(provider, call, described(new, input)?).await?;
    let mut value = whole(&created.client)?;
    if let Value::Object(members) = &mut value {
        members.insert("issuer".to_owned(), provider.issuer.as_str().into());
        members.insert("discovery".to_owned(), discovery(provider).into());
        if let Some(secret) = &created.secret {
            members.insert("client_secret".to_owned(), secret.expose().into());
        }
    }
    Ok(Output::either(json.shape(), &value, || told(provider, &created)))
}

fn described(new: CreateClient, input: Option<Secret>) -> Result<NewClient, Failure> {
    let grant_types = if new.grants.is_empty() {
        vec![GrantType::AuthorizationCode, GrantType::RefreshToken]
    } else {
        let read = new.grants.iter().map(|grant| word::<GrantType>("--grant", grant));
        read.collect::<Result<_, _>>()?
    };
    let with_code = grant_types.contains(&GrantType::AuthorizationCode);
    let scope = match &new.scope {
        Some(text) => Scopes::parse(text).map_err(|error| Failure::usage(format!("--scope: {error}")))?,
        None if with_code => Scopes::from_tokens(STANDARD.iter().copied()),
        None => Scopes::default(),
    };
    let mut metadata = ClientMetadata {
        client_name: new.name,
        redirect_uris: new.redirect_uris,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: new.backchannel_logout_uri,
        frontchannel_logout_uri: new.frontchannel_logout_uri,
        grant_types,
        scope,
        jwks_uri: new.jwks_uri,
        ..ClientMetadata::default()
    };
    if !with_code {
        metadata.response_types.clear();
    }
    if new.native {
        metadata.application_type = ApplicationType::Native;
    }
    if new.public {
        metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
    }
    if let Some(method) = &new.auth_method {
        metadata.token_endpoint_auth_method = word("--auth-method", method)?;
    }
    let mut policy = ClientPolicy {
        resources: new.resources,
        serves: new.serves,
        ..ClientPolicy::default()
    };
    if let Some(consent) = &new.consent {
        policy.consent = word("--consent", consent)?;
    }
    if let Some(users) = &new.users {
        policy.users = word("--users", users)?;
    }
    Ok(NewClient {
        metadata,
        policy,
        client_id: new.client_id,
        secret: input.map(given),
        trusted: true,
        authority: AUTHORITY,
    })
}

async fn user_of(provider: &Provider, named: &Holder) -> Result<ClientUser, Failure> {
    Ok(match holder(provider, named).await? {
        RoleHolder::Group(group) => ClientUser::Group(group),
        RoleHolder::User(user) => ClientUser::User(user),
    })
}

fn word<T: std::str::FromStr>(argument: &str, text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::usage(format!("{argument}: there is no {text}")))
}

fn given(secret: Secret) -> Given {
    Given {
        secret,
        strength: Strength::Demanded,
    }
}

fn discovery(provider: &Provider) -> String {
    provider.issuer.path("/.well-known/openid-configuration")
}

/// What whoever connects the application needs, ready to copy.
fn told(provider: &Provider, created: &Created) -> String {
    let client = &created.client;
    let issuer = provider.issuer.as_str();
    let mut text = format!("client_id      {}\n", client.client_id);
    if let Some(secret) = &created.secret {
        text.push_str(&format!("client_secret  {}   (shown this once)\n", secret.expose()));
    }
    text.push_str(&format!(
        "issuer         {issuer}\ndiscovery      {}\n\n",
        discovery(provider)
    ));
    text.push_str("For the application's environment:\n\n");
    text.push_str(&format!(
        "  OIDC_ISSUER={issuer}\n  OIDC_CLIENT_ID={}\n",
        client.client_id
    ));
    if let Some(secret) = &created.secret {
        text.push_str(&format!("  OIDC_CLIENT_SECRET={}\n", secret.expose()));
    }
    if let Some(redirect_uri) = client.metadata.redirect_uris.first() {
        text.push_str(&format!("  OIDC_REDIRECT_URI={redirect_uri}\n"));
    }
    if !client.metadata.scope.is_empty() {
        text.push_str(&format!("  OIDC_SCOPE=\"{}\"\n", client.metadata.scope));
    }
    text
}

async fn rotate(
    provider: &Provider,
    call: &Call,
    client_id: &str,
    input: Option<Secret>,
    json: Json,
) -> Result<Output, Failure> {
    let client = find(provider, client_id).await?;
    let overlap = provider.settings().await?.duration(setting::CLIENT_SECRET_OVERLAP);
    let (_, secret) = clients::rotate_secret(provider, call, &AUTHORITY, (client.id, None), input.map(given)).await?;
    let value = json!({ "client_id": client_id, "client_secret": secret.expose() });
    Ok(Output::either(json.shape(), &value, || {
        let overlap = setting::write_duration(overlap);
        format!(
            "client_secret  {}   (shown this once)\nThe old one is valid for {overlap} more.\n",
            secret.expose()
        )
    }))
}

async fn registration_token(provider: &Provider, call: &Call, command: RegistrationToken) -> Result<Output, Failure> {
    match command {
        RegistrationToken::Create { name, uses, life, json } => {
            let life =
                setting::parse_duration(&life).ok_or_else(|| Failure::usage("--life: a time, as in 1h or 7d"))?;
            let new = initial_access_token::NewRegistrationToken { name, uses, life };
            let (token, secret) = initial_access_token::create(provider, call, new).await?;
            let expires_at = token.expires_at.rfc3339();
            let value = json!({ "id": token.id.to_string(), "token": secret.expose(), "expires_at": expires_at });
            Ok(Output::either(json.shape(), &value, || {
                format!("{}\nShown this once; it is good until {expires_at}.\n", secret.expose())
            }))
        }
        RegistrationToken::List(json) => {
            let tokens = initial_access_token::list(provider).await?;
            let rows: Vec<Value> = tokens
                .iter()
                .map(|token| {
                    json!({
                        "id": token.id.to_string(),
                        "name": token.name,
                        "uses_left": token.uses_left,
                        "expires_at": token.expires_at.rfc3339(),
                        "revoked": token.revoked_at.is_some(),
                    })
                })
                .collect();
            let columns = ["id", "name", "uses_left", "expires_at", "revoked"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        RegistrationToken::Revoke { id } => {
            let id = id.parse().map_err(|_| Failure::usage("that is not an id"))?;
            initial_access_token::revoke(provider, call, id).await?;
            Ok(Output::line("the token is revoked"))
        }
    }
}

fn logout(delivery: &LogoutRow) -> Value {
    json!({
        "created_at": delivery.created_at.rfc3339(),
        "session": delivery.session.to_string(),
        "outcome": delivery.outcome.as_str(),
        "attempts": delivery.attempts,
        "next_at": delivery.next_at.map(|at| at.rfc3339()),
        "finished_at": delivery.finished_at.map(|at| at.rfc3339()),
        "error": delivery.error,
    })
}

fn row(client: &Client) -> Value {
    json!({
        "client_id": client.client_id,
        "client_name": client.metadata.client_name,
        "token_endpoint_auth_method": client.metadata.token_endpoint_auth_method.as_str(),
        "origin": client.origin.as_str(),
        "trusted": client.trusted,
        "status": if client.disabled_at.is_some() { "disabled" } else { "enabled" },
    })
}

fn whole(client: &Client) -> Result<Value, Failure> {
    let mut value = row(client);
    if let Value::Object(members) = &mut value {
        for part in [
            serde_json::to_value(&client.metadata)?,
            serde_json::to_value(&client.policy)?,
        ] {
            if let Value::Object(part) = part {
                members.extend(part);
            }
        }
        members.insert("created_at".to_owned(), client.created_at.rfc3339().into());
    }
    Ok(value)
}
