//! Receivers that end a TLS connection before they were told to, or not in TLS's own way.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::*;

type Session = StreamOwned<ServerConnection, TcpStream>;

/// An authority, and a certificate of it for this machine.
fn certificates(dir: &Path) -> bool {
    let openssl = |args: &str| {
        let made = Command::new("openssl").args(args.split(' ')).current_dir(dir).output();
        made.is_ok_and(|made| made.status.success())
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(&format!("req {key} -x509 -days 2 -keyout ca.key -out ca.pem -subj /CN=authority"))
        && openssl(&format!("req {key} -keyout key.pem -out csr.pem -subj /CN=receiver"))
        && openssl(
            "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
        )
}

/// A receiver of one connection, whose handshake is done; `None`, said loudly, without `openssl`.
fn receiver<T: Send + 'static>(
    serve: impl FnOnce(Session) -> T + Send + 'static,
) -> Option<(Delivery, JoinHandle<T>)> {
    let dir = tempfile::tempdir().unwrap();
    if !certificates(dir.path()) {
        eprintln!("SKIPPED: openssl is not here, so there is no certificate to test with");
        return None;
    }
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let chain = CertificateDer::pem_file_iter(&cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tls://{}", listener.local_addr().unwrap()).parse().unwrap();
    let trust = Trust { ca: Some(dir.path().join("ca.pem")), ..Trust::default() };
    let delivery = Delivery::new(target, &trust).unwrap();
    let thread = std::thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        serve(StreamOwned::new(connection, socket))
    });
    Some((delivery, thread))
}

/// Says `close_notify`, and ends the sending direction.
fn end(session: &mut Session) {
    session.conn.send_close_notify();
    session.flush().unwrap();
    session.sock.shutdown(Shutdown::Write).unwrap();
}

fn block(of: u8) -> Vec<u8> {
    vec![of; GATHERED]
}

fn unconfirmed(told: &Result<(), DeliveryError>) -> bool {
    matches!(told, Err(DeliveryError::Unconfirmed { .. }))
}

#[test]
fn who_reads_all_and_ends_in_order_has_confirmed() {
    let serve = |mut session: Session| {
        let mut all = Vec::new();
        session.read_to_end(&mut all).unwrap();
        end(&mut session);
        all
    };
    let Some((mut delivery, thread)) = receiver(serve) else { return };
    delivery.send(&block(b'x')).unwrap();
    delivery.send(b"the rest").unwrap();
    delivery.confirm().unwrap();
    assert_eq!(thread.join().unwrap(), [&block(b'x')[..], b"the rest"].concat());
}

/// Reads the first block, says in TLS's own way that it ends, and looks at nothing that comes later. `then`
/// is done when it has ended, and must not be told that anything is delivered.
fn ends_after_a_block(then: impl FnOnce(&mut Delivery) -> Result<(), DeliveryError>) {
    let (told, knows) = std::sync::mpsc::channel::<()>();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let serve = move |mut session: Session| {
        session.read_exact(&mut block(0)).unwrap();
        end(&mut session);
        told.send(()).unwrap();
        assert!(held.recv().is_err(), "told to end by the end of the sender");
    };
    let Some((mut delivery, thread)) = receiver(serve) else { return };
    delivery.send(&block(b'x')).unwrap();
    knows.recv().unwrap();
    let told = then(&mut delivery);
    assert!(unconfirmed(&told), "{told:?}");
    drop(hold);
    thread.join().unwrap();
}

#[test]
fn an_orderly_end_before_ours_confirms_nothing() {
    // All that was sent was read, and all the same nobody said so after hearing that it is all.
    ends_after_a_block(Delivery::confirm);
}

#[test]
fn what_is_sent_after_the_receiver_ended_is_not_delivered() {
    ends_after_a_block(|delivery| delivery.send(&block(b'y')));
}

#[test]
fn an_end_without_tls_saying_so_confirms_nothing() {
    // Anybody on the way can end a TCP connection; only the receiver can say `close_notify`.
    let serve = |mut session: Session| {
        let mut all = Vec::new();
        session.read_to_end(&mut all).unwrap();
        session.sock.shutdown(Shutdown::Write).unwrap();
        all.len()
    };
    let Some((mut delivery, thread)) = receiver(serve) else { return };
    delivery.send(&block(b'x')).unwrap();
    let told = delivery.confirm();
    assert!(unconfirmed(&told), "{told:?}");
    assert_eq!(thread.join().unwrap(), GATHERED);
}
