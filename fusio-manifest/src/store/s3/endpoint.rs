//! URLs of endpoints: plain ones alone, since whatever else stands in one may be a secret, and an endpoint is told in
//! errors, reports and `Debug` output.

/// Refuses an endpoint that is not `http` or `https`, a host, perhaps a port and a path. Says why without telling what could
/// be a secret.
pub(super) fn check(url: &str) -> Result<(), String> {
    let shown = shown(url);
    let rest = match url.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        _ => {
            return Err(format!(
                "the endpoint {shown} must begin with http:// or https://"
            ));
        }
    };
    if is_plain(rest) {
        return Ok(());
    }
    Err(format!(
        "the endpoint {shown} is not a plain URL such as https://host:9000: a user name, a password or a query has no place \
         in it, credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or from a profile"
    ))
}

/// The endpoint as it may be told: nothing of one in which anything could be a secret.
pub(super) fn shown(url: &str) -> &str {
    let rest = match url.split_once("://") {
        Some(("http" | "https" | "ftp" | "s3", rest)) => rest,
        Some(_) => "",
        None => url,
    };
    match is_plain(rest) {
        true => url,
        false => "(not shown, for it may hold credentials)",
    }
}

/// A host, perhaps a port, perhaps a path.
fn is_plain(rest: &str) -> bool {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((address, port)) => (address, port.strip_prefix(':').or(port.is_empty().then_some(""))),
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
            None => (authority, Some("")),
        },
    };
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let in_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let named = match authority.starts_with('[') {
        true => host.bytes().all(in_address),
        false => host.bytes().all(in_host),
    };
    named
        && !host.is_empty()
        && port.is_some_and(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()))
        && path
            .bytes()
            .all(|byte| in_host(byte) || matches!(byte, b'/' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_endpoints_are_taken_and_told() {
        for url in [
            "http://127.0.0.1:9000",
            "https://s3.eu-west-1.amazonaws.com",
            "http://[::1]:9000/",
            "http://[2001:db8::1]",
            "https://host_1/s3/v1.0/~store",
        ] {
            assert_eq!((check(url), shown(url)), (Ok(()), url));
        }
    }

    #[test]
    fn what_is_no_url_of_a_store_is_named() {
        for url in ["localhost:9000", "ftp://host", "host"] {
            let why = check(url).unwrap_err();
            assert!(
                why.contains(url) && why.contains("must begin with http://"),
                "{why}"
            );
        }
    }

    #[test]
    fn an_endpoint_that_may_hold_a_secret_is_refused_and_told_nowhere() {
        for url in [
            "http://canary@host",
            "http://canary:canary@host:9000",
            "https://user:canary@host/path",
            "https://:canary@[::1]:9000",
            "http://user:can/ary@host",
            "http://user:canary",
            "http://user%3Acanary%40host",
            "http://host?token=canary",
            "http://host/#canary",
            "http://host/path?X-Amz-Signature=canary",
            "canary:canary@http://host",
            "canary://host",
            "user:canary@host",
            "http://",
            "http://host:",
            "http://host:canary",
            "http://[::1]canary",
            "http://[canary",
            "http://host/canary canary",
            "http://host/\ncanary",
        ] {
            let why = check(url).unwrap_err();
            let told = format!("{why} {}", shown(url));
            assert!(!told.contains("can"), "{url}: {told}");
        }
    }
}
