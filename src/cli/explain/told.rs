//! A cause with all that can be told of it: its steps with their frames, read once for the
//! terminal or the page.

use super::group::Group;
use super::source::{Excerpt, Sources};
use super::stack::{Frame, Reading, Stack, inherited};
use super::symbols::Symbols;
use super::words::{self, Step};
use crate::event::Moment;
use crate::time::Stamp;

/// Lines shown on either side of a frame's.
const AROUND: u32 = 2;

/// A cause.
pub struct Told<'a> {
    /// Its events.
    pub group: &'a Group,
    /// What led there, oldest first.
    pub steps: Vec<ToldStep<'a>>,
    /// What the user should know of the files that were looked at.
    pub notes: Vec<String>,
}

/// A step that led there.
pub struct ToldStep<'a> {
    /// Which.
    pub step: Step,
    /// As it was recorded.
    pub moment: &'a Moment,
    /// Its frames.
    pub stack: Stack,
    /// How many of the outermost frames are those of the fork before.
    pub inherited: usize,
    /// When the event was, to be compared with its files'.
    time: Option<Stamp>,
}

impl<'a> Told<'a> {
    /// Reads what the files tell of a cause.
    pub fn new(group: &'a Group, symbols: &mut Symbols, sources: &mut Sources, full: bool) -> Self {
        let event = &group.example;
        let mut reading = Reading {
            symbols,
            sources,
            full,
        };
        let mut steps: Vec<ToldStep<'_>> = Vec::new();
        for (step, moment) in words::steps(event) {
            let stack = reading.stack(event, moment);
            let inherited = match steps.last() {
                Some(before) if before.step == Step::Forked => inherited(&before.stack, &stack),
                _ => 0,
            };
            steps.push(ToldStep {
                step,
                moment,
                stack,
                inherited,
                time: Stamp::parse(&event.time),
            });
        }
        Self {
            group,
            steps,
            notes: reading.symbols.notes(),
        }
    }
}

impl ToldStep<'_> {
    /// The frames that are this step's own.
    pub fn frames(&self) -> &[Frame] {
        &self.stack.frames[self.inherited..]
    }

    /// The source of a frame: with the lines around it where it is `in_context`.
    pub fn source(
        &self,
        frame: &Frame,
        in_context: bool,
        sources: &mut Sources,
    ) -> Option<Excerpt> {
        let around = if in_context { AROUND } else { 0 };
        sources.excerpt(&frame.file, frame.line, around, self.time)
    }
}
