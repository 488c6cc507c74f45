//! An event's members, in the order in which they stand.
//!
//! Every event has the members that every event is promised to have; which others, its parts say.

use core::fmt;

use super::notation::{Hex, Lossy, Rfc3339, quote};
use super::{Event, Limit};
use crate::lineage::{Fork, Moment};
use crate::policy::exec::Rewrite;
use crate::policy::revive;
use crate::report::buffer::Buffer;
use crate::report::scene::Scene;
use crate::report::{Action, Kind, Noted, Service, Violation, advice, frames, native};
use crate::stack::{NATIVE_FRAMES, PYTHON_FRAMES};
use crate::sys::modules::Met;

/// The version of the events' form.
const SCHEMA: u32 = 1;

/// Writes the members of objects and the items of arrays, with their commas.
pub(super) struct Writer<'b, 'a> {
    pub(super) out: &'b mut Buffer<'a>,
    pub(super) limit: Limit,
    /// The executable's path: the loader gives it none.
    pub(super) exe: &'b str,
    /// Nothing has been written in this object or array yet.
    pub(super) first: bool,
    /// The modules of the native frames written.
    pub(super) met: Met,
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

    pub(super) fn event(&mut self, event: &Event<'_>, scene: &Scene<'_>) {
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
