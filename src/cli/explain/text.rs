//! What happened, for the terminal: 100 columns, colours that [`anstream`] takes out again where
//! nobody would see them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::cause::Class;
use super::source::{Excerpt, Sources};
use super::stack::{Frame, Item, Whose, fold};
use super::told::{Told, ToldStep};
use super::words;
use crate::event::plain;
use crate::time::{Stamp, range};

/// Columns of everything but paths and source.
const COLUMNS: usize = 100;
/// Columns of prose: long lines of it are hard to read.
const PROSE: usize = 88;
/// Where a cause's text begins.
const INDENT: usize = 3;
/// Where the calls stand in the head lines of steps.
const CALL: usize = 65;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const FIX: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

/// How it is written.
pub struct Writing<'a> {
    /// All frames, and nothing folded.
    pub full: bool,
    /// Where the reader is: paths below it are shown from here on.
    pub here: &'a Path,
    pub sources: &'a mut Sources,
}

impl Writing<'_> {
    /// One cause.
    pub fn cause(&mut self, number: usize, told: &Told<'_>) -> String {
        let group = told.group;
        let event = &group.example;
        let mut out = String::new();
        let colour = colour(group.class);
        let head = words::headline(group);
        let _ = writeln!(out, "{BOLD}{number:<2}{BOLD:#} {colour}{head}{colour:#}");
        let mut about = Vec::new();
        if let Some((first, last)) = group.times {
            about.push(range(first, last));
        }
        about.push(words::program(event));
        about.push(words::pids(group));
        prose(&mut out, &about.join("  "), INDENT, INDENT, COLUMNS);
        for paragraph in words::explanation(group) {
            out.push('\n');
            prose(&mut out, &paragraph, INDENT, INDENT, PROSE);
        }
        out.push('\n');
        let start = told.steps.first().and_then(|step| time(step));
        let mut changed = BTreeSet::new();
        for (i, step) in told.steps.iter().enumerate() {
            let last = i + 1 == told.steps.len();
            self.step(&mut out, told, step, last, start, &mut changed);
        }
        for (i, advice) in event.advice.iter().enumerate() {
            if i == 0 {
                let _ = write!(out, "\n   {FIX}fix{FIX:#}  ");
                prose(&mut out, &plain(advice), 0, 8, COLUMNS);
            } else {
                prose(&mut out, &format!("or {}", plain(advice)), 8, 8, COLUMNS);
            }
        }
        let mut notes = told.notes.clone();
        if !event.argv.is_empty() {
            notes.push(format!("started as {}", words::command(event)));
        }
        notes.extend(changed.into_iter().map(|file| {
            format!("{file} was changed after this was recorded: its lines may be others")
        }));
        if !notes.is_empty() {
            out.push('\n');
        }
        for note in notes {
            let _ = write!(out, "   {DIM}note{DIM:#} ");
            prose(&mut out, &note, 0, 8, COLUMNS);
        }
        out
    }

    fn step(
        &mut self,
        out: &mut String,
        told: &Told<'_>,
        step: &ToldStep<'_>,
        last: bool,
        start: Option<Stamp>,
        changed: &mut BTreeSet<String>,
    ) {
        let event = &told.group.example;
        let colour = if last { colour(told.group.class) } else { BOLD };
        let when = match (start, time(step)) {
            (Some(start), Some(at)) if at > start => format!("+{}", start.until(at)),
            (_, Some(at)) => at.fine(),
            _ => String::new(),
        };
        let head = format!(
            "{:<11}  {when:<12}  {}",
            words::name(step.step, told.group.class),
            words::who(step.step, step.moment, event)
        );
        let _ = write!(out, "   {colour}●{colour:#} {BOLD}{}{BOLD:#}", &head[..11]);
        let _ = write!(out, "{}", &head[11..]);
        let call = words::call(step.step, step.moment);
        // Behind the bullet and three spaces.
        let width = head.chars().count() + 5;
        let room = COLUMNS.saturating_sub(call.chars().count());
        let column = CALL.min(room).max(width + 2);
        if call.is_empty() {
        } else if column <= room {
            let _ = write!(out, "{:1$}{call}", "", column - width);
        } else {
            let _ = write!(out, "\n   {DIM}{}{DIM:#}   {call}", rail(last));
        }
        out.push('\n');
        self.stack(out, step, last, changed);
        if !last {
            let _ = writeln!(out, "   {DIM}│{DIM:#}");
        }
    }

    fn stack(
        &mut self,
        out: &mut String,
        step: &ToldStep<'_>,
        last: bool,
        changed: &mut BTreeSet<String>,
    ) {
        let line = |out: &mut String, text: &str| {
            let _ = writeln!(out, "   {DIM}{}{DIM:#}   {text}", rail(last));
        };
        if step.stack.omitted > 0 {
            line(
                out,
                &format!(
                    "{DIM}… {} not recorded{DIM:#}",
                    words::of(step.stack.omitted as usize, "frame", "frames")
                ),
            );
        }
        let frames = if self.full {
            &step.stack.frames
        } else {
            step.frames()
        };
        if step.inherited > 0 && !self.full {
            line(
                out,
                &format!(
                    "{DIM}… {} as at the fork{DIM:#}",
                    words::of(step.inherited, "frame", "frames")
                ),
            );
        }
        if frames.is_empty() {
            line(out, "(no stack could be read)");
        }
        let innermost = frames.iter().rfind(|frame| frame.whose == Whose::Own);
        for item in fold(frames, self.full) {
            let frame = match item {
                Item::Folded(frames, homes) => {
                    let many = words::of(frames.len(), "frame", "frames");
                    let of = if homes.is_empty() {
                        String::new()
                    } else {
                        format!(" of {homes}")
                    };
                    line(out, &format!("{DIM}… {many}{of}{DIM:#}"));
                    continue;
                }
                Item::Frame(frame) => frame,
            };
            line(out, &self.frame(frame));
            if frame.whose != Whose::Own && !self.full {
                continue;
            }
            let in_context = innermost.is_some_and(|own| std::ptr::eq(frame, own));
            if let Some(source) = step.source(frame, in_context, self.sources) {
                if source.newer {
                    changed.insert(frame.shown(self.here).into_owned());
                }
                excerpt(&source, |text| line(out, text));
            }
        }
        if !step.stack.between.is_empty() {
            line(
                out,
                &format!("{DIM}native frames between those of Python:{DIM:#}"),
            );
            for frame in &step.stack.between {
                line(out, &self.frame(frame));
            }
        }
    }

    fn frame(&self, frame: &Frame) -> String {
        let style = if frame.whose == Whose::Own { BOLD } else { DIM };
        let mut text = format!("{style}{}{style:#}", frame.place(self.here));
        if !frame.function.is_empty() {
            let _ = write!(text, "  {}", frame.function);
        }
        if frame.inlined {
            let _ = write!(text, " {DIM}(inlined){DIM:#}");
        }
        if let Some(module) = &frame.module
            && frame.names_file()
        {
            let _ = write!(text, "  {DIM}{module}+{:#x}{DIM:#}", frame.offset);
        } else if self.full && frame.module.is_some() && !frame.file.is_empty() {
            let _ = write!(text, "  {DIM}{}{DIM:#}", frame.file_and_line(self.here));
        }
        text
    }
}

fn rail(last: bool) -> &'static str {
    if last { " " } else { "│" }
}

fn time(step: &ToldStep<'_>) -> Option<Stamp> {
    Stamp::parse(&step.moment.time)
}

/// Lines of source, with the one that it is about marked.
fn excerpt(source: &Excerpt, mut line: impl FnMut(&str)) {
    for (number, text) in (source.first..).zip(&source.lines) {
        let (mark, style) = if number == source.at {
            ("▸", Style::new())
        } else {
            (" ", DIM)
        };
        // Behind the rail, the mark and the number.
        let room = COLUMNS - 17;
        let mut cut: String = text.chars().take(room).collect();
        if cut.len() < text.len() {
            cut.pop();
            cut.push('…');
        }
        line(format!("{mark} {DIM}{number:>5} │{DIM:#} {style}{cut}{style:#}").trim_end());
    }
}

fn colour(class: Class) -> Style {
    let colour = match class {
        Class::Violation => AnsiColor::Red,
        Class::Refused | Class::Attempted => AnsiColor::Yellow,
        Class::Revived | Class::Absent | Class::Rewritten => AnsiColor::Green,
        Class::Context | Class::Initialised => AnsiColor::Blue,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

/// Writes words, the first line from column `first` on and the others from `indent`.
fn prose(out: &mut String, text: &str, first: usize, indent: usize, columns: usize) {
    let _ = write!(out, "{:1$}", "", first);
    // What stands before it on its line is as wide as the other lines' indent.
    let mut column = indent;
    for (i, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if i > 0 && column + 1 + width > columns {
            let _ = write!(out, "\n{:1$}", "", indent);
            column = indent;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
}
