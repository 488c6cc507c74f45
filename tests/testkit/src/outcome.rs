//! How a program ended and what it said.

use crate::marked_line;
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use tempfile::TempDir;

/// How a program ended and what it said.
pub struct Outcome {
    pub(crate) shown: String,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
    /// How it ended.
    pub status: ExitStatus,
    pub(crate) events: Option<TempDir>,
}

impl Outcome {
    /// The signal that killed it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Its exit status, unless a signal killed it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it said nothing on standard error and exited with 0.
    #[track_caller]
    pub fn assert_silent(&self) -> &Self {
        assert!(
            self.stderr.is_empty() && self.status.success(),
            "not silent, or not well\n{}",
            self.story()
        );
        self
    }

    /// Fails unless it exited with `code`.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), Some(code), "{}", self.story());
        self
    }

    /// Fails unless standard output is exactly these lines.
    #[track_caller]
    pub fn assert_stdout(&self, lines: &[&str]) -> &Self {
        let said: Vec<&str> = self.stdout.lines().collect();
        assert_eq!(said, lines, "{}", self.story());
        self
    }

    /// Fails unless it said and did what the other run, the one without the guard, said and did.
    #[track_caller]
    pub fn assert_same_as(&self, bare: &Self) -> &Self {
        let same =
            self.stdout == bare.stdout && self.stderr == bare.stderr && self.status == bare.status;
        assert!(
            same,
            "not as without the guard\n{}\n--- without\n{}",
            self.story(),
            bare.story()
        );
        self
    }

    /// Fails unless standard error holds this text.
    #[track_caller]
    pub fn assert_says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "nothing says {text:?}\n{}",
            self.story()
        );
        self
    }

    /// Fails unless standard error holds this text, wherever the report breaks its lines.
    #[track_caller]
    pub fn assert_explains(&self, text: &str) -> &Self {
        let words: Vec<&str> = self.stderr.split_whitespace().collect();
        assert!(
            words.join(" ").contains(text),
            "nothing says {text:?}\n{}",
            self.story()
        );
        self
    }

    /// Fails if the guard said anything on standard error, where the program may have had a say.
    #[track_caller]
    pub fn assert_guard_silent(&self) -> &Self {
        let silent = !self.stderr.contains("forkguard:");
        assert!(silent, "the guard spoke\n{}", self.story());
        self
    }

    /// Fails unless one event says that something was refused for this reason, and one violation says so, too.
    #[track_caller]
    pub fn assert_refused(&self, reason: &str) -> &Self {
        for (name, field) in [("refused", "reason"), ("violation", "refusal")] {
            let events = self.events_named(name);
            assert_eq!(events.len(), 1, "events {name}\n{}", self.story());
            let told = events[0][field].as_str().unwrap_or_default();
            assert!(
                told.contains(reason),
                "the {field} is {told:?}, not {reason:?}\n{}",
                self.story()
            );
        }
        self
    }

    /// Fails unless exactly one full report was written, with all its parts and this function as the one used.
    #[track_caller]
    pub fn assert_reports(&self, function: &str) -> &Self {
        const USED: &str = " used here ";
        let report = self.report();
        for part in ["  1 initialised", "  fix  "] {
            assert!(
                report.contains(part),
                "the report does not say {part:?}\n{}",
                self.story()
            );
        }
        let reports = report.matches(USED).count();
        assert_eq!(reports, 1, "{reports} full reports\n{}", self.story());
        // The call stands behind it, or on a line of its own where the line would be too long.
        let (_, rest) = report.split_once(USED).unwrap_or_default();
        let mut used = rest.lines();
        let used = used.next().unwrap_or_default().to_owned() + used.next().unwrap_or_default();
        assert!(
            used.contains(function),
            "{function} is not the function used\n{}",
            self.story()
        );
        self
    }

    /// Fails unless the report names those lines of this Python client that are marked `# INIT` and `# USE`, as where
    /// CUDA was initialised and where it was used.
    #[track_caller]
    pub fn assert_blames(&self, script: &str) -> &Self {
        for (part, mark) in [("1 initialised ", "# INIT"), (" used here ", "# USE")] {
            let line = format!("{script}:{} ", marked_line(script, mark));
            let (_, rest) = self.report().split_once(part).unwrap_or_default();
            // The call stands on a line of its own where the first would be too long.
            assert!(
                rest.lines().take(3).any(|named| named.contains(&line)),
                "the report does not name {line}under{part}\n{}",
                self.story()
            );
        }
        self
    }

    /// The report: standard error from the guard's first word on.
    #[track_caller]
    pub fn report(&self) -> &str {
        let start = self.stderr.find("forkguard: ");
        &self.stderr[start.unwrap_or_else(|| panic!("no report\n{}", self.story()))..]
    }

    /// The JSON events, in the order they were written; asked for by `with_events`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let directory = self.events.as_ref().expect("with_events was called");
        let lines = fs::read_to_string(directory.path().join("events")).unwrap_or_default();
        lines
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| {
                    panic!("an event is not JSON ({error}): {line}\n{}", self.story())
                })
            })
            .collect()
    }

    /// Those events of one name.
    #[track_caller]
    pub fn events_named(&self, name: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["event"] == name);
        events
    }

    /// Fails if an event was written that is more than the word of an initialisation.
    #[track_caller]
    pub fn assert_nothing_found(&self) -> &Self {
        let found = self.events();
        let nothing = found.iter().all(|event| event["event"] == "initialised");
        assert!(nothing, "{found:?}\n{}", self.story());
        self
    }

    /// All of it, for a failing test's message.
    pub fn story(&self) -> String {
        format!(
            "{}\n{}\n--- stdout\n{}--- stderr\n{}",
            self.shown, self.status, self.stdout, self.stderr
        )
    }
}
