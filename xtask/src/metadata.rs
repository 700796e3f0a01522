//! What `cargo metadata` says about the workspace, reduced to what the rules ask.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// How a crate depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// In every build.
    Normal,
    /// In build scripts.
    Build,
    /// In tests, benches and examples only.
    Dev,
}

/// The workspace's crates and the resolved graph below them.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// Direct dependencies of each workspace crate.
    pub(crate) crates: BTreeMap<String, BTreeSet<(String, Kind)>>,
    /// Names of all packages each package pulls into a normal build, by package name; several
    /// versions of one package are merged.
    pub(crate) normal: BTreeMap<String, BTreeSet<String>>,
}

impl Metadata {
    /// Everything in the normal dependency tree of `name`, itself excluded.
    pub(crate) fn tree(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            for dep in self.normal.get(next).into_iter().flatten() {
                if seen.insert(dep.clone()) {
                    open.push(dep);
                }
            }
        }
        seen
    }
}

/// Asks cargo; for this platform only, so that nothing of other platforms is downloaded.
pub(crate) fn load(root: &Path) -> Result<Metadata, String> {
    let json = ask(root, &["--locked", "--filter-platform", &host()?])?;
    parse(&json).ok_or_else(|| "cargo metadata has not the shape expected".to_owned())
}

/// Where cargo builds: `target`, unless the environment or a configuration says otherwise.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf, String> {
    let json = ask(root, &["--no-deps"])?;
    let path = json["target_directory"].as_str().map(PathBuf::from);
    path.ok_or_else(|| "cargo metadata names no target directory".to_owned())
}

fn ask(root: &Path, args: &[&str]) -> Result<Value, String> {
    let output = cargo()
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata is not JSON: {e}"))
}

/// The cargo that runs this program, else the one on the path.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn host() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output();
    let output = output.map_err(|e| format!("cannot run rustc -vV: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

fn parse(json: &Value) -> Option<Metadata> {
    let members: BTreeSet<&str> =
        json["workspace_members"].as_array()?.iter().filter_map(Value::as_str).collect();
    let mut names = BTreeMap::new();
    let mut metadata = Metadata::default();
    for package in json["packages"].as_array()? {
        let (id, name) = (package["id"].as_str()?, package["name"].as_str()?);
        names.insert(id, name);
        if members.contains(id) {
            let deps = package["dependencies"].as_array()?.iter();
            let deps =
                deps.filter_map(|d| Some((d["name"].as_str()?.to_owned(), kind(&d["kind"]))));
            metadata.crates.insert(name.to_owned(), deps.collect());
        }
    }
    for node in json["resolve"]["nodes"].as_array()? {
        let name = names.get(node["id"].as_str()?)?;
        let entry = metadata.normal.entry((*name).to_owned()).or_default();
        for dep in node["deps"].as_array()? {
            let kinds = dep["dep_kinds"].as_array()?;
            if kinds.iter().any(|k| kind(&k["kind"]) != Kind::Dev) {
                entry.insert((*names.get(dep["pkg"].as_str()?)?).to_owned());
            }
        }
    }
    Some(metadata)
}

fn kind(value: &Value) -> Kind {
    match value.as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_direct_dependencies_and_the_normal_tree() {
        let json = json!({
            "workspace_members": ["a#1"],
            "packages": [
                {"id": "a#1", "name": "a", "dependencies": [
                    {"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]},
                {"id": "b#1", "name": "b", "dependencies": [{"name": "d", "kind": null}]},
                {"id": "c#1", "name": "c", "dependencies": []},
                {"id": "d#1", "name": "d", "dependencies": []},
            ],
            "resolve": {"nodes": [
                {"id": "a#1", "deps": [
                    {"pkg": "b#1", "dep_kinds": [{"kind": null}]},
                    {"pkg": "c#1", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b#1", "deps": [{"pkg": "d#1", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "c#1", "deps": []},
                {"id": "d#1", "deps": []},
            ]},
        });
        let metadata = parse(&json).unwrap();
        assert_eq!(metadata.crates.len(), 1);
        assert!(metadata.crates["a"].contains(&("c".to_owned(), Kind::Dev)));
        assert_eq!(metadata.tree("a"), BTreeSet::from(["b".to_owned(), "d".to_owned()]));
    }
}
