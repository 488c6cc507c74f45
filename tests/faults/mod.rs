//! Runs `clients/exec_faults.py` under `clients/faults.c`, and gives what happened in it how often.

use std::collections::BTreeMap;
use std::time::Duration;

use forkguard_testkit::{client, python_with_packages};

/// How often each result came.
pub struct Counts(pub BTreeMap<String, u32>);

/// How a fresh process comes to be.
#[derive(Clone, Copy)]
pub enum Start {
    /// Executed.
    Executed,
    /// A copy of the warm template.
    Template,
}

/// Runs it to its end; it must be silent and well.
pub fn run(way: &str, start: Start) -> Counts {
    let template = match start {
        Start::Executed => "0",
        Start::Template => "1",
    };
    let outcome = python_with_packages("exec_faults.py")
        .arg(way)
        .policy("exec,warn")
        .env("FORKGUARD_TEMPLATE", template)
        .under(client("faults"))
        .patience(Duration::from_secs(300))
        .run();
    outcome.assert_silent();
    let counts = outcome.stdout.lines().map(|line| {
        let (result, count) = line.rsplit_once(' ').expect("a result and a count");
        (result.to_owned(), count.parse().expect("a number"))
    });
    Counts(counts.collect())
}
