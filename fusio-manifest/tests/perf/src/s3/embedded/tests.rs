use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
    operation::{get_object::GetObjectError, put_object::PutObjectError},
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};

use super::{super::request_log::LoggedRequest, *};
use crate::{
    latency::RequestClass,
    timer::{TimerThread, now},
};

mod conditions;
mod faults;
mod objects;
mod signatures;

const BUCKET: &str = "bucket";

/// An endpoint and a client of it that never retries.
struct Fixture {
    server: EmbeddedS3,
    client: Client,
}

impl Fixture {
    fn new() -> Self {
        Self::with("none", "none")
    }

    fn with(latency: &str, faults: &str) -> Self {
        let server = EmbeddedS3::start(EmbeddedConfig {
            latency: latency.parse().unwrap(),
            faults: faults.parse().unwrap(),
            seed: 42,
            bucket: BUCKET.to_owned(),
            access_key: "access".to_owned(),
            secret_key: "secret".to_owned(),
        })
        .unwrap();
        let client = client(&server, "access", "secret");
        Self { server, client }
    }

    async fn put(&self, key: &str, body: &str) -> Result<String, u16> {
        self.put_if(key, body, None, None).await
    }

    async fn create(&self, key: &str, body: &str) -> Result<String, u16> {
        self.put_if(key, body, Some("*"), None).await
    }

    /// The ETag, or the status of the answer; 0 if there was none.
    async fn put_if(
        &self,
        key: &str,
        body: &str,
        if_none_match: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<String, u16> {
        let body = ByteStream::from(body.as_bytes().to_vec());
        let request = self.client.put_object().bucket(BUCKET).key(key).body(body);
        let request = request.set_if_none_match(if_none_match.map(str::to_owned));
        let request = request.set_if_match(if_match.map(str::to_owned));
        match request.send().await {
            Ok(output) => Ok(output.e_tag.unwrap()),
            Err(error) => Err(put_status(&error)),
        }
    }

    async fn get(&self, key: &str) -> Result<String, u16> {
        match self.client.get_object().bucket(BUCKET).key(key).send().await {
            Ok(output) => {
                let bytes = output.body.collect().await.unwrap().to_vec();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(error) => Err(get_status(&error)),
        }
    }

    fn logged(&self) -> Vec<LoggedRequest> {
        self.server.requests().latest.into()
    }
}

fn client(server: &EmbeddedS3, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.endpoint())
        .force_path_style(true)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    error
        .raw_response()
        .map_or(0, |response| response.status().as_u16())
}

fn put_status(error: &SdkError<PutObjectError, HttpResponse>) -> u16 {
    status(error)
}

fn get_status(error: &SdkError<GetObjectError, HttpResponse>) -> u16 {
    status(error)
}
