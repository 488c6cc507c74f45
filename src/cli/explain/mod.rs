//! `forkguard explain`: recorded events, for people: on the terminal, or as a page.
//!
//! | file | what it is for |
//! |---|---|
//! | [`read`] | the lines of a file: events, what is others', what is broken |
//! | [`cause`], [`group`] | which events are of one cause |
//! | [`files`], [`symbols`], [`source`] | what the files that events name tell of their frames |
//! | [`stack`] | Python's and native frames in one line, and what of them is folded away |
//! | [`words`], [`told`] | what is said of a cause |
//! | [`processes`] | who was forked from whom |
//! | [`text`], [`html`] | how it looks |
//!
//! A file of events comes from other processes, perhaps from another machine, and may be of any
//! size: nothing in it is trusted, and no more than its causes is kept.

mod cause;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod group;
mod html;
mod processes;
mod read;
mod source;
mod stack;
mod symbols;
mod text;

mod told;
mod words;

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cause::Class;
use group::{Group, Groups};
use html::Page;
use processes::Processes;
use source::Sources;
use symbols::Symbols;
use text::Writing;
use told::Told;

use crate::arguments::Explain;
use crate::time;
use crate::trouble::{Ended, Trouble, USAGE, not_printed, print, reason, say};

/// The exit code where nothing could be read.
const NOTHING: u8 = 2;
/// Lines that cannot be read and are told one by one.
const TOLD: u64 = 5;
/// Causes that a page tells.
const ON_A_PAGE: usize = 200;

/// Reads the file and shows what is in it.
pub fn explain(arguments: &Explain) -> Ended {
    let name = if arguments.file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    if let Some(page) = &arguments.html
        && is_same_file(page, &arguments.file)
    {
        return Err(Trouble::new(
            USAGE,
            format!("{name} holds the events; name another file for the page"),
        ));
    }
    if let Some(root) = &arguments.root
        && !root.is_dir()
    {
        return Err(Trouble::new(
            USAGE,
            format!(
                "--root {} is no folder; name the one that was / for the program",
                root.display()
            ),
        ));
    }
    let read = read_all(&arguments.file, &name, arguments.html.is_some())?;
    let mut view = View {
        full: arguments.full,
        here: std::env::current_dir().unwrap_or_default(),
        symbols: Symbols::new(arguments.root.clone()),
        sources: Sources::new(!arguments.no_source, arguments.root.clone()),
    };
    match &arguments.html {
        None => print(&view.text(&name, read)),
        Some(path) => {
            let page = view.page(&name, read);
            if path.as_os_str() == "-" {
                return print_page(&page);
            }
            html::save(&page, path).map_err(|error| {
                let why = reason(&error);
                Trouble::new(
                    USAGE,
                    format!("{} cannot be written: {why}", path.display()),
                )
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether both names lead to one file, which a page would replace. Devices and pipes are not replaced.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let about = |path: &Path| fs::metadata(path).ok().filter(Metadata::is_file);
    let (Some(one), Some(other)) = (about(one), about(other)) else {
        return false;
    };
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A page is not for a terminal: what looks like a colour in it is text.
fn print_page(page: &str) -> Ended {
    let mut out = io::stdout().lock();
    match io::Write::write_all(&mut out, page.as_bytes()).and_then(|()| io::Write::flush(&mut out))
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(not_printed(&error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What a file holds.
#[derive(Default)]
struct Read {
    groups: Groups,
    processes: Processes,
    events: u64,
    broken: u64,
    foreign: u64,
}

impl Read {
    /// Adds what a line holds, the processes only where they are to be `drawn`; answers why something
    /// in it cannot be read.
    fn add(&mut self, line: read::Line, drawn: bool) -> Option<String> {
        self.foreign += u64::from(line.is_foreign());
        self.broken += u64::from(line.broken.is_some());
        for event in line.events {
            self.events += 1;
            let cause = self.groups.add(&event, line.size);
            if drawn {
                self.processes.add(&event, cause);
            }
        }
        line.broken
    }
}

/// Reads all there is; the processes only where they are to be `drawn`.
fn read_all(path: &Path, name: &str, drawn: bool) -> Result<Read, Trouble> {
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
        if let Some(why) = read.add(line, drawn)
            && read.broken <= TOLD
        {
            say(&format!("{name}:{number}: the line {why}"));
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

/// How it is shown.
struct View {
    /// Nothing is left out.
    full: bool,
    /// Where the reader is.
    here: PathBuf,
    symbols: Symbols,
    sources: Sources,
}

impl View {
    fn text(&mut self, name: &str, read: Read) -> String {
        let missing = missing(&read);
        let groups = read.groups.sorted();
        let (shown, _) = apart(&groups, self.full);
        let mut out = summary(name, read.events, &groups, shown.len()) + "\n";
        for missing in missing {
            let _ = writeln!(out, "{missing}");
        }
        for (number, (_, group)) in (1..).zip(shown) {
            let told = Told::new(group, &mut self.symbols, &mut self.sources, self.full);
            let mut writing = Writing {
                full: self.full,
                here: &self.here,
                sources: &mut self.sources,
            };
            out.push('\n');
            out += &writing.cause(number, &told);
        }
        out
    }

    fn page(&mut self, name: &str, mut read: Read) -> String {
        let mut missing = missing(&read);
        let families = std::mem::take(&mut read.processes).families();
        let groups = read.groups.sorted();
        let (shown, instead) = apart(&groups, self.full);
        let summary = summary(name, read.events, &groups, shown.len());
        let more = shown.len().saturating_sub(ON_A_PAGE);
        if more > 0 {
            missing.push(format!(
                "Further causes that are not shown: {}",
                words::number(more as u64)
            ));
        }
        let told: Vec<_> = shown
            .into_iter()
            .take(ON_A_PAGE)
            .map(|(index, group)| {
                let told = Told::new(group, &mut self.symbols, &mut self.sources, self.full);
                (*index, told)
            })
            .collect();
        Page {
            name,
            summary: &summary,
            told: &told,
            instead: &instead,
            families: &families,
            missing: &missing,
            here: &self.here,
        }
        .write(&mut self.sources)
    }
}

/// The causes that are shown, and of the others, which of those tells the same: where CUDA was
/// initialised is part of what came of it.
fn apart(groups: &[(usize, Group)], full: bool) -> (Vec<&(usize, Group)>, HashMap<usize, usize>) {
    let mut told_by: HashMap<&str, usize> = HashMap::new();
    let mut instead = HashMap::new();
    let mut shown = Vec::new();
    for entry in groups {
        let (index, group) = entry;
        let by = *told_by.entry(&group.initialisation).or_insert(*index);
        if by != *index && group.class >= Class::Context && !full {
            instead.insert(*index, by);
        } else {
            shown.push(entry);
        }
    }
    (shown, instead)
}

/// What of the events is not shown, in sentences.
fn missing(read: &Read) -> Vec<String> {
    [
        (
            read.groups.left_out,
            "Events of further causes that are not shown",
        ),
        (
            read.groups.suppressed,
            "Events that the guard did not write, because there were too many at once",
        ),
        (read.groups.lost, "Events that the guard could not write"),
        (
            read.processes.left_out,
            "Events of further processes that are not drawn",
        ),
    ]
    .into_iter()
    .filter(|(many, _)| *many > 0)
    .map(|(many, what)| format!("{what}: {}", words::number(many)))
    .collect()
}

/// The first line: how much there is, and of when.
fn summary(name: &str, events: u64, groups: &[(usize, Group)], causes: usize) -> String {
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
        "{name}: {}, {}{when}",
        words::of(events as usize, "event", "events"),
        words::of(causes, "cause", "causes"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A violation as the guard wrote it, with files that are not here.
    const REAL: &str = r#"{"schema":1,"event":"violation","time":"2026-11-21T17:37:07.373Z","pid":7049,"ppid":7008,"exe":"/gone/app","argv0":"app","argv":["app","-x y"],"suppressed":1,"lost":1,"policy":"abort","function":"cuInit","library":"libffi.so.8","action":"abort","kind":"driver-call","context":false,"initialising":false,"told_by":null,"reason":"no","refusal":"no","not_revived":"no","process":"p","child":7049,"way":"exec","code":100,"initialised":{"pid":7008,"tid":7008,"thread":"MainThread","time":"2026-11-21T17:37:07.366Z","function":"cuInit","library":"libffi.so.8","python":[{"file":"/gone/app.py","line":32,"function":"<module>","own":true}],"python_omitted":1,"native":[{"module":"/gone/app","offset":4225,"symbol":"_start"}],"native_omitted":1},"forked":{"child":7049,"pid":7008,"tid":7008,"thread":"MainThread","time":"2026-11-21T17:37:07.368Z","function":"fork","library":null,"python":[],"native":[{"module":"/gone/app","offset":1,"symbol":"_ZN1a1bE"}]},"forks":[{"child":7049,"pid":7008,"time":"2026-11-21T17:37:07.368Z","python":[],"native":[]}],"used":{"pid":7049,"tid":7049,"thread":"MainThread","time":"2026-11-21T17:37:07.373Z","function":"cuInit","library":"libffi.so.8","python":[],"native":[]},"modules":[{"module":"/gone/app","build_id":"00ff"}],"advice":["fork first"]}"#;

    /// Calls `each` with every value that has no others in it.
    fn leaves(value: &mut Value, each: &mut impl FnMut(&mut Value)) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    leaves(item, each);
                }
            }
            Value::Object(members) => {
                for member in members.values_mut() {
                    leaves(member, each);
                }
            }
            leaf => each(leaf),
        }
    }

    fn shown(events: &[Value]) -> (String, String) {
        let read = || {
            let mut read = Read::default();
            for event in events {
                for event in read::parse(&event.to_string()).events {
                    read.events += 1;
                    let cause = read.groups.add(&event, 0);
                    read.processes.add(&event, cause);
                }
            }
            read
        };
        let mut view = View {
            full: false,
            here: PathBuf::new(),
            symbols: Symbols::new(None),
            sources: Sources::new(true, None),
        };
        (view.text("events", read()), view.page("events", read()))
    }

    /// Every single value of an event made the strangest that its type allows: all are shown.
    #[test]
    fn whatever_an_event_holds_can_be_shown() {
        let real: Value = serde_json::from_str(REAL).expect("an event");
        let strange = [
            json!(0),
            json!(-1),
            json!(i32::MAX),
            json!(i32::MIN),
            json!(u32::MAX),
            json!(u64::MAX),
            json!(null),
            json!(true),
            json!(""),
            json!("\u{1b}[31m<b>/../\u{202e}\0"),
            json!("9999-12-31T23:59:60.999Z"),
            json!("0000-01-01T00:00:00.000Z"),
            json!("x".repeat(5000)),
        ];
        let mut count = 0;
        leaves(&mut real.clone(), &mut |_| count += 1);
        let mut all_read = 0;
        for changed in 0..count {
            for value in &strange {
                let mut event = real.clone();
                let mut at = 0;
                leaves(&mut event, &mut |leaf| {
                    if at == changed {
                        *leaf = value.clone();
                    }
                    at += 1;
                });
                let (text, page) = shown(&[real.clone(), event, real.clone()]);
                all_read += usize::from(text.starts_with("events: 3"));
                assert!(!text.contains("\x1b[31m<b>"), "{text}");
                assert!(
                    page.ends_with("</html>\n") && !page.contains("<b>/"),
                    "{page}"
                );
            }
        }
        // Most of them are of the right type.
        assert!(all_read > 2 * count, "{all_read} of {count}");
    }
}
