//! `forkguard ps`: every live process that has initialised CUDA, or was forked from one that had.
//!
//! | file | what it is for |
//! |---|---|
//! | [`proc`](mod@proc) | what `/proc` says of a process |
//! | [`patience`] | asking many of them at once, some of which may not answer |
//! | [`memory`] | the bytes of a record, from wherever they can be had |
//! | [`family`] | a family's record, kept |
//! | [`look`] | who is there: each process with its part of its family's record |
//! | [`tree`] | under which process each is shown |
//! | [`modules`] | what lies where in a process |
//! | [`table`] | the tree as a person reads it |
//! | [`json`] | the same for programs |
//! | [`moment`] | times and ages |
//!
//! It only looks: nothing here stops a process, attaches to it, or waits for it. What is recorded
//! was written by those who are looked at and may be anything.

pub mod family;
mod json;
pub mod look;
mod memory;
mod modules;
mod moment;
pub mod patience;
pub mod proc;
mod table;
mod tree;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::arguments::Ps;
use crate::trouble::{Ended, Trouble, write};

/// Puts the cursor into the corner and clears what is there.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Shows them, once or until somebody interrupts.
pub fn run(arguments: &Ps) -> Ended {
    let Some(pause) = arguments.watch else {
        write(&shown(arguments.json)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let clear = !arguments.json && stdout().is_terminal();
    loop {
        let text = shown(arguments.json)?;
        let text = match (clear, arguments.json) {
            (true, _) => format!("{CLEAR}{text}"),
            (false, true) => text,
            (false, false) => format!("{text}\n"),
        };
        if !write(&text)? {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(pause);
    }
}

fn shown(json: bool) -> Result<String, Trouble> {
    let seen = look::around()?;
    Ok(if json {
        json::document(&seen)
    } else {
        table::text(&seen)
    })
}

/// The seconds of `--watch`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=86400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "it takes a number of seconds from 0.1 to 86400".to_owned())
}
