//! A storage that asks before each operation and reports after it.
//!
//! What must stay true here: a passed operation is the inner storage's own; nothing is answered in
//! its place unless the hook says so.

use std::io::{self, Read};
use std::sync::Arc;

use audit_logging::storage::{Identity, RingMemory, SegmentFile, Space, Storage};

/// An operation of the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as the methods are")]
pub enum Op {
    List,
    Read,
    Create,
    Open,
    Replace,
    SetReadOnly,
    RemoveTemporary,
    Remove,
    Destroy,
    ReadAt,
    WriteAgain,
    Len,
    Append,
    Sync,
    Truncate,
    Identity,
    Relink,
}

/// What is to happen.
#[derive(Debug)]
pub enum Verdict {
    /// The operation runs.
    Pass,
    /// It fails and nothing happened.
    Fail(io::Error),
    /// `Append` only: at most this many bytes are taken.
    Take(usize),
}

/// Watches and decides.
pub trait Hook: Send + Sync + 'static {
    /// Before `op` on `name`.
    fn before(&self, _op: Op, _name: &str) -> Verdict {
        Verdict::Pass
    }
    /// After it ran.
    fn after(&self, _op: Op, _name: &str, _ok: bool) {}
    /// Free space, if not the inner storage's.
    fn space(&self) -> Option<Space> {
        None
    }
}

/// `inner` behind a hook.
pub struct HookStorage<H> {
    inner: Arc<dyn Storage>,
    hook: Arc<H>,
}

impl<H: Hook> HookStorage<H> {
    /// `inner`, each operation of which the hook decides about.
    pub fn new(inner: Arc<dyn Storage>, hook: H) -> Arc<HookStorage<H>> {
        Arc::new(HookStorage { inner, hook: Arc::new(hook) })
    }

    /// The hook, to ask or to tell.
    #[must_use]
    pub fn hook(&self) -> &Arc<H> {
        &self.hook
    }
}

fn run<H: Hook, T>(
    hook: &H,
    op: Op,
    name: &str,
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if let Verdict::Fail(error) = hook.before(op, name) {
        return Err(error);
    }
    let result = work();
    hook.after(op, name, result.is_ok());
    result
}

impl<H: Hook> HookStorage<H> {
    fn wrap(&self, name: &str, inner: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(HookFile { inner, hook: Arc::clone(&self.hook), name: name.to_owned() })
    }
}

impl<H: Hook> Storage for HookStorage<H> {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        run(&*self.hook, Op::List, dir, || self.inner.list(dir))
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        run(&*self.hook, Op::Read, name, || self.inner.read(name))
    }

    fn create_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = run(&*self.hook, Op::Create, name, || self.inner.create_segment(name))?;
        Ok(self.wrap(name, file))
    }

    fn open_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = run(&*self.hook, Op::Open, name, || self.inner.open_segment(name))?;
        Ok(self.wrap(name, file))
    }

    fn replace(&self, name: &str, content: &mut dyn Read) -> io::Result<()> {
        run(&*self.hook, Op::Replace, name, || self.inner.replace(name, content))
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        run(&*self.hook, Op::Len, name, || self.inner.len(name))
    }

    fn set_read_only(&self, name: &str) -> io::Result<()> {
        run(&*self.hook, Op::SetReadOnly, name, || self.inner.set_read_only(name))
    }

    fn remove_temporary(&self, name: &str) -> io::Result<()> {
        run(&*self.hook, Op::RemoveTemporary, name, || self.inner.remove_temporary(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        run(&*self.hook, Op::Remove, name, || self.inner.remove(name))
    }

    fn destroy(&self, name: &str) -> io::Result<()> {
        run(&*self.hook, Op::Destroy, name, || self.inner.destroy(name))
    }

    fn space(&self) -> io::Result<Space> {
        self.hook.space().map_or_else(|| self.inner.space(), Ok)
    }

    // A ring is memory, not a durable operation: no hook.
    fn create_ring(&self, name: &str, cells: u64) -> io::Result<RingMemory> {
        self.inner.create_ring(name, cells)
    }

    fn publish_ring(&self, name: &str) -> io::Result<()> {
        self.inner.publish_ring(name)
    }

    fn is_ring_used(&self, name: &str) -> io::Result<bool> {
        self.inner.is_ring_used(name)
    }

    fn set_ring_aside(&self, name: &str) -> io::Result<()> {
        self.inner.set_ring_aside(name)
    }

    fn remove_ring(&self, name: &str) -> io::Result<()> {
        self.inner.remove_ring(name)
    }
}

struct HookFile<H> {
    inner: Box<dyn SegmentFile>,
    hook: Arc<H>,
    name: String,
}

impl<H: Hook> SegmentFile for HookFile<H> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = match self.hook.before(Op::Append, &self.name) {
            Verdict::Pass => bytes,
            Verdict::Fail(error) => return Err(error),
            Verdict::Take(most) => &bytes[..bytes.len().min(most.max(1))],
        };
        let result = self.inner.append(bytes);
        self.hook.after(Op::Append, &self.name, result.is_ok());
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        run(&*self.hook, Op::Sync, &self.name, || self.inner.sync())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        run(&*self.hook, Op::Truncate, &self.name, || self.inner.truncate(len))
    }

    fn write_again(&mut self, from: u64) -> io::Result<()> {
        run(&*self.hook, Op::WriteAgain, &self.name, || self.inner.write_again(from))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        run(&*self.hook, Op::ReadAt, &self.name, || self.inner.read_at(offset, buf))
    }

    fn identity(&self) -> io::Result<Identity> {
        run(&*self.hook, Op::Identity, &self.name, || self.inner.identity())
    }

    fn relink(&mut self) -> io::Result<()> {
        run(&*self.hook, Op::Relink, &self.name, || self.inner.relink())
    }
}
