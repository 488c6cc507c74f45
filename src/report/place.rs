//! A stack of Python in a few lines without what surrounds it in a report: for the record.
//!
//! Made in forked children, at every fork of a process that initialised CUDA: what it costs, each of
//! those pays.

use super::buffer::Buffer;
use super::frames::{self, Beside, Location, Plain};
use crate::lineage::Moment;
use crate::stack::PythonLine;

/// Frames outwards of the program's own line.
const OUTWARDS: usize = 4;

/// The program's own line first, then the library's that it led to, then those that led to it; each
/// ends with a line break.
pub fn lines(out: &mut Buffer<'_>, at: &Moment) {
    let python = &at.stack.python;
    let Some(seen) = frames::fold(python, Beside::Called) else {
        return;
    };
    line(out, &seen.line);
    if let Some(library) = &seen.library {
        line(out, library);
    }
    let outwards = python.iter().skip_while(|frame| *frame != seen.line);
    for frame in outwards.skip(1).take(OUTWARDS) {
        line(out, &frame);
    }
}

fn line(out: &mut Buffer<'_>, frame: &PythonLine<'_>) {
    let from = out.end();
    out.put(format_args!(
        "{} {}\n",
        // Whoever reads it knows the directory.
        Location {
            frame: *frame,
            cwd: ""
        },
        Plain(frame.function)
    ));
    if out.is_cut() && from > 0 {
        // Half a path names another file.
        out.truncate(from);
    }
}
