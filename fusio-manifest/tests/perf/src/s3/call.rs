//! What a request is, by its method, address and headers: the part that latency, faults and the log need.

use http::{HeaderMap, Method, Request, header};

use crate::{fault::FaultRequest, latency::RequestClass};

/// A request's class and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) class: RequestClass,
    /// Of a listing the prefix; empty if the address names no key.
    pub(super) key: String,
}

impl Call {
    /// Reads a path-style request, `/bucket/key`.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_bucket, key)| key);
        let query = request.uri().query().unwrap_or_default();
        let class = classify(request.method(), key, query, request.headers());
        let key = match class {
            RequestClass::List => parameter(query, "prefix").unwrap_or_default(),
            _ => key,
        };
        Self {
            class,
            key: percent_decode(key),
        }
    }

    pub(super) fn facts(&self) -> FaultRequest<'_> {
        FaultRequest {
            class: self.class,
            key: &self.key,
        }
    }
}

fn classify(method: &Method, key: &str, query: &str, headers: &HeaderMap) -> RequestClass {
    let conditional =
        || headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH);
    match *method {
        Method::PUT if conditional() => RequestClass::Cas,
        Method::DELETE => RequestClass::Delete,
        Method::POST if parameter(query, "delete").is_some() => RequestClass::Delete,
        Method::PUT | Method::POST => RequestClass::Put,
        Method::GET if key.is_empty() && parameter(query, "list-type").is_some() => RequestClass::List,
        _ => RequestClass::Get,
    }
}

/// The value of a query parameter, still encoded; empty if it has none.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find_map(|(key, value)| (key == name).then_some(value))
}

pub(super) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| {
            char::from(byte?)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str, condition: Option<&str>) -> (RequestClass, String) {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(condition) = condition {
            request = request.header(condition, "*");
        }
        let call = Call::of(&request.body(()).unwrap());
        (call.class, call.key)
    }

    #[test]
    fn requests_are_classified_as_they_are_billed() {
        use RequestClass::{Cas, Delete, Get, List, Put};
        for (method, uri, condition, class, key) in [
            ("GET", "/b/run/HEAD", None, Get, "run/HEAD"),
            (
                "GET",
                "/b/run/HEAD?x-id=GetObject",
                Some("if-none-match"),
                Get,
                "run/HEAD",
            ),
            ("HEAD", "/b/k", None, Get, "k"),
            ("HEAD", "/b", None, Get, ""),
            ("GET", "/b?versioning", None, Get, ""),
            ("GET", "/b/?list-type=2&prefix=run%2F7", None, List, "run/7"),
            ("GET", "/b?list-type=2", None, List, ""),
            ("PUT", "/b", None, Put, ""),
            ("PUT", "/b/k", None, Put, "k"),
            ("PUT", "/b/k", Some("if-match"), Cas, "k"),
            ("PUT", "/b/k", Some("if-none-match"), Cas, "k"),
            ("DELETE", "/b/k", None, Delete, "k"),
            ("POST", "/b/?delete", None, Delete, ""),
            ("POST", "/b?delete=", None, Delete, ""),
        ] {
            assert_eq!(
                call(method, uri, condition),
                (class, key.to_owned()),
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn keys_are_decoded() {
        for (encoded, key) in [
            ("a%20b", "a b"),
            ("%C3%A9", "\u{e9}"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("a%2Fb", "a/b"),
        ] {
            assert_eq!(percent_decode(encoded), key);
        }
    }
}
