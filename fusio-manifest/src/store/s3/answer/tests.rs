use std::{io, sync::Arc};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::{
        Intercept as _,
        interceptors::{BeforeTransmitInterceptorContextRef, InterceptorContext},
    },
    error::{ConnectorError, ErrorMetadata, SdkError},
    operation::put_object::PutObjectError,
    primitives::SdkBody,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::config_bag::ConfigBag;

use super::*;
use crate::store::{
    meter::{RequestClass, RequestMeter},
    s3::{body::Content, transmit::Transmit},
};

type Failure = SdkError<PutObjectError, HttpResponse>;

fn response(status: u16) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())
}

fn refusal(status: u16, code: &str, message: &str) -> Failure {
    let meta = ErrorMetadata::builder().code(code).message(message).build();
    SdkError::service_error(PutObjectError::generic(meta), response(status))
}

fn sort(failure: &Failure, sent: bool) -> StoreError {
    let seen = Arc::new(Seen::default());
    if sent {
        transmit(&seen);
    }
    Call {
        operation: "PUT",
        key: "a/HEAD",
        place: "http://store",
        seen: &seen,
    }
    .sort(failure)
}

/// Runs the hook as the SDK does.
fn transmit(seen: &Arc<Seen>) {
    let meter = Arc::new(RequestMeter::new());
    let hook = Transmit {
        class: RequestClass::Put,
        bytes: 3,
        content: Content::Word,
        meter: Arc::clone(&meter),
        seen: Arc::clone(seen),
        date: Arc::default(),
    };
    let mut context = InterceptorContext::new(Input::erase(()));
    context.enter_serialization_phase();
    let _ = context.take_input();
    context.set_request(aws_smithy_runtime_api::client::orchestrator::HttpRequest::empty());
    context.enter_before_transmit_phase();
    let parts = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let context = BeforeTransmitInterceptorContextRef::from(&context);
    hook.read_before_transmit(&context, &parts, &mut ConfigBag::base())
        .unwrap();
    assert_eq!(meter.counts().requests(RequestClass::Put), 1);
    assert_eq!(meter.counts().bytes(RequestClass::Put), 3);
}

#[test]
fn every_status_proves_what_the_protocol_says() {
    let definite = [400, 403, 404, 409, 412, 413];
    for status in 100..=599 {
        let error = sort(&refusal(status, "Code", "why"), true);
        assert_eq!(error.kind, StoreError::kind_of_status(status), "{status}");
        assert_eq!(error.status, Some(status));
        assert_eq!(error.is_definite(), definite.contains(&status), "{status}");
        assert!(
            error.message.contains("Code") && error.message.contains("why"),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_or_late_upload_may_be_sent_again() {
    for code in [
        "RequestTimeout",
        "IncompleteBody",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
    ] {
        assert!(sort(&refusal(400, code, ""), true).is_transient(), "{code}");
    }
}

#[test]
fn what_is_said_of_credentials_is_a_refusal_with_the_remedy() {
    for (status, code, remedy) in [
        (400, "ExpiredToken", "aws sso login"),
        (400, "TokenRefreshRequired", "aws sso login"),
        (400, "InvalidToken", "session token"),
        (403, "InvalidAccessKeyId", "session token"),
        (403, "SignatureDoesNotMatch", "session token"),
        (403, "RequestTimeTooSkewed", "clock"),
    ] {
        let error = sort(&refusal(status, code, "why"), true);
        assert_eq!(
            (error.kind, error.status),
            (StoreErrorKind::Denied, Some(status)),
            "{code}"
        );
        assert!(error.is_definite() && !error.is_transient(), "{code}");
        assert!(
            error.message.contains(code) && error.message.contains(remedy),
            "{error}"
        );
    }
}

#[test]
fn a_redirect_names_the_region() {
    let mut raw = response(301);
    raw.headers_mut().insert("x-amz-bucket-region", "eu-west-1");
    let meta = ErrorMetadata::builder().code("PermanentRedirect").build();
    let error = sort(&SdkError::service_error(PutObjectError::generic(meta), raw), true);
    assert_eq!(error.kind, StoreErrorKind::Unexpected);
    assert!(error.message.contains("eu-west-1"), "{error}");
}

#[test]
fn what_was_not_transmitted_is_definite() {
    let failures: [Failure; 3] = [
        SdkError::timeout_error("credentials took too long"),
        SdkError::construction_failure("no such thing"),
        SdkError::dispatch_failure(ConnectorError::other("signing failed".into(), None)),
    ];
    for failure in failures {
        let error = sort(&failure, false);
        assert_eq!(error.kind, StoreErrorKind::NotSent);
        assert!(error.is_definite());
    }
}

#[test]
fn missing_credentials_are_named_with_the_remedy() {
    let cause = CredentialsError::not_loaded("no providers in chain provided credentials");
    let failure: Failure = SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
    let error = sort(&failure, false);
    assert!(
        error
            .message
            .contains("no AWS credentials found: set AWS_ACCESS_KEY_ID"),
        "{error}"
    );
}

#[test]
fn once_transmitted_no_failure_without_an_answer_is_definite() {
    let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
    let failures: [(Failure, StoreErrorKind); 6] = [
        (SdkError::timeout_error("10s"), StoreErrorKind::Timeout),
        (
            SdkError::dispatch_failure(ConnectorError::timeout(broken().into())),
            StoreErrorKind::Timeout,
        ),
        (
            SdkError::dispatch_failure(ConnectorError::io(broken().into())),
            StoreErrorKind::Connection,
        ),
        (
            SdkError::dispatch_failure(ConnectorError::user(broken().into())),
            StoreErrorKind::Connection,
        ),
        (
            SdkError::response_error(broken(), response(200)),
            StoreErrorKind::Connection,
        ),
        (SdkError::construction_failure("odd"), StoreErrorKind::Unexpected),
    ];
    for (failure, kind) in failures {
        let error = sort(&failure, true);
        assert_eq!(error.kind, kind, "{error}");
        assert!(!error.is_definite());
    }
}

#[test]
fn a_status_stands_though_its_body_broke_off() {
    let error = sort(&SdkError::response_error("reset", response(412)), true);
    assert_eq!(
        (error.kind, error.status),
        (StoreErrorKind::PreconditionFailed, Some(412))
    );
}

#[test]
fn an_answer_without_an_etag_is_refused() {
    let seen = Seen::default();
    let call = Call {
        operation: "PUT",
        key: "k",
        place: "http://store",
        seen: &seen,
    };
    assert_eq!(call.etag().unwrap_err().kind, StoreErrorKind::Unexpected);
}
