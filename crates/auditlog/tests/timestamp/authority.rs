//! A real time-stamping authority on loopback: `openssl ts -reply` behind HTTP, and one that misbehaves.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a path of the server answers. `None`: what `openssl ts -reply` says to the request.
pub(crate) enum Answer {
    /// This status, content type and body.
    Fixed(u16, &'static str, Vec<u8>),
    /// Nothing, until whoever asks gives up; it is told that somebody asked.
    Silence(Sender<()>),
    /// What `openssl ts -reply` says to another request than was made.
    Instead(Vec<u8>),
}

/// Certificates, their keys, and `openssl ts` over HTTP.
pub(crate) struct Authority {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) url: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Runs openssl in a directory; what it prints.
pub(crate) fn openssl(dir: &Path, args: &str) -> Result<String, String> {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("openssl {args}: {said}")) }
}

/// Whether the machine has openssl; said loudly where it has not.
fn is_there() -> bool {
    let ran = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    let there = ran.is_ok_and(|status| status.success());
    if !there {
        // Straight to the process's standard error: the harness captures `eprintln!` of tests that pass.
        let said = b"SKIPPED: openssl is not here, and no other authority for time stamps is\n";
        std::io::stderr().write_all(said).unwrap();
    }
    there
}

const EXTENSIONS: &str = "
[root]
basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[tsa]
basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
subjectKeyIdentifier=hash
[lax]
basicConstraints=critical,CA:false
extendedKeyUsage=timeStamping
[server]
basicConstraints=critical,CA:false
extendedKeyUsage=critical,serverAuth
[ca]
default_ca=expiring
[expiring]
database=index.txt
new_certs_dir=.
serial=ca.serial
default_md=sha256
policy=any
x509_extensions=tsa
[any]
commonName=supplied
";

impl Authority {
    /// Makes the certificates and serves; `None` where there is no openssl.
    pub(crate) fn start() -> Option<Authority> {
        if !is_there() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(HashMap::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let server = Server { dir: dir.path().to_owned(), answers: Arc::clone(&answers) };
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // Who asks may be gone already.
                drop(server.serve(&stream.unwrap()));
            }
        });
        Some(Authority { dir, url, answers, ended, thread: Some(thread) })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The address of what answers by this section of the configuration.
    pub(crate) fn by(&self, section: &str) -> String {
        format!("{}/{section}", self.url)
    }

    /// The address of something that answers otherwise.
    pub(crate) fn answering(&self, answer: Answer) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("odd{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        self.answers.lock().unwrap().insert(name.clone(), answer);
        self.by(&name)
    }

    /// What the authority of this section says of these bytes, asked by openssl itself.
    pub(crate) fn response(&self, section: &str, bytes: &[u8]) -> Vec<u8> {
        fs::write(self.path("own.data"), bytes).unwrap();
        openssl(self.dir.path(), "ts -query -data own.data -sha256 -cert -out own.tsq").unwrap();
        reply(self.dir.path(), section, &fs::read(self.path("own.tsq")).unwrap())
    }

    /// A response whose token is made by `openssl cms`, which does not ask what a certificate is for: of
    /// the content of another token.
    pub(crate) fn signed_by(&self, response: &[u8], options: &str) -> Vec<u8> {
        let dir = self.dir.path();
        fs::write(dir.join("from.tsr"), response).unwrap();
        openssl(dir, "ts -reply -in from.tsr -token_out -out from.p7").unwrap();
        openssl(dir, "cms -verify -noverify -inform DER -in from.p7 -out from.tst").unwrap();
        let sign = "cms -sign -binary -nodetach -outform DER -in from.tst -out made.p7 -econtent_type 1.2.840.113549.1.9.16.1.4";
        openssl(dir, &format!("{sign} {options}")).unwrap();
        let token = fs::read(dir.join("made.p7")).unwrap();
        // SEQUENCE { SEQUENCE { INTEGER 0 }, token }
        sequence(&[&[0x30, 3, 2, 1, 0][..], &token].concat())
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A SEQUENCE of this.
pub(crate) fn sequence(content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match (high, low) {
        (0, 0..=127) => vec![0x30, low],
        (0, _) => vec![0x30, 0x81, low],
        _ => vec![0x30, 0x82, high, low],
    };
    [&header, content].concat()
}

fn certificates(dir: &Path) {
    fs::write(dir.join("ext.cnf"), EXTENSIONS).unwrap();
    fs::write(dir.join("index.txt"), "").unwrap();
    fs::write(dir.join("ca.serial"), "77\n").unwrap();
    let run = |args: &str| openssl(dir, args).unwrap();
    let ec = |name: &str, curve: &str| {
        run(&format!("ecparam -name {curve} -genkey -noout -out {name}.key"));
    };
    let request = |name: &str| {
        run(&format!(
            "req -new -key {name}.key -subj /CN=Test-{name} -out {name}.csr -config /dev/null"
        ));
    };
    let certify = |name: &str, section: &str, by: &str| {
        request(name);
        run(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 30 -sha256 -extfile ext.cnf -extensions {section} -out {name}.pem"
        ));
    };
    let root = |name: &str| {
        request(name);
        run(&format!(
            "x509 -req -in {name}.csr -signkey {name}.key -days 30 -sha256 -extfile ext.cnf -extensions root -out {name}.pem"
        ));
    };
    run("genrsa -out root.key 2048");
    root("root");
    ec("other", "prime256v1");
    root("other");
    // Between root and stamp there may be an authority that says nothing of what it is for.
    ec("middle", "secp384r1");
    certify("middle", "root", "root");
    run("genrsa -out rsa.key 2048");
    certify("rsa", "tsa", "root");
    ec("ec", "prime256v1");
    certify("ec", "tsa", "middle");
    ec("lax", "prime256v1");
    certify("lax", "lax", "root");
    ec("server", "prime256v1");
    certify("server", "server", "root");
    ec("expired", "prime256v1");
    request("expired");
    run(
        "ca -batch -config ext.cnf -in expired.csr -cert root.pem -keyfile root.key -startdate 20200101000000Z -enddate 20210101000000Z -notext -out expired.pem",
    );
    let section = |name: &str, more: &str, digest: &str, ess: &str| {
        format!(
            "[{name}-{digest}-{ess}]\n{more}\nserial=ts.serial\ncrypto_device=builtin\nsigner_cert={name}.pem\nsigner_key={name}.key\nsigner_digest={digest}\ndefault_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1,millisecs:500\nordering=yes\ness_cert_id_chain=no\ness_cert_id_alg={ess}\nclock_precision_digits=3\n"
        )
    };
    let sections = [
        section("rsa", "certs=root.pem\ntsa_name=yes", "sha256", "sha256"),
        section("rsa", "tsa_name=yes", "sha512", "sha1"),
        section("ec", "certs=middle.pem\ntsa_name=yes", "sha256", "sha256"),
        section("ec", "certs=middle.pem", "sha384", "sha512"),
    ];
    fs::write(dir.join("ts.cnf"), sections.concat()).unwrap();
    fs::write(dir.join("ts.serial"), "01\n").unwrap();
}

/// `openssl ts -reply`.
fn reply(dir: &Path, section: &str, query: &[u8]) -> Vec<u8> {
    fs::write(dir.join("in.tsq"), query).unwrap();
    let args = "ts -reply -config ts.cnf -queryfile in.tsq -out out.tsr";
    openssl(dir, &format!("{args} -section {section}")).unwrap();
    fs::read(dir.join("out.tsr")).unwrap()
}

struct Server {
    dir: PathBuf,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let name = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let (mut length, mut kind) = (0, String::new());
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            let (field, value) = header.split_once(':').unwrap_or_default();
            match field.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "content-type" => kind = value.trim().to_owned(),
                _ => {}
            }
        }
        let mut query = vec![0; length];
        reader.read_exact(&mut query)?;
        assert_eq!(kind, "application/timestamp-query");
        let reply_kind = "application/timestamp-reply";
        let (status, kind, body) = match self.answers.lock().unwrap().get(&name) {
            Some(Answer::Fixed(status, kind, body)) => (*status, *kind, body.clone()),
            Some(Answer::Silence(asked)) => {
                // Nobody may want to know.
                asked.send(()).ok();
                reader.read_to_end(&mut query)?;
                return Ok(());
            }
            Some(Answer::Instead(other)) => {
                (200, reply_kind, reply(&self.dir, "rsa-sha256-sha256", other))
            }
            None => (200, reply_kind, reply(&self.dir, &name, &query)),
        };
        let mut writer = stream;
        write!(
            writer,
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )?;
        writer.write_all(&body)
    }
}
