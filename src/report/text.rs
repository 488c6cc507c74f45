//! The report as a person reads it.
//!
//! Formats into a [`Buffer`]; allocates nothing, asks nobody. The first line is made apart
//! ([`first_line`]), because it must be out before anything else is looked at.

use core::fmt;

use super::buffer::{Buffer, width};
use super::frames::{self, Beside, Folded, Location};
use super::native::{self, Frame};
use super::scene::Scene;
use super::{Action, Kind, Violation, advice};
use crate::lineage::{Fork, Moment};

/// Columns of a report.
const COLUMNS: usize = 100;
/// Columns of its prose: long lines of prose are hard to read.
const PROSE: usize = 88;
/// Native frames shown of a stack without Python.
const NATIVE: usize = 4;
/// Forks shown of a longer chain, at each of its ends.
const FORKS: usize = 3;

/// The one line that says what happened and what is done about it.
pub fn first_line(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    out.put(format_args!(
        "{}forkguard: CUDA used in a forked process; {}{}\n",
        paint.of(if matches!(v.action, Action::Warn) { "1;33" } else { "1;31" }),
        Consequence { v, named: true },
        paint.end(),
    ));
}

/// The report without its first line.
pub fn rest(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    out.put_str("\n");
    explanation(out, v, scene);
    out.put_str("\n");
    steps(out, v, scene);
    out.put_str("\n");
    fix(out, v, scene);
}

/// The whole report; one line where a sibling already told it in full.
pub fn violation(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    if v.told_by.is_some() {
        told(out, v, scene);
        return;
    }
    first_line(out, v, scene);
    rest(out, v, scene);
}

/// One line for a process whose sibling already told the same in full.
pub fn told(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    out.put(format_args!(
        "{}forkguard: pid {}: CUDA used in a forked process (",
        paint.of(if matches!(v.action, Action::Warn) { "1;33" } else { "1;31" }),
        v.used.pid
    ));
    match frames::fold(&v.used.stack.python, Beside::Called) {
        Some(at) => out.put(format_args!("{}", Location { frame: at.line, cwd: scene.cwd })),
        None => out.put_str(v.used.function()),
    }
    out.put_str(")");
    if let Some(sibling) = v.told_by {
        out.put(format_args!(", as pid {sibling} already reported"));
    }
    out.put(format_args!("; {}{}\n", Consequence { v, named: false }, paint.end()));
}

/// What to say where the full report could not be made: another thread is making one.
pub fn short(out: &mut Buffer<'_>, v: &Violation<'_>) {
    out.put(format_args!(
        "  {} was called in pid {}; another thread of this process is reporting at this \
         moment, and its report\n  says where CUDA was initialised (pid {}) and how it was \
         forked.\n",
        v.used.function(),
        v.used.pid,
        v.initialised.pid
    ));
}

/// The first initialisation, for `FORKGUARD_VERBOSE=1`.
pub fn initialised(out: &mut Buffer<'_>, at: &Moment, scene: &Scene<'_>) {
    out.put(format_args!("forkguard: pid {} initialised CUDA ({})", at.pid, Call(at)));
    let python = &at.stack.python;
    if let Some(seen) = frames::fold(python, Beside::Called) {
        out.put_str(" at ");
        pair(out, &seen, scene);
    } else if let Some(frame) = native_frames(at).next() {
        out.put(format_args!(" at {frame}"));
    }
    if let Some(import) = frames::import(python) {
        out.put(format_args!(", in {}", ImportIs { import, scene }));
    }
    out.put_str("\n");
}

/// The first use of a driver function in this process, for `FORKGUARD_VERBOSE=2`.
pub fn first_use(out: &mut Buffer<'_>, pid: i32, function: &str, caller: usize) {
    out.put(format_args!("forkguard: pid {pid} uses {function}"));
    if let Some(library) = native::library(caller) {
        out.put(format_args!(", through {library}"));
    }
    out.put_str("\n");
}

fn pair(out: &mut Buffer<'_>, seen: &Folded<'_>, scene: &Scene<'_>) {
    let at = Location { frame: seen.line, cwd: scene.cwd };
    out.put(format_args!("{at} {}", seen.line.function));
}

/// Escape sequences, or nothing.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn of(self, code: &'static str) -> Code {
        Code(self.0.then_some(code))
    }

    fn end(self) -> Code {
        self.of("0")
    }
}

struct Code(Option<&'static str>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, "\x1b[{code}m"))
    }
}

/// What is done about it: `aborting pid 4242 (policy abort)`.
struct Consequence<'a> {
    v: &'a Violation<'a>,
    /// Whether the pid is still to be said.
    named: bool,
}

impl fmt::Display for Consequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.v;
        let pid = v.used.pid;
        match v.action {
            Action::Abort(None) if self.named => write!(f, "aborting pid {pid}")?,
            Action::Abort(None) => write!(f, "aborting")?,
            Action::Abort(Some(code)) if self.named => {
                write!(f, "ending pid {pid} with exit code {code}")?;
            }
            Action::Abort(Some(code)) => write!(f, "ending it with exit code {code}")?,
            Action::Warn => {
                if self.named {
                    write!(f, "pid {pid} goes on, ")?;
                } else {
                    write!(f, "it goes on, ")?;
                }
                f.write_str(match v.kind {
                    Kind::DriverCall => "and the call will fail",
                    Kind::TorchRefusal => "and PyTorch will raise its own error",
                    Kind::XlaCall => "and the call will hang",
                })?;
            }
        }
        write!(f, " (policy {})", v.policy)
    }
}

/// A call and the library it came through: `cuInit, through libcudart.so.13`.
struct Call<'a>(&'a Moment);

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.function())?;
        match native::library(self.0.caller) {
            Some(library) if native::is_shared(library) => write!(f, ", through {library}"),
            Some(program) => write!(f, ", called by {program}"),
            None => Ok(()),
        }
    }
}

/// An import, with where it is: `` `import mmcv` at app.py:3 ``.
struct ImportIs<'a> {
    import: frames::Import<'a>,
    scene: &'a Scene<'a>,
}

impl fmt::Display for ImportIs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Location { frame: self.import.at, cwd: self.scene.cwd };
        match self.import.module() {
            Some(module) => write!(f, "`import {module}` at {at}"),
            None => write!(f, "the import at {at}"),
        }
    }
}

/// Why it cannot work: the second paragraph.
fn explanation(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let parent = v.initialised.pid;
    out.put_str("  ");
    let from = out.len();
    let import = frames::import(&v.initialised.stack.python);
    if v.initialising {
        out.put(format_args!("Pid {parent} was still initialising CUDA when it "));
    } else {
        match import {
            Some(import) => {
                let import = ImportIs { import, scene };
                out.put(format_args!("{import} initialised CUDA in pid {parent} "));
            }
            None => out.put(format_args!("CUDA was initialised in pid {parent} ")),
        }
    }
    match (v.forks, v.initialising) {
        ([], true) => out.put_str("was copied into this process by a fork that was not seen."),
        ([], false) => out.put_str(
            "before this process was made from it by a fork that was not seen (a bare clone).",
        ),
        ([_], true) => out.put_str("forked this process."),
        ([_], false) => out.put_str("before it forked this process."),
        (many, true) => out.put(format_args!(
            "made the first of the {} forks that led to this process.",
            many.len()
        )),
        (many, false) => {
            out.put(format_args!("before the {} forks that led to this process.", many.len()));
        }
    }
    out.put_str(match v.kind {
        Kind::DriverCall => {
            " The driver refuses every call here (CUDA_ERROR_NOT_INITIALIZED); no retry can help."
        }
        Kind::TorchRefusal => {
            " PyTorch remembers that it was forked and refuses by itself, before it asks the \
             driver, which would refuse too (CUDA_ERROR_NOT_INITIALIZED); no retry can help."
        }
        Kind::XlaCall => {
            " XLA's threads were not copied with it: this call would wait for them for ever, \
             without an error."
        }
    });
    if v.context {
        out.put(format_args!(" Pid {parent} used the GPU: it had created a context."));
    } else {
        out.put(format_args!(" Pid {parent} only asked about CUDA: it had no context."));
    }
    out.wrap(from, 2, 2, PROSE);
    out.put_str("\n");
}

/// A nanosecond count as a person says it.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MS: u64 = 1_000_000;
        const S: u64 = 1000 * MS;
        let ns = self.0;
        if ns < MS {
            f.write_str("under 1 ms")
        } else if ns < S {
            write!(f, "{} ms", ns / MS)
        } else if ns < 60 * S {
            write!(f, "{}.{:02} s", ns / S, ns % S / (10 * MS))
        } else if ns < 3600 * S {
            write!(f, "{} min {} s", ns / (60 * S), ns / S % 60)
        } else {
            write!(f, "{} h {} min", ns / (3600 * S), ns / (60 * S) % 60)
        }
    }
}

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
            write!(f, "  {thread}")?;
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
fn steps(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
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
    if matches!(head, Head::Forked(_)) { Beside::Innermost } else { Beside::Called }
}

fn columns(v: &Violation<'_>, scene: &Scene<'_>) -> Columns {
    let mut columns = Columns { call: 0, function: 12, library: 20 };
    let mut consider = |head: &Head<'_>| {
        if head.names_call() {
            columns.call = columns.call.max(width(head));
        }
        if let Some(seen) = frames::fold(&head.moment().stack.python, beside(head)) {
            let place = width(&Location { frame: seen.line, cwd: scene.cwd });
            // One very long path shall not push everybody else's function out of the page.
            if place <= 32 {
                columns.function = columns.function.max(place + 1);
            }
            if seen.library.is_some() && seen.line.function.chars().count() <= 28 {
                columns.library =
                    columns.library.max(seen.line.function.chars().count() + 1);
            }
        }
    };
    consider(&Head::Initialised(v));
    consider(&Head::Used(v));
    for fork in shown_forks(v) {
        consider(&Head::Forked(fork));
    }
    columns
}

fn step(out: &mut Buffer<'_>, number: usize, head: &Head<'_>, scene: &Scene<'_>, at: &Columns) {
    let paint = Paint(scene.colour);
    let label = head.label();
    out.put(format_args!("  {number} {}{label}{}", paint.of("1"), paint.end()));
    let begin = 17;
    out.pad((begin - 3 - width(&number)).saturating_sub(label.len()));
    out.put(format_args!("{head}"));
    if head.names_call() {
        let call = Call(head.moment());
        let left = width(head);
        let aligned = at.call.max(left) + 4;
        let gap = if begin + aligned + width(&call) <= COLUMNS {
            Some(aligned - left)
        } else if begin + left + 2 + width(&call) <= COLUMNS {
            Some(2)
        } else {
            None
        };
        match gap {
            Some(gap) => out.pad(gap),
            None => {
                out.put_str("\n");
                out.pad(begin);
            }
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
    let place = Location { frame: seen.line, cwd: scene.cwd };
    let function = seen.line.function;
    let mut column = width(&place);
    out.pad(INDENT);
    out.put(format_args!("{}{place}{}", paint.of("1"), paint.end()));
    out.pad(at.function.saturating_sub(column).max(1));
    column = at.function.max(column + 1);
    out.put_str(function);
    let Some(library) = seen.library else {
        out.put_str("\n");
        return;
    };
    let beside = Location { frame: library, cwd: scene.cwd };
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
        library.function,
        paint.end()
    ));
}

/// The native frames worth showing: those of the program's own executable first.
fn native_frames(moment: &Moment) -> impl Iterator<Item = Frame> + '_ {
    let frames = |own: bool| {
        moment.stack.native().iter().map(|&address| Frame::new(address)).filter(move |frame| {
            let module = frame.module();
            !module.is_empty() && !native::is_noise(module) && own != native::is_shared(module)
        })
    };
    let unknown = moment
        .stack
        .native()
        .iter()
        .map(|&address| Frame::new(address))
        .filter(|frame| frame.located.is_none());
    frames(true).chain(frames(false)).chain(unknown).take(NATIVE)
}

/// What to do about it.
fn fix(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    let advice = advice::of(v);
    for (i, item) in advice.iter().enumerate() {
        if i == 0 {
            out.put(format_args!("  {}fix{}  ", paint.of("1;32"), paint.end()));
        } else {
            out.put_str(";\n       ");
        }
        let from = out.len();
        if i > 0 {
            out.put_str("or ");
        }
        out.put(format_args!("{}", item.display(scene.cwd)));
        out.wrap(from, 7, 7, COLUMNS - 1);
    }
    out.put_str("\n");
}
