//! Nonsense that a server answers, as data.

use crate::{
    server::{Answer, Reply},
    sockets::PASSED_OVER,
    world::Operation,
};

use Operation::{Commit, CommitLarge, Get, Open, OpenPin, Verify};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) operations: &'static [Operation],
    /// The request has its effect.
    pub(crate) applied: bool,
    pub(crate) answer: Answer,
}

const READS: &[Operation] = &[Open, Get, OpenPin];
const ALL: &[Operation] = &[Open, Get, Commit, CommitLarge, OpenPin, Verify];

fn bytes(text: &str) -> Answer {
    Answer::Bytes(text.replace('\n', "\r\n").into_bytes())
}

fn status(status: u16, more: &str, body: &str) -> Answer {
    let length = body.len();
    bytes(&format!(
        "HTTP/1.1 {status} Status\nContent-Length: {length}\n{more}\n{body}"
    ))
}

fn flood(head: &str, piece: &str) -> Answer {
    Answer::Flood(
        head.replace('\n', "\r\n").into_bytes(),
        piece.replace('\n', "\r\n").repeat(64).into_bytes(),
    )
}

fn drip(head: &str, piece: &str) -> Answer {
    Answer::Drip(
        head.replace('\n', "\r\n").into_bytes(),
        piece.replace('\n', "\r\n").into_bytes(),
    )
}

fn weak(reply: &mut Reply) {
    reply.set("ETag", "W/\"weak\"");
}

fn long_etag(reply: &mut Reply) {
    reply.set("ETag", format!("\"{}\"", "e".repeat(64 << 10)));
}

fn made_up(reply: &mut Reply) {
    reply.set("ETag", "\"made up\"");
}

fn no_etag(reply: &mut Reply) {
    reply.headers.retain(|(name, _)| *name != "ETag");
}

fn wrong_date(reply: &mut Reply) {
    reply.set("Date", "Thu, 99 Foo 99999 99:99:99 GMT");
}

fn other_range(reply: &mut Reply) {
    reply.set("Content-Range", "bytes 1-9/100");
}

fn shorter_than_its_range(reply: &mut Reply) {
    reply.body = reply.body.slice(..reply.body.len() - 1);
}

fn longer(reply: &mut Reply) {
    reply.body = [reply.body.as_ref(), &[0; 1 << 20]].concat().into();
}

fn case(name: &'static str, operations: &'static [Operation], answer: Answer) -> Case {
    Case {
        name,
        operations,
        applied: false,
        answer,
    }
}

/// The request has its effect, and its answer is changed.
fn altered(name: &'static str, operations: &'static [Operation], alter: fn(&mut Reply)) -> Case {
    Case {
        applied: true,
        ..case(name, operations, Answer::Altered(alter))
    }
}

/// A success with this body, or the beginning of one.
fn success(name: &'static str, operations: &'static [Operation], more: &str) -> Case {
    case(
        name,
        operations,
        bytes(&format!("HTTP/1.1 200 OK\nETag: \"x\"\n{more}")),
    )
}

fn list(name: &'static str, body: &str) -> Case {
    let body = format!("<ListBucketResult>{body}</ListBucketResult>");
    case(name, &[Verify], status(200, "", &body))
}

fn strange() -> Vec<Case> {
    let page = status(
        200,
        "Content-Type: text/html\nETag: \"page\"\n",
        "<html>Log in</html>",
    );
    let made_up_of_nothing = status(200, "ETag: \"made up\"\n", "");
    let chunk = "Transfer-Encoding: chunked\n\nffffffffffffffff\nx";
    vec![
        case("200 and a web page", ALL, page),
        case("200 and nothing", ALL, status(200, "ETag: \"nothing\"\n", "")),
        case(
            "304 to whoever asks",
            READS,
            bytes("HTTP/1.1 304 Not Modified\nETag: \"x\"\n\n"),
        ),
        case("closes at once", ALL, Answer::Close),
        case("never answers", ALL, Answer::Never),
        case("a status line of garbage", ALL, bytes("SSH-2.0-OpenSSH_9.2\n\n")),
        case("zeros", ALL, Answer::Bytes(vec![0; 100_000])),
        success(
            "a body that breaks off",
            READS,
            "Content-Length: 1000\n\nten bytes.",
        ),
        success(
            "two lengths",
            READS,
            "Content-Length: 5\nContent-Length: 50000\n\nhello",
        ),
        success("a length below zero", READS, "Content-Length: -5\n\nhello"),
        success("a chunk of 16 EiB", READS, chunk),
        Case {
            applied: true,
            ..case(
                "the honest answer by HTTP/1.0",
                &[Open, Get, Commit, OpenPin],
                Answer::Old,
            )
        },
        altered("a Date that is none", ALL, wrong_date),
        altered("no ETag", &[Open, Commit], no_etag),
        altered("a weak ETag", &[Open, Commit], weak),
        altered("an ETag of 64 KiB", &[Open, Commit], long_etag),
        altered(
            "an ETag that is made up, of what is stored",
            &[Commit, CommitLarge],
            made_up,
        ),
        case(
            "an ETag that is made up, of what is not stored",
            &[Commit, CommitLarge],
            made_up_of_nothing,
        ),
        altered("206 of another range", &[Get], other_range),
        altered("206 shorter than its range", &[Get], shorter_than_its_range),
        altered("1 MiB more than there is", READS, longer),
    ]
}

fn lists() -> Vec<Case> {
    const KEY: &str = "<Contents><Key>m/a</Key><Size>1</Size></Contents>";
    vec![
        list(
            "a list whose first page never ends",
            &format!("<IsTruncated>true</IsTruncated>{KEY}"),
        ),
        list("a list without keys", "<IsTruncated>true</IsTruncated>"),
        list(
            "a list of half an object",
            "<IsTruncated>false</IsTruncated><Contents><Size>-1</Size></Contents>",
        ),
        list(
            "a list with a key twice",
            &format!("<IsTruncated>false</IsTruncated>{}", KEY.repeat(2)),
        ),
        list(
            "a list of 5,000 keys",
            &format!("<IsTruncated>false</IsTruncated>{}", KEY.repeat(5_000)),
        ),
    ]
}

fn endless() -> Vec<Case> {
    let ok = "HTTP/1.1 200 OK\nETag: \"x\"\n";
    let error = "HTTP/1.1 403 No\n";
    let chunk = format!("400\n{}\n", "x".repeat(1024));
    let kib = "a".repeat(1024);
    let chunked = "Transfer-Encoding: chunked\n\n";
    let tebibyte = "Content-Length: 1099511627776\n\n";
    vec![
        case("an endless body", ALL, flood(&format!("{ok}{chunked}"), &chunk)),
        case(
            "a body of 1 TiB, announced",
            ALL,
            flood(&format!("{ok}{tebibyte}"), &kib),
        ),
        case(
            "an endless error",
            ALL,
            flood(&format!("{error}{chunked}"), &chunk),
        ),
        case(
            "an error of 1 TiB, announced",
            ALL,
            flood(&format!("{error}{tebibyte}"), &kib),
        ),
        case("endless headers", ALL, flood(ok, &format!("X-A: {kib}\n"))),
        case("one endless header", ALL, flood(&format!("{ok}X-A: "), &kib)),
        case("an endless status line", ALL, flood("HTTP/1.1 200 ", &kib)),
        case(
            PASSED_OVER,
            ALL,
            flood("", "HTTP/1.1 103 Early Hints\nX-A: a\n\n"),
        ),
        case(
            "a body that drips",
            ALL,
            drip(&format!("{ok}Content-Length: 100000\n\n"), "x"),
        ),
        case("headers that drip", ALL, drip(&format!("{ok}X-A: "), "x")),
    ]
}

fn bombs() -> Vec<Case> {
    let entities: String = ('b'..='z')
        .zip('a'..)
        .map(|(this, before)| format!("<!ENTITY {this} \"{}\">", format!("&{before};").repeat(10)))
        .collect();
    let first = format!("<!ENTITY a \"{}\">", "a".repeat(1_000));
    let bomb =
        format!("<?xml version=\"1.0\"?><!DOCTYPE e [{first}{entities}]><Error><Code>&z;</Code></Error>");
    let deep = format!("<Error>{}</Error>", "<a>".repeat(50_000));
    let as_list = |xml: &str| status(200, "", &xml.replace("Error", "ListBucketResult"));
    vec![
        case("an XML bomb as a list", &[Verify], as_list(&bomb)),
        case("XML 50,000 deep as a list", &[Verify], as_list(&deep)),
        case("an XML bomb as an error", ALL, status(403, "", &bomb)),
        case("XML 50,000 deep as an error", ALL, status(403, "", &deep)),
    ]
}

fn statuses(elsewhere: &str) -> Vec<Case> {
    let odd = |code| status(code, "", "<Error><Code>Odd</Code><Message>No.</Message></Error>");
    let location = format!("Location: http://{elsewhere}/bucket/m/HEAD\n");
    let redirect = |code| status(code, &location, "");
    let region = format!("x-amz-bucket-region: eu-west-1\n{location}");
    let moved = format!("<Error><Code>PermanentRedirect</Code><Endpoint>{elsewhere}</Endpoint></Error>");
    vec![
        case("401", ALL, odd(401)),
        case("403", ALL, odd(403)),
        case("418", ALL, odd(418)),
        case("499", ALL, odd(499)),
        case("599", ALL, odd(599)),
        case("301 to elsewhere", ALL, redirect(301)),
        case("302 to elsewhere", ALL, redirect(302)),
        case("303 to elsewhere", ALL, redirect(303)),
        case("307 to elsewhere", ALL, redirect(307)),
        case("308 to elsewhere", ALL, redirect(308)),
        case("301 to another region", ALL, status(301, &region, &moved)),
    ]
}

/// All cases; redirects point to `elsewhere`.
pub(crate) fn cases(elsewhere: &str) -> Vec<Case> {
    let mut cases = strange();
    cases.extend(lists());
    cases.extend(endless());
    cases.extend(bombs());
    cases.extend(statuses(elsewhere));
    cases
}
