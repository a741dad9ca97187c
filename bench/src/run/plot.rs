//! Bar charts as SVG, small enough to stand in the page.

use std::fmt::Write;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is.
    pub label: String,
    /// How long.
    pub value: f64,
    /// Ours, or a peer's.
    pub ours: bool,
}

const WIDTH: f64 = 820.0;
const LABEL_WIDTH: f64 = 280.0;
const ROW_HEIGHT: f64 = 22.0;

/// Horizontal bars on one scale that begins at zero.
pub fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let height = ROW_HEIGHT * bars.len() as f64 + 34.0;
    let mut svg = format!(
        "<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{0}'><text x='0' y='16' class='title'>{0} ({1})</text>",
        escape(title),
        escape(unit)
    );
    for (i, bar) in bars.iter().enumerate() {
        let y = 28.0 + ROW_HEIGHT * i as f64;
        let length = (WIDTH - LABEL_WIDTH - 110.0) * bar.value / longest;
        let class = if bar.ours { "ours" } else { "peer" };
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<text x='{x}' y='{ty}' text-anchor='end'>{label}</text><rect class='{class}' x='{bx}' y='{y}' width='{length:.1}' height='16'/><text x='{vx:.1}' y='{ty}'>{value}</text>",
            x = LABEL_WIDTH - 8.0,
            ty = y + 12.0,
            label = escape(&bar.label),
            bx = LABEL_WIDTH,
            vx = LABEL_WIDTH + length + 6.0,
            value = grouped(bar.value),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// `text` for HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

/// A number for people: thousands apart, decimals only when small.
pub fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(1234567.0), "1 234 567");
        assert_eq!(grouped(999.4), "999");
        assert_eq!(grouped(1.5), "1.50");
    }
}
