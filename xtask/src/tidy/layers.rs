//! Which crate may depend on which: a new edge is a change of the design.

use serde_json::Value;

use super::Finding;

/// Every package with the packages of this workspace that it may name in `[dependencies]`.
const LAYERS: &[(&str, &[&str])] = &[
    ("nsq-proto", &[]),
    ("nsq-broker", &["nsq-proto"]),
    ("nsq-store", &["nsq-broker", "nsq-proto"]),
    ("nsq-net", &[]),
    ("nsq-api", &["nsq-net"]),
    ("nsq-app", &["nsq-api", "nsq-net"]),
    ("nsqd", &["nsq-api", "nsq-app", "nsq-broker", "nsq-net", "nsq-proto", "nsq-store"]),
    ("nsqlookupd", &["nsq-api", "nsq-app", "nsq-net", "nsq-proto"]),
    ("nsqadmin", &["nsq-api", "nsq-app", "nsq-client", "nsq-net", "nsq-proto"]),
    ("nsq-client", &["nsq-api", "nsq-net", "nsq-proto"]),
    ("nsq-tools", &["nsq-api", "nsq-app", "nsq-client", "nsq-net", "nsq-proto"]),
    ("nsq-bench", &[]),
    (
        "nsq",
        &[
            "nsq-api",
            "nsq-app",
            "nsq-bench",
            "nsq-client",
            "nsq-net",
            "nsq-tools",
            "nsqadmin",
            "nsqd",
            "nsqlookupd",
        ],
    ),
    ("nsq-perf", &["nsq-broker", "nsq-proto", "nsq-store"]),
    ("nsq-sim", &["nsq-broker", "nsq-proto", "nsq-store"]),
    ("xtask", &[]),
];

/// Third parties that would bring a runtime, sockets, files or clocks into the pure crates.
const IMPURE: &[&str] = &["tokio", "tokio-util", "hyper", "mio", "rustix", "socket2", "jiff"];
const PURE: &[&str] = &["nsq-proto", "nsq-broker"];

/// Compares what cargo says about the packages with the table.
pub(super) fn check(packages: &[Value]) -> Vec<Finding> {
    let ours: Vec<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = format!("{name}/Cargo.toml");
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            let text = "this package has no place in the layers of xtask/src/tidy/layers.rs";
            findings.push(Finding::in_file(&manifest, text));
            continue;
        };
        for dependency in product_dependencies(package) {
            if ours.contains(&dependency) && !allowed.contains(&dependency) {
                let text = format!("{name} must not depend on {dependency}: see the layers");
                findings.push(Finding::in_file(&manifest, text));
            }
            if PURE.contains(&name) && IMPURE.contains(&dependency) {
                let text = format!("{name} is pure and must not depend on {dependency}");
                findings.push(Finding::in_file(&manifest, text));
            }
        }
    }
    findings
}

/// The dependencies of what is shipped; those of tests are free.
fn product_dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let products = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
    products.filter_map(|dependency| dependency["name"].as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    fn package(name: &str, dependencies: &[(&str, Value)]) -> Value {
        let dependency = |(name, kind): &(&str, Value)| json!({ "name": name, "kind": kind });
        let dependencies: Vec<_> = dependencies.iter().map(dependency).collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    fn findings(dependencies: &[(&str, Value)], of: &str) -> Vec<String> {
        let others = ["nsq-store", "nsq-broker", "nsq-proto"].into_iter().filter(|it| *it != of);
        let mut packages: Vec<_> = others.map(|name| package(name, &[])).collect();
        packages.push(package(of, dependencies));
        check(&packages).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dependencies_point_inwards_only() {
        let inward = [("nsq-proto", Value::Null), ("bytes", Value::Null)];
        assert_eq!(findings(&inward, "nsq-broker"), [""; 0]);
        let outward = findings(&[("nsq-store", Value::Null)], "nsq-broker");
        assert_eq!(outward.len(), 1, "{outward:?}");
        assert!(outward[0].contains("nsq-broker must not depend on nsq-store"), "{outward:?}");
        assert_eq!(findings(&[("nsq-store", json!("dev"))], "nsq-broker"), [""; 0]);
    }

    #[test]
    fn pure_crates_have_no_runtime() {
        assert_eq!(findings(&[("tokio", Value::Null)], "nsq-proto").len(), 1);
        assert_eq!(findings(&[("tokio", Value::Null)], "nsqd").len(), 0);
        assert_eq!(findings(&[("tokio", json!("dev"))], "nsq-proto").len(), 0);
    }

    #[test]
    fn every_package_has_a_place() {
        assert_eq!(findings(&[], "nsq-misc").len(), 1);
    }
}
