//! `forkguard run`: the program takes the place of this command, guarded.

use std::os::unix::process::CommandExt;

use crate::arguments::Run;
use crate::trouble::Ended;
use crate::{launch, library};

/// Becomes the program; comes back only where that cannot be.
pub fn run(arguments: &Run) -> Ended {
    let library = library::find(arguments.library.path.as_deref())?;
    let words = &arguments.program.words;
    let mut command = launch::guarded(words, &library);
    if let Some(policy) = &arguments.policy {
        command.env("FORKGUARD_POLICY", policy);
    }
    if let Some(report) = &arguments.report {
        command.env("FORKGUARD_REPORT", report);
    }
    if arguments.verbose > 0 {
        command.env("FORKGUARD_VERBOSE", arguments.verbose.min(2).to_string());
    }
    let error = command.exec();
    Err(launch::not_started(&words[0], &error))
}
