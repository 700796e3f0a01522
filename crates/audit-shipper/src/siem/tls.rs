//! TLS for streams: rustls with the provider that is in the tree already.
//!
//! What must stay true here: a connection counts only after the receiver's certificate was verified for
//! its name by the authorities that were given; no private key is in an error.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::stream::{CHATTER, read_to_end, was_reset, without_waiting};
use super::{DeliveryError, Trust};

/// What every connection to one host needs.
#[derive(Debug)]
pub(super) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// An open connection.
pub(super) type Session = Conversation;

/// A connection whose handshake is done.
#[derive(Debug)]
pub(super) struct Conversation(Box<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    pub(super) fn new(host: &str, trust: &Trust) -> Result<Client, DeliveryError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| DeliveryError::Target { target: host.to_owned() })?;
        let ca = trust.ca.as_deref().ok_or(DeliveryError::NoAuthorities)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| unusable(ca, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(ca, &error))?
            .with_root_certificates(roots);
        let config = match &trust.identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                // The parser's errors may quote what they choke on.
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|_| unusable(key, &"no private key in PEM that can be read"))?;
                let chain = certificates(chain)?;
                config.with_client_auth_cert(chain, private).map_err(|e| unusable(key, &e))?
            }
        };
        Ok(Client { config: Arc::new(config), name })
    }

    /// The handshake, to its end.
    pub(super) fn greet(&self, mut socket: TcpStream) -> io::Result<Session> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut connection = connection.map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Conversation(Box::new(StreamOwned::new(connection, socket))))
    }
}

impl Conversation {
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Whether the other side has said that it ends, or has gone, without waiting.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        let StreamOwned { conn, sock } = &mut *self.0;
        without_waiting(sock, |sock| {
            let mut said = 0;
            while said < CHATTER {
                // An end may have come together with what was read before.
                let state = conn.process_new_packets().map_err(io::Error::other)?;
                if state.peer_has_closed() {
                    return Ok(true);
                }
                let mut chatter = vec![0; state.plaintext_bytes_to_read()];
                conn.reader().read_exact(&mut chatter)?;
                match conn.read_tls(sock) {
                    Ok(0) => return Ok(true),
                    Ok(count) => said += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            Ok(false)
        })
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()?;
        self.0.sock.shutdown(Shutdown::Write)?;
        read_to_end(&mut self.0)?;
        was_reset(&self.0.sock)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DeliveryError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"no certificate in PEM"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> DeliveryError {
    DeliveryError::Trust { path: path.to_owned(), problem: problem.to_string() }
}
