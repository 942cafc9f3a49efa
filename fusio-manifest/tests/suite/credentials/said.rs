//! Whatever is said, by errors, by Debug and by the log, and the canaries in it.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Display, Write as _},
    sync::Arc,
};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

pub(super) const ACCESS_KEY: &str = "AKIACANARYACCESSKEY0";
pub(super) const SECRET: &str = "canary-secret/0123456789abcdef+0123456789";
pub(super) const TOKEN: &str = "canary-session-token/0123456789abcdef==";

/// Which canaries are in a text.
pub(super) fn canaries(text: &str) -> Vec<&'static str> {
    let whole = [ACCESS_KEY, SECRET, TOKEN];
    // Parts, too: some encodings change what stands between letters.
    let parts = ["CANARYACCESSKEY", "canary-secret", "canary-session-token"];
    let found = parts
        .into_iter()
        .zip(whole)
        .filter(|(part, _)| text.contains(part));
    found.map(|(_, whole)| whole).collect()
}

pub(super) struct Line {
    pub(super) target: String,
    pub(super) level: tracing::Level,
    pub(super) text: String,
}

/// Hears every event and every span of every target at every level.
#[derive(Clone, Default)]
pub(super) struct Listener(pub(super) Arc<Mutex<Vec<Line>>>);

impl Listener {
    fn hear(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Words)) {
        let mut words = Words(metadata.name().to_owned());
        record(&mut words);
        self.0.lock().push(Line {
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            text: words.0,
        });
    }
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let _ = write!(self.0, " {field}={value} {value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.hear(attributes.metadata(), |words| attributes.record(words));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut words = Words(String::new());
        values.record(&mut words);
        self.0.lock().push(Line {
            target: "a span".to_owned(),
            level: tracing::Level::TRACE,
            text: words.0,
        });
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.hear(event.metadata(), |words| event.record(words));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Whatever was said, and by whom.
#[derive(Default)]
pub(super) struct Said(pub(super) Vec<(String, String)>);

impl Said {
    pub(super) fn debug(&mut self, what: &str, value: &dyn Debug) {
        self.0.push((what.to_owned(), format!("{value:?} {value:#?}")));
    }

    /// An error in every way that it can be shown, with what caused it. Its message must name what failed.
    pub(super) fn error<E: std::error::Error + Display + 'static>(&mut self, what: &str, error: &E) {
        let mut text = format!("{error} {error:?} {error:#?} {error:#}");
        let mut cause = error.source();
        while let Some(source) = cause {
            let _ = write!(text, " {source} {source:?} {source:#?}");
            cause = source.source();
        }
        self.0.push((what.to_owned(), text));
    }

    pub(super) fn leaks(&self) -> Vec<String> {
        let told = self.0.iter().filter(|(_, text)| !canaries(text).is_empty());
        told.map(|(what, text)| format!("{what}: {text}")).collect()
    }
}

/// The levels and the targets that told a canary, none but these.
pub(super) fn told(lines: &[Line], allowed: &[&str]) -> Vec<String> {
    let mut targets = BTreeSet::new();
    for line in lines.iter().filter(|line| !canaries(&line.text).is_empty()) {
        let what = format!("{} {}: {}", line.level, line.target, line.text);
        assert!(
            canaries(&line.text).iter().all(|canary| allowed.contains(canary)),
            "{what}"
        );
        targets.insert(format!("{} {}", line.level, line.target));
    }
    targets.into_iter().collect()
}
