//! A terminal on which a table is drawn over itself, and left as it was found but for the last table.
//! Refuses to know what is in the table.

use std::io::{self, Write};
use std::os::fd::AsFd;

use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType};
use crossterm::{QueueableCommand, queue};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

use crate::said::columns;

/// What is assumed of a terminal that does not know its size.
const USUAL: (usize, usize) = (80, 24);

/// A terminal while it is drawn on.
pub(crate) struct Screen<W: Write + AsFd> {
    terminal: W,
    /// The lines that stand there; the cursor is behind the last.
    drawn: Vec<String>,
    /// How the terminal was, where it was changed.
    before: Option<Termios>,
    is_entered: bool,
}

impl<W: Write + AsFd> Screen<W> {
    /// Begins on the line where the cursor is.
    pub(crate) fn new(terminal: W) -> Screen<W> {
        Screen { terminal, drawn: Vec::new(), before: None, is_entered: false }
    }

    /// See [`size`].
    pub(crate) fn size(&self) -> (usize, usize) {
        size(&self.terminal)
    }

    /// Draws the table over the one before. The first one hides the cursor and what is typed.
    pub(crate) fn draw(&mut self, table: Vec<String>) -> io::Result<()> {
        if self.is_entered && table == self.drawn {
            return Ok(());
        }
        let mut frame = Vec::new();
        if !self.is_entered {
            self.is_entered = true;
            self.before = hide_typing(&self.terminal);
            frame.queue(Hide)?;
        }
        redraw(&mut frame, &self.drawn, &table, self.size().0)?;
        self.drawn = table;
        self.terminal.write_all(&frame)?;
        self.terminal.flush()
    }

    /// Leaves the table where it is and goes to the line below it. What is drawn next is drawn there.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.is_entered) {
            return Ok(());
        }
        if let Some(before) = self.before.take() {
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &before);
        }
        let end = if self.drawn.is_empty() { "" } else { "\r\n" };
        self.drawn.clear();
        queue!(self.terminal, Print(end), Show)?;
        self.terminal.flush()
    }
}

impl<W: Write + AsFd> Drop for Screen<W> {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

/// What is written to bring `new` where `old` is: the whole table at once, so that nothing flickers.
fn redraw(frame: &mut Vec<u8>, old: &[String], new: &[String], width: usize) -> io::Result<()> {
    // A terminal that became narrower has wrapped what stood there.
    let lines: usize = old.iter().map(|line| columns(line).div_ceil(width + 1).max(1)).sum();
    frame.queue(MoveToColumn(0))?;
    if lines > 1 {
        frame.queue(MoveUp(u16::try_from(lines - 1).unwrap_or(u16::MAX)))?;
    }
    for (number, line) in new.iter().enumerate() {
        let end = if number > 0 { "\r\n" } else { "" };
        queue!(frame, Print(end), Print(line), Clear(ClearType::UntilNewLine))?;
    }
    frame.queue(Clear(ClearType::FromCursorDown))?;
    Ok(())
}

/// Columns and lines that may be drawn on. One column less than there is: what stands in the last one is treated in as
/// many ways as there are terminals.
pub(crate) fn size(terminal: &impl AsFd) -> (usize, usize) {
    let (width, height) = match tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL,
    };
    (width - 1, height)
}

/// What is typed would stand in the middle of the table, and Enter would move it. Returns how the terminal was.
fn hide_typing(terminal: &impl AsFd) -> Option<Termios> {
    // Changing the terminal of others stops a program that runs in the background.
    if tcgetpgrp(terminal).ok()? != getpgrp() {
        return None;
    }
    let before = tcgetattr(terminal).ok()?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
    tcsetattr(terminal, OptionalActions::Now, &quiet).ok()?;
    Some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(old: &[&str], new: &[&str], width: usize) -> String {
        let [old, new] = [old, new].map(|lines| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>());
        let mut frame = Vec::new();
        redraw(&mut frame, &old, &new, width).unwrap();
        String::from_utf8(frame).unwrap()
    }

    #[test]
    fn a_table_over_the_one_before() {
        assert_eq!(written(&[], &["a", "b"], 9), "\x1b[1Ga\x1b[K\r\nb\x1b[K\x1b[J");
        assert_eq!(written(&["a", "b"], &["c"], 9), "\x1b[1G\x1b[1Ac\x1b[K\x1b[J");
        // Of five columns, the first line takes two lines.
        assert_eq!(written(&["aaaaaa", "b"], &["c"], 4), "\x1b[1G\x1b[2Ac\x1b[K\x1b[J");
    }
}
