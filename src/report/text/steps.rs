//! The numbered part of the report: where CUDA was initialised, where the forks were, where it was
//! used. Each step is a head line and the frames under it, in columns that fit all of them.

use core::fmt;

use super::COLUMNS;
use super::words::{Call, Paint, Span};
use crate::lineage::{Fork, Moment};
use crate::report::Violation;
use crate::report::buffer::{Buffer, width};
use crate::report::frames::{self, Beside, Location, Plain};
use crate::report::native::{self, Frame};
use crate::report::scene::Scene;

/// Where the head lines' process begins.
const HEAD: usize = 17;

/// Columns between it and the call.
const GAP: usize = 4;

/// Native frames shown of a stack without Python.
const NATIVE: usize = 4;

/// Forks shown of a longer chain, at each of its ends.
const FORKS: usize = 3;

/// One line of the numbered part, without its frames.
enum Head<'a> {
    Initialised(&'a Violation<'a>),
    Forked(&'a Fork),
    Used(&'a Violation<'a>),
}

impl Head<'_> {
    fn moment(&self) -> &Moment {
        match self {
            Head::Initialised(v) => v.initialised,
            Head::Forked(fork) => &fork.at,
            Head::Used(v) => v.used,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Head::Initialised(_) => "initialised",
            Head::Forked(_) => "forked",
            Head::Used(_) => "used here",
        }
    }

    /// Whether the function is worth a word: of a fork, only an unusual one is.
    fn names_call(&self) -> bool {
        match self {
            Head::Forked(fork) => !matches!(fork.at.function(), "" | "fork" | "__fork" | "_Fork"),
            _ => !self.moment().function().is_empty(),
        }
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.moment();
        write!(f, "pid {}", moment.pid)?;
        if let Head::Forked(fork) = self {
            match fork.child {
                0 => f.write_str(" -> ?")?,
                child => write!(f, " -> {child}")?,
            }
        }
        let thread = moment.thread();
        if !thread.is_empty() {
            write!(f, "  {}", Plain(thread))?;
        }
        if let Head::Initialised(v) = self {
            if v.initialising {
                return f.write_str("  not yet done at the fork");
            }
            let (then, what) = match v.forks {
                [first, ..] => (first.at.monotonic_ns, "the fork"),
                [] => (v.used.monotonic_ns, "this use"),
            };
            if let Some(ns) = then.checked_sub(moment.monotonic_ns)
                && moment.monotonic_ns > 0
            {
                write!(f, "  {} before {what}", Span(ns))?;
            }
        }
        Ok(())
    }
}

/// Where the columns of the numbered part begin.
struct Columns {
    /// Of the calls at the right of the head lines.
    call: usize,
    /// Of the functions beside the places.
    function: usize,
    /// Of the library frames.
    library: usize,
}

/// The numbered part: initialised, forked, used here.
pub(super) fn steps(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let columns = columns(v, scene);
    let mut number = 1;
    step(out, number, &Head::Initialised(v), scene, &columns);
    for (i, fork) in v.forks.iter().enumerate() {
        number += 1;
        if i >= FORKS && i + FORKS < v.forks.len() {
            if i == FORKS {
                let between = v.forks.len() - 2 * FORKS;
                out.put(format_args!("  … {between} more of the same chain\n"));
            }
            continue;
        }
        step(out, number, &Head::Forked(fork), scene, &columns);
    }
    step(out, number + 1, &Head::Used(v), scene, &columns);
}

fn shown_forks<'a>(v: &'a Violation<'a>) -> impl Iterator<Item = &'a Fork> {
    let len = v.forks.len();
    v.forks
        .iter()
        .enumerate()
        .filter(move |(i, _)| *i < FORKS || i + FORKS >= len)
        .map(|(_, fork)| *fork)
}

fn beside(head: &Head<'_>) -> Beside {
    if matches!(head, Head::Forked(_)) {
        Beside::Innermost
    } else {
        Beside::Called
    }
}

fn columns(v: &Violation<'_>, scene: &Scene<'_>) -> Columns {
    let mut columns = Columns {
        call: 0,
        function: 12,
        library: 20,
    };
    let mut longest_call = 0;
    let mut consider = |head: &Head<'_>| {
        if head.names_call() {
            columns.call = columns.call.max(width(head));
            longest_call = longest_call.max(width(&Call(head.moment())));
        }
        if let Some(seen) = frames::fold(&head.moment().stack.python, beside(head)) {
            let place = width(&Location {
                frame: seen.line,
                cwd: scene.cwd,
            });
            // One very long path shall not push everybody else's function out of the page.
            if place <= 32 {
                columns.function = columns.function.max(place + 1);
            }
            if seen.library.is_some() && seen.line.function.chars().count() <= 28 {
                columns.library = columns.library.max(seen.line.function.chars().count() + 1);
            }
        }
    };
    consider(&Head::Initialised(v));
    consider(&Head::Used(v));
    for fork in shown_forks(v) {
        consider(&Head::Forked(fork));
    }
    columns.call = columns
        .call
        .min(COLUMNS.saturating_sub(HEAD + GAP + longest_call));
    columns
}

fn step(out: &mut Buffer<'_>, number: usize, head: &Head<'_>, scene: &Scene<'_>, at: &Columns) {
    let paint = Paint(scene.colour);
    let label = head.label();
    out.put(format_args!(
        "  {number} {}{label}{}",
        paint.of("1"),
        paint.end()
    ));
    out.pad((HEAD - 3 - width(&number)).saturating_sub(label.len()));
    out.put(format_args!("{head}"));
    if head.names_call() {
        let call = Call(head.moment());
        let left = width(head);
        let aligned = (at.call + GAP).max(left + 2);
        let gap = if HEAD + aligned + width(&call) <= COLUMNS {
            Some(aligned - left)
        } else if HEAD + left + 2 + width(&call) <= COLUMNS {
            Some(2)
        } else {
            None
        };
        if let Some(gap) = gap {
            out.pad(gap);
        } else {
            out.put_str("\n");
            out.pad(HEAD);
        }
        out.put(format_args!("{call}"));
    }
    out.put_str("\n");
    where_it_was(out, head, scene, at);
}

/// The frames of a step: the program's line and the library's beside it, or native ones.
fn where_it_was(out: &mut Buffer<'_>, head: &Head<'_>, scene: &Scene<'_>, at: &Columns) {
    const INDENT: usize = 6;
    let paint = Paint(scene.colour);
    let moment = head.moment();
    let Some(seen) = frames::fold(&moment.stack.python, beside(head)) else {
        let mut none = true;
        for frame in native_frames(moment) {
            none = false;
            out.pad(INDENT);
            out.put(format_args!("{frame}\n"));
        }
        if none {
            out.pad(INDENT);
            out.put_str("(no stack could be read)\n");
        }
        return;
    };
    let place = Location {
        frame: seen.line,
        cwd: scene.cwd,
    };
    let function = seen.line.function;
    let mut column = width(&place);
    out.pad(INDENT);
    out.put(format_args!("{}{place}{}", paint.of("1"), paint.end()));
    out.pad(at.function.saturating_sub(column).max(1));
    column = at.function.max(column + 1);
    out.put(format_args!("{}", Plain(function)));
    let Some(library) = seen.library else {
        out.put_str("\n");
        return;
    };
    let beside = Location {
        frame: library,
        cwd: scene.cwd,
    };
    let used = column + function.chars().count();
    let target = (column + at.library).max(used + 2);
    let needed = width(&beside) + 2 + library.function.chars().count();
    if INDENT + target + needed <= COLUMNS {
        out.pad(target - used);
    } else if INDENT + used + 2 + needed <= COLUMNS {
        out.put_str("  ");
    } else {
        out.put_str("\n");
        out.pad(INDENT + 2);
    }
    out.put(format_args!(
        "{}{beside}  {}{}\n",
        paint.of("2"),
        Plain(library.function),
        paint.end()
    ));
}

/// The native frames worth showing: those of the program's own executable first.
pub(super) fn native_frames(moment: &Moment) -> impl Iterator<Item = Frame> + '_ {
    let frames = |own: bool| {
        moment
            .stack
            .native()
            .iter()
            .map(|&address| Frame::new(address))
            .filter(move |frame| {
                let module = frame.module();
                !module.is_empty() && !native::is_noise(frame) && own != native::is_shared(module)
            })
    };
    let unknown = moment
        .stack
        .native()
        .iter()
        .map(|&address| Frame::new(address))
        .filter(|frame| frame.located.is_none());
    frames(true)
        .chain(frames(false))
        .chain(unknown)
        .take(NATIVE)
}
