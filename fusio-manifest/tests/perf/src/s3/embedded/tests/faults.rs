use super::*;

/// Waits until the log holds so many requests: an unanswered one is logged after its connection was cut.
async fn settled(s3: &Fixture, requests: usize) -> Vec<LoggedRequest> {
    let timer = TimerThread::start("settle").unwrap();
    loop {
        let logged = s3.logged();
        if logged.len() >= requests {
            return logged;
        }
        timer.sleep_until(now() + Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_lost_request_leaves_nothing_and_a_lost_reply_leaves_the_object() {
    for lost in ["drop", "reset"] {
        let faults = format!("cas key=*/before nth=1 before {lost}; cas key=*/after nth=1 after {lost}");
        let s3 = Fixture::with("none", &faults);
        assert_eq!(s3.create("run/before", "body").await, Err(0), "{lost}");
        assert_eq!(s3.get("run/before").await, Err(404), "{lost}");
        assert_eq!(s3.create("run/after", "body").await, Err(0), "{lost}");
        assert_eq!(s3.get("run/after").await.unwrap(), "body", "{lost}");
        assert_eq!(s3.create("run/after", "body").await, Err(412), "{lost}");
        let statuses: Vec<_> = settled(&s3, 5)
            .await
            .iter()
            .map(|request| request.status)
            .collect();
        assert_eq!(statuses, [None, Some(404), None, Some(200), Some(412)], "{lost}");
        assert_eq!(s3.server.request_counts()[&RequestClass::Cas].unanswered, 2);
    }
}

#[tokio::test]
async fn a_status_is_answered_whether_or_not_the_request_was_applied() {
    for (status, code) in [
        (500, "InternalError"),
        (503, "SlowDown"),
        (409, "ConditionalRequestConflict"),
    ] {
        let faults = format!("put key=b status={status}; put key=a after status={status}");
        let s3 = Fixture::with("none", &faults);
        for key in ["b", "a"] {
            let request = s3.client.put_object().bucket(BUCKET).key(key);
            let error = request
                .body(ByteStream::from_static(b"body"))
                .send()
                .await
                .unwrap_err();
            assert_eq!(put_status(&error), status);
            assert_eq!(error.into_service_error().meta().code(), Some(code));
        }
        assert_eq!(s3.get("b").await, Err(404));
        assert_eq!(s3.get("a").await.unwrap(), "body");
    }
}

#[tokio::test]
async fn a_replayed_create_meets_its_own_success() {
    let s3 = Fixture::with("none", "cas replay");
    assert_eq!(s3.create("k", "body").await, Err(412));
    assert_eq!(s3.get("k").await.unwrap(), "body");
    assert_eq!(s3.server.request_counts()[&RequestClass::Cas].requests, 1);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_lets_two_creates_through() {
    let s3 = Fixture::with("none", "put ignore-conditions; get ignore-conditions");
    let etag = s3.create("k", "one").await.unwrap();
    s3.create("k", "two").await.unwrap();
    let etag = s3.put_if("k", "three", None, Some(&etag)).await.unwrap();
    let read = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .if_none_match(etag)
        .send()
        .await
        .unwrap();
    assert_eq!(read.body.collect().await.unwrap().to_vec(), b"three");
}

fn bits_that_differ(a: &[u8], b: &[u8]) -> u32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

async fn get_bytes(s3: &Fixture, key: &str) -> Vec<u8> {
    let output = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();
    output.body.collect().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_corrupted_answer_differs_by_one_bit_from_what_is_stored() {
    let s3 = Fixture::with("none", "get nth=1 corrupt");
    s3.put("k", "a body of some length").await.unwrap();
    assert_eq!(
        bits_that_differ(&get_bytes(&s3, "k").await, b"a body of some length"),
        1
    );
    assert_eq!(get_bytes(&s3, "k").await, b"a body of some length");
}

#[tokio::test]
async fn a_corrupted_put_is_stored_unless_its_digest_tells() {
    let s3 = Fixture::with("none", "put corrupt");
    let put = || {
        s3.client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(ByteStream::from_static(b"123456789"))
    };
    let told = put()
        .content_md5("JfnnlDI7RTiF9RgfG2JNCw==")
        .send()
        .await
        .unwrap_err();
    assert_eq!(put_status(&told), 400);
    assert_eq!(s3.get("k").await, Err(404));
    // Without a checksum of the client's own, only the signature covers the body, and that was right.
    let config = aws_sdk_s3::config::Builder::default()
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired);
    put().customize().config_override(config).send().await.unwrap();
    assert_eq!(bits_that_differ(&get_bytes(&s3, "k").await, b"123456789"), 1);
}

#[tokio::test]
async fn a_late_arrival_is_applied_after_the_connection_was_closed() {
    let s3 = Fixture::with("none", "cas nth=1 late=30ms");
    let sent = now();
    assert_eq!(s3.create("k", "late").await, Err(0));
    let timer = TimerThread::start("poll").unwrap();
    while s3.get("k").await != Ok("late".to_owned()) {
        timer.sleep_until(now() + Duration::from_millis(2)).await;
    }
    assert!(now() - sent >= Duration::from_millis(30));
    assert_eq!(s3.logged()[0].status, None);
}

#[tokio::test]
async fn delays_and_stalls_hold_requests_at_least_as_long_as_they_say() {
    let s3 = Fixture::with("none", "put delay=5ms; get after delay=7ms");
    s3.put("k", "body").await.unwrap();
    s3.get("k").await.unwrap();
    let logged = s3.logged();
    assert!(logged[0].delay >= Duration::from_millis(5));
    assert!(logged[1].delay >= Duration::from_millis(7));

    let set = now();
    s3.server.set_faults("any to=40ms stall".parse().unwrap(), 1);
    let in_window = now() - set < Duration::from_millis(20);
    s3.get("k").await.unwrap();
    assert!(!in_window || now() - set >= Duration::from_millis(40));
}

#[tokio::test]
async fn setting_faults_begins_their_counts_anew() {
    let s3 = Fixture::with("none", "put nth=1 status=503");
    assert_eq!(s3.put("k", "body").await, Err(503));
    assert!(s3.put("k", "body").await.is_ok());
    s3.server.set_faults("put nth=2 status=500".parse().unwrap(), 7);
    assert!(s3.put("k", "body").await.is_ok());
    assert_eq!(s3.put("k", "body").await, Err(500));
    s3.server.set_faults(FaultPlan::default(), 7);
    assert!(s3.put("k", "body").await.is_ok());
}

#[tokio::test]
async fn a_request_is_applied_though_its_client_hung_up() {
    let s3 = Fixture::with("get=0,put=0,cas=60,per_mib=0", "none");
    let timer = TimerThread::start("hang-up").unwrap();
    for attempt in 1..=20 {
        // Too early, and the request is not on its way yet: then the next attempt waits longer.
        let hang_up = timer.sleep_until(now() + Duration::from_millis(2 * attempt));
        let key = format!("k{attempt}");
        tokio::select! {
            biased;
            _ = s3.create(&key, "body") => continue,
            () = hang_up => {}
        }
        timer.sleep_until(now() + Duration::from_millis(100)).await;
        if s3.logged().iter().any(|request| request.key == key) {
            assert_eq!(s3.get(&key).await.unwrap(), "body");
            return;
        }
    }
    panic!("no request was applied after its client hung up");
}
