//! What a store says about credentials, and how they are kept out of what it says otherwise.

use std::fmt;

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use aws_smithy_runtime_api::http::Headers;

use crate::store::StoreErrorKind;

/// A provider that shows nothing of what it provides: the SDK logs its whole configuration at TRACE, and fixed credentials
/// are a provider that shows its access key.
#[derive(Clone)]
pub(super) struct Concealed(SharedCredentialsProvider);

impl Concealed {
    pub(super) fn new(provider: impl ProvideCredentials + 'static) -> Self {
        Self(SharedCredentialsProvider::new(provider))
    }
}

impl ProvideCredentials for Concealed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.provide_credentials()
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.fallback_on_interrupt()
    }
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Concealed(not shown)")
    }
}

/// Shorter ones are nobody's: AWS's access keys have 16 characters and more.
const SECRET_CHARS_MIN: usize = 16;

/// What of the credentials a request tells the store, which may repeat it in whatever it answers. The secret key is not
/// among it: that never leaves the process.
#[derive(Default)]
pub(super) struct Carried(Vec<String>);

impl Carried {
    pub(super) fn by(headers: &Headers) -> Self {
        let authorization = headers.get("authorization").unwrap_or_default();
        let after = |word: &str, end: char| {
            let (_, rest) = authorization.split_once(word)?;
            rest.split(end).next()
        };
        let carried = [
            headers.get("x-amz-security-token"),
            after("Credential=", '/'),
            after("Signature=", ','),
        ];
        let secret = |text: &&str| text.len() >= SECRET_CHARS_MIN;
        Self(
            carried
                .into_iter()
                .flatten()
                .filter(secret)
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The text without what was carried.
    pub(super) fn strike_from(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, "(not shown)");
            }
        }
        text
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried(not shown)")
    }
}

/// What an error code says of the credentials, whatever status it comes with, and what to do.
pub(super) fn said_by(code: &str) -> Option<(StoreErrorKind, &'static str)> {
    let advice = match code {
        // S3 says it with 400. The request was not applied.
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "the AWS credentials have expired, and no new ones were there: sign in again (for SSO, `aws sso login`), or \
             see to what renews them"
        }
        "InvalidAccessKeyId" | "InvalidToken" | "NotSignedUp" | "SignatureDoesNotMatch" => {
            "the store does not take these AWS credentials: check access key, secret and session token, and that they \
             are this store's"
        }
        "RequestTimeTooSkewed" => {
            "the clock of this machine is more than 15 minutes off the store's, so that no signature holds: set it"
        }
        _ => return None,
    };
    Some((StoreErrorKind::Denied, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried() -> Carried {
        let mut headers = Headers::new();
        headers.insert(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIACANARYCANARY/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=0123456789abcdef0123456789abcdef",
        );
        headers.insert("x-amz-security-token", "session-token-canary");
        Carried::by(&headers)
    }

    #[test]
    fn what_a_store_repeats_is_struck_out() {
        let told = "no session-token-canary of AKIACANARYCANARY has 0123456789abcdef0123456789abcdef, AKIACANARYCANARY";
        assert_eq!(
            carried().strike_from(told.to_owned()),
            "no (not shown) of (not shown) has (not shown), (not shown)"
        );
        assert_eq!(carried().strike_from("Access Denied".to_owned()), "Access Denied");
    }

    #[test]
    fn a_word_that_is_no_secret_stands() {
        let mut headers = Headers::new();
        headers.insert(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=any/20260101/x, Signature=",
        );
        assert_eq!(
            Carried::by(&headers).strike_from("any bucket".to_owned()),
            "any bucket"
        );
        assert!(Carried::by(&Headers::new()).0.is_empty());
    }

    #[test]
    fn debug_output_does_not_show_them() {
        let shown = format!("{:?} {:#?}", carried(), carried());
        assert!(!shown.to_lowercase().contains("canary"), "{shown}");
    }
}
