//! A file in the MaxMind DB format (version 2.0), written for a test: which networks are in which city.

use std::net::Ipv4Addr;

const RECORD_BYTES: usize = 3;
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// A network: address, length of the prefix, city and country.
pub type Network<'a> = (Ipv4Addr, u8, &'a str, &'a str);

/// The bytes of a database of these networks.
pub fn database(networks: &[Network<'_>]) -> Vec<u8> {
    written(networks.iter().map(|network| (*network, None)))
}

/// The same with where each is on the globe: degrees of latitude and longitude.
pub fn located(networks: &[(Network<'_>, (f64, f64))]) -> Vec<u8> {
    written(networks.iter().map(|(network, at)| (*network, Some(*at))))
}

fn written<'a>(networks: impl Iterator<Item = (Network<'a>, Option<(f64, f64)>)>) -> Vec<u8> {
    let mut data = Vec::new();
    // a node has two places; one holds nothing, another node, or an entry
    let mut nodes: Vec<[Place; 2]> = vec![[Place::Nothing; 2]];
    for ((network, length, city, country), at) in networks {
        let entry = Place::Entry(data.len());
        data.extend(place(city, country, at));
        let bits = u32::from(network);
        let mut node = 0;
        for depth in 0..length {
            let side = usize::try_from(bits >> (31 - depth) & 1).unwrap();
            if depth + 1 == length {
                nodes[node][side] = entry;
            } else if let Place::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Place::Nothing; 2]);
                nodes[node][side] = Place::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let mut file = Vec::new();
    for place in nodes.iter().flatten() {
        let record = match place {
            Place::Nothing => nodes.len(),
            Place::Node(node) => *node,
            Place::Entry(offset) => nodes.len() + 16 + offset,
        };
        file.extend(&u32::try_from(record).unwrap().to_be_bytes()[4 - RECORD_BYTES..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(MARKER);
    file.extend(metadata(nodes.len()));
    file
}

#[derive(Clone, Copy)]
enum Place {
    Nothing,
    Node(usize),
    Entry(usize),
}

fn place(city: &str, country: &str, at: Option<(f64, f64)>) -> Vec<u8> {
    let named = |name: &str| map(&[("names", map(&[("en", text(name))]))]);
    let mut entry = vec![("city", named(city)), ("country", named(country))];
    if let Some((latitude, longitude)) = at {
        let degrees = |degrees: f64| number(3, &degrees.to_be_bytes());
        let location = map(&[("latitude", degrees(latitude)), ("longitude", degrees(longitude))]);
        entry.push(("location", location));
    }
    map(&entry)
}

fn metadata(nodes: usize) -> Vec<u8> {
    let nodes = u32::try_from(nodes).unwrap();
    map(&[
        ("node_count", number(6, &nodes.to_be_bytes())),
        ("record_size", number(5, &[0, 8 * RECORD_BYTES as u8])),
        ("ip_version", number(5, &[0, 4])),
        ("database_type", text("Test-City")),
        ("languages", vec![1, 4, 0x42, b'e', b'n']),
        ("binary_format_major_version", number(5, &[0, 2])),
        ("binary_format_minor_version", number(5, &[0, 0])),
        // an extended type: 64 bits
        ("build_epoch", [&[8, 2], &1_800_000_000u64.to_be_bytes()[..]].concat()),
        ("description", map(&[("en", text("of a test"))])),
    ])
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    assert!(length < 29 + 256);
    let mut bytes = if length < 29 {
        vec![2 << 5 | u8::try_from(length).unwrap()]
    } else {
        vec![2 << 5 | 29, u8::try_from(length - 29).unwrap()]
    };
    bytes.extend(text.as_bytes());
    bytes
}

fn number(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind << 5 | u8::try_from(bytes.len()).unwrap()], bytes].concat()
}
