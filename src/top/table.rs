//! The table as text: cells and how wide they have to be.

use super::column::Column;
use super::look::Look;
use super::model::{Line, Model};

/// What is left free between two columns.
pub(super) const GAP: usize = 2;
/// How far channels stand in.
const INDENT: &str = "  ";

/// The cells of a row, from left to right.
pub(super) type Cells = [String; Column::ALL.len()];

pub(super) fn cells(line: Line<'_>) -> Cells {
    let mut cells = Column::ALL.map(|column| column.text(line.row()));
    if let (Line::Channel(_), [name, ..]) = (line, &mut cells) {
        name.insert_str(0, INDENT);
    }
    cells
}

/// The titles, that of the sorted column marked.
pub(super) fn titles(model: &Model) -> Cells {
    Column::ALL.map(|column| {
        let is_sorted = column == model.sort;
        let falls = (column == Column::Name) == model.is_reversed;
        match (is_sorted, falls) {
            (true, true) => format!("{}\u{25bc}", column.title()),
            (true, false) => format!("{}\u{25b2}", column.title()),
            (false, _) => column.title().to_owned(),
        }
    })
}

/// How wide each column is, so that no cell is cut.
pub(super) fn widths<'a>(rows: impl IntoIterator<Item = &'a Cells>) -> [usize; Column::ALL.len()] {
    // With room for the mark, so that sorting moves nothing.
    let mut widths = Column::ALL.map(|column| column.title().len() + 1);
    for cells in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// One look without a screen.
pub(super) fn plain(look: &Look) -> String {
    let mut model = Model::new();
    model.on_look(look.clone());
    let mut rows = vec![Column::ALL.map(|column| column.title().to_owned())];
    rows.extend(model.rows().into_iter().map(cells));
    let widths = widths(&rows);
    let mut text = String::new();
    for cells in &rows {
        let mut line = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(Column::ALL) {
            match column {
                Column::Name => line.push_str(&format!("{cell:<width$}")),
                _ => line.push_str(&format!("{cell:>0$}", width + GAP)),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::look;
    use super::*;

    #[test]
    fn plain_table() {
        let expected = "\
TOPIC / CHANNEL    DEPTH   IN FLIGHT   DEFERRED   IN/S   OUT/S   CLIENTS   REQUEUED   TIMED OUT
orders                 0                           0.0     0.0
  archive           1500           0         12    375     0.0         0          0           0
  billing              3           0         12    0.8     0.0         2          0           0
users                  7                           1.8     0.0
  Mail (paused)       40           0         12     10     0.0         1          0           0
  search               0           0         12    0.0     0.0         5          0           0
";
        let table = plain(&look());
        assert!(table == expected, "{table}");
    }
}
