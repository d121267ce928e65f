//! What is on the screen, and what keys and looks at the cluster do to it. Pure.
//!
//! ```text
//!            /                        any letter
//! browsing ─────> typing a filter ─┐  browsing ─────> (sorts, scrolls, q ends)
//!    ^                 │           │      ^
//!    └── Enter, Esc ───┘ <─ text ──┘      └── any key ── help <── ?
//! ```

use std::cmp::Ordering;

use super::column::Column;
use super::look::{Look, Row, TopicRow};

/// A page up or down; screens differ, and this moves on any of them.
const PAGE_ROWS: usize = 10;

/// A key that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Backspace,
    Enter,
    Escape,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C
    Interrupt,
}

/// What keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Browsing,
    /// Letters go into the filter.
    Typing,
    Help,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The last look; none yet.
    pub(super) look: Option<Look>,
    pub(super) mode: Mode,
    /// What names must contain, in small letters.
    pub(super) filter: String,
    pub(super) sort: Column,
    /// The other way round: numbers begin with the largest, names with the first.
    pub(super) is_reversed: bool,
    /// The place of the marked row among [`Self::rows`].
    pub(super) marked: usize,
    /// Whether new looks are left aside, so that one can read.
    pub(super) is_frozen: bool,
    pub(super) is_over: bool,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line<'a> {
    Topic(&'a Row),
    Channel(&'a Row),
}

impl<'a> Line<'a> {
    pub(super) fn row(self) -> &'a Row {
        match self {
            Self::Topic(row) | Self::Channel(row) => row,
        }
    }
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            look: None,
            mode: Mode::Browsing,
            filter: String::new(),
            sort: Column::Name,
            is_reversed: false,
            marked: 0,
            is_frozen: false,
            is_over: false,
        }
    }

    /// The cluster was looked at.
    pub(super) fn on_look(&mut self, look: Look) {
        if !self.is_frozen || self.look.is_none() {
            self.look = Some(look);
            self.mark(self.marked);
        }
    }

    /// A key was pressed.
    pub(super) fn on_key(&mut self, key: Key) {
        if key == Key::Interrupt {
            self.is_over = true;
            return;
        }
        match self.mode {
            Mode::Browsing => self.browse(key),
            Mode::Typing => self.type_filter(key),
            Mode::Help => self.mode = Mode::Browsing,
        }
    }

    fn browse(&mut self, key: Key) {
        let last = self.rows().len().saturating_sub(1);
        match key {
            Key::Letter('q') => self.is_over = true,
            Key::Letter('?' | 'h') => self.mode = Mode::Help,
            Key::Letter('/') => self.mode = Mode::Typing,
            Key::Letter(' ' | 'p') => self.is_frozen = !self.is_frozen,
            Key::Escape => {
                self.filter.clear();
                self.mark(0);
            }
            Key::Up | Key::Letter('k') => self.mark(self.marked.saturating_sub(1)),
            Key::Down | Key::Letter('j') => self.mark(self.marked + 1),
            Key::PageUp => self.mark(self.marked.saturating_sub(PAGE_ROWS)),
            Key::PageDown => self.mark(self.marked + PAGE_ROWS),
            Key::Home | Key::Letter('g') => self.mark(0),
            Key::End | Key::Letter('G') => self.mark(last),
            Key::Left => self.sort_beside(-1),
            Key::Right => self.sort_beside(1),
            Key::Letter(letter) => {
                if let Some(column) = Column::by_key(letter) {
                    self.is_reversed = self.sort == column && !self.is_reversed;
                    self.sort = column;
                }
            }
            Key::Backspace | Key::Enter | Key::Interrupt => {}
        }
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Letter(letter) => self.filter.extend(letter.to_lowercase()),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Browsing;
            }
            Key::Enter => self.mode = Mode::Browsing,
            _ => {}
        }
        self.mark(0);
    }

    fn mark(&mut self, place: usize) {
        self.marked = place.min(self.rows().len().saturating_sub(1));
    }

    fn sort_beside(&mut self, step: isize) {
        let place = Column::ALL.iter().position(|column| *column == self.sort).unwrap_or_default();
        let place = place.checked_add_signed(step);
        if let Some(column) = place.and_then(|place| Column::ALL.get(place)) {
            self.sort = *column;
            self.is_reversed = false;
        }
    }

    /// What the filter leaves, sorted: every topic with its channels behind it.
    pub(super) fn rows(&self) -> Vec<Line<'_>> {
        let topics = self.look.iter().flat_map(|look| &look.topics);
        let mut topics: Vec<_> = topics.filter_map(|topic| self.filtered(topic)).collect();
        topics.sort_by(|(a, a_channels), (b, b_channels)| {
            let weight = |topic: &Row, channels: &[&Row]| {
                let weights = channels.iter().map(|channel| self.sort.weight(channel));
                weights.fold(self.sort.weight(topic), f64::max)
            };
            let (a_weight, b_weight) = (weight(a, a_channels), weight(b, b_channels));
            self.order((a_weight, &a.name), (b_weight, &b.name))
        });
        let mut rows = Vec::new();
        for (topic, mut channels) in topics {
            channels.sort_by(|a, b| {
                let weight = |row: &Row| self.sort.weight(row);
                self.order((weight(a), &a.name), (weight(b), &b.name))
            });
            rows.push(Line::Topic(topic));
            rows.extend(channels.into_iter().map(Line::Channel));
        }
        rows
    }

    /// A topic whose name fits is there with all channels, others with those that fit.
    fn filtered<'a>(&self, topic: &'a TopicRow) -> Option<(&'a Row, Vec<&'a Row>)> {
        let fits = |row: &Row| row.name.to_lowercase().contains(&self.filter);
        let is_whole = fits(&topic.row);
        let channels: Vec<_> =
            topic.channels.iter().filter(|channel| is_whole || fits(channel)).collect();
        (is_whole || !channels.is_empty()).then_some((&topic.row, channels))
    }

    /// Large numbers first, equal ones by name.
    fn order(&self, (a, a_name): (f64, &str), (b, b_name): (f64, &str)) -> Ordering {
        let by_number = b.total_cmp(&a);
        let order = by_number.then_with(|| a_name.cmp(b_name));
        if self.is_reversed { order.reverse() } else { order }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::look::Consumed;
    use super::*;

    fn row(name: &str, depth: i64, consumed: Option<Consumed>) -> Row {
        let (ingress, egress) = (Some(depth as f64 / 4.0), Some(0.0));
        Row { name: name.to_owned(), is_paused: false, depth, ingress, egress, consumed }
    }

    fn channel(name: &str, depth: i64, clients: i64) -> Row {
        let consumed = Consumed { clients, deferred: 12, ..Consumed::default() };
        row(name, depth, Some(consumed))
    }

    /// Two topics of two channels each.
    pub(in crate::top) fn look() -> Look {
        let orders = TopicRow {
            row: row("orders", 0, None),
            channels: vec![channel("archive", 1500, 0), channel("billing", 3, 2)],
        };
        let paused = Row { is_paused: true, ..channel("Mail", 40, 1) };
        let users = TopicRow {
            row: row("users", 7, None),
            channels: vec![paused, channel("search", 0, 5)],
        };
        Look { topics: vec![orders, users], node_count: 2, failures: Vec::new() }
    }

    pub(in crate::top) fn model(keys: &str) -> Model {
        let mut model = Model::new();
        model.on_look(look());
        for key in keys.chars() {
            model.on_key(match key {
                '\n' => Key::Enter,
                '\x1b' => Key::Escape,
                '\x08' => Key::Backspace,
                letter => Key::Letter(letter),
            });
        }
        model
    }

    #[track_caller]
    fn check(keys: &str, expected: &[&str]) {
        let model = model(keys);
        let names: Vec<_> = model.rows().iter().map(|line| &*line.row().name).collect();
        assert_eq!(names, expected, "{keys:?}");
    }

    #[test]
    fn sorting() {
        check("", &["orders", "archive", "billing", "users", "Mail", "search"]);
        check("n", &["users", "search", "Mail", "orders", "billing", "archive"]);
        check("d", &["orders", "archive", "billing", "users", "Mail", "search"]);
        check("dd", &["users", "search", "Mail", "orders", "billing", "archive"]);
        check("c", &["users", "search", "Mail", "orders", "billing", "archive"]);
        check("cn", &["orders", "archive", "billing", "users", "Mail", "search"]);
        let mut model = model("");
        model.on_key(Key::Left);
        assert_eq!(model.sort, Column::Name);
        model.on_key(Key::Right);
        assert_eq!(model.sort, Column::Depth);
    }

    #[test]
    fn filtering() {
        check("/bill", &["orders", "billing"]);
        check("/MAIL\n", &["users", "Mail"]);
        check("/users", &["users", "Mail", "search"]);
        check("/nothing", &[]);
        check("/bill\x1b", &["orders", "archive", "billing", "users", "Mail", "search"]);
        check("/bill\n\x1b", &["orders", "archive", "billing", "users", "Mail", "search"]);
        check("/users!\x08", &["users", "Mail", "search"]);
        assert!(!model("/q").is_over, "letters belong to the filter");
        assert!(model("/q\nq").is_over);
    }

    #[test]
    fn the_mark_stays_inside() {
        let mut model = model("jjj");
        assert_eq!(model.marked, 3);
        for (key, expected) in [
            (Key::PageDown, 5),
            (Key::Down, 5),
            (Key::Up, 4),
            (Key::Home, 0),
            (Key::Up, 0),
            (Key::End, 5),
            (Key::PageUp, 0),
        ] {
            model.on_key(key);
            assert_eq!(model.marked, expected, "{key:?}");
        }
        model.on_key(Key::End);
        model.on_look(Look::default());
        assert_eq!(model.marked, 0);
    }

    #[test]
    fn looks_and_freezing() {
        let mut frozen = model(" ");
        frozen.on_look(Look::default());
        assert_eq!(frozen.look, Some(look()));
        frozen.on_key(Key::Letter('p'));
        frozen.on_look(Look::default());
        assert_eq!(frozen.look, Some(Look::default()));
    }

    #[test]
    fn help_and_the_end() {
        let mut model = model("?");
        assert_eq!(model.mode, Mode::Help);
        model.on_key(Key::Letter('q'));
        assert_eq!((model.mode, model.is_over), (Mode::Browsing, false));
        model.on_key(Key::Letter('/'));
        model.on_key(Key::Interrupt);
        assert!(model.is_over);
    }
}
