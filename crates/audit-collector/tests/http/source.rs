//! A trail read from static HTTP servers of several kinds, over loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audit_reader::{
    FindingKind, Query, QueryOptions, ReadError, Report, Source, Verdict, VerifyOptions,
    find_by_seq, prove, verify,
};
use audit_shipper::HttpSource;
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
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Static {
    fn start(root: &Path, kind: Kind) -> Static {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (root, ended) = (root.to_owned(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let (root, stream) = (root.clone(), stream.unwrap());
                // A client that goes away in the middle is no failure of the server.
                std::thread::spawn(move || answer(&root, kind, stream).ok());
            }
        });
        Static { address, ended, thread: Some(thread) }
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

fn answer(root: &Path, kind: Kind, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let Some(request) = lines.next() else { return Ok(()) };
        let request = request?;
        let mut from = None;
        for header in lines.by_ref() {
            let header = header?.to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            let range = header.strip_prefix("range: bytes=").filter(|_| kind.ranges);
            from = range.and_then(|range| range.trim_end_matches('-').parse().ok()).or(from);
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
            (Some(bytes), Some(from)) if from >= bytes.len() => {
                ("416 Range Not Satisfiable", String::new(), Vec::new())
            }
            (Some(bytes), Some(from)) => {
                let (last, all) = (bytes.len() - 1, bytes.len());
                let range = format!("content-range: bytes {from}-{last}/{all}\r\n");
                ("206 Partial Content", range, bytes[from..].to_vec())
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
