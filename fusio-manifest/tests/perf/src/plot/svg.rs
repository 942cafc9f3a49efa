//! Text of SVG and HTML, escaped.

/// Text as it stands between tags or in an attribute's quotes. Characters that XML cannot hold are left out.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A coordinate: a tenth of a pixel is finer than anyone sees.
pub(super) fn px(number: f64) -> String {
    let text = format!("{:.1}", if number.is_finite() { number } else { 0.0 });
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Which end of a text stands at its x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// The inside of an SVG.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    /// Elements as they are; whatever text they hold must be escaped.
    pub(super) fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
        self.text.push('\n');
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(px);
        self.raw(&format!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, at: (f64, f64), text: &str) {
        let ((x, y), anchor) = ((px(at.0), px(at.1)), anchor.as_str());
        let text = escape(text);
        self.raw(&format!(
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        ));
    }

    /// Everything drawn so far.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_stays_text() {
        assert_eq!(
            escape("<script>&\"'\u{0}\u{7}\n</script>"),
            "&lt;script&gt;&amp;&quot;&#39; &lt;/script&gt;"
        );
        let mut canvas = Canvas::default();
        canvas.text("label", Anchor::End, (1.0, 2.25), "a<b & \"c\"");
        assert_eq!(
            canvas.finish(),
            "<text class=\"label\" text-anchor=\"end\" x=\"1\" y=\"2.2\">a&lt;b &amp; &quot;c&quot;</text>\n"
        );
    }

    #[test]
    fn no_coordinate_is_nan() {
        let said = [f64::NAN, f64::INFINITY, -0.01, 12.34, 100.0].map(px);
        assert_eq!(said, ["0", "0", "0", "12.3", "100"]);
    }
}
