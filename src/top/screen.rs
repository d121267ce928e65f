//! The model on a screen. Pure: the same model on a screen of the same size is the same picture.

use nsq_app::duration::DurationText;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::column::Column;
use super::model::{Line, Mode, Model};
use super::table::{self, Cells, GAP};

/// More nodes that are down are only counted.
const FAILURES_SHOWN: usize = 3;
const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const TITLE: Style = Style::new().add_modifier(Modifier::REVERSED);
const WRONG: Style = Style::new().fg(Color::Red);
const PAUSED: Style = Style::new().fg(Color::Yellow);

const KEYS: &str = "/ filter   letters sort   space freeze   ? help   q quit";
const HELP: &[&str] = &[
    "n d f e i o c r t   sort by name, depth, in flight, deferred, in, out, clients,",
    "                    requeued, timed out; once more for the other way round",
    "Left, Right         sort by the column beside",
    "/                   filter topics and channels by a part of their name",
    "Esc                 no filter",
    "Up, Down, k, j      move the mark; also PageUp, PageDown, Home, End, g, G",
    "space, p            freeze what is shown, and go on",
    "q, Ctrl-C           quit",
    "",
    "Numbers are sums over all nodes that answer. In and out are messages a second;",
    "requeued and timed out are counted since each nsqd was started.",
    "",
    "Any key goes back.",
];

/// Draws everything. `interval` is how often the cluster is looked at.
pub(super) fn draw(model: &Model, interval: Duration, area: Rect, buffer: &mut Buffer) {
    let mut pen = Pen { area, buffer, y: 0 };
    head(model, interval, &mut pen);
    if model.mode == Mode::Help {
        pen.y += 1;
        for line in HELP {
            pen.line(line, PLAIN);
        }
        return;
    }
    rows(model, &mut pen);
    pen.y = area.height.saturating_sub(1);
    match model.mode {
        Mode::Typing => pen.line(&format!("/{}_", model.filter), BOLD),
        _ if !model.filter.is_empty() => {
            pen.line(&format!("/{}   Esc shows all   {KEYS}", model.filter), DIM);
        }
        _ => pen.line(KEYS, DIM),
    }
}

/// Writes from the top down; what does not fit is left out.
struct Pen<'a> {
    area: Rect,
    buffer: &'a mut Buffer,
    y: u16,
}

impl Pen<'_> {
    fn line(&mut self, text: &str, style: Style) {
        self.write(0, text, usize::from(self.area.width), style);
        self.y += 1;
    }

    fn write(&mut self, x: usize, text: &str, width: usize, style: Style) {
        let room = usize::from(self.area.width).saturating_sub(x).min(width);
        let Ok(x) = u16::try_from(x) else { return };
        if self.y < self.area.height && room > 0 {
            self.buffer.set_stringn(self.area.x + x, self.area.y + self.y, text, room, style);
        }
    }
}

/// What is looked at, and who is down.
fn head(model: &Model, interval: Duration, pen: &mut Pen<'_>) {
    let Some(look) = &model.look else {
        pen.line("nsq top   asking all nodes", BOLD);
        return;
    };
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", plural(count));
    let (topics, channels) = (look.topics.len(), look.channel_count());
    let frozen = if model.is_frozen { "   FROZEN" } else { "" };
    let text = format!(
        "nsq top   {}   {}, {}   every {}{frozen}",
        counted(look.node_count, "node"),
        counted(topics, "topic"),
        counted(channels, "channel"),
        DurationText(interval),
    );
    pen.line(&text, BOLD);
    for failure in look.failures.iter().take(FAILURES_SHOWN) {
        pen.line(&format!("down: {failure}"), WRONG);
    }
    if let Some(more @ 1..) = look.failures.len().checked_sub(FAILURES_SHOWN) {
        pen.line(&format!("down: {more} more"), WRONG);
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn rows(model: &Model, pen: &mut Pen<'_>) {
    let lines = model.rows();
    let cells: Vec<_> = lines.iter().map(|line| table::cells(*line)).collect();
    let mut widths = table::widths(&cells);
    let screen = usize::from(pen.area.width);
    // The names get what the numbers leave.
    let numbers: usize = widths.iter().skip(1).map(|width| width + GAP).sum();
    let [names, ..] = &mut widths;
    *names = screen.saturating_sub(numbers).max(Column::Name.title().len() + 1);
    let titles = table::titles(model);
    pen.write(0, &" ".repeat(screen), screen, TITLE);
    row(&titles, &widths, TITLE, pen);
    // The last line of the screen is for keys.
    let height = usize::from(pen.area.height.saturating_sub(pen.y + 1));
    let first = (model.marked + 1).saturating_sub(height);
    for (place, (line, cells)) in lines.iter().zip(&cells).enumerate().skip(first).take(height) {
        let style = match line {
            line if line.row().is_paused => PAUSED,
            Line::Topic(_) => BOLD,
            Line::Channel(_) => PLAIN,
        };
        let is_marked = place == model.marked;
        let style = if is_marked { style.patch(TITLE) } else { style };
        if is_marked {
            pen.write(0, &" ".repeat(screen), screen, style);
        }
        row(cells, &widths, style, pen);
    }
}

fn row(cells: &Cells, widths: &[usize; Column::ALL.len()], style: Style, pen: &mut Pen<'_>) {
    let mut x = 0;
    for ((cell, width), column) in cells.iter().zip(widths).zip(Column::ALL) {
        let text = match column {
            Column::Name => cell.clone(),
            _ => format!("{cell:>0$}", width + GAP),
        };
        let width = if column == Column::Name { *width } else { width + GAP };
        pen.write(x, &text, width, style);
        x += width;
    }
    pen.y += 1;
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::model::Key;
    use super::super::model::tests::{look, model};
    use super::*;

    #[track_caller]
    fn check(model: &Model, width: u16, height: u16, expected: &[&str]) {
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a test terminal never fails");
        let drawn = terminal.draw(|frame| {
            draw(model, Duration::from_secs(1), frame.area(), frame.buffer_mut());
        });
        let buffer = drawn.expect("a test terminal never fails").buffer.clone();
        let rows = (0..height).map(|y| {
            let symbols = (0..width).map(|x| buffer[(x, y)].symbol());
            symbols.collect::<String>().trim_end().to_owned()
        });
        let found: Vec<_> = rows.collect();
        assert!(found == expected, "{}", found.join("\n"));
    }

    #[test]
    fn the_table() {
        let expected = "\
nsq top   2 nodes   2 topics, 4 channels   every 1s
TOPIC / CHANNEL▲     DEPTH   IN FLIGHT   DEFERRED   IN/S   OUT/S   CLIENTS   REQUEUED   TIMED OUT
orders                   0                           0.0     0.0
  archive             1500           0         12    375     0.0         0          0           0
  billing                3           0         12    0.8     0.0         2          0           0
users                    7                           1.8     0.0
  Mail (paused)         40           0         12     10     0.0         1          0           0
  search                 0           0         12    0.0     0.0         5          0           0
/ filter   letters sort   space freeze   ? help   q quit";
        check(&model(""), 97, 9, &expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn narrow_and_low_screens() {
        check(
            &model("djj"),
            42,
            5,
            &[
                "nsq top   2 nodes   2 topics, 4 channels",
                "TOPIC / CHANNEL   DEPTH▼   IN FLIGHT   DEF",
                "  archive           1500           0",
                "  billing              3           0",
                "/ filter   letters sort   space freeze   ?",
            ],
        );
        check(&model(""), 3, 1, &["/ f"]);
        check(&model(""), 1, 2, &["n", "/"]);
    }

    #[test]
    fn nodes_that_are_down() {
        let mut model = model(" ");
        let failures = (1..=5).map(|node| format!("10.0.0.{node}:4151: connection refused"));
        let mut look = look();
        look.topics.clear();
        look.node_count = 1;
        look.failures = failures.collect();
        model.look = Some(look);
        check(
            &model,
            60,
            7,
            &[
                "nsq top   1 node   0 topics, 0 channels   every 1s   FROZEN",
                "down: 10.0.0.1:4151: connection refused",
                "down: 10.0.0.2:4151: connection refused",
                "down: 10.0.0.3:4151: connection refused",
                "down: 2 more",
                "TOPIC / CHANNEL▲   DEPTH   IN FLIGHT   DEFERRED   IN/S   OUT",
                "/ filter   letters sort   space freeze   ? help   q quit",
            ],
        );
    }

    #[test]
    fn filter_and_first_screen() {
        let title = "TOPIC / CHANNEL▲   DEPTH   IN FLIGHT";
        let head = "nsq top   2 nodes   2 topics, 4 chan";
        check(
            &model("/bil"),
            36,
            5,
            &[
                head,
                title,
                "orders                 0",
                "  billing              3           0",
                "/bil_",
            ],
        );
        check(
            &model("/sea\n"),
            36,
            5,
            &[
                head,
                title,
                "users                  7",
                "  search               0           0",
                "/sea   Esc shows all   / filter   le",
            ],
        );
        check(
            &Model::new(),
            36,
            3,
            &["nsq top   asking all nodes", title, "/ filter   letters sort   space free"],
        );
    }

    #[test]
    fn help() {
        let model = model("?");
        let mut expected = vec!["nsq top   2 nodes   2 topics, 4 channels   every 1s", ""];
        expected.extend(HELP);
        check(&model, 80, 15, &expected);
        assert!(HELP.iter().all(|line| line.len() <= 80));
    }

    #[test]
    fn the_mark_is_always_in_sight() {
        let mut model = model("");
        model.on_key(Key::End);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 4));
        draw(&model, Duration::from_secs(1), buffer.area, &mut buffer);
        let symbols: String = (0..8).map(|x| buffer[(x, 2)].symbol()).collect();
        assert_eq!(symbols, "  search");
        assert!(buffer[(0, 2)].modifier.contains(Modifier::REVERSED));
    }
}
