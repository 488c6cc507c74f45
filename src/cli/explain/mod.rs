//! `forkguard explain`: recorded events, for people: on the terminal, or as a page.
//!
//! | file | what it is for |
//! |---|---|
//! | [`read`] | the lines of a file: events, what is others', what is broken |
//! | [`cause`], [`group`] | which events are of one cause |
//! | [`files`], [`symbols`], [`source`] | what the files that events name tell of their frames |
//! | [`stack`] | Python's and native frames in one line, and what of them is folded away |
//! | [`words`], [`told`] | what is said of a cause |
//! | [`text`], … | how it looks |
//!
//! A file of events comes from other processes, perhaps from another machine, and may be of any
//! size: nothing in it is trusted, and no more than its causes is kept.

mod cause;
mod files;
mod group;
mod read;
mod source;
mod stack;
mod symbols;
mod text;
mod time;
mod told;
mod words;

use std::collections::HashSet;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use cause::Class;
use group::{Group, Groups};
use source::Sources;
use symbols::Symbols;
use text::Writing;
use told::Told;

use crate::arguments::Explain;
use crate::trouble::{Ended, Trouble, print, reason, say};

/// The exit code where nothing could be read.
const NOTHING: u8 = 2;
/// Lines that cannot be read and are told one by one.
const TOLD: u64 = 5;

/// Reads the file and shows what is in it.
pub fn explain(arguments: &Explain) -> Ended {
    let name = if arguments.file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    let read = read_all(&arguments.file, &name)?;
    let sources = Sources::new(!arguments.no_source, arguments.root.clone());
    let symbols = Symbols::new(arguments.root.clone());
    show(arguments, &name, read, symbols, sources)
}

/// What a file holds.
#[derive(Default)]
struct Read {
    groups: Groups,
    events: u64,
    broken: u64,
    foreign: u64,
}

fn read_all(path: &Path, name: &str) -> Result<Read, Trouble> {
    let cannot = |error: &io::Error| {
        let why = reason(error);
        Trouble::new(NOTHING, format!("{name} cannot be read: {why}"))
    };
    let mut input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(|error| cannot(&error))?;
        Box::new(BufReader::with_capacity(1 << 16, file))
    };
    let mut read = Read::default();
    let ended = read::lines(&mut input, |number, line| {
        if line.events.is_empty() && line.broken.is_none() {
            read.foreign += 1;
        }
        if let Some(why) = line.broken {
            read.broken += 1;
            if read.broken <= TOLD {
                say(&format!("{name}:{number}: the line {why}"));
            }
        }
        for event in line.events {
            read.events += 1;
            read.groups.add(&event);
        }
    });
    if read.broken > TOLD {
        let more = words::number(read.broken - TOLD);
        say(&format!("{name}: {more} more lines cannot be read"));
    }
    match ended {
        Err((_, error)) if read.events == 0 => return Err(cannot(&error)),
        Err((line, error)) => say(&format!(
            "{name}:{line}: it cannot be read on: {}",
            reason(&error)
        )),
        Ok(()) => {}
    }
    if read.events == 0 {
        return Err(Trouble::new(NOTHING, nothing(name, &read)));
    }
    if read.foreign > 0 {
        let many = words::of(read.foreign as usize, "line", "lines");
        say(&format!("{name}: {many} of others passed over"));
    }
    Ok(read)
}

/// What to say of a file that holds no event.
fn nothing(name: &str, read: &Read) -> String {
    match (read.broken, read.foreign) {
        (0, 0) => format!("{name} is empty: no event was written to it"),
        (0, lines) => format!(
            "{name} holds no event of the guard's in {}; the guard writes them where \
             FORKGUARD_REPORT says",
            words::of(lines as usize, "line", "lines")
        ),
        _ => format!("{name} holds no event that can be read"),
    }
}

fn show(
    arguments: &Explain,
    name: &str,
    read: Read,
    mut symbols: Symbols,
    mut sources: Sources,
) -> Ended {
    let (left_out, suppressed) = (read.groups.left_out, read.groups.suppressed);
    let groups = read.groups.sorted();
    let mut out = summary(name, read.events, &groups);
    let here = std::env::current_dir().unwrap_or_default();
    let mut told_of = HashSet::new();
    let mut number = 0;
    for (_, group) in &groups {
        let is_told = told_of.contains(&group.initialisation);
        if group.class >= Class::Context && is_told && !arguments.full {
            continue;
        }
        told_of.insert(group.initialisation.clone());
        number += 1;
        let told = Told::new(group, &mut symbols, &mut sources, arguments.full);
        let mut writing = Writing {
            full: arguments.full,
            here: &here,
            sources: &mut sources,
        };
        out.push('\n');
        out += &writing.cause(number, &told);
    }
    for (many, what) in [
        (left_out, "events of further causes that are not shown"),
        (
            suppressed,
            "events that the guard did not write, because there were too many at once",
        ),
    ] {
        if many > 0 {
            let _ = write!(out, "\n{what}: {}\n", words::number(many));
        }
    }
    print(&out)
}

/// The first line: how much there is, and of when.
fn summary(name: &str, events: u64, groups: &[(usize, Group)]) -> String {
    let times = groups.iter().filter_map(|(_, group)| group.times);
    let first = times.clone().map(|(first, _)| first).min();
    let last = times.map(|(_, last)| last).max();
    let when = match (first, last) {
        (Some(first), Some(last)) if first.day() == last.day() => {
            format!("; {} {} UTC", first.day(), time::range(first, last))
        }
        (Some(first), Some(last)) => format!("; {} UTC", time::range(first, last)),
        _ => String::new(),
    };
    format!(
        "{name}: {}, {}{when}\n",
        words::of(events as usize, "event", "events"),
        words::of(groups.len(), "cause", "causes"),
    )
}
