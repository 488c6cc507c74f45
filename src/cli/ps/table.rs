//! The processes as a person reads them: a tree in a table that fits a terminal.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use forkguard_record::State;

use super::family::{By, Family};
use super::look::{Part, Process, Seen};
use super::memory::Identity;
use super::moment;
use crate::event::plain;

/// Columns of the table where it is not for a terminal, and the fewest and the most on one.
const COLUMNS: usize = 100;
const FEWEST: usize = 60;
const MOST: usize = 200;
/// Columns that each part may take at most.
const PID: usize = 24;
const USER: usize = 12;
const PLACE: usize = 36;
const CUDA: usize = "violation, goes on".len();
/// Between two parts.
const GAP: &str = "  ";

const HEAD: Style = Style::new().bold();
const ASIDE: Style = Style::new().dimmed();

/// One line of the table.
struct Row {
    pid: String,
    user: String,
    age: String,
    cuda: &'static str,
    place: String,
    command: String,
    alarming: bool,
    /// What is said below it, behind what is drawn of the tree.
    aside: Option<(String, String)>,
}

/// All of it.
pub fn text(seen: &Seen) -> String {
    let mut text = String::new();
    if seen.processes.is_empty() {
        text.push_str("no process here has initialised CUDA under the guard\n");
    } else {
        let rows = rows(seen);
        table(&rows, columns(), &mut text);
    }
    if seen.denied > 0 {
        // SAFETY: takes nothing and cannot fail.
        let is_root = unsafe { libc::geteuid() } == 0;
        text.push_str(&denied(seen.denied, is_root));
    }
    if seen.hidden {
        text.push_str("(/proc hides other users' processes here: run as root to see them)\n");
    }
    text
}

/// What is said of processes that could not be looked at.
fn denied(count: usize, is_root: bool) -> String {
    match (count, is_root) {
        (1, false) => {
            "(1 process of another user was not looked at: run as root to see it)\n".to_owned()
        }
        (count, false) => format!(
            "({count} processes of other users were not looked at: run as root to see them)\n"
        ),
        // Of another user namespace, or protected.
        (1, true) => "(1 process was not looked at: this root has no right to it)\n".to_owned(),
        (count, true) => {
            format!("({count} processes were not looked at: this root has no right to them)\n")
        }
    }
}

/// All lines, from the top.
fn rows(seen: &Seen) -> Vec<Row> {
    let top = || {
        seen.tree
            .under(None)
            .iter()
            .filter_map(|pid| seen.processes.get(pid))
    };
    let forked = |process: &&Process| matches!(process.part, Part::Forked { .. });
    // What is left of families whose beginners are no more, which stand where the first of each stands.
    let mut left: HashMap<Identity, Vec<i32>> = HashMap::new();
    for process in top().filter(forked) {
        left.entry(process.family).or_default().push(process.pid);
    }
    let mut rows = Vec::new();
    for process in top() {
        if let Part::Forked { record, .. } = &process.part {
            if let Some(left) = left.remove(&process.family) {
                rows.push(ended(seen, process, record));
                rows_under(seen, &left, &mut rows);
            }
        } else {
            let under = seen.tree.under(Some(process.pid));
            rows.push(row(seen, process, "", stem(under)));
            rows_under(seen, under, &mut rows);
        }
    }
    rows
}

/// What is drawn beside what is said of a process that has these under it.
fn stem(under: &[i32]) -> &'static str {
    if under.is_empty() { "  " } else { "│ " }
}

/// The lines of these processes, which stand below one, and of those below them. (A tree may be as deep
/// as there are processes.)
fn rows_under(seen: &Seen, pids: &[i32], rows: &mut Vec<Row>) {
    let mut open: Vec<(String, &[i32])> = vec![(String::new(), pids)];
    while let Some((below, pids)) = open.last_mut() {
        let Some((pid, rest)) = pids.split_first() else {
            open.pop();
            continue;
        };
        *pids = rest;
        let (branch, more) = if rest.is_empty() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let branch = format!("{below}{branch}");
        let below = without_beginning(&format!("{below}{more}"), PID);
        let under = seen.tree.under(Some(*pid));
        if let Some(process) = seen.processes.get(pid) {
            let stem = format!("{below}{}", stem(under));
            rows.push(row(seen, process, &branch, &stem));
        }
        open.push((below, under));
    }
}

/// The process that the family began with, and that is no more; what is left of the family, `heir`
/// among it, stands below.
fn ended(seen: &Seen, heir: &Process, record: &Family) -> Row {
    let gone = seen
        .tree
        .violations_of_the_gone(heir.family, record.violations);
    Row {
        pid: record.by.pid.to_string(),
        user: String::new(),
        age: moment::age(record.by.unix_ns, SystemTime::now()),
        cuda: "initialised, ended",
        place: plain(&place(&record.by.place, heir)),
        command: String::new(),
        alarming: false,
        aside: Some(("│ ".to_owned(), about(record, gone))),
    }
}

fn row(seen: &Seen, process: &Process, branch: &str, below: &str) -> Row {
    let now = SystemTime::now();
    let place = |frames: &[String]| place(frames, process);
    let mut row = Row {
        pid: format!("{branch}{}", process.pid),
        user: plain(&process.user),
        age: String::new(),
        cuda: "unknown",
        place: String::new(),
        command: plain(program(&process.command)),
        alarming: false,
        aside: None,
    };
    match &process.part {
        Part::Initialiser { record, revived } => {
            row.cuda = if revived.is_some() {
                "revived"
            } else {
                "initialised"
            };
            row.age = moment::age(record.by.unix_ns, now);
            row.place = place(&record.by.place);
            let gone = seen
                .tree
                .violations_of_the_gone(process.family, record.violations);
            let mut aside = about(record, gone);
            if let Some(fork) = revived {
                let _ = write!(aside, "; forked at {}", plain(&place(&fork.place)));
            }
            row.aside = Some((below.to_owned(), aside));
        }
        Part::Forked {
            fork: Some(fork), ..
        } => {
            row.cuda = word(fork.state);
            row.alarming = fork.violations > 0;
            row.age = moment::age(fork.unix_ns, now);
            row.place = if fork.function.is_empty() {
                "a fork that was not seen".to_owned()
            } else {
                place(&fork.place)
            };
        }
        Part::Forked { fork: None, .. } => {
            row.cuda = "forked";
            "not recorded".clone_into(&mut row.place);
        }
        Part::Unknown(why) => {
            row.aside = Some((below.to_owned(), why.clone()));
        }
    }
    row.place = plain(&row.place);
    row
}

/// What a forked process did with CUDA.
pub fn word(state: State) -> &'static str {
    match state {
        State::Unused => "not used",
        State::Warned => "violation, goes on",
        State::Ending => "violation, ends",
        State::Absent => "absent (cpu)",
        State::Revived => "revived",
    }
}

/// What is to be said of a family besides.
fn about(record: &Family, gone: u32) -> String {
    let By {
        function,
        library,
        policy,
        ..
    } = &record.by;
    let mut text = format!("policy {policy}; ");
    text.push_str(if record.context {
        "has a context"
    } else {
        "only asked"
    });
    match record.violations {
        0 => {}
        1 => text.push_str("; 1 violation"),
        count => {
            let _ = write!(text, "; {count} violations");
        }
    }
    if gone > 0 {
        let by = if gone == record.violations {
            "by".to_owned()
        } else {
            format!("{gone} by")
        };
        let _ = write!(text, ", {by} processes now gone");
    }
    let _ = write!(text, "; {function}");
    if !library.is_empty() {
        let _ = write!(text, ", through {library}");
    }
    plain(&text)
}

/// The first of the frames, as one reads it in the process's directory.
fn place(frames: &[String], process: &Process) -> String {
    let frame = frames.first();
    frame.map_or_else(
        || "?".to_owned(),
        |frame| shorter(frame, process.directory.as_deref()),
    )
}

/// A command line without the folder of its program, which would take all the room.
fn program(command: &str) -> &str {
    let end = command.find(' ').unwrap_or(command.len());
    let folder = command[..end].rfind('/');
    folder.map_or(command, |slash| &command[slash + 1..])
}

/// A frame's place as one reads it who knows the directory.
fn shorter(frame: &str, directory: Option<&str>) -> String {
    let inside = directory
        .filter(|directory| directory.len() > 1)
        .and_then(|directory| frame.strip_prefix(directory)?.strip_prefix('/'));
    inside.unwrap_or(frame).to_owned()
}

/// As many as the terminal has, so that no line is broken in two.
fn columns() -> usize {
    // SAFETY: plain numbers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: a descriptor, and a place for the answer.
    let asked = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if asked != 0 || size.ws_col == 0 {
        return COLUMNS;
    }
    usize::from(size.ws_col).clamp(FEWEST, MOST)
}

fn table(rows: &[Row], columns: usize, text: &mut String) {
    let widest = |of: fn(&Row) -> &str, least: &str, most: usize| {
        let widths = rows.iter().map(|row| of(row).chars().count());
        widths.fold(least.len(), usize::max).min(most)
    };
    let pid = widest(|row| &row.pid, "PID", PID);
    let user = widest(|row| &row.user, "USER", USER);
    let age = widest(|row| &row.age, "AGE", 7);
    let cuda = widest(|row| row.cuda, "CUDA", CUDA);
    let place = widest(|row| &row.place, "INITIALISED, FORKED AT", PLACE);
    let others = pid + user + age + cuda + place + 5 * GAP.len();
    let command = columns.saturating_sub(others);
    let _ = writeln!(
        text,
        "{HEAD}{:pid$}{GAP}{:user$}{GAP}{:age$}{GAP}{:cuda$}{GAP}{:place$}{GAP}COMMAND{HEAD:#}",
        "PID", "USER", "AGE", "CUDA", "INITIALISED, FORKED AT",
    );
    for row in rows {
        let state = if row.alarming {
            Style::new().fg_color(Some(anstyle::AnsiColor::Yellow.into()))
        } else {
            Style::new()
        };
        let line = format!(
            "{:pid$}{GAP}{:user$}{GAP}{:>age$}{GAP}{state}{:cuda$}{state:#}{GAP}{:place$}{GAP}{}",
            without_beginning(&row.pid, pid),
            without_end(&row.user, user),
            row.age,
            row.cuda,
            without_beginning(&row.place, place),
            without_end(&row.command, command),
        );
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some((below, aside)) = &row.aside {
            let room = columns.saturating_sub(below.chars().count());
            let aside = without_end(aside, room);
            let _ = writeln!(text, "{below}{ASIDE}{aside}{ASIDE:#}");
        }
    }
}

/// Cut at its end.
fn without_end(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Cut at its beginning: of a place, its end says most.
fn without_beginning(text: &str, room: usize) -> String {
    let long = text.chars().count();
    if long <= room {
        return text.to_owned();
    }
    let end = text.chars().skip(long - room.saturating_sub(1));
    std::iter::once('…').chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn long_texts_are_cut_to_the_column() {
        assert_eq!(without_end("python train.py", 15), "python train.py");
        assert_eq!(without_end("python train.py", 8), "python …");
        assert_eq!(
            without_beginning("lib/train.py:18 main", 12),
            "….py:18 main"
        );
        assert_eq!(without_beginning("grün", 3), "…ün");
    }

    #[test]
    fn rows_are_as_wide_as_the_terminal() {
        let row = Row {
            pid: "├─ 4242".to_owned(),
            user: "somebody".to_owned(),
            age: "3h".to_owned(),
            cuda: "initialised",
            place: "serve.py:9 load".to_owned(),
            command: "x".repeat(300),
            alarming: false,
            aside: Some(("│ ".to_owned(), "policy abort; ".repeat(30))),
        };
        for columns in [80, 132] {
            let mut text = String::new();
            table(std::slice::from_ref(&row), columns, &mut text);
            let plain = anstream::adapter::strip_str(&text).to_string();
            let widths: Vec<usize> = plain
                .lines()
                .skip(1)
                .map(|line| line.chars().count())
                .collect();
            assert_eq!(widths, [columns, columns]);
        }
    }

    /// As deep as there are processes, the tree stays in its column.
    #[test]
    fn a_tree_may_be_deep() {
        const DEEP: i32 = 20_000;
        let process = |pid| Process {
            pid,
            inner: pid,
            uid: 0,
            user: "root".into(),
            command: "train".to_owned(),
            directory: None,
            family: Identity::default(),
            part: Part::Unknown("its record is not finished".to_owned()),
        };
        let processes = (1..=DEEP).map(|pid| (pid, process(pid))).collect();
        let parents = (1..=DEEP).map(|pid| (pid, pid - 1)).collect();
        let seen = Seen {
            tree: Tree::of(&processes, &parents),
            processes,
            denied: 0,
            hidden: false,
        };
        let rows = rows(&seen);
        assert_eq!(rows.len(), DEEP as usize);
        assert_eq!(rows[2].pid, "   └─ 3");
        let last = &rows[DEEP as usize - 1];
        assert!(last.pid.ends_with("└─ 20000"), "{}", last.pid);
        assert!(last.pid.chars().count() <= PID + 8);
    }

    #[test]
    fn a_place_is_told_from_the_directory_on() {
        assert_eq!(shorter("/srv/app/a.py:1 f", Some("/srv/app")), "a.py:1 f");
        assert_eq!(
            shorter("/srv/apple/a.py:1 f", Some("/srv/app")),
            "/srv/apple/a.py:1 f"
        );
        assert_eq!(shorter("/a.py:1 f", Some("/")), "/a.py:1 f");
        assert_eq!(shorter("/a.py:1 f", None), "/a.py:1 f");
    }
}
