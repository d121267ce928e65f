//! The terminal: taken over, given back, and its keys.

use std::io;
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::model::{Key, Model};
use super::screen;

/// How many keys may wait for a slow screen.
const KEYS_WAITING: usize = 64;

/// The screen as a whole, until this is dropped. A panic gives it back, too: ratatui sees to that.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                // Part of it may be done already.
                ratatui::restore();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, model: &Model, interval: Duration) -> io::Result<()> {
        self.terminal.draw(|frame| {
            screen::draw(model, interval, frame.area(), frame.buffer_mut());
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// What is typed; nothing for what changes only the picture. Read by a thread that ends with the
/// process: it cannot be woken while nothing is typed.
pub(super) fn keys() -> mpsc::Receiver<io::Result<Option<Key>>> {
    let (sender, keys) = mpsc::channel(KEYS_WAITING);
    thread::spawn(move || {
        loop {
            let event = event::read();
            let is_last = event.is_err();
            if sender.blocking_send(event.map(meaning)).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

fn meaning(event: Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.contains(KeyModifiers::CONTROL) {
        return (code == KeyCode::Char('c')).then_some(Key::Interrupt);
    }
    Some(match code {
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_what_is_none() {
        let key = |code, modifiers| meaning(Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Key::Letter('G')));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::CONTROL), None);
        assert_eq!(key(KeyCode::F(1), KeyModifiers::NONE), None);
        assert_eq!(meaning(Event::Resize(80, 24)), None);
        let released = KeyEvent {
            kind: KeyEventKind::Release,
            ..KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)
        };
        assert_eq!(meaning(Event::Key(released)), None);
    }
}
