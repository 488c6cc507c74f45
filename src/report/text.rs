//! The report as a person reads it.
//!
//! Formats into a [`Buffer`]; allocates nothing, asks nobody. The first line is made apart
//! ([`first_line`]), because it must be out before anything else is looked at.
//!
//! Here is the report of a violation; `steps` is its numbered part, `lines` what else is told, and
//! `words` what they have in common.

mod lines;
mod steps;
mod words;

pub use lines::{first_use, initialised, rewritten, served};

use steps::steps;
use words::{Consequence, ImportIs, Paint};

use super::buffer::Buffer;
use super::frames::{self, Beside, Location};
use super::scene::Scene;
use super::{Action, Kind, LISTED, Violation, advice};

/// Columns of a report.
const COLUMNS: usize = 100;

/// Columns of its prose: long lines of prose are hard to read.
const PROSE: usize = 88;

/// The one line that says what happened and what is done about it.
pub fn first_line(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    out.put(format_args!(
        "{}forkguard: CUDA used in a forked process; {}{}\n",
        paint.of(if matches!(v.action, Action::Warn) {
            "1;33"
        } else {
            "1;31"
        }),
        Consequence { v, named: true },
        paint.end(),
    ));
}

/// The report without its first line.
pub fn rest(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    out.put_str("\n");
    explanation(out, v, scene);
    out.put_str("\n");
    steps(out, v, scene);
    out.put_str("\n");
    fix(out, v, scene);
}

/// The whole report; one line where a sibling already told it in full.
pub fn violation(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    if v.told_by.is_some() {
        told(out, v, scene);
        return;
    }
    first_line(out, v, scene);
    rest(out, v, scene);
}

/// One line for a process whose sibling already told the same in full.
pub fn told(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    out.put(format_args!(
        "{}forkguard: pid {}: CUDA used in a forked process (",
        paint.of(if matches!(v.action, Action::Warn) {
            "1;33"
        } else {
            "1;31"
        }),
        v.used.pid
    ));
    match frames::fold(&v.used.stack.python, Beside::Called) {
        Some(at) => out.put(format_args!(
            "{}",
            Location {
                frame: at.line,
                cwd: scene.cwd
            }
        )),
        None => out.put_str(v.used.function()),
    }
    out.put_str(")");
    if let Some(sibling) = v.told_by {
        out.put(format_args!(", as pid {sibling} already reported"));
    }
    out.put(format_args!(
        "; {}{}\n",
        Consequence { v, named: false },
        paint.end()
    ));
    if v.repeats >= LISTED {
        out.put(format_args!(
            "forkguard: {LISTED} processes met this cause after the first; further ones are not \
             listed here\n"
        ));
    }
}

/// What to say where the full report could not be made: another thread is making one.
pub fn short(out: &mut Buffer<'_>, v: &Violation<'_>) {
    out.put(format_args!(
        "  {} was called in pid {}; another thread of this process is reporting at this \
         moment, and its report\n  says where CUDA was initialised (pid {}) and how it was \
         forked.\n",
        v.used.function(),
        v.used.pid,
        v.initialised.pid
    ));
}

/// Why it cannot work: the second paragraph.
fn explanation(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let parent = v.initialised.pid;
    out.put_str("  ");
    let from = out.end();
    let import = frames::import(&v.initialised.stack.python);
    if v.initialising {
        out.put(format_args!(
            "Pid {parent} was still initialising CUDA when it "
        ));
    } else {
        match import {
            Some(import) => {
                let import = ImportIs { import, scene };
                out.put(format_args!("{import} initialised CUDA in pid {parent} "));
            }
            None => out.put(format_args!("CUDA was initialised in pid {parent} ")),
        }
    }
    match (v.forks, v.initialising) {
        ([], true) => out.put_str("was copied into this process by a fork that was not seen."),
        ([], false) => out.put_str(
            "before this process was made from it by a fork that was not seen (a bare clone).",
        ),
        ([_], true) => out.put_str("forked this process."),
        ([_], false) => out.put_str("before it forked this process."),
        (many, true) => out.put(format_args!(
            "made the first of the {} forks that led to this process.",
            many.len()
        )),
        (many, false) => {
            out.put(format_args!(
                "before the {} forks that led to this process.",
                many.len()
            ));
        }
    }
    out.put_str(match v.kind {
        Kind::DriverCall => {
            " The driver refuses every call here (CUDA_ERROR_NOT_INITIALIZED); no retry can help."
        }
        Kind::TorchRefusal => {
            " PyTorch remembers that it was forked and refuses by itself, before it asks the \
             driver, which would refuse too (CUDA_ERROR_NOT_INITIALIZED); no retry can help."
        }
        Kind::XlaCall => {
            " XLA's threads were not copied with it: this call would wait for them for ever, \
             without an error."
        }
    });
    if v.context {
        out.put(format_args!(
            " Pid {parent} used the GPU: it had created a context."
        ));
    } else {
        out.put(format_args!(
            " Pid {parent} only asked about CUDA: it had no context."
        ));
    }
    out.wrap(from, 2, 2, PROSE);
    out.put_str("\n");
    let refusals = [
        (
            "exec could not start a fresh process in its place",
            v.refusal,
        ),
        (
            "revive could not give it a driver of its own",
            v.not_revived,
        ),
    ];
    for (what, reason) in refusals {
        let Some(reason) = reason else { continue };
        out.put_str("\n  ");
        let from = out.end();
        out.put(format_args!("Policy {what}: {reason}."));
        out.wrap(from, 2, 2, PROSE);
        out.put_str("\n");
    }
}

/// What to do about it.
fn fix(out: &mut Buffer<'_>, v: &Violation<'_>, scene: &Scene<'_>) {
    let paint = Paint(scene.colour);
    let advice = advice::of(v);
    for (i, item) in advice.iter().enumerate() {
        if i == 0 {
            out.put(format_args!("  {}fix{}  ", paint.of("1;32"), paint.end()));
        } else {
            out.put_str(";\n       ");
        }
        let from = out.end();
        if i > 0 {
            out.put_str("or ");
        }
        out.put(format_args!("{}", item.display(scene.cwd)));
        out.wrap(from, 7, 7, COLUMNS - 1);
    }
    out.put_str("\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::Fork;
    use crate::report::sample::{self, FORKED, IMPORT, Story, TORCH, moment};

    const SCENE: Scene<'static> = Scene {
        cwd: "/home/me",
        ..Scene::UNKNOWN
    };

    fn shown(make: impl FnOnce(&mut Buffer<'_>)) -> String {
        let mut bytes = vec![0; 16 * 1024];
        let mut out = Buffer::new(&mut bytes);
        make(&mut out);
        String::from_utf8(out.finish().to_vec()).unwrap()
    }

    fn report(story: &Story) -> String {
        story.tell(|v| shown(|out| violation(out, v, &SCENE)))
    }

    #[test]
    fn the_report_in_full() {
        let expected = "\
forkguard: CUDA used in a forked process; aborting pid 4242 (policy abort)

  CUDA was initialised in pid 4200 before it forked this process. The driver refuses
  every call here (CUDA_ERROR_NOT_INITIALIZED); no retry can help. Pid 4200 only asked
  about CUDA: it had no context.

  1 initialised  pid 4200  MainThread  2.31 s before the fork    cuInit
      app.py:12   <module>            torch/cuda/__init__.py:174  is_available
  2 forked       pid 4200 -> 4242  MainThread
      app.py:31   main                multiprocessing/popen_fork.py:66  _launch
  3 used here    pid 4242  MainThread                            cuCtxGetDevice
      worker.py:9 load                torch/nn/modules/module.py:1050  cuda

  fix  app.py:12 only asks whether CUDA is there: run with PYTORCH_NVML_BASED_CUDA_CHECK=1, or ask
       in the worker;
       or start the workers with multiprocessing.get_context(\"spawn\") at app.py:31;
       or let forkguard do it: FORKGUARD_POLICY=exec
";
        assert_eq!(report(&sample::example()), expected);
    }

    #[test]
    fn the_first_line_is_the_reports_first_line() {
        let story = sample::example();
        let first = story.tell(|v| shown(|out| first_line(out, v, &SCENE)));
        let rest = story.tell(|v| shown(|out| rest(out, v, &SCENE)));
        assert_eq!(first + &rest, report(&story));
    }

    #[test]
    fn what_is_done_about_it() {
        let mut story = sample::example();
        for (action, kind, line) in [
            (
                Action::Abort(None),
                Kind::DriverCall,
                "aborting pid 4242 (policy abort)",
            ),
            (
                Action::Abort(Some(7)),
                Kind::DriverCall,
                "ending pid 4242 with exit code 7 (policy abort)",
            ),
            (
                Action::Warn,
                Kind::DriverCall,
                "pid 4242 goes on, and the call will fail (policy warn)",
            ),
            (
                Action::Warn,
                Kind::TorchRefusal,
                "pid 4242 goes on, and PyTorch will raise its own error (policy warn)",
            ),
            (
                Action::Warn,
                Kind::XlaCall,
                "pid 4242 goes on, and the call will hang (policy warn)",
            ),
        ] {
            story.action = action;
            story.kind = kind;
            let text = report(&story);
            let expected = format!("forkguard: CUDA used in a forked process; {line}");
            assert_eq!(text.lines().next(), Some(&*expected));
        }
    }

    #[test]
    fn a_sibling_told_it_already() {
        let mut story = sample::example();
        story.told_by = Some(4241);
        assert_eq!(
            report(&story),
            "forkguard: pid 4242: CUDA used in a forked process (worker.py:9), as pid 4241 already \
             reported; aborting (policy abort)\n"
        );
        story.action = Action::Warn;
        story.used = moment(4242, "cuInit", 2400, &[]);
        assert_eq!(
            report(&story),
            "forkguard: pid 4242: CUDA used in a forked process (cuInit), as pid 4241 already \
             reported; it goes on, and the call will fail (policy warn)\n"
        );
    }

    #[test]
    fn the_explanation_names_the_import() {
        let initialised = &[
            (TORCH, 174, "is_available"),
            ("/x/site-packages/mmcv/__init__.py", 5, "<module>"),
            IMPORT,
            ("/home/me/app.py", 3, "<module>"),
        ];
        let text = report(&Story::new(initialised, FORKED, sample::USED));
        assert!(
            text.contains("`import mmcv` at app.py:3 initialised CUDA in pid 4200"),
            "{text}"
        );
    }

    fn paragraph(story: &Story) -> String {
        let text = report(story);
        let second = text.split("\n\n").nth(1).unwrap().to_owned();
        second.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_explanation_by_what_was_touched() {
        let mut story = sample::example();
        story.context = true;
        assert!(paragraph(&story).ends_with("Pid 4200 used the GPU: it had created a context."));
        story.kind = Kind::TorchRefusal;
        assert!(paragraph(&story).contains("PyTorch remembers that it was forked"));
        story.kind = Kind::XlaCall;
        assert!(paragraph(&story).contains("would wait for them for ever"));
        assert!(!paragraph(&story).contains("CUDA_ERROR"));
    }

    #[test]
    fn the_explanation_by_how_it_was_forked() {
        let mut story = sample::example();
        story.initialising = true;
        assert!(
            paragraph(&story)
                .starts_with("Pid 4200 was still initialising CUDA when it forked this process.")
        );
        assert!(report(&story).contains("not yet done at the fork"));
        story.initialising = false;
        let child = Fork {
            at: *moment(4242, "fork", 2390, &[]),
            child: 4250,
        };
        story.forks.push(child);
        assert!(paragraph(&story).contains("before the 2 forks that led to this process."));
        story.forks.clear();
        assert!(paragraph(&story).contains("by a fork that was not seen (a bare clone)."));
        assert!(report(&story).contains("2.40 s before this use"));
    }

    #[test]
    fn every_fork_of_a_chain_is_numbered() {
        let mut story = sample::example();
        let at = moment(4242, "daemon", 2390, &[("/home/me/app.py", 50, "detach")]);
        story.forks.push(Fork { at: *at, child: 0 });
        let text = report(&story);
        assert!(
            text.contains("\n  2 forked       pid 4200 -> 4242  MainThread\n"),
            "{text}"
        );
        assert!(
            text.contains("\n  3 forked       pid 4242 -> ?  MainThread"),
            "{text}"
        );
        assert!(
            text.contains("  daemon\n      app.py:50   detach\n"),
            "{text}"
        );
        assert!(text.contains("\n  4 used here    pid 4242"), "{text}");
    }

    #[test]
    fn a_long_chain_is_shortened() {
        let mut story = sample::example();
        for i in 0..9 {
            let at = moment(5000 + i, "fork", 2390, &[]);
            story.forks.push(Fork {
                at: *at,
                child: 5001 + i,
            });
        }
        let text = report(&story);
        assert_eq!(text.matches(" forked  ").count(), 6, "{text}");
        assert!(text.contains("\n  … 4 more of the same chain\n"), "{text}");
        assert!(
            text.contains("\n  11 forked      pid 5008 -> 5009"),
            "{text}"
        );
        assert!(text.contains("\n  12 used here   pid 4242"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_page_where_it_can_be_helped() {
        let deep = "/home/me/some/rather/deep/folder/of/the/project/training_loop.py";
        let story = Story::new(
            &[
                (TORCH, 174, "is_available"),
                (deep, 1200, "Trainer.prepare_the_training"),
            ],
            &[
                (crate::report::sample::POPEN, 66, "_launch"),
                (deep, 1300, "Trainer.run"),
            ],
            &[(TORCH, 398, "_lazy_init"), ("/home/me/w.py", 9, "load")],
        );
        let text = report(&story);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        let place = "some/rather/deep/folder/of/the/project/training_loop.py:1200";
        assert!(text.contains(place), "{text}");
        assert!(
            text.contains("torch/cuda/__init__.py:174  is_available"),
            "{text}"
        );
    }

    #[test]
    fn no_stack_is_said() {
        let text = report(&Story::new(&[], &[], &[]));
        assert_eq!(
            text.matches("(no stack could be read)").count(),
            3,
            "{text}"
        );
    }

    #[test]
    fn native_frames_stand_in_for_python() {
        let mut story = Story::new(&[], &[], &[]);
        story.used.stack.native[0] = 0x1234;
        story.used.stack.native_len = 1;
        assert!(report(&story).contains("      0x1234\n"));
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        let story = sample::example();
        assert!(!report(&story).contains('\x1b'));
        let scene = Scene {
            colour: true,
            ..SCENE
        };
        let text = story.tell(|v| shown(|out| violation(out, v, &scene)));
        let plain = ["1;31", "1;32", "1", "2", "0"]
            .iter()
            .fold(text.clone(), |text, code| {
                text.replace(&format!("\x1b[{code}m"), "")
            });
        assert_ne!(text, plain);
        assert_eq!(plain, report(&story));
    }

    #[test]
    fn the_lines_of_the_verbose() {
        let at = moment(4200, "cuInit", 0, sample::INITIALISED);
        assert_eq!(
            shown(|out| initialised(out, &at, &SCENE)),
            "forkguard: pid 4200 initialised CUDA (cuInit) at app.py:12 <module>\n"
        );
        let import = [
            ("/x/site-packages/m/__init__.py", 5, "<module>"),
            IMPORT,
            ("a.py", 3, "f"),
        ];
        let at = moment(4200, "cuInit", 0, &import);
        assert_eq!(
            shown(|out| initialised(out, &at, &SCENE)),
            "forkguard: pid 4200 initialised CUDA (cuInit) at a.py:3 f, in `import m` at a.py:3\n"
        );
        assert_eq!(
            shown(|out| first_use(out, 42, "cuMemAlloc_v2", 0)),
            "forkguard: pid 42 uses cuMemAlloc_v2\n"
        );
    }
}
