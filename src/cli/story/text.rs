//! A story as a person reads it.

use std::fmt::Write;
use std::path::Path;

use super::{AfterFork, Process, Seen, place};
use crate::event::{Moment, PythonFrame, plain};
use crate::time::Span;
use crate::watch::Watched;

/// Columns of a line, where words can be wrapped.
const WIDTH: usize = 100;
/// Processes told one by one of those that did the same after a fork.
const ALIKE: usize = 4;
/// Native frames shown of a stack without Python.
const NATIVE: usize = 4;

/// The first line: who was first. `stood_in` says that the driver that refused is no real one.
pub fn headline(processes: &[Process], stood_in: bool) -> String {
    let initialised = processes
        .iter()
        .find_map(|process| process.initialised.as_ref().map(|seen| (process, seen)));
    if let Some((process, seen)) = initialised {
        return format!("CUDA was initialised first {}", who(process, seen));
    }
    let attempted = processes
        .iter()
        .find_map(|process| process.attempted.as_ref().map(|attempt| (process, attempt)));
    match attempted {
        Some((process, attempt)) if stood_in => format!(
            "CUDA would be initialised {}\n  (this machine has no driver, so the program was given \
             one that has no device)",
            who(process, &attempt.seen)
        ),
        Some((process, attempt)) => format!(
            "CUDA was asked for first {}; nobody initialised it: cuInit failed",
            who(process, &attempt.seen)
        ),
        None if processes.is_empty() => "nobody initialised CUDA".into(),
        None => "CUDA was used in a forked process; who initialised it was not seen".into(),
    }
}

fn who(process: &Process, seen: &Seen) -> String {
    let mut text = format!("by pid {}", process.pid);
    if let Some(ms) = seen.since_start_ms {
        let _ = write!(text, ", {} after the start", Span(ms));
    }
    if let Some(place) = &seen.place {
        let _ = write!(text, ", at {place}");
    }
    text
}

/// Everything that is known, process by process.
pub fn processes(all: &[Process], watched: &Watched, cwd: &Path) -> String {
    let mut text = String::new();
    // Hundreds of workers may do the same: what to do is told once, and of many they are counted.
    let mut alike: Vec<Alike> = Vec::new();
    for process in all {
        if let Some(after) = &process.used_after_fork
            && process.first().is_none()
            && let Some(known) = alike.iter_mut().find(|known| known.is(after))
            && known.count >= ALIKE
        {
            known.count += 1;
            continue;
        }
        let name = plain(process.argv0.rsplit('/').next().unwrap_or_default());
        let _ = write!(text, "\n  pid {}  {name}", process.pid);
        let _ = if process.pid == watched.pid {
            writeln!(text)
        } else {
            writeln!(text, ", a child of pid {}", process.ppid)
        };
        if let Some(attempt) = &process.attempted {
            moment(&mut text, "asked for", &attempt.seen, cwd);
            let result = match attempt.result {
                Some(name) => format!("{name} ({})", attempt.code),
                None => attempt.code.to_string(),
            };
            let _ = writeln!(text, "      the driver answered {result}");
        }
        if let Some(seen) = &process.initialised {
            moment(&mut text, "initialised", seen, cwd);
        }
        match &process.context {
            Some(seen) => moment(&mut text, "context", seen, cwd),
            None if process.initialised.is_some() => {
                text.push_str("    only asked   no context was made\n");
            }
            None => {}
        }
        if let Some(after) = &process.used_after_fork {
            after_fork(&mut text, after, cwd);
            if let Some(known) = alike.iter_mut().find(|known| known.is(after)) {
                known.count += 1;
                if !after.advice.is_empty() {
                    let _ = writeln!(text, "      fix  as for pid {}", known.pid);
                }
            } else {
                advice(&mut text, "      ", &after.advice);
                let pid = process.pid;
                let count = 1;
                alike.push(Alike { after, pid, count });
            }
        }
    }
    for Alike { pid, count, .. } in alike {
        if let more @ 1.. = count.saturating_sub(ALIKE) {
            let processes = if more == 1 { "process" } else { "processes" };
            let _ = writeln!(text, "\n  {more} more {processes} did as pid {pid} did");
        }
    }
    text
}

/// Processes that did the same after a fork.
struct Alike<'a> {
    after: &'a AfterFork,
    /// The first of them.
    pid: i32,
    count: usize,
}

impl Alike<'_> {
    fn is(&self, other: &AfterFork) -> bool {
        let of = |after: &AfterFork| {
            let forked = after.forked.as_ref().and_then(|seen| seen.place.clone());
            (forked, after.seen.place.clone(), after.initialised_in)
        };
        self.after.outcome == other.outcome
            && self.after.advice == other.advice
            && of(self.after) == of(other)
    }
}

/// One moment: when, in which thread, which function, through which library; where; by which imports.
fn moment(text: &mut String, what: &str, seen: &Seen, cwd: &Path) {
    let since = seen
        .since_start_ms
        .map(|ms| Span(ms).to_string())
        .unwrap_or_default();
    let at = &seen.moment;
    let _ = write!(
        text,
        "    {what:<12} {since:>8}  {}  {}",
        plain(&at.thread),
        plain(&at.function)
    );
    if let Some(library) = &at.library {
        let _ = write!(text, ", through {}", plain(library));
    }
    text.push('\n');
    stack(text, at, cwd);
    if !seen.imports.is_empty() {
        const START: &str = "      imported by  ";
        wrapped(text, (START, START.len()), &seen.imports, " > ");
    }
}

/// Where it was: the lines of Python that matter, else native frames.
fn stack(text: &mut String, at: &Moment, cwd: &Path) {
    let lines = place::lines(&at.python);
    if !lines.is_empty() {
        let shown = |frame: &&PythonFrame| {
            let line = place::line(frame, cwd);
            format!("{line} {}", plain(&frame.function))
        };
        let shown: Vec<String> = lines.iter().map(shown).collect();
        wrapped(text, ("      ", 6), &shown, "   ");
        return;
    }
    // The guard's own frames, and the driver's, are where everybody comes to.
    let is_theirs = |module: &str| {
        let name = module.rsplit('/').next().unwrap_or_default();
        name.starts_with("libforkguard") || name.starts_with("libcuda.so")
    };
    let frames = at.native.iter().rev();
    let theirs = |module: &Option<String>| module.as_deref().is_some_and(is_theirs);
    for frame in frames.filter(|frame| !theirs(&frame.module)).take(NATIVE) {
        let module = frame
            .module
            .as_deref()
            .map_or("?", |module| module.rsplit('/').next().unwrap_or_default());
        let _ = match &frame.symbol {
            Some(symbol) => writeln!(text, "      {} in {}", plain(symbol), plain(module)),
            None => writeln!(text, "      {}+{:#x}", plain(module), frame.offset),
        };
    }
}

fn after_fork(text: &mut String, after: &AfterFork, cwd: &Path) {
    let what = match after.outcome.as_str() {
        "violation" => "used CUDA after a fork, which the driver refuses",
        "cpu" => "used CUDA after a fork, and goes on without it",
        _ => "used CUDA after a fork, and has a driver of its own now",
    };
    let _ = write!(text, "    {what}");
    if let Some(pid) = after.initialised_in.filter(|pid| *pid != 0) {
        let _ = write!(text, "; initialised in pid {pid}");
    }
    text.push('\n');
    if let Some(forked) = &after.forked {
        moment(text, "forked", forked, cwd);
    }
    moment(text, "used", &after.seen, cwd);
}

/// Items on lines of at most [`WIDTH`] columns: the first line has its beginning, the others are
/// indented by so much.
fn wrapped(text: &mut String, (start, hang): (&str, usize), items: &[String], between: &str) {
    text.push_str(start);
    let mut column = start.len();
    for (i, item) in items.iter().enumerate() {
        let width = item.chars().count();
        if i > 0 {
            if column + between.len() + width > WIDTH {
                text.push_str(between.trim_end());
                text.push('\n');
                text.push_str(&" ".repeat(hang));
                column = hang;
            } else {
                text.push_str(between);
                column += between.len();
            }
        }
        text.push_str(item);
        column += width;
    }
    text.push('\n');
}

/// What to do about CUDA initialised where it should not be.
pub fn fix(seen: &Seen, cwd: &Path) -> String {
    let python = &seen.moment.python;
    let imports = place::imports(python);
    let line = |frame: &PythonFrame| place::line(frame, cwd);
    let mut ways = Vec::new();
    match place::culprit(python, &imports) {
        None => ways.push("ask for CUDA only where a GPU is needed".to_owned()),
        Some(at) if imports.is_empty() => {
            ways.push(format!(
                "ask for CUDA ({}) only where a GPU is needed",
                line(at)
            ));
        }
        Some(at) if at.own => ways.push(format!(
            "move what {} does into a function that is called when a GPU is needed: importing \
             should leave CUDA alone",
            line(at)
        )),
        Some(at) => {
            let importer = imports.iter().rfind(|frame| frame.own);
            ways.push(match importer {
                Some(own) => format!(
                    "{} is a package's: import it in a function that is called when a GPU is \
                     needed, not at {}",
                    line(at),
                    line(own)
                ),
                None => format!(
                    "{} is a package's: import it where a GPU is needed",
                    line(at)
                ),
            });
            ways.push("ask its authors to leave CUDA alone when it is imported".to_owned());
        }
    }
    let asks_torch = python.iter().any(|frame| {
        frame.function == "is_available" && frame.file.ends_with("/torch/cuda/__init__.py")
    });
    if asks_torch {
        ways.push(
            "have PyTorch ask NVML, which initialises nothing: PYTORCH_NVML_BASED_CUDA_CHECK=1"
                .to_owned(),
        );
    }
    let mut text = String::new();
    advice(&mut text, "  ", &ways);
    text
}

/// What to do, each way on lines of its own.
fn advice(text: &mut String, indent: &str, ways: &[String]) {
    for (i, way) in ways.iter().enumerate() {
        let start = if i == 0 { "fix  " } else { "     or " };
        let words: Vec<String> = plain(way).split(' ').map(str::to_owned).collect();
        wrapped(
            text,
            (&format!("{indent}{start}"), indent.len() + 5),
            &words,
            " ",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_chains_are_wrapped() {
        let mut text = String::new();
        let items: Vec<String> = (0..3).map(|_| "x".repeat(40)).collect();
        wrapped(&mut text, ("  by  ", 4), &items, " > ");
        let item = "x".repeat(40);
        assert_eq!(text, format!("  by  {item} > {item} >\n    {item}\n"));
    }
}
