use super::*;

#[tokio::test]
async fn missing_things_are_named() {
    let s3 = Fixture::new();
    let error = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key("none")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_no_such_key());
    let error = s3
        .client
        .get_object()
        .bucket("nobucket")
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(get_status(&error), 404);
    assert_eq!(error.into_service_error().meta().code(), Some("NoSuchBucket"));
    let error = s3
        .client
        .head_bucket()
        .bucket("nobucket")
        .send()
        .await
        .unwrap_err();
    assert_eq!(status(&error), 404);
    assert!(
        s3.client
            .head_object()
            .bucket(BUCKET)
            .key("none")
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn buckets_can_be_made_once_and_have_no_versions() {
    let s3 = Fixture::new();
    assert!(s3.client.create_bucket().bucket("another").send().await.is_ok());
    let error = s3
        .client
        .create_bucket()
        .bucket("another")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_bucket_already_owned_by_you());
    assert!(s3.client.head_bucket().bucket("another").send().await.is_ok());
    let versioning = s3
        .client
        .get_bucket_versioning()
        .bucket("another")
        .send()
        .await
        .unwrap();
    assert_eq!(versioning.status, None);
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let s3 = Fixture::new();
    s3.put("k", "body").await.unwrap();
    for (access_key, secret_key) in [("access", "wrong"), ("nobody", "secret")] {
        let stranger = client(&s3.server, access_key, secret_key);
        let error = stranger
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap_err();
        assert_eq!(get_status(&error), 403, "{access_key}");
    }
}

#[tokio::test]
async fn digests_of_a_put_are_checked() {
    let s3 = Fixture::new();
    let put = || {
        s3.client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(ByteStream::from_static(b"123456789"))
    };
    let wrong = [
        put().content_md5("XUFAKrxLKna5cZ2REBfFkg=="),
        put().checksum_crc32_c("AAAAAA=="),
        put().checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ];
    for request in wrong {
        let error = request.send().await.unwrap_err();
        assert_eq!(put_status(&error), 400);
        assert_eq!(error.into_service_error().meta().code(), Some("BadDigest"));
    }
    assert_eq!(s3.get("k").await, Err(404));
    put()
        .content_md5("JfnnlDI7RTiF9RgfG2JNCw==")
        .checksum_crc32_c("4waSgw==")
        .send()
        .await
        .unwrap();
    assert_eq!(s3.get("k").await.unwrap(), "123456789");
}

#[tokio::test]
async fn ranges_are_cut_out() {
    let s3 = Fixture::new();
    s3.put("k", "0123456789").await.unwrap();
    for (range, part, described) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let output = s3
            .client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range(range)
            .send()
            .await
            .unwrap();
        assert_eq!(output.content_range(), Some(described));
        assert_eq!(
            output.body.collect().await.unwrap().to_vec(),
            part.as_bytes(),
            "{range}"
        );
    }
    let beyond = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=10-")
        .send()
        .await;
    assert_eq!(get_status(&beyond.unwrap_err()), 416);
}

#[tokio::test]
async fn head_tells_length_and_etag() {
    let s3 = Fixture::new();
    let etag = s3.put("k", "0123456789").await.unwrap();
    let head = s3
        .client
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!((head.content_length, head.e_tag), (Some(10), Some(etag)));
    assert!(head.last_modified.is_some());
}

async fn list(s3: &Fixture, prefix: &str, after: Option<&str>, max: Option<i32>) -> Vec<Vec<String>> {
    let mut pages = s3
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix(prefix)
        .set_start_after(after.map(str::to_owned))
        .set_max_keys(max)
        .into_paginator()
        .send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.push(
            page.unwrap()
                .contents()
                .iter()
                .map(|object| object.key().unwrap().to_owned())
                .collect(),
        );
    }
    keys
}

#[tokio::test]
async fn listings_come_in_pages_in_order() {
    let s3 = Fixture::new();
    for key in ["a/3", "b/1", "a/1", "a/2 x", "a", "a/5", "a/4"] {
        s3.put(key, "body").await.unwrap();
    }
    let pages = list(&s3, "a/", None, Some(2)).await;
    assert_eq!(pages, [vec!["a/1", "a/2 x"], vec!["a/3", "a/4"], vec!["a/5"]]);
    assert_eq!(list(&s3, "a/", Some("a/3"), None).await, [["a/4", "a/5"]]);
    assert_eq!(list(&s3, "a/", Some("A"), None).await.concat().len(), 5);
    assert_eq!(list(&s3, "c/", None, None).await.concat().len(), 0);
    assert_eq!(list(&s3, "a/", None, Some(5)).await.len(), 1);
    assert_eq!(s3.logged().last().unwrap().key, "a/");
    assert_eq!(s3.logged().last().unwrap().class, RequestClass::List);
}

#[tokio::test]
async fn a_page_holds_a_thousand_keys_and_they_can_be_deleted_at_once() {
    let s3 = Fixture::new();
    for i in 0..1_001 {
        s3.put(&format!("many/{i:04}"), "").await.unwrap();
    }
    let pages = list(&s3, "many/", None, Some(5_000)).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1]);
    let named = |key: &String| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = |keys: &[String]| {
        let delete = Delete::builder()
            .set_objects(Some(keys.iter().map(named).collect()))
            .build()
            .unwrap();
        s3.client.delete_objects().bucket(BUCKET).delete(delete).send()
    };
    assert_eq!(status(&delete(&pages.concat()).await.unwrap_err()), 400);
    assert_eq!(delete(&pages[0]).await.unwrap().deleted().len(), 1_000);
    // Those that are gone already are no error.
    assert!(delete(&pages[0]).await.is_ok());
    assert_eq!(list(&s3, "many/", None, None).await, [["many/1000"]]);
    let last = || s3.client.delete_object().bucket(BUCKET).key("many/1000").send();
    assert!(last().await.is_ok());
    assert!(last().await.is_ok());
    assert_eq!(list(&s3, "many/", None, None).await.concat().len(), 0);
    assert_eq!(s3.server.request_counts()[&RequestClass::Delete].requests, 5);
}

#[tokio::test]
async fn the_logged_delay_is_at_least_the_draw_and_is_told_to_the_client() {
    let s3 = Fixture::with("get=2:0.3,put=3:0.3,cas=4:0.3,per_mib=20", "none");
    let body = "x".repeat(200_000);
    s3.put("k", &body).await.unwrap();
    let lost = s3
        .client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .if_none_match("*")
        .send()
        .await
        .unwrap_err();
    let told = lost
        .raw_response()
        .unwrap()
        .headers()
        .get(DELAY_HEADER)
        .unwrap()
        .parse()
        .ok();
    assert_eq!(s3.get("k").await.unwrap().len(), 200_000);
    let logged = s3.logged();
    assert_eq!(
        logged.iter().map(|request| request.class).collect::<Vec<_>>(),
        [RequestClass::Put, RequestClass::Cas, RequestClass::Get]
    );
    for request in &logged {
        assert!(request.drawn > Duration::from_millis(1), "{request:?}");
        assert!(request.delay >= request.drawn, "{request:?}");
    }
    let transfer = Duration::from_micros(200_000 * 20_000 / 1_048_576);
    assert!(logged[0].drawn > transfer && logged[0].bytes_in == 200_000);
    assert!(logged[2].delay >= logged[2].drawn + transfer && logged[2].bytes_out == 200_000);
    assert_eq!(told, Some(logged[1].delay.as_micros()));
}

#[tokio::test]
async fn stopping_closes_the_port() {
    let s3 = Fixture::new();
    s3.put("k", "body").await.unwrap();
    let address = s3.server.address;
    s3.server.shutdown();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_bucket_that_s3_would_refuse_is_refused() {
    let config = EmbeddedConfig {
        latency: LatencyProfile::NONE,
        faults: FaultPlan::default(),
        seed: 1,
        bucket: "No_Bucket".to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    };
    let message = EmbeddedS3::start(config).unwrap_err().to_string();
    assert!(message.contains("No_Bucket"), "{message}");
}
