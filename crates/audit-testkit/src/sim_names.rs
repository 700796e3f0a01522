//! Changes of directory entries on the simulated disk.
//!
//! What must stay true here: a rename carries its file, so it can be applied with or without the
//! changes before it, as a disk may order them.

use std::collections::BTreeMap;

/// One change, durable when its directory was synced.
#[derive(Debug, Clone)]
pub(crate) enum NameOp {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

impl NameOp {
    /// As the kernel does it.
    pub(crate) fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameOp::Link(name, file) => {
                names.insert(name.clone(), *file);
            }
            NameOp::Unlink(name) => {
                names.remove(name);
            }
            NameOp::Rename(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
        }
    }

    /// The file that gets a name.
    pub(crate) const fn file(&self) -> Option<usize> {
        match self {
            NameOp::Link(_, file) | NameOp::Rename(_, _, file) => Some(*file),
            NameOp::Unlink(_) => None,
        }
    }

    /// The directory whose sync makes it durable.
    pub(crate) fn directory(&self) -> &str {
        let (NameOp::Link(name, _) | NameOp::Unlink(name) | NameOp::Rename(_, name, _)) = self;
        directory_of(name)
    }
}

/// Of a name as the storage knows it.
pub(crate) fn directory_of(name: &str) -> &str {
    name.split_once('/').map_or("", |(directory, _)| directory)
}
