//! HTTP connections, with limits.
//!
//! What must stay true here: a client can hold a connection only for so long, whatever it sends or
//! fails to send or read, and only so many connections are open. When told to stop, the server
//! answers what it has begun, and ends.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What clients are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// To send the header of a request, also of the next on a connection kept alive.
    pub header: Duration,
    /// To send the body and be answered.
    pub request: Duration,
    /// Life of a connection.
    pub connection: Duration,
    /// To finish what was begun, once told to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 256,
            header: Duration::from_secs(10),
            request: Duration::from_secs(30),
            connection: Duration::from_secs(600),
            stop: Duration::from_secs(5),
        }
    }
}

/// Serves until `stop` resolves, then finishes what it has begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) {
    let router = router.layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| async move {
            match tokio::time::timeout(limits.request, next.run(request)).await {
                Ok(response) => response,
                Err(_) => status(axum::http::StatusCode::REQUEST_TIMEOUT),
            }
        },
    ));
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, permit)) = accepted else { continue };
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header).max_buf_size(16 * 1024);
        let service = TowerToHyperService::new(tower_of(router.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // How a connection ends is the client's affair.
            drop(tokio::time::timeout(limits.connection, connection).await);
            drop(permit);
        });
    }
    drop(listener);
    drop(tokio::time::timeout(limits.stop, graceful.shutdown()).await);
}

type Permit = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, Permit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(_) => {
            // Out of descriptors, say: nothing to do but not to spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// The router as a service of what hyper reads.
fn tower_of(
    router: Router,
) -> impl tower_service::Service<
    axum::http::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send,
> + Clone {
    Mapped(router)
}

#[derive(Clone)]
struct Mapped(Router);

impl tower_service::Service<axum::http::Request<Incoming>> for Mapped {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = <Router as tower_service::Service<axum::extract::Request>>::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        tower_service::Service::<axum::extract::Request>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: axum::http::Request<Incoming>) -> Self::Future {
        tower_service::Service::call(&mut self.0, request.map(Body::new))
    }
}

/// An empty answer.
pub(crate) fn status(status: axum::http::StatusCode) -> axum::response::Response {
    let mut response = axum::response::Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
