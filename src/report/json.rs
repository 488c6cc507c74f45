//! The report as a machine reads it: one JSON object a line, in the form that README promises.
//!
//! An event begins with a line end of its own, which is written only where it is needed.
//! Formats into a [`Buffer`]; allocates nothing. An event that is too long for its buffer is
//! made again with fewer frames, so that what is written is always whole.

use core::fmt::{self, Write};

use super::buffer::Buffer;
use super::frames;
use super::native;
use super::scene::Scene;
use super::{Action, Kind, Noted, Served, Service, Violation, advice};
use crate::lineage::{Fork, Moment};
use crate::policy::exec::Rewrite;
use crate::policy::revive;
use crate::stack::{NATIVE_FRAMES, PYTHON_FRAMES};
use crate::sys::modules::Met;

/// The version of the events' form.
const SCHEMA: u32 = 1;

/// How much of a stack an event takes.
#[derive(Clone, Copy)]
struct Limit {
    /// Frames of one kind of one stack: half from each end.
    frames: usize,
    /// Bytes of one string.
    text: usize,
    /// Bytes of the program's arguments.
    arguments: usize,
}

/// Tried in turn until the event fits.
const LIMITS: [Limit; 5] = [
    Limit {
        frames: usize::MAX,
        text: 4096,
        arguments: 8192,
    },
    Limit {
        frames: 24,
        text: 1024,
        arguments: 4096,
    },
    Limit {
        frames: 8,
        text: 256,
        arguments: 1024,
    },
    Limit {
        frames: 2,
        text: 128,
        arguments: 256,
    },
    Limit {
        frames: 0,
        text: 64,
        arguments: 0,
    },
];

/// What an event tells, besides who tells it.
struct Event<'a> {
    name: &'static str,
    policy: &'a str,
    /// When and where it happened: its process, its time, its function.
    here: &'a Moment,
    initialised: &'a Moment,
    context: bool,
    /// The forks that made this process, and where it used CUDA.
    child: Option<(&'a [&'a Fork], &'a Moment)>,
    violation: Option<&'a Violation<'a>>,
    rewrite: Option<&'a Rewrite<'a>>,
    service: Option<Service>,
    noted: Option<Noted>,
}

/// A violation, as one line. Nothing is written where even its shortest form does not fit.
pub fn violation(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    fit(out, &of_violation(v), scene, &LIMITS);
}

/// A violation without any stack: for where memory is scarce.
pub fn violation_short(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    fit(out, &of_violation(v), scene, &LIMITS[LIMITS.len() - 1..]);
}

fn of_violation<'a>(v: &'a Violation<'a>) -> Event<'a> {
    Event {
        name: "violation",
        policy: v.policy,
        here: v.used,
        initialised: v.initialised,
        context: v.context,
        child: Some((v.forks, v.used)),
        violation: Some(v),
        rewrite: None,
        service: None,
        noted: None,
    }
}

/// A forked process that goes on without CUDA (`cpu`), or with its own (`revived`), as one line.
pub fn served(out: &mut Buffer<'_>, served: &Served<'_>, scene: &Scene<'_>) {
    let (name, policy) = match served.service {
        Service::Absent => ("cpu", "cpu"),
        Service::Revived { .. } => ("revived", "revive"),
        Service::NotRevived => ("refused", "revive"),
    };
    let event = Event {
        name,
        policy,
        here: served.used,
        initialised: served.initialised,
        context: served.context,
        child: Some((served.forks, served.used)),
        violation: None,
        rewrite: None,
        service: Some(served.service),
        noted: None,
    };
    fit(out, &event, scene, &LIMITS);
}

/// The first initialisation, as one line.
pub fn initialised(out: &mut Buffer<'_>, at: &Moment, policy: &str, scene: &Scene<'_>) {
    fit(out, &of_initialised(at, policy), scene, &LIMITS);
}

fn of_initialised<'a>(at: &'a Moment, policy: &'a str) -> Event<'a> {
    Event {
        name: "initialised",
        policy,
        here: at,
        initialised: at,
        context: false,
        child: None,
        violation: None,
        rewrite: None,
        service: None,
        noted: None,
    }
}

/// What only a trace is told, as one line; `at` is where it happened.
pub fn noted(
    out: &mut Buffer<'_>,
    noted: Noted,
    at: &Moment,
    initialised: &Moment,
    policy: &str,
    scene: &Scene<'_>,
) {
    let event = of_noted(noted, at, initialised, policy);
    fit(out, &event, scene, &LIMITS);
}

/// The same without any stack: for where memory is scarce.
pub fn noted_short(
    out: &mut Buffer<'_>,
    noted: Noted,
    at: &Moment,
    initialised: &Moment,
    policy: &str,
    scene: &Scene<'_>,
) {
    let event = of_noted(noted, at, initialised, policy);
    fit(out, &event, scene, &LIMITS[LIMITS.len() - 1..]);
}

fn of_noted<'a>(
    noted: Noted,
    at: &'a Moment,
    initialised: &'a Moment,
    policy: &'a str,
) -> Event<'a> {
    Event {
        name: match noted {
            Noted::Loaded => "loaded",
            Noted::Attempted(_) => "attempted",
            Noted::Context => "context",
        },
        policy,
        here: at,
        initialised,
        context: noted == Noted::Context,
        child: None,
        violation: None,
        rewrite: None,
        service: None,
        noted: Some(noted),
    }
}

/// The same without any stack: for where memory is scarce.
pub fn initialised_short(out: &mut Buffer<'_>, at: &Moment, policy: &str, scene: &Scene<'_>) {
    let event = of_initialised(at, policy);
    fit(out, &event, scene, &LIMITS[LIMITS.len() - 1..]);
}

/// A fork that became a fresh process (`rewritten`), or did not (`refused`), as one line.
pub fn rewritten(
    out: &mut Buffer<'_>,
    rewrite: &Rewrite<'_>,
    at: &Moment,
    initialised: &Moment,
    scene: &Scene<'_>,
) {
    let event = Event {
        name: if rewrite.child.is_some() {
            "rewritten"
        } else {
            "refused"
        },
        policy: "exec",
        here: at,
        initialised,
        context: false,
        child: None,
        violation: None,
        rewrite: Some(rewrite),
        service: None,
        noted: None,
    };
    fit(out, &event, scene, &LIMITS);
}

fn fit(out: &mut Buffer<'_>, event: &Event<'_>, scene: &Scene<'_>, limits: &[Limit]) {
    let start = out.end();
    for limit in limits {
        // What stands before the event may be no whole line: see `sink`.
        out.put_str("\n");
        let mut object = Writer {
            out,
            limit: *limit,
            exe: scene.exe,
            first: true,
            met: Met::default(),
        };
        object.event(event, scene);
        out.put_str("\n");
        if !out.is_cut() {
            return;
        }
        out.truncate(start);
    }
}

/// A string, of which at most `most` bytes are given; whether it was longer.
pub fn quote(out: &mut Buffer<'_>, value: fmt::Arguments<'_>, most: usize) -> bool {
    out.put_str("\"");
    let mut escape = Escape {
        out,
        left: most,
        cut: false,
    };
    let _ = escape.write_fmt(value);
    let cut = escape.cut;
    out.put_str("\"");
    cut
}

/// Writes the members of objects and the items of arrays, with their commas.
struct Writer<'b, 'a> {
    out: &'b mut Buffer<'a>,
    limit: Limit,
    /// The executable's path: the loader gives it none.
    exe: &'b str,
    /// Nothing has been written in this object or array yet.
    first: bool,
    /// The modules of the native frames written.
    met: Met,
}

impl<'b> Writer<'b, '_> {
    fn open(&mut self, bracket: &str) {
        self.out.put_str(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: &str) {
        self.out.put_str(bracket);
        self.first = false;
    }

    /// The comma before an item, where one is due.
    fn item(&mut self) {
        if !self.first {
            self.out.put_str(",");
        }
        self.first = false;
    }

    fn name(&mut self, name: &str) {
        self.item();
        self.out.put(format_args!("\"{name}\":"));
    }

    fn raw(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        self.out.put(value);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(format_args!("{value}"));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.string(name, value),
            None => self.raw(name, format_args!("null")),
        }
    }

    fn quoted(&mut self, value: fmt::Arguments<'_>) {
        quote(self.out, value, self.limit.text);
    }

    fn event(&mut self, event: &Event<'_>, scene: &Scene<'_>) {
        let here = event.here;
        self.open("{");
        self.raw("schema", format_args!("{SCHEMA}"));
        self.string("event", event.name);
        self.name("time");
        self.quoted(format_args!("{}", Rfc3339(here.unix_ns)));
        self.raw("pid", format_args!("{}", here.pid));
        self.raw("ppid", format_args!("{}", scene.ppid));
        self.string("exe", scene.exe);
        self.string("argv0", scene.argv0);
        if let Some(arguments) = scene.arguments {
            self.arguments(arguments);
        }
        if scene.omitted.suppressed > 0 {
            self.raw("suppressed", format_args!("{}", scene.omitted.suppressed));
        }
        if scene.omitted.lost > 0 {
            self.raw("lost", format_args!("{}", scene.omitted.lost));
        }
        self.string("policy", event.policy);
        self.string("function", here.function());
        self.optional("library", native::library(here.caller));
        if let Some(v) = event.violation {
            self.violation(v, event.context);
        }
        if let Some(service) = event.service {
            self.service(service, event.context);
        }
        if let Some(rewrite) = event.rewrite {
            self.rewrite(rewrite);
        }
        if let Some(Noted::Attempted(code)) = event.noted {
            self.raw("code", format_args!("{code}"));
        }
        match event.noted {
            // Nothing was initialised.
            Some(Noted::Loaded | Noted::Attempted(_)) => {
                self.raw("initialised", format_args!("null"));
            }
            _ => self.moment("initialised", event.initialised),
        }
        if let Some(replaced) = event.rewrite.and_then(|rewrite| rewrite.replaced) {
            match replaced.fork {
                Some(fork) => {
                    self.name("forked");
                    self.fork(fork);
                }
                None => self.raw("forked", format_args!("null")),
            }
            self.raw("forks", format_args!("[]"));
            self.moment("used", event.here);
        } else if event.rewrite.is_some() {
            self.moment("forked", event.here);
            self.raw("forks", format_args!("[]"));
            self.raw("used", format_args!("null"));
        } else if let Some((forks, used)) = event.child {
            // The fork that made this process; the chain follows.
            match forks.last() {
                Some(fork) => {
                    self.name("forked");
                    self.fork(fork);
                }
                None => self.raw("forked", format_args!("null")),
            }
            self.name("forks");
            self.open("[");
            for fork in forks {
                self.item();
                self.fork(fork);
            }
            self.close("]");
            self.moment("used", used);
        } else {
            self.raw("forked", format_args!("null"));
            self.raw("forks", format_args!("[]"));
            match event.noted {
                Some(Noted::Attempted(_) | Noted::Context) => self.moment("used", event.here),
                _ => self.raw("used", format_args!("null")),
            }
        }
        self.modules();
        self.name("advice");
        self.open("[");
        if let Some(v) = event.violation {
            for item in advice::of(v).iter() {
                self.item();
                self.quoted(format_args!("{}", item.display(scene.cwd)));
            }
        }
        self.close("]");
        self.close("}");
    }

    fn violation(&mut self, v: &Violation<'_>, context: bool) {
        self.string(
            "action",
            match v.action {
                Action::Abort(None) => "abort",
                Action::Abort(Some(_)) => "exit",
                Action::Warn => "warn",
                Action::Watch => "none",
            },
        );
        if let Action::Abort(Some(code)) = v.action {
            self.raw("exit_code", format_args!("{code}"));
        }
        self.string(
            "kind",
            match v.kind {
                Kind::DriverCall => "driver-call",
                Kind::TorchRefusal => "torch-refusal",
                Kind::XlaCall => "xla-call",
            },
        );
        self.raw("context", format_args!("{context}"));
        self.raw("initialising", format_args!("{}", v.initialising));
        match v.told_by {
            Some(pid) => self.raw("told_by", format_args!("{pid}")),
            None => self.raw("told_by", format_args!("null")),
        }
        if v.refusal.is_some() {
            self.optional("refusal", v.refusal);
        }
        if v.not_revived.is_some() {
            self.optional("not_revived", v.not_revived);
        }
    }

    fn service(&mut self, service: Service, context: bool) {
        self.raw("context", format_args!("{context}"));
        match service {
            Service::Absent => {}
            Service::Revived { took_us, driver_us } => {
                self.raw("took_us", format_args!("{took_us}"));
                self.raw("driver_us", format_args!("{driver_us}"));
            }
            Service::NotRevived => self.optional("reason", revive::refusal()),
        }
    }

    fn rewrite(&mut self, rewrite: &Rewrite<'_>) {
        self.string("process", rewrite.process);
        if let Some(child) = rewrite.child {
            self.raw("child", format_args!("{child}"));
            self.string("way", rewrite.way);
            self.raw("carried_bytes", format_args!("{}", rewrite.payload));
            self.raw("took_us", format_args!("{}", rewrite.took_us));
        } else {
            self.string("reason", rewrite.reason);
        }
        self.name("suspicious");
        self.open("[");
        for line in rewrite.suspicious.lines() {
            self.item();
            self.quoted(format_args!("{line}"));
        }
        self.close("]");
    }

    fn moment(&mut self, name: &str, at: &Moment) {
        self.name(name);
        self.open("{");
        self.where_and_when(at);
        self.close("}");
    }

    fn fork(&mut self, fork: &Fork) {
        self.open("{");
        match fork.child {
            0 => self.raw("child", format_args!("null")),
            child => self.raw("child", format_args!("{child}")),
        }
        self.where_and_when(&fork.at);
        self.close("}");
    }

    fn where_and_when(&mut self, at: &Moment) {
        self.raw("pid", format_args!("{}", at.pid));
        self.raw("tid", format_args!("{}", at.tid));
        self.string("thread", at.thread());
        self.name("time");
        self.quoted(format_args!("{}", Rfc3339(at.unix_ns)));
        self.string("function", at.function());
        self.optional("library", native::library(at.caller));
        self.python(at);
        self.native(at);
    }

    fn python(&mut self, at: &Moment) {
        let frames = &at.stack.python;
        let len = frames.len().min(PYTHON_FRAMES);
        let (before, gap) = frames.omitted();
        let mut omitted = before;
        self.name("python");
        self.open("[");
        for (outer, frame) in frames.iter().rev().enumerate() {
            let i = len - 1 - outer;
            if self.left_out(i, len) {
                omitted += 1;
                continue;
            }
            self.item();
            self.open("{");
            self.string("file", frame.file);
            self.raw("line", format_args!("{}", frame.line));
            self.string("function", frame.function);
            // Which is the program's own, so that readers need not know the rules.
            self.raw(
                "own",
                format_args!("{}", frames::origin(frame.file) == frames::Origin::Own),
            );
            self.close("}");
        }
        self.close("]");
        if omitted > 0 {
            self.raw("python_omitted", format_args!("{omitted}"));
            if before > 0 && self.limit.frames >= len {
                // Counted from the outermost, as the array is.
                self.raw(
                    "python_omitted_at",
                    format_args!("{}", len.saturating_sub(gap)),
                );
            }
        }
    }

    fn native(&mut self, at: &Moment) {
        let frames = at.stack.native();
        let len = frames.len().min(NATIVE_FRAMES);
        let mut omitted = 0;
        self.name("native");
        self.open("[");
        for (i, &address) in frames.iter().enumerate().rev() {
            if self.left_out(i, len) {
                omitted += 1;
                continue;
            }
            self.item();
            self.open("{");
            let located = native::locate(address);
            if located.is_some() {
                self.met.note(address - 1);
            }
            let module = located.map(|located| self.file(located.path));
            // The return address, as the file's own headers number it.
            let offset = located.map_or(address, |located| located.offset + 1);
            self.optional("module", module);
            self.raw("offset", format_args!("{offset}"));
            self.optional("symbol", located.and_then(|located| located.symbol));
            self.close("}");
        }
        self.close("]");
        if omitted > 0 {
            self.raw("native_omitted", format_args!("{omitted}"));
        }
    }

    /// The file of a module; the loader gives the program itself no path.
    fn file(&self, path: &'static str) -> &'b str {
        if path.is_empty() { self.exe } else { path }
    }

    /// The modules of the frames above, each once, so that a reader can tell whether the file that
    /// it has is the one that ran.
    fn modules(&mut self) {
        let met = core::mem::take(&mut self.met);
        self.name("modules");
        self.open("[");
        for module in met.modules() {
            self.item();
            self.open("{");
            self.string("module", self.file(module.path()));
            self.name("build_id");
            match module.build_id() {
                Some((id, len)) => self.quoted(format_args!("{}", Hex(&id[..len]))),
                None => self.out.put_str("null"),
            }
            self.close("}");
        }
        self.close("]");
    }

    /// The arguments that the program was started with, each with its NUL; of many, or of long
    /// ones, the beginning.
    fn arguments(&mut self, arguments: &[u8]) {
        let mut left = self.limit.arguments;
        let mut cut = false;
        self.name("argv");
        self.open("[");
        for argument in arguments.split_inclusive(|&byte| byte == 0) {
            if left == 0 {
                cut = true;
                break;
            }
            let argument = argument.strip_suffix(b"\0").unwrap_or(argument);
            self.item();
            let most = left.min(self.limit.text);
            cut |= quote(self.out, format_args!("{}", Lossy(argument)), most);
            // Its quotes and its comma count: arguments may be empty.
            left = left.saturating_sub(argument.len() + 3);
        }
        self.close("]");
        self.raw("argv_cut", format_args!("{cut}"));
    }

    /// Whether frame `i` of `len` falls into the middle that the limit leaves out.
    fn left_out(&self, i: usize, len: usize) -> bool {
        let keep = self.limit.frames;
        len > keep && i >= keep.div_ceil(2) && len - i > keep / 2
    }
}

/// Escapes what is written through it; what is longer than `left` bytes ends with an ellipsis.
struct Escape<'b, 'a> {
    out: &'b mut Buffer<'a>,
    left: usize,
    cut: bool,
}

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.cut {
                return Ok(());
            }
            if c.len_utf8() > self.left {
                self.cut = true;
                self.out.put_str("…");
                return Ok(());
            }
            self.left -= c.len_utf8();
            match c {
                '"' => self.out.put_str("\\\""),
                '\\' => self.out.put_str("\\\\"),
                '\n' => self.out.put_str("\\n"),
                '\r' => self.out.put_str("\\r"),
                '\t' => self.out.put_str("\\t"),
                // From DEL on they are legal in JSON, but no friends of terminals.
                c if c.is_control() => {
                    self.out.put(format_args!("\\u{:04x}", u32::from(c)));
                }
                c => {
                    let mut utf8 = [0; 4];
                    self.out.put_str(c.encode_utf8(&mut utf8));
                }
            }
        }
        Ok(())
    }
}

/// Bytes as text: what is none becomes the replacement character.
struct Lossy<'a>(&'a [u8]);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A time since the epoch as RFC 3339 in UTC, with milliseconds.
struct Rfc3339(u64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let ms = self.0 / 1_000_000 % 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

/// Year, month and day of a day since the epoch. Years begin in March here, so that the leap
/// day comes last; 400 years always have the same number of days.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let month = if january { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(january), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::limit::Admitted;
    use crate::report::sample::{self, Story, moment};

    const SCENE: Scene<'static> = Scene {
        cwd: "/home/me",
        exe: "/usr/bin/python3.12",
        argv0: "python",
        arguments: None,
        ppid: 4200,
        omitted: Admitted {
            suppressed: 0,
            lost: 0,
        },
        colour: false,
    };

    fn made(size: usize, make: impl FnOnce(&mut Buffer<'_>)) -> String {
        let mut bytes = vec![0; size];
        let mut out = Buffer::new(&mut bytes);
        make(&mut out);
        String::from_utf8(out.finish().to_vec()).unwrap()
    }

    fn parsed(story: &Story) -> Value {
        let line = story.tell(|v| made(128 * 1024, |out| violation(out, v, &SCENE)));
        assert!(
            line.starts_with('\n') && line.matches('\n').count() == 2,
            "{line}"
        );
        serde_json::from_str(&line).expect(&line)
    }

    #[test]
    fn a_violation_has_every_promised_field() {
        let event = parsed(&sample::example());
        for (name, value) in [
            ("schema", Value::from(1)),
            ("event", "violation".into()),
            ("time", "2026-11-21T07:15:02.650Z".into()),
            ("pid", 4242.into()),
            ("ppid", 4200.into()),
            ("exe", "/usr/bin/python3.12".into()),
            ("argv0", "python".into()),
            ("policy", "abort".into()),
            ("function", "cuCtxGetDevice".into()),
            ("library", Value::Null),
            ("kind", "driver-call".into()),
            ("context", false.into()),
            ("told_by", Value::Null),
        ] {
            assert_eq!(event[name], value, "{name}");
        }
        for name in ["initialised", "forked", "used"] {
            let moment = &event[name];
            assert!(moment["pid"].is_i64() && moment["tid"].is_i64(), "{name}");
            assert_eq!(moment["thread"], "MainThread");
            assert!(moment["time"].as_str().unwrap().ends_with('Z'));
            assert!(
                moment["native"].is_array() && moment["python"].is_array(),
                "{name}"
            );
        }
        assert_eq!(event["forked"]["child"], 4242);
        assert_eq!(event["forks"].as_array().unwrap().len(), 1);
        assert_eq!(event["advice"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn stacks_are_innermost_last() {
        let event = parsed(&sample::example());
        let used = event["used"]["python"].as_array().unwrap();
        assert_eq!(used.len(), sample::USED.len());
        let last = used.last().unwrap();
        assert_eq!(last["file"], sample::TORCH);
        assert_eq!(
            (&last["line"], &last["function"]),
            (&398.into(), &"_lazy_init".into())
        );
        assert_eq!(last["own"], false);
        assert_eq!(used[0]["file"], "/home/me/app.py");
    }

    #[test]
    fn arrays_are_there_when_empty() {
        let mut story = Story::new(&[], &[], &[]);
        story.forks.clear();
        let event = parsed(&story);
        assert_eq!(event["forked"], Value::Null);
        assert_eq!(event["forks"], Value::from(Vec::<Value>::new()));
        for name in ["initialised", "used"] {
            assert_eq!(event[name]["python"], Value::from(Vec::<Value>::new()));
            assert_eq!(event[name]["native"], Value::from(Vec::<Value>::new()));
        }
    }

    #[test]
    fn an_unnamed_address_stays_a_number() {
        let mut story = Story::new(&[], &[], &[]);
        story.used.stack.native[..2].copy_from_slice(&[0x10, 0x20]);
        story.used.stack.native_len = 2;
        let event = parsed(&story);
        let native = event["used"]["native"].as_array().unwrap();
        assert_eq!(native.len(), 2);
        assert_eq!(native[0]["offset"], 0x20);
        assert_eq!(
            (&native[1]["offset"], &native[1]["module"]),
            (&0x10.into(), &Value::Null)
        );
    }

    #[test]
    fn strings_come_back_as_they_were() {
        let odd = "/home/\"quoted\"\\\t\n\r\x01\x7f/früh/日本.py";
        let event = parsed(&Story::new(&[(odd, 1, "f")], &[], &[]));
        assert_eq!(event["initialised"]["python"][0]["file"], odd);
    }

    fn with_arguments(size: usize, arguments: &'static [u8]) -> Value {
        let scene = Scene {
            arguments: Some(arguments),
            ..SCENE
        };
        let line = sample::example().tell(|v| made(size, |out| violation(out, v, &scene)));
        serde_json::from_str(&line).expect(&line)
    }

    #[test]
    fn arguments_where_they_are_asked_for() {
        assert_eq!(parsed(&sample::example()).get("argv"), None);
        let event = with_arguments(128 * 1024, b"python\0\0a \"b\"\0\xff.py\0");
        let expected = ["python", "", "a \"b\"", "\u{fffd}.py"].map(Value::from);
        assert_eq!(event["argv"], Value::from(expected.to_vec()));
        assert_eq!(event["argv_cut"], false);
    }

    #[test]
    fn of_many_or_long_arguments_the_beginning() {
        let many: &[u8] = &[b"x\0".repeat(100_000), b"last\0".to_vec()].concat();
        let long: &[u8] = &[b"y".repeat(1 << 20), b"\0last\0".to_vec()].concat();
        let empty: &[u8] = &vec![0; 1 << 20];
        for arguments in [many, long, empty] {
            for size in [128 * 1024, 1700] {
                let event = with_arguments(size, arguments.to_vec().leak());
                assert_eq!(event["argv_cut"], true, "{size}");
                let argv = event["argv"].as_array().unwrap();
                let bytes: usize = argv.iter().map(|one| one.as_str().unwrap().len() + 3).sum();
                assert!(bytes <= 8192 + 8, "{bytes}");
                if size > 1700 {
                    assert!(bytes > 4096, "{bytes}");
                }
            }
        }
    }

    #[test]
    fn an_initialisation_is_an_event() {
        let at = moment(4200, "cuInit", 0, sample::INITIALISED);
        let line = made(128 * 1024, |out| initialised(out, &at, "warn", &SCENE));
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"], "initialised");
        assert_eq!(event["policy"], "warn");
        assert_eq!(event["pid"], 4200);
        assert_eq!(event["initialised"]["python"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&event["forked"], &event["used"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(event["advice"], Value::from(Vec::<Value>::new()));
    }

    #[test]
    fn a_long_event_loses_frames_from_the_middle_and_stays_json() {
        let names: Vec<String> = (0..60).map(|i| format!("/deep/{i:03}.py")).collect();
        let lines: Vec<_> = names.iter().map(|name| (&**name, 1, "f")).collect();
        let story = Story::new(&lines, &lines, &lines);
        let mut previous = usize::MAX;
        for size in [128 * 1024, 12 * 1024, 8 * 1024, 5 * 1024, 1700] {
            let line = story.tell(|v| made(size, |out| violation(out, v, &SCENE)));
            let event: Value = serde_json::from_str(&line).expect(&line);
            let python = event["used"]["python"].as_array().unwrap();
            assert!(python.len() <= previous, "{size}");
            previous = python.len();
            let omitted = event["used"]["python_omitted"].as_u64().unwrap_or(0);
            assert_eq!(python.len() as u64 + omitted, 60, "{size}");
            if !python.is_empty() {
                assert_eq!(python[0]["file"], "/deep/059.py");
                assert_eq!(python[python.len() - 1]["file"], "/deep/000.py");
            }
        }
        assert_eq!(previous, 0);
    }

    #[test]
    fn what_does_not_fit_at_all_is_not_begun() {
        let line = sample::example().tell(|v| made(200, |out| violation(out, v, &SCENE)));
        assert_eq!(line, "");
    }

    #[test]
    fn the_short_form_fits_where_it_must() {
        let line = sample::example().tell(|v| made(3072, |out| violation_short(out, v, &SCENE)));
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["pid"], 4242);
    }

    #[test]
    fn times() {
        for (ns, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999_000_000, "2024-02-29T23:59:59.999Z"),
            (1_735_689_600_000_000_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Rfc3339(ns).to_string(), shown);
        }
    }
}
