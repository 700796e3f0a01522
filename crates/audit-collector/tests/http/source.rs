//! A trail read from static HTTP servers of several kinds, over loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, FlushMode};
use audit_reader::{
    FindingKind, Query, QueryOptions, ReadError, Report, Source, Verdict, VerifyOptions,
    find_by_seq, prove, verify,
};
use audit_shipper::HttpSource;
use audit_testkit::{TestClock, TestEvent};
use tempfile::TempDir;

/// What a server can do.
#[derive(Debug, Clone, Copy)]
struct Kind {
    ranges: bool,
    listing: bool,
}

/// Serves files as any static server does; ends when dropped.
struct Static {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    /// Requests so far.
    asked: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Static {
    fn start(root: &Path, kind: Kind) -> Static {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (root, ended) = (root.to_owned(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&ended);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let (root, stream) = (root.clone(), stream.unwrap());
                // A client that goes away in the middle is no failure of the server.
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || answer(&root, kind, stream, &counted).ok());
            }
        });
        Static { address, ended, asked, thread: Some(thread) }
    }

    fn source(&self) -> Result<Source, ReadError> {
        Source::new(HttpSource::new(&format!("http://{}/audit", self.address)))
    }
}

impl Drop for Static {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(
    root: &Path,
    kind: Kind,
    mut stream: TcpStream,
    asked: &AtomicUsize,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let Some(request) = lines.next() else { return Ok(()) };
        let request = request?;
        asked.fetch_add(1, Ordering::SeqCst);
        let mut from: Option<(usize, Option<usize>)> = None;
        for header in lines.by_ref() {
            let header = header?.to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            let range = header.strip_prefix("range: bytes=").filter(|_| kind.ranges);
            let range = range.and_then(|range| range.split_once('-'));
            let read = |(from, to): (&str, &str)| Some((from.parse().ok()?, to.parse().ok()));
            from = range.and_then(read).or(from);
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let name = path.strip_prefix("/audit/").unwrap_or("?");
        let bytes = match name {
            "" if kind.listing => Some(listing(root).into_bytes()),
            "" | "?" => None,
            name => fs::read(root.join(name)).ok(),
        };
        let (status, range, body) = match (bytes, from) {
            (None, _) => ("404 Not Found", String::new(), Vec::new()),
            (Some(bytes), Some((from, _))) if from >= bytes.len() => {
                ("416 Range Not Satisfiable", String::new(), Vec::new())
            }
            (Some(bytes), Some((from, to))) => {
                let (all, last) = (bytes.len(), to.unwrap_or(usize::MAX).min(bytes.len() - 1));
                let range = format!("content-range: bytes {from}-{last}/{all}\r\n");
                ("206 Partial Content", range, bytes[from..=last].to_vec())
            }
            (Some(bytes), None) => ("200 OK", String::new(), bytes),
        };
        let len = body.len();
        write!(stream, "HTTP/1.1 {status}\r\n{range}content-length: {len}\r\n\r\n")?;
        if method != "HEAD" {
            stream.write_all(&body)?;
        }
    }
}

fn listing(root: &Path) -> String {
    let names = fs::read_dir(root).unwrap().map(|item| item.unwrap().file_name());
    let link = |name: std::ffi::OsString| {
        let name = name.into_string().unwrap();
        format!("<li><a href=\"{name}\">{name}</a></li>\n")
    };
    let links: String = names.map(link).collect();
    format!("<html><a href='../'>up</a><a href=\"?sort=1\">sort</a>{links}</html>")
}

const KINDS: [Kind; 3] = [
    Kind { ranges: true, listing: true },
    Kind { ranges: true, listing: false },
    Kind { ranges: false, listing: true },
];

/// A copy of the healthy vector.
fn healthy() -> (TempDir, PathBuf) {
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/healthy");
    let temp = tempfile::tempdir().unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        fs::copy(item.path(), temp.path().join(item.file_name())).unwrap();
    }
    let path = temp.path().to_owned();
    (temp, path)
}

fn verified(source: &Source) -> Report {
    verify(source, VerifyOptions::default().with_jobs(2)).unwrap()
}

#[test]
fn it_reads_like_the_directory() {
    let (_temp, dir) = healthy();
    let here = verified(&Source::open(&dir).unwrap());
    for kind in KINDS {
        let server = Static::start(&dir, kind);
        let source = server.source().unwrap();
        let there = verified(&source);
        assert_eq!(there.verdict, Verdict::Proven, "{kind:?}: {:?}", there.findings.kept());
        assert_eq!(there.findings.kept(), here.findings.kept());
        assert_eq!((there.entries, there.bytes, &there.root), (300, here.bytes, &here.root));
        assert!(find_by_seq(&source, 280).unwrap().is_some());
        assert_eq!(prove(&source, 9).unwrap().proof.index, 9);
        let mut seen = 0;
        let query = Query::new().run(&source, QueryOptions::default().with_jobs(2), |_| {
            seen += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((query.unwrap().malformed, seen), (0, 300));
    }
}

#[test]
fn damage_omission_and_growth_are_seen_from_afar() {
    let (_temp, dir) = healthy();
    let server = Static::start(&dir, KINDS[1]);
    let first = verified(&server.source().unwrap());
    let state = first.verified.unwrap();
    // Nothing new: the next verification reads nothing again.
    let options = VerifyOptions::default().from_state("last", state);
    let again = verify(server.source().unwrap(), options).unwrap();
    assert_eq!((again.verdict, again.resumed_from), (Verdict::Proven, Some(300)));

    let segment = dir.join("2026-11-24.audit");
    let bytes = fs::read(&segment).unwrap();
    let mut edited = bytes.clone();
    edited[200] ^= 1;
    fs::write(&segment, edited).unwrap();
    assert_eq!(verified(&server.source().unwrap()).verdict, Verdict::Violated);
    // The server says that there is no such segment.
    fs::remove_file(&segment).unwrap();
    let report = verified(&server.source().unwrap());
    assert!(report.findings.counts().contains_key(&FindingKind::Truncated));
}

#[test]
fn a_server_that_has_no_trail_or_fails_is_an_error_and_no_verdict() {
    let temp = tempfile::tempdir().unwrap();
    let server = Static::start(temp.path(), KINDS[1]);
    assert!(matches!(server.source(), Err(ReadError::Io { .. })));
    let gone = server.address;
    drop(server);
    let nobody = Source::new(HttpSource::new(&format!("http://{gone}/audit")));
    assert!(matches!(nobody, Err(ReadError::Io { .. })), "{nobody:?}");
}

/// A trail of so many entries in three segments, the first two closed and one of them archived.
fn long(dir: &Path, entries: usize) {
    let clock = TestClock::at("2026-11-23T10:00:00Z");
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        flush_mode: FlushMode::Batched { size: 1_000, interval_secs: 60 },
        heartbeat_secs: 0,
        ..AuditConfig::new("billing-api")
    };
    let logger = AuditLogger::builder(config).clock(clock.shared()).open().unwrap();
    for day in 0..3 {
        for n in 0..entries / 3 {
            drop(logger.emit(TestEvent::routine(format!("{day} {n}"))).unwrap());
        }
        logger.flush_blocking().unwrap();
        clock.advance(Duration::from_secs(86_400));
    }
    logger.shutdown_blocking().unwrap();
    let segment = dir.join("2026-11-23.audit");
    let packed = zstd::encode_all(fs::File::open(&segment).unwrap(), 3).unwrap();
    fs::write(dir.join("2026-11-23.audit.zst"), packed).unwrap();
    fs::remove_file(segment).unwrap();
}

#[test]
fn requests_do_not_grow_with_the_entries() {
    let temp = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let mut asked = Vec::new();
        for entries in [300, 30_000] {
            let dir = temp.path().join(entries.to_string());
            if !dir.exists() {
                long(&dir, entries);
            }
            let server = Static::start(&dir, kind);
            let source = server.source().unwrap();
            let report = verified(&source);
            assert_eq!(report.verdict, Verdict::Proven, "{kind:?}: {:?}", report.findings.kept());
            asked.push(server.asked.load(Ordering::SeqCst));
            let before = server.asked.load(Ordering::SeqCst);
            assert_eq!(prove(&source, 7).unwrap().proof.index, 7);
            let of_proof = server.asked.load(Ordering::SeqCst) - before;
            assert!(of_proof < 100, "{kind:?}: {of_proof} requests for a proof");
        }
        // `tree.hashes` of 30,000 entries has two MiB.
        assert!(asked[1] <= asked[0] + 8, "{kind:?}: {asked:?} requests");
        assert!(asked[1] < 120, "{kind:?}: {asked:?} requests");
    }
}
