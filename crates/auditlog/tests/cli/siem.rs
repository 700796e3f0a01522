//! Syslog over TLS to a real rsyslog: what it wrote down is the trail, whatever happened in between.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::export::{Live, reconcile};
use crate::{auditlog, run, stderr, vector};

/// Longer than any healthy start or write.
const PATIENCE: Duration = Duration::from_secs(60);

/// Certificates and a configuration of rsyslog, in a directory of their own.
struct Receiver {
    dir: tempfile::TempDir,
    port: u16,
}

/// A receiver; `None`, said loudly, where the machine has not what it needs.
fn receiver() -> Option<Receiver> {
    let there = |program: &str, arg: &str| {
        let ran =
            Command::new(program).arg(arg).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    };
    let driver = ["x86_64", "aarch64"]
        .map(|machine| format!("/usr/lib/{machine}-linux-gnu/rsyslog/lmnsd_ossl.so"))
        .iter()
        .any(|file| Path::new(file).exists());
    if !there("rsyslogd", "-v") || !there("openssl", "version") || !driver {
        eprintln!("SKIPPED: rsyslogd, its OpenSSL driver (rsyslog-openssl) or openssl is not here");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let receiver = Receiver { dir, port };
    receiver.certificates();
    let file = |name: &str| receiver.file(name).display().to_string();
    let config = format!(
        r#"global(workDirectory="{dir}" maxMessageSize="128k" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{cert}"
  defaultNetstreamDriverKeyFile="{key}" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="raw" type="string" string="%rawmsg%\n")
input(type="imtcp" address="127.0.0.1" port="{port}" supportOctetCountedFraming="on")
action(type="omfile" file="{out}" template="raw")
"#,
        dir = receiver.dir.path().display(),
        ca = file("ca.pem"),
        cert = file("server.pem"),
        key = file("server.key"),
        out = file("received"),
    );
    fs::write(receiver.file("rsyslog.conf"), config).unwrap();
    Some(receiver)
}

impl Receiver {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self) -> String {
        format!("tls://localhost:{}", self.port)
    }

    /// An authority, a certificate of it for localhost, and another authority.
    fn certificates(&self) {
        let openssl = |args: &str| {
            let mut openssl = Command::new("openssl");
            let ran = openssl.args(args.split(' ')).current_dir(self.dir.path()).output().unwrap();
            assert!(ran.status.success(), "{args}: {}", stderr(&ran));
        };
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        for authority in ["ca", "other"] {
            openssl(&format!(
                "{new} -x509 -keyout {authority}.key -out {authority}.pem -subj /CN={authority}"
            ));
        }
        openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        );
        fs::write(self.file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        );
    }

    /// Starts rsyslog, and waits until it listens.
    fn start(&self) -> Running {
        let mut rsyslogd = Command::new("rsyslogd");
        rsyslogd.arg("-n").arg("-f").arg(self.file("rsyslog.conf")).arg("-i").arg(self.file("pid"));
        let log = fs::File::create(self.file("log")).unwrap();
        let child = rsyslogd.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.file("log")).unwrap();
            assert!(begun.elapsed() < PATIENCE, "rsyslog does not listen: {log}");
            std::thread::yield_now();
        }
        Running(child)
    }
}

/// A running rsyslog. Ends in order, all it took written, when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

#[test]
fn rsyslog_has_every_entry_as_it_stands_on_disk() {
    let Some(receiver) = receiver() else { return };
    let (url, trail) = (receiver.url(), vector("healthy"));
    let file = |name: &str| receiver.file(name).display().to_string();
    let (cursor, ca, other) = (file("cursor"), file("ca.pem"), file("other.pem"));
    let export = |ca: &str| {
        run(&[
            "export", &trail, "--format", "syslog", "--cursor", &cursor, "--to", &url, "--ca", ca,
        ])
    };
    // Down, and then not who it should be.
    let down = export(&ca);
    assert_eq!(down.status.code(), Some(2));
    assert!(stderr(&down).contains("cannot connect to tls://localhost:"), "{}", stderr(&down));
    let running = receiver.start();
    let stranger = export(&other);
    assert_eq!(stranger.status.code(), Some(2));
    assert!(stderr(&stranger).contains("certificate"), "{}", stderr(&stranger));
    assert!(!receiver.file("cursor").exists());

    let sent = export(&ca);
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert!(stderr(&sent).starts_with("300 records in "), "{}", stderr(&sent));
    let again = export(&ca);
    assert!(stderr(&again).starts_with("0 records in "), "{}", stderr(&again));
    drop(running);
    let (code, result) = reconcile(&trail, &[&file("received")]);
    assert_eq!((code, &result["records"]), (Some(0), &300.into()), "{result}");
    assert_eq!((&result["repeated"], &result["unreadable"]), (&0.into(), &0.into()), "{result}");
}

#[test]
fn a_stream_survives_a_receiver_that_comes_and_goes() {
    let Some(receiver) = receiver() else { return };
    let mut live = Live::new();
    let (trail, cursor, ca) =
        (live.file("audit"), live.file("cursor"), receiver.file("ca.pem").display().to_string());
    let url = receiver.url();
    let args =
        ["export", &trail, "--format", "syslog", "--cursor", &cursor, "--to", &url, "--ca", &ca];
    // Begun while nobody is there.
    let mut follow = auditlog(&[&args[..], &["--follow"]].concat());
    let mut follow = follow.stderr(Stdio::null()).spawn().unwrap();
    live.write(200);
    let running = receiver.start();
    live.write(200);
    drop(running);
    live.write(200);
    let running = receiver.start();
    live.write(200);
    follow.kill().unwrap();
    follow.wait().unwrap();
    live.end();
    let last = run(&args);
    assert_eq!(last.status.code(), Some(0), "{}", stderr(&last));
    drop(running);
    let received = receiver.file("received").display().to_string();
    let (code, result) = reconcile(&trail, &[&received]);
    assert_eq!((code, &result["missing"]), (Some(0), &0.into()), "{result}");
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is() {
    let dir = tempfile::tempdir().unwrap();
    let cursor = dir.path().join("cursor").display().to_string();
    let export = |args: &[&str]| run(&[&["export", &vector("healthy")], args].concat());
    for (args, said) in [
        (&["--format", "ocsf", "--to", "tls://a:1"][..], "--format syslog"),
        (&["--format", "syslog", "--to", "https://a"], "expected tls://HOST:PORT"),
        (&["--format", "syslog", "--to", "tls://a:1"], "needs the authorities"),
        (&["--format", "syslog", "--to", "tls://a:1", "--ca", &cursor], "cursor: "),
        (&["--format", "syslog", "--follow", "--to", "tcp://a:1"], "needs a cursor"),
        (&["--format", "syslog", "--ca", "x"], "--to <URL>"),
    ] {
        let refused = export(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(stderr(&refused).contains(said), "{args:?}: {}", stderr(&refused));
    }
}
