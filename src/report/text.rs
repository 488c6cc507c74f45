//! The report as a person reads it.
//!
//! Formats into a [`Buffer`]; allocates nothing, asks nobody. The first line is made apart
//! ([`first_line`]), because it must be out before anything else is looked at.

use core::fmt;

use super::buffer::{Buffer, width};
use super::frames::{self, Beside, Folded, Location, Plain};
use super::native::{self, Frame};
use super::scene::Scene;
use super::{Action, Kind, LISTED, Served, Service, Violation, advice};
use crate::lineage::{Fork, Moment};
use crate::policy::exec::Rewrite;
use crate::policy::revive;

/// Columns of a report.
const COLUMNS: usize = 100;
/// Columns of its prose: long lines of prose are hard to read.
const PROSE: usize = 88;
/// Where the head lines' process begins.
const HEAD: usize = 17;
/// Columns between it and the call.
const GAP: usize = 4;
/// Native frames shown of a stack without Python.
const NATIVE: usize = 4;
/// Forks shown of a longer chain, at each of its ends.
const FORKS: usize = 3;

/// The one line that says what happened and what is done about it.
pub fn first_line(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    out.put(format_args!(
        "{}forkguard: CUDA used in a forked process; {}{}\n",
        paint.of(if matches!(v.action, Action::Warn) {
            "1;33"
        } else {
            "1;31"
        }),
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
        paint.of(if matches!(v.action, Action::Warn) {
            "1;33"
        } else {
            "1;31"
        }),
        v.used.pid
    ));
    match frames::fold(&v.used.stack.python, Beside::Called) {
        Some(at) => out.put(format_args!(
            "{}",
            Location {
                frame: at.line,
                cwd: scene.cwd
            }
        )),
        None => out.put_str(v.used.function()),
    }
    out.put_str(")");
    if let Some(sibling) = v.told_by {
        out.put(format_args!(", as pid {sibling} already reported"));
    }
    out.put(format_args!(
        "; {}{}\n",
        Consequence { v, named: false },
        paint.end()
    ));
    if v.repeats >= LISTED {
        out.put(format_args!(
            "forkguard: {LISTED} processes met this cause after the first; further ones are not \
             listed here\n"
        ));
    }
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
    out.put(format_args!(
        "forkguard: pid {} initialised CUDA ({})",
        at.pid,
        Call(at)
    ));
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

/// A fork that became a fresh process, or did not, for `FORKGUARD_VERBOSE=1`.
pub fn rewritten(out: &mut Buffer<'_>, rewrite: &Rewrite<'_>, at: &Moment) {
    let process = Plain(rewrite.process);
    if rewrite.replaced.is_some() {
        let (pid, function) = (at.pid, at.function());
        match rewrite.child {
            Some(_) => out.put(format_args!(
                "forkguard: pid {pid} used CUDA in a forked process ({function}); FORKGUARD_EXEC \
                 runs in its place: {process}\n"
            )),
            None => out.put(format_args!(
                "forkguard: pid {pid}: FORKGUARD_EXEC does not run in its place: {}\n",
                rewrite.reason
            )),
        }
        return;
    }
    match rewrite.child {
        Some(child) => out.put(format_args!(
            "forkguard: pid {}: the fork of {process} is a fresh process, pid {child} \
             (by {}, {} KB carried, {} ms)\n",
            at.pid,
            rewrite.way,
            rewrite.payload.div_ceil(1024),
            rewrite.took_us / 1000
        )),
        None => out.put(format_args!(
            "forkguard: pid {}: the fork of {process} stays a fork: {}\n",
            at.pid, rewrite.reason
        )),
    }
    if rewrite.child.is_some() && !rewrite.reason.is_empty() {
        out.put(format_args!("forkguard: {}\n", rewrite.reason));
    }
}

/// A forked process that used CUDA and goes on, for `FORKGUARD_VERBOSE=1`.
pub fn served(out: &mut Buffer<'_>, served: &Served<'_>, scene: &Scene<'_>) {
    let used = served.used;
    out.put(format_args!(
        "forkguard: pid {} used CUDA in a forked process ({}",
        used.pid,
        used.function()
    ));
    if let Some(seen) = frames::fold(&used.stack.python, Beside::Called) {
        out.put_str(" at ");
        pair(out, &seen, scene);
    }
    match served.service {
        Service::Absent => out.put_str("): CUDA is absent in it (policy cpu)\n"),
        Service::Revived { took_us, driver_us } => out.put(format_args!(
            "): it has a driver of its own now (policy revive, {}.{} ms, of which {}.{} ms are \
             the driver's)\n",
            (took_us + driver_us) / 1000,
            (took_us + driver_us) % 1000 / 100,
            driver_us / 1000,
            driver_us % 1000 / 100,
        )),
        Service::NotRevived => out.put(format_args!(
            "): it gets no driver of its own (policy revive): {}\n",
            revive::refusal().unwrap_or("no reason is known")
        )),
    }
}

/// The first use of a driver function in this process, for `FORKGUARD_VERBOSE=2`.
pub fn first_use(out: &mut Buffer<'_>, pid: i32, function: &str, caller: usize) {
    out.put(format_args!("forkguard: pid {pid} uses {function}"));
    if let Some(library) = native::library(caller) {
        out.put(format_args!(", through {}", Plain(library)));
    }
    out.put_str("\n");
}

fn pair(out: &mut Buffer<'_>, seen: &Folded<'_>, scene: &Scene<'_>) {
    let at = Location {
        frame: seen.line,
        cwd: scene.cwd,
    };
    out.put(format_args!("{at} {}", Plain(seen.line.function)));
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
            Action::Warn | Action::Watch => {
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
            Some(library) if native::is_shared(library) => {
                write!(f, ", through {}", Plain(library))
            }
            Some(program) => write!(f, ", called by {}", Plain(program)),
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
        let at = Location {
            frame: self.import.at,
            cwd: self.scene.cwd,
        };
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
    let from = out.end();
    let import = frames::import(&v.initialised.stack.python);
    if v.initialising {
        out.put(format_args!(
            "Pid {parent} was still initialising CUDA when it "
        ));
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
            out.put(format_args!(
                "before the {} forks that led to this process.",
                many.len()
            ));
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
        out.put(format_args!(
            " Pid {parent} used the GPU: it had created a context."
        ));
    } else {
        out.put(format_args!(
            " Pid {parent} only asked about CUDA: it had no context."
        ));
    }
    out.wrap(from, 2, 2, PROSE);
    out.put_str("\n");
    let refusals = [
        (
            "exec could not start a fresh process in its place",
            v.refusal,
        ),
        (
            "revive could not give it a driver of its own",
            v.not_revived,
        ),
    ];
    for (what, reason) in refusals {
        let Some(reason) = reason else { continue };
        out.put_str("\n  ");
        let from = out.end();
        out.put(format_args!("Policy {what}: {reason}."));
        out.wrap(from, 2, 2, PROSE);
        out.put_str("\n");
    }
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
fn native_frames(moment: &Moment) -> impl Iterator<Item = Frame> + '_ {
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
        let from = out.end();
        if i > 0 {
            out.put_str("or ");
        }
        out.put(format_args!("{}", item.display(scene.cwd)));
        out.wrap(from, 7, 7, COLUMNS - 1);
    }
    out.put_str("\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, FORKED, IMPORT, Story, TORCH, moment};

    const SCENE: Scene<'static> = Scene {
        cwd: "/home/me",
        ..Scene::UNKNOWN
    };

    fn shown(make: impl FnOnce(&mut Buffer<'_>)) -> String {
        let mut bytes = vec![0; 16 * 1024];
        let mut out = Buffer::new(&mut bytes);
        make(&mut out);
        String::from_utf8(out.finish().to_vec()).unwrap()
    }

    fn report(story: &Story) -> String {
        story.tell(|v| shown(|out| violation(out, v, &SCENE)))
    }

    #[test]
    fn the_report_in_full() {
        let expected = "\
forkguard: CUDA used in a forked process; aborting pid 4242 (policy abort)

  CUDA was initialised in pid 4200 before it forked this process. The driver refuses
  every call here (CUDA_ERROR_NOT_INITIALIZED); no retry can help. Pid 4200 only asked
  about CUDA: it had no context.

  1 initialised  pid 4200  MainThread  2.31 s before the fork    cuInit
      app.py:12   <module>            torch/cuda/__init__.py:174  is_available
  2 forked       pid 4200 -> 4242  MainThread
      app.py:31   main                multiprocessing/popen_fork.py:66  _launch
  3 used here    pid 4242  MainThread                            cuCtxGetDevice
      worker.py:9 load                torch/nn/modules/module.py:1050  cuda

  fix  app.py:12 only asks whether CUDA is there: run with PYTORCH_NVML_BASED_CUDA_CHECK=1, or ask
       in the worker;
       or start the workers with multiprocessing.get_context(\"spawn\") at app.py:31;
       or let forkguard do it: FORKGUARD_POLICY=exec
";
        assert_eq!(report(&sample::example()), expected);
    }

    #[test]
    fn the_first_line_is_the_reports_first_line() {
        let story = sample::example();
        let first = story.tell(|v| shown(|out| first_line(out, v, &SCENE)));
        let rest = story.tell(|v| shown(|out| rest(out, v, &SCENE)));
        assert_eq!(first + &rest, report(&story));
    }

    #[test]
    fn what_is_done_about_it() {
        let mut story = sample::example();
        for (action, kind, line) in [
            (
                Action::Abort(None),
                Kind::DriverCall,
                "aborting pid 4242 (policy abort)",
            ),
            (
                Action::Abort(Some(7)),
                Kind::DriverCall,
                "ending pid 4242 with exit code 7 (policy abort)",
            ),
            (
                Action::Warn,
                Kind::DriverCall,
                "pid 4242 goes on, and the call will fail (policy warn)",
            ),
            (
                Action::Warn,
                Kind::TorchRefusal,
                "pid 4242 goes on, and PyTorch will raise its own error (policy warn)",
            ),
            (
                Action::Warn,
                Kind::XlaCall,
                "pid 4242 goes on, and the call will hang (policy warn)",
            ),
        ] {
            story.action = action;
            story.kind = kind;
            let text = report(&story);
            let expected = format!("forkguard: CUDA used in a forked process; {line}");
            assert_eq!(text.lines().next(), Some(&*expected));
        }
    }

    #[test]
    fn a_sibling_told_it_already() {
        let mut story = sample::example();
        story.told_by = Some(4241);
        assert_eq!(
            report(&story),
            "forkguard: pid 4242: CUDA used in a forked process (worker.py:9), as pid 4241 already \
             reported; aborting (policy abort)\n"
        );
        story.action = Action::Warn;
        story.used = moment(4242, "cuInit", 2400, &[]);
        assert_eq!(
            report(&story),
            "forkguard: pid 4242: CUDA used in a forked process (cuInit), as pid 4241 already \
             reported; it goes on, and the call will fail (policy warn)\n"
        );
    }

    #[test]
    fn the_explanation_names_the_import() {
        let initialised = &[
            (TORCH, 174, "is_available"),
            ("/x/site-packages/mmcv/__init__.py", 5, "<module>"),
            IMPORT,
            ("/home/me/app.py", 3, "<module>"),
        ];
        let text = report(&Story::new(initialised, FORKED, sample::USED));
        assert!(
            text.contains("`import mmcv` at app.py:3 initialised CUDA in pid 4200"),
            "{text}"
        );
    }

    fn paragraph(story: &Story) -> String {
        let text = report(story);
        let second = text.split("\n\n").nth(1).unwrap().to_owned();
        second.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_explanation_by_what_was_touched() {
        let mut story = sample::example();
        story.context = true;
        assert!(paragraph(&story).ends_with("Pid 4200 used the GPU: it had created a context."));
        story.kind = Kind::TorchRefusal;
        assert!(paragraph(&story).contains("PyTorch remembers that it was forked"));
        story.kind = Kind::XlaCall;
        assert!(paragraph(&story).contains("would wait for them for ever"));
        assert!(!paragraph(&story).contains("CUDA_ERROR"));
    }

    #[test]
    fn the_explanation_by_how_it_was_forked() {
        let mut story = sample::example();
        story.initialising = true;
        assert!(
            paragraph(&story)
                .starts_with("Pid 4200 was still initialising CUDA when it forked this process.")
        );
        assert!(report(&story).contains("not yet done at the fork"));
        story.initialising = false;
        let child = Fork {
            at: *moment(4242, "fork", 2390, &[]),
            child: 4250,
        };
        story.forks.push(child);
        assert!(paragraph(&story).contains("before the 2 forks that led to this process."));
        story.forks.clear();
        assert!(paragraph(&story).contains("by a fork that was not seen (a bare clone)."));
        assert!(report(&story).contains("2.40 s before this use"));
    }

    #[test]
    fn every_fork_of_a_chain_is_numbered() {
        let mut story = sample::example();
        let at = moment(4242, "daemon", 2390, &[("/home/me/app.py", 50, "detach")]);
        story.forks.push(Fork { at: *at, child: 0 });
        let text = report(&story);
        assert!(
            text.contains("\n  2 forked       pid 4200 -> 4242  MainThread\n"),
            "{text}"
        );
        assert!(
            text.contains("\n  3 forked       pid 4242 -> ?  MainThread"),
            "{text}"
        );
        assert!(
            text.contains("  daemon\n      app.py:50   detach\n"),
            "{text}"
        );
        assert!(text.contains("\n  4 used here    pid 4242"), "{text}");
    }

    #[test]
    fn a_long_chain_is_shortened() {
        let mut story = sample::example();
        for i in 0..9 {
            let at = moment(5000 + i, "fork", 2390, &[]);
            story.forks.push(Fork {
                at: *at,
                child: 5001 + i,
            });
        }
        let text = report(&story);
        assert_eq!(text.matches(" forked  ").count(), 6, "{text}");
        assert!(text.contains("\n  … 4 more of the same chain\n"), "{text}");
        assert!(
            text.contains("\n  11 forked      pid 5008 -> 5009"),
            "{text}"
        );
        assert!(text.contains("\n  12 used here   pid 4242"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_page_where_it_can_be_helped() {
        let deep = "/home/me/some/rather/deep/folder/of/the/project/training_loop.py";
        let story = Story::new(
            &[
                (TORCH, 174, "is_available"),
                (deep, 1200, "Trainer.prepare_the_training"),
            ],
            &[
                (crate::report::sample::POPEN, 66, "_launch"),
                (deep, 1300, "Trainer.run"),
            ],
            &[(TORCH, 398, "_lazy_init"), ("/home/me/w.py", 9, "load")],
        );
        let text = report(&story);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        let place = "some/rather/deep/folder/of/the/project/training_loop.py:1200";
        assert!(text.contains(place), "{text}");
        assert!(
            text.contains("torch/cuda/__init__.py:174  is_available"),
            "{text}"
        );
    }

    #[test]
    fn no_stack_is_said() {
        let text = report(&Story::new(&[], &[], &[]));
        assert_eq!(
            text.matches("(no stack could be read)").count(),
            3,
            "{text}"
        );
    }

    #[test]
    fn native_frames_stand_in_for_python() {
        let mut story = Story::new(&[], &[], &[]);
        story.used.stack.native[0] = 0x1234;
        story.used.stack.native_len = 1;
        assert!(report(&story).contains("      0x1234\n"));
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        let story = sample::example();
        assert!(!report(&story).contains('\x1b'));
        let scene = Scene {
            colour: true,
            ..SCENE
        };
        let text = story.tell(|v| shown(|out| violation(out, v, &scene)));
        let plain = ["1;31", "1;32", "1", "2", "0"]
            .iter()
            .fold(text.clone(), |text, code| {
                text.replace(&format!("\x1b[{code}m"), "")
            });
        assert_ne!(text, plain);
        assert_eq!(plain, report(&story));
    }

    #[test]
    fn spans_as_a_person_says_them() {
        for (ns, said) in [
            (999_999, "under 1 ms"),
            (12_000_000, "12 ms"),
            (2_310_000_000, "2.31 s"),
            (59_999_000_000, "59.99 s"),
            (192_000_000_000, "3 min 12 s"),
            (7_500_000_000_000, "2 h 5 min"),
        ] {
            assert_eq!(Span(ns).to_string(), said);
        }
    }

    #[test]
    fn the_lines_of_the_verbose() {
        let at = moment(4200, "cuInit", 0, sample::INITIALISED);
        assert_eq!(
            shown(|out| initialised(out, &at, &SCENE)),
            "forkguard: pid 4200 initialised CUDA (cuInit) at app.py:12 <module>\n"
        );
        let import = [
            ("/x/site-packages/m/__init__.py", 5, "<module>"),
            IMPORT,
            ("a.py", 3, "f"),
        ];
        let at = moment(4200, "cuInit", 0, &import);
        assert_eq!(
            shown(|out| initialised(out, &at, &SCENE)),
            "forkguard: pid 4200 initialised CUDA (cuInit) at a.py:3 f, in `import m` at a.py:3\n"
        );
        assert_eq!(
            shown(|out| first_use(out, 42, "cuMemAlloc_v2", 0)),
            "forkguard: pid 42 uses cuMemAlloc_v2\n"
        );
    }
}
