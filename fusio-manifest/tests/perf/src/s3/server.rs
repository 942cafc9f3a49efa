//! The HTTP server: connections on loopback, each request a task of its own.

use std::{
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Request;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::HttpResponse;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
};

use super::endpoint::Endpoint;
use crate::injection::Cut;

/// Connections that wait to be accepted. With std's 128 a burst is refused and retried a second later.
const BACKLOG: u32 = 4_096;

/// How long to wait when a connection cannot be accepted: most likely there is no file descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Listens on a free port of 127.0.0.1. Must be called in the runtime that will serve it.
pub(super) fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Accepts connections until told to stop, or until the one who could tell is gone.
pub(super) async fn accept(listener: TcpListener, endpoint: Arc<Endpoint>, stop: oneshot::Receiver<()>) {
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve(stream, Arc::clone(&endpoint)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the embedded S3 cannot accept a connection");
                    endpoint.pause(ACCEPT_RETRY).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        _ = stop => {}
        () = accepting => {}
    }
}

async fn serve(stream: TcpStream, endpoint: Arc<Endpoint>) {
    if stream.set_nodelay(true).is_err() {
        // The peer has gone away already.
        return;
    }
    let reset = Arc::new(AtomicBool::new(false));
    let served = Arc::clone(&reset);
    let service = service_fn(move |request| respond(request, Arc::clone(&endpoint), Arc::clone(&served)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error is a peer that has gone away, or a fault.
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        // Without lingering, closing sends RST.
        let _ = stream.set_zero_linger();
    }
}

/// An error ends the connection without an answer.
type Responding = Pin<Box<dyn Future<Output = Result<HttpResponse, Cut>> + Send>>;

fn respond(request: Request<Incoming>, endpoint: Arc<Endpoint>, reset: Arc<AtomicBool>) -> Responding {
    Box::pin(async move {
        let (parts, body) = request.into_parts();
        // The client went away in the middle of its request: there is nothing to apply.
        let body = body.collect().await.map_err(|_| Cut::Close)?.to_bytes();
        // A task of its own: hyper drops its future when the client hangs up, and a store that has a whole
        // request applies it then all the same.
        let answering = tokio::spawn(endpoint.answer(Request::from_parts(parts, body)));
        let answer = answering.await.unwrap_or(Err(Cut::Close));
        if let Err(Cut::Reset) = answer {
            reset.store(true, Ordering::Relaxed);
        }
        answer
    })
}
