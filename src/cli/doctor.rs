//! `forkguard doctor`: is the guard effective on this machine, in this process, for this program?
//!
//! | file | what it is for |
//! |---|---|
//! | [`finding`] | what a check found, and what to do about it |
//! | [`machine`] | the library, the kernel, the C library |
//! | [`driver`] | the driver, its version, its devices |
//! | [`settings`] | what is in force, where it was set, and who may change it |
//! | [`preloads`] | what else stands between programs and the driver |
//! | [`python`] | interpreters, and what the guard can do in each |
//! | [`self_test`] | a forked child that uses CUDA, on a stand-in for the driver |
//! | [`process`] | a process that runs |
//! | [`command`] | a program that does not |
//!
//! It changes nothing, and stops nobody. What it reads of other processes is shown as plain text.

mod command;
mod driver;
mod finding;
mod machine;
mod preloads;
mod process;
mod python;
mod self_test;
mod settings;

use std::process::ExitCode;

use crate::arguments::Doctor;
use crate::trouble::{Ended, print};
use finding::{Finding, Level};

/// Exit 0 where there is no problem, 1 where there is one.
pub fn doctor(arguments: &Doctor) -> Ended {
    let library = arguments.library.path.as_deref();
    let found = match (arguments.pid, &arguments.words[..]) {
        (Some(pid), _) => process::look(pid, library)?,
        (None, []) => machine::look(library),
        (None, words) => command::look(words, library),
    };
    let text = if arguments.json {
        finding::json(&found)
    } else {
        finding::text(&found)
    };
    print(&text)?;
    let problem = found.iter().any(|finding| finding.level == Level::Problem);
    Ok(if problem {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The number of a process, as it is written.
pub fn pid(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|&pid| pid > 0).ok_or_else(|| {
        "a process is named by its number; a program stands behind --, with its arguments"
            .to_owned()
    })
}

/// All the findings of several checks.
type Findings = Vec<Finding>;
