//! Addresses that only look public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use ostiary::egress::{Egress, forbidden};
use proptest::prelude::*;
use url::{Host, Url};

use super::holds;

/// What the standard library calls special, which is less than what is refused.
fn is_special(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_unspecified()
        || ip.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || (first, second, third) == (192, 0, 0)
}

/// Addresses, those near the special ones more often.
fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let first = prop_oneof![
        Just(0u8),
        Just(10),
        Just(100),
        Just(127),
        Just(169),
        Just(172),
        Just(192),
        Just(198),
        Just(224),
        Just(255),
        any::<u8>()
    ];
    let second = prop_oneof![
        Just(0u8),
        Just(16),
        Just(31),
        Just(64),
        Just(168),
        Just(254),
        Just(18),
        any::<u8>()
    ];
    (first, second, any::<u8>(), any::<u8>()).prop_map(|(one, two, three, four)| Ipv4Addr::new(one, two, three, four))
}

/// The same address as URLs may spell it.
fn spellings(ip: Ipv4Addr) -> Vec<String> {
    let [one, two, three, four] = ip.octets();
    let number = u32::from(ip);
    vec![
        ip.to_string(),
        number.to_string(),
        format!("{number:#x}"),
        format!("{number:#o}").replace("0o", "0"),
        format!("0x{one:x}.{two}.{}", u16::from_be_bytes([three, four])),
        format!("{one}.{}", number & 0x00ff_ffff),
        format!("0{one:o}.0{two:o}.0{three:o}.0{four:o}"),
        format!("{one}.{two}.{three}.{four}."),
        format!("[::ffff:{ip}]"),
        format!("[::{ip}]"),
        format!("[64:ff9b::{ip}]"),
        format!(
            "[2002:{:x}:{:x}::1]",
            u16::from_be_bytes([one, two]),
            u16::from_be_bytes([three, four])
        ),
        format!("{one}\u{3002}{two}\u{3002}{three}\u{3002}{four}"),
        format!("\u{ff10}x{number:x}"),
    ]
}

/// SEC-725: what a connector would treat as internal is refused, in every spelling, by address and by URL.
#[test]
fn fuzz_egress_classifier() {
    let egress = Egress::new(Vec::new());
    holds(2_000, any_v4(), |ip| {
        let refused = forbidden(IpAddr::V4(ip), &[]);
        assert!(refused || !is_special(ip), "{ip}");
        for spelling in spellings(ip) {
            let Ok(url) = Url::parse(&format!("https://{spelling}/keys")) else {
                continue;
            };
            let read: IpAddr = match url.host().unwrap() {
                Host::Ipv4(read) => read.into(),
                Host::Ipv6(read) => read.into(),
                Host::Domain(name) => panic!("{spelling} is read as the name {name}"),
            };
            let embedded = read.is_ipv6();
            assert!(embedded || read == IpAddr::V4(ip), "{spelling}: {read}");
            assert_eq!(forbidden(read, &[]), refused || embedded, "{spelling}");
            assert_eq!(egress.admits(&url), !(refused || embedded), "{spelling}");
        }
        // an admitted network admits the address itself, and no spelling with it inside
        let itself = [IpNet::from(IpAddr::V4(ip))];
        assert!(!forbidden(IpAddr::V4(ip), &itself));
        assert!(forbidden(IpAddr::V6(ip.to_ipv6_mapped()), &itself));
        assert!(forbidden(IpAddr::V6(ip.to_ipv6_compatible()), &itself));
    });
    holds(4_000, (any::<u16>(), any::<[u16; 7]>()), |(first, rest)| {
        let [b, c, d, e, f, g, h] = rest;
        let ip = Ipv6Addr::new(first, b, c, d, e, f, g, h);
        let global = (0x2000..0x4000).contains(&first);
        assert!(global || forbidden(ip.into(), &[]), "{ip}");
        for inside in [[0x2001, 0x0db8], [0x2002, b], [0x2001, 0]] {
            let ip = Ipv6Addr::new(inside[0], inside[1], c, d, e, f, g, h);
            assert!(forbidden(ip.into(), &[]), "{ip}");
        }
        let own = ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local();
        assert!(!own || forbidden(ip.into(), &[]), "{ip}");
    });
}
