//! An authenticator of our own: Web Authentication read once more, on nothing that the server reads it with. It answers as a
//! browser with such a device would, unless it is told to answer otherwise.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyUsagePurpose};
use serde_json::{Value, json};

/// Authenticator data, flags (section 6.1).
pub const UP: u8 = 0x01;
pub const UV: u8 = 0x04;
pub const BE: u8 = 0x08;
pub const BS: u8 = 0x10;
pub const AT: u8 = 0x40;

/// A device that makes keys and signs with them.
pub struct Device {
    /// The page that asks it.
    pub origin: String,
    /// What it says of itself and of who is there.
    pub flags: u8,
    /// Whether it counts its signatures.
    pub counts: bool,
    pub keys: Vec<Key>,
    /// What vouches for it, if anything does.
    pub vouched: Option<Vouched>,
}

/// What the maker has put into a device: its model, and a key with a certificate of the maker.
pub struct Vouched {
    pub aaguid: [u8; 16],
    pub certificate: Vec<u8>,
    pub key: EcdsaKeyPair,
}

/// A maker of devices.
pub struct Maker(CertifiedIssuer<'static, rcgen::KeyPair>);

impl Maker {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap())
    }

    /// The certificate that it vouches with, in PEM.
    pub fn root(&self) -> String {
        self.0.pem()
    }

    /// What it puts into a device of this model (section 8.2.1).
    pub fn vouch(&self, aaguid: [u8; 16]) -> Vouched {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        for (kind, value) in [
            (DnType::CountryName, "FR"),
            (DnType::OrganizationName, "Maker"),
            (DnType::OrganizationalUnitName, "Authenticator Attestation"),
            (DnType::CommonName, "Key"),
        ] {
            params.distinguished_name.push(kind, value);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        let model = [&[0x04, 0x10], aaguid.as_slice()].concat();
        let id_fido_gen_ce_aaguid = [1, 3, 6, 1, 4, 1, 45_724, 1, 1, 4];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&id_fido_gen_ce_aaguid, model)];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der()).unwrap();
        Vouched {
            aaguid,
            certificate,
            key,
        }
    }
}

/// A key of it.
pub struct Key {
    pub id: Vec<u8>,
    pub handle: Vec<u8>,
    pub counter: u32,
    pair: EcdsaKeyPair,
}

/// An answer to the request for a new key, before it is written.
pub struct Creation {
    pub kind: String,
    pub challenge: String,
    pub origin: String,
    pub cross_origin: Option<bool>,
    pub rp_id: String,
    pub flags: u8,
    pub id: Vec<u8>,
    /// The id that stands beside the attestation.
    pub raw_id: Vec<u8>,
    /// The public key in COSE.
    pub key: Vec<u8>,
    pub format: String,
}

/// An answer to the request for a signature, before it is written.
pub struct Assertion {
    pub kind: String,
    pub challenge: String,
    pub origin: String,
    pub cross_origin: Option<bool>,
    pub rp_id: String,
    pub flags: u8,
    pub counter: u32,
    pub id: Vec<u8>,
    pub handle: Option<Vec<u8>>,
    /// Bits that are turned in the signature.
    pub spoilt: u8,
}

impl Device {
    /// A telephone, say: its keys are copied to another one, and it sees who is there.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            flags: UP | UV | BE | BS,
            counts: false,
            keys: Vec::new(),
            vouched: None,
        }
    }

    /// A security key: its keys stay in it, and it counts.
    pub fn security_key(origin: &str) -> Self {
        Self {
            flags: UP | UV,
            counts: true,
            ..Self::new(origin)
        }
    }

    /// A security key without a PIN.
    pub fn without_verification(origin: &str) -> Self {
        Self {
            flags: UP,
            ..Self::security_key(origin)
        }
    }

    /// Makes a key. Gives what the browser answers.
    pub fn make(&mut self, options: &Value) -> String {
        self.make_otherwise(options, |_| ())
    }

    /// The same after a change.
    pub fn make_otherwise(&mut self, options: &Value, change: impl FnOnce(&mut Creation)) -> String {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        let mut creation = Creation {
            kind: "webauthn.create".to_owned(),
            challenge: options["challenge"].as_str().unwrap().to_owned(),
            origin: self.origin.clone(),
            cross_origin: Some(false),
            rp_id: options["rp"]["id"].as_str().unwrap().to_owned(),
            flags: self.flags | AT,
            raw_id: id.clone(),
            id,
            key: es256(pair.public_key().as_ref()),
            format: "none".to_owned(),
        };
        change(&mut creation);
        self.keys.push(Key {
            id: creation.id.clone(),
            handle: decode(options["user"]["id"].as_str().unwrap()),
            counter: 0,
            pair,
        });
        creation.answer(self.vouched.as_ref()).to_string()
    }

    /// Signs with the last key. Gives what the browser answers.
    pub fn sign(&mut self, options: &Value) -> String {
        self.sign_otherwise(options, |_| ())
    }

    /// The same after a change.
    pub fn sign_otherwise(&mut self, options: &Value, change: impl FnOnce(&mut Assertion)) -> String {
        let counts = self.counts;
        let key = self.keys.last_mut().expect("a key");
        key.counter += u32::from(counts);
        let mut assertion = Assertion {
            kind: "webauthn.get".to_owned(),
            challenge: options["challenge"].as_str().unwrap().to_owned(),
            origin: self.origin.clone(),
            cross_origin: Some(false),
            rp_id: options["rpId"].as_str().unwrap().to_owned(),
            flags: self.flags,
            counter: key.counter,
            id: key.id.clone(),
            handle: Some(key.handle.clone()),
            spoilt: 0,
        };
        change(&mut assertion);
        assertion.answer(&key.pair).to_string()
    }
}

impl Creation {
    fn answer(&self, vouched: Option<&Vouched>) -> Value {
        let data = client_data(&self.kind, &self.challenge, &self.origin, self.cross_origin);
        let mut authenticator = sha256(self.rp_id.as_bytes());
        authenticator.push(self.flags);
        authenticator.extend([0; 4]);
        if self.flags & AT != 0 {
            authenticator.extend(vouched.map_or([0; 16], |vouched| vouched.aaguid));
            authenticator.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
            authenticator.extend(&self.id);
            authenticator.extend(&self.key);
        }
        let mut attestation = vec![0xa3];
        text(&mut attestation, "fmt");
        text(
            &mut attestation,
            if vouched.is_some() { "packed" } else { &self.format },
        );
        text(&mut attestation, "attStmt");
        match vouched {
            None => attestation.push(0xa0),
            // section 8.2: alg, sig and x5c
            Some(vouched) => {
                let signed = [authenticator.as_slice(), &sha256(data.as_bytes())].concat();
                let signature = vouched.key.sign(&SystemRandom::new(), &signed).unwrap();
                attestation.push(0xa3);
                text(&mut attestation, "alg");
                attestation.push(0x26);
                text(&mut attestation, "sig");
                bytes(&mut attestation, signature.as_ref());
                text(&mut attestation, "x5c");
                attestation.push(0x81);
                bytes(&mut attestation, &vouched.certificate);
            }
        }
        text(&mut attestation, "authData");
        bytes(&mut attestation, &authenticator);
        json!({
            "id": encode(&self.raw_id),
            "rawId": encode(&self.raw_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(data.as_bytes()),
                "attestationObject": encode(&attestation),
                "transports": ["internal", "hybrid"],
            },
            "clientExtensionResults": {"credProps": {"rk": true}},
        })
    }
}

impl Assertion {
    fn answer(&self, pair: &EcdsaKeyPair) -> Value {
        let data = client_data(&self.kind, &self.challenge, &self.origin, self.cross_origin);
        let mut authenticator = sha256(self.rp_id.as_bytes());
        authenticator.push(self.flags);
        authenticator.extend(self.counter.to_be_bytes());
        let signed = [authenticator.as_slice(), &sha256(data.as_bytes())].concat();
        let mut signature = pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec();
        *signature.last_mut().unwrap() ^= self.spoilt;
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(data.as_bytes()),
                "authenticatorData": encode(&authenticator),
                "signature": encode(&signature),
                "userHandle": self.handle.as_deref().map(encode),
            },
            "clientExtensionResults": {},
        })
    }
}

/// A signature with these flags.
pub fn assertion(key: &Key, options: &Value, origin: &str, flags: u8) -> String {
    let assertion = Assertion {
        kind: "webauthn.get".to_owned(),
        challenge: options["challenge"].as_str().unwrap().to_owned(),
        origin: origin.to_owned(),
        cross_origin: Some(false),
        rp_id: options["rpId"].as_str().unwrap().to_owned(),
        flags,
        counter: 0,
        id: key.id.clone(),
        handle: Some(key.handle.clone()),
        spoilt: 0,
    };
    assertion.answer(&key.pair).to_string()
}

/// The public key of Ed25519 in COSE (RFC 9053 section 7.2): an algorithm that is not offered.
pub fn ed25519() -> Vec<u8> {
    let pair = Ed25519KeyPair::generate().unwrap();

    // kty: OKP, alg: EdDSA, crv: Ed25519, x
    let mut key = vec![0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21];
    bytes(&mut key, pair.public_key().as_ref());
    key
}

/// RFC 9053 section 7.1.1, of an uncompressed point.
fn es256(point: &[u8]) -> Vec<u8> {
    // kty: EC2, alg: ES256, crv: P-256, x, y
    let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21];
    bytes(&mut key, &point[1..33]);
    key.push(0x22);
    bytes(&mut key, &point[33..65]);
    key
}

fn client_data(kind: &str, challenge: &str, origin: &str, cross_origin: Option<bool>) -> String {
    let mut data = json!({ "type": kind, "challenge": challenge, "origin": origin });
    if let Some(cross_origin) = cross_origin {
        data["crossOrigin"] = cross_origin.into();
    }
    data.to_string()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// A text of CBOR (RFC 8949 section 3.1), shorter than 24 bytes.
fn text(into: &mut Vec<u8>, text: &str) {
    into.push(0x60 | u8::try_from(text.len()).unwrap());
    into.extend(text.as_bytes());
}

/// Bytes of CBOR.
fn bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    into.push(0x59);
    into.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    into.extend(bytes);
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
