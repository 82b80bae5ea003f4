//! The metadata document as it stands: made from what works, remembered until a setting or resource changes.

use std::sync::Arc;

use bytes::Bytes;

use super::published::{self, Published};
use crate::crypto;
use crate::flow::{Error, Provider};
use crate::model::scope::STANDARD;
use crate::model::setting;
use crate::protocol::acr;
use crate::protocol::discovery;

/// The document and a word that changes with it.
#[derive(Clone, Debug)]
pub struct Document {
    /// JSON.
    pub bytes: Bytes,
    /// Changes with the bytes.
    pub etag: String,
}

/// The document, announcing these languages.
pub async fn document(provider: &Provider, ui_locales: Vec<&'static str>) -> Result<Document, Error> {
    Ok(of(provider, &published::read(provider).await?, ui_locales))
}

/// The document as it is made from this.
pub fn of(provider: &Provider, published: &Published, ui_locales: Vec<&'static str>) -> Document {
    let Published {
        settings, resources, ..
    } = published;
    if let Some(known) = provider.memory.metadata_of(settings, resources) {
        return known;
    }
    let mut scopes: Vec<String> = STANDARD.iter().map(|scope| (*scope).to_owned()).collect();
    for scope in resources.iter().flat_map(|resource| resource.scopes.iter()) {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    let acr_names = acr::Names::of(settings.names(setting::ACR_NAMES));
    let value = discovery::document(&discovery::Surroundings {
        issuer: provider.issuer.as_str(),
        registration_open: settings.word(setting::CLIENT_REGISTRATION_MODE) != "closed",
        scopes,
        ui_locales,
        acr_values: [acr::PASSWORD, acr::MULTIPLE, acr::CODE]
            .into_iter()
            .chain(acr_names.all())
            .collect(),
    });
    let bytes = Bytes::from(value.to_string());
    let etag = crypto::hex(crypto::sha256(&bytes).iter().take(8));
    let document = Document { bytes, etag };
    provider
        .memory
        .remember_metadata(Arc::clone(settings), Arc::clone(resources), document.clone());
    document
}
