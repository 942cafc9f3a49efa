use super::*;

#[test]
fn ranges_become_headers_with_an_inclusive_end() {
    assert_eq!(header_of(&(0..1)).as_deref(), Some("bytes=0-0"));
    assert_eq!(header_of(&(5..10)).as_deref(), Some("bytes=5-9"));
    for empty in [0..0, Range { start: 7, end: 7 }, Range { start: 8, end: 7 }] {
        assert_eq!(header_of(&empty), None);
    }
}

#[test]
fn dates_are_learnt_from_the_header_and_nothing_from_what_is_none() {
    let date = LastDate::default();
    assert_eq!(date.unix_ms(), None);
    date.learn("Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(date.unix_ms(), Some(784_111_777_000));
    date.learn("yesterday");
    assert_eq!(date.unix_ms(), Some(784_111_777_000));
}

#[tokio::test]
async fn a_dead_port_is_a_connection_error_that_names_the_endpoint() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let meter = Arc::new(RequestMeter::new());
    let config = S3Config::new("b").endpoint(&endpoint).credentials("a", "s");
    let store = S3Store::connect(config, Arc::clone(&meter)).await.unwrap();
    let error = store
        .put("k", Bytes::from_static(b"1"), PutMode::Create)
        .await
        .unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Connection, "{error}");
    assert!(error.to_string().contains(&endpoint), "{error}");
    let error = store.get("k", GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Connection, "{error}");
    assert_eq!(meter.counts().puts(), 1, "the SDK must not retry");
    assert_eq!(meter.counts().gets(), 1, "the SDK must not retry");
    assert!(!format!("{store:?}").contains("secret"));
}

#[tokio::test]
async fn what_cannot_be_said_is_not_sent() {
    let meter = Arc::new(RequestMeter::new());
    let config = S3Config::new("b")
        .endpoint("http://127.0.0.1:1")
        .credentials("a", "s");
    let store = S3Store::connect(config, Arc::clone(&meter)).await.unwrap();
    let empty = GetOptions {
        range: Some(3..3),
        ..GetOptions::default()
    };
    assert_eq!(
        store.get("k", empty).await.unwrap_err().kind,
        StoreErrorKind::NotSent
    );
    let keys = vec!["k".to_owned(); 1_001];
    assert_eq!(
        store.delete(&keys).await.unwrap_err().kind,
        StoreErrorKind::Rejected
    );
    store.delete(&[]).await.unwrap();
    assert_eq!(meter.counts().total(), 0);
}
