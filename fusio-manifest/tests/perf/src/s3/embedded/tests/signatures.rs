//! Who may do what: every request needs a signature of its own over all of it, made now, and nobody but this machine can
//! reach the port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, http::HttpRequest,
        interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::{BoxError, ProvideErrorMetadata as _},
    presigning::{PresignedRequest, PresigningConfig},
    primitives::SdkBody,
};
use aws_smithy_async::time::StaticTimeSource;

use super::*;
use crate::s3::{credentials::Accepted, server};

const SHA256_OF_OTHER: &str = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";

type Change = fn(&mut HttpRequest);

/// Changes a request after it was signed.
#[derive(Debug)]
struct Tamper(Change);

impl Intercept for Tamper {
    fn name(&self) -> &'static str {
        "Tamper"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.0)(context.request_mut());
        Ok(())
    }
}

/// What the endpoint says to a PUT of `k` that was changed on its way, 0 if it was applied. Nothing else may be there after it.
async fn tampered(s3: &Fixture, change: Change) -> u16 {
    let body = ByteStream::from_static(b"new");
    let put = s3.client.put_object().bucket(BUCKET).key("k").body(body);
    match put.customize().interceptor(Tamper(change)).send().await {
        Ok(_) => 0,
        Err(error) => put_status(&error),
    }
}

fn credentials(name: &str, session_token: Option<&str>) -> Accepted {
    Accepted {
        access_key: name.to_owned(),
        secret_key: format!("{name}-secret"),
        session_token: session_token.map(str::to_owned),
    }
}

#[test]
fn only_this_machine_can_reach_the_port() {
    let s3 = Fixture::new();
    assert_eq!(s3.server.address.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(
        s3.server.endpoint(),
        format!("http://127.0.0.1:{}", s3.server.address.port())
    );
    // Nothing of its configuration names an address; a field that did would have to be added here.
    let EmbeddedConfig {
        latency: _,
        faults: _,
        seed: _,
        bucket: _,
        access_key: _,
        secret_key: _,
    } = EmbeddedConfig {
        latency: "none".parse().unwrap(),
        faults: "none".parse().unwrap(),
        seed: 0,
        bucket: String::new(),
        access_key: String::new(),
        secret_key: String::new(),
    };
    let reached =
        |address: [u8; 4]| TcpStream::connect(SocketAddr::from((address, s3.server.address.port())));
    assert!(reached([127, 0, 0, 1]).is_ok());
    // On Linux all of 127.0.0.0/8 is this machine: whoever listened on every address would answer here too.
    if cfg!(target_os = "linux") {
        let refused = reached([127, 0, 0, 2]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn listening_takes_no_address() {
    let listen: fn() -> io::Result<(tokio::net::TcpListener, SocketAddr)> = server::listen;
    let (_listener, address) = listen().unwrap();
    assert!(address.ip().is_loopback(), "{address}");
}

#[tokio::test]
async fn no_signature_and_one_by_another_secret_are_refused_and_nothing_is_applied() {
    let s3 = Fixture::new();
    s3.put("k", "old").await.unwrap();
    for (access_key, secret_key, code) in [
        ("access", "wrong", "SignatureDoesNotMatch"),
        ("nobody", "secret", "InvalidAccessKeyId"),
    ] {
        let stranger = client(&s3.server, access_key, secret_key);
        let error = stranger
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap_err();
        assert_eq!(status(&error), 403, "{access_key}");
        assert_eq!(error.into_service_error().meta().code(), Some(code));
    }
    let unsigned: fn(&mut HttpRequest) = |request| {
        request.headers_mut().remove("authorization");
    };
    assert_eq!(tampered(&s3, unsigned).await, 403);
    let empty: fn(&mut HttpRequest) = |request| {
        request.headers_mut().insert("authorization", "");
    };
    assert!(matches!(tampered(&s3, empty).await, 400 | 403));
    assert_eq!(s3.get("k").await.as_deref(), Ok("old"));
}

#[tokio::test]
async fn what_was_signed_cannot_be_changed_on_its_way() {
    let s3 = Fixture::new();
    s3.put("k", "old").await.unwrap();
    s3.put("other", "old").await.unwrap();
    let changes: [(&str, u16, Change); 9] = [
        ("path", 403, |request| {
            let uri = request.uri().replace("/k", "/other");
            request.set_uri(uri).unwrap();
        }),
        ("path, by a dot", 403, |request| {
            let uri = request.uri().replace("/k", "/x/../other");
            request.set_uri(uri).unwrap();
        }),
        ("query", 403, |request| {
            let uri = format!("{}&versionId=1", request.uri());
            request.set_uri(uri).unwrap();
        }),
        ("method", 403, |request| request.set_method("DELETE").unwrap()),
        ("date", 403, |request| {
            let date = request.headers().get("x-amz-date").unwrap().to_owned();
            let later = match date.strip_suffix("0Z") {
                Some(date) => format!("{date}1Z"),
                None => format!("{}0Z", &date[..date.len() - 2]),
            };
            request.headers_mut().insert("x-amz-date", later);
        }),
        ("digest of the payload", 403, |request| {
            request
                .headers_mut()
                .insert("x-amz-content-sha256", SHA256_OF_OTHER);
        }),
        ("payload", 400, |request| {
            *request.body_mut() = SdkBody::from("bad");
        }),
        ("payload and its digest", 403, |request| {
            *request.body_mut() = SdkBody::from("other");
            request
                .headers_mut()
                .insert("x-amz-content-sha256", SHA256_OF_OTHER);
        }),
        ("payload, unsigned", 403, |request| {
            *request.body_mut() = SdkBody::from("bad");
            request
                .headers_mut()
                .insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        }),
    ];
    for (what, expected, change) in changes {
        assert_eq!(tampered(&s3, change).await, expected, "{what}");
        for key in ["k", "other"] {
            assert_eq!(s3.get(key).await.as_deref(), Ok("old"), "{what}");
        }
    }
    assert_eq!(tampered(&s3, |_| {}).await, 0);
    assert_eq!(s3.get("k").await.as_deref(), Ok("new"));
}

#[tokio::test]
async fn a_condition_that_was_signed_cannot_be_taken_away() {
    let s3 = Fixture::new();
    s3.put("k", "old").await.unwrap();
    for change in [
        |request: &mut HttpRequest| {
            request.headers_mut().remove("if-none-match");
        },
        |request: &mut HttpRequest| {
            request.headers_mut().insert("if-none-match", "\"x\"");
        },
    ] {
        let body = ByteStream::from_static(b"new");
        let put = s3
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(body)
            .if_none_match("*");
        let error = put
            .customize()
            .interceptor(Tamper(change))
            .send()
            .await
            .unwrap_err();
        assert_eq!(put_status(&error), 403);
        assert_eq!(s3.get("k").await.as_deref(), Ok("old"));
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_15_minutes_is_refused() {
    let s3 = Fixture::new();
    let now = wall_clock();
    let minutes = |count: u64| Duration::from_secs(count * 60);
    for (time, expected) in [
        (now - minutes(16), Err(403)),
        (now + minutes(16), Err(403)),
        (now - minutes(14), Ok(())),
        (now + minutes(14), Ok(())),
    ] {
        let config = s3
            .client
            .config()
            .to_builder()
            .time_source(StaticTimeSource::new(time))
            .build();
        let client = Client::from_conf(config);
        let key = format!("{time:?}");
        let body = ByteStream::from_static(b"new");
        let put = client
            .put_object()
            .bucket(BUCKET)
            .key(&key)
            .body(body)
            .send()
            .await;
        let put = put.map(|_| ()).map_err(|error| {
            let code = error.meta().code().map(str::to_owned);
            assert_eq!(code.as_deref(), Some("RequestTimeTooSkewed"));
            put_status(&error)
        });
        assert_eq!(put, expected, "{time:?}, now {now:?}");
        assert_eq!(s3.get(&key).await.is_ok(), expected.is_ok(), "{time:?}");
    }
}

#[tokio::test]
async fn presigned_requests_hold_for_their_time_and_for_what_was_signed() {
    let s3 = Fixture::new();
    s3.put("k", "old").await.unwrap();
    s3.put("other", "old").await.unwrap();
    let presigning = |start: SystemTime| {
        let builder = PresigningConfig::builder()
            .start_time(start)
            .expires_in(Duration::from_secs(60));
        builder.build().unwrap()
    };
    let now = wall_clock();
    let put = async |start| {
        let put = s3
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .presigned(presigning(start));
        put.await.unwrap()
    };
    let fresh = put(now).await;
    let expired = put(now - Duration::from_secs(120)).await;
    let early = put(now + Duration::from_secs(16 * 60)).await;
    for (what, request, uri, method) in [
        ("expired", &expired, expired.uri().to_owned(), "PUT"),
        ("from the future", &early, early.uri().to_owned(), "PUT"),
        (
            "longer",
            &expired,
            expired.uri().replace("Expires=60", "Expires=600"),
            "PUT",
        ),
        ("path", &fresh, fresh.uri().replace("/k?", "/other?"), "PUT"),
        ("query", &fresh, format!("{}&versionId=1", fresh.uri()), "PUT"),
        ("method", &fresh, fresh.uri().to_owned(), "DELETE"),
        (
            "no signature",
            &fresh,
            fresh.uri().split_once('?').unwrap().0.to_owned(),
            "PUT",
        ),
    ] {
        assert_eq!(sent(request, &uri, method).await, 403, "{what}");
        for key in ["k", "other"] {
            assert_eq!(s3.get(key).await.as_deref(), Ok("old"), "{what}");
        }
    }
    assert_eq!(sent(&fresh, fresh.uri(), "PUT").await, 200);
    assert_eq!(s3.get("k").await.as_deref(), Ok("new"));
}

/// The status of the answer to a presigned request with this URL and method instead.
async fn sent(request: &PresignedRequest, uri: &str, method: &str) -> u16 {
    use http_body_util::Full;
    use hyper_util::rt::TokioIo;
    let uri: http::Uri = uri.parse().unwrap();
    let authority = uri.authority().unwrap().as_str();
    let stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut built = http::Request::builder()
        .method(method)
        .uri(uri.path_and_query().unwrap().as_str());
    built = built.header("host", authority);
    for (name, value) in request.headers() {
        built = built.header(name, value);
    }
    let body = Full::new(bytes::Bytes::from_static(b"new"));
    let answer = sender.send_request(built.body(body).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    drop((answer, sender));
    let _ = connection.await;
    status
}

#[tokio::test]
async fn session_credentials_need_their_token_and_expire() {
    let s3 = Fixture::new();
    s3.put("k", "old").await.unwrap();
    s3.server.accept(vec![
        credentials("one", Some("token-of-one")),
        credentials("two", None),
    ]);
    let with = |access_key: &str, token: Option<&str>| {
        let keys = Credentials::new(
            access_key,
            format!("{access_key}-secret"),
            token.map(str::to_owned),
            None,
            "test",
        );
        Client::from_conf(s3.client.config().to_builder().credentials_provider(keys).build())
    };
    let get = async |client: &Client| {
        let got = client.get_object().bucket(BUCKET).key("k").send().await;
        got.map(|_| ()).map_err(|error| {
            let code = error.meta().code().unwrap_or_default().to_owned();
            (get_status(&error), code)
        })
    };
    let refused = |status, code: &str| Err((status, code.to_owned()));
    assert_eq!(get(&with("one", Some("token-of-one"))).await, Ok(()));
    assert_eq!(get(&with("two", None)).await, Ok(()));
    assert_eq!(get(&with("one", None)).await, refused(400, "InvalidToken"));
    assert_eq!(
        get(&with("one", Some("token-of-two"))).await,
        refused(400, "InvalidToken")
    );
    assert_eq!(
        get(&with("two", Some("token-of-one"))).await,
        refused(400, "InvalidToken")
    );
    assert_eq!(get(&s3.client).await, refused(400, "ExpiredToken"));
    s3.server.accept(vec![credentials("two", None)]);
    assert_eq!(
        get(&with("one", Some("token-of-one"))).await,
        refused(400, "ExpiredToken")
    );
    assert_eq!(
        get(&with("three", None)).await,
        refused(403, "InvalidAccessKeyId")
    );
    assert_eq!(get(&with("two", None)).await, Ok(()));
}

#[test]
fn debug_output_shows_no_keys() {
    let server = EmbeddedS3::start(EmbeddedConfig {
        latency: "none".parse().unwrap(),
        faults: "none".parse().unwrap(),
        seed: 1,
        bucket: BUCKET.to_owned(),
        access_key: "canary-key".to_owned(),
        secret_key: "canary-secret".to_owned(),
    })
    .unwrap();
    let more = credentials("canary", Some("canary-token"));
    server.accept(vec![more.clone()]);
    let shown = format!("{server:?} {server:#?} {more:?} {more:#?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "signatures are made for, and held against, this machine's time"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
