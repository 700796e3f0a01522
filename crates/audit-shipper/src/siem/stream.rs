//! One connection, with TLS or without.
//!
//! What must stay true here: every step ends within its limit; an end that the other side did not make
//! in order, by TLS's own close where there is TLS, is no end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{DeliveryError, Target, Trust};

/// How long connecting may take, to each address.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may move, unless told otherwise.
const STALL: Duration = Duration::from_secs(30);
/// What a receiver may say before it closes: syslog receivers say nothing.
pub(super) const CHATTER: usize = 64 * 1024;

/// Makes connections to one place.
#[derive(Debug)]
pub(super) struct Connector {
    /// How long nothing may move.
    pub(super) stall: Duration,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Client>,
}

impl Connector {
    #[cfg(feature = "tls")]
    pub(super) fn new(target: &Target, trust: &Trust) -> Result<Connector, DeliveryError> {
        let tls = target.tls.then(|| super::tls::Client::new(&target.host, trust)).transpose()?;
        Ok(Connector { stall: STALL, tls })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn new(target: &Target, _: &Trust) -> Result<Connector, DeliveryError> {
        if target.tls { Err(DeliveryError::NoTls) } else { Ok(Connector { stall: STALL }) }
    }

    pub(super) fn connect(&self, target: &Target) -> io::Result<Stream> {
        let socket = dial(target, self.stall)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.greet(socket).map(Stream::Tls);
        }
        Ok(Stream::Plain(socket))
    }
}

/// The first of the host's addresses that answers.
fn dial(target: &Target, stall: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (target.host.as_str(), target.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(stall))?;
                socket.set_write_timeout(Some(stall))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(super::tls::Session),
}

impl Stream {
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.write_all(bytes),
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.send(bytes),
        }
    }

    /// Whether the other side has ended already, without waiting. It was not told that this is all, so
    /// such an end confirms nothing, however orderly it is.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        match self {
            Stream::Plain(socket) => without_waiting(socket, has_ended),
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.has_ended(),
        }
    }

    /// Says that this is all, and waits for the other side to say so too.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.has_ended()? {
            return Err(ended_early());
        }
        match self {
            Stream::Plain(mut socket) => {
                socket.shutdown(Shutdown::Write)?;
                read_to_end(&mut socket)?;
                was_reset(&socket)
            }
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.finish(),
        }
    }
}

/// What an end is called that came before ours.
pub(super) fn ended_early() -> io::Error {
    let early = "it closed before it was told that this is all";
    io::Error::new(io::ErrorKind::ConnectionAborted, early)
}

/// Does something with a socket that does not wait meanwhile.
pub(super) fn without_waiting<T>(
    socket: &mut TcpStream,
    act: impl FnOnce(&mut TcpStream) -> io::Result<T>,
) -> io::Result<T> {
    socket.set_nonblocking(true)?;
    let done = act(socket);
    socket.set_nonblocking(false)?;
    done
}

/// Reads what is there; whether the end is.
fn has_ended(from: &mut impl Read) -> io::Result<bool> {
    let (mut block, mut said) = ([0; 1_024], 0);
    while said < CHATTER {
        match from.read(&mut block) {
            Ok(0) => return Ok(true),
            Ok(count) => said += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// A reset behind an orderly end does not come with a read: the system keeps it with the socket.
pub(super) fn was_reset(socket: &TcpStream) -> io::Result<()> {
    socket.take_error()?.map_or(Ok(()), Err)
}

/// Reads until the other side ends in order.
pub(super) fn read_to_end(from: &mut impl Read) -> io::Result<()> {
    let (mut block, mut said) = ([0; 1_024], 0);
    while said < CHATTER {
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => said += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let late = "it did not close in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, late));
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it talks instead of closing"))
}
