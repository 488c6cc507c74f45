//! Event files made by real programs under the guard, for what is to read them.

use std::path::{Path, PathBuf};

use forkguard_testkit::{Program, tempfile::TempDir};
use snapbox::cmd::{Command, cargo_bin};

/// A folder with the events that programs wrote.
pub struct Recorded {
    folder: TempDir,
}

impl Recorded {
    /// Runs the programs one after the other.
    pub fn of(programs: impl IntoIterator<Item = Program>) -> Self {
        let recorded = Self::empty();
        for program in programs {
            program.env("FORKGUARD_REPORT", recorded.file()).run();
        }
        assert!(recorded.file().is_file(), "no event was written");
        recorded
    }

    /// A folder in which the file of events is still to be made.
    pub fn empty() -> Self {
        Self {
            folder: TempDir::new().expect("a folder for the events"),
        }
    }

    /// A folder with this file of events.
    pub fn with(content: impl AsRef<[u8]>) -> Self {
        let recorded = Self::empty();
        std::fs::write(recorded.file(), content).expect("the events can be written");
        recorded
    }

    /// Where the events are.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    /// The events' lines.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file()).expect("the events can be read");
        text.lines().map(str::to_owned).collect()
    }

    /// The line of the one event of this name.
    pub fn line(&self, name: &str) -> String {
        let name = format!("\"event\":\"{name}\"");
        let mut lines = self.lines();
        lines.retain(|line| line.contains(&name));
        assert_eq!(lines.len(), 1, "events {name}");
        lines.remove(0)
    }

    /// `forkguard explain` of the events, run where they lie.
    pub fn explain(&self) -> Command {
        explain(self.folder.path()).arg("events.jsonl")
    }

    /// What it prints.
    #[track_caller]
    pub fn explained(&self) -> String {
        told(self.explain())
    }
}

/// `forkguard explain` in a folder.
pub fn explain(folder: &Path) -> Command {
    Command::new(cargo_bin!("forkguard"))
        .env_remove("LD_PRELOAD")
        .env_remove("CLICOLOR_FORCE")
        .current_dir(folder)
        .arg("explain")
}

/// What a command that ends well and has nothing to complain of prints.
#[track_caller]
pub fn told(command: Command) -> String {
    let outcome = command.assert().success().stderr_eq("");
    String::from_utf8(outcome.get_output().stdout.clone()).expect("text")
}

/// The client `roads`, of which a child that was forked counts devices.
pub fn roads(scenario: &str) -> Program {
    Program::client("roads").args(["dlsym", scenario])
}
