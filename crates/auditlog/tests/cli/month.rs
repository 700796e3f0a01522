//! A month of a service's life, by the real writer: thirty closed segments and one that is open.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use audit_testkit::month;
use serde_json::Value;
use tempfile::TempDir;

/// Events of it; the writer's own come on top.
const EVENTS: u64 = 3_000;

/// A trail of its own for a test.
pub(crate) struct Month {
    _dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Month {
    pub(crate) fn dir(&self) -> String {
        self.path.display().to_string()
    }

    /// The one who has acted most often, and a thing that was acted on.
    pub(crate) fn busiest(&self) -> (String, String) {
        let (mut actors, mut resource) = (BTreeMap::<String, u32>::new(), String::new());
        for file in fs::read_dir(&self.path).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_none_or(|name| name != "audit") {
                continue;
            }
            for line in fs::read_to_string(file).unwrap().lines() {
                let entry: Value = serde_json::from_str(line).unwrap();
                if let Some(id) = entry["resource"]["resource_id"].as_str() {
                    resource = id.to_owned();
                }
                if let Some(user) = entry["actor"]["user_id"].as_str() {
                    // Who has an address, so that there is one to change.
                    *actors.entry(user.to_owned()).or_default() += u32::from(line.contains(".7\""));
                }
            }
        }
        let busiest = actors.into_iter().max_by_key(|(_, count)| *count).unwrap();
        assert!(busiest.1 > 1);
        (busiest.0, resource)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Written once, copied for each who asks.
pub(crate) fn month() -> Month {
    static WRITTEN: OnceLock<TempDir> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        month::write(&dir.path().join("trail"), EVENTS, 20_261_125, |_| ())
            .unwrap_or_else(|error| panic!("{error}"));
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trail");
    copy(&written.path().join("trail"), &path);
    Month { _dir: dir, path }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for item in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
