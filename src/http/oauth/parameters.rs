//! Parameters of a request, and who its client is.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawQuery, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;

use crate::flow::token::client_authentication;
use crate::flow::{Call, Error, Provider};
use crate::http::{Http, Refusal};
use crate::model::Client;
use crate::protocol::client_authentication::Presented;
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};

const FORM: &str = "application/x-www-form-urlencoded";

/// The raw query and form of a request.
pub struct Raw {
    /// What stands behind the question mark.
    pub query: Vec<u8>,
    /// The form of a POST.
    pub form: Bytes,
}

impl FromRequest<Http> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let RawQuery(query) = RawQuery::from_request_parts(&mut parts, http)
            .await
            .map_err(|_| Refusal::bad_request("the query can't be read"))?;
        let form = if parts.method == Method::POST {
            if !is_form(&parts.headers) {
                return Err(Refusal::media_type());
            }
            Bytes::from_request(Request::from_parts(parts, body), http)
                .await
                .map_err(|rejection| match rejection.into_response().status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
                    _ => Refusal::bad_request("the form can't be read"),
                })?
        } else {
            Bytes::new()
        };
        Ok(Self {
            query: query.unwrap_or_default().into_bytes(),
            form,
        })
    }
}

impl Raw {
    /// Query and form together: for endpoints that people are sent to.
    pub fn all(&self) -> Result<Parameters, OAuthError> {
        Parameters::parse(&[&self.query, &self.form])
    }

    /// The form alone, nothing repeated: for endpoints that clients call. Credentials in the query are refused (RFC 6749
    /// section 2.3.1), and so is a parameter that stands in both.
    pub fn form(&self) -> Result<Parameters, OAuthError> {
        let parameters = Parameters::parse(&[&self.form])?;
        if self.query.is_empty() {
            parameters.refuse_repeated()?;
            return Ok(parameters);
        }
        self.all()?.refuse_repeated()?;
        let query = Parameters::parse(&[&self.query])?;
        if query.pairs().next().is_some() {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "parameters.query",
                "the parameters of this endpoint belong into the form",
            ));
        }
        Ok(parameters)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
}

/// The client of a request, once it has proved who it is. `path` is the endpoint's.
pub async fn authenticate(
    provider: &Provider,
    call: &Call,
    headers: &HeaderMap,
    parameters: &Parameters,
    path: &str,
) -> Result<Arc<Client>, Error> {
    let authorization = match headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => None,
        [one] => one.to_str().ok(),
        _ => {
            let several = OAuthError::new(
                ErrorCode::InvalidRequest,
                "client_authentication_methods",
                "several Authorization headers",
            );
            return Err(several.into());
        }
    };
    let presented = Presented::read(authorization, |name| parameters.get(name).map(str::to_owned));
    client_authentication::authenticate(provider, call, presented, &provider.issuer.path(path)).await
}
