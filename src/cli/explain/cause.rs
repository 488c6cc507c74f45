//! What makes events one cause: where CUDA was initialised, where the fork was, where it was used,
//! the policy, and what kind of event it is. Who it was and when does not count: 500 workers die
//! of one cause.

use std::fmt::Write;

use super::stack::basename;
use crate::event::{Event, Moment};

/// What an event amounts to, the most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// CUDA was used in a forked process.
    Violation,
    /// `exec` or `revive` could not serve.
    Refused,
    /// A forked process has a driver of its own.
    Revived,
    /// A forked process goes on without CUDA.
    Absent,
    /// A fork became a fresh process.
    Rewritten,
    /// CUDA could not be initialised.
    Attempted,
    /// The first context of a process.
    Context,
    /// A process initialised CUDA.
    Initialised,
}

impl Class {
    /// Of an event that [`super::read`] let through.
    pub fn of(event: &Event) -> Self {
        match event.name.as_str() {
            "violation" => Self::Violation,
            "refused" => Self::Refused,
            "revived" => Self::Revived,
            "cpu" => Self::Absent,
            "rewritten" => Self::Rewritten,
            "attempted" => Self::Attempted,
            "context" => Self::Context,
            _ => Self::Initialised,
        }
    }
}

/// A text that is the same for events of one cause, and for no others.
pub fn of(event: &Event) -> String {
    let mut cause = String::new();
    for part in [
        &event.name,
        &event.policy,
        &event.action,
        &event.kind,
        &event.way,
    ] {
        add(&mut cause, part);
    }
    for reason in [&event.reason, &event.refusal, &event.not_revived] {
        add(
            &mut cause,
            &without_numbers(reason.as_deref().unwrap_or_default()),
        );
    }
    place(&mut cause, event.initialised.as_ref());
    for fork in &event.forks {
        place(&mut cause, Some(fork));
    }
    place(&mut cause, event.forked.as_ref());
    place(&mut cause, event.used.as_ref());
    cause
}

/// Where a process initialised CUDA, so that it can be told whether two events mean the same.
pub fn of_initialisation(event: &Event) -> String {
    let mut cause = String::new();
    place(&mut cause, event.initialised.as_ref());
    cause
}

/// Adds a part, with its length before it: parts may hold anything.
fn add(cause: &mut String, part: &str) {
    let _ = write!(cause, "{}:{part}", part.len());
}

/// The place of a moment as the program's author knows it: the function that was called, and the
/// innermost line of the program's own.
fn place(cause: &mut String, moment: Option<&Moment>) {
    let Some(moment) = moment else {
        add(cause, "");
        return;
    };
    add(cause, &moment.function);
    let python = moment
        .python
        .iter()
        .rfind(|frame| frame.own)
        .or_else(|| moment.python.last());
    if let Some(frame) = python {
        add(cause, &frame.file);
        add(cause, &frame.line.to_string());
        add(cause, &frame.function);
        return;
    }
    // All frames but those that every program begins with.
    for frame in &moment.native {
        let module = frame.module.as_deref().unwrap_or_default();
        if module.is_empty() {
            continue;
        }
        add(cause, basename(module));
        add(cause, &frame.offset.to_string());
    }
}

/// A sentence without the pids and sizes in it.
fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            plain.push(letter);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let start = r#"{"schema":1,"event":"violation","time":"2026-01-01T00:00:00.000Z","pid":1"#;
        serde_json::from_str(&format!("{start}{text}}}")).expect(text)
    }

    #[test]
    fn who_and_when_does_not_count_and_where_does() {
        let base = event(r#","used":{"pid":1,"tid":1,"python":[{"file":"a.py","line":3}]}"#);
        let same =
            event(r#","ppid":9,"used":{"pid":2,"tid":2,"python":[{"file":"a.py","line":3}]}"#);
        assert_eq!(of(&base), of(&same));
        for other in [
            r#","used":{"python":[{"file":"a.py","line":4}]}"#,
            r#","used":{"function":"cuInit","python":[{"file":"a.py","line":3}]}"#,
            r#","policy":"warn","used":{"python":[{"file":"a.py","line":3}]}"#,
            r#","forked":{"python":[{"file":"a.py","line":3}]}"#,
            r#","used":{"native":[{"module":"a","offset":3}]}"#,
            "",
        ] {
            assert_ne!(of(&base), of(&event(other)), "{other}");
        }
    }

    #[test]
    fn reasons_are_the_same_whatever_their_numbers() {
        let reason = |text: &str| of(&event(&format!(r#","reason":"{text}""#)));
        assert_eq!(reason("pid 17 holds it"), reason("pid 4 holds it"));
        assert_ne!(reason("pid 17 holds it"), reason("pid 17 held it"));
    }
}
