//! Streams to receivers that are honest, rude or gone.

#[cfg(feature = "tls")]
mod tls;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;

/// A receiver of one connection, and where it is.
fn receiver<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Delivery, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (Delivery::new(target, &Trust::default()).unwrap(), thread)
}

fn framed(text: &str) -> Vec<u8> {
    let mut out = text.as_bytes().to_vec();
    frame(&mut out, 0);
    out
}

#[test]
fn places_are_read_and_nonsense_is_not() {
    for good in ["tls://siem.example:6514", "tcp://127.0.0.1:601", "tls://[::1]:6514"] {
        assert_eq!(good.parse::<Target>().unwrap().to_string(), good);
    }
    for bad in [
        "siem:6514",
        "udp://a:1",
        "tls://a",
        "tls://:1",
        "tls://a:b",
        "tls://u@a:1",
        "tls://a:99999",
    ] {
        assert!(matches!(bad.parse::<Target>(), Err(DeliveryError::Target { .. })), "{bad}");
    }
}

#[test]
fn a_message_is_framed_by_its_length_in_bytes() {
    let mut out = b"before".to_vec();
    out.extend_from_slice("größe\n".as_bytes());
    frame(&mut out, 6);
    assert_eq!(out, "before8 größe\n".as_bytes());
}

#[test]
fn what_was_read_to_the_end_is_delivered() {
    let (mut delivery, thread) = receiver(|mut socket| {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        all
    });
    let mut sent = Vec::new();
    for n in 0..10_000 {
        let message = framed(&format!("message {n}"));
        delivery.send(&message).unwrap();
        sent.extend(message);
    }
    delivery.confirm().unwrap();
    assert!(thread.join().unwrap() == sent);
    // Nothing to send, nobody to ask.
    delivery.confirm().unwrap();
}

#[test]
fn what_was_not_read_to_the_end_is_not_delivered() {
    // Closes with unread bytes in its buffer: a reset.
    let (mut delivery, thread) = receiver(|mut socket| {
        socket.read_exact(&mut [0; 5]).unwrap();
    });
    delivery.send(&framed(&"x".repeat(40_000))).unwrap();
    let told = delivery.confirm();
    assert!(
        matches!(told, Err(DeliveryError::Unconfirmed { .. } | DeliveryError::Send { .. })),
        "{told:?}"
    );
    thread.join().unwrap();
    // Talks and talks.
    let (mut delivery, thread) =
        receiver(|mut socket| while socket.write_all(&[b'z'; 4_096]).is_ok() {});
    delivery.send(&framed("x")).unwrap();
    let told = delivery.confirm();
    assert!(matches!(told, Err(DeliveryError::Unconfirmed { .. })), "{told:?}");
    thread.join().unwrap();
}

#[test]
fn an_end_before_ours_confirms_nothing() {
    // Reads the first block, ends its direction in order, and looks at nothing that comes later.
    let (told, knows) = std::sync::mpsc::channel::<()>();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (mut delivery, thread) = receiver(move |mut socket| {
        socket.read_exact(&mut vec![0; GATHERED]).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        told.send(()).unwrap();
        assert!(held.recv().is_err(), "told to end by the end of the sender");
    });
    delivery.send(&vec![b'x'; GATHERED]).unwrap();
    knows.recv().unwrap();
    delivery.send(&framed("after its end")).unwrap();
    let told = delivery.confirm();
    assert!(matches!(told, Err(DeliveryError::Unconfirmed { .. })), "{told:?}");
    drop(hold);
    thread.join().unwrap();
}

#[test]
fn a_receiver_that_stands_still_is_given_up() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (delivery, thread) = receiver(move |socket| {
        assert!(ended.recv().is_err(), "told to end by the end of the sender");
        drop(socket);
    });
    let mut delivery = delivery.with_patience(std::time::Duration::from_millis(20));
    delivery.send(&framed("x")).unwrap();
    let told = delivery.confirm();
    let late = matches!(&told, Err(DeliveryError::Unconfirmed { source, .. })
        if source.kind() == io::ErrorKind::TimedOut);
    assert!(late, "{told:?}");
    delivery.reset();
    drop(end);
    thread.join().unwrap();
}

#[test]
fn nobody_there_is_told_and_after_a_reset_all_comes_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target: Target = format!("tcp://{address}").parse().unwrap();
    let mut delivery = Delivery::new(target, &Trust::default()).unwrap();
    delivery.send(&framed("lost?")).unwrap();
    let told = delivery.confirm();
    assert!(matches!(told, Err(DeliveryError::Connect { .. })), "{told:?}");
    delivery.reset();
    let listener = TcpListener::bind(address).unwrap();
    let thread = std::thread::spawn(move || {
        let mut all = String::new();
        listener.accept().unwrap().0.read_to_string(&mut all).unwrap();
        all
    });
    delivery.send(&framed("again")).unwrap();
    delivery.confirm().unwrap();
    assert_eq!(thread.join().unwrap(), "5 again");
}
