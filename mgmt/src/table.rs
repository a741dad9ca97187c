//! Tables for people: aligned columns, numbers to the right, nothing drawn around them.

use crate::text;

/// Between two columns.
const GAP: usize = 2;
/// A column that may shrink keeps at least this much.
const NARROWEST: usize = 12;

/// One cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// To the left.
    Text(String),
    /// To the right, in groups of three digits.
    Number(u64),
    /// To the right, as it is.
    Figure(String),
    /// Not known, or not there.
    None,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::Number(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Cell {
        Cell::Number(u64::from(value))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::None, Into::into)
    }
}

impl Cell {
    fn render(&self) -> String {
        match self {
            Cell::Text(text) | Cell::Figure(text) => text::printable(text),
            Cell::Number(value) => text::number(*value),
            Cell::None => "-".to_owned(),
        }
    }
}

/// Rows under a header.
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(header: impl Into<Vec<&'static str>>) -> Table {
        Table { header: header.into(), rows: Vec::new() }
    }

    /// Appends a row, one cell a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines. On a terminal of `width` columns where the table does not fit, the last column, if it is text, is cut;
    /// where that is not enough, each row becomes a paragraph.
    pub fn render(&self, width: Option<usize>) -> String {
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::render).collect()).collect();
        let mut widths: Vec<usize> = self.header.iter().map(|title| title.len()).collect();
        for row in &cells {
            for (column, cell) in row.iter().enumerate() {
                widths[column] = widths[column].max(cell.chars().count());
            }
        }
        let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let excess = width.map_or(0, |width| total.saturating_sub(width));
        let last = widths.len().saturating_sub(1);
        if excess > 0 {
            if self.is_right(last) || widths[last] < NARROWEST + excess {
                return self.paragraphs(&cells);
            }
            widths[last] -= excess;
        }
        let mut text = self.line(self.header.iter().copied(), &widths);
        for row in &cells {
            text.push_str(&self.line(row.iter().map(String::as_str), &widths));
        }
        text
    }

    /// Whether a column holds figures.
    fn is_right(&self, column: usize) -> bool {
        let is_figure = |row: &Vec<Cell>| matches!(row.get(column), Some(Cell::Number(_) | Cell::Figure(_)));
        self.rows.iter().any(is_figure)
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, &width)) in cells.zip(widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let cell = cut(cell, width);
            if self.is_right(column) {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    fn paragraphs(&self, cells: &[Vec<String>]) -> String {
        let title_width = self.header.iter().map(|title| title.len()).max().unwrap_or(0);
        let paragraphs = cells.iter().map(|row| {
            let lines = self.header.iter().zip(row).map(|(title, cell)| format!("{title:<title_width$}  {cell}\n"));
            lines.collect::<String>()
        });
        paragraphs.collect::<Vec<String>>().join("\n")
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["NAME", "TOTAL", "MEANING"]);
        table.row(["a".into(), 7u64.into(), "short".into()]);
        table.row(["longer".into(), 1_234_567u64.into(), "a longer explanation of it".into()]);
        table.row(["none".into(), Cell::None, "".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "\
NAME        TOTAL  MEANING
a               7  short
longer  1,234,567  a longer explanation of it
none            -
";
        assert_eq!(table().render(None), expected);
        assert_eq!(table().render(Some(80)), expected);
    }

    #[test]
    fn the_last_column_is_cut_on_a_narrow_terminal() {
        let lines = table().render(Some(32));
        assert!(lines.contains("longer  1,234,567  a longer exp…\n"), "{lines}");
        assert!(lines.lines().all(|line| line.chars().count() <= 32));
    }

    #[test]
    fn rows_become_paragraphs_on_a_very_narrow_terminal() {
        let text = table().render(Some(20));
        assert!(text.starts_with("NAME     a\nTOTAL    7\nMEANING  short\n\nNAME     longer\n"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new(["PATH"]);
        table.row(["/\x1b[31m".into()]);
        assert_eq!(table.render(None), "PATH\n/\\u{1b}[31m\n");
    }
}
