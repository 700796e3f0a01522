//! The direction between crates (ARCHITECTURE.md, "The house"), held against `cargo metadata`.

use std::collections::BTreeSet;

use super::Finding;
use crate::metadata::{Kind, Metadata};

/// Which crates of the workspace a crate may depend on: in every build, and in tests in addition.
struct Allowed {
    name: &'static str,
    normal: &'static [&'static str],
    dev: &'static [&'static str],
}

const HOUSE: &[Allowed] = &[
    Allowed { name: "audit-derive", normal: &[], dev: &[] },
    Allowed { name: "audit-core", normal: &["audit-derive"], dev: &[] },
    Allowed { name: "audit-logging", normal: &["audit-core"], dev: &["audit-testkit"] },
    Allowed { name: "audit-reader", normal: &["audit-core"], dev: &["audit-testkit"] },
    Allowed { name: "audit-shipper", normal: &["audit-core", "audit-reader"], dev: &[] },
    Allowed {
        name: "audit-collector",
        normal: &["audit-core", "audit-logging", "audit-reader", "audit-shipper"],
        dev: &["audit-testkit"],
    },
    Allowed {
        name: "auditlog",
        normal: &[
            "audit-collector",
            "audit-core",
            "audit-logging",
            "audit-reader",
            "audit-shipper",
        ],
        dev: &["audit-testkit"],
    },
    Allowed {
        name: "audit-testkit",
        normal: &["audit-core", "audit-logging", "audit-reader"],
        dev: &[],
    },
    Allowed { name: "xtask", normal: &[], dev: &[] },
];

/// What must never be in a service's build because it audits itself.
const HEAVY: [&str; 12] = [
    "tokio",
    "hyper",
    "axum",
    "reqwest",
    "ureq",
    "async-std",
    "smol",
    "arrow",
    "parquet",
    "datafusion",
    "rustls",
    "openssl",
];

pub(super) fn check(metadata: &Metadata, findings: &mut Vec<Finding>) {
    for (name, deps) in &metadata.crates {
        let manifest = manifest(name);
        let Some(allowed) = HOUSE.iter().find(|a| a.name == name) else {
            let text = "a crate the house does not know: ARCHITECTURE.md, xtask/src/tidy/house.rs";
            findings.push(Finding::new(&manifest, 1, text));
            continue;
        };
        for (dep, kind) in deps.iter().filter(|(dep, _)| metadata.crates.contains_key(dep)) {
            let normal = allowed.normal.contains(&dep.as_str());
            let dev = *kind == Kind::Dev && allowed.dev.contains(&dep.as_str());
            if !normal && !dev {
                let text = format!("{name} must not depend on {dep} ({kind:?})");
                findings.push(Finding::new(&manifest, 1, text));
            }
        }
    }
    let tree: BTreeSet<String> = metadata.tree("audit-logging");
    for heavy in HEAVY.iter().filter(|h| tree.contains(**h)) {
        let text = format!(
            "the embeddable library pulls in {heavy}: cargo tree -p audit-logging -i {heavy}"
        );
        findings.push(Finding::new(&manifest("audit-logging"), 1, text));
    }
}

/// Where a crate's manifest is.
pub(super) fn manifest(name: &str) -> String {
    if name == "xtask" {
        "xtask/Cargo.toml".to_owned()
    } else {
        format!("crates/{name}/Cargo.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(edges: &[(&str, &str, Kind)]) -> Metadata {
        let mut metadata = Metadata::default();
        for allowed in HOUSE {
            metadata.crates.insert(allowed.name.to_owned(), BTreeSet::new());
        }
        for (from, to, kind) in edges {
            let deps = metadata.crates.entry((*from).to_owned()).or_default();
            deps.insert(((*to).to_owned(), *kind));
        }
        metadata
    }

    fn found(metadata: &Metadata) -> Vec<String> {
        let mut findings = Vec::new();
        check(metadata, &mut findings);
        findings.into_iter().map(|f| f.text).collect()
    }

    #[test]
    fn the_allowed_edges_pass() {
        let metadata = house(&[
            ("audit-core", "audit-derive", Kind::Normal),
            ("audit-logging", "audit-core", Kind::Normal),
            ("audit-reader", "audit-core", Kind::Normal),
            ("auditlog", "audit-reader", Kind::Normal),
            ("audit-shipper", "audit-reader", Kind::Normal),
            ("audit-collector", "audit-shipper", Kind::Normal),
            ("audit-collector", "audit-logging", Kind::Normal),
            ("auditlog", "audit-collector", Kind::Normal),
            ("audit-testkit", "audit-logging", Kind::Normal),
            ("audit-reader", "audit-testkit", Kind::Dev),
            ("audit-logging", "sha2", Kind::Normal),
        ]);
        assert_eq!(found(&metadata), Vec::<String>::new());
    }

    #[test]
    fn writer_and_reader_never_meet_not_even_in_tests() {
        for kind in [Kind::Normal, Kind::Build, Kind::Dev] {
            assert_eq!(found(&house(&[("audit-logging", "audit-reader", kind)])).len(), 1);
            assert_eq!(found(&house(&[("audit-reader", "audit-logging", kind)])).len(), 1);
        }
    }

    #[test]
    fn the_network_stays_above_the_trail() {
        for (from, to) in [
            ("audit-shipper", "audit-logging"),
            ("audit-shipper", "audit-collector"),
            ("audit-reader", "audit-shipper"),
            ("audit-logging", "audit-shipper"),
            ("audit-logging", "audit-collector"),
        ] {
            assert_eq!(found(&house(&[(from, to, Kind::Dev)])).len(), 1, "{from} {to}");
        }
    }

    #[test]
    fn the_test_kit_is_for_tests_only() {
        assert_eq!(found(&house(&[("audit-logging", "audit-testkit", Kind::Normal)])).len(), 1);
        assert_eq!(found(&house(&[("audit-core", "audit-testkit", Kind::Dev)])).len(), 1);
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert_eq!(found(&house(&[("audit-new", "audit-core", Kind::Normal)])).len(), 1);
    }

    #[test]
    fn heavy_crates_are_found_at_any_depth() {
        let mut metadata = house(&[]);
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        metadata.normal.insert("audit-logging".to_owned(), one("middle"));
        metadata.normal.insert("middle".to_owned(), one("tokio"));
        assert_eq!(found(&metadata).len(), 1);
    }
}
