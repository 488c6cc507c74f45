//! What happened, in words: the same for the terminal and for the page.

use std::fmt::Write;

use super::cause::Class;
use super::group::Group;
use super::stack::basename;
use crate::event::{Event, Moment, plain};
use crate::story::results;

/// Letters of a program's name: it may call itself anything.
const NAME: usize = 64;

/// The one line that says what happened, and to how many.
pub fn headline(group: &Group) -> String {
    let event = &group.example;
    let policy = plain(&event.policy);
    let many = group.processes;
    match group.class {
        Class::Violation => format!(
            "CUDA used in a forked process; {}",
            consequence(event, many)
        ),
        Class::Refused if policy == "revive" => format!(
            "{} no driver of {} own (policy revive)",
            of(many, "forked process got", "forked processes got"),
            own(many)
        ),
        Class::Refused => format!(
            "{} (policy exec)",
            of(many, "fork stayed a fork", "forks stayed forks")
        ),
        Class::Revived => format!(
            "{} a driver of {} own (policy revive)",
            of(many, "forked process got", "forked processes got"),
            own(many)
        ),
        Class::Absent => format!(
            "{} without CUDA (policy cpu)",
            of(many, "forked process goes on", "forked processes go on")
        ),
        Class::Rewritten if event.way == "command" => format!(
            "FORKGUARD_EXEC ran in place of {}",
            of(many, "forked process", "forked processes")
        ),
        Class::Rewritten => format!(
            "{} (policy exec)",
            of(
                many,
                "fork became a fresh process",
                "forks became fresh processes"
            )
        ),
        Class::Attempted => format!(
            "CUDA could not be initialised in {}",
            of(many, "process", "processes")
        ),
        Class::Context => format!("{} CUDA", of(many, "process used", "processes used")),
        Class::Initialised => format!(
            "{} CUDA",
            of(many, "process initialised", "processes initialised")
        ),
    }
}

fn own(many: usize) -> &'static str {
    if many == 1 { "its" } else { "their" }
}

/// A number and what it is of.
pub fn of(many: usize, one: &str, several: &str) -> String {
    format!(
        "{} {}",
        number(many as u64),
        if many == 1 { one } else { several }
    )
}

/// A number with its thousands apart.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn consequence(event: &Event, many: usize) -> String {
    let processes = of(many, "process", "processes");
    let policy = plain(&event.policy);
    match event.action.as_str() {
        "warn" => format!(
            "{processes} went on, {} (policy {policy})",
            match event.kind.as_str() {
                "torch-refusal" => "and PyTorch raised its own error",
                "xla-call" => "and the call hung",
                _ => "and the call failed",
            }
        ),
        "exit" => format!(
            "{processes} ended with exit code {} (policy {policy})",
            event.exit_code.unwrap_or_default()
        ),
        _ => format!("{processes} aborted (policy {policy})"),
    }
}

/// Why it could not work, or what it means.
pub fn explanation(group: &Group) -> Vec<String> {
    let event = &group.example;
    let parent = event.initialised.as_ref().map_or(0, |moment| moment.pid);
    let mut paragraphs = Vec::new();
    if group.class == Class::Violation {
        let mut text = if event.initialising {
            format!("Pid {parent} was still initialising CUDA when it ")
        } else {
            format!("CUDA was initialised in pid {parent} ")
        };
        let many = event.forks.len();
        let _ = match (many, event.initialising) {
            (0, true) => write!(text, "was copied by a fork that was not seen."),
            (0, false) => write!(
                text,
                "before the process was made from it by a fork that was not seen (a bare clone)."
            ),
            (1, true) => write!(text, "forked the process that used it."),
            (1, false) => write!(text, "before it forked the process that used it."),
            (many, true) => write!(text, "made the first of {many} forks."),
            (many, false) => write!(text, "before the {many} forks that led to the process."),
        };
        text += match event.kind.as_str() {
            "torch-refusal" => {
                " PyTorch remembers that it was forked and refuses by itself, before it asks the \
                 driver, which would refuse too (CUDA_ERROR_NOT_INITIALIZED); no retry can help."
            }
            "xla-call" => {
                " XLA's threads were not copied with it: the call would wait for them for ever, \
                 without an error."
            }
            _ => {
                " The driver refuses every call there (CUDA_ERROR_NOT_INITIALIZED); no retry can \
                 help."
            }
        };
        let _ = write!(text, " Pid {parent} ");
        text += if event.context {
            "used the GPU: it had created a context."
        } else {
            "only asked about CUDA: it had no context."
        };
        paragraphs.push(text);
    }
    if group.class == Class::Attempted
        && let Some(code) = event.code
    {
        paragraphs.push(match results::name(code) {
            Some(name) => format!("cuInit answered {name} ({code})."),
            None => format!("cuInit answered {code}."),
        });
    }
    for (what, reason) in [
        ("It could not be served", &event.reason),
        (
            "Policy exec could not start a fresh process in its place",
            &event.refusal,
        ),
        (
            "Policy revive could not give it a driver of its own",
            &event.not_revived,
        ),
    ] {
        if let Some(reason) = reason {
            let reason = plain(reason);
            paragraphs.push(format!("{what}: {}.", reason.trim_end_matches('.')));
        }
    }
    if group.class == Class::Rewritten && !event.process.is_empty() {
        paragraphs.push(if event.way == "command" {
            format!("The command was: {}", plain(&event.process))
        } else {
            format!("The first was that of {}.", plain(&event.process))
        });
    }
    paragraphs
}

/// What is drawn and told as one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Initialised,
    Forked,
    Used,
}

/// A step's name.
pub fn name(step: Step, class: Class) -> &'static str {
    match (step, class) {
        (Step::Initialised, _) => "initialised",
        (Step::Forked, _) => "forked",
        (Step::Used, Class::Attempted) => "tried",
        (Step::Used, _) => "used",
    }
}

/// The steps that led there, oldest first.
pub fn steps(event: &Event) -> Vec<(Step, &Moment)> {
    let mut steps = Vec::new();
    steps.extend(event.initialised.iter().map(|at| (Step::Initialised, at)));
    if event.forks.is_empty() {
        steps.extend(event.forked.iter().map(|at| (Step::Forked, at)));
    } else {
        steps.extend(event.forks.iter().map(|at| (Step::Forked, at)));
    }
    steps.extend(event.used.iter().map(|at| (Step::Used, at)));
    steps
}

/// Who it was: `pid 4200, MainThread`.
pub fn who(step: Step, moment: &Moment, event: &Event) -> String {
    let mut text = format!("pid {}", moment.pid);
    if step == Step::Forked {
        match moment.child.or(event.child) {
            Some(child) => {
                let _ = write!(text, " → {child}");
            }
            // A fork that stayed one has not made its child yet when it is told.
            None if event.name == "refused" => {}
            None => text += " → ?",
        }
    }
    if !moment.thread.is_empty() {
        let _ = write!(text, ", {}", plain(&moment.thread));
    }
    text
}

/// What was called, and through which library: `cuInit, through libcudart.so.13`. Of a fork, only
/// an unusual one is worth a word.
pub fn call(step: Step, moment: &Moment) -> String {
    let function = plain(&moment.function);
    if function.is_empty()
        || step == Step::Forked && matches!(function.as_str(), "fork" | "__fork" | "_Fork")
    {
        return String::new();
    }
    match &moment.library {
        Some(library) if library.contains(".so") => {
            format!("{function}, through {}", plain(library))
        }
        Some(program) => format!("{function}, called by {}", plain(program)),
        None => function,
    }
}

/// The command line that a program was started with, in quotes where a shell would want them.
pub fn command(event: &Event) -> String {
    let quoted = |word: &String| {
        let word = plain(word);
        let is_bare = |letter: char| letter.is_alphanumeric() || "_-./:=,+@%".contains(letter);
        if !word.is_empty() && word.chars().all(is_bare) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    event.argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The program, by its name; one of Python's, by its script's.
pub fn program(event: &Event) -> String {
    let script = event.initialised.as_ref().and_then(|moment| {
        let outermost = moment.python.first()?;
        (outermost.own && !outermost.file.starts_with('<')).then_some(&outermost.file)
    });
    let name = script.unwrap_or(if event.argv0.is_empty() {
        &event.exe
    } else {
        &event.argv0
    });
    plain(basename(name)).chars().take(NAME).collect()
}

/// The first pids of a group, and how many more there are.
pub fn pids(group: &Group) -> String {
    let named: Vec<String> = group.pids.iter().map(ToString::to_string).collect();
    let more = group.processes.saturating_sub(named.len());
    let word = if group.processes == 1 { "pid" } else { "pids" };
    let mut text = format!("{word} {}", named.join(", "));
    if more > 0 {
        let _ = write!(text, " and {} more", number(more as u64));
    }
    text
}
