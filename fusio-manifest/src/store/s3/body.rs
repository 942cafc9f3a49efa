//! The bodies of answers. None is read further than what was asked for can be long, whatever the store says or sends.

use std::{error::Error, ops::Range};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body_util::{LengthLimitError, Limited};

use super::answer::{Call, chain};
use crate::store::{GetOptions, StoreError, StoreErrorKind};

/// The most that is read of an answer that is no object and no list: S3's errors have less than 1 KiB.
const ERROR_BYTES_MAX: usize = 256 * 1024;
/// The most that is read of a page of a listing, or of what a deletion came to: 1,000 keys of 1,024 bytes, each of which
/// may take six in XML.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Memory that is taken for a body before it comes, because a server says that it will be so long.
const BODY_BYTES_AHEAD: usize = 1024 * 1024;

/// What the SDK reads as a whole before it looks at it, and so must be cut off before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// An object: read by [`read`], piece by piece. An error instead of it is no object.
    Object,
    /// A list.
    List,
    /// Nothing, or a word.
    Word,
}

/// An answer that says itself that it is too long.
#[derive(Debug, thiserror::Error)]
#[error("Content-Length is {told}, and {most} bytes are the most")]
struct Announced {
    told: u64,
    most: usize,
}

/// Sees to it that the SDK cannot read more of this answer than it may be long.
pub(super) fn bound(response: &mut HttpResponse, content: Content) -> Result<(), BoxError> {
    let most = match content {
        Content::Object if response.status().is_success() => return Ok(()),
        Content::List if response.status().is_success() => LIST_BYTES_MAX,
        Content::Object | Content::List | Content::Word => ERROR_BYTES_MAX,
    };
    let told = response.headers().get("content-length");
    let told = told.and_then(|told| told.parse::<u64>().ok()).unwrap_or_default();
    if told > most as u64 {
        return Err(Announced { told, most }.into());
    }
    let whole = std::mem::replace(response.body_mut(), SdkBody::taken());
    *response.body_mut() = SdkBody::from_body_1_x(Limited::new(whole, most));
    Ok(())
}

/// True if an answer was cut off by [`bound`].
pub(super) fn is_too_long(failure: &(dyn Error + 'static)) -> bool {
    let mut next = Some(failure);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() || error.is::<Announced>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Reads an object, or the range that was asked for.
pub(super) async fn read(
    output: GetObjectOutput,
    options: &GetOptions,
    call: Call<'_>,
) -> Result<Bytes, StoreError> {
    let told = output.content_length().and_then(|told| u64::try_from(told).ok());
    let mut most = options.most();
    if let Some(asked) = &options.range {
        let sent = output.content_range().and_then(extent);
        let sent = sent.filter(|sent| sent.start == asked.start && sent.end <= asked.end);
        let sent = sent.filter(|sent| told.is_none_or(|told| told == sent.end - sent.start));
        let Some(sent) = sent else {
            let message = format!(
                "asked for bytes {asked:?}, got Content-Range {:?} and Content-Length {told:?}",
                output.content_range().map(|range| call.quoted(range))
            );
            return Err(call.error(StoreErrorKind::Unexpected, message));
        };
        most = most.map(|most| most.min(sent.end - sent.start));
    }
    let too_long = |what: String| {
        let most = most.unwrap_or_default();
        let message = format!(
            "{what} from {}, and {most} are the most that it may have",
            call.place
        );
        Err(call.error(StoreErrorKind::TooLong, message))
    };
    if let (Some(told), Some(most)) = (told, most)
        && told > most
    {
        return too_long(format!("{told} bytes are announced"));
    }
    let ahead = usize::try_from(told.unwrap_or_default()).unwrap_or(usize::MAX);
    let mut whole = BytesMut::with_capacity(ahead.min(BODY_BYTES_AHEAD));
    let mut body = output.body;
    // Each piece is copied as it comes. Kept until the last one was there, they would keep the connection's buffers, and
    // a body of one piece would do so for as long as anybody has a slice of it.
    loop {
        match body.try_next().await {
            Ok(Some(piece)) => {
                let come = whole.len() as u64 + piece.len() as u64;
                if most.is_some_and(|most| come > most) {
                    return too_long(format!("{come} bytes came, and more may"));
                }
                whole.extend_from_slice(&piece);
            }
            Ok(None) => break,
            Err(error) => {
                return Err(call.error(
                    StoreErrorKind::Connection,
                    format!("the body from {} broke off: {}", call.place, chain(&error)),
                ));
            }
        }
    }
    match (&options.range, most) {
        (Some(_), Some(sent)) if (whole.len() as u64) < sent => Err(call.error(
            StoreErrorKind::Connection,
            format!(
                "the body from {} broke off: {} of {sent} bytes",
                call.place,
                whole.len()
            ),
        )),
        _ => Ok(whole.freeze()),
    }
}

/// What a Content-Range says that was sent.
fn extent(header: &str) -> Option<Range<u64>> {
    let (extent, _) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = extent.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let end = last.checked_add(1)?;
    (first < end).then_some(first..end)
}

/// The most of a header or a message that is told.
const TOLD_MAX: usize = 256;

/// What somebody else wrote, made short enough for a message.
pub(super) fn shortened(text: &str) -> &str {
    match text.char_indices().nth(TOLD_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_what_it_says_or_nothing() {
        assert_eq!(extent("bytes 0-0/10"), Some(0..1));
        assert_eq!(extent("bytes 5-9/*"), Some(5..10));
        for wrong in [
            "",
            "bytes",
            "bytes 9-5/10",
            "bytes 5-9",
            "bytes -5/10",
            "bytes 0-18446744073709551615/1",
            "items 0-1/2",
        ] {
            assert_eq!(extent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_others_wrote_is_told_in_part() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"\u{fc}".repeat(1_000)).chars().count(), TOLD_MAX);
    }
}
