//! Readers of what strangers send, given what nobody would send: drawn at random, the same in every run.

mod addresses;
mod forwarded;
mod identifiers;
mod jose;
mod keys;
mod lists;
mod parameters;
mod redirect_uri;
mod rendering;
mod sealed;
mod settings;
mod tables;
mod walk;
mod webauthn;

use ostiary::model::{GrantType, Scopes};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Holds a property against so many inputs; one that breaks it is made as small as can be and told.
pub fn holds<S: Strategy>(cases: u32, inputs: S, property: impl Fn(S::Value)) {
    let judged = runner(cases).run(&inputs, |input| {
        property(input);
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = judged {
        panic!("{failure}");
    }
}

/// Draws inputs one by one, for properties that have to wait for a server.
pub struct Inputs(TestRunner);

impl Inputs {
    pub fn new() -> Self {
        Self(runner(1))
    }

    /// One input.
    pub fn draw<S: Strategy>(&mut self, inputs: &S) -> S::Value {
        inputs.new_tree(&mut self.0).unwrap().current()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.draw(&(0..bound))
    }

    /// One of these.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Text put together from these pieces and from whatever.
pub fn pieces(known: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(known).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

/// A small change of some bytes.
#[derive(Clone, Debug)]
pub enum Change {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Double(usize),
    Swap(usize, usize),
}

impl Change {
    /// Any of them.
    pub fn any() -> impl Strategy<Value = Self> {
        let at = any::<usize>;
        prop_oneof![
            (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (at(), 0..8u8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (at(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            at().prop_map(Self::Remove),
            at().prop_map(Self::Cut),
            at().prop_map(Self::Double),
            (at(), at()).prop_map(|(one, other)| Self::Swap(one, other)),
        ]
    }

    /// The bytes after it.
    pub fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        if changed.is_empty() {
            return vec![b'A'];
        }
        let place = |at: usize| at % bytes.len();
        match *self {
            Self::Set(at, byte) => changed[place(at)] = byte,
            Self::Flip(at, bit) => changed[place(at)] ^= 1 << bit,
            Self::Insert(at, byte) => changed.insert(place(at), byte),
            Self::Remove(at) => drop(changed.remove(place(at))),
            Self::Cut(at) => changed.truncate(place(at)),
            Self::Double(at) => changed.extend_from_slice(&bytes[place(at)..]),
            Self::Swap(one, other) => changed.swap(place(one), place(other)),
        }
        changed
    }

    /// The text after it; what is no text any more becomes some.
    pub fn of_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.of(text.as_bytes())).into_owned()
    }
}

/// A token of a client that may do everything in the administration API.
pub async fn administrator(server: &Server) -> String {
    let client = server
        .client(|client| {
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
            client.metadata.scope = Scopes::parse("admin").unwrap();
        })
        .await;
    RelyingParty::new(server, &client)
        .token(&[("grant_type", "client_credentials"), ("scope", "admin")])
        .await
        .ok()
        .get("access_token")
}
