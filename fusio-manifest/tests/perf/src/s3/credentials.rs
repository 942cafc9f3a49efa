//! Which credentials the embedded endpoint takes, and what it says to others: as S3 does.

use std::{collections::BTreeSet, fmt, future::Future, pin::Pin, sync::Arc};

use http::{HeaderMap, Uri};
use parking_lot::Mutex;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
};

/// Credentials that an endpoint takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The access key.
    pub access_key: String,
    /// The secret key, by which requests are signed.
    pub secret_key: String,
    /// The session token that each request must carry, of session credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accepted(not shown)")
    }
}

/// The credentials of the day. Clones share them.
#[derive(Clone, Default)]
pub(super) struct KeyRing(Arc<Mutex<Keys>>);

#[derive(Default)]
struct Keys {
    accepted: Vec<Accepted>,
    /// Access keys that were taken once.
    expired: BTreeSet<String>,
}

impl KeyRing {
    /// Takes these from now on and no others; those of before are expired.
    pub(super) fn accept(&self, credentials: Vec<Accepted>) {
        let mut keys = self.0.lock();
        let before = std::mem::replace(&mut keys.accepted, credentials);
        keys.expired.extend(before.into_iter().map(|one| one.access_key));
    }

    fn secret_of(&self, access_key: &str) -> S3Result<SecretKey> {
        let keys = self.0.lock();
        match keys.accepted.iter().find(|one| one.access_key == access_key) {
            Some(one) => Ok(SecretKey::from(one.secret_key.as_str())),
            None if keys.expired.contains(access_key) => {
                Err(s3_error!(ExpiredToken, "The provided token has expired."))
            }
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }

    /// Of a request whose signature holds.
    fn check(&self, access_key: Option<&str>, token: Option<&str>) -> S3Result<()> {
        let Some(access_key) = access_key else {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        };
        let keys = self.0.lock();
        let taken = |one: &&Accepted| one.access_key == access_key && one.session_token.as_deref() == token;
        match keys.accepted.iter().find(taken) {
            Some(_) => Ok(()),
            None => Err(s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            )),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(not shown)")
    }
}

/// What the traits of s3s return: their methods are asynchronous and boxed.
type Answer<'f, T> = Pin<Box<dyn Future<Output = S3Result<T>> + Send + 'f>>;

impl S3Auth for KeyRing {
    fn get_secret_key<'s, 'k, 'f>(&'s self, access_key: &'k str) -> Answer<'f, SecretKey>
    where
        's: 'f,
        'k: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(self.secret_of(access_key)))
    }
}

impl S3Access for KeyRing {
    fn check<'s, 'c, 'd, 'f>(&'s self, context: &'c mut S3AccessContext<'d>) -> Answer<'f, ()>
    where
        's: 'f,
        'c: 'f,
        'd: 'f,
        Self: 'f,
    {
        let access_key = context
            .credentials()
            .map(|credentials| credentials.access_key.as_str());
        let token = token(context.headers(), context.uri());
        let checked = self.check(access_key, token.as_deref());
        Box::pin(std::future::ready(checked))
    }
}

/// The session token of a request, or of a presigned one.
fn token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    if let Some(token) = headers.get("x-amz-security-token") {
        return token.to_str().ok().map(str::to_owned);
    }
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, token) = pairs
        .into_iter()
        .find(|(name, _)| *name == "X-Amz-Security-Token")?;
    Some(super::call::percent_decode(token))
}
