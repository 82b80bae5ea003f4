//! Which addresses are never fetched from: all that are not plainly public, by the IANA special-purpose registries
//! (RFC 6890) and a few that clouds use inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const REFUSED_V4: [Ipv4Net; 20] = [
    v4([0, 0, 0, 0], 8),          // "this network", connects to the machine itself
    v4([10, 0, 0, 0], 8),         // private, RFC 1918
    v4([100, 64, 0, 0], 10),      // carrier-grade translation, RFC 6598; cloud metadata at 100.100.100.200
    v4([127, 0, 0, 0], 8),        // loopback
    v4([168, 63, 129, 16], 32),   // a cloud's inner endpoint on a public address
    v4([169, 254, 0, 0], 16),     // link-local, RFC 3927; cloud metadata at 169.254.169.254
    v4([172, 16, 0, 0], 12),      // private
    v4([192, 0, 0, 0], 24),       // protocol assignments; cloud metadata at 192.0.0.192
    v4([192, 0, 2, 0], 24),       // documentation, RFC 5737
    v4([192, 31, 196, 0], 24),    // AS112, RFC 7535
    v4([192, 52, 193, 0], 24),    // AMT, RFC 7450
    v4([192, 88, 99, 0], 24),     // 6to4 relays, RFC 7526
    v4([192, 168, 0, 0], 16),     // private
    v4([192, 175, 48, 0], 24),    // AS112, RFC 7534
    v4([198, 18, 0, 0], 15),      // benchmarking, RFC 2544
    v4([198, 51, 100, 0], 24),    // documentation
    v4([203, 0, 113, 0], 24),     // documentation
    v4([224, 0, 0, 0], 4),        // multicast
    v4([240, 0, 0, 0], 4),        // reserved
    v4([255, 255, 255, 255], 32), // broadcast
];

/// Global unicast, RFC 4291. Outside of it lie loopback, unique local, link-local, multicast, IPv4-mapped and -compatible
/// addresses, and translation prefixes (64:ff9b::/96 and 64:ff9b:1::/48).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);
const REFUSED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23),     // protocol assignments: Teredo, benchmarking, ORCHID
    v6([0x2001, 0xdb8, 0], 32), // documentation, RFC 3849
    v6([0x2002, 0, 0], 16),     // 6to4: an IPv4 address inside
    v6([0x3fff, 0, 0], 20),     // documentation, RFC 9637
];

/// Whether nothing is fetched from this address, given the networks the operator admits.
///
/// An address that carries an IPv4 address inside (mapped, compatible, translated, tunnelled) is forbidden whatever it
/// carries, unless its own network is listed: an admitted IPv4 network does not admit such a spelling of it.
pub fn forbidden(ip: IpAddr, networks: &[IpNet]) -> bool {
    !admitted(ip, networks) && !public(ip)
}

/// Whether the operator admits this address.
pub(super) fn admitted(ip: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !REFUSED_V4.iter().any(|network| network.contains(&ip)),
        IpAddr::V6(ip) => GLOBAL_V6.contains(&ip) && !REFUSED_V6.iter().any(|network| network.contains(&ip)),
    }
}

const fn v4([one, two, three, four]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(one, two, three, four), length)
}

const fn v6([one, two, three]: [u16; 3], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(one, two, three, 0, 0, 0, 0, 0), length)
}
