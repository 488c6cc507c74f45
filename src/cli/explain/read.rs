//! Reading a file of events, line by line: what is one, what is another program's, and what is
//! broken. A file may be as large as a disk and hold anything; no more than a line of it is kept.
//!
//! Log collectors wrap lines, or put words before them; the events in those are found, too.

use std::io::{self, BufRead};

use serde_json::Value;

use crate::event::{Event, plain};

/// Bytes of the longest line that is looked at; an event has up to 128 KiB, and a collector's
/// escapes may double it.
const LONGEST: usize = 1 << 20;
/// Beginnings of events in one line that come to nothing, after which no more are looked for: each is
/// read as far as it goes, and in the worst line all go to its end.
const TORN: usize = 16;
/// How an event begins, as the guard writes it.
const START: &str = "{\"schema\":";
/// The schema that this command reads.
const SCHEMA: u32 = 1;
/// Members under which collectors keep the line that they were given.
const WRAPPERS: [&str; 5] = ["log", "message", "MESSAGE", "msg", "line"];
/// The events that are known.
const NAMES: [&str; 8] = [
    "initialised",
    "violation",
    "rewritten",
    "revived",
    "cpu",
    "refused",
    "attempted",
    "context",
];

/// What only a trace has, and is of no interest in itself: a process began.
const TRACED: &str = "loaded";

/// What a line holds; one of another program's holds nothing.
#[derive(Debug, Default)]
pub struct Line {
    /// Events; nearly always one.
    pub events: Vec<Event>,
    /// Why something that begins like an event cannot be read.
    pub broken: Option<String>,
    /// There was an event that is of no interest here.
    pub passed: bool,
    /// Its bytes.
    pub size: usize,
}

impl Line {
    fn broken(why: impl Into<String>) -> Self {
        Self {
            broken: Some(why.into()),
            ..Self::default()
        }
    }

    /// Whether nothing in it is the guard's.
    pub fn is_foreign(&self) -> bool {
        self.events.is_empty() && self.broken.is_none() && !self.passed
    }
}

/// Goes through the lines of `input`, and gives each that is not empty to `each`, with its number.
/// Where it cannot be read on, answers the line, too.
pub fn lines(
    input: &mut impl BufRead,
    mut each: impl FnMut(u64, Line),
) -> Result<(), (u64, io::Error)> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let end = line(input, &mut bytes).map_err(|error| (number, error))?;
        if bytes.is_empty() && end == End::File {
            break;
        }
        // A file that was cut while it was written to begins with zeros.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
        if text.is_empty() {
            continue;
        }
        let mut found = parse(text);
        found.size = bytes.len();
        if let Some(broken) = &mut found.broken {
            match end {
                End::TooLong => "is too long for an event".clone_into(broken),
                End::File => "is cut off: the file ends within it".clone_into(broken),
                End::Line => {}
            }
        }
        each(number, found);
    }
    Ok(())
}

/// How a line ended.
#[derive(PartialEq, Eq, Clone, Copy)]
enum End {
    Line,
    File,
    TooLong,
}

/// Reads a line into `into`; of one that is too long, the beginning.
fn line(input: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<End> {
    let mut too_long = false;
    loop {
        let piece = match input.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let at_end = piece.is_empty();
        let newline = piece.iter().position(|&byte| byte == b'\n');
        let used = newline.unwrap_or(piece.len());
        let room = LONGEST - into.len();
        into.extend_from_slice(&piece[..used.min(room)]);
        too_long |= used > room;
        input.consume(used + usize::from(newline.is_some()));
        if at_end || newline.is_some() {
            return Ok(match (too_long, at_end) {
                (true, _) => End::TooLong,
                (false, true) => End::File,
                (false, false) => End::Line,
            });
        }
    }
}

/// What is in a line's text.
pub fn parse(text: &str) -> Line {
    if text.starts_with('{') {
        if let Ok(event) = serde_json::from_str::<Event>(text) {
            return judge(event);
        }
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            return in_object(value);
        }
    }
    among_words(text)
}

/// An event of a form and a name that are known.
fn judge(event: Event) -> Line {
    if event.schema != SCHEMA {
        return Line::broken(other_schema(u64::from(event.schema)));
    }
    if event.name == TRACED {
        return Line {
            passed: true,
            ..Line::default()
        };
    }
    if !NAMES.contains(&event.name.as_str()) {
        let name: String = plain(&event.name).chars().take(40).collect();
        return Line::broken(format!(
            "is an event that this command does not know ({name}): a newer forkguard may"
        ));
    }
    Line {
        events: vec![event],
        ..Line::default()
    }
}

/// An event that could not be read at once, or what a collector put a line into.
fn in_object(value: Value) -> Line {
    if let (Some(schema), Some(_)) = (value.get("schema"), value.get("event")) {
        return match schema.as_u64() {
            Some(schema) if schema != u64::from(SCHEMA) => Line::broken(other_schema(schema)),
            _ => serde_json::from_value(value)
                .map_or_else(|error| Line::broken(not_an_event(&error)), judge),
        };
    }
    let kept = WRAPPERS.iter().find_map(|name| value.get(name));
    match kept {
        // Not parsed as any line, for that could be wrapped again without end.
        Some(Value::String(line)) => {
            serde_json::from_str(line).map_or_else(|_| among_words(line), judge)
        }
        Some(inner @ Value::Object(_)) if inner.get("schema").is_some() => {
            serde_json::from_value(inner.clone())
                .map_or_else(|error| Line::broken(not_an_event(&error)), judge)
        }
        _ => Line::default(),
    }
}

/// Events among other words, or behind one that was torn.
fn among_words(text: &str) -> Line {
    let mut found = Line::default();
    let mut rest = text;
    let mut torn = 0;
    while torn < TORN
        && let Some(at) = rest.find(START)
    {
        rest = &rest[at..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Event>();
        let (line, used) = match values.next() {
            Some(Ok(event)) => (judge(event), values.byte_offset()),
            Some(Err(error)) => {
                torn += 1;
                (Line::broken(not_an_event(&error)), START.len())
            }
            None => break,
        };
        found.events.extend(line.events);
        found.broken = found.broken.or(line.broken);
        found.passed |= line.passed;
        rest = &rest[used..];
    }
    found
}

fn other_schema(schema: u64) -> String {
    format!(
        "has schema {schema}, and this command reads schema {SCHEMA}: it takes the forkguard that \
         wrote it"
    )
}

fn not_an_event(error: &serde_json::Error) -> String {
    let error = error.to_string();
    // Where in the line is of no use to anybody.
    let error = error.split(" at line ").next().unwrap_or_default();
    let shown: String = plain(error).chars().take(120).collect();
    format!("is no event as the guard writes them ({shown})")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A violation as the guard wrote it, with the longer stacks left out.
    const REAL: &str = r#"{"schema":1,"event":"violation","time":"2026-11-21T17:37:07.373Z","pid":7049,"ppid":7008,"exe":"/usr/bin/python3.11","argv0":"python3","policy":"abort","function":"cuInit","library":"libffi.so.8","action":"abort","kind":"driver-call","context":false,"initialising":false,"told_by":null,"initialised":{"pid":7008,"tid":7008,"thread":"MainThread","time":"2026-11-21T17:37:07.366Z","function":"cuInit","library":"libffi.so.8","python":[{"file":"/app/app.py","line":32,"function":"<module>","own":true}],"native":[{"module":"/usr/bin/python3.11","offset":4225,"symbol":"_start"}]},"forked":{"child":7049,"pid":7008,"tid":7008,"thread":"MainThread","time":"2026-11-21T17:37:07.368Z","function":"fork","library":"libpython3.11.so.1.0","python":[],"native":[]},"forks":[],"used":{"pid":7049,"tid":7049,"thread":"MainThread","time":"2026-11-21T17:37:07.373Z","function":"cuInit","library":"libffi.so.8","python":[],"native":[]},"modules":[{"module":"/usr/bin/python3.11","build_id":"00ff"}],"advice":["fork first"]}"#;

    fn read(bytes: &[u8]) -> (Vec<i32>, Vec<(u64, String)>, u64) {
        let (mut pids, mut broken, mut foreign) = (Vec::new(), Vec::new(), 0);
        let mut input = io::BufReader::with_capacity(64, bytes);
        lines(&mut input, |number, line| {
            foreign += u64::from(line.is_foreign());
            pids.extend(line.events.iter().map(|event| event.pid));
            broken.extend(line.broken.map(|why| (number, why)));
        })
        .expect("memory can be read");
        (pids, broken, foreign)
    }

    #[test]
    fn events_are_found_where_collectors_put_them() {
        let docker = serde_json::json!({"log": format!("{REAL}\n"), "stream": "stderr"});
        let nested = serde_json::json!({"message": serde_json::from_str::<Value>(REAL).unwrap()});
        let sorted = serde_json::from_str::<Value>(REAL).unwrap();
        for line in [
            REAL.to_owned(),
            format!("\0\0\0{REAL}\r"),
            format!("2026-11-21T17:37:07.373Z stderr F {REAL}"),
            format!("{}{REAL}", &REAL[..70]),
            format!("{REAL} trailing words"),
            docker.to_string(),
            nested.to_string(),
            sorted.to_string(),
            REAL.replace("violation", TRACED) + "\n" + REAL,
        ] {
            let (pids, _, foreign) = read(line.as_bytes());
            assert_eq!((pids, foreign), (vec![7049], 0), "{line}");
        }
    }

    #[test]
    fn what_is_others_is_passed_over() {
        let text = format!("hello\n\n{{\"level\":\"info\",\"msg\":\"hi\"}}\n[1]\n{REAL}\n");
        let bytes = [text.as_bytes(), b"\xff\xfe\n"].concat();
        assert_eq!(read(&bytes), (vec![7049], vec![], 4));
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        let newer = REAL.replace("\"schema\":1", "\"schema\":2");
        let unknown = REAL.replace("\"event\":\"violation\"", "\"event\":\"\u{1b}[31m\"");
        let wrong = REAL.replace("\"pid\":7049,\"ppid\"", "\"pid\":\"7049\",\"ppid\"");
        let text = [REAL, &newer, &unknown, &wrong, &REAL[..REAL.len() / 2]].join("\n");
        let (pids, broken, _) = read(text.as_bytes());
        assert_eq!(pids, [7049]);
        let lines: Vec<u64> = broken.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert!(broken[0].1.contains("has schema 2"), "{broken:?}");
        assert!(broken[2].1.contains("expected i32"), "{broken:?}");
        assert!(broken[3].1.contains("is cut off"), "{broken:?}");
        assert!(
            !broken.iter().any(|(_, why)| why.contains('\x1b')),
            "{broken:?}"
        );
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut bytes = REAL.as_bytes()[..500].to_vec();
        bytes.resize(3 * LONGEST, b'x');
        bytes.push(b'\n');
        bytes.extend_from_slice(REAL.as_bytes());
        let (pids, broken, _) = read(&bytes);
        assert_eq!(pids, [7049]);
        assert_eq!(broken, [(1, "is too long for an event".to_owned())]);
    }

    /// Each of them may be read to the line's end: with a longest line of beginnings, one within the
    /// other, `explain` was busy for hours.
    #[test]
    fn of_beginnings_in_a_line_some_are_read() {
        for begun in ["{\"schema\":1,\"event\":\"viol", "{\"schema\":1,\"x\":["] {
            let line = |many: usize| format!("{}{REAL}\n", begun.repeat(many));
            assert_eq!(read(line(TORN - 1).as_bytes()).0, [7049]);
            let (pids, broken, _) = read(line(TORN).as_bytes());
            assert_eq!((pids, broken.len()), (vec![], 1));
        }
    }

    /// Every way in which one byte of a real line can be lost, doubled, or turned into one that
    /// means something to JSON or to text, and many in which several are: nothing panics, and
    /// the good lines around it are read.
    #[test]
    fn mangled_lines_do_no_harm() {
        const ODD: [u8; 12] = *b"{}[]\",:\\0-\x00\xff";
        let good = format!("{REAL}\n");
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        for round in 0..3 * REAL.len() {
            let mut mangled = REAL.as_bytes().to_vec();
            for _ in 0..=round / REAL.len() {
                let at = random(mangled.len());
                match round % 4 {
                    0 => drop(mangled.remove(at)),
                    1 => mangled.insert(at, mangled[at]),
                    2 => mangled[at] = ODD[random(ODD.len())],
                    _ => mangled.truncate(at.max(1)),
                }
            }
            let mut bytes = good.clone().into_bytes();
            bytes.extend_from_slice(&mangled);
            bytes.push(b'\n');
            bytes.extend_from_slice(good.as_bytes());
            let (pids, ..) = read(&bytes);
            assert!(pids.len() >= 2, "{}", String::from_utf8_lossy(&mangled));
        }
    }
}
