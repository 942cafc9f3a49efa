//! Where the bucket is and how to get in: settings, credentials, region, and the SDK's client built from them.

use std::{fmt, time::Duration};

use aws_config::{
    BehaviorVersion, environment::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
    profile::ProfileFileRegionProvider,
};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::{SdkConfig, service_config::ServiceConfigKey};

use super::{credentials::Concealed, endpoint};
use crate::store::{StoreError, StoreErrorKind};

/// Stores close idle connections after some tens of seconds, and a PUT that meets the closing has an unknown
/// outcome. A new connection costs less.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// Where a bucket is and how to reach it.
///
/// What is left out is found as AWS tools find it: credentials and region from the environment, the
/// profile (SSO and `credential_process` included), a web identity, the container or the instance.
#[derive(Clone)]
pub struct S3Config {
    bucket: String,
    endpoint: Option<String>,
    region: Option<String>,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    credentials: Option<Concealed>,
}

impl S3Config {
    /// A bucket of AWS, found and entered as AWS tools do.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            endpoint: None,
            region: None,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(10),
            credentials: None,
        }
    }

    /// The URL of a compatible store, such as `http://127.0.0.1:9000`. Requests then carry the bucket in
    /// their path, and without a region one of `us-east-1` is signed. Default: `AWS_ENDPOINT_URL_S3`, the `endpoint_url`
    /// of S3 in the profile's `services`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url`, or AWS.
    ///
    /// It may hold no credentials: a user name, a password or a query in it is refused, and told nowhere.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// The bucket's region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// How long a connection may take to be made. Default 3 s.
    #[must_use]
    pub fn connect_timeout(mut self, span: Duration) -> Self {
        self.connect_timeout = span;
        self
    }

    /// How long one request may take, connection and body included. Default 10 s; a shorter one finds out
    /// sooner about a lost reply, and takes more slow answers for lost ones.
    #[must_use]
    pub fn attempt_timeout(mut self, span: Duration) -> Self {
        self.attempt_timeout = span;
        self
    }

    /// Fixed credentials: for tests and local stores.
    #[must_use]
    pub fn credentials(self, access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        let fixed = Credentials::from_keys(access_key, secret, None);
        self.credentials_provider(fixed)
    }

    /// Credentials from a provider of one's own, such as one that renews session credentials. It is asked again
    /// some seconds before what it gave last expires, and after 15 minutes if that has no expiry.
    #[must_use]
    pub fn credentials_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Concealed::new(provider));
        self
    }

    /// Refuses what no connection can be made with, in words that hold no credentials. Sends nothing; [`connect`]
    /// does the same.
    ///
    /// [`connect`]: crate::S3Store::connect
    ///
    /// # Errors
    /// Of kind [`StoreErrorKind::NotSent`]: no bucket name, or an endpoint that is none.
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.bucket.is_empty() {
            return Err(self.wrong("the bucket has no name"));
        }
        match &self.endpoint {
            Some(url) => endpoint::check(url).map_err(|why| self.wrong(why)),
            None => Ok(()),
        }
    }

    pub(super) fn bucket_name(&self) -> &str {
        &self.bucket
    }

    pub(super) fn attempt_span(&self) -> Duration {
        self.attempt_timeout
    }

    fn wrong(&self, message: impl Into<String>) -> StoreError {
        StoreError::new(
            StoreErrorKind::NotSent,
            "CONNECT",
            format!("s3://{}", self.bucket),
            message,
        )
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint.as_deref().map(endpoint::shown))
            .field("region", &self.region)
            .field("connect_timeout", &self.connect_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field(
                "credentials",
                &self.credentials.as_ref().map(|_| "given, not shown"),
            )
            .finish()
    }
}

/// A client, and the words for where it goes.
pub(super) struct Connected {
    pub(super) client: Client,
    /// The endpoint, or AWS and the region.
    pub(super) place: String,
}

/// Builds the client. Sends nothing to the bucket; finding the region or a role may ask the machine.
pub(super) async fn connect(config: &S3Config) -> Result<Connected, StoreError> {
    config.validate()?;
    let http = aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_CONNECTION)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let named = config.endpoint.is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    } else if named {
        // Compatible stores take any region, so that nobody needs to wait for the metadata service of a
        // machine that has none.
        loader = loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::new("us-east-1")),
        );
    }
    if let Some(provider) = &config.credentials {
        loader = loader.credentials_provider(provider.clone());
    }
    let found = loader.load().await;
    let endpoint = config.endpoint.clone().or_else(|| endpoint_of(&found));
    let region = match (found.region(), &endpoint) {
        (Some(region), _) => region.clone(),
        (None, Some(_)) => Region::new("us-east-1"),
        (None, None) => {
            return Err(config.wrong(
                "no AWS region found: set AWS_REGION, or `region` in the AWS profile, or give the region",
            ));
        }
    };
    if let Some(url) = &endpoint {
        // Also where the environment or a profile named it.
        endpoint::check(url).map_err(|why| config.wrong(why))?;
    }
    let place = endpoint.clone().unwrap_or_else(|| format!("AWS S3 in {region}"));
    let settings = settings(Builder::from(&found).region(region), config, endpoint);
    Ok(Connected {
        client: Client::from_conf(settings.build()),
        place,
    })
}

/// The one for S3 before the one for all services, from the environment before the profile, as the SDK takes them.
fn endpoint_of(found: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_s3 = key.ok().and_then(|key| found.service_config()?.load_config(key));
    of_s3.or_else(|| found.endpoint_url().map(str::to_owned))
}

fn settings(builder: Builder, config: &S3Config, endpoint: Option<String>) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout)
        .operation_attempt_timeout(config.attempt_timeout)
        .build();
    let builder = builder
        // A retried conditional PUT can meet its own success and report it as a refusal.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // Made for long streams; here the attempt's limit covers the body too.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // The SDK's own checksums travel in trailers, which some compatible stores write into the object.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    match endpoint {
        Some(url) => builder.endpoint_url(url).force_path_style(true),
        None => builder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bad_settings_are_named_before_anything_is_sent() {
        for (config, word) in [
            (S3Config::new(""), "bucket"),
            (
                S3Config::new("b").endpoint("localhost:9000"),
                "must begin with http",
            ),
        ] {
            let error = connect(&config.region("r").credentials("a", "s"))
                .await
                .err()
                .unwrap();
            assert_eq!(error.kind, StoreErrorKind::NotSent);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_needs_no_region() {
        let config = S3Config::new("b")
            .endpoint("http://127.0.0.1:1")
            .credentials("a", "s");
        let connected = connect(&config).await.unwrap();
        assert_eq!(connected.place, "http://127.0.0.1:1");
        assert!(connected.client.config().region().is_some());
    }
}
