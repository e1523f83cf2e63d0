//! What is known of all clocks: news in, rows out. Pure: knows no socket and no terminal, and is told the time.

use std::time::Duration;

use crate::target::Target;

/// What is heard of a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is being asked.
    Asked,
    /// It told this time.
    Told(String),
    /// It failed, and will be asked again when the wall's own time is this.
    Failed {
        /// A few words, safe to show.
        why: String,
        /// When the next try begins.
        again: Duration,
    },
}

/// What is known of one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) address: String,
    /// The last time that it told; old unless it is [`State::Telling`].
    pub(crate) time: Option<String>,
    pub(crate) state: State,
}

/// How a clock is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing has been heard of it yet.
    Asked,
    /// It tells the time.
    Telling,
    /// It failed.
    Failed { why: String, again: Again },
}

/// When a clock that failed is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// When the wall's own time is this.
    At(Duration),
    /// It is being asked.
    Now,
    Never,
}

/// All of them, in the order in which they were typed.
#[derive(Debug)]
pub(crate) struct Wall {
    rows: Vec<Row>,
}

impl Wall {
    pub(crate) fn new(targets: &[Target]) -> Wall {
        let row = |target: &Target| Row {
            name: target.name.clone(),
            address: target.address.clone(),
            time: None,
            state: State::Asked,
        };
        Wall { rows: targets.iter().map(row).collect() }
    }

    /// Takes in what was heard of the clock with this number, counted from 0. Its row, if there is something new to say.
    pub(crate) fn hear(&mut self, number: usize, news: News) -> Option<&Row> {
        let row = self.rows.get_mut(number)?;
        let is_new = match news {
            News::Asked => {
                if let State::Failed { again, .. } = &mut row.state {
                    *again = Again::Now;
                }
                false
            }
            News::Told(time) => {
                let is_new = row.state != State::Telling || row.time.as_ref() != Some(&time);
                (row.time, row.state) = (Some(time), State::Telling);
                is_new
            }
            News::Failed { why, again } => {
                row.state = State::Failed { why, again: Again::At(again) };
                true
            }
        };
        is_new.then_some(row)
    }

    /// No more is awaited: whoever has said nothing so far is silent, and nobody is asked again.
    pub(crate) fn close(&mut self) {
        for row in &mut self.rows {
            match &mut row.state {
                State::Asked => row.state = State::Failed { why: no_answer(&row.address), again: Again::Never },
                State::Failed { again, .. } => *again = Again::Never,
                State::Telling => {}
            }
        }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether this clock has ever told a time.
    pub(crate) fn has_told(&self, number: usize) -> bool {
        self.rows.get(number).is_some_and(|row| row.time.is_some())
    }

    /// Whether something is known of each.
    pub(crate) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.state != State::Asked)
    }

    /// Whether each tells the time.
    pub(crate) fn is_well(&self) -> bool {
        self.rows.iter().all(|row| row.state == State::Telling)
    }
}

/// What is said of who says nothing.
pub(crate) fn no_answer(address: &str) -> String {
    format!("no answer from {address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(time: &str) -> News {
        News::Told(time.to_string())
    }

    #[test]
    fn a_row_speaks_when_something_changes() {
        let target = |name: &str| Target { name: name.to_string(), address: format!("{name}:1") };
        let mut wall = Wall::new(&[target("a"), target("b")]);
        let failed = News::Failed { why: "gone".to_string(), again: Duration::from_secs(2) };
        assert!(wall.hear(0, News::Asked).is_none() && wall.hear(7, failed.clone()).is_none());
        assert_eq!(wall.hear(0, told("09:00")).map(|row| row.time.clone()), Some(Some("09:00".to_string())));
        assert!(wall.hear(0, told("09:00")).is_none());
        assert!(wall.hear(0, told("09:01")).is_some() && !wall.is_complete());
        assert!(wall.hear(0, failed.clone()).is_some() && wall.hear(0, News::Asked).is_none());
        let row = &wall.rows()[0];
        assert_eq!(row.state, State::Failed { why: "gone".to_string(), again: Again::Now });
        assert_eq!(row.time.as_deref(), Some("09:01"), "the last time stays");
        assert!(wall.hear(0, told("09:01")).is_some(), "that it is back is news");
        wall.close();
        assert!(wall.is_complete() && !wall.is_well());
        assert_eq!(wall.rows()[1].state, State::Failed { why: "no answer from b:1".to_string(), again: Again::Never });
        wall.hear(1, told("10:00"));
        assert!(wall.is_well());
    }
}
