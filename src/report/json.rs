//! The report as a machine reads it: one JSON object a line, in the form that README promises.
//!
//! Here is which events there are, and how each is made to fit; `members` writes what one tells, and
//! `notation` JSON's strings.
//!
//! An event begins with a line end of its own, which is written only where it is needed.
//! Formats into a [`Buffer`]; allocates nothing. An event that is too long for its buffer is
//! made again with fewer frames, so that what is written is always whole.

mod members;
mod notation;

pub use notation::quote;

use members::Writer;

use super::buffer::Buffer;
use super::scene::Scene;
use super::{Noted, Served, Service, Violation};
use crate::lineage::{Fork, Moment};
use crate::policy::exec::Rewrite;
use crate::sys::modules::Met;

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

/// The same without any stack: for where memory is scarce.
pub fn initialised_short(out: &mut Buffer<'_>, at: &Moment, policy: &str, scene: &Scene<'_>) {
    let event = of_initialised(at, policy);
    fit(out, &event, scene, &LIMITS[LIMITS.len() - 1..]);
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
}
