use super::*;

#[tokio::test]
async fn a_create_succeeds_once() {
    let s3 = Fixture::new();
    let etag = s3.create("k", "one").await.unwrap();
    assert_eq!(etag, "\"f97c5d29941bfb1b2fdab0874906ab82\"");
    assert_eq!(s3.create("k", "two").await, Err(412));
    assert_eq!(s3.get("k").await.unwrap(), "one");
}

#[tokio::test]
async fn an_update_needs_the_current_etag() {
    let s3 = Fixture::new();
    assert_eq!(s3.put_if("k", "x", None, Some("\"0\"")).await, Err(404));
    let first = s3.create("k", "one").await.unwrap();
    let second = s3.put_if("k", "two", None, Some(&first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(s3.put_if("k", "three", None, Some(&first)).await, Err(412));
    assert_eq!(s3.get("k").await.unwrap(), "two");
    assert_eq!(s3.put_if("k", "four", Some("\"etag\""), None).await, Err(501));
}

#[tokio::test]
async fn of_eight_racers_one_wins_each_round() {
    let s3 = Arc::new(Fixture::new());
    let mut etag = s3.create("k", "start").await.unwrap();
    for round in 0..20 {
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (s3, etag) = (Arc::clone(&s3), etag.clone());
                let body = format!("{round} {racer}");
                tokio::spawn(async move { (s3.put_if("k", &body, None, Some(&etag)).await, body) })
            })
            .collect();
        let mut won = Vec::new();
        for racer in racers {
            match racer.await.unwrap() {
                (Ok(new), body) => won.push((new, body)),
                (Err(status), _) => assert_eq!(status, 412),
            }
        }
        let [(new, body)] = won.as_slice() else {
            panic!("round {round}: {won:?}")
        };
        assert_eq!(s3.get("k").await.unwrap(), *body);
        etag.clone_from(new);
    }
    let cas = &s3.server.request_counts()[&RequestClass::Cas];
    assert_eq!(
        (cas.requests, cas.statuses[&200], cas.statuses[&412]),
        (161, 21, 140)
    );
}

#[tokio::test]
async fn not_modified_carries_the_etag_and_no_body() {
    let s3 = Fixture::new();
    let etag = s3.put("k", "body").await.unwrap();
    let read = |known: String| {
        s3.client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .if_none_match(known)
            .send()
    };
    let error = read(etag.clone()).await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 304);
    assert_eq!(response.headers().get("etag"), Some(etag.as_str()));
    assert!(response.headers().get(DELAY_HEADER).is_some());
    assert_eq!(read("\"other\"".to_owned()).await.unwrap().e_tag.unwrap(), etag);
    assert_eq!(s3.logged()[1].status, Some(304));
    assert_eq!(s3.logged()[1].bytes_out, 0);
    assert_eq!(s3.logged()[2].bytes_out, 4);
}

#[tokio::test]
async fn a_read_can_demand_an_etag() {
    let s3 = Fixture::new();
    let etag = s3.put("k", "body").await.unwrap();
    let read = |etag: &str| {
        s3.client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .if_match(etag)
            .send()
    };
    assert!(read(&etag).await.is_ok());
    assert_eq!(get_status(&read("\"other\"").await.unwrap_err()), 412);
}
