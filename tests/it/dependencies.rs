//! What the project is built from: the lock file, the advisories that travel with it, the list of parts.

use std::path::PathBuf;
use std::process::Command;

struct Package {
    name: String,
    version: String,
    source: String,
    checksum: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn table(file: &str) -> toml::Table {
    std::fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
}

fn locked() -> Vec<Package> {
    let lock = table("Cargo.lock");
    let text = |package: &toml::Value, key: &str| {
        package
            .get(key)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: text(package, "name"),
            version: text(package, "version"),
            source: text(package, "source"),
            checksum: text(package, "checksum"),
        })
        .filter(|package| package.name != "ostiary")
        .collect()
}

/// Numbers of a version, without what comes before or after a release: `1.2.3-rc.1+x` is 1, 2, 3.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap();
    plain.split('.').map(|number| number.parse().unwrap()).collect()
}

/// Whether a version lies in a range like `>= 1.38.2, < 1.39.0`.
fn within(version: &str, range: &str) -> bool {
    range.split(',').all(|bound| {
        let (sign, limit) = bound.trim().split_once(' ').unwrap();
        let (version, limit) = (numbers(version), numbers(limit.trim()));
        match sign {
            ">=" => version >= limit,
            ">" => version > limit,
            "<" => version < limit,
            "=" => version == limit,
            other => panic!("{other} is no sign of a range"),
        }
    })
}

/// The advisories that hold for a version of a package and are not accepted.
fn affecting(package: &str, version: &str) -> Vec<String> {
    let known = table("advisories.toml");
    let any = |advisory: &toml::Value, key: &str| {
        advisory[key]
            .as_array()
            .unwrap()
            .iter()
            .any(|range| within(version, range.as_str().unwrap()))
    };
    known["advisory"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|advisory| advisory["package"].as_str() == Some(package) && advisory.get("accepted").is_none())
        .filter(|advisory| !any(advisory, "patched") && !any(advisory, "unaffected"))
        .map(|advisory| advisory["id"].as_str().unwrap().to_owned())
        .collect()
}

/// SEC-671: every package is the registry's and has its digest in the lock file, none has an advisory among those that
/// travel with the project, a known-bad version fails, the gate refuses foreign sources, and the list of parts is whole.
#[test]
fn dependency_gate() {
    let packages = locked();
    assert!(packages.len() > 50);
    for package in &packages {
        let Package {
            name,
            version,
            source,
            checksum,
        } = package;
        assert!(source.starts_with("registry+"), "{name} comes from {source:?}");
        assert_eq!(checksum.len(), 64, "{name} has no digest");
        assert_eq!(affecting(name, version), Vec::<String>::new(), "{name} {version}");
    }

    assert_eq!(affecting("rustls", "0.23.44"), ["RUSTSEC-2026-0285"]);
    assert_eq!(affecting("tokio", "1.44.1"), ["RUSTSEC-2025-0023"]);
    assert_eq!(affecting("tokio", "1.43.1"), Vec::<String>::new());
    assert_eq!(affecting("aws-lc-sys", "0.38.2").len(), 2);

    let gate = table("deny.toml");
    assert_eq!(gate["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(gate["sources"]["unknown-git"].as_str(), Some("deny"));
    assert_eq!(gate["bans"]["wildcards"].as_str(), Some("deny"));
    for licence in gate["licenses"]["allow"].as_array().unwrap() {
        let licence = licence.as_str().unwrap();
        assert!(
            !["GPL", "LGPL", "AGPL", "SSPL"]
                .iter()
                .any(|copyleft| licence.starts_with(copyleft)),
            "{licence}"
        );
    }

    let printed = Command::new(root().join("scripts/sbom")).output().unwrap();
    assert!(printed.status.success());
    let parts: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(parts["bomFormat"], "CycloneDX");
    assert_eq!(parts["components"].as_array().unwrap().len(), packages.len());
}

#[test]
fn accepted_advisories_have_a_reason_and_stand_in_the_gate_too() {
    let gate = table("deny.toml");
    let ignored = gate["advisories"]["ignore"].as_array().unwrap();
    for advisory in table("advisories.toml")["advisory"].as_array().unwrap() {
        let Some(reason) = advisory.get("accepted") else {
            continue;
        };
        assert!(reason.as_str().unwrap().len() > 20);
        assert!(
            ignored.iter().any(|entry| entry["id"] == advisory["id"]),
            "{} is not in deny.toml",
            advisory["id"].as_str().unwrap()
        );
    }
}
